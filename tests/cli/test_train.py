"""The verbs train and finetune, on a toy recipe."""

from pathlib import Path

import numpy as np
import pytest
import torch

from recodec.model.encodec import EncodecModel
from recodec.spectral import SpectralConfig
from support import spectral as shapes

SPEECH = Path(__file__).parents[2] / "examples" / "speech.wav"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Three updates of a toy model with a toy discriminator."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "music-000.npy", (3000 * rng.standard_normal(24_000)).astype(np.int16))
    file = tmp_path / "recipe.py"
    file.write_text(
        "from recodec import presets\n"
        "from recodec.training.adversarial import AdversarialTraining\n"
        "from recodec.training.config import TrainConfig\n"
        "def recipe():\n"
        f"    return TrainConfig(presets.tiny(), {str(tmp_path)!r}, updates=3, batch_size=2, crop_s=0.25,\n"
        "        adversarial=AdversarialTraining(1.0, 1.0, width=2, windows=(128,)))\n"
    )
    return file


def test_train_and_finetune(recodec, recipe: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    outcome = recodec("train", recipe, "-o", first, "codebooks.kmeans_iterations=2", "--device", "cpu")
    assert (outcome.code, outcome.err) == (0, "")
    model = first / "model"
    assert outcome.out.splitlines() == [
        f"3 of 3 updates. The model is in {model}: recodec compress IN.wav OUT.ecdc --model {model}"
    ]
    assert recodec("compress", SPEECH, tmp_path / "x.ecdc", "--model", model).code == 0
    again = recodec("train", recipe, "-o", first, "--no-resume")
    assert again.code == 2
    assert "holds a run already" in again.err
    outcome = recodec("finetune", recipe, "-o", second, "--from", first / "model", "train_encoder=false",
                      "--discriminator", first / "discriminator.pt")  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    a, b = (EncodecModel.from_pretrained(folder / "model").state_dict() for folder in (first, second))
    changed = {name.split(".")[0] for name in a if not torch.allclose(a[name], b[name], rtol=1e-4, atol=1e-5)}
    assert changed == {"decoder"}


def test_finetune_the_spectral_decoder_and_go_on_with_it(recodec, recipe: Path, tmp_path: Path) -> None:
    """The second run takes the shape of the first one's decoder, and changes nothing but the decoder."""
    shape = shapes.config(dim=8)
    names = (
        "input_channels",
        "dim",
        "intermediate_dim",
        "num_layers",
        "kernel_size",
        "n_fft",
        "hop_length",
        "look_ahead",
    )
    sizes = [f"spectral_model.{name}={getattr(shape, name)}" for name in names]
    common = [
        "decoder=spectral",
        "adversarial.generator_weight=0.0",
        "adversarial.feature_weight=0.0",
        "--device",
        "cpu",
    ]
    first, second = tmp_path / "first", tmp_path / "second"
    outcome = recodec("train", recipe, "-o", first, "codebooks.kmeans_iterations=2", *sizes, *common)
    assert (outcome.code, outcome.err) == (0, "")
    smaller = [size for size in sizes if ".dim=" not in size]
    outcome = recodec(
        "finetune", recipe, "-o", second, "--from", first / "model", "train_encoder=false", *smaller, *common
    )
    assert (outcome.code, outcome.err) == (0, "")
    assert SpectralConfig.from_json_file(second / "model" / "spectral_config.json").dim == 8
    models = [EncodecModel.from_pretrained(folder / "model") for folder in (first, second)]
    assert models[0].fingerprint() == models[1].fingerprint()
    weights = [(folder / "model" / "spectral.safetensors").read_bytes() for folder in (first, second)]
    assert weights[0] != weights[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["updates"], "KEY=VALUE"),
        (["adversarial.widths=3"], "no setting 'adversarial.widths'"),
        (["adversarial.update_probability=2.0"], "update_probability must be"),
        (["mixing=[1.0]"], "mixing must be 4 values"),
        (["decoder=both"], "a discriminator is for one decoder"),
        (["decoder=spectral"], "spectral_model does not fit the model"),
        (["precision=fp8"], "precision must be one of fp32, bf16"),
    ],
)
def test_bad_settings_are_usage_errors(
    recodec, recipe: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    outcome = recodec("train", recipe, "-o", tmp_path / "run", *arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_that_is_none(recodec, recipe: Path, tmp_path: Path) -> None:
    outcome = recodec("finetune", recipe, "-o", tmp_path / "run", "--from", tmp_path)
    assert outcome.code == 1
    assert "config.json" in outcome.err


def test_what_is_misspelt_or_missing_is_said(recodec, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for words, message in (
        ((recipe, "dta=x"), "there is no setting 'dta'; did you mean data?"),
        ((recipe, "model.num_filter=3"), "did you mean model.num_filters?"),
        ((f"{recipe}:recpie",), "did you mean recipe?"),
        ((recipe, "data.speech=nowhere"), "no file or folder nowhere, in the setting data"),
        ((recipe, "dev=nowhere"), "no file or folder nowhere, in the setting dev"),
    ):
        outcome = recodec("train", *words, "-o", out)
        assert (outcome.code, message in outcome.err) == (2, True), outcome.err
    assert "did you mean train?" in recodec("trian").err


def test_without_tensorboard_a_line_says_how_to_get_it(
    recodec, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recodec.training import board

    monkeypatch.setattr(board, "find_spec", lambda name: None)
    words = (
        "train",
        recipe,
        "-o",
        tmp_path / "out",
        f"dev={SPEECH.parent}",
        "updates=1",
        "codebooks.kmeans_iterations=2",
    )
    outcome = recodec(*words, "--device", "cpu")
    assert outcome.code == 0, outcome.err
    assert "pip install 'recodec[train]'" in outcome.out
    assert not (tmp_path / "out" / "board").exists()

"""A spectral decoder learns: alone, with encoder and codebooks, and beside the paper's decoder."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from recodec import presets
from recodec.codec import Codec
from recodec.errors import CheckpointError, ConfigError
from recodec.nn.spectral import SpectralDecoder
from recodec.spectral import SpectralConfig
from recodec.training.adversarial import AdversarialTraining
from recodec.training.balancer import Balancer
from recodec.training.codebooks import CodebookLearning
from recodec.training.config import TrainConfig
from recodec.training.run import train
from recodec.training.spectral import SpectralTraining
from recodec.training.spectral_losses import SpectralLosses
from recodec.training.trainer import Trainer
from support import spectral as shapes


def config(shards: Path, **changes: object) -> TrainConfig:
    values: dict = {
        "model": presets.tiny(),
        "data": str(shards),
        "decoder": "spectral",
        "spectral_model": shapes.config(),
        "updates": 4,
        "batch_size": 2,
        "crop_s": 0.25,
        "log_every": 1,
        "warmup_updates": 1,
        "codebooks": CodebookLearning(kmeans_iterations=3),
        **changes,
    }
    return TrainConfig(**values)


def parts_that_changed(trainer: Trainer, updates: int = 2) -> set[str]:
    """Which of encoder, quantizer, decoder and spectral decoder some updates change."""
    networks = {"": trainer.model, **({"spectral.": trainer.spectral.network} if trainer.spectral else {})}

    def values() -> dict[str, torch.Tensor]:
        return {p + n: t.clone() for p, network in networks.items() for n, t in network.state_dict().items()}

    before = values()
    for _ in range(updates):
        trainer.update()
    return {name.partition(".")[0] for name, value in values().items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"train_encoder": False}, {"spectral"}),
        ({}, {"encoder", "quantizer", "spectral"}),
        ({"decoder": "both"}, {"encoder", "quantizer", "decoder", "spectral"}),
        ({"decoder": "both", "train_encoder": False}, {"decoder", "spectral"}),
        ({"decoder": "encodec", "train_encoder": False}, {"decoder"}),
        ({"decoder": "encodec", "losses": "spectral", "train_encoder": False}, {"decoder"}),
    ],
)
def test_what_learns(shards: Path, model: Path, changes: dict, expected: set[str]) -> None:
    assert parts_that_changed(Trainer(config(shards, start=str(model), **changes))) == expected


def test_the_papers_decoder_learns_by_the_losses_of_the_spectral_one(shards: Path) -> None:
    settings = SpectralTraining(windows_drawn=2, windows=(512, 256), phase_weight=0.5)
    changes = {"decoder": "encodec", "losses": "spectral", "spectral": settings, "learning_rate": 3e-3}
    trainer = Trainer(config(shards, updates=30, **changes))
    history = [trainer.update() for _ in range(30)]
    assert {"mel", "log_mel", "magnitude", "phase"} <= history[0].keys()
    assert "time" not in history[0]
    totals = [sum(h[name] * weight for name, weight in settings.loss_weights().items()) for h in history]
    assert np.mean(totals[-5:]) < 0.9 * np.mean(totals[:5])
    with pytest.raises(ConfigError, match=r"half a window of spectral\.windows"):
        config(
            shards, decoder="encodec", losses="spectral", spectral=SpectralTraining(windows=(16384,), windows_drawn=1)
        )
    with pytest.raises(ConfigError, match="losses must be one of paper, spectral"):
        config(shards, losses="spectrel")


def test_a_fresh_decoder_starts_at_the_level_of_the_audio_and_learns(shards: Path) -> None:
    settings = SpectralTraining(learning_rate=5e-3, windows_drawn=6)
    trainer = Trainer(config(shards, updates=40, spectral=settings))
    history = [trainer.update() for _ in range(40)]
    assert history[0]["spectral_mel"] < 0.2
    totals = [
        sum(h[f"spectral_{name}"] * weight for name, weight in settings.loss_weights().items()) for h in history
    ]  # fmt: skip
    assert np.mean(totals[-5:]) < 0.93 * np.mean(totals[:5])


def test_the_model_of_a_run_decodes_with_what_was_learned(shards: Path, model: Path, tmp_path: Path) -> None:
    """Frozen codes: the model has the fingerprint that it had, and the decoder is the average of the run."""
    train(config(shards, start=str(model), train_encoder=False, average_decay=0.9), tmp_path / "run", progress=False)
    old, new = (Codec.from_pretrained(path, engine="torch", threads=1) for path in (model, tmp_path / "run" / "model"))
    assert new.engine.fingerprint == old.engine.fingerprint
    assert new.config.also_decodes == ()
    trainer = Trainer(config(shards, start=str(model), train_encoder=False, average_decay=0.9))
    trainer.load(tmp_path / "run")
    codes = new.encode(np.random.default_rng(0).normal(size=(1, 4800)).astype(np.float32))[0]
    with trainer.averaged(), torch.inference_mode():
        assert trainer.spectral is not None
        latents = trainer.model.quantizer.dequantize(torch.from_numpy(codes).long().reshape(1, *codes.shape[-2:]))
        expected = trainer.spectral.network(latents)[0].numpy()
    found = new.decode(codes, decoder="spectral")
    np.testing.assert_allclose(found, expected[:, : found.shape[-1]], rtol=0, atol=1e-5)


def test_codebooks_that_learn_are_those_that_the_decoder_names(shards: Path, model: Path, tmp_path: Path) -> None:
    train(config(shards, start=str(model)), tmp_path / "run", progress=False)
    folder = tmp_path / "run" / "model"
    named = json.loads((folder / "spectral_config.json").read_text())["codebooks"]
    assert Codec.from_pretrained(folder, engine="torch", threads=1).spectral_decoder is not None
    (folder / "spectral_config.json").write_text(
        dataclasses.replace(shapes.config(), codebooks=named[::-1]).to_json_string()
    )
    with pytest.raises(CheckpointError, match="other codebooks"):
        Trainer(config(shards, start=str(folder)))


def test_training_goes_on_with_the_decoder_beside_the_weights(shards: Path, model: Path, tmp_path: Path) -> None:
    train(config(shards, start=str(model), train_encoder=False), tmp_path / "run", progress=False)
    again = config(shards, start=str(tmp_path / "run" / "model"), train_encoder=False, seed=5)
    first, second = Trainer(config(shards, start=str(model), seed=5)), Trainer(again)
    learned = torch.load(tmp_path / "run" / "state.pt", weights_only=True)["spectral"]["network"]
    assert first.spectral is not None
    assert second.spectral is not None
    for name, tensor in second.spectral.network.state_dict().items():
        assert torch.equal(tensor, learned[name]), name
    fresh = first.spectral.network.state_dict()
    assert not torch.equal(fresh["head.out.weight"], learned["head.out.weight"])
    other = dataclasses.replace(again, spectral_model=shapes.config(dim=8))
    with pytest.raises(CheckpointError, match="another spectral decoder"):
        Trainer(other)


@pytest.mark.parametrize("changes", [
    {"decoder": "both", "average_decay": 0.9},
    {"train_encoder": False, "average_decay": 0.9,
     "adversarial": AdversarialTraining(0.3, 1.0, width=2, windows=(128, 64), start=1, lead=1)},
])  # fmt: skip
def test_a_resumed_run_equals_an_unbroken_one(shards: Path, tmp_path: Path, changes: dict) -> None:
    whole = Trainer(config(shards, **changes))
    for _ in range(4):
        whole.update()
    first = Trainer(config(shards, **changes))
    for _ in range(2):
        first.update()
    first.save(tmp_path)
    second = Trainer(config(shards, **changes))
    second.load(tmp_path)
    for _ in range(2):
        second.update()
    states = [tensors_of(trainer.state_dict()) for trainer in (whole, second)]
    assert states[0].keys() == states[1].keys()
    assert any(name.startswith(".spectral.average") for name in states[0])
    for name, tensor in states[0].items():
        assert torch.equal(tensor, states[1][name]), name


def tensors_of(value: object, name: str = "") -> dict[str, torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return {name: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {key: tensor for k, v in items for key, tensor in tensors_of(v, f"{name}.{k}").items()}


def test_a_run_does_not_change_its_decoders_halfway(shards: Path, model: Path, tmp_path: Path) -> None:
    train(config(shards, start=str(model), decoder="both"), tmp_path / "run", progress=False)
    with pytest.raises(CheckpointError, match="began with decoder=both, and is now told decoder=spectral"):
        train(config(shards, start=str(model), updates=6), tmp_path / "run", progress=False)


def test_the_discriminator_begins_when_it_is_told(shards: Path) -> None:
    settings = AdversarialTraining(0.3, 1.0, update_probability=1.0, width=2, windows=(128, 64), start=1, lead=1)
    trainer = Trainer(config(shards, adversarial=settings))
    figures = [trainer.update() for _ in range(3)]
    assert ["discriminator" in f for f in figures] == [False, True, True]
    assert ["spectral_generator" in f for f in figures] == [False, False, True]
    assert ["spectral_feature" in f for f in figures] == [False, False, True]
    norms = trainer.branches[0].objective.balancer.ratios
    assert set(norms) == {"reconstruction", "generator", "feature"}


def test_an_anchored_loss_keeps_its_gradient_and_others_are_scaled_to_it() -> None:
    torch.manual_seed(0)
    output = torch.randn(3, 1, 50, requires_grad=True)
    balancer = Balancer({"a": 1.0, "b": 0.25}, anchor="a")
    losses = {"a": 7 * output.square().mean(), "b": 1e-4 * output.sin().sum()}
    alone = torch.autograd.grad(losses["a"], output, retain_graph=True)[0]
    assert torch.equal(balancer.gradient({"a": losses["a"]}, output), alone)
    rest = balancer.gradient(losses, output) - alone

    def norm(gradient: torch.Tensor) -> float:
        return float(gradient.reshape(3, -1).norm(dim=1).mean())

    assert norm(rest) == pytest.approx(0.25 * norm(alone), rel=1e-4)


def test_the_log_and_the_board_have_both_decoders(shards: Path, model: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    dev = tmp_path / "dev"
    dev.mkdir()
    soundfile.write(dev / "music-0.wav", 0.1 * np.random.default_rng(0).standard_normal(12_000), 24_000)
    settings = config(shards, start=str(model), decoder="both", updates=2, board=True, dev=str(dev), dev_every=2)
    train(settings, tmp_path / "run", progress=False)
    line = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert {"dev_mel_3.6", "dev_spectral_mel_3.6", "dev_spectral_level_3.6"} <= line.keys()
    assert line["dev_mel_3.6"] != line["dev_spectral_mel_3.6"]
    events = EventAccumulator(str(tmp_path / "run" / "board"))
    events.Reload()
    tags = events.Tags()
    assert {"spectral_phase", "norm/time", "norm/spectral_reconstruction"} <= set(tags["scalars"])
    assert {"clip 0/decoded", "clip 0/spectral_decoded"} <= set(tags["audio"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decoder": "vocos"}, "decoder must be one of encodec, spectral, both"),
        ({"decoder": "both", "adversarial": AdversarialTraining(1.0, 1.0, windows=(64,))}, "for one decoder"),
        ({"spectral_model": SpectralConfig()}, "spectral_model does not fit the model.*input_channels of 128"),
        ({"spectral": SpectralTraining(windows=(16_384,), windows_drawn=1)}, "half a window of spectral.windows"),
    ],
)
def test_settings_that_do_not_fit_are_named(shards: Path, changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(shards, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"phase_weight": -0.1}, "must not be negative"),
        ({"windows": ()}, "spectral.windows must be a list"),
        ({"windows": (30,)}, "spectral.windows must be a list"),
        ({"windows_drawn": 7}, "windows_drawn must be from 1 to the number of windows, 6"),
        ({"learning_rate": 0.0}, "spectral.learning_rate must be"),
    ],
)
def test_bad_losses_are_named(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SpectralTraining(**changes)


# ---- losses ------------------------------------------------------------------------------------------


def test_losses_against_numpy() -> None:
    rng = np.random.default_rng(0)
    x, y = 0.1 * rng.normal(size=(2, 3, 4096))
    window, floor = 512, 3e-4
    found = SpectralLosses(24_000, (window,), floor=floor)(*(torch.from_numpy(s).float()[:, None] for s in (x, y)), [0])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)

    def spectra(signal: np.ndarray) -> np.ndarray:
        padded = np.pad(signal, ((0, 0), (window // 2, window // 2)), mode="reflect")
        starts = range(0, padded.shape[1] - window + 1, window // 4)
        return np.fft.rfft(np.stack([padded[:, i : i + window] * hann for i in starts], 1)) / np.sqrt(window)

    a, b = spectra(x), spectra(y)
    phase = (np.abs(a) * (1 - np.cos(np.angle(b) - np.angle(a)))).sum((1, 2)) / np.abs(a).sum((1, 2))
    magnitude = np.abs(np.log10(np.abs(b) + floor) - np.log10(np.abs(a) + floor)).mean()
    assert float(found["phase"]) == pytest.approx(phase.mean(), rel=1e-3)
    assert float(found["magnitude"]) == pytest.approx(magnitude, rel=1e-3)


def test_the_phase_term_does_not_pull_the_level_down() -> None:
    torch.manual_seed(0)
    target, estimate = 0.1 * torch.randn(2, 2, 1, 8000)
    losses = SpectralLosses(24_000, (1024, 256))
    loud, quiet = (losses(target, level * estimate, [0, 1]) for level in (1.0, 0.1))
    assert float(quiet["phase"]) == pytest.approx(float(loud["phase"]), rel=0.02)
    for name in ("mel", "log_mel", "magnitude"):
        assert float(quiet[name]) > 1.5 * float(loud[name]), name
    same = losses(target, target, [0, 1])
    assert max(map(float, same.values())) < 2e-3


def test_gradients_are_finite_in_silence_and_at_the_edges() -> None:
    torch.manual_seed(0)
    network = SpectralDecoder(shapes.config())
    output = network(torch.randn(1, shapes.MODEL.hidden_size, 9))
    terms = SpectralLosses(24_000, (256, 64))(torch.zeros_like(output), output, [0, 1])
    torch.stack(list(terms.values())).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name

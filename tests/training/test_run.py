"""Whole runs on a toy model: they learn, resume as if unbroken, and refuse what is wrong."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from recodec import presets
from recodec.codec import Codec
from recodec.errors import AudioError, CheckpointError, ConfigError, ModelMismatchError, TrainingError
from recodec.model.encodec import EncodecModel
from recodec.training.adversarial import AdversarialTraining
from recodec.training.codebooks import CodebookLearning, quantize_for_training
from recodec.training.config import TrainConfig
from recodec.training.run import LEFT_OUT_NAME, train
from recodec.training.state import STATE_NAME
from recodec.training.trainer import Trainer


def _config(shards: Path, **changes: object) -> TrainConfig:
    values: dict = {
        "model": presets.tiny(),
        "data": str(shards),
        "updates": 6,
        "batch_size": 2,
        "crop_s": 0.25,
        "log_every": 1,
        "codebooks": CodebookLearning(kmeans_iterations=3),
        **changes,
    }
    return TrainConfig(**values)


def test_losses_fall(shards: Path) -> None:
    trainer = Trainer(_config(shards, updates=60, learning_rate=3e-3, warmup_updates=1))
    history = [trainer.update() for _ in range(60)]
    first, last = (np.mean([h["mel"] for h in part]) for part in (history[:10], history[-10:]))
    assert last < 0.9 * first


def test_a_resumed_run_equals_an_unbroken_one(shards: Path, tmp_path: Path) -> None:
    config = _config(shards, quantizer_start=2)
    whole = Trainer(config)
    for _ in range(6):
        whole.update()
    first = Trainer(config)
    for _ in range(4):
        first.update()
    first.save(tmp_path)
    second = Trainer(config)
    second.load(tmp_path)
    for _ in range(2):
        second.update()
    for (name, a), (_, b) in zip(whole.model.state_dict().items(), second.model.state_dict().items(), strict=True):
        assert torch.equal(a, b), name
    assert whole.balancer.state_dict() == second.balancer.state_dict()


def test_the_decoder_learns_alone_where_the_encoder_is_frozen(shards: Path, tmp_path: Path) -> None:
    first = Trainer(_config(shards))
    for _ in range(3):
        first.update()
    first.save(tmp_path)
    frozen = Trainer(_config(shards, train_encoder=False))
    frozen.load(tmp_path)
    before = {name: tensor.clone() for name, tensor in frozen.model.state_dict().items()}
    for _ in range(3):
        frozen.update()
    changed = {name for name, tensor in frozen.model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {name for name, _ in frozen.model.named_parameters() if name.startswith("decoder.")}


@pytest.mark.parametrize("train_encoder", [False, True])
def test_files_stay_good_where_only_the_decoder_learns(shards: Path, tmp_path: Path, train_encoder: bool) -> None:
    torch.manual_seed(0)
    EncodecModel(presets.tiny()).save_pretrained(tmp_path / "old")
    old = Codec.from_pretrained(tmp_path / "old", engine="torch", threads=1)
    audio = np.random.default_rng(0).normal(size=(1, 3000)).astype(np.float32)
    files = [old.compress(audio, version=version) for version in (0, 1)]
    start, new = str(tmp_path / "old"), old
    for again in range(2):
        out = tmp_path / f"run{again}"
        config = _config(shards, start=start, train_encoder=train_encoder, updates=2, learning_rate=1e-2)
        train(config, out, progress=False)
        start = str(out / "model")
        new = Codec.from_pretrained(start, engine="torch", threads=1)
        assert new.engine.fingerprint != old.engine.fingerprint
        for file in files:
            if train_encoder:
                with pytest.raises(ModelMismatchError):
                    new.decompress(file)
            else:
                assert new.decompress(file).shape == audio.shape
                assert not np.array_equal(new.decompress(file), old.decompress(file))
        assert np.array_equal(new.encode(audio)[0], old.encode(audio)[0]) != train_encoder
    assert len(new.config.also_decodes) == (0 if train_encoder else 2)
    with pytest.raises(ModelMismatchError):  # not the other way round: the old one does not know
        old.decompress(new.compress(audio))


def test_adversarial_runs_resume_as_if_unbroken(shards: Path, tmp_path: Path) -> None:
    """With everything that has a state: discriminators, weight average, mixing, reverberation, dead codes."""
    config = _config(
        shards, mixing=(0.3, 0.3, 0.2, 0.2), reverb_probability=0.3, average_decay=0.9, seed=2,
        adversarial=AdversarialTraining(3.0, 3.0, width=2, windows=(128, 64), per_bandwidth=True, start=1),
    )  # fmt: skip
    whole = Trainer(config)
    for _ in range(6):
        whole.update()
    first = Trainer(config)
    for _ in range(3):
        first.update()
    first.save(tmp_path)
    second = Trainer(config)
    second.load(tmp_path)
    for _ in range(3):
        second.update()
    whole.save(tmp_path / "..")
    second.save(tmp_path)
    states = [torch.load(f / STATE_NAME, weights_only=True) for f in (tmp_path / "..", tmp_path)]
    for state in states:
        state.pop("seconds")
    assert _equal(*states)


def _equal(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(_equal, a, b))
    return a == b


def test_every_level_receives_gradient() -> None:
    torch.manual_seed(0)
    model = EncodecModel(presets.tiny())
    for book in model.quantizer.codebooks:
        book.embed.normal_()
    latents = torch.randn(1, 16, 10, requires_grad=True)
    gradients = []
    for count in (1, 2, 3):
        _, loss, used = quantize_for_training(model.quantizer, latents, count)
        (gradient,) = torch.autograd.grad(count * loss, latents)
        gradients.append(gradient)
        assert len(used) == count
    # d/dx of |r_k - e_k|^2 is 2 (r_k - e_k) / size at each level k, since the entries are constants.
    residual = latents.detach()
    for k, book in enumerate(model.quantizer.codebooks[:3]):
        residual = residual - book.lookup(book.nearest(residual.transpose(1, 2))).transpose(1, 2)
        level = gradients[k] - (gradients[k - 1] if k else 0)
        torch.testing.assert_close(level, 2 * residual / residual.numel())
    _, first, _ = quantize_for_training(model.quantizer, latents, 3, commit_all=False)
    (gradient,) = torch.autograd.grad(first, latents)
    torch.testing.assert_close(gradient, gradients[0])


def test_a_loss_that_is_no_number_stops_the_run(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The update is named, and the last good checkpoint stays."""
    train(_config(shards, updates=2), tmp_path, progress=False)
    good = (tmp_path / STATE_NAME).read_bytes()
    real = Trainer._next_batch

    def poisoned(self: Trainer) -> torch.Tensor:
        batch = real(self)
        return batch * float("nan") if getattr(self, "done", 0) == 3 else batch

    monkeypatch.setattr(Trainer, "_next_batch", poisoned)
    with pytest.raises(TrainingError, match=r"update 4: the loss 'time' is nan"):
        train(_config(shards, updates=6), tmp_path, progress=False)
    assert (tmp_path / STATE_NAME).read_bytes() == good


def test_what_cannot_serve_is_listed_even_if_nothing_can(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_text("not audio")
    with pytest.raises(AudioError, match=r"has nothing to train on \(.*bad.wav is not an audio file"):
        train(_config(tmp_path), tmp_path / "run", progress=False)
    listed = (tmp_path / "run" / LEFT_OUT_NAME).read_text().splitlines()
    assert listed[0] == "name\treason"
    assert listed[1].startswith(f"{bad}\t{bad} is not an audio file")
    assert f"see {tmp_path / 'run' / LEFT_OUT_NAME}" in capsys.readouterr().err


def test_what_cannot_be_read_is_listed_if_no_crop_can_be_learnt_from(tmp_path: Path) -> None:
    bad = tmp_path / "data" / "bad.wav"
    bad.parent.mkdir()
    soundfile.write(bad, np.full(24_000, np.nan), 24_000, subtype="FLOAT")
    with pytest.raises(AudioError, match="can be learnt from"):
        train(_config(bad.parent), tmp_path / "run", progress=False)
    assert "bad.wav" in (tmp_path / "run" / LEFT_OUT_NAME).read_text()


def test_finetuning_starts_from_any_weights(shards: Path, tmp_path: Path) -> None:
    config = _config(shards, adversarial=AdversarialTraining(1.0, 1.0, width=2, windows=(128,)))
    model = train(config, tmp_path / "a", progress=False)
    again = dataclasses.replace(config, start=str(tmp_path / "a" / "model"), updates=1, learning_rate=1e-9)
    tuned = train(again, tmp_path / "b", progress=False, discriminator=tmp_path / "a" / "discriminator.pt")
    for (name, a), (_, b) in zip(model.named_parameters(), tuned.named_parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5, msg=name)
    other = dataclasses.replace(again, model=dataclasses.replace(config.model, num_filters=4))
    with pytest.raises(CheckpointError, match="another network"):
        Trainer(other)
    plain = dataclasses.replace(again, adversarial=AdversarialTraining())
    with pytest.raises(CheckpointError, match="no discriminator"):
        train(plain, tmp_path / "c", progress=False, discriminator=tmp_path / "a" / "discriminator.pt")


def test_half_precision_and_schedules(shards: Path) -> None:
    trainer = Trainer(_config(shards, precision="bf16", clip_norm=0.1, schedule="cosine", warmup_updates=1))
    figures = [trainer.update() for _ in range(3)]
    assert all(np.isfinite(f["mel"]) for f in figures)
    assert {parameter.dtype for parameter in trainer.model.parameters()} == {torch.float32}
    rates = [trainer.config.learning_rate_at(i) for i in range(6)]
    assert rates == pytest.approx([3e-4 * (1 + np.cos(np.pi * i / 6)) / 2 for i in range(6)])


def test_the_board_has_figures_pictures_and_sound(shards: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    dev = tmp_path / "dev"
    dev.mkdir()
    soundfile.write(dev / "music-0.wav", 0.1 * np.random.default_rng(0).standard_normal(12_000), 24_000)
    train(_config(shards, updates=2, board=True, dev=str(dev), dev_every=2), tmp_path / "run", progress=False)
    events = EventAccumulator(str(tmp_path / "run" / "board"))
    events.Reload()
    tags = events.Tags()
    assert {"mel", "norm/time", "perplexity/0", "dev_mel_3.6"} <= set(tags["scalars"])
    assert "clip 0/decoded" in tags["images"]
    assert "clip 0/decoded" in tags["audio"]


def test_train_writes_state_log_and_model(shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(_config(shards), out, progress=False)
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["update"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert (out / "model" / "model.safetensors").exists()
    with pytest.raises(FileExistsError, match="holds a run already"):
        train(_config(shards), out, progress=False, resume=False)


def test_a_damaged_state_is_one_clear_error(shards: Path, tmp_path: Path) -> None:
    (tmp_path / STATE_NAME).write_bytes(b"no state")
    with pytest.raises(CheckpointError, match="cannot resume"):
        train(_config(shards), tmp_path, progress=False)


def test_learning_rate_rises_holds_and_falls() -> None:
    config = TrainConfig(presets.tiny(), "x", updates=100, warmup_updates=10, cooldown_updates=20, learning_rate=1.0)
    rates = [config.learning_rate_at(i) for i in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:80] == [1.0] * 71
    assert rates[90] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(0.05)


def test_settings_reach_into_the_parts() -> None:
    config = TrainConfig(presets.tiny(), "x").with_settings(
        {"learning_rate": "1", "model.num_filters": "4", "codebooks.decay": "0.5", "gain_db": "[-3.0, 3.0]"}
    )
    assert (config.learning_rate, config.model.num_filters, config.codebooks.decay) == (1.0, 4, 0.5)
    assert config.gain_db == (-3.0, 3.0)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("learning_rat", "1", "no setting 'learning_rat'"),
        ("model.layers", "1", "no setting 'model.layers'"),
        ("batch_size", "many", "batch_size must be a whole number"),
        ("batch_size", "0", "at least 1"),
        ("model.num_filters", "-1", "num_filters"),
        ("adversarial.windows", "(512,128)", "windows must be a list"),
        ("adversarial.windows", "[]", "windows must be a list"),
    ],
)
def test_bad_settings_are_named(key: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig(presets.tiny(), "x").with_settings({key: value})


@pytest.mark.slow
@pytest.mark.timeout(1800)  # the compiler, on one core
def test_compiled_networks_learn_the_same(shards: Path) -> None:
    adversarial = AdversarialTraining(3.0, 3.0, width=2, windows=(256,))
    runs = [Trainer(_config(shards, adversarial=adversarial, compiled=compiled)) for compiled in (False, True)]
    plain, compiled = ([trainer.update() for _ in range(3)] for trainer in runs)
    for a, b in zip(plain, compiled, strict=True):
        assert a == pytest.approx(b, rel=1e-3)
    weights = [torch.cat([p.detach().flatten() for p in trainer.model.parameters()]) for trainer in runs]
    assert float((weights[0] - weights[1]).norm() / weights[0].norm()) < 1e-4


def test_the_discriminator_may_lead(shards: Path) -> None:
    settings = AdversarialTraining(3.0, 3.0, update_probability=1.0, width=2, windows=(128, 64), start=1, lead=2)
    trainer = Trainer(_config(shards, adversarial=settings))
    figures = [trainer.update() for _ in range(4)]
    assert ["discriminator" in f for f in figures] == [False, True, True, True]
    assert ["generator" in f for f in figures] == [False, False, False, True]
    assert ["feature" in f for f in figures] == [False, False, False, True]

"""Whole runs on a toy model: they learn, resume as if unbroken, and refuse what is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from recodec import presets
from recodec.errors import AudioError, CheckpointError, ConfigError
from recodec.training.codebooks import CodebookLearning
from recodec.training.config import TrainConfig
from recodec.training.data import ShardCrops
from recodec.training.loop import STATE_NAME, Trainer, train


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    folder = tmp_path / "shards"
    folder.mkdir()
    time = np.arange(48_000) / 24_000
    rng = np.random.default_rng(0)
    for group, hz in (("speech", 200), ("music", 440)):
        audio = 0.3 * np.sin(2 * np.pi * hz * time) + 0.02 * rng.normal(size=time.size)
        np.save(folder / f"{group}-000.npy", np.round(audio * 32767).astype(np.int16))
    return folder


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
        ("batch_size", "many", "batch_size must be of the kind"),
        ("batch_size", "0", "at least 1"),
        ("model.num_filters", "-1", "num_filters"),
    ],
)
def test_bad_settings_are_named(key: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig(presets.tiny(), "x").with_settings({key: value})


def test_crops_keep_to_group_shares_and_full_scale(shards: Path) -> None:
    crops = ShardCrops(shards, group_weights={"speech": 1.0, "music": 0.0}, crop_samples=2400, seed=1)
    batch = crops.batch(16)
    assert batch.shape == (16, 1, 2400)
    assert float(batch.abs().max()) <= 1.0
    spectrum = torch.fft.rfft(batch[:, 0] * torch.hann_window(2400)).abs()
    assert set(spectrum.argmax(-1).tolist()) == {20}  # 200 Hz, never the 440 Hz of music


def test_crops_without_shards_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="no int16 shards"):
        ShardCrops(tmp_path, group_weights={"speech": 1.0}, crop_samples=100)

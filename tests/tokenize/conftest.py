"""A toy model in a folder, clips of it, and data sets in every form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recodec import presets
from recodec.audio.writer import write_audio
from recodec.codec import ModelChoice
from recodec.codec.codec import Codec
from recodec.tokenize import Report, tokenize
from support.peers import random_model, variant

SEGMENTED = variant(
    presets.tiny(), sampling_rate=8_000, audio_channels=2, normalize=True, chunk_length_s=1.0, overlap=0.015,
    num_filters=4, upsampling_ratios=(2, 2, 2), norm_type="time_group_norm", use_causal_conv=False,
    target_bandwidths=(6.0, 12.0, 24.0),
)  # fmt: skip


def save(config, folder: Path) -> ModelChoice:
    random_model(config).save_pretrained(folder)
    return ModelChoice(str(folder), threads=1)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelChoice:
    """A causal toy model."""
    return save(presets.tiny(), tmp_path_factory.mktemp("models") / "toy")


@pytest.fixture(scope="session")
def segmented(tmp_path_factory: pytest.TempPathFactory) -> ModelChoice:
    """A toy of a model that works in segments, with scales."""
    return save(SEGMENTED, tmp_path_factory.mktemp("models") / "segments")


@pytest.fixture(scope="session")
def codec(model: ModelChoice) -> Codec:
    return Codec.of_choice(model)


def sound(seconds: float, rate: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    """(C, T) tones and noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    tones = np.sin(2 * np.pi * np.array([[220.0], [330.0]])[:channels] * time)
    return (0.3 * tones + 0.1 * rng.standard_normal((channels, time.size))).astype(np.float32)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve files of different lengths, rates and channels, one of them long, in two folders."""
    folder = tmp_path_factory.mktemp("clips")
    (folder / "b").mkdir()
    (folder / "a").mkdir()
    for i in range(12):
        seconds = 3.3 if i == 5 else 0.2 + 0.13 * (7 * i % 12)
        place = folder / "ba"[i % 2] / f"{i:02d}.{('wav', 'flac')[i % 3 == 0]}"
        write_audio(
            place, sound(seconds, (16_000, 24_000, 44_100)[i % 3], 1 + i % 2, i), (16_000, 24_000, 44_100)[i % 3]
        )
    (folder / "notes.txt").write_text("not a clip")
    (folder / ".hidden.wav").write_text("not a clip")
    return folder


@pytest.fixture
def run(model: ModelChoice, tmp_path: Path) -> Callable[..., tuple[Report, Path]]:
    """Tokenize in this process, into a new folder or the one named."""

    def call(source: Path | str, name: str = "out", **options) -> tuple[Report, Path]:
        options = {"model": model, "processes": 0, "shard_clips": 5, "long_s": 3.0, **options}
        return tokenize(source, tmp_path / name, **options), tmp_path / name

    return call


def tree(folder: Path) -> dict[str, bytes]:
    """All files of an output, but for the lock."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != "lock"
    }

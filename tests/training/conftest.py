"""What runs of training begin with: shards of sound, and a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from recodec import presets
from recodec.model.encodec import EncodecModel


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Two seconds of a tone in noise for each of two groups."""
    folder = tmp_path / "shards"
    folder.mkdir()
    time = np.arange(48_000) / 24_000
    rng = np.random.default_rng(0)
    for group, hz in (("speech", 200), ("music", 440)):
        audio = 0.3 * np.sin(2 * np.pi * hz * time) + 0.02 * rng.normal(size=time.size)
        np.save(folder / f"{group}-000.npy", np.round(audio * 32767).astype(np.int16))
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A tiny model whose codebooks have entries that differ."""
    torch.manual_seed(0)
    model = EncodecModel(presets.tiny())
    for book in model.quantizer.codebooks:
        book.embed.normal_(std=0.3)
        book.cluster_size.fill_(10.0)
        book.embed_avg.copy_(10 * book.embed)
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"

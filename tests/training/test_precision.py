"""Mixed precision: codes are those of float32, and "auto" asks the device."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from recodec import presets
from recodec.model.encodec import EncodecModel
from recodec.training import precision
from recodec.training.codebooks import quantize_for_training
from recodec.training.config import TrainConfig
from recodec.training.precision import uses_bf16
from recodec.training.trainer import Trainer
from support import spectral as shapes

CPU = torch.device("cpu")


@pytest.fixture
def config(tmp_path: Path, model: Path) -> TrainConfig:
    samples = (3000 * np.random.default_rng(0).standard_normal(48_000)).astype(np.int16)
    np.save(tmp_path / "music-000.npy", samples)
    return TrainConfig(presets.tiny(), str(tmp_path), start=str(model), decoder="spectral",
                       spectral_model=shapes.config(), batch_size=2, crop_s=0.25, train_encoder=False)  # fmt: skip


def test_codebooks_are_searched_in_float32() -> None:
    torch.manual_seed(0)
    quantizer = EncodecModel(presets.recodec_24khz()).quantizer
    for book in quantizer.codebooks:
        book.embed.normal_()
    latents = torch.randn(2, 128, 40)
    with torch.autocast("cpu", torch.bfloat16):
        _, _, half = quantize_for_training(quantizer, latents, 8)
    _, _, full = quantize_for_training(quantizer, latents, 8)
    for (_, a), (_, b) in zip(half, full, strict=True):
        assert torch.equal(a, b)


def test_a_decoder_that_learns_alone_hears_the_codes_of_float32(config: TrainConfig) -> None:
    full, half = (Trainer(dataclasses.replace(config, precision=name)) for name in ("fp32", "bf16"))
    found = []
    for trainer in (full, half):
        with trainer._autocast():
            found.append(trainer._encode(trainer._next_batch(), 3)[0])
    assert torch.equal(*found)
    figures = half.update()
    assert all(np.isfinite(value) for value in figures.values())
    assert half.spectral is not None
    assert {parameter.dtype for parameter in half.spectral.network.parameters()} == {torch.float32}


@pytest.mark.parametrize("there", [False, True])
def test_auto_asks_the_device(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: there)
    assert uses_bf16("auto", CPU) == there
    assert uses_bf16("bf16", CPU)
    assert not uses_bf16("fp32", CPU)


@pytest.mark.parametrize(
    ("known", "expected"), [({}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True)]
)
def test_a_processor_is_known_by_its_instructions(
    monkeypatch: pytest.MonkeyPatch, known: dict[str, bool], expected: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known, raising=False)
    assert precision.has_bf16(CPU) == expected

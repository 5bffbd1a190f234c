"""The spectral decoder on ONNX Runtime equals torch's, whole, in pieces and exported."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings

from recodec.onnx_engine.engine import OnnxEngine
from recodec.onnx_engine.export import export_tensors
from recodec.onnx_engine.spectral_decoder import OnnxSpectralDecoder
from recodec.onnx_engine.spectral_weights import spectral_weights
from support import onnx_support as support
from support import peers, spectral
from support.spectral import HOP, SHAPES

FRAMES = 30


@cache
def _decoder(shape: str, int8: bool = False) -> OnnxSpectralDecoder:
    tensors = spectral.tensors(spectral.decoder(SHAPES[shape]))
    if not int8:
        return support.onnx_engine("reflect").spectral_decoder(SHAPES[shape], tensors)
    model = support.torch_model("reflect")
    engine = OnnxEngine(model.config, peers.to_arrays(model.state_dict()), int8=True)
    return engine.spectral_decoder(SHAPES[shape], tensors)


def _codes(books: int, frames: int = FRAMES, batch: int = 2) -> np.ndarray:
    model = spectral.MODEL
    return np.random.default_rng(books).integers(0, model.codebook_size, (batch, books, frames))


@torch.no_grad()
def _torch_audio(shape: str, codes: np.ndarray) -> np.ndarray:
    latents = support.torch_model("reflect").quantizer.dequantize(torch.from_numpy(codes))
    network, books = spectral.decoder(SHAPES[shape]), codes.shape[1]
    return network(latents, SHAPES[shape].condition(books)).numpy()


@pytest.mark.parametrize("books", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_equals_torch(shape: str, books: int) -> None:
    for frames in (1, 2, FRAMES):
        codes = _codes(books, frames)
        np.testing.assert_allclose(
            _decoder(shape).decode_segment(codes, None), _torch_audio(shape, codes), rtol=0, atol=1e-5
        )


@pytest.mark.parametrize("shape", SHAPES)
@given(cuts=st.lists(st.integers(0, 12), max_size=10))
@settings(deadline=None, max_examples=20)
def test_pieces_equal_the_whole(shape: str, cuts: list[int]) -> None:
    decoder, codes = _decoder(shape), _codes(2)
    state, pieces, begin = decoder.decoder_state(2), [], 0
    for size in cuts:
        y, state = decoder.decode_step(codes[..., begin : begin + size], state, last=False)
        pieces.append(y)
        begin += size
    pieces.append(decoder.decode_step(codes[..., begin:], state, last=True)[0])
    whole = decoder.decode_segment(codes, None)
    assert whole.shape == (2, 1, FRAMES * HOP)
    np.testing.assert_allclose(np.concatenate(pieces, axis=-1), whole, rtol=0, atol=1e-5)


def _snr_db(x: np.ndarray, y: np.ndarray) -> float:
    return 10 * float(np.log10(np.square(x, dtype=np.float64).sum() / np.square(x - y, dtype=np.float64).sum()))


@pytest.mark.parametrize("shape", SHAPES)
def test_with_integers_of_8_bits_it_is_little_else(shape: str) -> None:
    codes = _codes(2)
    exact = _decoder(shape).decode_segment(codes, None)
    assert 30 < _snr_db(exact, _decoder(shape, int8=True).decode_segment(codes, None)) < 80


@pytest.mark.parametrize("shape", SHAPES)
def test_with_integers_a_frame_does_not_depend_on_its_neighbours_scale(shape: str) -> None:
    """Pieces and batches give what a single recording gives, but for what rounds the other way."""
    decoder, codes = _decoder(shape, int8=True), _codes(2)
    whole = decoder.decode_segment(codes, None)
    first, state = decoder.decode_step(codes[..., :9], decoder.decoder_state(2), last=False)
    rest, _ = decoder.decode_step(codes[..., 9:], state, last=True)
    # One integer that rounds the other way would be some 45 dB below; scales of another frame, 20 dB.
    alone = decoder.decode_segment(codes[1:], None)
    assert np.array_equal(alone, whole[1:]) or _snr_db(whole[1:], alone) > 40
    pieces = np.concatenate([first, rest], -1)
    assert np.array_equal(pieces, whole) or _snr_db(whole, pieces) > 40


def test_integers_are_those_of_the_weights_and_never_add_up_beyond_16_bits() -> None:
    config = SHAPES["causal blocks"]
    tensors = spectral.tensors(spectral.decoder(config))
    exact, rounded = spectral_weights(config, tensors), spectral_weights(config, tensors, int8=True)
    products = [name for name, weight in rounded.items() if weight.dtype == np.int8]
    assert len(products) == 2 * config.num_layers
    for name in products:
        weight, scale = rounded[name], rounded[name.replace("weight", "scale")]
        assert 2 * 255 * int(np.abs(weight.astype(int)).max()) < 1 << 15
        np.testing.assert_allclose(weight * scale, exact[name], rtol=0, atol=0.5001 * float(scale.max()))


def test_silence_stays_silence_with_integers() -> None:
    config = SHAPES["causal blocks"]
    zeros = {name: np.zeros_like(tensor) for name, tensor in spectral.tensors(spectral.decoder(config)).items()}
    model = support.torch_model("reflect")
    engine = OnnxEngine(model.config, peers.to_arrays(model.state_dict()), int8=True)
    audio = engine.spectral_decoder(config, zeros).decode_segment(_codes(2), None)
    exact = support.onnx_engine("reflect").spectral_decoder(config, zeros).decode_segment(_codes(2), None)
    np.testing.assert_allclose(audio, exact, rtol=0, atol=1e-6)


def test_the_number_of_codebooks_may_change_before_the_first_samples() -> None:
    decoder = _decoder("causal blocks")
    one, two = _codes(1, 2), _codes(2, FRAMES - 2)
    state = decoder.decoder_state(2)
    first, state = decoder.decode_step(one, state, last=False)
    rest, _ = decoder.decode_step(two, state, last=True)
    assert first.shape[-1] + rest.shape[-1] == FRAMES * HOP


def test_streams_of_a_batch_are_taken_apart() -> None:
    decoder, codes = _decoder("causal blocks"), _codes(2)
    first, state = decoder.decode_step(codes[..., :20], decoder.decoder_state(2), last=False)
    rest, _ = decoder.decode_step(codes[1:, :, 20:], decoder.select_streams(state, [1]), last=True)
    whole = decoder.decode_segment(codes[1:], None)
    np.testing.assert_allclose(np.concatenate([first[1:], rest], -1), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize("shape", ["causal blocks", "adapted"])
def test_exported_files_decode_a_stream(shape: str, int8: bool, tmp_path: Path) -> None:
    model, network = support.torch_model("reflect"), spectral.decoder(SHAPES[shape])
    second = SHAPES[shape], spectral.tensors(network)
    files = export_tensors(model.config, peers.to_arrays(model.state_dict()), tmp_path, spectral=second, int8=int8)
    assert "spectral_start.onnx" in (tmp_path / "README.md").read_text()
    assert {"spectral.onnx", "spectral_start.onnx", "spectral_end.onnx"} <= {path.name for path in files}
    codes, states, pieces = _codes(2, batch=1), {}, []
    for end, begin, stop in (("_start", 0, 12), ("", 12, 13), ("", 13, 20), ("_end", 20, FRAMES)):
        session = ort.InferenceSession(tmp_path / f"spectral{end}.onnx")
        names = [value.name for value in session.get_outputs()]
        found = session.run(names, {"codes": codes[..., begin:stop], **states})
        states = {name.removesuffix(".next"): y for name, y in zip(names, found, strict=True) if name != "audio"}
        pieces.append(found[names.index("audio")])
    whole = _decoder(shape, int8).decode_segment(codes, None)
    if int8:
        assert np.array_equal(np.concatenate(pieces, -1), whole) or _snr_db(whole, np.concatenate(pieces, -1)) > 40
    else:
        np.testing.assert_allclose(np.concatenate(pieces, axis=-1), whole, rtol=0, atol=1e-5)

"""The ONNX engine against the torch model and against `transformers`, and streams against wholes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec import presets
from recodec.audio import read_audio
from recodec.config import EncodecConfig
from recodec.errors import ConfigError
from recodec.model.encodec import EncodecModel
from recodec.onnx_engine import OnnxEngine
from support import onnx_support as support
from support import peers

PARTITIONED = 1e-6
ENGINES = 1e-5

few = settings(deadline=None, derandomize=True, max_examples=12)
cuts = st.lists(st.integers(0, 400), max_size=8)
causal = pytest.mark.parametrize("name", support.CAUSAL)


# ---- against torch -------------------------------------------------------------------------


@causal
def test_segments_are_those_of_torch(name: str) -> None:
    check_segments(support.onnx_engine(name), support.torch_model(name), [1, 2, 7, 20, 21, 99, 1000])


@pytest.mark.parametrize("name", support.NON_CAUSAL)
def test_segments_of_non_causal_models_are_those_of_torch(name: str) -> None:
    name = f"non-causal {name}"
    check_segments(support.onnx_engine(name), support.torch_model(name), [1, 2, 7, 20, 21, 99, 1000, 3000])


@pytest.mark.parametrize(
    "config",
    [presets.encodec_24khz(), presets.encodec_48khz(), peers.variant(presets.encodec_32khz(), num_filters=16)],
    ids=["24 kHz", "48 kHz", "32 kHz, fewer filters"],
)
def test_segments_of_the_released_geometries_are_those_of_torch(config: EncodecConfig) -> None:
    model = peers.random_model(config)
    check_segments(support.engine_of(model), model, [1, 9000])


def check_segments(engine: OnnxEngine, model: EncodecModel, lengths: list[int]) -> None:
    config = engine.config
    for length in lengths:
        x = support.audio(config, length, batch=2, seed=length)
        latents, codes, scales = support.torch_encode(model, x)
        actual, actual_scales = engine.encode_segment(x, config.num_quantizers)
        support.assert_codes_fit(model, latents, actual, codes)
        if scales is None:
            assert actual_scales is None
        else:
            assert actual_scales is not None
            support.assert_near(actual_scales, scales, ENGINES)
        support.assert_near(
            engine.decode_segment(codes, actual_scales), support.torch_decode(model, codes, scales), ENGINES
        )


@causal
@torch.no_grad()
def test_each_push_gives_what_torch_gives(name: str) -> None:
    """As many frames, as early."""
    engine, model = support.onnx_engine(name), support.torch_model(name)
    x = support.audio(engine.config, 40 * engine.config.hop_length + 3, batch=2)
    parts = support.pieces(x, [0, 1, 60, 61, 100, 100, 600, 3000])
    state, torch_state = engine.encoder_state(2), model.encoder.init_state(2)
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        codes, state = engine.encode_step(part, state, last=last, num_quantizers=3)
        latents, torch_state = model.encoder.step(torch.from_numpy(part), torch_state, last=last)
        support.assert_codes_fit(model, latents.numpy(), codes, model.quantizer.quantize(latents, 3).numpy())


@pytest.mark.parametrize("name", ["reflect", "constant"])
def test_streams_are_what_transformers_makes_of_the_whole(name: str) -> None:
    config = support.CAUSAL[name]
    peer = peers.hf_model(config)
    engine = OnnxEngine(config, peers.to_arrays(peers.ours(peer, config).state_dict()), threads=1)
    x = peers.noise(config, 20 * config.hop_length + 77)
    with torch.no_grad():
        codes = peer.encode(x, bandwidth=config.target_bandwidths[-1]).audio_codes[0]
        expected = peer.decode(codes[None], [None])[0].numpy()
    actual = support.encode_stream(engine, support.pieces(x.numpy(), [1, 500, 3000, 3001]))
    assert (actual == codes.numpy()).mean() >= 0.999
    support.assert_near(support.decode_stream(engine, support.pieces(codes.numpy(), [1, 5, 12])), expected, ENGINES)


# ---- the three levels of exactness ---------------------------------------------------------


@causal
def test_one_push_is_the_whole_bit_for_bit(name: str) -> None:
    engine = support.onnx_engine(name)
    for length in (1, 5, 40, 400, 2000):
        x = support.audio(engine.config, length, batch=2)
        codes = engine.encode_segment(x, engine.config.num_quantizers)[0]
        np.testing.assert_array_equal(support.encode_stream(engine, [x]), codes)
        decoded = engine.decode_segment(codes, None)
        np.testing.assert_array_equal(support.decode_stream(engine, [codes]), decoded)


@causal
@few
@given(length=st.integers(1, 400), cuts=cuts)
def test_any_partition_gives_the_codes_of_the_whole(name: str, length: int, cuts: list[int]) -> None:
    engine, model = support.onnx_engine(name), support.torch_model(name)
    x = support.audio(engine.config, length, batch=2, seed=length)
    latents, codes, _ = support.torch_encode(model, x)
    actual = support.encode_stream(engine, support.pieces(x, cuts))
    support.assert_codes_fit(model, latents, actual, codes)


@causal
@few
@given(frames=st.integers(1, 40), cuts=st.lists(st.integers(0, 40), max_size=8))
def test_any_partition_gives_the_audio_of_the_whole(name: str, frames: int, cuts: list[int]) -> None:
    engine = support.onnx_engine(name)
    codes = support.codes(engine.config, frames, batch=2, seed=frames)
    actual = support.decode_stream(engine, support.pieces(codes, cuts))
    support.assert_near(actual, engine.decode_segment(codes, None), PARTITIONED)


@pytest.mark.parametrize("name", ["reflect", "constant"])
@few
@given(frames=st.integers(1, 20), extra=st.integers(0, 319), cuts=st.lists(st.integers(0, 7000), max_size=6))
def test_the_real_hop_in_any_partition(name: str, frames: int, extra: int, cuts: list[int]) -> None:
    engine, model = support.onnx_engine(name), support.torch_model(name)
    x = support.audio(engine.config, frames * 320 - extra, seed=frames)
    latents, codes, _ = support.torch_encode(model, x)
    support.assert_codes_fit(model, latents, support.encode_stream(engine, support.pieces(x, cuts)), codes)


@causal
@few
@given(length=st.integers(1, 400), grid=st.integers(1, 5))
def test_on_a_grid_the_bits_do_not_depend_on_what_lies_between(name: str, length: int, grid: int) -> None:
    """What a stream gives for the same blocks is the same, whether or not empty pushes came between them."""
    engine = support.onnx_engine(name)
    blocks = support.pieces(support.audio(engine.config, length), range(0, length, grid * engine.config.hop_length))
    codes = support.encode_stream(engine, blocks)
    np.testing.assert_array_equal(support.encode_stream(engine, with_empty(blocks)), codes)
    frames = support.pieces(codes, range(0, codes.shape[-1], grid))
    decoded = support.decode_stream(engine, frames)
    np.testing.assert_array_equal(support.decode_stream(engine, with_empty(frames)), decoded)


def with_empty(blocks: list[np.ndarray]) -> list[np.ndarray]:
    return [part for block in blocks for part in (block, block[..., :0])]


# ---- long pushes in parts ------------------------------------------------------------------


@causal
@few
@given(length=st.integers(1, 1200), batch=st.integers(1, 3), cut=st.integers(0, 1200))
def test_long_pushes_in_parts_are_as_good_as_whole_ones(name: str, length: int, batch: int, cut: int) -> None:
    """A push of many frames is cut into parts, of the fewest frames here."""
    engine = support.onnx_engine(name)
    parted = with_parts(1, lambda: support.engine_of(support.torch_model(name)))
    x = support.audio(engine.config, length, batch=batch)
    expected = support.encode_stream(engine, [x])
    actual = support.encode_stream(parted, support.pieces(x, [cut]))
    assert actual.shape == expected.shape
    assert np.mean(actual == expected) > 0.99
    codes = support.codes(engine.config, expected.shape[-1], batch=batch)
    frames = support.pieces(codes, [cut // engine.config.hop_length])
    support.assert_near(support.decode_stream(parted, frames), support.decode_stream(engine, [codes]), PARTITIONED)


def test_the_default_model_gives_the_same_bits_in_parts_of_any_size() -> None:
    audio, _ = read_audio(Path(__file__).parents[2] / "examples" / "speech.wav", rate_hz=24_000, channels=1)
    audio = audio[None, :, : 24_000 * 3 + 77]
    found = []
    for widest in (1 << 18, 1 << 19, 1 << 30):
        engine = with_parts(widest, lambda: OnnxEngine.from_pretrained(threads=1))
        codes, _ = engine.encode_step(audio, engine.encoder_state(1), last=True, num_quantizers=16)
        back, _ = engine.decode_step(codes, engine.decoder_state(1), last=True)
        found.append((codes, back))
    for codes, back in found[1:]:
        np.testing.assert_array_equal(codes, found[0][0])
        np.testing.assert_array_equal(back, found[0][1])


def with_parts(widest_bytes: int, make: Callable[[], OnnxEngine]) -> OnnxEngine:
    """An engine whose parts of a push have arrays of up to that size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recodec.onnx_engine.engine._WIDEST_ARRAY_BYTES", widest_bytes)
        return make()


# ---- state as a value ----------------------------------------------------------------------


@causal
def test_a_state_can_be_gone_back_to(name: str) -> None:
    engine = support.onnx_engine(name)
    codes = support.codes(engine.config, 30)
    _, state = engine.decode_step(codes[..., :15], engine.decoder_state(1), last=False)
    first, _ = engine.decode_step(codes[..., 15:], state, last=True)
    engine.decode_step(codes[..., 5:9], state, last=False)
    again, _ = engine.decode_step(codes[..., 15:], state, last=True)
    np.testing.assert_array_equal(first, again)


@causal
def test_a_state_holds_no_array_of_the_caller(name: str) -> None:
    engine = support.onnx_engine(name)
    codes, buffer = support.codes(engine.config, 12), support.codes(engine.config, 1)
    state, parts = engine.decoder_state(1), []
    for frame in range(12):
        buffer[...] = codes[..., frame : frame + 1]
        audio, state = engine.decode_step(buffer, state, last=frame == 11)
        parts.append(audio)
    support.assert_near(np.concatenate(parts, -1), engine.decode_segment(codes, None), PARTITIONED)


@causal
@pytest.mark.parametrize("before", [5, 123])  # before the first output of a mirrored start, and behind it
def test_streams_of_a_batch_can_part_and_meet(name: str, before: int) -> None:
    engine = support.onnx_engine(name)
    x = support.audio(engine.config, 400, batch=3)

    def encode(rows: slice | list[int], parts: list[np.ndarray]) -> np.ndarray:
        return support.encode_stream(engine, [part[rows] for part in parts])

    parts = support.pieces(x, [before])
    expected = encode(slice(None), parts)
    start, state = engine.encode_step(parts[0], engine.encoder_state(3), last=False, num_quantizers=8)
    swapped = engine.select_streams(state, [2, 0])
    end, _ = engine.encode_step(parts[1][[2, 0]], swapped, last=True, num_quantizers=8)
    np.testing.assert_array_equal(np.concatenate([start[[2, 0]], end], -1), expected[[2, 0]])
    rows = [engine.select_streams(state, [row]) for row in range(3)]
    end, _ = engine.encode_step(parts[1], engine.stack_streams(rows), last=True, num_quantizers=8)
    np.testing.assert_array_equal(np.concatenate([start, end], -1), expected)


def test_streams_that_are_not_equally_far_do_not_stack() -> None:
    engine = support.onnx_engine("reflect")
    fresh = engine.decoder_state(1)
    _, begun = engine.decode_step(support.codes(engine.config, 9), fresh, last=False)
    _, waiting = engine.decode_step(support.codes(engine.config, 2), fresh, last=False)
    for pair in ([fresh, begun], [fresh, waiting]):
        with pytest.raises(ConfigError, match="equally far"):
            engine.stack_streams(pair)


# ---- the rest ------------------------------------------------------------------------------


def test_fewer_codebooks_are_the_first_of_all() -> None:
    engine = support.onnx_engine("reflect")
    x = support.audio(engine.config, 5000)
    codes = engine.encode_segment(x, 8)[0]
    np.testing.assert_array_equal(engine.encode_segment(x, 2)[0], codes[:, :2])


def test_the_number_of_codebooks_may_change_in_a_stream_that_has_begun() -> None:
    engine, model = support.onnx_engine("reflect"), support.torch_model("reflect")
    codes = support.codes(engine.config, 20)
    parts = [codes[..., :9], codes[:, :2, 9:15], codes[..., 15:]]
    latents = torch.cat([model.quantizer.dequantize(torch.from_numpy(part)) for part in parts], -1)
    with torch.no_grad():
        expected = model.decoder(latents).numpy()
    support.assert_near(support.decode_stream(engine, parts), expected, ENGINES)
    with pytest.raises(ConfigError, match="codebooks"):
        support.decode_stream(engine, [codes[..., :3], codes[:, :2, 3:]])


@pytest.mark.parametrize(
    "config",
    [support.NON_CAUSAL["weight norm"], peers.variant(support.TINY, normalize=True),
     peers.variant(support.TINY, chunk_length_s=1.0)],
    ids=["not causal", "normalizes", "has segments"],
)  # fmt: skip
def test_a_model_of_whole_segments_has_no_streams(config: EncodecConfig) -> None:
    engine = support.engine_of(peers.random_model(config))
    for begin in (engine.encoder_state, engine.decoder_state):
        with pytest.raises(ConfigError, match="whole segments only"):
            begin(1)


def test_cuda_without_a_device_is_refused_and_auto_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CUDAExecutionProvider"])
    model, x = support.torch_model("reflect"), support.audio(support.TINY, 700)
    tensors = peers.to_arrays(model.state_dict())
    with pytest.raises(ConfigError, match="no CUDA device"), pytest.warns(UserWarning, match="CUDA"):
        OnnxEngine(model.config, tensors, device="cuda").encode_segment(x, 2)
    with pytest.warns(UserWarning, match="CUDA"):
        assert OnnxEngine(model.config, tensors, device="auto").encode_segment(x, 2)[0].shape == (1, 2, 3)


@pytest.mark.parametrize(
    ("bad", "message"), [({"threads": 0}, "threads"), ({"device": "tpu"}, "device"), ({"device": "cuda"}, "no CUDA")]
)
def test_settings_that_cannot_be_had_are_refused(
    bad: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    model = support.torch_model("reflect")
    with pytest.raises(ConfigError, match=message):
        OnnxEngine(model.config, peers.to_arrays(model.state_dict()), **bad)


def test_a_saved_model_runs_without_torch_and_from_the_cache_without_onnx(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECODEC_CACHE", str(tmp_path / "cache"))
    model = support.torch_model("reflect")
    model.save_pretrained(tmp_path)
    script = f"""
import sys, numpy as np
from recodec.onnx_engine import OnnxEngine
engine = OnnxEngine.from_pretrained({str(tmp_path)!r}, name="mine", threads=1, device="auto")
codes, _ = engine.encode_segment(np.zeros((1, 1, 640), np.float32), 2)
audio, _ = engine.decode_step(codes, engine.decoder_state(1), last=True)
print(engine.name, engine.fingerprint, audio.shape, "torch" in sys.modules, "onnx" in sys.modules)
"""
    runs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120).stdout
        for _ in range(2)
    ]
    expected = f"mine {model.fingerprint()} (1, 1, 640) False"
    assert [run.strip() for run in runs] == [f"{expected} True", f"{expected} False"]

"""The compiled kernel: the same numbers as NumPy, and NumPy in its place where it is not there or not right."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.errors import ConfigError, RecodecError
from recodec.hub import DEFAULT_FOLDER
from recodec.lm import native_library, native_probe
from recodec.lm.coder import Kernel, LanguageModel
from recodec.lm.config import CodeLMConfig
from recodec.lm.native.build import LIBRARY
from recodec.lm.native_library import ENVIRONMENT
from recodec.lm.native_library import native_library as find_library
from recodec.lm.native_probe import hashed
from recodec.lm.network import ExactLM
from recodec.lm.numpy_kernel import NumpyKernel
from recodec.lm.weights import read_lm
from support.kernels import KERNELS, LEVELS, make_kernel, native_kernel
from support.tiny_lm import TINY, tiny_tensors

checked = settings(deadline=None, max_examples=30, derandomize=True)
built = pytest.mark.skipif(not LEVELS, reason="installed without a compiled kernel")
OTHER_FORMS = [
    {"conditioned": False},
    {"head_width": 0},
    {"context_s": 0.0},
    {"num_heads": 1, "width": 35, "head_width": 33},
    {"num_heads": 1, "width": 50, "feed_forward": 1},
    {"num_heads": 24},
    {"codebook_size": 2},
    {"codebook_size": 1030, "num_codebooks": 1},
    {"codebook_size": 4096, "num_codebooks": 1},
    {"context_s": 1.2, "num_layers": 1},
]


@pytest.fixture(autouse=True)
def _forget_the_library():
    """What was found, and what was said of it, belongs to one test."""
    native_library._best.cache_clear()
    yield
    native_library._best.cache_clear()


def all_numbers(kernel: Kernel, codes: np.ndarray) -> list[np.ndarray]:
    packets, num_codebooks, frames = codes.shape
    scores = np.empty((packets, frames, num_codebooks, kernel.config.codebook_size), np.float32)
    return [*kernel.intervals(codes, scores), scores]


@pytest.mark.parametrize("name", KERNELS)
def test_the_probe_never_changes(name: str) -> None:
    """What a kernel is compared with before it is used; NumPy says what it should be."""
    assert (
        native_probe.digest(make_kernel(name, native_probe.CONFIG, native_probe.toy_tensors())) == native_probe.DIGEST
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("change", OTHER_FORMS, ids=str)
def test_all_forms_have_the_same_numbers(level: str, change: dict[str, float]) -> None:
    config = CodeLMConfig.from_dict({**TINY.to_dict(), **change})
    tensors = tiny_tensors(config)
    codes = hashed(3, (3, config.num_codebooks, 100), 10**6) % config.codebook_size
    ours, theirs = native_kernel(level, config, tensors), NumpyKernel(ExactLM(config, tensors))
    for a, b in zip(all_numbers(ours, codes), all_numbers(theirs, codes), strict=True):
        assert np.array_equal(a, b)
    payloads = theirs.encode(codes)
    assert ours.encode(codes) == payloads
    assert np.array_equal(ours.decode(payloads, config.num_codebooks, [100] * 3), codes)


@pytest.mark.parametrize("level", LEVELS)
def test_the_shipped_weights_have_the_same_numbers(level: str) -> None:
    config, tensors = read_lm(DEFAULT_FOLDER)
    codes = hashed(4, (1, 16, 30), 10**6) % config.codebook_size
    ours, theirs = native_kernel(level, config, tensors), NumpyKernel(ExactLM(config, tensors))
    for a, b in zip(all_numbers(ours, codes), all_numbers(theirs, codes), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("level", LEVELS)
def test_a_past_that_ends_is_moved(level: str) -> None:
    """Longer than the cache, in blocks of frames and frame by frame, several calls each."""
    codes = hashed(5, (1, 2, 1300), 10**6) % TINY.codebook_size
    ours, theirs = native_kernel(level, TINY, tiny_tensors()), NumpyKernel(ExactLM(TINY, tiny_tensors()))
    payloads = theirs.encode(codes)
    assert ours.encode(codes) == payloads
    assert np.array_equal(ours.decode(payloads, 2, [1300]), codes)


@pytest.mark.parametrize("level", LEVELS)
@checked
@given(payloads=st.lists(st.binary(max_size=80), min_size=1, max_size=9), frames=st.integers(1, 40))
def test_any_bytes_decode_to_the_same_codes(level: str, payloads: list[bytes], frames: int) -> None:
    lengths = sorted((max(1, frames * (i + 1) // len(payloads)) for i in range(len(payloads))), reverse=True)
    ours, theirs = native_kernel(level, TINY, tiny_tensors()), NumpyKernel(ExactLM(TINY, tiny_tensors()))
    assert np.array_equal(ours.decode(payloads, 4, lengths), theirs.decode(payloads, 4, lengths))


@pytest.mark.parametrize("level", LEVELS)
def test_the_most_unlikely_bytes_decode_alike(level: str) -> None:
    """A payload beyond all symbols of a table: alone, where NumPy counts in Python's integers, and in company."""
    ours, theirs = native_kernel(level, TINY, tiny_tensors()), NumpyKernel(ExactLM(TINY, tiny_tensors()))
    worst = [b"\xff" * 300, b"\xff" * 300]
    together = theirs.decode(worst, 4, [60, 60])
    assert np.array_equal(together[0], theirs.decode(worst[:1], 4, [60])[0])
    assert np.array_equal(ours.decode(worst, 4, [60, 60]), together)


@built
def test_arguments_that_do_not_fit_are_refused() -> None:
    kernel = native_kernel(LEVELS[0], TINY, tiny_tensors())
    with pytest.raises(RecodecError, match="refuses its arguments"):
        kernel.intervals(np.full((1, 2, 3), TINY.codebook_size))
    with pytest.raises(RecodecError, match="refuses its arguments"):
        kernel.intervals(np.full((1, 2, 3), -1))
    with pytest.raises(RecodecError, match="refuses its arguments"):
        kernel.decode([b""], 5, [3])
    state = kernel._start(2, 3)
    out = np.zeros((2, 4, 2), np.int32)
    addresses = kernel._model.ctypes.data, state.ctypes.data
    assert kernel._call("decode", *addresses, 2, 2, 4, out.ctypes.data) == 3  # more frames than were announced
    assert kernel._call("decode", *addresses, 3, 2, 1, out.ctypes.data) == 3  # more streams
    assert kernel._call("decode", *addresses, 2, 2, 3, out.ctypes.data) == 0
    assert kernel._call("decode", *addresses, 2, 2, 1, out.ctypes.data) == 3
    assert kernel._call("payload", state.ctypes.data, 2, out.ctypes.data, 1) == 3
    assert kernel._call("state_bytes", addresses[0], 65, 3) == 0
    zeros = np.zeros(2, np.int32)
    assert kernel._call("range_encode", zeros.ctypes.data, zeros.ctypes.data, 2, out.ctypes.data) == -1


@built
def test_sizes_beyond_all_limits_are_refused() -> None:
    kernel = native_kernel(LEVELS[0], TINY, tiny_tensors())
    sizes = np.array([4, 64, 24, 2, 4, 48, 15, 16, 1], np.int32)
    assert kernel._call("model_bytes", sizes.ctypes.data) == kernel._model.size
    for position, value in [
        (0, 33),
        (1, 4097),
        (2, 2052),
        (3, 65537),
        (4, 5),
        (5, 0),
        (6, 1024),
        (7, -1),
        (7, 1 << 30),
    ]:
        bad = sizes.copy()
        bad[position] = value
        assert kernel._call("model_bytes", bad.ctypes.data) == 0


def test_numpy_does_the_work_where_it_is_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "0")
    assert LanguageModel.of(TINY, tiny_tensors()).kernel_name == "NumPy"


def test_numpy_does_the_work_where_nothing_was_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setattr(native_library, "_FOLDER", tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert LanguageModel.of(TINY, tiny_tensors()).kernel_name == "NumPy"
    monkeypatch.setenv(ENVIRONMENT, "avx2")
    with pytest.raises(ConfigError, match="installed without a compiled kernel"):
        find_library()


@built
@pytest.mark.parametrize("level", LEVELS)
def test_a_level_may_be_asked_for(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, level)
    assert LanguageModel.of(TINY, tiny_tensors()).kernel_name == f"compiled C ({level})"


@built
def test_a_level_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "mmx")
    with pytest.raises(ConfigError, match=r"RECODEC_NATIVE must be 0 or one of .*, not 'mmx'"):
        find_library()


@built
def test_a_kernel_that_counts_wrongly_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setattr(native_probe, "DIGEST", "0" * 64)
    with pytest.warns(RuntimeWarning, match=f"counts wrongly on this machine \\({LEVELS[0]}\\)"):
        assert find_library() is None
    monkeypatch.setenv(ENVIRONMENT, LEVELS[0])
    with pytest.raises(ConfigError, match="counts wrongly"):
        find_library()


@built
def test_one_level_that_counts_wrongly_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setattr(native_library, "probe", lambda library: library.level != LEVELS[0])
    with pytest.warns(RuntimeWarning, match="counts wrongly"):
        library = find_library()
    assert (None if library is None else library.level) == (LEVELS[1] if len(LEVELS) > 1 else None)


@pytest.mark.parametrize("data", [b"", b"nonsense" * 100])
def test_a_library_that_is_damaged_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setattr(native_library, "_FOLDER", tmp_path)
    (tmp_path / LIBRARY).write_bytes(data)
    with pytest.warns(RuntimeWarning, match="cannot be loaded"):
        assert find_library() is None

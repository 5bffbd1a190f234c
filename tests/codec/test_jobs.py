"""One recording coded by several threads: the same bytes, the same samples, the same errors."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.codec import Codec
from recodec.codec.batches import encode_batched
from recodec.codec.blocks import Block
from recodec.codec.container import open_reader, open_writer
from recodec.codec.ecdc_file import EcdcWriter
from recodec.config import EncodecConfig
from recodec.errors import AudioError, BitstreamError, ConfigError, CorruptError
from support.codecs import CONFIGS, music
from support.streams import ToyCoder

KINDS = tuple(CONFIGS)
JOBS = (2, 3)
SHORT_S = 0.04  # a packet of 3 frames


class UnevenCoder(ToyCoder):
    """Every third call waits for a moment until another has ended, so that later packets are ready first."""

    def __init__(self, code_bits: int) -> None:
        super().__init__(code_bits)
        self._turn, self._ended = 0, threading.Event()

    def encode(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        self._wait()
        payloads = super().encode(codes)
        self._ended.set()
        return payloads

    def decode(self, payloads: Sequence[bytes], shapes: Sequence[tuple[int, int]]) -> list[np.ndarray]:
        self._wait()
        codes = super().decode(payloads, shapes)
        self._ended.set()
        return codes

    def _wait(self) -> None:
        self._turn += 1
        if self._turn % 3 == 1:
            self._ended.clear()
            self._ended.wait(0.004)


def many_packets(config: EncodecConfig) -> np.ndarray:
    """Audio for some 30 packets of `SHORT_S`, or segments."""
    return music(config, 30 * (config.chunk_length or 3 * config.hop_length) - 17)


def coder_of(engine: Any) -> UnevenCoder:
    return UnevenCoder(engine.config.codebook_nbits)


def written(engine: Any, audio: np.ndarray, sizes: Sequence[int] = (), **options: Any) -> bytes:
    """A file of audio that is pushed in pieces, from one array that is written over again and again."""
    file, buffer = io.BytesIO(), np.empty_like(audio)
    with open_writer(file, engine, 2, **options) as writer:
        for piece in np.split(audio, np.cumsum(np.array(sizes, int)), axis=1):
            held = buffer[:, : piece.shape[1]]
            held[:] = piece
            writer.push(held)
            held[:] = 0
    return file.getvalue()


def heard(engine: Any, data: bytes, *, tolerant: bool = False, **options: Any) -> tuple[np.ndarray, int]:
    """The audio of a file, and how many of its samples were lost."""
    reader = open_reader(io.BytesIO(data), tolerant=tolerant)
    audio = np.concatenate(list(reader.pieces(engine, **options)), axis=1)
    return audio, reader.lost_samples


@pytest.mark.parametrize("kind", KINDS)
@given(
    length=st.integers(1, 12000), sizes=st.lists(st.integers(0, 900), max_size=5), coded=st.booleans(),
    version=st.sampled_from([0, 1, 1, 1]), packet_s=st.sampled_from([0.01, 0.04, 2.0]), start=st.integers(0, 6000),
)  # fmt: skip
@settings(deadline=None, max_examples=10, derandomize=True)
def test_bytes_and_samples_are_those_of_one_thread(
    engines: dict[str, Any], kind: str, length: int, sizes: list[int], coded: bool, version: int, packet_s: float,
    start: int,
) -> None:  # fmt: skip
    engine = engines[kind]
    audio = music(engine.config, length)
    start %= length
    options: dict[str, Any] = {"lm": coder_of(engine) if coded and version else None}
    data = written(engine, audio, version=version, packet_s=packet_s, **options)
    back, _ = heard(engine, data, start=start, **options)
    for jobs in JOBS:
        assert written(engine, audio, sizes, version=version, packet_s=packet_s, jobs=jobs, **options) == data
        assert np.array_equal(heard(engine, data, start=start, jobs=jobs, **options)[0], back)


@pytest.mark.parametrize("kind", ["constant", "segments"])
@given(seed=st.integers(0, 999), wounds=st.integers(1, 3))
@settings(deadline=None, max_examples=6, derandomize=True)
def test_damage_is_answered_as_by_one_thread(engines: dict[str, Any], kind: str, seed: int, wounds: int) -> None:
    engine, rng = engines[kind], np.random.default_rng(seed)
    lm = coder_of(engine)
    data = bytearray(written(engine, many_packets(engine.config), packet_s=SHORT_S, lm=lm))
    for place in rng.integers(len(data) // 4, len(data), wounds):
        data[place] ^= 1 << rng.integers(8)
    expected, lost = heard(engine, bytes(data), tolerant=True, lm=lm)
    for jobs in JOBS:
        audio, count = heard(engine, bytes(data), tolerant=True, lm=lm, jobs=jobs)
        assert np.array_equal(audio, expected)
        assert count == lost
        before, message = until_error(engine, bytes(data), lm=lm)
        again, same = until_error(engine, bytes(data), lm=lm, jobs=jobs)
        assert same == message
        assert np.array_equal(again, before)


def until_error(engine: Any, data: bytes, **options: Any) -> tuple[np.ndarray, str]:
    """What a file gives before the error, and the error."""
    parts = [np.zeros((engine.config.audio_channels, 0), np.float32)]
    try:
        parts.extend(open_reader(io.BytesIO(data)).pieces(engine, **options))
    except BitstreamError as error:
        return np.concatenate(parts, axis=1), f"{type(error).__name__}: {error}"
    return np.concatenate(parts, axis=1), "none"


class FailingCoder(ToyCoder):
    """Fails at its fifth packet."""

    def __init__(self, code_bits: int) -> None:
        super().__init__(code_bits)
        self._lock, self._count = threading.Lock(), 0

    def encode(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        with self._lock:
            self._count += 1
            if self._count >= 5:
                raise CorruptError("no more packets")
        return super().encode(codes)


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_an_error_in_a_thread_leaves_no_file_and_no_thread(engines: dict[str, Any], tmp_path: Path, jobs: int) -> None:
    codec, before = Codec(engines["constant"]), threading.active_count()
    lm = FailingCoder(codec.config.codebook_nbits)
    audio = many_packets(codec.config)
    target = tmp_path / "a.ecdc"
    with (
        pytest.raises(CorruptError, match="no more packets"),
        codec.writer(target, lm=lm, packet_s=SHORT_S, jobs=jobs) as writer,
    ):
        writer.push(audio)
    assert not list(tmp_path.iterdir())
    assert threading.active_count() == before


def interrupted(writer: EcdcWriter, audio: np.ndarray) -> None:
    writer.push(audio)
    raise KeyboardInterrupt


@pytest.mark.parametrize("kind", ["constant", "segments"])
def test_who_gives_up_leaves_no_file_and_no_thread(engines: dict[str, Any], tmp_path: Path, kind: str) -> None:
    codec, before = Codec(engines[kind]), threading.active_count()
    lm, audio = coder_of(codec.engine), many_packets(codec.config)
    with (
        pytest.raises(KeyboardInterrupt),
        codec.writer(tmp_path / "a.ecdc", lm=lm, packet_s=SHORT_S, jobs=3) as writer,
    ):
        interrupted(writer, audio)
    assert not list(tmp_path.iterdir())
    assert threading.active_count() == before
    data = written(codec.engine, audio, packet_s=SHORT_S, lm=lm)
    pieces = codec.play(data, lm=lm, jobs=3)
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]  # a generator is given
    assert threading.active_count() == before


@pytest.mark.parametrize("kind", ["constant", "whole"])
def test_whole_files(engines: dict[str, Any], tmp_path: Path, kind: str) -> None:
    codec = Codec(engines[kind])
    audio = music(codec.config, 5000)
    soundfile.write(tmp_path / "in.wav", audio.T, codec.sampling_rate, subtype="FLOAT")
    sizes = []
    for jobs in (1, 2):
        sizes.append(codec.compress_file(tmp_path / "in.wav", tmp_path / f"{jobs}.ecdc", packet_s=SHORT_S, jobs=jobs))
        sizes.append(codec.decompress_file(tmp_path / f"{jobs}.ecdc", tmp_path / f"{jobs}.wav", jobs=jobs))
    assert sizes[:2] == sizes[2:]
    for suffix in (".ecdc", ".wav"):
        assert (tmp_path / f"1{suffix}").read_bytes() == (tmp_path / f"2{suffix}").read_bytes()
    for bad in (0, -1):
        with pytest.raises(ConfigError, match="jobs must be an integer of at least 1"):
            codec.compress_file(tmp_path / "in.wav", tmp_path / "b.ecdc", jobs=bad)
        with pytest.raises(ConfigError, match="jobs must be an integer of at least 1"):
            codec.decompress_file(tmp_path / "1.ecdc", tmp_path / "b.wav", jobs=bad)


@pytest.mark.parametrize("kind", KINDS)
@given(lengths=st.lists(st.integers(1, 2500), min_size=1, max_size=6), jobs=st.integers(1, 3))
@settings(deadline=None, max_examples=6, derandomize=True)
def test_many_recordings_are_coded_as_one_by_one(
    engines: dict[str, Any], kind: str, lengths: list[int], jobs: int
) -> None:
    codec = Codec(engines[kind])
    recordings = [music(codec.config, length, seed) for seed, length in enumerate(lengths)]
    many = codec.encode_many(recordings, num_quantizers=2, jobs=jobs)
    back = codec.decode_many(many, lengths, jobs=jobs)
    assert len(many) == len(back) == len(recordings)
    for audio, (codes, scales), sound in zip(recordings, many, back, strict=True):
        alone, alone_scales = codec.encode(audio, num_quantizers=2)
        assert np.array_equal(codes, alone)
        assert (scales is None) == (alone_scales is None)
        if scales is not None and alone_scales is not None:
            assert np.array_equal(scales, alone_scales)
        assert np.array_equal(sound, codec.decode(alone, alone_scales, audio.shape[1]))


def test_a_cpu_takes_one_recording_at_a_time(engines: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is slower there, and equal up to the rounding of sums only; a GPU gets one by default."""
    codec, batches = Codec(engines["constant"]), []

    def noted(engine: Any, recordings: Any, count: int, batch: int, grid_frames: int) -> list[list[Block]]:
        batches.append(batch)
        return encode_batched(engine, recordings, count, batch, grid_frames)

    monkeypatch.setattr("recodec.codec.arrays.encode_batched", noted)
    recordings = [music(codec.config, length) for length in (900, 1300)]
    codec.encode_many(recordings)
    assert batches == []
    codec.encode_many(recordings, batch=2)
    monkeypatch.setattr(type(codec.engine), "on_cpu", False)
    codec.encode_many(recordings)
    assert batches == [2, 32]


def test_many_recordings_may_come_from_a_generator(engines: dict[str, Any]) -> None:
    codec = Codec(engines["constant"])
    recordings = [music(codec.config, length) for length in (900, 1300)]
    encoded = codec.encode_many(audio for audio in recordings)
    back = codec.decode_many((item for item in encoded), (length for length in (900, 1300)))
    assert [audio.shape[1] for audio in back] == [900, 1300]
    as_list: Any = list(encoded[0])
    assert np.array_equal(codec.decode_many([as_list])[0][:, :900], back[0])


def test_an_error_says_which_recording_it_is_about(engines: dict[str, Any]) -> None:
    codec = Codec(engines["constant"])
    good = music(codec.config, 900)
    bad = good.copy()
    bad[0, 5] = np.nan
    with pytest.raises(AudioError, match="recording 1: audio has samples that are not finite"):
        codec.encode_many([good, bad])
    codes = codec.encode(good)[0]
    for jobs in (1, 2):
        with pytest.raises(CorruptError, match=r"recording 1: a pair of codes and scales is needed.*got ndarray"):
            codec.decode_many([(codes, None), codes], jobs=jobs)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "2", None, [1]])
def test_counts_are_positive_integers(engines: dict[str, Any], wrong: Any) -> None:
    codec = Codec(engines["constant"])
    audio = music(codec.config, 900)
    encoded = codec.encode(audio)
    calls: list[Callable[[], object]] = [
        lambda: codec.encode(audio, grid_frames=wrong),
        lambda: codec.encode_many([audio], jobs=wrong),
        lambda: codec.decode_many([encoded], jobs=wrong),
        lambda: codec.stream_encoder(grid_frames=wrong),
        lambda: codec.latency(wrong),
        lambda: list(codec.play(codec.compress(audio), jobs=wrong)),
    ]
    if wrong is not None:  # which is the default of these
        calls += [
            lambda: codec.encode(audio, num_quantizers=wrong),
            lambda: codec.encode(audio, sampling_rate=wrong),
            lambda: codec.encode_many([audio], batch=wrong),
            lambda: codec.decode_many([encoded], num_samples=[wrong]),
            lambda: codec.pack(encoded[0], num_samples=wrong),
            lambda: Codec.from_pretrained(threads=wrong),
        ]
    if wrong != 0:
        calls.append(lambda: list(codec.play(codec.compress(audio), start=cast(int, wrong))))
    for call in calls:
        with pytest.raises((ConfigError, CorruptError), match=r"must be|cannot be|doesn't support"):
            call()


def test_arguments_of_other_kinds_are_refused(engines: dict[str, Any]) -> None:
    codec = Codec(engines["constant"])
    anything: Any = None
    with pytest.raises(AudioError, match="an array or an iterable of arrays, got NoneType"):
        codec.encode(anything)
    with pytest.raises(ConfigError, match="a packet is longer than 0 s"), codec.writer(io.BytesIO(), packet_s=anything):
        pass
    ragged: Any = [[1.0], [1.0, 2.0]]
    with pytest.raises(AudioError, match="audio must be"):
        codec.encode([ragged])
    with pytest.raises(AudioError, match="audio must be"):
        codec.compress(ragged)
    for call in (codec.decode, codec.pack):
        with pytest.raises(CorruptError, match="codes must be an array of integers"):
            call(ragged)
    audio = music(codec.config, 900)
    for wrong in (codec.unpack, codec.decompress, lambda value: list(codec.play(value))):
        with pytest.raises(ConfigError, match=r"the bytes of an \.ecdc file, or an open file, got int"):
            wrong(cast(Any, 5))
    for options in ({"version": "1"}, {"version": None}, {"lm": "x"}, {"lm": 1}):
        with pytest.raises(ConfigError, match="must be"):
            codec.compress(audio, **cast(Any, options))
    with pytest.raises(AudioError, match="audio must be"), codec.writer(io.BytesIO()) as writer:
        writer.push(ragged)
    with pytest.raises(ConfigError, match="num_samples must be"):
        codec.writer(io.BytesIO(), num_samples=cast(Any, "x"))
    with pytest.raises(ConfigError, match="torch has no device 'abacus' here"):
        Codec.from_pretrained(engine="torch", device="abacus")


def test_what_many_recordings_cannot_be(engines: dict[str, Any]) -> None:
    codec = Codec(engines["constant"])
    good, bad = music(codec.config, 900), np.zeros((2, 900), np.float32)
    for jobs in (1, 2):
        with pytest.raises(AudioError, match="audio must be"):
            codec.encode_many([good, bad], jobs=jobs)
        with pytest.raises(CorruptError, match="codes must be"):
            codec.decode_many([codec.encode(good), (np.full((1, 3), 999), None)], jobs=jobs)
    with pytest.raises(CorruptError, match="2 lengths"):
        codec.decode_many([codec.encode(good)], [900, 900])
    with pytest.raises(ConfigError, match="jobs must be an integer of at least 1"):
        codec.encode_many([good], jobs=0)

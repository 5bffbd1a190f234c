"""Audio files: round trips, blocks, damage, and writing whole or not at all."""

from __future__ import annotations

import io
import os
import struct
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.audio import writer
from recodec.audio.files import AudioReader, read_audio
from recodec.audio.resampling import resample, resampled_length
from recodec.audio.writer import AudioWriter, write_audio
from recodec.errors import AudioError, ConfigError


def noise(channels: int, num_samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.9, 0.9, (channels, num_samples)).astype(np.float32)


def wav_bytes(audio: np.ndarray, rate_hz: int = 24_000, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, audio.T, rate_hz, format="WAV", subtype=subtype)
    return file.getvalue()


# ---- reading -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("a.wav", "PCM_16"), ("a.flac", "PCM_24"), ("a.aiff", "PCM_U8"), ("a.ogg", None), ("a.mp3", None)],
)
def test_reads_what_soundfile_reads(tmp_path: Path, name: str, subtype: str | None) -> None:
    path = tmp_path / name
    soundfile.write(path, noise(2, 3000).T, 44_100, subtype=subtype)
    audio, rate_hz = read_audio(path)
    assert rate_hz == 44_100
    np.testing.assert_array_equal(audio, soundfile.read(path, dtype="float32")[0].T)


@given(
    st.integers(1, 60_000),
    st.integers(1, 30_000),
    st.sampled_from([24_000, 44_100]),
    st.integers(1, 2),
    st.integers(1, 2),
)
@settings(deadline=None, derandomize=True, max_examples=40)
def test_blocks_are_the_whole(num_samples: int, block: int, rate_hz: int, have: int, want: int) -> None:
    content = wav_bytes(noise(have, num_samples), rate_hz)
    whole, _ = read_audio(io.BytesIO(content))
    if have == 2 and want == 1:
        whole = whole.mean(0, keepdims=True, dtype=np.float32)
    expected = resample(np.broadcast_to(whole, (want, num_samples)), rate_hz, 24_000)
    with AudioReader(io.BytesIO(content), rate_hz=24_000, channels=want) as reader:
        assert (reader.rate_hz, reader.channels, reader.num_samples) == (24_000, want, expected.shape[1])
        for _ in range(2):  # each call starts anew
            blocks = list(reader.blocks(block))
            assert all(part.shape == (want, block) and part.dtype == np.float32 for part in blocks[:-1])
            assert len(blocks) == -(-expected.shape[1] // block)
            np.testing.assert_array_equal(np.concatenate(blocks, 1), expected)


def test_a_pipe_is_read(tmp_path: Path) -> None:
    content = wav_bytes(noise(1, 5000))
    ends = os.pipe()

    def feed() -> None:
        with os.fdopen(ends[1], "wb") as file:
            file.write(content)

    thread = threading.Thread(target=feed)
    thread.start()
    with os.fdopen(ends[0], "rb") as file:
        audio, _ = read_audio(file)
    thread.join()
    np.testing.assert_array_equal(audio, read_audio(io.BytesIO(content))[0])


def test_reading_takes_constant_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    soundfile.write(path, np.zeros(4_000_000, np.int16), 48_000)
    tracemalloc.start()
    try:
        with AudioReader(path, rate_hz=24_000) as reader:
            assert sum(block.shape[1] for block in reader.blocks(10_000)) == 2_000_000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_the_file_of_the_caller_stays_open() -> None:
    file = io.BytesIO(wav_bytes(noise(1, 10)))
    read_audio(file)
    assert not file.closed


def flac_bytes(num_samples: int = 24_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, noise(1, num_samples).T, 24_000, format="FLAC")
    return file.getvalue()


def hostile_flac() -> bytes:
    """A FLAC whose header claims 2^36 - 1 samples."""
    content = bytearray(flac_bytes())
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: b"", "is empty"),
        (lambda: b"Dear diary,\n" * 100, "is not an audio file"),
        (lambda: wav_bytes(noise(1, 10))[:30], "ends before its samples"),
        (lambda: wav_bytes(np.zeros((1, 0))), "has no samples"),
        (lambda: wav_bytes(np.zeros((9, 10))), "has 9 channels, and their places are not known"),
        (lambda: wav_bytes(np.zeros((1, 10)), 12), "12 Hz"),
        (lambda: wav_bytes(np.array([[0, 0, np.nan]]), subtype="FLOAT"), "sample 2 of channel 0 .* is NaN"),
        (lambda: wav_bytes(np.array([[0, np.inf]]), subtype="DOUBLE"), "sample 1 of channel 0 .* is infinite"),
        (lambda: flac_bytes()[:30_000], "is damaged after"),
        (hostile_flac, "ends after 1.000 s of 2863311.531 s: it is damaged there, or was cut off"),
        (lambda: struct.pack(">4s5I", b".snd", 24, 2**32 - 1, 3, 24_000, 1)[:10], "is not an audio file"),
    ],
)
@pytest.mark.parametrize("suffix", [".wav", ".raw", ".vox", ""])
def test_bad_files_are_named(tmp_path: Path, content: Callable[[], bytes], message: str, suffix: str) -> None:
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content())
    tracemalloc.start()
    try:
        with pytest.raises(AudioError, match=message) as caught:
            read_audio(path)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)


def test_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="is a folder"):
        read_audio(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no\.wav"):
        read_audio(tmp_path / "no.wav")


class Failing(io.BytesIO):
    """A disk that fails behind the first kilobytes."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 20_000:
            raise OSError(5, "Input/output error")
        return super().read(size)


class Shrinking(io.BytesIO):
    """A file that another program cuts while it is read."""

    end = 20_000

    def read(self, size: int | None = -1) -> bytes:
        return b"" if self.tell() > self.end else super().read(size)


def test_a_missing_end_is_named() -> None:
    with pytest.raises(AudioError, match=r"the input was cut off: .* of 50000 samples"):
        read_audio(Shrinking(wav_bytes(noise(1, 50_000))))


def test_a_file_cut_to_nothing_is_named() -> None:
    file = Shrinking(wav_bytes(noise(1, 50_000)))
    with AudioReader(file) as reader:
        file.end = -1
        with pytest.raises(AudioError, match="the input was cut off: 0"):
            next(reader.blocks(10))


def test_too_few_samples_for_one_are_refused() -> None:
    with pytest.raises(AudioError, match="too few to make one at 24000 Hz"):
        read_audio(io.BytesIO(wav_bytes(noise(1, 1), 96_000)), rate_hz=24_000)
    assert read_audio(io.BytesIO(wav_bytes(noise(1, 2), 96_000)), rate_hz=24_000)[0].shape == (1, 1)


def test_a_late_bad_sample_is_named_by_its_place_in_the_file() -> None:
    audio = noise(2, 60_000)
    audio[1, 55_555] = np.inf
    with pytest.raises(AudioError, match="sample 55555 of channel 1"):
        read_audio(io.BytesIO(wav_bytes(audio, subtype="FLOAT")), rate_hz=48_000)


def test_a_failing_disk_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AudioError, match="the tape cannot be read beyond"):
        read_audio(Failing(wav_bytes(noise(1, 50_000))), name="the tape")
    assert capfd.readouterr().err == ""


@given(st.integers(0, 2**32), st.sampled_from(["wav", "flac", "aiff", "ogg", "w64", "caf"]))
@settings(deadline=None, derandomize=True, max_examples=120)
def test_damaged_bytes_never_escape(seed: int, kind: str) -> None:
    random = np.random.default_rng(seed)
    file = io.BytesIO()
    soundfile.write(file, noise(1, 2000).T, 24_000, format=kind.upper())
    content = np.frombuffer(file.getvalue(), np.uint8).copy()
    place = random.integers(0, min(len(content), 400), 4)
    content[place] = random.integers(0, 256, 4)
    try:
        audio, _ = read_audio(io.BytesIO(content.tobytes()))
        assert np.isfinite(audio).all()
    except AudioError:
        pass


def test_bad_wishes_are_refused() -> None:
    content = wav_bytes(noise(1, 10))
    with pytest.raises(AudioError, match="3 channels"):
        AudioReader(io.BytesIO(content), channels=3)
    with pytest.raises(AudioError, match="5 Hz"):
        AudioReader(io.BytesIO(content), rate_hz=5)
    with AudioReader(io.BytesIO(content)) as reader, pytest.raises(ConfigError, match="block_samples"):
        next(reader.blocks(0))


# ---- writing -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "subtype", "step"),
    [
        ("a.wav", None, 2**-15),
        ("a.flac", "PCM_16", 2**-15),
        ("a.FLAC", "PCM_24", 2**-23),
        ("a.wav", "PCM_24", 2**-23),
        ("a.wav", "FLOAT", 0),
    ],
)
def test_written_samples_are_the_nearest_steps(tmp_path: Path, name: str, subtype: str | None, step: float) -> None:
    audio = noise(2, 3001)
    write_audio(tmp_path / name, audio, 24_000, subtype=subtype)
    back, rate_hz = read_audio(tmp_path / name)
    assert rate_hz == 24_000
    assert np.abs(back - audio).max() <= step / 2
    write_audio(tmp_path / name, back, 24_000, subtype=subtype, overwrite=True)
    np.testing.assert_array_equal(read_audio(tmp_path / name)[0], back)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_loud_samples_are_clipped(tmp_path: Path, subtype: str) -> None:
    write_audio(tmp_path / "a.wav", np.array([[1.0, 1.5, 100.0, -1.0, -1.5, 0.0]]), 24_000, subtype=subtype)
    back, _ = read_audio(tmp_path / "a.wav")
    if subtype == "FLOAT":  # it can hold them
        np.testing.assert_array_equal(back, np.array([[1.0, 1.5, 100.0, -1.0, -1.5, 0.0]], np.float32))
        return
    top = {"PCM_16": 1 - 2**-15, "PCM_24": 1 - 2**-23}[subtype]
    np.testing.assert_array_equal(back, np.array([[top, top, top, -1.0, -1.0, 0.0]], np.float32))


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.opus", "a.mp3", "a.aiff", "a.caf", "a.w64", "a.au"])
def test_every_format_is_written_and_counts_what_it_clips(tmp_path: Path, name: str) -> None:
    audio = noise(2, 24_000)
    audio[:, ::1000] = 1.5
    with AudioWriter(tmp_path / name, 24_000, 2) as file:
        file.write(audio)
        assert file.clipped == 2 * 24
    back, rate_hz = read_audio(tmp_path / name)
    assert (rate_hz, back.shape) == (24_000, (2, 24_000))


@pytest.mark.parametrize(("subtype", "num_samples"), [(None, 3_000_003), ("OPUS", 30_001)])
def test_ogg_keeps_the_length(tmp_path: Path, subtype: str | None, num_samples: int) -> None:
    write_audio(tmp_path / "a.ogg", noise(1, num_samples), 24_000, subtype=subtype)
    assert read_audio(tmp_path / "a.ogg")[0].shape == (1, num_samples)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_streamed_file_equals_whole_file(tmp_path: Path, suffix: str) -> None:
    audio = noise(2, 40_000)
    write_audio(tmp_path / f"whole{suffix}", audio, 48_000)
    with AudioWriter(tmp_path / f"blocks{suffix}", 48_000, 2) as writer:
        for cut in ((0, 0), (0, 1), (1, 20_000), (20_000, 40_000)):
            writer.write(audio[:, slice(*cut)])
        assert writer.num_samples == 40_000
    whole, blocks = (read_audio(tmp_path / f"{name}{suffix}")[0] for name in ("whole", "blocks"))
    np.testing.assert_array_equal(blocks, whole)


def test_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    def fail(error: type[Exception], write: Callable[[], None], message: str) -> None:
        with pytest.raises(error, match=message):
            write()
        assert not list(tmp_path.iterdir())

    def interrupted() -> None:
        with AudioWriter(tmp_path / "a.wav", 24_000, 1) as writer:
            writer.write(noise(1, 5))
            raise KeyError("later")

    def poisoned() -> None:
        with AudioWriter(tmp_path / "a.wav", 24_000, 1) as writer:
            writer.write(noise(1, 5))
            writer.write(np.array([[0.0, np.nan]]))

    fail(KeyError, interrupted, "later")
    fail(AudioError, poisoned, r"sample 6 of channel 0 of the audio for .*a\.wav is NaN")
    fail(AudioError, lambda: write_audio(tmp_path / "a.wav", np.zeros((1, 0)), 24_000), "no samples")
    fail(ConfigError, lambda: write_audio(tmp_path / "a.ogg", noise(1, 9), 44_100, subtype="OPUS"), "44100 Hz")
    fail(ConfigError, lambda: write_audio(tmp_path / "a.ogg", noise(1, 9), 200_001), "200001 Hz")
    fail(AudioError, lambda: write_audio(tmp_path / "a.wav", noise(1, 9), 10), "10 Hz")
    fail(ConfigError, lambda: write_audio(tmp_path / "a.mp4", noise(1, 9), 24_000), r"\.wav, \.flac, \.ogg")
    fail(ConfigError, lambda: write_audio(tmp_path / "a.flac", noise(1, 9), 24_000, subtype="FLOAT"), "PCM_24")


class FullDisk(io.BytesIO):
    """Takes so many writes and no more."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, content: Any) -> int:
        if self.room == 0:
            raise OSError(28, "No space left on device")
        self.room -= 1
        return super().write(content)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_a_full_disk_is_an_oserror(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], suffix: str
) -> None:
    def write(disk: FullDisk) -> None:
        monkeypatch.setattr(writer, "atomic_write", lambda path, overwrite: nullcontext(disk))
        write_audio(f"a{suffix}", noise(1, 9), 24_000)

    enough = FullDisk(100)
    write(enough)
    for room in range(100 - enough.room):  # also where only the closing of the file writes
        with pytest.raises(OSError, match="No space left"):
            write(FullDisk(room))
    assert capfd.readouterr().err == ""


def test_files_are_not_overwritten_by_accident(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_audio(path, noise(1, 5), 24_000)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=r"a\.wav"):
        write_audio(path, noise(1, 7), 24_000)
    assert path.read_bytes() == before
    write_audio(path, noise(1, 7), 24_000, overwrite=True)
    assert read_audio(path)[0].shape == (1, 7)


def test_wrong_channels_are_refused(tmp_path: Path) -> None:
    with AudioWriter(tmp_path / "a.wav", 24_000, 2) as writer, pytest.raises(AudioError, match="2 channel"):
        writer.write(noise(1, 5))


def test_a_wav_above_4_gib_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_WAV_BYTES", 100)
    write_audio(tmp_path / "a.wav", noise(1, 50), 24_000)
    write_audio(tmp_path / "a.flac", noise(1, 51), 24_000)
    with pytest.raises(AudioError, match="4 GiB"):
        write_audio(tmp_path / "b.wav", noise(1, 51), 24_000)


def test_promised_length_of_resampled_file() -> None:
    with AudioReader(io.BytesIO(wav_bytes(noise(1, 1000))), rate_hz=44_100) as reader:
        assert reader.num_samples == resampled_length(1000, 24_000, 44_100)

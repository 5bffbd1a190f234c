"""Pipes: samples pass as they come, in any pieces, and WAV needs no way back."""

import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.audio.files import AudioReader, read_audio
from recodec.audio.live import LiveWriter
from recodec.audio.pcm import Pcm
from recodec.audio.wav import wav_header
from recodec.errors import AudioError
from support.pipes import Pipe


def audio_of(samples, channels=1, seed=0):
    return np.random.default_rng(seed).uniform(-0.9, 0.9, (channels, samples)).astype(np.float32)


def wav_of(audio, rate=24_000, subtype="PCM_16", kind="WAV"):
    file = io.BytesIO()
    soundfile.write(file, audio.T, rate, subtype=subtype, format=kind)
    return file.getvalue()


def heard(reader, block=1000):
    return np.concatenate(list(reader.blocks(block)), axis=1)


@given(st.integers(1, 3000), st.integers(1, 700), st.integers(1, 900))
@settings(deadline=None, max_examples=30, derandomize=True)
def test_raw_samples_in_any_pieces(samples, most, block):
    audio = audio_of(samples, 2)
    data = Pcm(48_000, 2, "f32le").encode(audio)
    reader = AudioReader(Pipe(data, most), raw=Pcm(48_000, 2, "f32le"), rate_hz=48_000, channels=2, name="x")
    assert reader.num_samples is None
    assert np.array_equal(heard(reader, block), audio)


def test_samples_pass_while_the_pipe_is_open():
    """Each read from the pipe gives its samples before the next one is made."""
    reads = []

    class Feed(Pipe):
        def read(self, size=-1, /):
            reads.append(size)
            return b"\1\0" * 10 if len(reads) < 4 else b""

    reader = AudioReader(Feed(b""), raw=Pcm(24_000, 1), rate_hz=24_000, channels=1, name="x")
    for i, piece in enumerate(reader.pieces()):
        assert piece.shape[1] == (10 if i < 3 else 0)
        assert len(reads) == i + 1


@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "FLAC"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_files_on_a_pipe_are_what_they_are_on_disk(kind, subtype):
    if kind == "FLAC" and subtype == "FLOAT":
        subtype = "PCM_S8"
    data = wav_of(audio_of(5000, 2), 44_100, subtype, kind)
    expected, _ = read_audio(io.BytesIO(data), rate_hz=24_000, channels=1)
    reader = AudioReader(Pipe(data, 333), rate_hz=24_000, channels=1, name="x")
    assert reader.num_samples == expected.shape[1]
    assert np.array_equal(heard(reader), expected)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000])
def test_headers_of_programs_that_cannot_go_back(size):
    data = bytearray(wav_of(audio_of(500)))
    place = data.index(b"data") + 4
    data[place : place + 4] = struct.pack("<I", size)
    reader = AudioReader(Pipe(bytes(data)), rate_hz=24_000, channels=1, name="x")
    assert reader.num_samples is None
    assert heard(reader).shape == (1, 500)


def test_what_follows_the_samples_is_no_sound():
    data = wav_of(audio_of(500)) + b"LIST\4\0\0\0abcd"
    assert heard(AudioReader(Pipe(data), rate_hz=24_000, channels=1, name="x")).shape == (1, 500)


def test_chunks_of_odd_length_have_a_byte_more():
    data = wav_of(audio_of(500))
    data = data[:12] + b"LIST\3\0\0\0abc\0" + data[12:]
    assert heard(AudioReader(Pipe(data), rate_hz=24_000, channels=1, name="x")).shape == (1, 500)


def broken(**changes):
    """A WAV whose header says something else at a place."""
    data = bytearray(wav_of(audio_of(500)))
    for place, value in changes.values():
        data[place : place + len(value)] = value
    return bytes(data)


@pytest.mark.parametrize(("data", "words"), [
    (b"", "empty"), (b"RIFF", "is not an audio file"), (b"some text " * 9, "is not an audio file"),
    (wav_of(audio_of(500))[:20], "before its samples"), (wav_of(audio_of(500))[:400], "cut off.*178 of 500 samples"),
    (broken(channels=(22, b"\0\0")), "x "), (broken(rate=(24, b"\1\0\0\0")), "1 Hz"),
    (broken(fmt=(16, b"\1\0\0\0")), "what its samples"), (broken(fmt=(12, b"fmX ")), "what its samples"),
    (broken(fmt=(16, b"\0\0\0\xff")), "damaged header"),
    (wav_of(audio_of(500))[:12] + b"LIST" + struct.pack("<I", 1 << 30) + bytes(1 << 26), "more than 64 MB"),
])  # fmt: skip
def test_what_is_no_sound(data, words):
    with pytest.raises(AudioError, match=words):
        heard(AudioReader(Pipe(data), rate_hz=24_000, channels=1, name="x"))


def test_raw_samples_that_are_no_sound():
    pcm = Pcm(24_000, 1, "f32le")
    with pytest.raises(AudioError, match="sample 1 of channel 0 of x is NaN"):
        heard(AudioReader(Pipe(struct.pack("<2f", 0, np.nan)), raw=pcm, rate_hz=24_000, channels=1, name="x"))
    late = struct.pack("<2500f", *[0.0] * 2345, np.inf, *[0.0] * 154)
    with pytest.raises(AudioError, match="sample 2345 of channel 0 of x is infinite"):
        heard(AudioReader(Pipe(late, 400), raw=pcm, rate_hz=24_000, channels=1, name="x"))
    with pytest.raises(AudioError, match="within a sample"):
        heard(AudioReader(Pipe(b"\0" * 7), raw=pcm, rate_hz=24_000, channels=1, name="x"))


@pytest.mark.parametrize("form", ["u8", "s16le", "s24le", "s32le", "f32le", "f64le"])
@pytest.mark.parametrize("known", [True, False])
def test_a_wav_that_is_written_to_a_pipe_is_read_by_libsndfile(form, known):
    audio, file = audio_of(777, 2), io.BytesIO()
    writer = LiveWriter(file, Pcm(24_000, 2, form), rate_hz=24_000, channels=2, wav=True,
                        num_samples=777 if known else None)  # fmt: skip
    writer.write(audio[:, :300])
    writer.write(audio[:, 300:])
    writer.close()
    file.seek(0)
    back, rate = soundfile.read(file, always_2d=True)
    assert (back.shape, rate) == ((777, 2), 24_000)
    assert np.abs(back.T - audio).max() <= (1 / 128 if form == "u8" else 2**-15)


def test_a_writer_converts():
    audio, file = audio_of(2400), io.BytesIO()
    writer = LiveWriter(file, Pcm(48_000, 2, "f32le"), rate_hz=24_000, channels=1, wav=False)
    writer.write(audio)
    writer.close()
    back = Pcm(48_000, 2, "f32le").decode(file.getvalue())
    assert back.shape == (2, 4800)
    assert np.array_equal(back[0], back[1])


def test_the_header_is_that_of_libsndfile():
    audio = audio_of(500)
    assert wav_of(audio).startswith(wav_header(Pcm(24_000, 1), 500))

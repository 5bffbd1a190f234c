"""MP3s whose form changes are refused before a decoder sees them; others are not, however damaged."""

from __future__ import annotations

import io
import struct
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.audio import AudioReader, read_audio
from recodec.audio.decoders import open_decoder
from recodec.audio.mpeg import FormChange, survey_mpeg
from recodec.audio.mpeg_frames import MpegForm, frame_at, main_data_begin
from recodec.audio.stretches import read_stretch, shape_of
from recodec.audio.wholeness import start_of_mpeg
from recodec.errors import AudioError
from support.signals import voice


def mp3(rate_hz: int, channels: int, mode: str = "CONSTANT", level: float = 0.5) -> bytes:
    file = io.BytesIO()
    audio = np.repeat(voice(1.0, rate_hz), channels, axis=0)
    with soundfile.SoundFile(
        file, "w", rate_hz, channels, "MPEG_LAYER_III", format="MP3", compression_level=level, bitrate_mode=mode
    ) as sound:
        sound.write(audio.T)
    return file.getvalue()


def change_of_form(file: io.BytesIO) -> FormChange | None:
    survey = survey_mpeg(file)
    return None if survey is None else survey.change


FORMS = [(44_100, 2), (48_000, 1), (32_000, 2), (24_000, 1), (22_050, 2), (16_000, 1), (11_025, 1), (8_000, 2)]


@pytest.mark.parametrize(("rate_hz", "channels"), FORMS)
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_a_file_of_one_form_is_walked_to_its_end(rate_hz: int, channels: int, mode: str) -> None:
    one = mp3(rate_hz, channels, mode)
    assert change_of_form(io.BytesIO(one)) is None
    other = mp3(44_100, 1)
    change = change_of_form(io.BytesIO(b"ID3\x04\0\0\0\0\x02\x00" + bytes(256) + one + other))
    assert change is not None
    assert change.before[:2] == (rate_hz, channels)
    assert change.after == MpegForm(44_100, 1, 3, 1152)
    assert change.num_samples / rate_hz == pytest.approx(1.0, abs=0.3)


def test_a_change_is_one_named_error_in_every_way_in(tmp_path: Path) -> None:
    path = tmp_path / "two.mp3"
    path.write_bytes(mp3(24_000, 1) + mp3(44_100, 2))
    message = (
        r"two.mp3 changes after 1\.\d+ s from 24000 Hz and 1 channel\(s\) to 44100 Hz and 2, or is damaged there: "
        "split it first"
    )
    with pytest.raises(AudioError, match=message):
        read_audio(path)
    for read in (shape_of, lambda file, name: read_stretch(file, name, 0, 10)):
        with open(path, "rb") as file, pytest.raises(AudioError, match=message):
            read(file, str(path))
    path.write_bytes(mp3(24_000, 1))  # what was found before does not hold for another content
    assert read_audio(path)[1] == 24_000


def test_a_single_frame_of_another_form_is_a_change() -> None:
    data = bytearray(mp3(24_000, 1))
    second = data.find(bytes(data[:2]), 100)
    data[second + 3] ^= 0xC0  # mono to stereo
    change = change_of_form(io.BytesIO(bytes(data)))
    assert change is not None
    assert (change.before.channels, change.after.channels) == (1, 2)


@pytest.mark.parametrize(("rate_hz", "channels"), FORMS)
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("share", [0.35, 0.6, 0.8])
def test_what_a_cut_file_promises_is_what_partial_takes(rate_hz: int, channels: int, mode: str, share: float) -> None:
    whole = mp3(rate_hz, channels, mode, level=0.0)
    cut = whole[: round(len(whole) * share)]
    survey = survey_mpeg(io.BytesIO(cut))
    assert survey is not None
    with AudioReader(io.BytesIO(cut), partial=True) as reader:
        there = reader.num_samples
        assert sum(piece.shape[1] for piece in reader.pieces()) == there
    assert survey.missing_share > 0
    with pytest.raises(AudioError, match=rf"\({there} of {rate_hz} samples\)"):
        read_audio(io.BytesIO(cut))


def test_damage_between_frames_is_said(tmp_path: Path) -> None:
    data = bytearray(mp3(24_000, 1))
    data[len(data) // 2 : len(data) // 2 + 300] = bytes(300)
    survey = survey_mpeg(io.BytesIO(bytes(data)))
    assert survey is not None
    assert 200 <= survey.foreign_bytes < 2000
    with AudioReader(io.BytesIO(bytes(data)), name="x.mp3") as reader:
        assert reader.notes == [
            f"x.mp3: {survey.foreign_bytes} bytes, the first at 0.5 s, are not MPEG audio, and are skipped"
        ]
    with AudioReader(io.BytesIO(mp3(24_000, 1)), name="x.mp3") as reader:
        assert reader.notes == []
    tagged = mp3(24_000, 1) + b"TAG" + bytes(125)  # a tag at the end is not damage
    with AudioReader(io.BytesIO(tagged), name="x.mp3") as reader:
        assert reader.notes == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=200), st.integers(0, 3000))
def test_damage_is_walked_over(changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(mp3(24_000, 1)[cut:])
    for place, byte in changes:
        data[place % len(data)] = byte
    file = io.BytesIO(bytes(data))
    survey = survey_mpeg(file)
    assert file.tell() == 0
    assert survey is None or (survey.foreign_bytes <= len(data) and 0 <= survey.missing_share <= 1)


def in_wav(frames: bytes, rate_hz: int, channels: int, tag: int = 0x55) -> bytes:
    """MPEG audio as the samples of a WAV."""
    more = struct.pack("<HIHHH", 1, 2, 144, 1, 1393)  # MPEGLAYER3WAVEFORMAT
    form = struct.pack("<HHIIHHH", tag, channels, rate_hz, 4000, 1, 0, len(more)) + more
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(frames)) + frames
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_mp3_inside_a_wav_is_looked_through(tmp_path: Path) -> None:
    one, other = mp3(24_000, 1), mp3(44_100, 2)
    (tmp_path / "whole.wav").write_bytes(in_wav(one, 24_000, 1))
    audio, rate_hz = read_audio(tmp_path / "whole.wav")
    assert (rate_hz, audio.shape[0]) == (24_000, 1)
    assert audio.shape[1] == pytest.approx(24_000, abs=5000)
    (tmp_path / "two.wav").write_bytes(in_wav(one + other, 24_000, 1))
    with pytest.raises(AudioError, match=r"two.wav changes after 1\.\d+ s from 24000 Hz and 1 channel"):
        read_audio(tmp_path / "two.wav")
    assert start_of_mpeg(io.BytesIO(in_wav(one, 24_000, 1, tag=2))) == 0  # ADPCM, whatever its bytes look like


# ---- decoding from within -------------------------------------------------------------------------


@pytest.mark.parametrize(("rate_hz", "channels"), FORMS)
@pytest.mark.parametrize(
    ("mode", "level"), [("CONSTANT", 0.3), ("CONSTANT", 0.95), ("VARIABLE", 0.6), ("AVERAGE", 0.8)]
)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_a_crop_has_the_bits_of_the_whole(
    rate_hz: int, channels: int, mode: str, level: float, data: st.DataObject
) -> None:
    """Wherever it begins: the bits that its first frames take from earlier ones are there, sums are in their order."""
    whole, file = long_mp3(rate_hz, channels, mode, level)
    start = data.draw(st.integers(0, whole.shape[1] - 1))
    count = data.draw(st.integers(1, min(4000, whole.shape[1] - start)))
    np.testing.assert_array_equal(read_stretch(io.BytesIO(file), "x", start, count), whole[:, start : start + count])


@cache
def long_mp3(rate_hz: int, channels: int, mode: str, level: float) -> tuple[np.ndarray, bytes]:
    """Ten seconds of voice and noise, by which the encoder fills and empties its reservoir, and what is decoded."""
    rng = np.random.default_rng(rate_hz + channels)
    voiced = np.tile(voice(2.0, rate_hz), (channels, 5))
    swell = np.sin(np.linspace(0, 40, voiced.shape[1])) ** 8
    audio = voiced * (1 - swell) + 0.3 * swell * rng.standard_normal(voiced.shape)
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", rate_hz, channels, "MPEG_LAYER_III", format="MP3", compression_level=level, bitrate_mode=mode
    ) as sound:
        sound.write(np.clip(audio, -1, 1).T)
    return np.concatenate(list(open_decoder(io.BytesIO(file.getvalue()), "x").pieces()), axis=1), file.getvalue()


@pytest.mark.parametrize("kind", ["begins within", "damaged", "no telling frame", "tag"])
def test_a_crop_of_an_odd_mp3_has_the_bits_of_the_whole(kind: str) -> None:
    _, file = long_mp3(16_000, 1, "AVERAGE", 0.8)
    places = [0]
    while (found := frame_at(io.BytesIO(file), places[-1])) is not None:
        places.append(places[-1] + found[1])
    needy = next(place for place in places[60:] if main_data_begin(file[place : place + 8]))
    odd = {
        "begins within": file[needy:],
        "damaged": file[: places[60]] + bytes(700) + file[places[63] :],
        "no telling frame": file[places[1] :],
        "tag": b"ID3\x04\0\0\0\0\x02\x00" + bytes(256) + file + b"TAG" + bytes(125),
    }[kind]
    whole = np.concatenate(list(open_decoder(io.BytesIO(odd), "x").pieces()), axis=1)
    for start in range(0, whole.shape[1] - 500, 23_457):
        np.testing.assert_array_equal(read_stretch(io.BytesIO(odd), "x", start, 500), whole[:, start : start + 500])


# ---- other bytes in front --------------------------------------------------------------------------


@pytest.mark.parametrize("front", [1, 700, 70_000])
def test_an_mp3_after_other_bytes_is_what_it_is_without_them(front: int) -> None:
    pytest.importorskip("av")
    whole, file = long_mp3(44_100, 2, "VARIABLE", 0.6)
    after = bytes(front) + file
    np.testing.assert_array_equal(read_audio(io.BytesIO(after), name="x")[0], whole)
    np.testing.assert_array_equal(read_stretch(io.BytesIO(after), "x", 300_000, 500), whole[:, 300_000:300_500])
    with pytest.raises(AudioError, match=r"x was cut off: 4\.\d+ s of 10\.000 s are there"):
        read_audio(io.BytesIO(after[: front + len(file) // 2]), name="x")
    with pytest.raises(
        AudioError, match=r"x changes after 1\.\d+ s from 24000 Hz and 1 channel\(s\) to 44100 Hz and 2"
    ):
        read_audio(io.BytesIO(bytes(front) + mp3(24_000, 1) + mp3(44_100, 2)), name="x")

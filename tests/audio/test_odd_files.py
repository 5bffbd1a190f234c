"""Files with more around their sound, or less of it, than their headers say: every way in gives the right answer."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from recodec.audio import AudioReader, read_audio
from recodec.audio.containers import find_sound
from recodec.audio.spliced import Spliced
from recodec.audio.stretches import read_stretch, shape_of
from recodec.errors import AudioError, IncompleteError
from support.encoding import by_ffmpeg
from support.signals import voice

ID3 = b"ID3\x04\0\0\0\0\x02\x00" + bytes(256)
ID3_V1 = b"TAG" + bytes(125)


def encoded(
    form: str, subtype: str, seconds: float = 1.5, endian: str = "FILE", rate_hz: int = 24_000, **options: Any
) -> bytes:
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate_hz, 1, subtype, endian, form, **options) as sound:
        for piece in np.array_split(voice(seconds, rate_hz).T, max(1, round(seconds))):  # see `WRITE_SAMPLES`
            sound.write(piece)
    return file.getvalue()


def heard(data: bytes, **options: Any) -> np.ndarray:
    return read_audio(io.BytesIO(data), name="x", **options)[0]


def assert_stretches_agree(data: bytes) -> None:
    """What training reads of a file is what everybody else reads."""
    whole = heard(data)
    assert shape_of(io.BytesIO(data), "x").num_samples == whole.shape[1]
    middle = read_stretch(io.BytesIO(data), "x", 5000, 3000)
    np.testing.assert_array_equal(middle, whole[:, 5000:8000])


# ---- tags and other bytes around a recording ---------------------------------------------------

AROUND = [("WAV", "PCM_16"), ("WAV", "ULAW"), ("AIFF", "PCM_16"), ("AU", "PCM_16"), ("CAF", "PCM_16"),
          ("W64", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")]  # fmt: skip
AFTER = [("VOC", "PCM_16"), ("VOC", "ULAW"), ("NIST", "PCM_16"), ("NIST", "ULAW"), ("AVR", "PCM_16"), ("SVX", "PCM_16"),
         ("AU", "G721_32"), ("MAT5", "PCM_16")]  # fmt: skip


@pytest.mark.parametrize(("form", "subtype"), AROUND)
def test_a_tag_in_front_changes_no_sample(form: str, subtype: str) -> None:
    data = encoded(form, subtype)
    np.testing.assert_array_equal(heard(ID3 + data), heard(data))
    assert_stretches_agree(ID3 + data)


@pytest.mark.parametrize(
    "tail", [ID3_V1, bytes(5000), bytes(range(250, 1, -1)) * 14], ids=["tag", "zeros", "other bytes"]
)
@pytest.mark.parametrize(("form", "subtype"), [*AROUND, *AFTER])
def test_bytes_after_the_end_are_no_samples(form: str, subtype: str, tail: bytes) -> None:
    data = encoded(form, subtype)
    np.testing.assert_array_equal(heard(data + tail), heard(data))
    assert_stretches_agree(data + tail)


def test_a_file_that_ends_within_its_tag_says_so() -> None:
    with pytest.raises(AudioError, match="x was cut off within the tag at its front: it has no sound"):
        heard(ID3[:100])


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)) | st.binary(max_size=20), max_size=6), st.data())
def test_spliced_parts_read_as_one_file(parts: list[bytes | tuple[int, int]], data: st.DataObject) -> None:
    content = bytes(range(60))
    parts = [part if isinstance(part, bytes) else (min(part), max(part)) for part in parts]
    whole = b"".join(part if isinstance(part, bytes) else content[slice(*part)] for part in parts)
    spliced, plain = Spliced(io.BytesIO(content), parts), io.BytesIO(whole)
    for _ in range(5):
        place, size = data.draw(st.integers(0, 130)), data.draw(st.integers(-1, 130))
        assert spliced.seek(place) == plain.seek(place)
        assert spliced.read(size) == plain.read(size)
        assert spliced.tell() == plain.tell()
    assert spliced.seek(0, io.SEEK_END) == len(whole)


# ---- MP3s whose first frame tells too little, or nothing ----------------------------------------


def mp3(mode: str = "VARIABLE", level: float = 0.5) -> bytes:
    return encoded("MP3", "MPEG_LAYER_III", compression_level=level, bitrate_mode=mode)


def without_telling_frame(data: bytes) -> bytes:
    second = data.find(data[:2], 4)
    assert b"Xing" in data[:second] or b"Info" in data[:second]
    return data[second:]


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_an_mp3_that_does_not_tell_its_length_is_read_to_its_end(mode: str) -> None:
    whole = heard(mp3(mode))
    audio = heard(without_telling_frame(mp3(mode)))
    # A frame of the encoder's delay and one of padding are told in the frame that is missing.
    assert whole.shape[1] < audio.shape[1] <= whole.shape[1] + 3 * 1152
    assert_stretches_agree(without_telling_frame(mp3(mode)))


@pytest.mark.parametrize("between", [b"", ID3, ID3_V1 + bytes(3000), bytes(100_000)], ids=["none", "id3", "end", "gap"])
@pytest.mark.parametrize("second", [mp3, lambda: without_telling_frame(mp3())], ids=["told", "untold"])
def test_mp3s_that_were_joined_are_read_to_the_last(between: bytes, second: Callable[[], bytes]) -> None:
    data = mp3() + between + second()
    audio = heard(data)
    assert 2 * 36_000 <= audio.shape[1] <= 2 * 36_000 + 5 * 1152
    # Up to the end of the first, but for the frames in which the two overlap.
    np.testing.assert_allclose(audio[:, :34_000], heard(mp3())[:, :34_000], atol=1e-4)
    with AudioReader(io.BytesIO(data), name="x") as reader:
        assert len(reader.notes) == bool(between)


# ---- recordings that were cut off ----------------------------------------------------------------

SIZED = [
    ("NIST", "PCM_16"),
    ("NIST", "ULAW"),
    ("VOC", "PCM_16"),
    ("SVX", "PCM_16"),
    ("AVR", "PCM_16"),
    ("MAT5", "PCM_16"),
    ("MAT5", "DOUBLE"),
    ("MAT4", "PCM_16"),
    ("MAT4", "FLOAT"),
    ("MPC2K", "PCM_16"),
    ("SDS", "PCM_16"),
    ("SDS", "PCM_24"),
]


@pytest.mark.parametrize(("form", "subtype"), SIZED)
@pytest.mark.parametrize("share", [0.5, 0.97])
def test_rare_formats_that_tell_their_size_are_seen_to_be_cut(form: str, subtype: str, share: float) -> None:
    data = encoded(form, subtype)
    cut = data[: round(share * len(data))]
    with pytest.raises(IncompleteError, match=r"x was cut off: \d\.\d+ s of 1\.\d+ s are there"):
        heard(cut)
    assert abs(heard(cut, partial=True).shape[1] - share * 36_000) < 1000
    sound = find_sound(io.BytesIO(data))
    assert sound is not None
    assert sound.size is not None
    assert sound.start + sound.size <= len(data)


@pytest.mark.parametrize(("container", "codec"), [("webm", "libopus"), ("matroska", "flac"), ("ipod", "aac"),
                                                  ("mov", "pcm_s16le")])  # fmt: skip
@pytest.mark.parametrize("share", [0.5, 0.97])
def test_containers_of_ffmpeg_are_seen_to_be_cut(container: str, codec: str, share: float) -> None:
    data = voice_by_ffmpeg(container, codec)
    cut = data[: round(share * len(data))]
    missing = r"x was cut off: \d+ % of it is missing"
    if container in ("ipod", "mov"):  # their index is at the end
        for partial in (False, True):
            with pytest.raises(IncompleteError, match=f"{missing}, and what is left cannot be read alone$"):
                heard(cut, partial=partial)
    else:
        with pytest.raises(IncompleteError, match=f"{missing}; --partial"):
            heard(cut)
        assert 0.3 * share * 72_000 < heard(cut, partial=True).shape[1] < 72_000
    assert heard(data).shape[1] >= 72_000


@pytest.mark.parametrize(("container", "codec"), [("ac3", "ac3"), ("eac3", "eac3"), ("mpegts", "mp2")])
@pytest.mark.parametrize("rate_hz", [48_000, 44_100, 32_000])
def test_a_stream_that_ends_within_a_frame_is_seen_to_be_cut(container: str, codec: str, rate_hz: int) -> None:
    data = voice_by_ffmpeg(container, codec, rate_hz=rate_hz)
    whole = heard(data).shape[1]
    for cut in (data[: len(data) // 2 + 1], data[:-1]):
        with pytest.raises(IncompleteError, match=r"x was cut off: (less than 1|[123]) % of it is missing; --partial"):
            heard(cut)
        assert 0.4 * whole < heard(cut, partial=True).shape[1] <= whole
    assert heard(data + b"TAG" + bytes(125)).shape[1] == whole


@pytest.mark.parametrize(("container", "codec"), [("wv", "wavpack"), ("adts", "aac")])
def test_partial_takes_what_ffmpeg_reads_before_damage(container: str, codec: str) -> None:
    data = voice_by_ffmpeg(container, codec, seconds=4.0)
    cut = data[: len(data) // 2]
    with pytest.raises(IncompleteError, match=r"x is damaged after \d+ samples .* or was cut off there; --partial"):
        heard(cut)
    assert 40_000 < heard(cut, partial=True).shape[1] < 120_000


def voice_by_ffmpeg(container: str, codec: str, seconds: float = 1.5, rate_hz: int = 48_000) -> bytes:
    """A file that FFmpeg writes."""
    return by_ffmpeg(voice(seconds, rate_hz), "mono", container, codec, rate_hz=rate_hz)


@pytest.mark.parametrize("share", [0.1, 0.4, 0.9])
def test_a_cut_flac_says_how_much_there_should_be_and_gives_all_that_is_there(share: float) -> None:
    data = encoded("FLAC", "PCM_16", 5.0)
    cut = data[: round(share * len(data))]
    with pytest.raises(IncompleteError, match=r"x is damaged after \d+ of 120000 samples"):
        heard(cut)
    audio = heard(cut, partial=True)
    assert audio.shape[1] > share * 120_000 - 2 * 4096  # blocks of a FLAC
    np.testing.assert_array_equal(audio, heard(data)[:, : audio.shape[1]])


def test_links_of_an_ogg_are_found_after_foreign_bytes() -> None:
    one = encoded("OGG", "VORBIS")
    data = one + b"xxxx" + one
    assert heard(data).shape[1] == 72_000
    with AudioReader(io.BytesIO(data), name="x") as reader:
        assert reader.notes == ["x: 4 bytes between its pages are not Ogg, and are skipped"]
    short = encoded("OGG", "VORBIS", 0.05)
    with pytest.raises(AudioError, match="x has 1001 links, more than 1000: split it first"):
        heard(short * 1001)


class CountingFile(io.BytesIO):
    """Bytes as a file that counts how many of them were read."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


@pytest.mark.parametrize(("form", "subtype", "rate_hz"), [("OGG", "VORBIS", 24_000), ("FLAC", "PCM_16", 24_000),
                         ("MP3", "MPEG_LAYER_III", 24_000), ("MP3", "MPEG_LAYER_III", 44_100)])  # fmt: skip
def test_a_crop_from_far_within_a_recording_is_that_of_the_whole(form: str, subtype: str, rate_hz: int) -> None:
    """And the recording is not decoded up to it."""
    data = encoded(form, subtype, 150.0, rate_hz=rate_hz)
    whole = heard(data)
    # The survey of an MP3, which is remembered, reads the headers of all frames.
    surveyed = 4 * len(data) // 100 if form == "MP3" else 0
    for start in (700_001, 1_234_567, 2_000_000):
        file = CountingFile(data)
        crop = read_stretch(file, "x", start, 3000)
        np.testing.assert_array_equal(crop, whole[:, start : start + 3000])
        assert file.count < 0.4 * len(data) + surveyed


# ---- sizes that a header does not know, or gets wrong ---------------------------------------------


@pytest.mark.parametrize("subtype", ["ULAW", "IMA_ADPCM", "MS_ADPCM", "GSM610"])
@pytest.mark.parametrize("endian", ["FILE", "BIG"])
def test_a_size_of_zero_is_unknown_in_every_wav(subtype: str, endian: str) -> None:
    if endian == "BIG" and subtype != "ULAW":
        pytest.skip("libsndfile writes no such RIFX")
    data = bytearray(encoded("WAV", subtype, endian=endian))
    whole = heard(bytes(data))
    at = data.find(b"data")
    data[at + 4 : at + 8] = bytes(4)
    found = heard(bytes(data))
    np.testing.assert_array_equal(found[:, : whole.shape[1]], whole)
    assert found.shape[1] < whole.shape[1] + 1024
    assert_stretches_agree(bytes(data))


@pytest.mark.parametrize("more", [-1, 1])
def test_a_wav_that_ends_within_a_sample_has_the_whole_ones(more: int) -> None:
    data = bytearray(encoded("WAV", "PCM_16"))
    at = data.find(b"data") + 4
    (size,) = struct.unpack_from("<I", data, at)
    struct.pack_into("<I", data, at, size + more)
    assert heard(bytes(data)).shape[1] == (size + more) // 2
    assert_stretches_agree(bytes(data))


def test_an_rf64_may_not_know_its_size_either(tmp_path: Path) -> None:
    data = bytearray(encoded("RF64", "PCM_16"))
    at = data.find(b"ds64") + 16
    data[at : at + 8] = b"\xff" * 8
    assert heard(bytes(data)).shape[1] == 36_000


@pytest.mark.parametrize(("form", "subtype"), [("AIFF", "DWVW_16"), ("AIFF", "DWVW_24"), ("XI", "DPCM_16")])
def test_crops_of_formats_that_cannot_be_sought(form: str, subtype: str) -> None:
    data = encoded(form, subtype, rate_hz=44_100 if form == "XI" else 24_000)
    np.testing.assert_array_equal(read_stretch(io.BytesIO(data), "x", 5000, 3000), heard(data)[:, 5000:8000])


def test_boxes_that_are_not_of_an_mp4_do_not_count_as_missing() -> None:
    data = voice_by_ffmpeg("ipod", "aac")
    np.testing.assert_array_equal(heard(data + b"\x7f\xff\xff\xffabcd" + bytes(2000)), heard(data))


def test_a_crop_of_an_ogg_that_does_not_count_from_its_start_is_that_of_the_whole() -> None:
    """Its first page tells fewer samples than it holds, and libsndfile then goes to other places than it reads."""
    data = encoded("OGG", "VORBIS", 20.0)
    shifted = b"".join(ogg_page(page, -5000) for page in ogg_pages_of(data))
    whole = heard(shifted)
    assert whole.shape[1] > 400_000
    for start in (100, 100_000, 300_000):
        crop = read_stretch(io.BytesIO(shifted), "x", start, 2000)
        np.testing.assert_array_equal(crop, whole[:, start : start + 2000])


def ogg_pages_of(data: bytes) -> list[bytes]:
    pages = []
    while data:
        size = 27 + data[26] + sum(data[27 : 27 + data[26]])
        pages.append(data[:size])
        data = data[size:]
    return pages


def ogg_page(page: bytes, shift: int) -> bytes:
    """A page at another position, if it has one beyond the headers, with its checksum (RFC 3533, section 6)."""
    position = int.from_bytes(page[6:14], "little", signed=True)
    position += shift if position > 0 else 0
    moved = page[:6] + position.to_bytes(8, "little", signed=True) + page[14:22] + bytes(4) + page[26:]
    checksum = 0
    for byte in moved:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x104C11DB7 if checksum & 1 << 31 else 0)) & 0xFFFFFFFF
    return moved[:22] + checksum.to_bytes(4, "little") + moved[26:]

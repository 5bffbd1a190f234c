"""Whatever form a recording has, every way of reading it gives the same samples, or the same named error."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.audio import AudioReader, Mixer, read_audio
from recodec.audio.pcm import Pcm
from recodec.audio.wav import wav_header
from recodec.audio.wholeness import missing_share
from recodec.errors import AudioError, IncompleteError
from support.encoding import by_ffmpeg
from support.pipes import Pipe

RATE_HZ = 24_000
# Container, codec, share of the error that the codec may make.
FORMATS = [
    ("WAV", "PCM_16"), ("WAV", "PCM_U8"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAV", "DOUBLE"), ("WAV", "ULAW"),
    ("WAV", "ALAW"), ("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"), ("WAV", "GSM610"), ("WAVEX", "PCM_24"),
    ("RF64", "PCM_16"), ("W64", "PCM_16"), ("AIFF", "PCM_16"), ("AIFF", "FLOAT"), ("AU", "PCM_16"), ("AU", "ULAW"),
    ("CAF", "PCM_24"), ("CAF", "ALAC_16"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
]  # fmt: skip
CUTTABLE = ["WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF"]


def voice(seconds: float, channels: int = 1, rate_hz: int = RATE_HZ) -> np.ndarray:
    """(C, T) of tones that come and go, so that codecs with memory have something to remember."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    tones = [np.sin(2 * np.pi * (200 + 150 * c) * time) * (0.3 + 0.2 * np.sin(7 * time)) for c in range(channels)]
    noise = np.random.default_rng(0).standard_normal((channels, time.size))
    return (np.stack(tones) + 0.03 * noise).astype(np.float32)


def encoded(audio: np.ndarray, kind: str, subtype: str, rate_hz: int = RATE_HZ) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, audio.T, rate_hz, format=kind, subtype=subtype)
    return file.getvalue()


def heard(source: object, block: int = 1000, **options: object) -> np.ndarray:
    with AudioReader(source, **options) as reader:  # type: ignore[arg-type]
        return np.concatenate(list(reader.blocks(block)), axis=1)


def whole_by_soundfile(data: bytes) -> np.ndarray:
    """One read of everything: no border to fail at, and no seek before it, after which MP3 rounds differently."""
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        return file.read(min(file.frames, 1 << 24), dtype="float32", always_2d=True).T


@pytest.mark.parametrize(("kind", "subtype"), FORMATS)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_way_in_gives_the_same_samples(tmp_path: Path, kind: str, subtype: str, channels: int) -> None:
    if subtype == "GSM610" and channels == 2:
        pytest.skip("GSM 6.10 is mono")
    data = encoded(voice(1.5, channels), kind, subtype)
    expected = whole_by_soundfile(data)
    path = tmp_path / "any name"
    path.write_bytes(data)
    for source in (path, io.BytesIO(data), Pipe(data, 1 << 16), Pipe(data, 700)):
        np.testing.assert_array_equal(heard(source, 777), expected)


@pytest.mark.parametrize("kbps", [24, 32, 48, 56])
@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_blocks_of_an_mp3_have_no_clicks(kbps: int, rate_hz: int) -> None:
    file = io.BytesIO()
    level = {24: 0.95, 32: 0.9, 48: 0.8, 56: 0.75}[kbps]
    with soundfile.SoundFile(
        file, "w", rate_hz, 1, "MPEG_LAYER_III", format="MP3", compression_level=level, bitrate_mode="CONSTANT"
    ) as out:
        out.write(voice(3.0, 1, rate_hz).T)
    np.testing.assert_array_equal(heard(io.BytesIO(file.getvalue()), 16_384), whole_by_soundfile(file.getvalue()))


def test_a_flac_of_unknown_length_is_read() -> None:
    audio = voice(1.5)
    data = bytearray(encoded(audio, "FLAC", "PCM_16"))
    total = int.from_bytes(data[18:26], "big") & ~((1 << 36) - 1)  # STREAMINFO: 0 samples means unknown
    data[18:26] = total.to_bytes(8, "big")
    with AudioReader(io.BytesIO(bytes(data))) as reader:
        assert reader.num_samples is None
        assert sum(block.shape[1] for block in reader.blocks(4096)) == audio.shape[1]


@pytest.mark.parametrize("size", [0, 0x7FFFFF00, 0xFFFFFFFF - 100, 0x7FFFF000, 0xFFFFFFFF])
@pytest.mark.parametrize("kind", [io.BytesIO, Pipe])
def test_a_wav_whose_writer_could_not_know_its_size(size: int, kind: type) -> None:
    audio = voice(0.5)
    form = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", (size + 36) & 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, 1, 24_000, 48_000,
                       2, 16)  # fmt: skip
    data = form + struct.pack("<4sI", b"data", size) + Pcm(RATE_HZ, 1).encode(audio)
    assert heard(kind(data)).shape == audio.shape


@pytest.mark.parametrize("size", [5, 70_000, 3_000_001])
@pytest.mark.parametrize("kind", [io.BytesIO, Pipe])
def test_tags_in_front_may_be_large(size: int, kind: type) -> None:
    audio = voice(0.2)
    data = encoded(audio, "WAV", "PCM_16")
    tags = b"LIST" + struct.pack("<I", size) + bytes(size + size % 2)
    np.testing.assert_array_equal(heard(kind(data[:12] + tags + data[12:])), heard(io.BytesIO(data)))


@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
def test_64_bit_forms_of_wav(magic: bytes) -> None:
    audio = voice(0.2, 2)
    samples = Pcm(48_000, 2).encode(audio)
    wide = b"ds64" + struct.pack("<IQQQI", 28, len(samples) + 72, len(samples), audio.shape[1], 0)
    plain = wav_header(Pcm(48_000, 2), audio.shape[1])
    data = magic + b"\xff" * 4 + b"WAVE" + wide + plain[12:36] + b"data" + b"\xff" * 4 + samples + b"junk after"
    for source in (io.BytesIO(data), Pipe(data, 1 << 16)):
        assert heard(source).shape == audio.shape
    with pytest.raises(AudioError, match="was cut off"):
        heard(io.BytesIO(data[:-2000]))


@pytest.mark.parametrize("kind", CUTTABLE)
@given(share=st.floats(0.02, 0.98))
@settings(deadline=None, max_examples=10, derandomize=True)
def test_a_file_that_was_cut_off_says_how_much_is_there(kind: str, share: float) -> None:
    audio = voice(0.5)
    data = encoded(audio, kind, "PCM_16")
    there = len(data) - round(share * 24_000)
    for source in (io.BytesIO(data[:there]), Pipe(data[:there], 1 << 16)):
        with pytest.raises(AudioError, match=r"was cut off: (0\.\d+ s of 0\.(499|500) s are there|\d+ % of it)"):
            heard(source, name="x")
    partial = heard(io.BytesIO(data[:there]), partial=True)
    np.testing.assert_array_equal(partial, heard(io.BytesIO(data))[:, : partial.shape[1]])
    assert abs(partial.shape[1] - (1 - share) * 12_000) < 400
    assert missing_share(io.BytesIO(data)) == 0


@pytest.mark.parametrize(("kind", "subtype"), [("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), ("OGG", "OPUS")])
@given(share=st.floats(0.6, 0.9))
@settings(deadline=None, max_examples=6, derandomize=True)
def test_an_mp3_or_ogg_that_was_cut_off_says_so(kind: str, subtype: str, share: float) -> None:
    """By the length that the first frame of an MP3 tells, and by a page of an Ogg file that is not whole."""
    data = encoded(voice(4.0), kind, subtype)
    there = data[: round(share * len(data))]
    for source in (io.BytesIO(there), Pipe(there, 1 << 16)):
        with pytest.raises(AudioError, match=r"x was cut off.*: \d\.\d+ s .*are there.*--partial"):
            heard(source, name="x")
    partial = heard(io.BytesIO(there), partial=True)
    assert 0 < partial.shape[1] < heard(io.BytesIO(data)).shape[1]


def test_a_flac_that_was_cut_off_says_what_takes_the_rest() -> None:
    data = encoded(voice(4.0), "FLAC", "PCM_16")
    with pytest.raises(
        AudioError, match=r"damaged after \d+ of 96000 samples .*or was cut off there; --partial .* what is before"
    ):
        heard(io.BytesIO(data[: len(data) // 2]))


@given(st.binary(max_size=80), st.sampled_from(CUTTABLE), st.integers(0, 200))
@settings(deadline=None, max_examples=150, derandomize=True)
def test_no_bytes_are_too_odd_for_the_look_at_wholeness(junk: bytes, kind: str, place: int) -> None:
    data = encoded(voice(0.01), kind, "PCM_16")
    file = io.BytesIO(data[:place] + junk + data[place + len(junk) :])
    assert 0 <= missing_share(file) <= 1
    assert file.tell() == 0


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_all_links_of_an_ogg_are_read(subtype: str) -> None:
    links = [encoded(voice(seconds, 1, 48_000), "OGG", subtype, 48_000) for seconds in (0.3, 0.7, 0.2)]
    expected = np.concatenate([whole_by_soundfile(link) for link in links], axis=1)
    for source in (io.BytesIO(b"".join(links)), Pipe(b"".join(links), 1 << 16)):
        np.testing.assert_array_equal(heard(source), expected)
    other = encoded(voice(0.2, 2, 48_000), "OGG", subtype, 48_000)
    with pytest.raises(AudioError, match=r"at its link 2 from 48000 Hz and 1 channel\(s\) to 48000 Hz and 2"):
        heard(io.BytesIO(links[0] + other))


# ---- channels ------------------------------------------------------------------------------


def test_surround_is_mixed_by_the_usual_coefficients() -> None:
    audio = np.eye(6, dtype=np.float32) * 0.5  # one channel after the other, a sample each
    data = encoded(audio, "WAV", "FLOAT")
    with AudioReader(io.BytesIO(data), name="film.wav") as reader:
        assert reader.notes == ["film.wav: 6 channels (FL FR FC LFE BL BR) are mixed to 2 by ITU-R BS.775"]
        stereo = next(reader.blocks(6))
    half = np.sqrt(0.5)
    expected = 0.5 * np.array([[1, 0, half, 0, half, 0], [0, 1, half, 0, 0, half]])
    np.testing.assert_allclose(stereo, expected, rtol=1e-6)
    mono, _ = read_audio(io.BytesIO(data), channels=1)
    np.testing.assert_allclose(mono[0], expected.mean(0), rtol=1e-6)


def test_a_mask_says_where_loudspeakers_stand() -> None:
    assert Mixer(4, 2, mask=0b1111).note == "audio: 4 channels (FL FR FC LFE) are mixed to 2 by ITU-R BS.775"
    assert Mixer(4, 2).note == "audio: 4 channels (FL FR BL BR) are mixed to 2 by ITU-R BS.775"


def test_channels_can_be_chosen() -> None:
    audio = np.arange(60, dtype=np.float32).reshape(6, 10) / 64
    data = encoded(audio, "WAV", "FLOAT")
    np.testing.assert_array_equal(read_audio(io.BytesIO(data), select=[3])[0], audio[2:3])
    np.testing.assert_array_equal(read_audio(io.BytesIO(data), select=[5, 6])[0], audio[4:])
    np.testing.assert_array_equal(read_audio(io.BytesIO(data), select=[5, 6], channels=1)[0], audio[4:].mean(0)[None])
    for wrong in ([0], [7], [1, 2, 3], []):
        with pytest.raises(AudioError, match="has 6 channels: one or two of them can be chosen"):
            read_audio(io.BytesIO(data), select=wrong)


def test_channels_of_unknown_places_are_not_mixed() -> None:
    data = encoded(np.zeros((16, 10), np.float32), "WAV", "FLOAT")
    with pytest.raises(AudioError, match="16 channels, and their places are not known; choose some"):
        read_audio(io.BytesIO(data))
    assert read_audio(io.BytesIO(data), select=[16])[0].shape == (1, 10)


# ---- what FFmpeg reads ---------------------------------------------------------------------


def made_by_ffmpeg(tmp_path: Path, name: str, *options: str) -> Path:
    pytest.importorskip("av")
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    source = tmp_path / "source.wav"
    source.write_bytes(encoded(voice(1.0, 2, 48_000), "WAV", "PCM_16", 48_000))
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(source), *options, str(tmp_path / name)]
    subprocess.run(command, check=True, capture_output=True)
    return tmp_path / name


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.m4a", ["-c:a", "aac"]), ("a.webm", ["-c:a", "libopus"]), ("a.mkv", ["-c:a", "flac"]), ("a.wma", []),
     ("a.wv", []), ("a.aac", []), ("a.mp4", ["-c:a", "aac"]), ("a.ac3", [])],
)  # fmt: skip
def test_what_only_ffmpeg_reads(tmp_path: Path, name: str, options: list[str]) -> None:
    path = made_by_ffmpeg(tmp_path, name, *options)
    audio, rate_hz = read_audio(path)
    assert (rate_hz, len(audio)) == (48_000, 2)
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-f", "f32le", "-"], check=True, capture_output=True
    ).stdout
    expected = np.frombuffer(raw, "<f4").reshape(-1, 2).T
    assert abs(audio.shape[1] - expected.shape[1]) <= 2048
    size = min(audio.shape[1], expected.shape[1])
    assert np.abs(audio[:, :size] - expected[:, :size]).max() < 2e-2
    np.testing.assert_array_equal(heard(Pipe(path.read_bytes(), 1 << 16)), audio)


def test_without_ffmpeg_the_message_says_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recodec.audio.decoders.find_spec", lambda name: None)
    with pytest.raises(AudioError, match=r"pip install 'recodec\[av\]', or FFmpeg itself: ffmpeg -i FILE -f wav - \|"):
        read_audio(io.BytesIO(b"\0\0\0\x20ftypM4A " + bytes(range(200))), name="a.m4a")
    with pytest.raises(AudioError, match="notes is not an audio file"):
        read_audio(io.BytesIO(b"Dear diary,\n" * 100), name="notes")


@pytest.mark.parametrize("kind", ["avi", "asf", "dsf"])
def test_a_missing_end_is_told_by_the_size_in_the_header(kind: str) -> None:
    if kind == "dsf":
        content = np.random.default_rng(0).bytes(4096 * 40)
        whole = b"".join([
            b"DSD ", struct.pack("<QQQ", 28, 92 + len(content), 0),
            b"fmt ", struct.pack("<QIIIIIIQII", 52, 1, 0, 1, 1, 2_822_400, 1, 8 * len(content), 4096, 0),
            b"data", struct.pack("<Q", 12 + len(content)), content,
        ])  # fmt: skip
    else:
        noise = (0.1 * np.random.default_rng(0).standard_normal((2, 96_000))).astype(np.float32)
        whole = by_ffmpeg(noise, "stereo", kind, "pcm_s16le" if kind == "avi" else "wmav2")
    audio, _ = read_audio(whole)
    with pytest.raises(IncompleteError, match="cut off"):
        read_audio(whole[: len(whole) // 2])
    part, _ = read_audio(whole[: len(whole) // 2], partial=True)
    assert 0.3 * audio.shape[1] < part.shape[1] < 0.6 * audio.shape[1]


def test_partial_is_not_advised_where_nothing_can_be_read() -> None:
    """An mp4 has its index at its end, unless it was made for the web."""
    noise = (0.1 * np.random.default_rng(0).standard_normal((1, 96_000))).astype(np.float32)
    cut = by_ffmpeg(noise, "mono", "ipod", "aac")[:-4000]
    with pytest.raises(AudioError, match=r"cut off: .*, and what is left cannot be read alone$"):
        read_audio(cut)

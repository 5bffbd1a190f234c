"""Files of all kinds for `audio_kinds.py`: how each is made, and how near to FFmpeg's decoding it must come."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import av
import numpy as np
import soundfile

RATE_HZ = 24_000
EXACT = 1e-6
STEP_16 = 2.0**-15
LOSSY = 2e-3
ADPCM = 3e-2
"""libsndfile and FFmpeg round the predictions of MS ADPCM differently; both are as near to what was encoded."""
SURROUND = 1e-5


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        file: its name.
        what: container, codec, bits, channels, what is odd about it.
        make: gives its bytes.
        tolerance: the largest difference from FFmpeg's samples.
        ends: samples by which the ends may differ.
        refused: whether it is to be refused.
        ffmpeg: whether FFmpeg's answer counts: it guesses at some damage.
    """

    file: str
    what: str
    make: Callable[[], bytes]
    tolerance: float = EXACT
    ends: int = 0
    refused: bool = False
    ffmpeg: bool = True


def voice(channels: int = 1, rate_hz: int = RATE_HZ, seconds: float = 1.5) -> np.ndarray:
    """(C, T) of tones that come and go, and noise."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    tones = [np.sin(2 * np.pi * (200 + 150 * c) * time) * (0.3 + 0.2 * np.sin(7 * time)) for c in range(channels)]
    noise = np.random.default_rng(0).standard_normal((channels, time.size))
    return (np.stack(tones) + 0.03 * noise).astype(np.float32)


def by_sndfile(form: str, subtype: str, channels: int = 1, rate_hz: int = RATE_HZ, endian: str = "FILE") -> bytes:
    """A file that libsndfile writes."""
    file = io.BytesIO()
    soundfile.write(file, voice(channels, rate_hz).T, rate_hz, format=form, subtype=subtype, endian=endian)
    return file.getvalue()


def by_ffmpeg(form: str, codec: str, channels: int = 1, rate_hz: int = 48_000, layout: str | None = None) -> bytes:
    """A file that FFmpeg writes."""
    file = io.BytesIO()
    layout = layout or {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        audio = np.ascontiguousarray(voice(channels, rate_hz))
        frame = av.AudioFrame.from_ndarray(audio, format="fltp", layout=layout)
        stream.bit_rate = 128_000
        frame.sample_rate, frame.pts = rate_hz, 0
        resampler = av.AudioResampler(
            format=stream.format, layout=layout, rate=rate_hz, frame_size=stream.codec_context.frame_size or 1024
        )
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return file.getvalue()


def riff(samples: bytes, *, tag: int = 1, bits: int = 16, channels: int = 1, size: int | None = None,
         before: bytes = b"", magic: bytes = b"RIFF", more: bytes = b"", rate_hz: int = RATE_HZ) -> bytes:  # fmt: skip
    """A WAV by hand, of a header that may say anything."""
    align = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * align, align, bits) + more
    chunks = before + b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(samples) if size is None else size) + samples
    return magic + struct.pack("<I", 4 + len(chunks) if size is None else 0xFFFFFFFF) + b"WAVE" + chunks


def steps(channels: int = 1) -> bytes:
    """16-bit samples."""
    return np.round(voice(channels).T * 32767).astype("<i2").tobytes()


def extensible(mask: int, bits: int = 16) -> bytes:
    """What the format chunk of a WAV has beyond the usual 16 bytes, for plain samples at loudspeakers."""
    return struct.pack("<HHIH", 22, bits, mask, 1) + b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"


def id3(size: int) -> bytes:
    """A tag of so many bytes, as before MP3s."""
    number = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x04\0\0" + number + bytes(size)


def unknown_length(flac: bytes) -> bytes:
    """A FLAC whose writer did not go back to say how long it is."""
    return flac[:21] + bytes([flac[21] & 0xF0]) + bytes(4) + flac[26:]


def _sndfile_kinds() -> Iterator[Kind]:
    rows = [
        ("WAV", "PCM_U8", EXACT), ("WAV", "PCM_16", EXACT), ("WAV", "PCM_24", EXACT), ("WAV", "PCM_32", EXACT),
        ("WAV", "FLOAT", EXACT), ("WAV", "DOUBLE", EXACT), ("WAV", "ULAW", EXACT), ("WAV", "ALAW", EXACT),
        ("WAV", "IMA_ADPCM", STEP_16), ("WAV", "MS_ADPCM", ADPCM), ("WAV", "GSM610", LOSSY),
        ("WAVEX", "PCM_24", EXACT), ("RF64", "PCM_16", EXACT), ("RF64", "FLOAT", EXACT),
        ("W64", "PCM_24", EXACT), ("W64", "ULAW", EXACT), ("AIFF", "PCM_S8", EXACT), ("AIFF", "PCM_16", EXACT),
        ("AIFF", "PCM_24", EXACT), ("AIFF", "FLOAT", EXACT), ("AIFF", "ULAW", EXACT), ("AU", "PCM_16", EXACT),
        ("AU", "PCM_24", EXACT), ("AU", "FLOAT", EXACT), ("AU", "ALAW", EXACT), ("CAF", "PCM_16", EXACT),
        ("CAF", "ALAC_16", EXACT), ("CAF", "ALAC_24", EXACT), ("FLAC", "PCM_S8", EXACT), ("FLAC", "PCM_16", EXACT),
        ("FLAC", "PCM_24", EXACT), ("OGG", "VORBIS", LOSSY), ("OGG", "OPUS", LOSSY), ("MP3", "MPEG_LAYER_III", LOSSY),
        ("NIST", "PCM_16", EXACT), ("VOC", "PCM_16", EXACT), ("IRCAM", "PCM_16", EXACT),
        ("SVX", "PCM_16", EXACT), ("PAF", "PCM_16", EXACT), ("AVR", "PCM_16", EXACT), ("MAT5", "FLOAT", EXACT),
    ]  # fmt: skip
    for form, subtype, tolerance in rows:
        for channels in (1, 2):
            if channels == 2 and (form, subtype) not in _IN_STEREO:
                continue
            ends = 3000 if subtype.startswith("MPEG") else 1000 if subtype[:4] in ("ALAC", "GSM6") else 0
            rate_hz = 48_000 if subtype == "OPUS" else RATE_HZ  # FFmpeg decodes Opus at 48 kHz always
            name = f"{form}-{subtype}{'-stereo' if channels == 2 else ''}".lower().replace("_", "-")
            ending = {"WAVEX": "wav", "RF64": "wav", "MAT5": "mat", "NIST": "wav"}.get(form, form.lower())
            what = f"{form}, {subtype}, {'mono' if channels == 1 else 'stereo'}, by libsndfile"
            make = partial(by_sndfile, form, subtype, channels, rate_hz)
            yield Kind(f"{name}.{ending}", what, make, tolerance, ends)


_IN_STEREO = {("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "IMA_ADPCM"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"),
              ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_16")}  # fmt: skip


def _ffmpeg_kinds() -> Iterator[Kind]:
    for form, codec, channels, ending, what in (
        ("ipod", "aac", 1, "m4a", "M4A, AAC, mono"), ("ipod", "aac", 2, "m4a", "M4A, AAC, stereo"),
        ("ipod", "alac", 2, "m4a", "M4A, ALAC, stereo"), ("adts", "aac", 1, "aac", "AAC in ADTS, mono"),
        ("webm", "libopus", 1, "webm", "WebM, Opus, mono"), ("matroska", "libopus", 2, "mka", "Matroska, Opus, stereo"),
        ("matroska", "flac", 1, "mka", "Matroska, FLAC, mono"), ("ogg", "flac", 1, "ogg", "Ogg, FLAC, mono"),
        ("asf", "wmav2", 2, "wma", "WMA, stereo"), ("wv", "wavpack", 2, "wv", "WavPack, stereo"),
        ("tta", "tta", 1, "tta", "True Audio, mono"), ("ac3", "ac3", 2, "ac3", "AC-3, stereo"),
        ("mov", "pcm_s24le", 2, "mov", "QuickTime, 24-bit PCM, stereo"),
        ("mpegts", "mp2", 1, "ts", "MPEG transport stream, MP2"),
        ("ipod", "aac", 6, "m4a", "M4A, AAC, 5.1"), ("flac", "flac", 6, "flac", "FLAC, 5.1"),
    ):  # fmt: skip
        name = f"{form}-{codec}-{channels}.{ending}".replace("_", "-")
        tolerance = SURROUND if channels == 6 else EXACT
        yield Kind(name, f"{what}, by FFmpeg", lambda f=form, c=codec, n=channels: by_ffmpeg(f, c, n), tolerance)


def _odd_kinds() -> Iterator[Kind]:
    data = steps()
    mp3, flac, ogg = by_sndfile("MP3", "MPEG_LAYER_III"), by_sndfile("FLAC", "PCM_16"), by_sndfile("OGG", "VORBIS")
    wide = np.round(voice().T * (2**31 - 1)).astype("<i4").tobytes()
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, len(data) + 100, len(data), len(data) // 2, 0)
    yield Kind(
        "size-unknown.wav", "WAV whose size is -1, as a pipe's writer leaves it", lambda: riff(data, size=0xFFFFFFFF)
    )
    yield Kind("size-zero.wav", "WAV whose size is 0", lambda: riff(data, size=0))
    yield Kind("riff-junk.wav", "WAV with a chunk of 100,001 bytes before the format",
               lambda: riff(data, before=b"JUNK" + struct.pack("<I", 100_001) + bytes(100_002)))  # fmt: skip
    yield Kind("riff-trailing.wav", "WAV with a list after the samples", lambda: riff(data) + b"LIST\x04\0\0\0INFO")
    yield Kind(
        "extensible.wav",
        "WAV, extensible, 5.1",
        lambda: riff(steps(6), tag=0xFFFE, channels=6, more=extensible(0x3F)),
        SURROUND,
    )
    yield Kind(
        "quad.wav",
        "WAV, extensible, 4 channels with a mask",
        lambda: riff(steps(4), tag=0xFFFE, channels=4, more=extensible(0x33)),
        SURROUND,
    )
    yield Kind("bw64.wav", "BW64", lambda: riff(data, magic=b"BW64", size=0xFFFFFFFF, before=ds64))
    yield Kind("big-endian.wav", "RIFX, 16 bits, high byte first", lambda: by_sndfile("WAV", "PCM_16", endian="BIG"),
               ffmpeg=False)  # fmt: skip  # its libraries take the bytes in the wrong order
    yield Kind("wav32.wav", "WAV, 32 bits", lambda: riff(wide, bits=32))
    yield Kind("rate-8000.wav", "WAV at 8 kHz", lambda: by_sndfile("WAV", "PCM_16", rate_hz=8000))
    yield Kind("rate-192000.flac", "FLAC at 192 kHz", lambda: by_sndfile("FLAC", "PCM_24", rate_hz=192_000))
    yield Kind("tag.mp3", "MP3 after a tag of 2 MB", lambda: id3(2_000_000) + mp3, LOSSY, 3000)
    yield Kind("tag.flac", "FLAC after an ID3 tag", lambda: id3(300) + flac, ffmpeg=True)
    yield Kind("unknown.flac", "FLAC that does not say its length", lambda: unknown_length(flac))
    yield Kind(
        "links.ogg", "Ogg Vorbis of two links", lambda: ogg + by_sndfile("OGG", "VORBIS"), LOSSY, 100_000, ffmpeg=False
    )
    yield Kind("no-suffix", "MP3 without a suffix", lambda: mp3, LOSSY, 3000)
    yield Kind("wrong-suffix.wav", "FLAC called .wav", lambda: flac)
    refused = (
        ("cut.wav", "WAV, cut off in the middle", lambda: riff(data)[: len(data) // 2]),
        ("changes.mp3", "MP3 that goes on in another form",
         lambda: mp3 + by_sndfile("MP3", "MPEG_LAYER_III", 2, 44_100)),
        ("cut.flac", "FLAC, cut off in the middle", lambda: flac[: len(flac) // 2]),
        ("empty.wav", "an empty file", bytes), ("text.mp3", "text called .mp3", lambda: b"No sound in here.\n" * 9),
        ("nine.wav", "WAV of 9 channels without a mask", lambda: riff(steps(9), channels=9)),
        ("no-samples.wav", "WAV without samples", lambda: riff(b"")),
        ("nan.wav", "WAV with samples that are not numbers",
         lambda: riff(np.full(2000, np.nan, "<f4").tobytes(), tag=3, bits=32)),
    )  # fmt: skip
    for name, what, make in refused:
        yield Kind(name, what, make, refused=True)


def untold(mp3: bytes) -> bytes:
    """An MP3 without its first frame, which tells how many follow."""
    return mp3[mp3.find(mp3[:2], 4) :]


def _around_kinds() -> Iterator[Kind]:
    """Files that do not begin or end with their sound, or do not tell where it ends."""
    mp3, flac, ogg = by_sndfile("MP3", "MPEG_LAYER_III"), by_sndfile("FLAC", "PCM_16"), by_sndfile("OGG", "VORBIS")
    wav, ulaw, w64 = by_sndfile("WAV", "PCM_16"), by_sndfile("WAV", "ULAW"), by_sndfile("W64", "PCM_16")
    end = b"TAG" + bytes(125)
    yield Kind("tag.wav", "WAV after an ID3 tag", lambda: id3(300) + wav, ffmpeg=False)
    yield Kind("tag-end.flac", "FLAC before an ID3v1 tag", lambda: flac + end)
    yield Kind("tail.w64", "Wave64 before 5,000 zeros", lambda: w64 + bytes(5000))
    yield Kind("joined.mp3", "two MP3s, one after the other", lambda: mp3 + mp3, LOSSY, 3000)
    yield Kind("joined-tag.mp3", "two MP3s with a tag between them", lambda: mp3 + id3(3000) + mp3, LOSSY, 3000)
    yield Kind("untold.mp3", "MP3 that does not say its length", lambda: untold(mp3), LOSSY, 3000)
    yield Kind("foreign.ogg", "Ogg Vorbis of two links with four bytes of something else between them",
               lambda: ogg + b"????" + ogg, LOSSY, 1000, ffmpeg=False)  # fmt: skip
    size = ulaw.find(b"data") + 4
    yield Kind("size-zero-ulaw.wav", "WAV, µ-law, whose size is 0",
               lambda: ulaw[:size] + bytes(4) + ulaw[size + 4 :])  # fmt: skip
    yield Kind("half-sample.wav", "WAV whose size ends within a sample",
               lambda: riff(steps(), size=len(steps()) - 1))  # fmt: skip
    for name, what, make in (
        ("cut.webm", "WebM, Opus, cut off in the middle", lambda: halved(by_ffmpeg("webm", "libopus"))),
        ("cut.m4a", "M4A, AAC, cut off in the middle", lambda: halved(by_ffmpeg("ipod", "aac"))),
        ("cut-nist.wav", "NIST SPHERE, cut off in the middle", lambda: halved(by_sndfile("NIST", "PCM_16"))),
        ("cut.mp3", "MP3, cut off in the middle", lambda: halved(mp3)),
    ):  # fmt: skip
        yield Kind(name, what, make, refused=True)


def halved(data: bytes) -> bytes:
    """The first half of a file."""
    return data[: len(data) // 2]


def kinds() -> list[Kind]:
    """All of them."""
    return [*_sndfile_kinds(), *_ffmpeg_kinds(), *_odd_kinds(), *_around_kinds()]

"""Creative Voice files of several blocks: all their sound, and nothing of their heads."""

import io
import struct
import tracemalloc

import numpy as np
import pytest

from recodec.audio.files import AudioReader, read_audio
from recodec.audio.stretches import read_stretch
from recodec.errors import AudioError, IncompleteError

RATE_HZ = 8_000
SOUND = (3000 * np.random.default_rng(0).standard_normal(RATE_HZ)).astype("<i2")
END = b"\0"


def block(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + len(content).to_bytes(3, "little") + content


def new(samples: bytes, rate_hz: int = RATE_HZ, bits: int = 16, channels: int = 1, codec: int = 4) -> bytes:
    return block(9, struct.pack("<IBBHI", rate_hz, bits, channels, codec, 0) + samples)


def voc(*blocks: bytes) -> bytes:
    return b"Creative Voice File\x1a" + struct.pack("<HHH", 26, 0x0114, 0x111F) + b"".join(blocks)


def parts(count: int) -> list[bytes]:
    return [part.tobytes() for part in np.array_split(SOUND, count)]


@pytest.mark.parametrize("ending", [END, b"", END + b"and more"])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_blocks_are_joined(count: int, ending: bytes) -> None:
    first, *others = parts(count)
    for rest in ([block(2, part) for part in others], [new(part) for part in others]):
        file = voc(block(5, b"a text\0"), new(first), *rest, ending)
        audio, rate_hz = read_audio(file)
        assert rate_hz == RATE_HZ
        np.testing.assert_array_equal(audio[0] * 32768, SOUND)
        np.testing.assert_array_equal(read_stretch(io.BytesIO(file), "a", 3000, 2000), audio[:, 3000:5000])


def test_silence_and_the_older_forms_of_blocks() -> None:
    mono = bytes([256 - 125, 0])  # a millionth of a second 125 times: 8 kHz, bytes
    found, rate_hz = read_audio(voc(block(1, mono + b"\xff" * 500), block(3, struct.pack("<HB", 299, 131)), END))
    assert rate_hz == RATE_HZ
    np.testing.assert_array_equal(found[0], [127 / 128] * 500 + [0] * 300)
    stereo = block(8, struct.pack("<HBB", 65_536 - 256_000_000 // (RATE_HZ * 2), 0, 1)) + block(
        1, mono + b"\x00\xff" * 500
    )
    found, rate_hz = read_audio(voc(stereo, block(2, b"\x00\xff" * 100), END))
    assert rate_hz == RATE_HZ
    np.testing.assert_array_equal(found[:, ::599], [[-1, -1], [127 / 128] * 2])


def test_what_is_cut_off_or_changes_is_said() -> None:
    first, second = parts(2)
    cut = voc(new(first), block(2, second))[:-2000]
    with pytest.raises(IncompleteError, match="7000"):
        read_audio(cut)
    audio, _ = read_audio(cut, partial=True)
    np.testing.assert_array_equal(audio[0] * 32768, SOUND[:7000])
    for other in (new(second, rate_hz=16_000), new(second, channels=2), new(second, codec=0, bits=8)):
        with pytest.raises(AudioError, match="changes from 8000 Hz and 1 channel"):
            read_audio(voc(new(first), other, END))


def test_blocks_after_a_tag() -> None:
    first, second = parts(2)
    audio, _ = read_audio(b"ID3\x04\0\0\0\0\0\x14" + bytes(20) + voc(new(first), block(2, second), END))
    np.testing.assert_array_equal(audio[0] * 32768, SOUND)


def test_silence_takes_no_memory() -> None:
    """4,000 of the longest, of different lengths: 508 megabytes as bytes."""
    silences = [block(3, struct.pack("<HB", 65_535 - number, 131)) for number in range(4000)]
    file = voc(new(SOUND[:1].tobytes()), *silences, END)
    tracemalloc.start()
    with AudioReader(file) as reader:
        assert reader.num_samples == 1 + sum(65_536 - number for number in range(4000))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2e8

"""Samples as plain bytes: exact both ways, equal to libsndfile's, and refused where they make no sense."""

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.audio.pcm import FORMATS, Pcm
from recodec.errors import AudioError, ConfigError

SUBTYPES = {"u8": "PCM_U8", "s16le": "PCM_16", "s24le": "PCM_24", "s32le": "PCM_32", "f32le": "FLOAT",
            "f64le": "DOUBLE"}  # fmt: skip


@pytest.mark.parametrize("name", SUBTYPES)
@pytest.mark.parametrize("channels", [1, 2])
def test_bytes_mean_what_libsndfile_says(name, channels):
    rng = np.random.default_rng(0)
    if name.startswith("f"):
        data = rng.uniform(-1, 1, (500, channels)).astype("<" + name[0] + str(FORMATS[name][0])).tobytes()
    else:
        data = rng.integers(0, 256, 500 * channels * FORMATS[name][0], dtype=np.uint8).tobytes()
    theirs, _ = soundfile.read(
        io.BytesIO(data), format="RAW", subtype=SUBTYPES[name], endian="LITTLE", channels=channels, samplerate=8000,
        dtype="float32", always_2d=True,
    )  # fmt: skip
    ours = Pcm(8000, channels, name).decode(data)
    assert ours.shape == (channels, 500)
    assert ours.dtype == np.float32
    assert np.abs(ours - theirs.T).max() <= 2**-24
    again = Pcm(8000, channels, name).encode(ours)
    if name not in ("s32le", "f64le"):  # which hold more than float32 does
        assert again == data


@pytest.mark.parametrize(("little", "big"), [("s16le", "s16be"), ("s32le", "s32be"), ("f32le", "f32be")])
def test_byte_order(little, big):
    audio = np.random.default_rng(0).uniform(-1, 1, (2, 50)).astype(np.float32)
    turned = np.frombuffer(Pcm(8000, 2, little).encode(audio), f"<u{FORMATS[little][0]}").byteswap().tobytes()
    assert Pcm(8000, 2, big).encode(audio) == turned
    assert np.array_equal(Pcm(8000, 2, big).decode(turned), Pcm(8000, 2, little).decode(
        Pcm(8000, 2, little).encode(audio)))  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
@given(st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=20))
@settings(deadline=None, max_examples=25, derandomize=True)
def test_any_level_is_clipped_and_rounded(name, values):
    audio = np.array([values], np.float32)
    back = Pcm(8000, 1, name).decode(Pcm(8000, 1, name).encode(audio))
    step = 2.0 ** (1 - 8 * FORMATS[name][0]) if name[0] in "su" else 0
    kept = audio if name[0] == "f" else np.clip(audio, -1, 1 - step)  # floats can hold what is beyond full scale
    assert np.abs(back - kept).max() <= step / 2 + 2**-24


def test_text():
    assert Pcm.parse("48000:2:s16le") == Pcm(48_000, 2, "s16le")
    wrong = ("48000:2:mp3", "a:2:s16le", "48000:65:s16le", "48000:0:s16le", "0:1:s16le", "-8000:1:s16le")
    for bad in ("", "48000", "48000:2", *wrong, "9" * 30 + ":1:u8", "9" * 5000 + ":1:u8", "48000:1:s16le:x",
                "4\u0663000:1:u8"):  # fmt: skip
        with pytest.raises(ConfigError):
            Pcm.parse(bad)


def test_what_is_no_audio():
    with pytest.raises(AudioError):
        Pcm(8000, 65)
    with pytest.raises(AudioError):
        Pcm(8, 1)
    with pytest.raises(ConfigError):
        Pcm(8000, 1, "alaw")

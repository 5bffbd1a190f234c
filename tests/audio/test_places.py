"""Channels of files by FFmpeg: each goes where its loudspeaker is, whatever the order of the format."""

import io

import av
import numpy as np
import pytest

from recodec.audio.files import read_audio
from recodec.audio.sndfile import SndFile
from support.encoding import RATE_HZ, by_ffmpeg

HALF = 0.5**0.5
# By ITU-R BS.775: what a place gives to (left, right).
SHARES = {"FL": (1, 0), "FR": (0, 1), "FC": (HALF, HALF), "LFE": (0, 0), "BL": (HALF, 0), "BR": (0, HALF),
          "BC": (0.5, 0.5), "SL": (HALF, 0), "SR": (0, HALF)}  # fmt: skip
# Of the Vorbis I specification, section 4.3.9.
OF_VORBIS = {"3.0": "FL FC FR", "quad": "FL FR BL BR", "5.0": "FL FC FR BL BR", "5.1": "FL FC FR BL BR LFE",
             "6.1": "FL FC FR SL SR BC LFE"}  # fmt: skip


def vorbis(samples: np.ndarray) -> bytes:
    """(C, T) as a Vorbis file, whose channels libsndfile leaves in their order."""
    file = io.BytesIO()
    with SndFile(file, RATE_HZ, len(samples), "VORBIS", "OGG") as made:
        made.write(samples.T)
    return file.getvalue()


@pytest.mark.parametrize(("container", "codec", "layouts"), [
    ("flac", "flac", "2.1 3.0 4.0 quad 5.0 5.1 6.1 7.1"),
    ("caf", "pcm_s16be", "2.1 3.0 4.0 quad 5.0 5.1"),
    ("w64", "pcm_s16le", "2.1 3.0 4.0 quad 5.0 5.1 6.1 7.1"),
    ("ogg", "libopus", "3.0 quad 5.0 5.1 6.1 7.1"),
    ("ogg", "libsndfile's", "3.0 quad 5.0 5.1 6.1"),
])  # fmt: skip
def test_each_channel_goes_to_its_side(container: str, codec: str, layouts: str) -> None:
    options = {"mapping_family": "1"} if codec == "libopus" else {}
    for layout in layouts.split():
        places = [channel.name for channel in av.AudioLayout(layout).channels]
        times = np.arange(2 * RATE_HZ) / RATE_HZ
        phases = 2 * np.pi * (40 + 10 * np.arange(len(places)))[:, None] * times
        tones, sound = np.exp(1j * phases), 0.1 * np.cos(phases).astype(np.float32)
        if codec == "libsndfile's":
            file = vorbis(sound[[places.index(place) for place in OF_VORBIS[layout].split()]])
        else:
            file = by_ffmpeg(sound, layout, container, codec, options)
        heard, _ = read_audio(file, channels=2)
        inner = slice(RATE_HZ // 2, 3 * RATE_HZ // 2)  # whole periods
        found = 20 * np.abs(heard[:, inner] @ tones[:, inner].conj().T).T / RATE_HZ
        np.testing.assert_allclose(found, [SHARES[place] for place in places], atol=0.1, err_msg=layout)


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
def test_opus_by_ffmpeg_begins_with_its_first_sample(layout: str) -> None:
    """The decoder's first samples, as many as the header tells, are not of the recording (RFC 7845, section 4.2)."""
    clicks = np.zeros((av.AudioLayout(layout).nb_channels, 3 * RATE_HZ), np.float32)
    clicks[:, 40_000] = 0.9
    file = by_ffmpeg(clicks, layout, "ogg", "libopus", {"mapping_family": "1"} if layout == "5.1" else {})
    heard, _ = read_audio(file, channels=1)
    assert np.abs(heard[0]).argmax() == 40_000

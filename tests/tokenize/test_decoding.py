"""Decoding ahead, in processes that may die."""

from __future__ import annotations

import os

import numpy as np

from recodec.audio.files import read_audio
from recodec.corpus import Recording
from recodec.tokenize.decoding import Form, Prefetcher, decode

from .conftest import sound

FORM = Form(24_000, 1, 72_000)


def test_order_is_kept_and_nothing_is_read_too_far_ahead(clips):
    taken = []

    def source():
        for file in sorted(clips.glob("*/*")):
            taken.append(file)
            yield Recording(file.name, str(file), str(file))

    prefetcher = Prefetcher(0, FORM, 3)
    given = []
    for clip, decoded in prefetcher.decoded(source()):
        given.append(clip.id)
        assert len(taken) <= len(given) + 2
        if decoded.audio is None:
            assert decoded.error is None  # it is long
        else:
            np.testing.assert_array_equal(decoded.audio, read_audio(clip.path, rate_hz=24_000, channels=1)[0])
    assert given == [file.name for file in taken]
    prefetcher.close()


class Deadly(bytes):
    """Kills the process that unpacks it."""

    def __reduce__(self):
        return os._exit, (3,)


def test_a_process_that_dies_costs_one_clip(clips):
    files = sorted(clips.glob("*/*.wav"))[:3]
    items = [Recording(str(i), str(file), str(file)) for i, file in enumerate(files)]
    items.insert(1, Recording("deadly", "deadly", Deadly(b"x")))
    prefetcher = Prefetcher(1, FORM, 3)
    found = list(prefetcher.decoded(items))
    prefetcher.close()
    assert [clip.id for clip, _ in found] == ["0", "deadly", "1", "2"]
    assert [clip.id for clip, decoded in found if decoded.error] == ["deadly"]
    assert "died" in (found[1][1].error or "")


def test_samples_in_a_table(codec):
    audio = sound(0.5, 44_100, 2)
    decoded = decode((audio, 44_100), "x", FORM)
    assert decoded.audio is not None
    assert decoded.audio.shape == (1, 12_000)
    for bad in (audio[:, :0], np.full(100, np.nan, np.float32), np.zeros((9, 100), np.float32)):
        assert decode((bad, 24_000), "x", FORM).error
    assert decode((audio, 10), "x", FORM).error

"""MPEG audio from any of its frames, with the bits of the whole.

What a frame gives depends on three things before it: the main data that layer III puts into earlier frames (its
reservoir), the overlap of its transforms (of the frame before), and the memory of the synthesis filter (16 steps, over
which libmpg123 sums in an order that comes back after eight frames). So decoding begins some frames early, at a
multiple of eight, and after silent frames that hold the reservoir.
"""

from __future__ import annotations

from typing import IO, cast

from .mpeg import MARKED, MpegSurvey, frames_alone
from .mpeg_frames import (
    DECODER_DELAY,
    frame_at,
    main_data,
    main_data_begin,
    most_reservoir,
    silent_frame,
    telling_frame,
)  # fmt: skip
from .spliced import Spliced

_PERIOD = 8  # frames
_OVERLAP = 2  # frames whose sound depends on where decoding begins


def begins_within(file: IO[bytes], survey: MpegSurvey) -> bool:
    """Whether a file can be decoded from within: it has no gap, and its first frame needs nothing before it."""
    if len(survey.parts) != 1:
        return False
    return survey.form.layer < 3 or main_data_begin(_frame(file, survey, 0)) == 0


def frames_within(file: IO[bytes], survey: MpegSurvey, start: int, count: int) -> tuple[IO[bytes], int]:
    """The frames that samples `start` to `start + count` of a recording need, as a file, and what to drop at its start.

    Args:
        file: that `begins_within` says yes of.
        survey: of that file.
        start, count: in samples.
    """
    size = survey.form.frame_samples
    place = start + survey.delay
    first = (place // size - _OVERLAP) // _PERIOD * _PERIOD
    if first <= 0:
        return frames_alone(file, survey), start
    # One more, because libsndfile estimates the length of layers I and II, and may be a few samples short.
    last = min(survey.audio_frames, -(-(place + count) // size) + 1)
    begin, end = _place_of(file, survey, first), _place_of(file, survey, last)
    dropped = place - first * size
    if survey.form.layer < 3:
        return cast(IO[bytes], Spliced(file, [(begin, end), _frame(file, survey, last - 1)])), dropped
    file.seek(begin)
    head = file.read(4)
    silence = _PERIOD * silent_frame(head, _reservoir(file, survey, first))
    told = telling_frame(head, None, _PERIOD + last - first, len(silence) + end - begin)
    return cast(IO[bytes], Spliced(file, [told, silence, (begin, end)])), dropped + _PERIOD * size - DECODER_DELAY


def _place_of(file: IO[bytes], survey: MpegSurvey, number: int) -> int:
    """Where a frame with audio begins; of their number: where the last one ends."""
    mark, after = divmod(number + (survey.promise is not None), MARKED)
    place = survey.marks[mark]
    for _ in range(after):
        found = frame_at(file, place)
        if found is None:
            break
        place += found[1]
    return place


def _frame(file: IO[bytes], survey: MpegSurvey, number: int) -> bytes:
    place = _place_of(file, survey, number)
    found = frame_at(file, place)
    file.seek(place)
    return file.read(0 if found is None else found[1])


def _reservoir(file: IO[bytes], survey: MpegSurvey, number: int) -> bytes:
    """The last main data before a frame, as much as it can need."""
    found, most = b"", most_reservoir(survey.form)
    while number and len(found) < most:
        number -= 1
        found = main_data(_frame(file, survey, number)) + found
    return found[-most:]

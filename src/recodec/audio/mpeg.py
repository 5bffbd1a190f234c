"""Files of MPEG audio (MP1, MP2, MP3), looked through before they are decoded.

libmpg123, which decodes them within libsndfile, stops at a change of form without a word, and before its version 1.32.8
a frame of another form could make it write outside of its memory (CVE-2024-10573); a damaged header that reads as one
of another form counts as a change. It gives up at a kilobyte of anything else, and libsndfile takes the length that the
first frame tells, or an estimate, for the truth. So it is given the frames alone, and the right number of them.
"""

from __future__ import annotations

import os
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from typing import IO, NamedTuple, cast

from .containers import id3_bytes
from .mpeg_frames import DECODER_DELAY, MpegForm, Promise, frame_at, next_frame, read_promise, telling_frame
from .spliced import Spliced

MARKED = 128
"""Frames from one mark of a survey to the next."""

FRONT_BYTES = 1 << 16
"""After a tag or other bytes in front, within which the first frame must be."""

_REMEMBERED = 4096
_MAX_TAGS = 16
_FREE_FRAMES = 2  # encoders do not agree on what the first frame counts, and the last one may be padded
_OTHERS = (b"fLaC", b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM", b"OggS", b".snd", b"caff", b"wvpk", b"riff")


class FormChange(NamedTuple):
    """Where a file takes another form: samples before it, at the first form's rate."""

    num_samples: int
    before: MpegForm
    after: MpegForm


class MpegSurvey(NamedTuple):
    """What a walk over the frames of a file found.

    Attributes:
        form: of the first frame.
        frames: whole ones, up to the first change of form.
        parts: of the file that they are, (start, stop) in bytes.
        change: the first change of form, or `None`.
        foreign_bytes: between frames, that are not MPEG audio: damage, or tags in the middle.
        frames_before: the first of those bytes.
        constant: whether all frames have one bitrate, from which libmpg123 then knows the length.
        promise: of the first frame, or `None`.
        missing_share: of the promised bytes, from 0 (all are there) to 1.
        marks: where the frames 0, 128, 256 and so on (`MARKED`) begin, or would.
    """

    form: MpegForm
    frames: int
    parts: list[tuple[int, int]]
    change: FormChange | None
    foreign_bytes: int
    frames_before: int
    constant: bool
    promise: Promise | None
    missing_share: float
    marks: Sequence[int]

    @property
    def promised_samples(self) -> int:
        """Samples that the file would have if it were whole, if the first frame tells."""
        told = self.promise
        if told is None or told.frames is None:
            return 0
        return max(0, told.frames * self.form.frame_samples - told.delay - told.padding)

    @property
    def delay(self) -> int:
        """Samples that libmpg123 decodes from `frames_alone` and drops at the start."""
        if not self.is_told:
            return 0
        return DECODER_DELAY if self.promise is None else self.promise.delay

    @property
    def is_told(self) -> bool:
        """Whether `frames_alone` puts a frame in front that tells the length; otherwise libmpg123 estimates it well."""
        return self.form.layer == 3 and (self.promise is not None or not self.constant)

    @property
    def audio_frames(self) -> int:
        """Whole frames that have audio."""
        return self.frames - (self.promise is not None)

    def note(self, name: str) -> str | None:
        """One line on what is skipped; `None` if there is nothing."""
        if not self.foreign_bytes:
            return None
        before = (self.frames_before - (self.promise is not None)) * self.form.frame_samples
        at_s = max(0, before - self.delay) / self.form.rate_hz
        return f"{name}: {self.foreign_bytes} bytes, the first at {at_s:.1f} s, are not MPEG audio, and are skipped"


def survey_mpeg(file: IO[bytes], start: int = 0) -> MpegSurvey | None:
    """Walk over the frames of a file; `None` if it is not MPEG audio.

    What was found of a file on disk is remembered, since training opens the same ones again and again.

    Args:
        file: that can seek; it stands at its start, before and after.
        start: where the frames, or tags before them, begin.
    """
    key = _identity(file, start)
    if key is not None and key in _found:
        return _found[key]
    try:
        place = _after_tags(file, start)
        survey = None if place is None else _walked(file, place)
    finally:
        file.seek(0)
    if key is not None:
        _found[key] = survey
        if len(_found) > _REMEMBERED:
            _found.popitem(last=False)
    return survey


def frames_alone(file: IO[bytes], survey: MpegSurvey) -> IO[bytes]:
    """The whole frames of a file as a file; of layer III, the first one tells how many there are."""
    parts = survey.parts
    if not survey.is_told:
        return cast(IO[bytes], Spliced(file, parts))
    if survey.promise is not None:
        (start, stop), *others = parts
        parts = [(start + len(survey.promise.frame), stop), *others]
    file.seek(survey.parts[0][0])
    size = sum(stop - start for start, stop in parts)
    front = telling_frame(file.read(4), survey.promise, survey.audio_frames, size)
    return cast(IO[bytes], Spliced(file, [front, *parts]))


def after_foreign_bytes(file: IO[bytes]) -> int | None:
    """Where MPEG audio begins after other bytes, if it does soon. The file stands at its start afterwards."""
    place = next_frame(file, 0, FRONT_BYTES)
    file.seek(0)
    return place


_found: OrderedDict[tuple[int, ...], MpegSurvey | None] = OrderedDict()


def _identity(file: IO[bytes], start: int) -> tuple[int, ...] | None:
    """What tells a walk from a place of a file on disk from others, and from one over the file after a change."""
    try:
        about = os.fstat(file.fileno())
    except (AttributeError, OSError, ValueError):
        return None
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, start


def _after_tags(file: IO[bytes], start: int) -> int | None:
    """Where the first frame is; `None` if the file is not MPEG audio."""
    place = start
    for _ in range(_MAX_TAGS):
        tag = id3_bytes(file, place)
        if not tag:
            break
        place += tag
    if frame_at(file, place) is not None:
        return place
    file.seek(place)
    if place == start or file.read(4) in _OTHERS:
        return None
    return next_frame(file, place, place + FRONT_BYTES)


def _walked(file: IO[bytes], place: int) -> MpegSurvey | None:
    first = frame_at(file, place)
    if first is None:
        return None
    form, begin, end = first[0], place, file.seek(0, os.SEEK_END)
    file.seek(place)
    promise = read_promise(file.read(first[1])) if form.layer == 3 else None
    frames, smallest, largest, before, change = 0, first[1], first[1], 0, None
    parts, marks = [(place, place)], array("q", [place])
    while True:
        found = frame_at(file, place)
        if found is None:
            after = next_frame(file, place + 1)
            if after is None:
                break
            before = before if len(parts) > 1 else frames
            parts.append((after, after))
            place = after
            continue
        if found[0] != form:
            change = FormChange(frames * form.frame_samples, form, found[0])
            break
        place += found[1]
        smallest, largest = min(smallest, found[1]), max(largest, found[1])
        if place > end:
            break
        frames += 1
        parts[-1] = (parts[-1][0], place)
        if frames % MARKED == 0:
            marks.append(place)
    missing = 0.0
    if promise is not None and promise.num_bytes and end - begin < promise.num_bytes - _FREE_FRAMES * largest:
        missing = 1 - (end - begin) / promise.num_bytes
    parts = [part for part in parts if part[1] > part[0]]
    foreign = sum(after[0] - part[1] for part, after in pairwise(parts))
    constant = largest - smallest <= 4  # a slot of padding
    if not frames:
        return None
    return MpegSurvey(form, frames, parts, change, foreign, before, constant, promise, missing, marks)

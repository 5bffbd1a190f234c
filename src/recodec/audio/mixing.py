"""More channels than two, mixed to stereo or mono by the usual coefficients (ITU-R BS.775-3, annex 4, table 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index

import numpy as np

from ..errors import AudioError
from ..text import counted
from .samples import Samples

MAX_SOURCE_CHANNELS = 8
# Half of the power: FC gives that much to each side, and a surround channel to its own side.
_HALF = math.sqrt(0.5)
# Places of loudspeakers by the bits of a WAV's mask, and what each gives to (left, right).
PLACES = ("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR")
_SHARES = {
    "FL": (1.0, 0.0), "FR": (0.0, 1.0), "FC": (_HALF, _HALF), "LFE": (0.0, 0.0), "BL": (_HALF, 0.0),
    "BR": (0.0, _HALF), "FLC": (1.0, 0.0), "FRC": (0.0, 1.0), "BC": (0.5, 0.5), "SL": (_HALF, 0.0), "SR": (0.0, _HALF),
}  # fmt: skip
# Where a file does not say it: the order of WAV and FLAC.
_USUAL = {
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}


def places_of(channels: int, mask: int = 0) -> tuple[str, ...] | None:
    """Places of the channels of a file, by a WAV's mask or the usual order; `None` if they cannot be known."""
    # Where a mask does not name as many places as there are channels, the usual order is a better guess.
    named = tuple(name for bit, name in enumerate(PLACES) if mask >> bit & 1)
    return named if len(named) == channels else _USUAL.get(channels)


def mask_of(places: Sequence[str]) -> int:
    """A WAV's mask of places; 0 where one of them is not in it, or they are not in its order."""
    if any(place not in PLACES for place in places) or list(places) != sorted(set(places), key=PLACES.index):
        return 0
    return sum(1 << PLACES.index(place) for place in places)


def check_select(select: Sequence[int]) -> list[int]:
    """The numbers of the channels that are to be taken.

    Raises:
        AudioError: for what is not a list of whole numbers.
    """
    try:
        return [index(number) for number in select]
    except TypeError as error:
        raise AudioError(f"select is a list of one or two channels, as [3] or [1, 2], got {select!r}") from error


class Mixer:
    """Brings recordings to the channels that are wanted.

    Args:
        channels: of the recording.
        wanted: 1 or 2; mono is the mean of stereo.
        mask: of loudspeakers, as a WAV has it; 0 where that is not known.
        select: take these channels of the recording, counted from 1, and mix nothing else in.
        name: what the errors call the recording.

    Attributes:
        note: one line that says what is done, if it is more than stereo to mono; else `None`.

    Raises:
        AudioError: for channels whose places are not known, or that the recording does not have.
    """

    def __init__(
        self, channels: int, wanted: int, *, mask: int = 0, select: Sequence[int] | None = None, name: str = "audio"
    ) -> None:
        self.wanted, self.note = wanted, None
        self._select: list[int] | None = None
        self._matrix: np.ndarray | None = None
        if select is not None:
            self._select = self._checked(select, channels, name)
        if wanted not in (1, 2):
            raise AudioError(f"the output has {wanted} channels; only mono (1) and stereo (2) are supported")
        if self._select is not None:
            return
        if channels > 2:
            places = places_of(channels, mask)
            if places is None:
                raise AudioError(
                    f"{name} has {channels} channels, and their places are not known",
                    "choose some of them with --channels (channels= in Python)",
                )
            self._matrix = np.array([_SHARES[place] for place in places], np.float32).T
            self.note = f"{name}: {channels} channels ({' '.join(places)}) are mixed to {wanted} by ITU-R BS.775"
        elif channels < 1:
            raise AudioError(f"{name} has {channels} channels")

    def __call__(self, audio: Samples) -> Samples:
        """(C, T) to (wanted, T)."""
        if self._select is not None:
            audio = audio[self._select]
        elif self._matrix is not None:
            audio = self._matrix @ audio
        if len(audio) == self.wanted:
            return audio
        if self.wanted == 1:
            return audio.mean(axis=0, keepdims=True, dtype=np.float32)
        return np.repeat(audio, 2, axis=0)

    @staticmethod
    def _checked(select: Sequence[int], channels: int, name: str) -> list[int]:
        select = check_select(select)
        if not 1 <= len(select) <= 2 or any(not 1 <= number <= channels for number in select):
            chosen = ",".join(map(str, select))
            raise AudioError(
                f"{name} has {counted(channels, 'channel')}: one or two of them can be chosen, not {chosen}"
            )
        return [number - 1 for number in select]

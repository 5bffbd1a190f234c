"""Ogg files of several links: recordings that were put one after the other, as internet radio does (RFC 3533)."""

from __future__ import annotations

import os
from typing import IO, NamedTuple

_CAPTURE = b"OggS\0"  # with the version
_HEAD_BYTES = 27
_BEGIN = 2
_SEARCH_BYTES = 1 << 16

MAX_LINKS = 1000
"""Each link gets a decoder, and all of them are opened at once, so there must be a limit."""


class OggPages(NamedTuple):
    """What the pages of an Ogg file show.

    Attributes:
        links: the parts of the file that each is made of, (start, stop) in bytes; one link for a usual file, none for
            other files.
        is_cut: whether the file ends within a page.
        foreign_bytes: between the pages.
    """

    links: list[list[tuple[int, int]]]
    is_cut: bool
    foreign_bytes: int

    def note(self, name: str) -> str | None:
        """One line on what is skipped; `None` if there is nothing."""
        if not self.foreign_bytes:
            return None
        return f"{name}: {self.foreign_bytes} bytes between its pages are not Ogg, and are skipped"


def ogg_pages(file: IO[bytes]) -> OggPages:
    """Look through the pages of a file that can seek."""
    end = file.seek(0, os.SEEK_END)
    links: list[list[tuple[int, int]]] = []
    place, foreign, beginning = 0, 0, False
    while place < end:
        file.seek(place)
        head = file.read(_HEAD_BYTES)
        if not head.startswith(_CAPTURE[: len(head)]):
            after = _next_page(file, place)
            if after is None:  # a damaged page, or a tag: libogg may make more of it
                if links:
                    _append(links[-1], place, end)
                break
            foreign += after - place
            place = after
            continue
        if len(head) < _HEAD_BYTES:
            return OggPages(links, True, foreign)
        lengths = file.read(head[26])
        begins = bool(head[5] & _BEGIN)
        if begins and not beginning:  # the first pages of all streams of a link stand together
            links.append([])
        beginning = begins
        stop = place + _HEAD_BYTES + len(lengths) + sum(lengths)
        if links:
            _append(links[-1], place, min(stop, end))
        place = stop
    return OggPages(links, place > end, foreign)


def _append(parts: list[tuple[int, int]], start: int, stop: int) -> None:
    if parts and parts[-1][1] == start:
        start = parts.pop()[0]
    parts.append((start, stop))


def _next_page(file: IO[bytes], place: int) -> int | None:
    """Where the next page begins."""
    while True:
        file.seek(place)
        block = file.read(_SEARCH_BYTES)
        at = block.find(_CAPTURE)
        if at >= 0:
            return place + at
        if len(block) < len(_CAPTURE):
            return None
        place += len(block) - len(_CAPTURE) + 1

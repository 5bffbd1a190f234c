"""Names of recordings: as ids that are unique and safe as file names, and as text that is safe to show."""

from __future__ import annotations

from pathlib import PurePosixPath

MAX_NAME_BYTES = 255
"""The longest name of a file on the systems in use."""


def clean_id(name: str) -> str:
    """A name of the input as an id: a relative path that does not leave its folder, in valid Unicode."""
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "..", ".")]
    return printable("/".join(parts) or "clip")


def printable(text: str) -> str:
    """A file's name as valid Unicode: the system may have bytes in it, and JSON surrogates, that are not."""
    return (
        text.encode("utf-8", "surrogateescape" if _escaped(text) else "replace")
        .decode("utf-8", "replace")
        .replace("\0", "?")
    )


def _escaped(text: str) -> bool:
    """Whether a text is what the system makes of bytes that are not UTF-8."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def fits_as_file(id: str, suffix: str) -> bool:
    """Whether a file can be called by an id and a suffix."""
    parts = f"{id}{suffix}".split("/")
    return all(len(part.encode()) <= MAX_NAME_BYTES for part in parts)


class Names:
    """Gives each name once: one that comes again gets `~2`, `~3` and so on, in the order in which they come."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """The name, or a form of it that was not given before."""
        found, number = name, self._next.get(name, 1)
        while found in self._taken:
            number += 1
            found = f"{name}~{number}"
        self._taken.add(found)
        self._next[name] = number
        return found

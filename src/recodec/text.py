"""Text from outside: JSON that may be anything, names that may hold anything, and the system's own words."""

from __future__ import annotations

import difflib
import errno
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .errors import ConfigError


def read_json_object(path: str | Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        ConfigError: if it is not valid JSON in UTF-8, is nested too deeply, has a number of too many digits, or does
            not hold an object.
        FileNotFoundError: if there is no such file.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} does not hold a JSON object")
    return values


def shown(text: str) -> str:
    """A text as it is safe to show on a terminal or in a table: control characters are written as escapes.

    Names in files come from anywhere. A terminal obeys what is in them, and a line feed makes a line of its own.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def system_reason(error: OSError) -> str:
    """Why the system could not do something with a file, in its words.

    Windows says of a folder that is opened as a file that permission is denied; this says what other systems say.
    """
    if sys.platform == "win32" and isinstance(error, PermissionError) and os.path.isdir(error.filename or ""):
        return os.strerror(errno.EISDIR)
    return error.strerror or str(error)


def quoted(path: str | Path) -> str:
    """A name as a word of a command line that the user's shell takes as it is."""
    if sys.platform == "win32":
        from subprocess import list2cmdline

        return list2cmdline([str(path)])
    from shlex import quote

    return quote(str(path))


def counted(number: int, one: str, many: str = "") -> str:
    """A number and what there is so many of: `1 clip`, `2 clips`.

    Args:
        number: 0 or more.
        one: the word for one, with a verb if there is to be one: `clip is broken`.
        many: for other numbers; the word for one with an s by default.
    """
    return f"{number} {one if number == 1 else many or one + 's'}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: which known one is like it, or all of them if they are few."""
    known = list(known)
    like = difflib.get_close_matches(word, known, n=1, cutoff=0.7)
    if like:
        return f"; did you mean {like[0]}?"
    return f"; there are {', '.join(known)}" if 0 < len(known) <= _FEW else ""


_FEW = 12

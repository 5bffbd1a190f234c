"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any


@contextmanager
def atomic_write(path: str | Path, *, overwrite: bool = True) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`; on success it takes the name, on any error it vanishes.

    A device or a pipe is not a file that can be replaced: what is written goes there at once.

    Args:
        path: final name.
        overwrite: whether an existing file of that name may be replaced; its rights are kept, and where the name is
            a link, it stays one. Without it the check is made at the start, and again, atomically, at the end.

    Raises:
        FileExistsError: if the name is taken and `overwrite` is false.
        FileNotFoundError: if the folder does not exist.
    """
    path = Path(os.path.realpath(path)) if os.path.islink(path) and overwrite else Path(path)
    if not overwrite and os.path.lexists(path):
        raise FileExistsError(f"{path} exists already")
    if path.exists() and not path.is_file() and not path.is_dir():
        with open_output(path, str(path)) as device:
            yield device
        return
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    # A short name of its own: with more added, a long but legal name would be too long.
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".recodec-", suffix=".part")
    except OSError as error:  # it names the file that could not be made, which nobody asked for
        raise type(error)(error.errno, error.strerror, str(path)) from error
    try:
        with io.BufferedRandom(_Output(handle, "w+", str(path))) as file:
            yield file
        _take_rights(temporary, path)
        if overwrite:
            os.replace(temporary, path)
        else:
            os.link(temporary, path)
            os.unlink(temporary)
    except BaseException:
        _remove(temporary)
        raise


def open_output(file: str | Path | int, name: str) -> IO[bytes]:
    """Open a device or a pipe, which gets what is written at once.

    Args:
        file: its name, or the number of one that is open, and stays so.
        name: of it, in errors.
    """
    return io.BufferedWriter(_Output(file, "w", name, closefd=not isinstance(file, int)))


class _Output(io.FileIO):
    """A file whose errors of writing name it: of a full disk the system says no more than that one is."""

    def __init__(self, file: str | Path | int, mode: str, name: str, *, closefd: bool = True) -> None:
        super().__init__(file, mode, closefd=closefd)
        self._called = name

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            error.filename = self._called
            raise


def write_bytes(path: str | Path, content: bytes, *, overwrite: bool = True) -> None:
    """Write a whole file atomically; see `atomic_write`."""
    with atomic_write(path, overwrite=overwrite) as file:
        file.write(content)


def write_text(path: str | Path, content: str, *, overwrite: bool = True) -> None:
    """Write a whole UTF-8 file atomically; see `atomic_write`."""
    write_bytes(path, content.encode("utf-8"), overwrite=overwrite)


def _take_rights(temporary: str, path: Path) -> None:
    """Give a new file the rights of the one that it replaces, else those of any new file."""
    try:
        old = os.stat(path)
    except OSError:
        os.chmod(temporary, 0o666 & ~_umask())
        return
    os.chmod(temporary, stat.S_IMODE(old.st_mode))
    if sys.platform != "win32":  # which has no owners
        with suppress(OSError):  # only the owner of the system may give a file away
            os.chown(temporary, old.st_uid, old.st_gid)


def _umask() -> int:
    current: Any = os.umask(0)
    os.umask(current)
    return current


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)

"""Files that appear whole or not at all, and what is not a file."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from recodec.atomic import atomic_write, write_bytes
from support.systems import posix


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_bytes(path, b"first")

    def fail() -> None:
        with atomic_write(path) as file:
            file.write(b"second")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["a"]
    with pytest.raises(FileExistsError):
        write_bytes(path, b"third", overwrite=False)


def test_a_folder_that_is_not_there_is_named_as_it_was_given(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        write_bytes(tmp_path / "no" / "a", b"")
    assert raised.value.filename == str(tmp_path / "no" / "a")


@posix
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    path, found = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: found.append(path.read_bytes()))
    reader.start()
    write_bytes(path, b"through")
    reader.join(20)
    assert found == [b"through"]
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


def test_an_error_names_what_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not a temporary file beside it."""

    def refuse(*arguments: object, **named: object) -> object:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / ".recodec-x.part"))

    monkeypatch.setattr("recodec.atomic.tempfile.mkstemp", refuse)
    with pytest.raises(PermissionError) as raised, atomic_write(tmp_path / "a.wav"):
        pass
    assert raised.value.filename == str(tmp_path / "a.wav")


@posix
def test_an_output_that_cannot_be_written_is_named() -> None:
    with pytest.raises(OSError, match="No space left on device") as failed:
        write_bytes("/dev/full", b"x")
    assert failed.value.filename == "/dev/full"

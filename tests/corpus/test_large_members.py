"""Members of tars that do not fit into memory."""

from __future__ import annotations

import io
import os
import tarfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from recodec.audio.files import read_audio
from recodec.audio.writer import write_audio
from recodec.corpus import Part, Recording, list_input, open_bytes, read_entry, tars
from recodec.errors import AudioError
from recodec.evaluation.clips import gather_clips


class Zeros(io.RawIOBase):
    """As many zero bytes as one asks for."""

    def read(self, size: int = -1) -> bytes:
        return bytes(size)


def write_tar(path: Path, members: dict[str, bytes | int]) -> Path:
    """A tar of members; of a number, so many zero bytes."""
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = content if isinstance(content, int) else len(content)
            tar.addfile(member, Zeros() if isinstance(content, int) else io.BytesIO(content))
    return path


def recordings(path: Path) -> list[Recording]:
    return [recording for entry in list_input(str(path)).entries for recording in read_entry(entry)]


@pytest.fixture
def wav(tmp_path: Path) -> bytes:
    write_audio(tmp_path / "a.wav", np.linspace(-0.5, 0.5, 48_000, dtype=np.float32)[None], 24_000)
    return (tmp_path / "a.wav").read_bytes()


@pytest.mark.parametrize("bomb", ["b.wav", "b.txt"])
def test_a_bomb_in_a_packed_tar_is_one_broken_recording(
    tmp_path: Path, wav: bytes, monkeypatch: pytest.MonkeyPatch, bomb: str
) -> None:
    monkeypatch.setattr(tars, "MAX_MEMBER_BYTES", 1_000_000, raising=False)
    members = {"a.wav": wav, bomb: 50_000_000, "b.flac": b"", "c.wav": wav}
    path = write_tar(tmp_path / "x.tar.gz", members)
    tracemalloc.start()
    found = recordings(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
    assert [recording.sound == wav for recording in found] == [True, False, True]
    words = "has 0.1 GB, and no more than 0.0 GB of a tar's member are taken into memory: unpack the tar to a folder"
    assert found[1].error == f"{bomb} {words}"


def test_a_large_member_of_a_plain_tar_is_read_where_it_lies(
    tmp_path: Path, wav: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tars, "PART_BYTES", 1000)
    path = write_tar(tmp_path / "x.tar", {"a.wav": wav, "b.wav": b"small"})
    large, small = recordings(path)
    assert isinstance(large.sound, Part)
    assert small.sound == b"small"
    with open_bytes(large.sound) as file:
        assert file.read() == wav
        assert (file.seek(-4, os.SEEK_END), file.read(), file.read(1)) == (len(wav) - 4, wav[-4:], b"")
        assert (file.seek(10), file.seek(5, os.SEEK_CUR), file.read(3), file.tell()) == (10, 15, wav[15:18], 18)
        np.testing.assert_array_equal(read_audio(file)[0], read_audio(tmp_path / "a.wav")[0])
    assert gather_clips([path])[0].read()[0].shape == (1, 48_000)
    os.truncate(path, 20_000)
    with pytest.raises(AudioError, match=r"x\.tar ends within the recording at byte 512"):
        open_bytes(large.sound)


def test_a_sparse_member_is_not_read_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tar of a few bytes may hold a file of terabytes, too."""
    monkeypatch.setattr(tars, "MAX_MEMBER_BYTES", 1_000_000, raising=False)
    header = bytearray(tarfile.TarInfo("a.wav").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[483:495] = b"%011o\0" % 50_000_000  # the real size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "x.tar").write_bytes(bytes(header) + bytes(1024))
    assert "has 0.1 GB, and no more than" in str(recordings(tmp_path / "x.tar")[0].error)

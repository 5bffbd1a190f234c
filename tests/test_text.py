"""Numbers with their words, and the words of the system."""

from pathlib import Path

import pytest

from recodec.text import counted, system_reason


def test_one_is_singular() -> None:
    assert [counted(number, "clip") for number in (0, 1, 2)] == ["0 clips", "1 clip", "2 clips"]
    assert counted(1, "axis", "axes") == "1 axis"
    assert counted(3, "axis", "axes") == "3 axes"


def test_windows_says_of_a_folder_what_other_systems_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    (tmp_path / "file").touch()
    for name, words in ((".", "Is a directory"), ("file", "Permission denied")):
        assert system_reason(PermissionError(13, "Permission denied", str(tmp_path / name))) == words
    assert system_reason(OSError("bad luck")) == "bad luck"

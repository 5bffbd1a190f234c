"""Files of libsndfile: Ctrl-C is not lost in its callbacks."""

import io
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from recodec.audio.sndfile import SndFile
from recodec.interruptions import interruptions_held


class Interrupting(io.BytesIO):
    """A file at whose next write or read somebody presses Ctrl-C, once `armed`."""

    armed = False

    def _press(self) -> None:
        if self.armed:
            self.armed = False
            signal.raise_signal(signal.SIGINT)

    def write(self, content: Any) -> int:
        self._press()
        return super().write(content)

    def read(self, count: int | None = -1) -> bytes:
        self._press()
        return super().read(count)


@pytest.fixture(autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """Also where the tests run in the background, in which shells ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def recording() -> Interrupting:
    file = Interrupting()
    noise = 0.1 * np.random.default_rng(0).normal(size=100_000)  # more than libsndfile reads ahead
    soundfile.write(file, noise, 24_000, format="FLAC")
    file.seek(0)
    return file


def interrupted(file: Interrupting, work: Callable[[], object], capfd: pytest.CaptureFixture) -> None:
    file.armed = True
    with pytest.raises(KeyboardInterrupt):
        work()
    assert not file.armed
    assert capfd.readouterr().err == ""


def test_ctrl_c_while_it_reads(recording: Interrupting, capfd: pytest.CaptureFixture) -> None:
    sound = SndFile(recording)
    interrupted(recording, lambda: sound.read(100_000), capfd)


def test_ctrl_c_while_it_opens(recording: Interrupting, capfd: pytest.CaptureFixture) -> None:
    interrupted(recording, lambda: SndFile(recording), capfd)


def test_ctrl_c_while_it_writes_and_closes(capfd: pytest.CaptureFixture) -> None:
    file = Interrupting()
    sound = SndFile(file, 24_000, 1, "PCM_16", "WAV")
    interrupted(file, lambda: sound.write(np.zeros((100_000, 1), np.int16)), capfd)
    interrupted(file, sound.close, capfd)


def test_handlers_are_as_before_and_called_once() -> None:
    calls: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: calls.append(number))
    try:
        mine = signal.getsignal(signal.SIGTERM)
        with interruptions_held():
            signal.raise_signal(signal.SIGTERM)
            assert calls == []
        assert calls == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_file_that_is_closed_first_raises_nothing_in_callbacks(capfd: pytest.CaptureFixture) -> None:
    """As where an error closes the file before the last reference to its sound is gone."""
    file = io.BytesIO()
    sound = SndFile(file, 24_000, 1, "PCM_16", "WAV")
    sound.write(np.zeros((100, 1), np.int16))
    file.close()
    sound.close()
    assert isinstance(sound.file_error, ValueError)
    assert capfd.readouterr().err == ""


RESOURCE_FORKS: dict[str, Callable[[Path], object]] = {
    "an empty file": lambda folder: (folder / "._").touch(),
    "a file of other bytes": lambda folder: (folder / "._").write_bytes(bytes(range(256)) * 8),
    "a fork": lambda folder: fork_of_samples(folder),
    "a folder of Netatalk's": lambda folder: (folder / ".AppleDouble").mkdir(),
}


def fork_of_samples(folder: Path) -> None:
    """The resource fork of a Sound Designer II file, as libsndfile writes it."""
    soundfile.write(folder / "recording.sd2", np.zeros((100, 2)), 8_000, format="SD2", subtype="PCM_16")
    (folder / "._recording.sd2").rename(folder / "._")


@pytest.mark.parametrize("kind", RESOURCE_FORKS)
def test_resource_forks_of_other_files(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libsndfile looks for the resource fork of a file without a name in the current folder, under its bare prefix."""
    mp3 = io.BytesIO()
    soundfile.write(mp3, 0.1 * np.random.default_rng(0).normal(size=(9_000, 2)), 24_000, format="MP3")
    mp3 = mp3.getvalue()
    expected, _ = SndFile(io.BytesIO(mp3)).read_to_damage(9_000)
    RESOURCE_FORKS[kind](tmp_path)
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(SndFile(io.BytesIO(mp3)).read_to_damage(9_000)[0], expected)
    with pytest.raises(soundfile.LibsndfileError, match="Format not recognised"):
        SndFile(io.BytesIO(b"text of no format" * 99))

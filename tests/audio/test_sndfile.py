"""Files of libsndfile: Ctrl-C is not lost in its callbacks."""

import io
import signal
from collections.abc import Callable, Iterator
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

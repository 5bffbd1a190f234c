"""What a recording is read from; what is not a source, a rate or a choice of channels is one error of ours."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recodec.audio.files import AudioReader, read_audio
from recodec.audio.writer import AudioWriter, write_audio
from recodec.errors import AudioError
from support.systems import posix

AUDIO = np.linspace(-0.5, 0.5, 2400, dtype=np.float32)[None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_audio(tmp_path / "a.wav", AUDIO, 24_000, subtype="FLOAT")
    return tmp_path / "a.wav"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_the_bytes_of_a_file_are_a_source(path: Path, kind: Callable[[bytes], Any]) -> None:
    np.testing.assert_array_equal(read_audio(kind(path.read_bytes()))[0], AUDIO)
    with AudioReader(kind(path.read_bytes())) as reader:
        assert reader.num_samples == 2400


@pytest.mark.parametrize("source", [b"", None, 3, ["a.wav"], "a\0b.wav"])
def test_what_is_no_source_is_said(source: Any) -> None:
    words = {bytes: "the input is empty", str: "is not the name of a file"}
    with pytest.raises(AudioError, match=words.get(type(source), "a source is a path, bytes")):
        read_audio(source)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_file_that_is_open_as_text_is_refused(path: Path, encoding: str) -> None:
    with open(path, encoding=encoding) as file, pytest.raises(AudioError, match="open it in binary mode"):
        read_audio(file)  # type: ignore[arg-type]
    with pytest.raises(AudioError, match="open it in binary mode"):
        read_audio(io.StringIO("RIFF"))  # type: ignore[arg-type]


@pytest.mark.parametrize("rate_hz", [24_000.5, "24000", None, float("nan"), float("inf")])
def test_a_rate_is_a_whole_number(path: Path, rate_hz: Any) -> None:
    with pytest.raises(AudioError, match="not a whole number"):
        write_audio(path.with_name("b.wav"), AUDIO, rate_hz)
    if rate_hz is not None:
        with pytest.raises(AudioError, match="not a whole number"):
            read_audio(path, rate_hz=rate_hz)
    assert [file.name for file in path.parent.iterdir()] == ["a.wav"]


def test_a_whole_number_may_be_a_float(path: Path) -> None:
    write_audio(path.with_name("b.wav"), AUDIO, np.float64(24_000.0), subtype="FLOAT")  # type: ignore[arg-type]
    assert path.with_name("b.wav").read_bytes() == path.read_bytes()
    resampled: Any = 16_000.0
    np.testing.assert_array_equal(read_audio(path, rate_hz=resampled)[0], read_audio(path, rate_hz=16_000)[0])


@pytest.mark.parametrize("select", ["1", "12", 1, [1.0], [None], {"a": 1}])
def test_a_choice_of_channels_is_a_list_of_numbers(path: Path, select: Any) -> None:
    for channels in (None, 1):
        with pytest.raises(AudioError, match="select is a list of one or two channels"):
            read_audio(path, select=select, channels=channels)
    with pytest.raises(AudioError, match=r"has 1 channel: one or two of them can be chosen, not 2"):
        read_audio(path, select=[2])


def test_audio_is_an_array(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="must be an array of NumPy"):
        write_audio(tmp_path / "a.wav", [[0.0, 0.1]], 24_000)  # type: ignore[arg-type]
    with AudioWriter(tmp_path / "a.wav", 24_000, 1) as writer, pytest.raises(AudioError, match="must be an array"):
        writer.write([0.0])  # type: ignore[arg-type]


@posix
def test_a_device_without_a_size_is_not_called_empty() -> None:
    with pytest.raises(AudioError, match=r"^/dev/zero has no size and may have no end; copy what is wanted"):
        read_audio("/dev/zero")
    with pytest.raises(AudioError, match=r"^/dev/null is empty$"):
        read_audio("/dev/null")

"""Where verbs read from and write to: files, pipes, and `-` for standard input and output."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import click

if TYPE_CHECKING:
    from ..audio.files import AudioReader
    from ..audio.pcm import Pcm

STANDARD = Path("-")
_SUBTYPES = {"16": "PCM_16", "24": "PCM_24", "32": "FLOAT"}
"""Of samples of so many bits."""


class RawType(click.ParamType):
    """`RATE:CHANNELS:FORMAT`."""

    name = "RATE:CHANNELS:FORMAT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from ..audio.pcm import Pcm
        from ..errors import ConfigError

        try:
            return value if isinstance(value, Pcm) else Pcm.parse(value)
        except ConfigError as error:
            self.fail(str(error), param, ctx)


class AudioSink(Protocol):
    """Takes (C, T) samples, T >= 0, and counts those that were clipped to full scale."""

    @property
    def clipped(self) -> int: ...

    def write(self, audio: Any) -> None: ...


def is_plain(path: Path) -> bool:
    """Whether a name is, or would be, that of a file: neither `-` nor a pipe nor a device."""
    return path != STANDARD and (path.is_file() or not path.exists())


def is_audio_name(path: Path) -> bool:
    """Whether a name is that of an audio file."""
    from ..audio.suffixes import AUDIO_SUFFIXES

    return path.suffix.lower() in AUDIO_SUFFIXES


def has_header_suffix(path: Path) -> bool:
    """Whether a name says that its file has a header which tells what its samples are."""
    from ..audio.writer import SUBTYPES

    return path.suffix.lower() in SUBTYPES


def check_bits(path: Path, bits: str | None) -> None:
    """Make sure that a file has samples of so many bits where its suffix says what it may have.

    Raises:
        click.UsageError: if it has not.
    """
    from ..audio.writer import SUBTYPES

    kind = path.suffix.lower()
    if bits is None or kind not in SUBTYPES or _SUBTYPES[bits] in SUBTYPES[kind]:
        return
    fitting = [number for number, subtype in _SUBTYPES.items() if subtype in SUBTYPES[kind]]
    advice = f"takes {' or '.join(fitting)}" if fitting else "has no samples of a number of bits: leave it out"
    raise click.UsageError(f"--bits {bits} does not go with {path}: a {kind} file {advice}")


def label(path: Path, standard: str) -> str:
    """What messages call an endpoint."""
    return standard if path == STANDARD else str(path)


@contextmanager
def open_source(path: Path) -> Iterator[IO[bytes]]:
    """Bytes to read. There is no buffer between: a read from a pipe gives what is there."""
    if path != STANDARD:
        with open(path, "rb", buffering=0) as file:
            yield file
        return
    if sys.stdin is None:
        raise click.UsageError("standard input is closed")
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as file:
        yield file


@contextmanager
def open_target(path: Path, force: bool) -> Iterator[IO[bytes]]:
    """Where to write bytes: a file that appears whole or not at all, or a pipe that gets them at once."""
    from ..atomic import atomic_write, open_output

    if is_plain(path):
        with atomic_write(path, overwrite=force) as file:
            yield file
        return
    if path != STANDARD:
        with open_output(path, str(path)) as file:
            yield file
        return
    if sys.stdout is None:
        raise click.UsageError("standard output is closed")
    if sys.stdout.isatty():
        raise click.UsageError("standard output is a terminal: name a file, or pipe it on")
    with open_output(sys.stdout.fileno(), "standard output") as file:
        yield file


@contextmanager
def open_recording(
    path: Path,
    raw: Pcm | None,
    rate_hz: int,
    channels: int,
    *,
    select: Sequence[int] | None = None,
    partial: bool = False,
) -> Iterator[AudioReader]:
    """Audio to read, converted: from a file of any kind, or from a pipe as it comes.

    Args:
        path: a file, a pipe, or `-`.
        raw: what its samples are, if it has no header.
        rate_hz, channels: to convert to.
        select, partial: as for `AudioReader`.
    """
    from ..audio.files import AudioReader

    options: dict[str, Any] = {
        "rate_hz": rate_hz, "channels": channels, "raw": raw, "select": select, "partial": partial,
        "name": label(path, "standard input"),
    }  # fmt: skip
    if is_plain(path):
        with AudioReader(path, **options) as reader:
            yield reader
        return
    with open_source(path) as file, AudioReader(file, **options) as reader:
        yield reader


@contextmanager
def open_audio_target(
    path: Path,
    raw: Pcm | None,
    rate_hz: int,
    channels: int,
    num_samples: int | None,
    force: bool,
    *,
    bits: str | None = None,
) -> Iterator[AudioSink]:
    """Where to write audio: a file by its suffix, a WAV into a pipe, or raw samples into either.

    Args:
        path: a file, a pipe, or `-`.
        raw: what its samples are to be, without a header; else the suffix says it.
        rate_hz, channels: of the audio.
        num_samples: of all the audio, if known.
        force: whether a file may be replaced.
        bits: of a sample, `"16"`, `"24"` or `"32"` (floating point), for files that have a choice.
    """
    from ..audio.live import LiveWriter
    from ..audio.pcm import Pcm
    from ..audio.writer import AudioWriter

    subtype = None if bits is None else _SUBTYPES[bits]
    if raw is None and is_plain(path):
        with AudioWriter(path, rate_hz, channels, subtype=subtype, overwrite=force) as writer:
            yield writer
        return
    with open_target(path, force) as file:
        plain = {None: "s16le", "16": "s16le", "24": "s24le", "32": "f32le"}[bits]
        form = Pcm(rate_hz, channels, plain) if raw is None else raw
        with LiveWriter(
            file, form, rate_hz=rate_hz, channels=channels, wav=raw is None, num_samples=num_samples
        ) as sink:
            yield sink


def silence_output() -> None:
    """Send what is left to be written nowhere: whoever read it has gone, and Python would complain at exit."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

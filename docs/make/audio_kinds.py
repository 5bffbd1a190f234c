"""Write docs/audio-kinds.md: kinds of audio files, each read in five ways and compared with FFmpeg's decoding.

    python docs/make/audio_kinds.py

It makes the files with libsndfile, with FFmpeg's encoders (PyAV), and by hand. The five ways are `read_audio` of a
path, the same of a pipe, the decoder of `tokenize`, the stretches that `train` draws its crops from, and the clips of
`evaluate`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from audio_kinds_files import Kind, kinds
from av.error import FFmpegError

from recodec.atomic import write_text
from recodec.audio import AudioReader, Mixer, read_audio
from recodec.audio.stretches import shape_of
from recodec.corpus import list_input, stretches_of
from recodec.corpus.entries import open_bytes
from recodec.errors import AudioError, RecodecError
from recodec.evaluation.clips import gather_clips
from recodec.tokenize.decoding import Form, decode

OUT = Path(__file__).parents[1] / "audio-kinds.md"
INTRODUCTION = """\
{count} kinds of files, each read in five ways: by name, through a pipe, as `tokenize` reads, as `train` reads (in
two pieces) and as `evaluate` reads. `python docs/make/audio_kinds.py` makes the files, reads them and writes this
page. The five ways give the same samples, bit for bit, or all refuse the file: {refused} kinds, with an error that
names the fault. {compared} kinds are compared with FFmpeg's decoding (PyAV {version}); {other} are not, as FFmpeg
does not read them, reads the first part alone, or takes the bytes in the wrong order.

*Difference* is the largest one of any sample from FFmpeg's, full scale being 1. Decoders of a lossy codec may round
differently. *Length* says how many samples we have beyond FFmpeg's: decoders drop different numbers of them at the
ends of MP3, ALAC in CAF and GSM 6.10.

**Damaged MP3s.** libsndfile decodes MP3 by libmpg123, in this process. The copy in soundfile 0.14.0 is version
1.32.3, which a file with a frame of another form could make write outside of its memory (CVE-2024-10573, mended in
1.32.8), and which otherwise stops at such a change without a word. So every MP3 is looked through first
(`recodec.audio.mpeg`), and one that changes is refused with the place. libmpg123 is given the frames alone; `compress`
says what else there was. 8,000 files, a third of them MP3s, that were changed at random, cut, spliced and repeated did
not crash it. Damage within frames it conceals, and says so on stderr only. For files from strangers, decode in
processes that may die: `recodec tokenize --decoders 2` counts a file that ends one as broken and goes on.
"""
WAYS = ("by name", "pipe", "tokenize", "train", "evaluate")
MAX_SHIFT = 2400


class Pipe:
    """A file that gives some bytes at a time, and cannot go back."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "rb")  # noqa: SIM115

    def read(self, size: int = -1) -> bytes:
        return self._file.read(4096 if size < 0 else min(size, 4096))

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self._file.close()


def by_ffmpeg(path: Path) -> np.ndarray | None:
    """(C, T) by FFmpeg's libraries; `None` where they cannot read the file."""
    parts = []
    try:
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            resampler = av.AudioResampler(format="fltp", layout=stream.layout, rate=stream.rate)
            for frame in container.decode(stream):
                parts += [part.to_ndarray() for part in resampler.resample(frame)]
            parts += [part.to_ndarray() for part in resampler.resample(None)]
    except (FFmpegError, OSError, ValueError, IndexError):
        return None
    return np.concatenate(parts, axis=1) if parts else None


def heard(path: Path) -> tuple[int, int, int]:
    """Rate in Hz, channels, and the mask of their loudspeakers, as our reader finds them."""
    with open_bytes(str(path)) as file:
        shape = shape_of(file, path.name)
    return shape.rate_hz, shape.channels, shape.places


def five_ways(path: Path) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """Each way's name, and what gives its samples (C, T) of one or two channels at the file's rate."""

    def pipe() -> np.ndarray:
        with AudioReader(Pipe(path), name=path.name) as reader:  # type: ignore[arg-type]
            return np.concatenate(list(reader.blocks(1000)), axis=1)

    def tokenize() -> np.ndarray:
        rate_hz, channels, _ = heard(path)
        found = decode(str(path), path.name, Form(rate_hz, min(2, channels), 10**9))
        if found.audio is None:
            raise AudioError(found.error or "no audio")
        return found.audio

    def train() -> np.ndarray:
        left_out: dict[str, str] = {}
        entries = list_input(str(path)).entries
        found = list(stretches_of(entries, 2, left_out))
        if not found:
            raise AudioError("; ".join(left_out.values()))
        source = found[0]
        half = source.num_samples // 2  # in two pieces, as crops are: the second begins in the middle
        audio = np.concatenate([source.read(0, half), source.read(half, source.num_samples - half)], axis=1)
        return Mixer(len(audio), min(2, len(audio)), mask=source.places, name=source.name)(audio)

    def evaluate() -> np.ndarray:
        return gather_clips([path])[0].read()[0]

    yield from zip(WAYS, (lambda: read_audio(path)[0], pipe, tokenize, train, evaluate), strict=True)


@dataclass(frozen=True)
class Answer:
    """What the five ways made of a file.

    Attributes:
        kind: of the file.
        samples: per channel.
        error: the largest difference of a sample from FFmpeg's, full scale 1; `None` where FFmpeg cannot read it.
        more: samples that we have beyond FFmpeg's.
        shift: samples by which ours come later.
        said: the named error, where there is one.
        unlike: ways that differ from the first one.
    """

    kind: Kind
    samples: int = 0
    error: float | None = None
    more: int = 0
    shift: int = 0
    said: str | None = None
    unlike: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether all ways give what they should."""
        if self.unlike or (self.said is not None) != self.kind.refused:
            return False
        if self.error is None:
            return True
        return self.error <= self.kind.tolerance and abs(self.more) <= self.kind.ends and self.shift <= self.kind.ends


def answer(kind: Kind, folder: Path) -> Answer:
    """Make a file of a kind, and read it in all ways."""
    path = folder / kind.file
    path.write_bytes(kind.make())
    found: list[np.ndarray | str] = []
    for _, read in five_ways(path):
        try:
            found.append(read())
        except (RecodecError, OSError) as error:
            found.append(f"{type(error).__name__}: {error}".replace(f"{folder}/", ""))
    unlike = tuple(way for way, other in zip(WAYS, found, strict=True) if not _alike(found[0], other))
    if isinstance(found[0], str):
        return Answer(kind, said=found[0], unlike=unlike)
    reference = by_ffmpeg(path)
    if reference is None or not kind.ffmpeg:
        return Answer(kind, found[0].shape[1], unlike=unlike)
    _, channels, mask = heard(path)
    mixed = Mixer(len(reference), min(2, channels), mask=mask, name=kind.file)(reference)
    shift, error = difference(found[0], mixed)
    return Answer(kind, found[0].shape[1], error, found[0].shape[1] - mixed.shape[1], shift, None, unlike)


def _alike(one: np.ndarray | str, other: np.ndarray | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return isinstance(one, str) and isinstance(other, str)
    return one.shape == other.shape and bool(np.array_equal(one, other))


def difference(ours: np.ndarray, theirs: np.ndarray) -> tuple[int, float]:
    """By how many samples ours come later, and the largest difference of a sample then."""
    length = min(ours.shape[1], theirs.shape[1])
    size = 1 << (2 * length).bit_length()
    cross = np.fft.irfft(np.fft.rfft(ours[0, :length], size) * np.conj(np.fft.rfft(theirs[0, :length], size)), size)
    near = np.concatenate([np.arange(-MAX_SHIFT, 0), np.arange(MAX_SHIFT + 1)])
    shift = int(near[np.argmax(cross[near])])
    ours, theirs = ours[:, max(0, shift) :], theirs[:, max(0, -shift) :]
    length = min(ours.shape[1], theirs.shape[1])
    return shift, float(np.abs(ours[:, :length] - theirs[:, :length]).max())


def page(answers: Sequence[Answer]) -> str:
    """The table as Markdown."""
    compared = [a for a in answers if a.error is not None]
    refused = [a for a in answers if a.said is not None]
    lines = [
        "# Kinds of audio files",
        "",
        INTRODUCTION.format(
            count=len(answers), compared=len(compared), refused=len(refused), version=av.__version__,
            other=len(answers) - len(compared) - len(refused),
        ),
        "| file | what it is | samples | difference | length | five ways |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]  # fmt: skip
    for a in answers:
        difference = "" if a.error is None else "0" if a.error == 0 else f"{a.error:.1e}"
        more = "" if a.error is None else "equal" if not a.more else f"{a.more:+d}"
        ways = a.said.replace("|", "\\|") if a.said is not None else "equal"
        if a.unlike:
            ways = f"**differ: {', '.join(a.unlike)}**"
        lines.append(f"| `{a.kind.file}` | {a.kind.what} | {a.samples or ''} | {difference} | {more} | {ways} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        answers = [answer(kind, Path(folder)) for kind in kinds()]
    for a in answers:
        if not a.is_good:
            print("not as it should be:", a)
    write_text(OUT, page(answers), overwrite=True)
    print(f"{sum(a.is_good for a in answers)} of {len(answers)} kinds are as they should be; see {OUT.name}")


if __name__ == "__main__":
    main()

"""The page of samples: the example clips, which no model of ours was trained on, coded and decoded anew.

The site makes them when it is built (`site.py`), so that they are always those of the model that ships, and no audio
beside the clips lies in the repository. By hand, into a folder: python docs/make/samples.py FOLDER
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from recodec.evaluation.codecs import AudioCodec, transcode
from recodec.evaluation.codecs.classic import mp3, opus
from recodec.evaluation.codecs.recodec import RecodecCodec

CLIPS = {"Speech": "speech.wav", "Music": "music.wav"}
EXAMPLES = Path(__file__).parents[2] / "examples"

_HEAD = """# Samples

The two clips of [examples/](../examples/README.md), 24 kHz mono, from packages that no model of ours was trained on.
Rates are those of the coded clip, without headers; those of Recodec are without its language model, which makes files
smaller and changes no sample. The players hold what was decoded, as FLAC. One clip of a kind shows what a codec sounds
like, and does not rank it: [results](results.md) has figures over 64 clips. For EnCodec with Meta's weights, which
cannot be shipped here:
`recodec decompress` what `recodec compress --model facebook/encodec_24khz` makes of a recording of yours.
"""


@dataclass(frozen=True)
class Sample:
    """One player of the page.

    Attributes:
        title: of the codec.
        kbps: actual rate; `None` for the original.
        name: of its file.
        flac: the audio, as bytes of a FLAC.
    """

    title: str
    kbps: float | None
    name: str
    flac: bytes


def codecs() -> dict[str, AudioCodec]:
    """What the page compares, by title."""
    return {
        "Recodec, 1.5 kbps": RecodecCodec(None, 1.5, "onnx"),
        "Recodec, 3 kbps": RecodecCodec(None, 3.0, "onnx"),
        "Recodec, 6 kbps": RecodecCodec(None, 6.0, "onnx"),
        "Recodec, 6 kbps, EnCodec's decoder (live streams)": RecodecCodec(None, 6.0, "onnx", "encodec"),
        "Opus, 6 kbps": opus(6.0),
        "Opus, 12 kbps": opus(12.0),
        "MP3, 16 kbps": mp3(16.0),
    }


def samples(clip: str, by_title: dict[str, AudioCodec]) -> Iterator[Sample]:
    """The original and what each codec makes of it."""
    audio, rate = soundfile.read(EXAMPLES / clip, dtype="float32", always_2d=True)
    stem = Path(clip).stem
    yield Sample("Original", None, f"{stem}-original.flac", _flac(audio.T, rate))
    for number, (title, codec) in enumerate(by_title.items()):
        coded = transcode(codec, audio.T, rate)
        kbps = 8 * (coded.encoded.payload_bytes or 0) / coded.seconds / 1000
        yield Sample(title, kbps, f"{stem}-{number}.flac", _flac(coded.audio, rate))


def page(by_kind: dict[str, Sequence[Sample]]) -> str:
    """The page in Markdown; files lie beside it in `samples/`."""
    lines = [_HEAD]
    for kind, found in by_kind.items():
        lines += [f"## {kind}\n", "| codec | kbps | |", "| --- | ---: | --- |"]
        for sample in found:
            rate = "" if sample.kbps is None else f"{sample.kbps:.1f}"
            player = f'<audio controls preload="none" src="../samples/{sample.name}"></audio>'
            lines.append(f"| {sample.title} | {rate} | {player} |")
        lines.append("")
    return "\n".join(lines)


def make() -> tuple[str, list[Sample]]:
    """The page and all that it plays."""
    by_title = codecs()
    by_kind = {kind: list(samples(clip, by_title)) for kind, clip in CLIPS.items()}
    return page(by_kind), [sample for found in by_kind.values() for sample in found]


def _flac(audio: np.ndarray, rate: int) -> bytes:
    held = io.BytesIO()
    soundfile.write(held, np.clip(audio.T, -1, 1), rate, format="FLAC", subtype="PCM_16")
    return held.getvalue()


def main() -> None:
    folder = Path(sys.argv[1])
    text, found = make()
    (folder / "samples").mkdir(parents=True, exist_ok=True)
    (folder / "samples.md").write_text(text, encoding="utf-8")
    for sample in found:
        (folder / "samples" / sample.name).write_bytes(sample.flac)


if __name__ == "__main__":
    main()

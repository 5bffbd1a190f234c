"""Pack the prepared corpus (tars of 24 kHz mono Ogg Opus clips, and their index) into shards.

    python recipes/debian_24khz/pack.py train.tsv train-0.tar train-1.tar train-2.tar --out shards

The index is a table with the columns pack, path, group, package and source (others are ignored):
`pack` is the position of the clip's tar among the arguments, `path` the clip's name inside.
"""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from shards import RATE_HZ, ShardWriter, to_int16
from tqdm import tqdm

from recodec.audio import read_audio


def decode_prepared(content: bytes, name: str) -> NDArray[np.int16]:
    """A clip's file to samples (T,).

    Raises:
        ValueError: if it is not an audio file, or not 24 kHz mono.
    """
    audio, rate_hz = read_audio(io.BytesIO(content), name=name)
    if rate_hz != RATE_HZ or audio.shape[0] != 1:
        raise ValueError(f"{name} is {rate_hz} Hz with {audio.shape[0]} channel(s), expected {RATE_HZ} Hz mono")
    return to_int16(audio[0])


def pack(index: Path, tars: Sequence[Path], out: Path) -> dict[str, int]:
    """Write the shards; returns the samples of each group.

    Raises:
        ValueError: if the index names a tar or a clip that is not there, or a clip is of the wrong form.
        FileExistsError: if `out` holds shards already.
    """
    with index.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    with ExitStack() as stack:
        opened = [stack.enter_context(tarfile.open(path, "r:")) for path in tars]
        members = [{member.name: member for member in tar if member.isfile()} for tar in opened]
        writer = stack.enter_context(ShardWriter(out))
        for row in tqdm(rows, unit="clip"):
            number = int(row["pack"])
            if number >= len(opened) or row["path"] not in members[number]:
                raise ValueError(f"{row['path']} is not in tar number {number}")
            content = opened[number].extractfile(members[number][row["path"]])
            assert content is not None  # members holds plain files only
            clip = decode_prepared(content.read(), row["path"])
            writer.add(clip, row["group"], row["package"], row["source"])
    return writer.samples


@click.command()
@click.argument("index", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("tars", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the shards.")
def main(index: Path, tars: tuple[Path, ...], out: Path) -> None:
    """Pack the clips of TARS, listed in INDEX, into shards."""
    for group, samples in pack(index, tars, out).items():
        click.echo(f"{group}: {samples / RATE_HZ / 3600:.2f} h")


if __name__ == "__main__":
    main()

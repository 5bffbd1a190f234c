"""`recodec info`: what an `.ecdc` file holds. No model is needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..codec import EcdcReader


@click.command()
@click.argument("source", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def info(source: Path) -> None:
    """Show what FILE, an .ecdc file of version 0 or 1, holds: model, length, bandwidth, damage."""
    from ..codec import open_reader
    from ..text import shown

    with open(source, "rb") as file:
        reader = open_reader(file)
        rows = _rows0(reader) if reader.version == 0 else _rows1(source)
    size = source.stat().st_size
    for name, value in [
        ("file", str(source)),
        ("format", f".ecdc version {reader.version}"),
        ("size", f"{size:,} bytes"),
        *rows,
    ]:
        click.echo(f"{name:<12} {shown(value)}")


def _rows0(reader: EcdcReader) -> list[tuple[str, str]]:
    rows = [("model", reader.model), ("samples", f"{reader.num_samples:,}"), ("codebooks", str(reader.num_codebooks))]
    rows += [("coded", "with Meta's language model")] if reader.is_coded else []
    return rows if reader.fingerprint is None else [*rows, ("weights", f"fingerprint {reader.fingerprint}...")]


def _rows1(source: Path) -> list[tuple[str, str]]:
    from .. import ecdc

    found = ecdc.inspect(source)
    header = found.header
    books = ", ".join(
        f"{books} ({header.frame_rate * header.code_bits * books / 1000:g} kbps)" for books in sorted(found.frames)
    )
    state = "good" if found.intact else f"damaged, {found.lost_s:.2f} s lost; see recodec verify"
    return [
        ("model", f"{header.model or 'unnamed'}, fingerprint {header.fingerprint}..."),
        ("audio", f"{found.duration_s:.3f} s, {found.num_samples:,} samples at {header.sampling_rate} Hz, "
                  f"{header.channels} channel(s)"),
        ("codebooks", books or "none"),
        ("bandwidth", f"{found.bandwidth_kbps:.3f} kbps in all"),
        ("packets", f"{found.num_packets}, {found.num_coded} of them coded with a language model"),
        ("state", state),
    ]  # fmt: skip

"""`recodec info`: what an `.ecdc` file holds. No model is needed."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import click


@click.command()
@click.argument("source", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def info(source: Path) -> None:
    """Show what FILE, an .ecdc file of version 0 or 1, holds: model, length, bandwidth, damage."""
    from ..codec.container import open_decompressor

    with open(source, "rb") as file:
        version = open_decompressor(file).version
        file.seek(0)
        rows = _rows0(file) if version == 0 else _rows1(file)
    size = source.stat().st_size
    for name, value in [
        ("file", str(source)),
        ("format", f".ecdc version {version}"),
        ("size", f"{size:,} bytes"),
        *rows,
    ]:
        click.echo(f"{name:<12} {value}")


def _rows0(file: IO[bytes]) -> list[tuple[str, str]]:
    from ..wire import ecdc0

    header = ecdc0.read_header(file)
    rows = [("model", header.model), ("samples", f"{header.num_samples:,}"), ("codebooks", str(header.num_codebooks))]
    rows += [("coded", "with Meta's language model")] if header.coded else []
    return rows if header.fingerprint is None else [*rows, ("weights", f"fingerprint {header.fingerprint}...")]


def _rows1(file: IO[bytes]) -> list[tuple[str, str]]:
    from ..wire.report import inspect

    report = inspect(file)
    header = report.header
    books = ", ".join(
        f"{books} ({header.frame_rate * header.code_bits * books / 1000:g} kbps)" for books in sorted(report.frames)
    )
    lost_s = report.lost_ticks * header.tick / header.sampling_rate
    state = "good" if report.intact else f"damaged, {lost_s:.2f} s lost; see recodec verify"
    return [
        ("model", f"{header.model or 'unnamed'}, fingerprint {header.fingerprint}..."),
        ("audio", f"{report.duration_s:.3f} s, {report.num_samples:,} samples at {header.sampling_rate} Hz, "
                  f"{header.channels} channel(s)"),
        ("codebooks", books or "none"),
        ("bandwidth", f"{report.bandwidth_kbps:.3f} kbps in all"),
        ("packets", f"{report.num_packets}, {report.num_coded} of them coded with a language model"),
        ("state", state),
    ]  # fmt: skip

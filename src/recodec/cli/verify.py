"""`recodec verify`: are files whole, and if not, what is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..wire.report import Report

MOST_LINES = 20


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False), metavar="FILE...")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing of good files.")
def verify(files: tuple[str, ...], quiet: bool) -> None:
    """Check every packet of .ecdc files, version 1. No model is needed.

    The exit code is 1 if a file is damaged or cannot be read.
    """
    from ..errors import BitstreamError
    from ..wire.report import inspect

    failed = False
    for path in files:
        try:
            with open(path, "rb") as file:
                report = inspect(file)
        except BitstreamError as error:
            failed = True
            click.echo(f"{path}: {error}")
            continue
        failed |= not report.intact
        if not report.intact:
            click.echo(f"{path}: damaged; {_seconds(report, report.lost_ticks)} of {report.duration_s:.2f} s are lost")
            _print_faults(report)
        elif not quiet:
            click.echo(f"{path}: good, {report.num_packets} packets, {report.duration_s:.2f} s")
    if failed:
        click.get_current_context().exit(1)


def _print_faults(report: Report) -> None:
    lines = [f"lost: {_seconds(report, gap.start)} to {_seconds(report, gap.stop)}" for gap in report.lost]
    for damage in report.damages:
        where = (
            f"bytes {damage.offset} to {damage.offset + damage.size - 1}" if damage.size else f"byte {damage.offset}"
        )
        lines.append(f"{where}: {damage.reason}")
    if not report.complete:
        lines.append("the end is missing")
    elif report.index_good is False:
        lines.append("the index does not point at packets")
    for line in lines[:MOST_LINES]:
        click.echo(f"  {line}")
    if len(lines) > MOST_LINES:
        click.echo(f"  and {len(lines) - MOST_LINES} more")


def _seconds(report: Report, ticks: int) -> str:
    return f"{ticks * report.header.tick / report.header.sampling_rate:.3f} s"

"""`recodec verify`: are files whole, and if not, what is lost."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import click

from .options import FileName, error_of, options, say

if TYPE_CHECKING:
    from ..ecdc import Inspection

MOST_LINES = 20


@click.command()
@click.argument("files", nargs=-1, required=True, type=FileName(), metavar="FILE...")
@options("quiet", quiet="Say nothing of good files.")
def verify(files: tuple[str, ...], quiet: bool) -> None:
    """Check every packet of .ecdc files, version 1. No model is needed.

    The exit code is 1 if a file is damaged or cannot be read.
    """
    from .. import ecdc
    from ..errors import BitstreamError
    from ..text import counted

    failed = False
    for path in files:
        try:
            found = ecdc.inspect(path)
        except (BitstreamError, OSError) as error:
            failed = True
            say(error_of(path, error))
            continue
        failed |= not found.intact
        if not found.intact:
            say(f"{path}: damaged; {found.loss}")
            _print_faults(found)
        elif not quiet:
            say(f"{path}: good, {counted(found.num_packets, 'packet')}, {found.duration_s:.2f} s")
    if failed:
        click.get_current_context().exit(1)


def _print_faults(found: Inspection) -> None:
    lines = list(found.faults())
    for line in itertools.islice(lines, MOST_LINES):
        say(f"  {line}")
    if len(lines) > MOST_LINES:
        say(f"  and {len(lines) - MOST_LINES} more")

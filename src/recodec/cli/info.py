"""`recodec info`: what `.ecdc` files hold. No model is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from .options import FileName, error_of, say


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE...",
                type=FileName(path_type=Path))  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print an object for each file, a line each.")
def info(sources: tuple[Path, ...], as_json: bool) -> None:
    """Show what each FILE, an .ecdc file of version 0 or 1, holds: model, length, bandwidth, damage.

    The exit code is 1 if one cannot be read.
    """
    from ..errors import BitstreamError

    failed = False
    for number, source in enumerate(sources):
        try:
            facts = _facts(source)
        except (BitstreamError, OSError) as error:
            failed = True
            say(f"recodec: error: {error_of(source, error)}", err=True)
            continue
        if as_json:
            click.echo(json.dumps(facts))
            continue
        if number:
            click.echo()
        for name, value in _rows(source, facts):
            say(f"{name:<12} {value}")
    if failed:
        click.get_current_context().exit(1)


def _facts(source: Path) -> dict[str, Any]:
    from .. import ecdc

    return {"file": str(source), **ecdc.facts(source)}


def _rows(source: Path, facts: dict[str, Any]) -> list[tuple[str, str]]:
    from ..text import counted

    rows = [("file", str(source)), ("format", f".ecdc version {facts['version']}"),
            ("size", f"{facts['size_bytes']:,} bytes")]  # fmt: skip
    if facts["version"] == 0:
        rows += [("model", _name(facts["model"])), ("samples", f"{facts['num_samples']:,}"),
                 ("codebooks", str(facts["num_codebooks"]))]  # fmt: skip
        rows += [("coded", "with Meta's language model")] if facts["coded"] else []
        rows += [("weights", f"fingerprint {facts['fingerprint']}...")] if facts["fingerprint"] else []
        return [*rows, ("state", _state0(facts))]
    books = ", ".join(f"{count} ({kbps:g} kbps)" for count, kbps in facts["codebooks"].items())
    packets, channels = facts["num_packets"], facts["channels"]
    return [
        *rows,
        ("model", f"{_name(facts['model']) or 'unnamed'}, fingerprint {facts['fingerprint']}..."),
        ("audio", f"{facts['duration_s']:.3f} s, {facts['num_samples']:,} samples at {facts['sampling_rate']} Hz, "
                  f"{counted(channels, 'channel')}"),
        ("codebooks", books or "none"),
        ("bandwidth", f"{facts['bandwidth_kbps']:.3f} kbps in all"),
        ("packets", f"{packets}, {facts['num_coded']} of them coded with a language model"),
        ("state", "good" if facts["intact"] else f"damaged: {facts['loss']}; see recodec verify"),
    ]  # fmt: skip


def _state0(facts: dict[str, Any]) -> str:
    """Of a file of version 0, which has no checksums."""
    if facts["loss"] is not None:
        return f"{'damaged' if facts['complete'] else 'cut off'}: {facts['loss']}"
    return "its size is right; it has no checksums" if facts["complete"] else "not known: it has no checksums"


def _name(text: str) -> str:
    """A model's name, as the file tells it, without the runs of spaces that could look like another row."""
    return " ".join(filter(None, text.split(" ")))

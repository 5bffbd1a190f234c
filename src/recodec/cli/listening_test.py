"""`recodec listening-test`: make a MUSHRA-like test as a page, and score its answers."""

from __future__ import annotations

from pathlib import Path

import click

from .options import FileName, Kbps, need, options


@click.group("listening-test", invoke_without_command=True)
@click.pass_context
def listening_test(ctx: click.Context) -> None:
    """Listening tests after MUSHRA (ITU-R BS.1534): make a page, collect answers, score them."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@listening_test.command()
@click.argument("paths", nargs=-1, type=FileName(), metavar="[FILE|FOLDER]...")
@click.option("--manifest", "manifests", multiple=True, type=FileName(exists=True, dir_okay=False),
              help="CSV or TSV with the columns file and kind.")  # fmt: skip
@options("codec", "kind", codec="As for `recodec evaluate`; default: recodec@6 and opus@6,12.")
@click.option("-b", "--bandwidth", "bandwidths", multiple=True, type=Kbps(),
              help="For codecs named without bandwidths; may be repeated.")  # fmt: skip
@click.option("-o", "--out", default="listening-test", show_default=True, type=FileName(file_okay=False),
              help="Folder for index.html and key.json.")  # fmt: skip
@click.option("--title", default="Listening test", show_default=True, help="Of the page.")
@click.option("--completion-code", metavar="TEXT", help="The page shows it to raters who have saved their answers.")
@click.option("--seed", type=int, help="Makes the same tokens again; random by default.")
@options("force", force="Replace a test in that folder; its answers become useless.")
def make(paths: tuple[str, ...], manifests: tuple[str, ...], codecs: tuple[str, ...], bandwidths: tuple[float, ...],
         kind: str, out: str, title: str, completion_code: str | None, seed: int | None,
         force: bool) -> None:  # fmt: skip
    """Write a page that plays FILEs through codecs, blind. Each file is one trial.

    The hidden reference and a low-pass anchor are added. Give raters index.html alone, and keep
    key.json: it says which codec each letter stands for.
    """
    need("eval", "jinja2", "scipy")

    from ..errors import RecodecError
    from ..evaluation.clips import gather_clips
    from ..evaluation.codecs import parse_codecs
    from ..evaluation.listening import make_test

    try:
        clips = gather_clips(paths, manifests=manifests, kind=kind)
        specs = parse_codecs(codecs or ("recodec@6", "opus@6,12"), bandwidths)
        page = make_test(out, clips, specs, title=title, completion=completion_code, seed=seed, overwrite=force)
    except FileExistsError as error:
        raise click.UsageError(f"{error}; use --force to replace it") from error
    except RecodecError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Written: {page}, for raters, and {page.parent / 'key.json'}, not for raters")


@listening_test.command()
@click.argument("answers", nargs=-1, required=True, type=FileName(exists=True))
@click.option("--key", required=True, type=FileName(exists=True, dir_okay=False), help="key.json of the test.")
@click.option("-o", "--out", type=FileName(dir_okay=False), help="CSV with the scores that count, one a row.")
def score(answers: tuple[str, ...], key: str, out: str | None) -> None:
    """Read ANSWERS (files, or folders of .json files), drop unreliable raters, print means with intervals.

    Dropped is who rates the hidden reference below 90 in 20% of the trials or more, or the low anchor
    above 80 in more than half of them.
    """
    need("eval", "scipy")

    from ..errors import RecodecError
    from ..evaluation.listening import read_ratings, score_table, write_ratings

    paths: list[Path] = []
    for path in map(Path, answers):
        paths += sorted(p for p in path.glob("*.json") if p != Path(key)) if path.is_dir() else [path]
    try:
        ratings = read_ratings(key, paths)
    except RecodecError as error:
        raise click.ClickException(str(error)) from error
    click.echo(score_table(ratings))
    if out is not None:
        write_ratings(out, ratings)

"""The command `recodec`. One file a verb; a verb's file, and what it imports, is loaded when it runs."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from .. import __version__

# Verb: (module, function, help line). The lines stand here so that `--help` need not import the verbs.
VERBS = {
    "compress": ("compress", "compress", "Audio file to .ecdc file."),
    "decompress": ("decompress", "decompress", ".ecdc file to audio file."),
    "stream": ("stream", "stream", "A live loop through the codec, with its delay and load."),
    "info": ("info", "info", "What an .ecdc file holds."),
    "verify": ("verify", "verify", "Are .ecdc files whole?"),
    "cut": ("cut", "cut", "A stretch of an .ecdc file, without the model."),
    "concat": ("concat", "concat", "Join .ecdc files, without the model."),
    "transcode": ("transcode", "transcode", "Lower the bandwidth of an .ecdc file, without the model."),
    "models": ("models", "models", "Which models there are, and which weights a file needs."),
    "serve": ("serve", "serve", "The codec in a page, in live calls, and over HTTP."),
    "export": ("export", "export", "A model as ONNX files, for use elsewhere."),
    "compare": ("compare", "compare", "Metrics and a picture of two audio files."),
    "evaluate": ("evaluate", "evaluate", "Codecs on many files: metrics, tables, a report."),
    "listening-test": ("listening_test", "listening_test", "Make and score a listening test."),
    "tokenize": ("tokenize", "tokenize", "Data sets to codes: Parquet, tars or .ecdc."),
    "detokenize": ("detokenize", "detokenize", "Shards of codes to audio files."),
    "train": ("train", "train", "Train a model by a recipe."),
    "finetune": ("train", "finetune", "Train a model further by a recipe."),
    "train-lm": ("train_lm", "train_lm", "Train the language model that makes a model's files smaller."),
}


class _Verbs(click.Group):
    """Loads a verb when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            from ..text import did_you_mean

            raise click.UsageError(f"there is no verb {cmd_name!r}{did_you_mean(cmd_name, VERBS)}", ctx)
        module, function, _ = VERBS[cmd_name]
        return getattr(import_module(f".{module}", __name__), function)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, line) for name, (_, _, line) in VERBS.items()])


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Versions of this package and of what it runs on: what a report of a fault needs."""
    if not wanted or ctx.resilient_parsing:
        return
    from ..versions import ENGINES, versions_of

    click.echo(f"recodec {__version__}")
    for name, number in versions_of(ENGINES).items():
        click.echo(f"{name} {number}")
    click.echo(f"language model: {_kernel()}")
    ctx.exit()


def _kernel() -> str:
    """What codes packets with a language model."""
    from ..errors import ConfigError
    from ..lm.native_library import ENVIRONMENT, native_library

    try:
        library = native_library()
    except ConfigError as error:
        return str(error)
    if library is not None:
        return f"compiled C ({library.level})"
    return f"NumPy, as {ENVIRONMENT}=0 asks" if os.environ.get(ENVIRONMENT) == "0" else "NumPy, slower than compiled C"


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
              help="Show the versions of this package and of what it runs on.")  # fmt: skip
@click.pass_context
def cli(ctx: click.Context) -> None:
    """The neural audio codec EnCodec: compress, decompress, inspect and train.

    `recodec VERB --help` says more of a verb.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command: exit code 0 if all went well, 2 for bad usage, 1 for bad data.

    Args:
        arguments: those of the process by default.
    """
    numbers = [signal.SIGTERM] if sys.platform == "win32" else [signal.SIGTERM, signal.SIGHUP]
    for number in numbers:
        if signal.getsignal(number) == signal.SIG_DFL:  # not under nohup
            signal.signal(number, _stop)
    interrupts: list[int] = []

    def interrupt(number: int, _: object) -> NoReturn:
        interrupts.append(number)
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupt)
    try:
        code = run(arguments)
    except (Exception, KeyboardInterrupt):
        if not interrupts:
            raise
        # Libraries that are interrupted while they are loaded make other errors of it.
        code = _fail(130, "interrupted")
    sys.exit(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """As `main`, returning the exit code."""
    from ..errors import ConfigError, RecodecError
    from .endpoints import silence_output
    from .options import error_text

    try:
        code = cli.main(arguments, prog_name="recodec", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.UsageError as error:
        return _fail(2, error.format_message(), *([f"Try '{error.ctx.command_path} --help'."] if error.ctx else []))
    except click.ClickException as error:
        return _fail(error.exit_code, error.format_message())
    except click.Abort:
        return _fail(130, "interrupted")
    except ConfigError as error:
        return _fail(2, str(error))
    except RecodecError as error:
        return _fail(1, str(error))
    except BrokenPipeError:
        silence_output()
        return 1
    except OSError as error:
        if error.errno == errno.ENOSPC and error.filename is None:  # of what is printed
            error.filename = "standard output"
        return _fail(1, error_text(error))


def _stop(number: int, _: object) -> NoReturn:
    """Leave by an exception, so that files which are not whole yet are taken away."""
    sys.exit(128 + number)


def _fail(code: int, message: str, *hints: str) -> int:
    from ..text import shown

    # Names in a message come from files: none of them may add a line, or speak to the terminal.
    click.echo("\n".join(["recodec: error: " + shown(message), *hints]), err=True)
    return code

"""The pages say what is so: their Python runs, their commands exist, and README's Python has no type error.

A page's Python blocks are one program, each going on where the one before has ended; it is run in a folder that holds
what the pages speak of. A block that cannot run here has a line before it, `<!-- not run: the reason -->`.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from recodec.audio import read_audio, write_audio
from recodec.cli import cli
from recodec.tokenize import tokenize

ROOT = Path(__file__).parents[1]
PAGES = [
    *(
        ROOT / name
        for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md", "benchmarks/README.md")
    ),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("recipes/*/*.md")),
    ROOT / "src/recodec/weights/README.md",
]
LEAVES = {
    "README.md": ["again.wav", "again.ecdc", "live.ecdc"],
    "docs/streaming.md": ["heard.wav"],
    "docs/tokenize.md": ["codes/_tokenize/report.json", "decoded/a.wav", "decoded/b.wav"],
    "docs/transformers.md": ["codec/model.safetensors", "codec/preprocessor_config.json"],
}
"""Files that must be there once a page has run."""

_FENCE = re.compile(r"(?:^<!-- not run: (?P<why>.+) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        line: of the page, on which its code begins, counted from 1.
        why: it is not run; `None` for one that is.
    """

    language: str
    code: str
    line: int
    why: str | None


def blocks(page: Path, language: str) -> list[Block]:
    """A page's blocks of one language."""
    text = page.read_text(encoding="utf-8")
    found = [
        Block(match["language"], match["code"], text.count("\n", 0, match.start("code")) + 1, match["why"])
        for match in _FENCE.finditer(text)
    ]
    assert text.count("\n```") == 2 * len(found), f"{page} has a fence that this test does not understand"
    return [block for block in found if block.language == language]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def with_blocks(language: str) -> list[Path]:
    return [page for page in PAGES if blocks(page, language)]


# ---- Python --------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the examples, and with some speech and its codes."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("*.py"))
    audio, rate = read_audio(tmp_path / "examples" / "speech.wav")
    (tmp_path / "speech").mkdir()
    write_audio(tmp_path / "speech" / "a.wav", audio[:, : 2 * rate], rate)
    write_audio(tmp_path / "speech" / "b.wav", audio[:, 2 * rate : 3 * rate], rate)
    return tmp_path


@pytest.mark.parametrize("page", with_blocks("python"), ids=name)
def test_python_runs(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    if page.name == "tokenize.md":
        tokenize("speech/", "codes/", bandwidth=6.0, processes=0)
    lines = [""] * len(page.read_text(encoding="utf-8").splitlines())
    for block in blocks(page, "python"):
        if block.why is None:  # on the lines that it has in the page, so that a traceback tells them
            code = block.code.splitlines()
            lines[block.line - 1 : block.line - 1 + len(code)] = code
    program = folder / f"{page.stem}_page.py"
    program.write_text("\n".join(lines), encoding="utf-8")
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert [file for file in LEAVES.get(name(page), []) if not (folder / file).is_file()] == []


def test_few_blocks_are_not_run() -> None:
    left_out = [block.why for page in PAGES for block in blocks(page, "python") if block.why]
    assert left_out == ["it needs the package datasets"]


def test_python_of_readme_has_no_type_error(tmp_path: Path) -> None:
    settings = {"typeCheckingMode": "standard", "extraPaths": [str(ROOT / "src")]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    found = blocks(ROOT / "README.md", "python")
    for block in found:
        (tmp_path / f"line_{block.line}.py").write_text(block.code, encoding="utf-8")
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(tmp_path)]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=240).stdout)
    assert [error["message"] for error in report["generalDiagnostics"]] == []
    assert report["summary"]["filesAnalyzed"] == len(found) >= 2


# ---- commands ------------------------------------------------------------------------------


def commands(block: Block) -> Iterator[list[str]]:
    """The commands of a block, as words."""
    for line in block.code.replace("\\\n", " ").splitlines():
        words: list[str] = []
        for word in shlex.split(line, comments=True):
            if word in ("&&", "|", ";"):
                yield words
                words = []
            else:
                words.append(word)
        if words:
            yield words


def ours(words: list[str]) -> list[str] | None:
    """The arguments of `recodec`, if that is what a command runs."""
    if words[0] == "recodec":
        return words[1:]
    if words[0] in ("python", "torchrun") and "recodec" in words and words[words.index("recodec") - 1] == "-m":
        return words[words.index("recodec") + 1 :]
    return None


@pytest.mark.parametrize("page", with_blocks("sh"), ids=name)
def test_commands_exist(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours take the arguments; of others, the scripts and the targets of `make` are there."""
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: value)  # the files are not there
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    for words in (words for block in blocks(page, "sh") for words in commands(block)):
        arguments = ours(words)
        if arguments is not None:
            try:
                command: click.Command | None = cli
                while isinstance(command, click.Group):
                    _, command, arguments = command.resolve_command(click.Context(command), arguments)
                assert command is not None
                command.make_context(command.name, arguments)
            except click.UsageError as error:
                pytest.fail(f"{shlex.join(words)}: {error.format_message()}")
        elif words[0] == "make":
            assert set(words[1:]) <= set(targets)
        elif words[0] == "python" and words[1] != "-m":
            assert (ROOT / words[1]).is_file()


def test_no_command_of_ours_escapes() -> None:
    """Blocks without a language are pictures and listings."""
    for page in PAGES:
        for block in blocks(page, ""):
            assert not re.search(r"^(recodec|python|pip) ", block.code, re.M), f"{name(page)}:{block.line}"

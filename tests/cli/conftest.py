"""A toy model in a folder, and the command run in this process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from recodec import presets
from recodec.cli import run
from recodec.model.encodec import EncodecModel


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def recodec(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy model with random weights and codebooks."""
    torch.manual_seed(0)
    toy = EncodecModel(presets.tiny())
    for book in toy.quantizer.codebooks:
        book.embed.normal_()
    folder = tmp_path_factory.mktemp("models") / "toy"
    toy.save_pretrained(folder)
    return folder

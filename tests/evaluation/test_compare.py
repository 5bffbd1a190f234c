"""`recodec compare`: conversions are told, pictures are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from recodec.cli.compare import compare as verb
from recodec.errors import AudioError, ConfigError
from recodec.evaluation.compare import compare, comparison_picture, comparison_text
from support.signals import noise, voice


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "a.wav", noise(1.0, 24_000).T, 24_000, subtype="FLOAT")
    soundfile.write(tmp_path / "half.wav", 0.5 * noise(1.0, 24_000).T, 24_000, subtype="FLOAT")
    soundfile.write(tmp_path / "other.wav", noise(1.5, 48_000, channels=2).T, 48_000)
    soundfile.write(tmp_path / "short.wav", voice(0.2, 24_000).T, 24_000)
    return tmp_path


def test_files_of_one_format(folder: Path) -> None:
    found = compare(folder / "a.wav", folder / "half.wav")
    assert found.notes == ()
    assert found.values["si_snr"] == 100.0
    assert found.values["loudness_diff"] == pytest.approx(20 * np.log10(0.5), abs=1e-3)
    assert "pesq_wb" not in found.values


def test_conversions_are_told(folder: Path) -> None:
    found = compare(folder / "a.wav", folder / "other.wav")
    assert found.pair.reference.shape == found.pair.degraded.shape == (1, 24_000)
    text = comparison_text(found)
    assert "resampled from 48000 to 24000 Hz" in text
    assert "from 2 to 1 channel" in text
    assert "second file is longer by 12000 samples" in text


def test_what_is_undefined_says_why(folder: Path) -> None:
    found = compare(folder / "short.wav", folder / "a.wav", kind="speech")
    assert "first" not in " ".join(found.notes)
    assert "loudness needs 0.4 s" in comparison_text(found)
    assert set(found.undefined) >= {"loudness_diff", "stoi"}


def test_pictures(folder: Path) -> None:
    found = compare(folder / "a.wav", folder / "half.wav")
    comparison_picture(found, folder / "p.png", ("a $x$ & b", "half"))
    assert (folder / "p.png").read_bytes().startswith(b"\x89PNG")
    comparison_picture(found, folder / "p.svg", ("a $x$ & b", "half"))
    assert (folder / "p.svg").read_text().count("<image") == 3 + 3  # three spectrograms, three colour bars
    with pytest.raises(ConfigError, match=r"\.gif"):
        comparison_picture(found, folder / "p.gif", ("a", "b"))


def test_the_verb(folder: Path) -> None:
    run = CliRunner().invoke
    args = [str(folder / "a.wav"), str(folder / "half.wav"), "--picture", str(folder / "p.png")]
    fine = run(verb, args)
    assert fine.exit_code == 0, fine.output
    assert "SI-SNR" in fine.output
    assert run(verb, args).exit_code == 2
    (folder / "text.wav").write_text("text")
    bad = run(verb, [str(folder / "text.wav"), str(folder / "a.wav")])
    assert bad.exit_code == 1
    assert "Traceback" not in bad.output
    with pytest.raises(AudioError):
        compare(folder / "text.wav", folder / "a.wav")

"""The table of kinds of audio files: a part of it holds here, and the page has all kinds."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from recodec.errors import AudioError, IncompleteError
from support.scripts import ROOT, load_script

pytest.importorskip("av")
SOME = [
    "wav-pcm-16-stereo.wav", "wav-gsm610.wav", "caf-alac-16.caf", "ogg-opus.ogg", "mp3-mpeg-layer-iii.mp3",
    "ipod-aac-6.m4a", "wv-wavpack-2.wv", "size-unknown.wav", "extensible.wav", "unknown.flac", "links.ogg", "no-suffix",
    "cut.wav", "changes.mp3", "nine.wav", "nan.wav",
]  # fmt: skip


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("docs/make/audio_kinds.py")


@pytest.mark.parametrize("name", SOME)
def test_five_ways_agree_and_equal_ffmpeg(script: ModuleType, name: str, tmp_path: Path) -> None:
    (kind,) = (kind for kind in script.kinds() if kind.file == name)
    answer = script.answer(kind, tmp_path)
    assert answer.is_good, answer
    assert answer.said is None or answer.said.startswith((AudioError.__name__, IncompleteError.__name__))


def test_the_page_has_all_kinds(script: ModuleType) -> None:
    page = (ROOT / "docs" / "audio-kinds.md").read_text(encoding="utf-8")
    assert [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")] == [
        kind.file for kind in script.kinds()
    ]
    assert "differ:" not in page
    assert len(script.kinds()) >= 60

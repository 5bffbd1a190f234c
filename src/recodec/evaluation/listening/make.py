"""Making a listening test: a page that stands alone, and a key that says which codec each letter stands for."""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...atomic import write_text
from ...errors import ConfigError
from ..clips import Clip
from ..codecs import AudioCodec, CodecSpec, transcode
from ..report.pictures import data_uri, waveform_path
from ..trials import flac_bytes
from ..web import render, script_json

FORMAT, VERSION = "recodec-listening-test", 1
KEY_NAME, PAGE_NAME = "key.json", "index.html"
MAX_CONDITIONS = 12
"""BS.1534-3 has raters compare no more than this at once, hidden reference and anchor among them."""
REFERENCE, ANCHOR = CodecSpec("reference"), CodecSpec("lowpass")


def make_test(
    folder: str | Path, clips: Sequence[Clip], codecs: Sequence[CodecSpec], *, title: str = "Listening test",
    completion: str | None = None, seed: int | None = None, overwrite: bool = False,
) -> Path:  # fmt: skip
    """Write a test into a folder: `index.html` for the raters, and `key.json`, which they should not see.

    Every clip is one trial: the open reference, and in random order the codecs, the hidden reference
    and the low-pass anchor, which are added. The page draws the order of trials and letters anew for
    each rater, and knows stimuli only by random tokens.

    Args:
        folder: made if it is not there.
        clips: one trial each; BS.1534-3 advises about 10 seconds or less.
        codecs: to rate.
        title: of the page.
        completion: a code that the page shows to raters who have saved their answers, as panels ask for.
        seed: for the tokens; random by default.
        overwrite: whether a test in that folder may be replaced.

    Returns:
        the path of the page.

    Raises:
        ConfigError: without a clip or a codec, or for more than 12 stimuli a trial.
        AudioError: if a clip cannot be read.
        FileExistsError: if the folder holds a test already.
    """
    conditions = [REFERENCE, ANCHOR, *(c for c in dict.fromkeys(codecs) if c not in (REFERENCE, ANCHOR))]
    if not clips or len(conditions) < 3:
        raise ConfigError("a listening test needs at least one clip and one codec")
    if len(conditions) > MAX_CONDITIONS:
        raise ConfigError(
            f"at most {MAX_CONDITIONS} stimuli a trial, got {len(conditions)} with hidden reference and anchor"
        )
    folder = Path(folder)
    if not overwrite and (folder / KEY_NAME).exists():
        raise FileExistsError(f"{folder} holds a test already; its answers belong to its key")
    draw = random.Random(secrets.randbits(128) if seed is None else seed)
    test_id = _token(draw)
    built = [(spec, spec.build()) for spec in conditions]
    trials = [_trial(clip, built, draw) for clip in clips]
    key = {
        "format": FORMAT, "version": VERSION, "kind": "key", "test": test_id, "title": title,
        "reference": str(REFERENCE), "anchor": str(ANCHOR), "labels": {str(s): s.label for s in conditions},
        "trials": [trial["key"] for trial in trials],
    }  # fmt: skip
    page = render(
        "listening.html",
        styles=("base.css", "listening.css"),
        scripts=("player.js", "listening.js"),
        title=title,
        data=script_json(
            {
                "format": FORMAT,
                "version": VERSION,
                "test": test_id,
                "trials": [t["page"] for t in trials],
                "completion": completion is not None,
            }
        ),
        completion=completion,
        trial_count=len(trials),
        stimulus_count=len(conditions),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / KEY_NAME, json.dumps(key, indent=2) + "\n")
    write_text(folder / PAGE_NAME, page)
    return folder / PAGE_NAME


def _trial(clip: Clip, codecs: Sequence[tuple[CodecSpec, AudioCodec]], draw: random.Random) -> dict[str, Any]:
    """What the page and the key know of a trial."""
    audio, rate_hz = clip.read()
    trial = _token(draw)
    stimuli = {}
    sounds = []
    for spec, codec in codecs:
        token = _token(draw)
        coded = transcode(codec, audio, rate_hz)
        stimuli[token] = str(spec)
        sounds.append({"token": token, "audio": data_uri("audio/flac", flac_bytes(coded.audio, rate_hz))})
    # The order within the file must not tell which is which: tokens are random, so sort by them.
    sounds.sort(key=lambda sound: sound["token"])
    page = {
        "trial": trial,
        "seconds": audio.shape[-1] / rate_hz,
        "waveform": waveform_path(audio),
        "reference": data_uri("audio/flac", flac_bytes(audio, rate_hz)),
        "stimuli": sounds,
    }
    return {"page": page, "key": {"trial": trial, "clip": clip.name, "kind": clip.kind, "stimuli": stimuli}}


def _token(draw: random.Random) -> str:
    return f"{draw.getrandbits(48):012x}"

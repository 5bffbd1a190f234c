"""`recodec models`: which models there are, and what each is for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import say

if TYPE_CHECKING:
    from ..config import EncodecConfig


@click.command()
def models() -> None:
    """List the models that can be used here: the shipped one, those of the hub that files may name, and whether they
    are in the cache of downloads.
    """
    from ..config import EncodecConfig
    from ..hub import DEFAULT_FOLDER, DEFAULT_MODEL, HUB_MODELS
    from ..lm.files import WEIGHTS_NAME
    from ..spectral import SPECTRAL_WEIGHTS_NAME

    config = EncodecConfig.from_json_file(DEFAULT_FOLDER / "config.json")
    size = sum(path.stat().st_size for path in Path(DEFAULT_FOLDER).glob("*.safetensors")) / 1e6
    parts = {"a language model": WEIGHTS_NAME, "a spectral decoder": SPECTRAL_WEIGHTS_NAME}
    there = [what for what, name in parts.items() if (DEFAULT_FOLDER / name).is_file()]
    extras = f"with {' and '.join(there)}; " if there else ""
    say(f"{DEFAULT_MODEL:<28} {_about(config)}; shipped, {size:.0f} MB; {extras}the default")
    for id in HUB_MODELS.values():
        say(f"{id:<28} {_PRESETS[id]}; {'in the cache' if _is_cached(id) else 'on the hub'}; weights by Meta, CC-BY-NC")
    say("A folder or another hub id is a model as well: --model NAME_OR_PATH. Files say which model they need.")


_PRESETS = {
    "facebook/encodec_24khz": "24 kHz mono, 1.5, 3, 6, 12, 24 kbps",
    "facebook/encodec_48khz": "48 kHz stereo, 3, 6, 12, 24 kbps",
    "facebook/encodec_32khz": "32 kHz mono, 2.2 kbps (MusicGen)",
}


def _about(config: EncodecConfig) -> str:
    channels = "mono" if config.audio_channels == 1 else "stereo"
    rates = ", ".join(f"{bandwidth:g}" for bandwidth in config.target_bandwidths)
    return f"{config.sampling_rate / 1000:g} kHz {channels}, {rates} kbps"


def _is_cached(id: str) -> bool:
    from ..errors import CheckpointError
    from ..hub import resolve_file

    try:
        resolve_file(id, "config.json", local_files_only=True)
    except CheckpointError:
        return False
    return True

"""`recodec models`: which models there are, what each is for, and which one a file needs."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import FileName, options, say

if TYPE_CHECKING:
    from ..config import EncodecConfig


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE...]", type=FileName(exists=True, dir_okay=False))
@options(
    "model",
    model="Ask this model, a folder or a hub id, whether it decodes the FILEs; by default the one that each names.",
)
def models(files: tuple[str, ...], model: str | None) -> None:
    """List the models that can be used here: the shipped one, those of the hub that files may name, and whether they
    are in the cache of downloads. With FILEs, .ecdc files, say which weights each needs, and whether they are here.

    The exit code is 1 if a file cannot be read, or its weights are not here.
    """
    if not files:
        _list()
        return
    from ..errors import BitstreamError

    failed = False
    for path in files:
        try:
            good, text = _needed(path, model)
        except BitstreamError as error:
            good, text = False, str(error)
        failed |= not good
        say(f"{path}: {text}")
    if failed:
        click.get_current_context().exit(1)


def _needed(path: str, model: str | None) -> tuple[bool, str]:
    """Whether the weights that a file needs are here, and a sentence."""
    from .. import ecdc
    from ..hub import DEFAULT_MODEL, model_called

    facts = ecdc.facts(path)
    place = model_called(facts["model"]) if model is None else model
    called = DEFAULT_MODEL if place is None else place
    wanted = facts["fingerprint"]
    needs = f"needs the weights of {facts['model'] or 'a model without a name'}" + (
        f", fingerprint {wanted}" if wanted else ""
    )
    if model is None and place is not None and not _is_cached(place):
        return False, f"{needs}: {place}, which is fetched from the hub when it is needed"
    found = _fingerprints(place)
    if wanted is None:
        return True, f"{needs}: {called} has that name, and the file does not tell more"
    if any(one.startswith(wanted) for one in found):
        return True, f"{needs}: {called} decodes it"
    advice = "give the folder of the model that wrote it, by --model"
    return False, f"{needs}: {called} here has others ({found[0][: len(wanted)]}); {advice}"


@lru_cache
def _fingerprints(place: str | None) -> tuple[str, ...]:
    from ..codec import Codec

    return Codec.from_pretrained(place).fingerprints


def _list() -> None:
    from ..config import EncodecConfig
    from ..hub import DEFAULT_FOLDER, DEFAULT_MODEL, HUB_MODELS
    from ..lm.weights import WEIGHTS_NAME
    from ..spectral import SPECTRAL_WEIGHTS_NAME

    config = EncodecConfig.from_json_file(DEFAULT_FOLDER / "config.json")
    size = sum(path.stat().st_size for path in Path(DEFAULT_FOLDER).glob("*.safetensors")) / 1e6
    parts = {"a language model": WEIGHTS_NAME, "a spectral decoder": SPECTRAL_WEIGHTS_NAME}
    there = [what for what, name in parts.items() if (DEFAULT_FOLDER / name).is_file()]
    extras = f"with {' and '.join(there)}; " if there else ""
    say(f"{DEFAULT_MODEL:<28} {_about(config)}; shipped, {size:.0f} MB; {extras}the default")
    for id in HUB_MODELS.values():
        say(f"{id:<28} {_PRESETS[id]}; {'in the cache' if _is_cached(id) else 'on the hub'}; weights by Meta, CC-BY-NC")
    say(
        "A folder or another hub id is a model as well: --model NAME_OR_PATH. "
        "recodec models FILE.ecdc says which weights a file needs."
    )


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

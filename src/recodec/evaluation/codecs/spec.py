"""Names of codecs at a setting, as the command line takes them: `NAME[:MODEL][@KBPS[,KBPS...]]`.

opus@6,12   mp3@32   recodec-torch:runs/a@6   reference   lowpass
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...config import EncodecConfig
from ...errors import CheckpointError, ConfigError
from ...hub import DEFAULT_FOLDER
from .anchors import LowPass, Reference
from .base import AudioCodec
from .classic import mp3, opus
from .peers import DacCodec, MetaCodec, SnacCodec, TransformersCodec
from .recodec import RecodecCodec


@dataclass(frozen=True)
class CodecSpec:
    """A codec at one setting: what is needed to build it in another process.

    Attributes:
        name: family, a key of `FAMILIES`.
        model: checkpoint or variant, for families that have several.
        bandwidth_kbps: the setting, for families that have one.
    """

    name: str
    model: str | None = None
    bandwidth_kbps: float | None = None

    def __str__(self) -> str:
        at = "" if self.bandwidth_kbps is None else f"@{self.bandwidth_kbps:g}"
        return self.family + at

    @property
    def family(self) -> str:
        """The codec without its setting: one curve in a plot."""
        return self.name + (f":{self.model}" if self.model else "")

    @property
    def label(self) -> str:
        """A short name for people, with the setting; a checkpoint is called by its folder."""
        name = Path(self.model).name if self.model else _TITLES.get(self.name, self.name)
        return name if self.bandwidth_kbps is None else f"{name} {self.bandwidth_kbps:g}"

    @property
    def weights(self) -> str | None:
        """The checkpoint: the shipped model's where none is named; `None` where a peer brings its own."""
        return self.model or (str(DEFAULT_FOLDER) if FAMILIES[self.name].is_ours else None)

    def check_bandwidth(self) -> None:
        """Make sure that a model of ours has the bandwidth, if the model is here.

        Raises:
            ConfigError: if it does not have it.
        """
        if FAMILIES[self.name].is_ours and self.bandwidth_kbps is not None:
            with suppress(CheckpointError):  # each trial will say so
                EncodecConfig.from_pretrained(self.weights).choose_quantizers(self.bandwidth_kbps)

    def build(self) -> AudioCodec:
        """The codec itself; checkpoints are loaded here.

        Raises:
            ConfigError: for a setting it does not have.
            CheckpointError: for weights that cannot be loaded.
        """
        return FAMILIES[self.name].build(self)


@dataclass(frozen=True)
class Family:
    """How a family of codecs is built, and what it needs to be told.

    Attributes:
        build: makes the codec of a setting.
        has_bandwidth: whether it is told one.
        has_model: whether it may be told one.
        is_ours: whether it takes the shipped model if it is told none.
    """

    build: Callable[[CodecSpec], AudioCodec]
    has_bandwidth: bool = True
    has_model: bool = False
    is_ours: bool = False


def _ours(engine: str, decoder: str = "auto") -> Family:
    return Family(lambda spec: RecodecCodec(spec.model, _rate(spec), engine, decoder), has_model=True, is_ours=True)


_TITLES = {
    "recodec": "Recodec",
    "recodec-encodec": "Recodec, EnCodec's decoder",
    "recodec-torch": "Recodec (torch)",
    "opus": "Opus",
    "mp3": "MP3",
    "reference": "Reference",
    "lowpass": "Low-pass 3.5 kHz",
}


def _rate(spec: CodecSpec) -> float:
    assert spec.bandwidth_kbps is not None  # `parse_codecs` has seen to it
    return spec.bandwidth_kbps


FAMILIES: dict[str, Family] = {
    "reference": Family(lambda spec: Reference(), has_bandwidth=False),
    "lowpass": Family(lambda spec: LowPass(), has_bandwidth=False),
    "opus": Family(lambda spec: opus(_rate(spec))),
    "mp3": Family(lambda spec: mp3(_rate(spec))),
    "recodec": _ours("onnx"),
    "recodec-encodec": _ours("onnx", "encodec"),
    "recodec-torch": _ours("torch"),
    "encodec": Family(lambda spec: MetaCodec(spec.model, _rate(spec)), has_model=True),
    "transformers": Family(lambda spec: TransformersCodec(spec.model, _rate(spec)), has_model=True),
    "dac": Family(lambda spec: DacCodec(spec.model, _rate(spec)), has_model=True),
    "snac": Family(lambda spec: SnacCodec(spec.model), has_bandwidth=False, has_model=True),
}


def parse_codecs(texts: Iterable[str], bandwidths: Iterable[float] = ()) -> list[CodecSpec]:
    """Texts such as `opus@6,12` to one spec a setting, without repetitions.

    Args:
        texts: see the top of this file.
        bandwidths: in kbps, for codecs that have bandwidths and are named without any.

    Raises:
        ConfigError: for an unknown family, a missing or superfluous bandwidth or model, or no number.
    """
    specs: dict[CodecSpec, None] = {}
    default = ",".join(f"{rate:g}" for rate in bandwidths)
    for text in texts:
        specs.update(dict.fromkeys(_parse(text, default)))
    return list(specs)


def _parse(text: str, default: str) -> list[CodecSpec]:
    head, at, rates = text.rpartition("@")
    if not at:
        head, rates = text, ""
    name, _, model = head.partition(":")
    family = FAMILIES.get(name)
    if family is None:
        raise ConfigError(f"unknown codec {name!r}; known are {', '.join(FAMILIES)}")
    if model and not family.has_model:
        raise ConfigError(f"{name} has no models to choose from, got {model!r}")
    if family.has_bandwidth and not at:
        rates = default
    if family.has_bandwidth != bool(rates):
        wanted = f"needs a bandwidth in kbps, as in {name}@6" if family.has_bandwidth else "has no bandwidths"
        raise ConfigError(f"{name} {wanted}")
    if not rates:
        return [CodecSpec(name, model or None)]
    return [CodecSpec(name, model or None, _number(rate, text)) for rate in rates.split(",")]


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 10_000:
        raise ConfigError(f"{text!r} is not a bandwidth in kbps (in {where!r})")
    return value

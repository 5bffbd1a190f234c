"""`EncodecConfig`: the hyperparameters of an EnCodec model, with Hugging Face's names and defaults.

Numbers that follow from others (hop, frame rate, number of codebooks, segments) come from `geometry.py`.
See `docs/notation.md` for the letters in shapes.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from .atomic import write_text
from .errors import ConfigError
from .geometry import CodecGeometry
from .hub import resolve_file
from .text import read_json_object

MODEL_TYPE = "encodec"
CONFIG_NAME = "config.json"
NORM_TYPES = ("weight_norm", "time_group_norm")
PAD_MODES = ("reflect", "constant")

# A configuration may come from anywhere. These bounds keep it from describing a network whose mere
# list of layers fills the memory.
_LIMIT = 2**31
_MAX_DEPTH = 64
_MAX_CODEBOOKS = 8192

_Bandwidths = Sequence[float]
_POSITIVE_INTS = (
    "sampling_rate",
    "hidden_size",
    "num_filters",
    "kernel_size",
    "last_kernel_size",
    "residual_kernel_size",
    "dilation_growth_rate",
    "compress",
    "codebook_size",
)
_FLAGS = ("normalize", "use_causal_conv", "use_conv_shortcut", "return_dict")
_MAX_HOP = 1 << 16  # what the file format has room for
_MAX_SEGMENTS_PER_S = 100

_Config = TypeVar("_Config", bound="EncodecConfig")
_logger = logging.getLogger(__name__)


def _keep_unknown_keywords(cls: type[_Config]) -> type[_Config]:
    """Let a configuration take keywords that are not its fields, as those of `transformers` do.

    They go to `extra`. A warning says so where the keyword looks like a field: it is probably a slip.
    """
    init_fields = cls.__init__
    names = {f.name for f in dataclasses.fields(cls)}

    @functools.wraps(init_fields)
    def init(self: Any, *values: Any, **settings: Any) -> None:
        unknown = {key: settings.pop(key) for key in list(settings) if key not in names}
        for key in unknown:
            if like := difflib.get_close_matches(key, names, n=1, cutoff=0.75):
                _logger.warning("EncodecConfig has no field %s, and ignores it. Did you mean %s?", key, like[0])
        if unknown:
            settings["extra"] = {**settings.get("extra", {}), **unknown}
        init_fields(self, *values, **settings)

    cls.__init__ = init
    return cls


@_keep_unknown_keywords
@dataclass
class EncodecConfig(CodecGeometry):
    """Configuration of an EnCodec model (paper section 3; field names as in `transformers`).

    The defaults describe the released 24 kHz model. `presets.py` has the other released ones.

    Args:
        target_bandwidths: bandwidths in kbps that the model was trained for, ascending.
        sampling_rate: in Hz.
        audio_channels: 1 (mono) or 2 (stereo).
        normalize: scale each segment to unit RMS before encoding, and send the scale.
        chunk_length_s: length of a segment in seconds; `None` encodes the whole in one piece.
        overlap: overlap of neighbouring segments as a fraction of a segment.
        hidden_size: width D of the latents.
        num_filters: channels of the first convolution; doubled at each downsampling.
        num_residual_layers: residual blocks per scale.
        upsampling_ratios: strides of the decoder; the encoder uses them in reverse.
        norm_type: `"weight_norm"` or `"time_group_norm"`.
        kernel_size, last_kernel_size, residual_kernel_size: in samples of their scale.
        dilation_growth_rate: dilation of residual block j is this to the power of j.
        use_causal_conv: pad on the left only (streamable).
        pad_mode: `"reflect"` (released models) or `"constant"` (zeros; no start-up delay).
        compress: a residual branch has its block's channels divided by this.
        num_lstm_layers: layers of the LSTM in encoder and in decoder; 0 for none.
        trim_right_ratio: share of a transposed convolution's padding trimmed on the right.
        codebook_size: entries N per codebook, a power of two.
        codebook_dim: width of a codebook entry; must equal `hidden_size`.
        use_conv_shortcut: 1x1 convolution (rather than the identity) around residual branches.
        return_dict: default for the `return_dict` argument of `EncodecModel`'s methods.
        extra: keys of a `config.json` that we do not know; kept, and written back. Unknown keywords go there as well.

    Raises:
        ConfigError: if no network can be built from the values; the message names the field.
    """

    target_bandwidths: _Bandwidths = (1.5, 3.0, 6.0, 12.0, 24.0)
    sampling_rate: int = 24_000
    audio_channels: int = 1
    normalize: bool = False
    chunk_length_s: float | None = None
    overlap: float | None = None
    hidden_size: int = 128
    num_filters: int = 32
    num_residual_layers: int = 1
    upsampling_ratios: Sequence[int] = (8, 5, 4, 2)
    norm_type: str = "weight_norm"
    kernel_size: int = 7
    last_kernel_size: int = 7
    residual_kernel_size: int = 3
    dilation_growth_rate: int = 2
    use_causal_conv: bool = True
    pad_mode: str = "reflect"
    compress: int = 2
    num_lstm_layers: int = 2
    trim_right_ratio: float = 1.0
    codebook_size: int = 1024
    codebook_dim: int | None = None
    use_conv_shortcut: bool = True
    return_dict: bool = True
    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    model_type = MODEL_TYPE  # a class attribute, as in transformers; not a field

    def __post_init__(self) -> None:
        if self.codebook_dim is None:
            self.codebook_dim = self.hidden_size
        self.validate()

    # ---- validation ------------------------------------------------------------------------

    def validate(self) -> None:
        """Check every field; called at construction and again when a network is built.

        Raises:
            ConfigError: naming the field, its value and what is allowed.
        """
        for name in _POSITIVE_INTS:
            _require(_is_int(getattr(self, name)) and getattr(self, name) > 0, name, getattr(self, name),
                     "a positive integer")  # fmt: skip
        for name in ("num_residual_layers", "num_lstm_layers"):
            _require(_is_int(getattr(self, name)) and 0 <= getattr(self, name) <= _MAX_DEPTH, name,
                     getattr(self, name), f"an integer from 0 to {_MAX_DEPTH}")  # fmt: skip
        for name in _FLAGS:
            _require(isinstance(getattr(self, name), bool), name, getattr(self, name), "true or false")
        channels = self.audio_channels
        _require(_is_int(channels) and channels in (1, 2), "audio_channels", channels, "1 or 2")
        _require(self.norm_type in NORM_TYPES, "norm_type", self.norm_type, f"one of {NORM_TYPES}")
        _require(self.pad_mode in PAD_MODES, "pad_mode", self.pad_mode, f"one of {PAD_MODES}")
        self._validate_structure()
        self._validate_segments()
        self._validate_bandwidths()

    def _validate_structure(self) -> None:
        ratios = self.upsampling_ratios
        good = isinstance(ratios, (list, tuple)) and all(_is_int(r) and r > 0 for r in ratios)
        _require(good and 0 < len(ratios) <= _MAX_DEPTH, "upsampling_ratios", ratios, "a list of positive integers")
        _require(self.hop_length <= _MAX_HOP, "upsampling_ratios", ratios, f"a product (the hop) of at most {_MAX_HOP}")
        _require(self.codebook_dim == self.hidden_size, "codebook_dim", self.codebook_dim,
                 f"equal to hidden_size ({self.hidden_size})")  # fmt: skip
        size = self.codebook_size
        _require(size > 1 and size & (size - 1) == 0, "codebook_size", size, "a power of 2, and at least 2")
        _require(self.num_filters >= self.compress, "compress", self.compress,
                 f"at most num_filters ({self.num_filters})")  # fmt: skip
        trim = self.trim_right_ratio
        _require(_is_number(trim) and 0 <= trim <= 1, "trim_right_ratio", trim, "between 0 and 1")
        if not self.use_causal_conv:
            _require(trim == 1.0, "trim_right_ratio", trim, "1.0 where use_causal_conv is false")
        if self.use_causal_conv:
            _require(self.norm_type == "weight_norm", "norm_type", self.norm_type,
                     '"weight_norm" for a causal model: a norm over time looks ahead')  # fmt: skip

    def _validate_segments(self) -> None:
        if self.chunk_length_s is not None:
            ok = _is_number(self.chunk_length_s) and self.chunk_length_s * self.sampling_rate >= 1
            _require(ok, "chunk_length_s", self.chunk_length_s, "at least one sample long")
        if self.overlap is not None:
            ok = _is_number(self.overlap) and 0 <= self.overlap < 1
            _require(ok, "overlap", self.overlap, "from 0 to below 1")
        if self.segment_stride is not None:
            least = max(1, self.sampling_rate // _MAX_SEGMENTS_PER_S)
            _require(self.segment_stride >= min(least, self.chunk_length or least), "overlap", self.overlap,
                     f"small enough for at most {_MAX_SEGMENTS_PER_S} segments a second")  # fmt: skip

    def _validate_bandwidths(self) -> None:
        bands = self.target_bandwidths
        good = isinstance(bands, (list, tuple)) and len(bands) > 0
        good = good and all(_is_number(b) and b > 0 for b in bands)
        _require(good, "target_bandwidths", bands, "a list of positive numbers (kbps)")
        _require(list(bands) == sorted(bands), "target_bandwidths", bands, "in ascending order")
        _require(1 <= self.num_quantizers <= _MAX_CODEBOOKS, "target_bandwidths", bands,
                 f"enough for one codebook ({self.bandwidth_of(1):g} kbps), for {_MAX_CODEBOOKS} at most")  # fmt: skip

    # ---- files -----------------------------------------------------------------------------

    @property
    def also_decodes(self) -> tuple[str, ...]:
        """Fingerprints of the earlier models whose codes this one's are, when only the decoder has learned since.

        In a `config.json` they are the list `decodes`.
        """
        found = self.extra.get("decodes", ())
        return tuple(map(str, found)) if isinstance(found, (list, tuple)) else ()

    def with_ancestor(self, fingerprint: str) -> EncodecConfig:
        """A copy for a model with the codes of another one, whose configuration this is."""
        return dataclasses.replace(self, extra={**self.extra, "decodes": [*self.also_decodes, fingerprint]})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EncodecConfig:
        """Build from the content of a `config.json`; unknown keys go to `extra`.

        Raises:
            ConfigError: for another `model_type` or a bad value.
        """
        model_type = values.get("model_type", MODEL_TYPE)
        if model_type != MODEL_TYPE:
            raise ConfigError(f"this is a configuration of a {model_type!r} model, not of {MODEL_TYPE!r}")
        known = {f.name for f in dataclasses.fields(cls)} - {"extra"}
        derived = _derived_names()
        fields = {k: v for k, v in values.items() if k in known}
        extra = {k: v for k, v in values.items() if k not in known | derived | {"model_type"}}
        return cls(**fields, extra=extra)

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values, with the keys of `extra` beside them."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "extra"}
        values["target_bandwidths"] = list(self.target_bandwidths)
        values["upsampling_ratios"] = list(self.upsampling_ratios)
        return {**self.extra, "model_type": MODEL_TYPE, **values}

    def to_diff_dict(self) -> dict[str, Any]:
        """The fields that differ from those of a default configuration, as plain values."""
        default = EncodecConfig().to_dict()
        return {key: value for key, value in self.to_dict().items() if key not in default or value != default[key]}

    def update(self, config_dict: Mapping[str, Any]) -> None:
        """Change fields; unknown keys go to `extra`.

        Raises:
            ConfigError: for a bad value, which changes nothing.
        """
        changed = EncodecConfig.from_dict({**self.to_dict(), **config_dict})
        self.__dict__.update(changed.__dict__)

    def to_json_file(self, json_file_path: str | Path) -> None:
        """Write the configuration to a file, as `save_pretrained` does."""
        write_text(json_file_path, self.to_json_string())

    def to_json_string(self) -> str:
        """`to_dict` as indented JSON with sorted keys."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json_file(cls, path: str | Path) -> EncodecConfig:
        """Read a `config.json`.

        Raises:
            ConfigError: if the file is not a JSON object, or does not describe an EnCodec.
            FileNotFoundError: if there is no such file.
        """
        return cls.from_dict(read_json_object(path))

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path | None = None,
        *,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
        subfolder: str = "",
    ) -> EncodecConfig:
        """Read the `config.json` of a model; arguments as in `hub.resolve_file`.

        Raises:
            CheckpointError: if there is none.
            ConfigError: if it describes no EnCodec.
        """
        path = resolve_file(
            name_or_path, CONFIG_NAME, revision=revision, cache_dir=cache_dir, token=token,
            local_files_only=local_files_only, force_download=force_download, subfolder=subfolder,
        )  # fmt: skip
        return cls.from_json_file(path)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `config.json` into a folder, which is made if need be."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        write_text(Path(folder) / CONFIG_NAME, self.to_json_string())


def _derived_names() -> set[str]:
    bases = EncodecConfig.__mro__
    return {name for base in bases for name, value in vars(base).items() if isinstance(value, property)}


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LIMIT


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _LIMIT


def _require(condition: bool, name: str, value: object, allowed: str) -> None:
    if not condition:
        raise ConfigError(f"{name} must be {allowed}, got {value!r}")

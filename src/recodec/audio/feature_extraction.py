"""`EncodecFeatureExtractor`: raw audio to the input of a model, with the interface of `transformers`."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atomic import write_text
from ..errors import AudioError, ConfigError
from ..geometry import SegmentGeometry
from ..hub import resolve_file
from ..text import read_json_object
from .batch import BatchFeature, stack_masks, to_tensors
from .collate import Collation, Features, extend, padding_value_of

FEATURE_EXTRACTOR_NAME = "preprocessor_config.json"
FEATURE_EXTRACTOR_TYPE = "EncodecFeatureExtractor"
PADDING_SIDES = ("right", "left")

RawAudio = NDArray[Any] | Sequence[float] | Sequence[NDArray[Any]] | Sequence[Sequence[float]]

_logger = logging.getLogger(__name__)


class EncodecFeatureExtractor(SegmentGeometry):
    """Checks, pads and stacks recordings; arguments, defaults and results as in `transformers`.

    Nothing is resampled or mixed here: see `audio.files` for that. The settings are plain attributes
    and may be changed at any time.

    Args:
        feature_size: channels; 1 (mono) or 2 (stereo).
        sampling_rate: in Hz.
        padding_value: sample value that padding is filled with; `None` forbids padding.
        chunk_length_s: length of a segment in seconds, for models that work in segments.
        overlap: overlap of neighbouring segments as a fraction of a segment.
        padding_side: `"right"` or `"left"`. (Our `EncodecModel` takes the right only.)
        return_attention_mask: kept for files; the mask is returned whenever `padding` is not false.
        extra: other keys of a `preprocessor_config.json`; kept, and written back.

    Raises:
        ConfigError: for a setting out of its range; the message names it.
    """

    model_input_names = ("input_values", "padding_mask")

    def __init__(
        self,
        feature_size: int = 1,
        sampling_rate: int = 24_000,
        padding_value: float | None = 0.0,
        chunk_length_s: float | None = None,
        overlap: float | None = None,
        *,
        padding_side: str = "right",
        return_attention_mask: bool = True,
        **extra: Any,
    ) -> None:
        self.feature_size = feature_size
        self.sampling_rate = sampling_rate
        self.padding_value = padding_value
        self.chunk_length_s = chunk_length_s
        self.overlap = overlap
        self.padding_side = padding_side
        self.return_attention_mask = return_attention_mask
        self.extra = extra
        self._validate()

    def _validate(self) -> None:
        def require(name: str, good: bool, allowed: str) -> None:
            if not good:
                raise ConfigError(f"{name} must be {allowed}, got {getattr(self, name)!r}")

        rate, chunk, overlap = self.sampling_rate, self.chunk_length_s, self.overlap
        require("feature_size", self.feature_size in (1, 2), "1 or 2")
        require("sampling_rate", _is_number(rate) and rate > 0, "a positive number")
        require("padding_value", self.padding_value is None or _is_number(self.padding_value), "a number or None")
        good_chunk = chunk is None or (_is_number(chunk) and chunk * rate >= 1)
        require("chunk_length_s", good_chunk, "at least one sample long, or None")
        require("overlap", overlap is None or (_is_number(overlap) and 0 <= overlap < 1), "from 0 to below 1, or None")
        require("padding_side", self.padding_side in PADDING_SIDES, f"one of {PADDING_SIDES}")

    def __call__(
        self,
        raw_audio: RawAudio,
        padding: bool | str | None = None,
        truncation: bool | None = False,
        max_length: int | None = None,
        return_tensors: str | None = None,
        sampling_rate: int | None = None,
    ) -> BatchFeature:
        """Prepare one recording or a batch of them.

        Args:
            raw_audio: one recording, or a list or tuple of them. A recording is an array, or a list
                of numbers, of shape (T,) for mono and (2, T) for stereo. All become float32, but for
                a single array of another type than float64, which keeps its type.
            padding: `True` or `"longest"` pads to the longest, `"max_length"` to `max_length`,
                `False` not at all; `"do_not_pad"` not at all either, but returns a mask. `None` is
                `True`. With segments, and no `max_length` given, any padding completes the last one.
            truncation: cut to `max_length`; with segments, and no `max_length` given, to the whole
                segments that the shortest recording fills.
            max_length: in samples.
            return_tensors: `None` for a list of arrays (which may share the memory of the input),
                `"np"` for one array, `"pt"` for a torch tensor.
            sampling_rate: of the audio in Hz, to be checked; recommended.

        Returns:
            `input_values`, (B, C, T), and unless `padding` is false `padding_mask`, (B, T), int32, 1
            where audio is. Where nothing made the lengths equal, and `return_tensors` is `None`, the
            mask is an object array of B arrays.

        Raises:
            AudioError: for another sampling rate, a wrong shape, no numbers, or recordings of
                different lengths where tensors are asked for.
            ConfigError: for a bad or contradictory argument.
        """
        self._validate()
        self._check_rate(sampling_rate)
        if return_tensors not in (None, "np", "pt"):
            raise ConfigError(f'return_tensors must be None, "np" or "pt", got {return_tensors!r}')
        if padding and truncation:
            raise ConfigError("Both padding and truncation were set. Make sure you only set one.")
        if max_length is not None and max_length < 0:
            raise ConfigError(f"max_length must be 0 or more, got {max_length}")
        recordings = self._read(raw_audio)
        strategy, max_length = self._fit_segments(recordings, padding, truncation, max_length)
        if truncation:
            recordings = _truncate(recordings, max_length)
        if strategy == "longest":
            max_length = max(recording.shape[-1] for recording in recordings)
        masks = [np.ones(recording.shape[-1], dtype=np.int32) for recording in recordings]
        if strategy in ("longest", "max_length"):
            recordings, masks = self._pad(recordings, masks, max_length)
        features = BatchFeature()
        if strategy is not None:
            features["padding_mask"] = stack_masks(masks)
        features["input_values"] = [np.atleast_2d(recording) for recording in recordings]
        return features if return_tensors is None else to_tensors(features, return_tensors)

    def _check_rate(self, sampling_rate: int | None) -> None:
        if sampling_rate is None:
            _logger.warning(
                "Pass the `sampling_rate` of the audio to EncodecFeatureExtractor: without it, audio of another "
                "rate than %s Hz is not noticed.",
                self.sampling_rate,
            )
        elif sampling_rate != self.sampling_rate:
            raise AudioError(
                f"The model was trained using a sampling rate of {self.sampling_rate} Hz, and the audio has "
                f"{sampling_rate} Hz. Resample it first."
            )

    def _read(self, raw_audio: RawAudio) -> list[NDArray[Any]]:
        """A list of recordings, each (T,) for mono or (2, T) for stereo."""
        if isinstance(raw_audio, (list, tuple)) and len(raw_audio) == 0:
            raise AudioError("raw_audio holds no recording")
        if isinstance(raw_audio, np.ndarray):
            if raw_audio.dtype.kind not in "biuf":
                raise AudioError(f"raw_audio must be real numbers, got an array of {raw_audio.dtype}")
            kept = raw_audio.dtype != np.float64
            recordings = [raw_audio if kept else raw_audio.astype(np.float32)]
        elif isinstance(raw_audio, (list, tuple)) and isinstance(raw_audio[0], (np.ndarray, tuple, list)):
            recordings = [_as_float32(recording) for recording in raw_audio]
        else:
            recordings = [_as_float32(raw_audio)]
        for recording in recordings:
            self._check_shape(recording.shape)
        return recordings

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        if not 1 <= len(shape) <= 2:
            raise AudioError(f"Expected input shape (channels, length) but got shape {shape}")
        if self.feature_size == 1 and len(shape) != 1:
            raise AudioError(f"Expected mono audio, shape (length,), but example has shape {shape}")
        if self.feature_size == 2 and (len(shape) != 2 or shape[0] != 2):
            raise AudioError(f"Expected stereo audio, shape (2, length), but example has shape {shape}")

    def _fit_segments(
        self,
        recordings: list[NDArray[Any]],
        padding: bool | str | None,
        truncation: bool | None,
        max_length: int | None,
    ) -> tuple[str | None, int | None]:
        """Padding strategy and length that make whole segments; as given where there are none."""
        length, stride = self.chunk_length, self.chunk_stride
        if length is None or stride is None or max_length is not None:
            return _strategy(padding), max_length
        lengths = [recording.shape[-1] for recording in recordings]
        if truncation:
            return _strategy(padding), (min(lengths) // stride - 1) * stride + length
        if padding is None or padding:  # as in `transformers`, which takes any string here
            return "max_length", (-(-max(lengths) // stride) - 1) * stride + length
        return _strategy(padding), None

    def _pad(
        self, recordings: list[NDArray[Any]], masks: list[NDArray[np.int32]], length: int | None
    ) -> tuple[list[NDArray[Any]], list[NDArray[np.int32]]]:
        if length is None:
            raise ConfigError('padding="max_length" needs max_length')
        value, side = padding_value_of(self.padding_value), self.padding_side
        padded = [extend(recording, length, value, side) for recording in recordings]
        return padded, [extend(mask, length, 0, side) for mask in masks]

    def pad(
        self,
        processed_features: Features,
        padding: bool | str = True,
        max_length: int | None = None,
        truncation: bool = False,
        pad_to_multiple_of: int | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | None = None,
    ) -> BatchFeature:
        """Make a batch of features that were prepared one by one, as a collator of a data loader does.

        Args:
            processed_features: a list of mappings, or a mapping of lists, with `input_values`: items (T,) or (T, C).
            padding, max_length, truncation, return_tensors: as in a call.
            pad_to_multiple_of: round lengths up to a multiple of this.
            return_attention_mask: add `attention_mask`, 1 where audio is; the setting of the same name by default.

        Raises:
            AudioError: for features without `input_values`, or of different lengths where tensors are asked for.
            ConfigError: for a bad argument, or one that is missing.
        """
        masked = self.return_attention_mask if return_attention_mask is None else return_attention_mask
        collate = Collation(
            _strategy(padding), max_length, bool(truncation), pad_to_multiple_of, masked, self.padding_value,
            self.padding_side,
        )  # fmt: skip
        features = collate(processed_features)
        return features if return_tensors is None else to_tensors(features, return_tensors, axis=0)

    # ---- files -----------------------------------------------------------------------------

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path | None = None,
        *,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        **overrides: Any,
    ) -> EncodecFeatureExtractor:
        """Read a `preprocessor_config.json`.

        Args:
            pretrained_model_name_or_path: a folder, the file itself, or an id on the Hugging Face
                hub; `None` for the default model.
            revision, cache_dir, token, local_files_only: for the hub.
            overrides: settings that replace those of the file.

        Raises:
            ConfigError: if the file is not a JSON object, or has a bad setting.
        """
        path = Path(pretrained_model_name_or_path or "")
        if not path.is_file():
            path = resolve_file(
                pretrained_model_name_or_path, FEATURE_EXTRACTOR_NAME, revision=revision, cache_dir=cache_dir,
                token=token, local_files_only=local_files_only,
            )  # fmt: skip
        values = read_json_object(path)
        return cls.from_dict({**values, **overrides})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EncodecFeatureExtractor:
        """Build from the content of a `preprocessor_config.json`; unknown keys go to `extra`.

        Raises:
            ConfigError: for the settings of another feature extractor, or a bad value.
        """
        kind = values.get("feature_extractor_type", FEATURE_EXTRACTOR_TYPE)
        if kind != FEATURE_EXTRACTOR_TYPE:
            raise ConfigError(f"these are settings of a {kind}, not of an {FEATURE_EXTRACTOR_TYPE}")
        return cls(**{key: value for key, value in values.items() if key != "feature_extractor_type"})

    def save_pretrained(self, save_directory: str | Path) -> list[str]:
        """Write `preprocessor_config.json` into a folder, which is made if missing; returns its path."""
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / FEATURE_EXTRACTOR_NAME, self.to_json_string())
        return [str(folder / FEATURE_EXTRACTOR_NAME)]

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain values, with the keys of `extra` beside them."""
        settings = {key: value for key, value in vars(self).items() if key != "extra"}
        return {**self.extra, **settings, "feature_extractor_type": FEATURE_EXTRACTOR_TYPE}

    def to_json_file(self, json_file_path: str | Path) -> None:
        """Write the settings to a file, as `save_pretrained` does."""
        write_text(json_file_path, self.to_json_string())

    def to_json_string(self) -> str:
        """`to_dict` as indented JSON with sorted keys."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.to_json_string()}"


AutoProcessor = EncodecProcessor = EncodecFeatureExtractor
"""Names by which scripts for `transformers` ask for the feature extractor: a codec's processor is nothing more."""


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _strategy(padding: bool | str | None) -> str | None:
    """The name of a padding strategy, or `None` for neither padding nor a mask."""
    match padding:
        case None | True:
            return "longest"
        case False:
            return None
        case "longest" | "max_length" | "do_not_pad":
            return padding
        case _:
            raise ConfigError(f'padding must be a bool, "longest", "max_length" or "do_not_pad", got {padding!r}')


def _as_float32(recording: Any) -> NDArray[np.float32]:
    try:
        return np.asarray(recording, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise AudioError(f"raw_audio is neither numbers nor an array of them: {error}") from error


def _truncate(recordings: list[NDArray[Any]], length: int | None) -> list[NDArray[Any]]:
    if length is None:
        raise ConfigError("truncation needs max_length, or a chunk_length_s and an overlap")
    return [recording[..., :length] for recording in recordings]

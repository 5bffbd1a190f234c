"""Codes that a code language model is trained on: what `tokenize` wrote, by group, and crops of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..checkpoint import codebooks_of, read_model
from ..config import EncodecConfig
from ..errors import ConfigError
from ..tokenize import open_shards
from .settings import share_of
from .sources import EVERYTHING


@dataclass(frozen=True)
class CodecShape:
    """What a language model has to know of its codec model.

    Attributes:
        config: of the model.
        codebooks: (K, N, D) float32.
    """

    config: EncodecConfig
    codebooks: np.ndarray

    @classmethod
    def of(cls, name_or_path: str | Path | None) -> CodecShape:
        """That of a model in a folder or on the hub; `None` for the shipped one.

        Raises:
            CheckpointError: if the model is not found or not valid.
        """
        config, tensors = read_model(name_or_path)
        return cls(config, codebooks_of(tensors, config))

    @property
    def counts(self) -> dict[float, int]:
        """Codebooks of each of the model's bandwidths in kbps."""
        return {bandwidth: self.config.quantizers_for(bandwidth) for bandwidth in self.config.target_bandwidths}


@dataclass(frozen=True)
class CodedClip:
    """(K, F) int64 codes, and the group of the clip that they are of."""

    codes: np.ndarray
    group: str


def read_clips(folder: str | Path, shape: CodecShape, groups: Sequence[str]) -> Iterator[CodedClip]:
    """The clips of a folder that `tokenize` wrote.

    A clip's group is its column `group`, the first folder of its id, or what stands before the first hyphen of it: the
    first of these that is one of `groups`; else it is of the group `all`.

    Args:
        folder: of the shards of codes.
        shape: of the codec model.
        groups: names of the groups.

    Raises:
        ConfigError: if there are no shards, or they do not have all codebooks of the model.
        CorruptError: for damaged shards.
    """
    for item, codes in read_rows(folder, shape.config):
        yield CodedClip(codes, group_of(item, groups))


def read_rows(
    folder: str | Path, config: EncodecConfig, makers: Collection[str] | None = None
) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """The rows of a folder that `tokenize` wrote, each with its codes (K, F) of the model's K codebooks.

    Args:
        folder: of the shards of codes.
        config: of the codec model.
        makers: fingerprints of models that may have made the codes; any for `None`.

    Raises:
        ConfigError, CorruptError: as `read_clips`, and for codes of another model.
    """
    wanted = config.num_quantizers
    try:
        rows = open_shards(folder)
    except FileNotFoundError as error:
        raise ConfigError(f"{folder} has no shards of codes: recodec tokenize makes them") from error
    for row in rows:
        codes = row["codes"]
        if makers is not None and row["fingerprint"] not in makers:
            raise ConfigError(f"the codes of {row['id']} in {folder} are of another model than the run starts from")
        if len(codes) < wanted:
            raise ConfigError(
                f"{folder} has codes of {len(codes)} codebooks, the model {wanted}: tokenize at its highest bandwidth"
            )
        if codes.size and (codes.min() < 0 or codes.max() >= config.codebook_size):
            raise ConfigError(f"{folder} has codes that the model does not have, in {row.get('id')}")
        yield row, codes[:wanted]


def group_of(item: Mapping[str, object], groups: Sequence[str]) -> str:
    """The group of a clip, as `read_clips` finds it in its row."""
    id = str(item.get("id", ""))
    for name in (item.get("group"), id.partition("/")[0], id.rpartition("/")[2].partition("-")[0]):
        if name in groups:
            return str(name)
    return EVERYTHING


class CodeCrops:
    """Random crops of codes. The clips of a group are laid end to end, in memory: 8.6 MB an hour of 16 codebooks.

    Args:
        folder: that `tokenize` wrote, or one for each group.
        shape: of the codec model.
        crop_frames: F.
        group_weights: share of the crops that each group gets; groups without clips are left out, and clips of no group
            are taken only if there are no others. A group that has a folder, and no share, gets the mean of the shares.
        seed: of the random choices.

    Raises:
        ConfigError: as `read_clips`; if no group is as long as a crop.
    """

    def __init__(
        self,
        folder: str | Path | Mapping[str, str],
        shape: CodecShape,
        *,
        crop_frames: int,
        group_weights: Mapping[str, float],
        seed: int = 0,
    ) -> None:
        self.crop_frames = crop_frames
        self.random = np.random.default_rng(seed)
        clips: dict[str, list[np.ndarray]] = {}
        folders: Mapping[str, str | Path] = folder if isinstance(folder, Mapping) else {"": folder}
        group_weights = {**{name: share_of(name, group_weights) for name in folders if name}, **group_weights}
        for name, place in folders.items():
            for clip in read_clips(place, shape, list(group_weights)):
                clips.setdefault(name or clip.group, []).append(clip.codes.astype(np.int16))
        joined = {name: np.concatenate(found, axis=1) for name, found in clips.items()}
        long = {name: codes for name, codes in joined.items() if codes.shape[1] >= crop_frames}
        named = {name: codes for name, codes in long.items() if group_weights.get(name, 0) > 0} or {
            name: codes for name, codes in long.items() if name == EVERYTHING
        }
        if not named:
            places = ", ".join(map(str, folders.values()))
            raise ConfigError(f"{places} holds no codes of {crop_frames} frames in {', '.join(group_weights)}")
        weights = np.array([group_weights.get(name, 1.0) for name in named])
        self._groups, self._chances = list(named.values()), weights / weights.sum()

    def batch(self, size: int, num_codebooks: int) -> torch.Tensor:
        """(size, num_codebooks, crop_frames) int64."""
        crops = np.empty((size, num_codebooks, self.crop_frames), np.int64)
        for crop in crops:
            codes = self._groups[self.random.choice(len(self._groups), p=self._chances)]
            start = self.random.integers(codes.shape[1] - self.crop_frames + 1)
            crop[:] = codes[:num_codebooks, start : start + self.crop_frames]
        return torch.from_numpy(crops)

    def state_dict(self) -> dict[str, object]:
        """The random generator's state: the position in the data."""
        return {"random": self.random.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Go on drawing as if nothing had happened."""
        self.random.bit_generator.state = state["random"]  # type: ignore[assignment]

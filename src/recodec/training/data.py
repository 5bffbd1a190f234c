"""Crops for training from shards: folders of int16 audio laid end to end, as the recipes write them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from ..errors import AudioError


class ShardCrops:
    """Random crops from the `<group>-<nnn>.npy` files of a folder.

    A crop may run over the seam of two clips: many clips of speech are shorter than a crop, and a
    seam is sound like any other to a codec.

    Args:
        folder: shards of 1-D int16 audio, full scale 32767.
        group_weights: share of the crops that each group gets; groups without files are left out.
        crop_samples: T.
        gain_db: bounds of the random gain (paper section 4.1: -10 to +6 dB).
        seed: of the random choices.

    Raises:
        AudioError: if the folder holds no usable shard.
    """

    SILENCE_RMS = 1e-3
    TRIES = 8

    def __init__(
        self,
        folder: str | Path,
        *,
        group_weights: Mapping[str, float],
        crop_samples: int,
        gain_db: tuple[float, float] = (-10.0, 6.0),
        seed: int = 0,
    ) -> None:
        self.crop_samples = crop_samples
        self.gain_db = gain_db
        self.random = np.random.default_rng(seed)
        self._shards: list[np.ndarray] = []
        chances: list[float] = []
        for group, weight in group_weights.items():
            shards = [np.load(path, mmap_mode="r") for path in sorted(Path(folder).glob(f"{group}-*.npy"))]
            shards = [s for s in shards if s.ndim == 1 and s.dtype == np.int16 and s.size >= crop_samples]
            samples = sum(s.size for s in shards)
            self._shards += shards
            chances += [weight * s.size / samples for s in shards]
        if not self._shards or sum(chances) <= 0:
            raise AudioError(f"{folder} holds no int16 shards of the groups {', '.join(group_weights)}")
        self._chances = np.array(chances) / sum(chances)

    def batch(self, size: int) -> torch.Tensor:
        """(size, 1, crop_samples) float32 in [-1, 1]."""
        return torch.from_numpy(np.stack([self._crop() for _ in range(size)])[:, None])

    def _crop(self) -> np.ndarray:
        crop = np.zeros(self.crop_samples, np.float32)
        for _ in range(self.TRIES):
            shard = self._shards[self.random.choice(len(self._shards), p=self._chances)]
            start = self.random.integers(shard.size - self.crop_samples + 1)
            crop = shard[start : start + self.crop_samples].astype(np.float32) / 32768.0
            if np.sqrt(np.mean(crop**2)) > self.SILENCE_RMS:
                break
        crop *= 10.0 ** (self.random.uniform(*self.gain_db) / 20.0)
        return crop / max(1.0, float(np.abs(crop).max()))

    def state_dict(self) -> dict[str, object]:
        """The random generator's state: the position in the data."""
        return {"random": self.random.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Go on drawing as if nothing had happened."""
        self.random.bit_generator.state = state["random"]  # type: ignore[assignment]

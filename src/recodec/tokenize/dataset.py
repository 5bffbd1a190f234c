"""Codes as data sets of torch. The one file of this room that needs torch when it is imported."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.distributed
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from .reading import CodeShards, Item, open_shard, shard_files


class CodesDataset(Dataset[Item]):
    """Clips by number. An item is a dictionary: `codes` (K, F) int64, `scales` (S,) float32 or `None`, `id`,
    `num_samples`, `sampling_rate` and all other columns.

    Args:
        path: a folder that `tokenize` wrote, or one shard.

    Raises:
        FileNotFoundError, CorruptError: as `CodeShards`.
    """

    def __init__(self, path: str | Path) -> None:
        self._shards = CodeShards(path)

    def __len__(self) -> int:
        return len(self._shards)

    def __getitem__(self, number: int) -> Item:
        return _as_tensors(self._shards[number])

    def __iter__(self) -> Iterator[Item]:
        return map(_as_tensors, self._shards)


class CodesStream(IterableDataset[Item]):
    """Clips one after the other, shard by shard; items as of `CodesDataset`.

    The workers of a `DataLoader`, and the processes of `torch.distributed`, share the shards: each clip
    comes once.

    Args:
        path: a folder that `tokenize` wrote, or one shard.
        shuffle: mix the shards, and the clips within a buffer of so many; 0 keeps the order.
        seed: of the mix; `set_epoch` changes it.

    Raises:
        FileNotFoundError: if there are no shards.
    """

    def __init__(self, path: str | Path, shuffle: int = 0, seed: int = 0) -> None:
        self._files = shard_files(path)
        self._shuffle, self._seed, self._epoch = shuffle, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Mix in another way from the next iteration on."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[Item]:
        mix = random.Random(f"{self._seed} {self._epoch}")
        files = list(self._files)
        if self._shuffle:
            mix.shuffle(files)
        part, parts = _place()
        items = (item for file in files[part::parts] for item in open_shard(file).rows())
        return map(_as_tensors, _mixed(items, self._shuffle, mix))


def _place() -> tuple[int, int]:
    """Number of this reader, and how many there are."""
    rank, ranks = 0, 1
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
    info = get_worker_info()
    worker, workers = (0, 1) if info is None else (info.id, info.num_workers)
    return rank * workers + worker, ranks * workers


def _mixed(items: Iterator[Item], size: int, mix: random.Random) -> Iterator[Item]:
    if size == 0:
        yield from items
        return
    held: list[Item] = []
    for item in items:
        held.append(item)
        if len(held) > size:
            i = mix.randrange(len(held))
            held[i], held[-1] = held[-1], held[i]
            yield held.pop()
    mix.shuffle(held)
    yield from held


def _as_tensors(item: Item) -> Item:
    scales = item["scales"]
    return {
        **item,
        "codes": torch.from_numpy(item["codes"]),
        "scales": None if scales is None else torch.from_numpy(scales),
    }

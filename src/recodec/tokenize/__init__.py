"""Data sets to codes, and back.

    from recodec.tokenize import tokenize, open_codes, detokenize

    tokenize("speech/", "codes/")                 # or: recodec tokenize speech/ codes/
    clips = open_codes("codes/")                  # a torch data set: clips[0]["codes"] is (K, F)
    detokenize("codes/", "decoded/")              # or: recodec detokenize codes/ decoded/

It takes `pip install 'recodec[scale]'`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from ..codec import ModelChoice
    from .back import detokenize
    from .dataset import CodesDataset, CodesStream
    from .reading import CodeShards
    from .run import Report, tokenize

_LAZY = {"ModelChoice": "..codec", "Report": ".run", "detokenize": ".back", "tokenize": ".run"}

__all__ = ["ModelChoice", "Report", "detokenize", "open_codes", "open_shards", "tokenize"]


@overload
def open_codes(path: str | Path, *, stream: Literal[False] = False) -> CodesDataset: ...
@overload
def open_codes(path: str | Path, *, stream: Literal[True], shuffle: int = 0, seed: int = 0) -> CodesStream: ...
def open_codes(
    path: str | Path, *, stream: bool = False, shuffle: int = 0, seed: int = 0
) -> CodesDataset | CodesStream:
    """What `tokenize` wrote, in any of its formats, as a data set of torch.

    Args:
        path: the folder, or one shard.
        stream: one clip after the other (`CodesStream`) instead of clips by number (`CodesDataset`).
        shuffle, seed: of a stream; see there.

    Raises:
        FileNotFoundError: if there are no shards.
        CorruptError: if one is damaged.
    """
    from .dataset import CodesDataset, CodesStream

    return CodesStream(path, shuffle, seed) if stream else CodesDataset(path)


def open_shards(path: str | Path) -> CodeShards:
    """What `tokenize` wrote, in any of its formats, as a sequence of items with NumPy arrays; without torch.

    Args:
        path: the folder, or one shard.

    Raises:
        FileNotFoundError: if there are no shards.
        CorruptError: if one is damaged.
    """
    from .reading import CodeShards

    return CodeShards(path)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name], __name__), name)
    globals()[name] = value
    return value

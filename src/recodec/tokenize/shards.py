"""Shards of the output, and which recordings each has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..corpus import Entry


@dataclass(frozen=True)
class Shard:
    """The recordings of one output shard.

    Attributes:
        index: number of the shard.
        first: clips of the data set that come before it.
        entries: where its clips are, in order.
    """

    index: int
    first: int
    entries: tuple[Entry, ...]

    @property
    def clips(self) -> int:
        """How many it has, good or broken."""
        return sum(entry.count for entry in self.entries)

    def to_json(self) -> dict[str, Any]:
        """For a line of the plan."""
        return {"shard": self.index, "first": self.first, "entries": [entry.to_json() for entry in self.entries]}

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> Shard:
        """What `to_json` gave."""
        return cls(line["shard"], line["first"], tuple(Entry(**entry) for entry in line["entries"]))

"""The plan of a run: which clips go into which shard. It is made once, kept with the output, and never depends on
who does the work; so a run that was interrupted goes on with the very same shards."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..atomic import atomic_write, write_text
from ..corpus import Entry, Listing
from ..errors import ConfigError
from .job import own_folder
from .shards import Shard

PLAN_VERSION = 1
OWN_COLUMNS = (
    "id", "path", "sampling_rate", "num_samples", "source_rate", "num_codebooks", "num_frames", "codes", "file",
    "scales", "model", "fingerprint",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """See the module.

    Attributes:
        folder: of the output.
        settings: what the output depends on, and what was measured when the plan was made.
        shards: how many there are.
        clips: how many all of them have.
        columns: (input's name, output's name) of the columns of metadata.
        schema: of those columns, as an Arrow schema that was serialized.
    """

    folder: Path
    settings: dict[str, Any]
    shards: int
    clips: int
    columns: tuple[tuple[str, str], ...]
    schema: bytes

    def read_shards(self) -> Iterator[Shard]:
        """All shards, in order."""
        with open(own_folder(self.folder) / "plan.jsonl", encoding="utf-8") as file:
            for line in file:
                yield Shard.from_json(json.loads(line))


def cut_shards(entries: Iterable[Entry], shard_clips: int) -> Iterator[Shard]:
    """Entries as shards of so many clips, the last one smaller."""
    index = first = count = 0
    held: list[Entry] = []
    for entry in entries:
        rest: Entry | None = entry
        while rest is not None:
            room = shard_clips - count
            part, rest = (rest, None) if rest.count <= room else rest.cut(room)
            held.append(part)
            count += part.count
            if count == shard_clips:
                yield Shard(index, first, tuple(held))
                index, first, count, held = index + 1, first + count, 0, []
    if held:
        yield Shard(index, first, tuple(held))


def make_plan(folder: str | Path, settings: dict[str, Any], listing: Listing) -> Plan:
    """Write the plan of a new run; from then on it holds.

    Args:
        folder: of the output; it exists.
        settings: what the output depends on; `shard_clips` is used here.
        listing: of the input.

    Raises:
        ConfigError: if the input has no clips.
    """
    shards = clips = 0
    own_folder(folder).mkdir(exist_ok=True)
    with atomic_write(own_folder(folder) / "plan.jsonl") as file:
        for shard in cut_shards(listing.entries, settings["shard_clips"]):
            file.write(json.dumps(shard.to_json(), default=str).encode() + b"\n")
            shards, clips = shards + 1, clips + shard.clips
        if not clips:
            raise ConfigError("the input has no clips")
    columns = output_names(list(listing.columns))
    kinds = {"string": pa.string(), "binary": pa.binary()}
    schema = pa.schema([(new, kinds.get(listing.columns[old], listing.columns[old])) for old, new in columns])
    plan = Plan(Path(folder), settings, shards, clips, columns, schema.serialize().to_pybytes())
    content = {
        "version": PLAN_VERSION, "settings": settings, "shards": shards, "clips": clips, "columns": columns,
        "schema": base64.b64encode(plan.schema).decode(),
    }  # fmt: skip
    write_text(own_folder(folder) / "plan.json", json.dumps(content, indent=1) + "\n")
    return plan


def read_plan(folder: str | Path) -> Plan | None:
    """The plan of a run that was begun there; `None` if there is none.

    Raises:
        ConfigError: if it is of another version, or damaged.
    """
    path = own_folder(folder) / "plan.json"
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != PLAN_VERSION:
            raise ConfigError(f"{path} was made by another version of this program")
        columns = tuple((old, new) for old, new in content["columns"])
        schema = base64.b64decode(content["schema"])
        return Plan(Path(folder), content["settings"], content["shards"], content["clips"], columns, schema)
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path} is damaged: {error}") from error


def check_settings(plan: Plan, settings: dict[str, Any]) -> None:
    """Make sure that a run goes on as it began.

    Raises:
        ConfigError: if it is asked for something else.
    """
    for name, value in settings.items():
        known = plan.settings.get(name)
        if known != value:
            raise ConfigError(
                f"{plan.folder} holds a run with {name} = {known!r}, not {value!r}: "
                "go on with that, or take another folder"
            )


def output_names(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Columns of metadata under names that are not our own: `id` becomes `input_id`."""
    taken = {*OWN_COLUMNS, *names}
    pairs = []
    for name in names:
        new = name
        if name in OWN_COLUMNS:
            choices = itertools.chain([f"input_{name}"], (f"input_{name}_{i}" for i in itertools.count(2)))
            new = next(choice for choice in choices if choice not in taken)
            taken.add(new)
        pairs.append((name, new))
    return tuple(pairs)

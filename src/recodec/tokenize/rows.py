"""Rows: clips with their codes, and the files that hold them."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..atomic import atomic_write
from ..codec import Codec
from .job import Job
from .shards import Shard

ROW_GROUP_ROWS = 128
_CODE_TYPE = np.dtype("<i2")


@dataclass(frozen=True)
class Row:
    """A clip that was tokenized.

    Attributes:
        number: place of the clip in the data set, broken ones counted.
        id, path: of the clip.
        num_samples: at the model's rate.
        source_rate: of the clip's own audio, in Hz.
        codes: (K, F) int16.
        scales: (S,) float32 of a model that normalizes.
        meta: columns of the input, by their names in the output.
    """

    number: int
    id: str
    path: str
    num_samples: int
    source_rate: int
    codes: np.ndarray
    scales: np.ndarray | None
    meta: dict[str, Any]


def write_shard(job: Job, codec: Codec, shard: Shard, rows: Sequence[Row]) -> str | None:
    """Write a shard's rows, whole or not at all; its name in the output, or `None` where there are no rows.

    The bytes depend on the rows and the job's `output` alone.
    """
    if not rows:
        return None
    folder = Path(job.folder)
    match job.output.format:
        case "tar":
            name = f"codes-{shard.index:06d}.tar"
            with atomic_write(folder / name) as file:
                _write_tar(file, codec, rows)
        case "parquet":
            name = f"codes-{shard.index:06d}.parquet"
            with atomic_write(folder / name) as file:
                _write_parquet(file, job, codec, rows, _codes_columns(job, rows))
        case _:
            name = f"index-{shard.index:06d}.parquet"
            places = [f"{row.id}.ecdc" for row in rows]
            for row, place in zip(rows, places, strict=True):
                os.makedirs((folder / place).parent, exist_ok=True)
                with atomic_write(folder / place) as file:
                    file.write(codec.pack(row.codes, row.scales, row.num_samples, lm=job.output.lm))
            with atomic_write(folder / name) as file:
                _write_parquet(file, job, codec, rows, {"file": pa.array(places, pa.string())})
    return name


def _codes_columns(job: Job, rows: Sequence[Row]) -> dict[str, pa.Array]:
    if job.output.codes == "binary":
        return {"codes": pa.array([row.codes.astype(_CODE_TYPE).tobytes() for row in rows], pa.binary())}
    frames = np.concatenate([np.full(row.codes.shape[0], row.codes.shape[1]) for row in rows])
    lists = np.array([row.codes.shape[0] for row in rows])
    values = pa.array(np.concatenate([row.codes.astype(_CODE_TYPE).ravel() for row in rows]))
    inner = pa.ListArray.from_arrays(pa.array(_offsets(frames), pa.int32()), values)
    return {"codes": pa.ListArray.from_arrays(pa.array(_offsets(lists), pa.int32()), inner)}


def _offsets(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)])


def _write_parquet(file: IO[bytes], job: Job, codec: Codec, rows: Sequence[Row], codes: dict[str, pa.Array]) -> None:
    count = len(rows)
    scales = [None if row.scales is None else row.scales.tolist() for row in rows]
    columns = {
        "id": pa.array([row.id for row in rows], pa.string()),
        "path": pa.array([row.path for row in rows], pa.string()),
        "sampling_rate": pa.array([codec.sampling_rate] * count, pa.int32()),
        "num_samples": pa.array([row.num_samples for row in rows], pa.int64()),
        "source_rate": pa.array([row.source_rate for row in rows], pa.int32()),
        "num_codebooks": pa.array([row.codes.shape[0] for row in rows], pa.int16()),
        "num_frames": pa.array([row.codes.shape[1] for row in rows], pa.int32()),
        **codes,
        "scales": pa.array(scales, pa.list_(pa.float32())),
        "model": pa.array([codec.name] * count, pa.string()),
        "fingerprint": pa.array([codec.fingerprints[0]] * count, pa.string()),
    }
    for field in pa.ipc.read_schema(pa.BufferReader(job.schema)):
        columns[field.name] = pa.array([row.meta.get(field.name) for row in rows], field.type)
    pq.write_table(pa.table(columns), file, compression="zstd", row_group_size=ROW_GROUP_ROWS)


def _write_tar(file: IO[bytes], codec: Codec, rows: Sequence[Row]) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for row in rows:
            codes = io.BytesIO()
            np.save(codes, np.ascontiguousarray(row.codes, _CODE_TYPE))
            content = {
                "id": row.id, "path": row.path, "sampling_rate": codec.sampling_rate, "num_samples": row.num_samples,
                "source_rate": row.source_rate, "num_codebooks": row.codes.shape[0], "num_frames": row.codes.shape[1],
                "scales": None if row.scales is None else row.scales.tolist(), "model": codec.name,
                "fingerprint": codec.fingerprints[0], **row.meta,
            }  # fmt: skip
            text = json.dumps(content, ensure_ascii=False, default=_as_json).encode()
            for suffix, data in (("codes.npy", codes.getvalue()), ("json", text)):
                member = tarfile.TarInfo(f"{row.number:010d}.{suffix}")  # neither time nor owner: bytes that repeat
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def _as_json(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)

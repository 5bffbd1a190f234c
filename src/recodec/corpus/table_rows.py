"""Rows of Arrow's tables as Python's values, none of which takes its row, or others, away."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def rows_of(table: pa.Table | pa.RecordBatch) -> list[dict[str, Any]]:
    """Rows by the names of their columns, which differ; values as of `values_of`."""
    columns = [values_of(column) for column in table.columns]
    return [dict(zip(table.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]


def values_of(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """The values of a column, as Arrow gives them.

    Where it does not, as of times in nanoseconds if pandas is not installed, times are the integers that are stored,
    of which Arrow makes the same times again. Text that is not UTF-8 has signs for what cannot be read, and of what is
    left a value is `None`.
    """
    try:
        return column.to_pylist()
    except Exception:  # whatever Arrow and Python make of one value
        pass
    try:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            texts = column.cast(pa.large_binary()).to_pylist()
            return [None if text is None else text.decode("utf-8", "replace") for text in texts]
        return column.cast(_stored(column.type)).to_pylist()
    except Exception:
        return [_value(cell) for cell in column]


def _value(cell: pa.Scalar) -> Any:
    try:
        return cell.as_py()
    except Exception:
        return None


def _stored(kind: pa.DataType) -> pa.DataType:
    """A type with the integers that are stored in place of times."""
    if pa.types.is_temporal(kind):
        return pa.int32() if kind.bit_width == 32 else pa.int64()
    if pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return pa.struct([field.with_type(_stored(field.type)) for field in fields])
    if pa.types.is_large_list(kind):
        return pa.large_list(_stored(kind.value_type))
    if pa.types.is_list(kind):
        return pa.list_(_stored(kind.value_type))
    return kind

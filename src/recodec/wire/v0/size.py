"""How large a file of version 0 is, by its header."""

from __future__ import annotations

import io
from typing import IO

from ...errors import CorruptError, TruncatedError
from ...geometry import CodecGeometry
from ...text import counted
from .. import bits

_SCALE_BYTES = 4  # in front of each segment of a model that normalizes


def payload_bytes(geometry: CodecGeometry, num_samples: int, num_codebooks: int) -> int:
    """Bytes that follow the header of a file of plain codes; fast for any number of samples that a header claims."""

    def size(segment: int) -> int:
        codes = geometry.segment_frames(num_samples, segment) * num_codebooks
        return bits.packed_bytes(codes, geometry.codebook_nbits) + (_SCALE_BYTES if geometry.normalize else 0)

    count, full = geometry.num_segments(num_samples), 0
    if geometry.chunk_length is not None and geometry.segment_stride is not None:
        # A header may claim 2^63 samples: only the last segments, which are shorter, are counted one by one.
        full = max(0, (num_samples - geometry.chunk_length) // geometry.segment_stride + 1)
    return (full * size(0) if full else 0) + sum(size(segment) for segment in range(full, count))


def check_size(file: IO[bytes], geometry: CodecGeometry, num_samples: int, num_codebooks: int) -> None:
    """Compare the size of a file of plain codes, which stands after its header, with what that promises.

    Raises:
        TruncatedError, CorruptError: if it is too short, or too long. Of a pipe that is not known.
    """
    if not file.seekable():
        return
    wanted, here = payload_bytes(geometry, num_samples, num_codebooks), file.tell()
    there = file.seek(0, io.SEEK_END) - file.seek(here)
    if there < wanted:
        raise TruncatedError(f"the header promises {wanted} bytes of codes, {there} are there")
    if there > wanted:
        raise CorruptError(f"{counted(there - wanted, 'byte is', 'bytes are')} left over after the last segment")

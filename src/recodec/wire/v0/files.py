"""Version 0 of `.ecdc`: the format of Meta's tool, byte for byte.

A file is a fixed head (magic `ECDC`, version 0, size of what follows, big-endian), a JSON object, and
the segments of the recording one after the other. A segment is its scale (big-endian float32, only for
models that normalize) and its codes, frame by frame and codebook by codebook within a frame: packed lowest bit first,
or coded by the shares that a language model gives them, in either case filled up to a whole byte (`segments0.py`). A
model that takes a recording whole has one segment.

The JSON object says `m` (model name), `al` (audio length in samples), `nc` (number of codebooks), `lm`
(coded with a language model). How many frames follow is not written: it follows from `al`. Hence
the length must be known before the first byte, and a live stream cannot be written in this version.
For models other than Meta's two we add `fp`, the beginning of the fingerprint of the weights, so that
Meta's tool refuses such a file by its model name and ours checks that it has the right weights.

A segment of T samples has ceil(T / hop) frames. Meta's tool writes that many, but computes
ceil(T / rate * frame_rate) in floating point when it reads, which is one too many for one in 18 of the
lengths that are a multiple of the hop (6,720 samples at 24 kHz is the shortest). It cannot read its own
files of those lengths; we can.
"""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from ...errors import CorruptError, ModelMismatchError, UnsupportedError
from ...geometry import CodecGeometry
from .segments import (
    CodedWriter,
    LeftoverError,
    PlainWriter,
    SegmentLM,
    SegmentWriter,
    read_coded,
    read_exactly,
    read_plain,
)
from .size import check_size

MAGIC = b"ECDC"
VERSION = 0
META_MODELS = ("encodec_24khz", "encodec_48khz")
FINGERPRINT_DIGITS = 16
MAX_META_BYTES = 4096  # Meta's tool writes about 60

_HEAD = struct.Struct("!4sBI")
_SCALE = struct.Struct("!f")
_LIMIT = 1 << 63


@dataclass(frozen=True)
class Metadata:
    """What the JSON object of a file says.

    Attributes:
        model: name of the model.
        num_samples: length of the recording, at least 1.
        num_codebooks: codes per frame, at least 1.
        fingerprint: first 16 hexadecimal digits of the model's fingerprint; `None` in Meta's files.
        coded: whether codes are coded with Meta's language model.
    """

    model: str
    num_samples: int
    num_codebooks: int
    fingerprint: str | None = None
    coded: bool = False

    @classmethod
    def for_model(
        cls, name: str, fingerprint: str, num_samples: int, num_codebooks: int, coded: bool = False
    ) -> Metadata:
        """The header of a new file; `fingerprint` (any number of digits) is left out for Meta's models."""
        short = None if name in META_MODELS else fingerprint[:FINGERPRINT_DIGITS]
        return cls(name, num_samples, num_codebooks, short, coded)

    def check_model(self, name: str, *fingerprints: str) -> None:
        """Make sure that the model in use is the one that wrote the file.

        By its weights if the file tells them, whatever its name has become; else by its name.

        Args:
            name: of the model.
            fingerprints: of the model, and of others with the same codes.

        Raises:
            ModelMismatchError: if it is another one.
        """
        if self.fingerprint is None:
            if self.model != name:
                raise ModelMismatchError(f"the file was written with model {self.model!r}, not with {name!r}")
        elif not any(one.startswith(self.fingerprint) for one in fingerprints):
            raise ModelMismatchError(
                f"the file was written with model {self.model!r} of fingerprint {self.fingerprint}..., "
                f"the model in use is {name!r} of {fingerprints[0][:FINGERPRINT_DIGITS]}..."
            )

    def to_bytes(self) -> bytes:
        """Head and JSON object, as Meta's tool writes them."""
        values: dict[str, Any] = {"m": self.model, "al": self.num_samples, "nc": self.num_codebooks, "lm": self.coded}
        if self.fingerprint is not None:
            values["fp"] = self.fingerprint
        meta = json.dumps(values).encode()
        return _HEAD.pack(MAGIC, VERSION, len(meta)) + meta


# ---- writing -------------------------------------------------------------------------------


class Writer:
    """Writes a file as its codes come.

    Args:
        file: takes the bytes.
        metadata: complete: the length is part of it.
        geometry: of the model.
        lm: the language model, if the header says that the file is coded.

    Raises:
        ValueError: for a number of codebooks that the model has not, or if the header and `lm` do not agree.
    """

    def __init__(
        self, file: IO[bytes], metadata: Metadata, geometry: CodecGeometry, lm: SegmentLM | None = None
    ) -> None:
        if not 1 <= metadata.num_codebooks <= geometry.num_quantizers:
            raise ValueError(f"num_codebooks must be from 1 to {geometry.num_quantizers}, got {metadata.num_codebooks}")
        if metadata.coded != (lm is not None):
            raise ValueError("a file takes a language model if its header says so")
        self._file, self._metadata, self._geometry, self._lm = file, metadata, geometry, lm
        self._segment, self._done = 0, 0
        self._writer: SegmentWriter | None = None
        file.write(metadata.to_bytes())

    def push(self, codes: np.ndarray, scale: float | None = None) -> None:
        """Write the next frames of the current segment.

        Args:
            codes: (K, F) with F >= 0; a segment may come in any number of pieces.
            scale: of the segment, with its first piece, if the model normalizes.

        Raises:
            ValueError: for a wrong number of codebooks, more frames than the segment has, a code that
                is out of range, or a scale that is missing or too many.
        """
        if self._segment >= self._geometry.num_segments(self._metadata.num_samples):
            raise ValueError("the recording is complete already")
        frames, done = self._geometry.segment_frames(self._metadata.num_samples, self._segment), self._done
        if codes.ndim != 2 or codes.shape[0] != self._metadata.num_codebooks or done + codes.shape[1] > frames:
            raise ValueError(f"a segment of {frames} frames, {done} of them written, cannot take {codes.shape}")
        if (scale is not None) != (self._geometry.normalize and done == 0 and codes.shape[1] > 0):
            raise ValueError("a scale must come with the first piece of each segment of a model that normalizes")
        if scale is not None:
            self._file.write(_SCALE.pack(scale))
        writer = self._writer or self._begin()
        self._file.write(writer.push(codes))
        self._writer, self._done = writer, done + codes.shape[1]
        if self._done == frames:
            self._file.write(writer.finish())
            self._segment, self._done, self._writer = self._segment + 1, 0, None

    def close(self) -> None:
        """Make sure that nothing is missing. The file itself stays open.

        Raises:
            ValueError: if there were fewer frames than the header's length asks for.
        """
        wanted = self._geometry.num_segments(self._metadata.num_samples)
        if self._segment != wanted:
            raise ValueError(f"only {self._segment} of {wanted} segments were written in full")

    def _begin(self) -> SegmentWriter:
        count = self._metadata.num_codebooks
        return (
            PlainWriter(count, self._geometry.codebook_nbits)
            if self._lm is None
            else CodedWriter(self._lm.start(count))
        )


def encode_stream(
    metadata: Metadata,
    geometry: CodecGeometry,
    segments: Iterable[tuple[np.ndarray, float | None]],
    lm: SegmentLM | None = None,
) -> bytes:
    """A whole file from its segments, each codes (K, F) and a scale or `None`; `lm` as for `Writer`."""
    file = io.BytesIO()
    writer = Writer(file, metadata, geometry, lm)
    for codes, scale in segments:
        writer.push(codes, scale)
    writer.close()
    return file.getvalue()


# ---- reading -------------------------------------------------------------------------------


def read_metadata(file: IO[bytes]) -> Metadata:
    """Read up to the end of the JSON object.

    Raises:
        TruncatedError: if the file ends before.
        UnsupportedError: for another version.
        CorruptError: if it is not such a file, or its JSON object is not what it should be.
    """
    head = read_exactly(file, _HEAD.size)
    magic, version, size = _HEAD.unpack(head)
    if magic != MAGIC:
        raise CorruptError("this is not an .ecdc file: it does not begin with ECDC")
    if version != VERSION:
        raise UnsupportedError(f"this reader knows version {VERSION} of .ecdc, the file has version {version}")
    if size > MAX_META_BYTES:
        raise CorruptError(f"the header claims {size} bytes, more than the {MAX_META_BYTES} it may have")
    meta = read_exactly(file, size)
    try:
        values = json.loads(meta.decode("utf-8"))
    # JSON within the limit of size can still be nested too deeply for the parser.
    except (ValueError, RecursionError) as error:
        raise CorruptError(f"the header is not valid JSON: {error}") from error
    return _parse(values)


def _parse(values: object) -> Metadata:
    if not isinstance(values, dict):
        raise CorruptError("the header is not a JSON object")
    model, fingerprint = values.get("m"), values.get("fp")
    if not isinstance(model, str) or not _is_unicode(model):
        raise CorruptError(f"the header's model name is {model!r}")
    if fingerprint is not None and not (
        isinstance(fingerprint, str) and re.fullmatch(f"[0-9a-f]{{{FINGERPRINT_DIGITS}}}", fingerprint)
    ):
        raise CorruptError(f"the header's fingerprint is {fingerprint!r}")
    coded = values.get("lm")
    if not isinstance(coded, bool):
        raise CorruptError(f"the header's lm is {coded!r}")
    return Metadata(model, _count(values, "al"), _count(values, "nc"), fingerprint, coded)


def _is_unicode(text: str) -> bool:
    """Whether UTF-8 can hold a text: JSON may have half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _count(values: dict[str, Any], key: str) -> int:
    value = values.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < _LIMIT:
        shown = repr(value) if not isinstance(value, int) or abs(value) < _LIMIT else "of absurd size"
        raise CorruptError(f"the header's {key} is {shown}, and must be a positive integer below 2^63")
    return value


@dataclass(frozen=True)
class Piece:
    """Some frames of a segment.

    Attributes:
        codes: (K, F) int64.
        scale: of the segment, on its first piece, if the model normalizes.
    """

    codes: np.ndarray
    scale: float | None


def read_pieces(
    file: IO[bytes], metadata: Metadata, geometry: CodecGeometry, max_frames: int, lm: SegmentLM | None = None
) -> Iterator[Piece]:
    """Read the segments after the header, and make sure that nothing follows them.

    What is allocated is bounded by `max_frames`, whatever the header claims. Where codes are plain and the size of
    the file can be known, it is compared with the claim before the first piece.

    Args:
        file: stands after the header.
        metadata: as `read_metadata` gave it.
        geometry: of the model.
        max_frames: the most frames of a piece, 8 or more. A shorter segment comes in one piece.
        lm: the language model, for a file that is coded.

    Raises:
        TruncatedError: if the file ends too early.
        CorruptError: if it has more codebooks than the model or an impossible scale, if bytes
            are left over at its end, or if they are none that the language model gives.
        UnsupportedError: if it is coded, and `lm` is missing.
    """
    count = metadata.num_codebooks
    if count > geometry.num_quantizers:
        raise CorruptError(
            f"the header claims {count} codebooks, model {metadata.model!r} has {geometry.num_quantizers}"
        )
    if not metadata.coded:
        lm = None
        check_size(file, geometry, metadata.num_samples, count)
    elif lm is None:
        raise UnsupportedError(
            "the file is coded with Meta's language model: it takes that (meta_lm) to read, best on the machine that "
            "wrote it: elsewhere probabilities may round to others"
        )
    for segment in range(geometry.num_segments(metadata.num_samples)):
        scale = _read_scale(file) if geometry.normalize else None
        frames = geometry.segment_frames(metadata.num_samples, segment)
        if lm is None:
            pieces = read_plain(file, count, frames, geometry.codebook_nbits, max_frames)
        else:
            pieces = read_coded(file, count, frames, lm.start(count), max_frames)
        for codes in pieces:
            yield Piece(codes, scale)
            scale = None
    if file.read(1):
        raise LeftoverError("bytes are left over after the last segment")


def _read_scale(file: IO[bytes]) -> float:
    (scale,) = _SCALE.unpack(read_exactly(file, _SCALE.size))
    if not 0 <= scale < float("inf"):
        raise CorruptError(f"a segment's scale is {scale}")
    return scale

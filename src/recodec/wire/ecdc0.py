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

from ..errors import CorruptError, ModelMismatchError, TruncatedError, UnsupportedError
from . import bits
from .segments0 import CodedWriter, PlainWriter, SegmentWriter, StartTables, read_coded, read_exactly, read_plain

MAGIC = b"ECDC"
VERSION = 0
META_MODELS = ("encodec_24khz", "encodec_48khz")
FINGERPRINT_DIGITS = 16
MAX_META_BYTES = 4096  # Meta's tool writes about 60

_HEAD = struct.Struct("!4sBI")
_SCALE = struct.Struct("!f")


@dataclass(frozen=True)
class Layout:
    """How a model cuts its codes, in plain numbers.

    Attributes:
        code_bits: width of a code.
        num_codebooks: the most that the model has.
        hop: samples per frame.
        scaled: whether each segment carries a scale.
        segment_length: samples of a segment; `None` for a model that takes a recording whole.
        segment_stride: samples between the starts of segments; not read where there are none.
    """

    code_bits: int
    num_codebooks: int
    hop: int
    scaled: bool
    segment_length: int | None = None
    segment_stride: int = 0

    def num_segments(self, num_samples: int) -> int:
        """Segments of a recording of that many samples."""
        return 1 if self.segment_length is None else -(-num_samples // self.segment_stride)

    def frames(self, num_samples: int, segment: int) -> int:
        """Frames F of one segment, counted from 0, of a recording of that many samples."""
        if self.segment_length is None:
            return -(-num_samples // self.hop)
        left = num_samples - segment * self.segment_stride
        return -(-min(left, self.segment_length) // self.hop)

    def payload_bytes(self, num_samples: int, num_codebooks: int) -> int:
        """Bytes that follow the header of a file of plain codes. Fast for any number of samples."""
        count, full = self.num_segments(num_samples), 0
        if self.segment_length is not None:
            full = max(0, (num_samples - self.segment_length) // self.segment_stride + 1)
        sizes = [self._segment_bytes(self.frames(num_samples, i), num_codebooks) for i in range(full, count)]
        whole = self._segment_bytes(self.frames(num_samples, 0), num_codebooks) if full else 0
        return full * whole + sum(sizes)

    def _segment_bytes(self, frames: int, num_codebooks: int) -> int:
        return bits.packed_bytes(frames * num_codebooks, self.code_bits) + (_SCALE.size if self.scaled else 0)


@dataclass(frozen=True)
class Header:
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
    ) -> Header:
        """The header of a new file; `fingerprint` (any number of digits) is left out for Meta's models."""
        short = None if name in META_MODELS else fingerprint[:FINGERPRINT_DIGITS]
        return cls(name, num_samples, num_codebooks, short, coded)

    def check_model(self, name: str, *fingerprints: str) -> None:
        """Make sure that the model at hand is the one that wrote the file.

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
                f"the model at hand is {name!r} of {fingerprints[0][:FINGERPRINT_DIGITS]}..."
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
        header: complete: the length is part of it.
        layout: of the model.
        lm: the language model, if the header says that the file is coded.

    Raises:
        ValueError: for a number of codebooks that the model has not, or if the header and `lm` do not agree.
    """

    def __init__(self, file: IO[bytes], header: Header, layout: Layout, lm: StartTables | None = None) -> None:
        if not 1 <= header.num_codebooks <= layout.num_codebooks:
            raise ValueError(f"num_codebooks must be from 1 to {layout.num_codebooks}, got {header.num_codebooks}")
        if header.coded != (lm is not None):
            raise ValueError("a file takes a language model if its header says so")
        self._file, self._header, self._layout, self._lm = file, header, layout, lm
        self._segment, self._done = 0, 0
        self._writer: SegmentWriter | None = None
        file.write(header.to_bytes())

    def push(self, codes: np.ndarray, scale: float | None = None) -> None:
        """Write the next frames of the segment at hand.

        Args:
            codes: (K, F) with F >= 0; a segment may come in any number of pieces.
            scale: of the segment, with its first piece, if the model normalizes.

        Raises:
            ValueError: for a wrong number of codebooks, more frames than the segment has, a code that
                is out of range, or a scale that is missing or too many.
        """
        if self._segment >= self._layout.num_segments(self._header.num_samples):
            raise ValueError("the recording is complete already")
        frames, done = self._layout.frames(self._header.num_samples, self._segment), self._done
        if codes.ndim != 2 or codes.shape[0] != self._header.num_codebooks or done + codes.shape[1] > frames:
            raise ValueError(f"a segment of {frames} frames, {done} of them written, cannot take {codes.shape}")
        if (scale is not None) != (self._layout.scaled and done == 0 and codes.shape[1] > 0):
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
        wanted = self._layout.num_segments(self._header.num_samples)
        if self._segment != wanted:
            raise ValueError(f"only {self._segment} of {wanted} segments were written in full")

    def _begin(self) -> SegmentWriter:
        count = self._header.num_codebooks
        return PlainWriter(count, self._layout.code_bits) if self._lm is None else CodedWriter(self._lm(count))


def encode_stream(
    header: Header,
    layout: Layout,
    segments: Iterable[tuple[np.ndarray, float | None]],
    lm: StartTables | None = None,
) -> bytes:
    """A whole file from its segments, each codes (K, F) and a scale or `None`; `lm` as for `Writer`."""
    file = io.BytesIO()
    writer = Writer(file, header, layout, lm)
    for codes, scale in segments:
        writer.push(codes, scale)
    writer.close()
    return file.getvalue()


# ---- reading -------------------------------------------------------------------------------


def read_header(file: IO[bytes]) -> Header:
    """Read up to the end of the JSON object.

    Raises:
        TruncatedError: if the file ends before.
        UnsupportedError: for another version.
        CorruptError: if it is no such file, or its JSON object is not what it should be.
    """
    head = read_exactly(file, _HEAD.size)
    magic, version, size = _HEAD.unpack(head)
    if magic != MAGIC:
        raise CorruptError("this is no .ecdc file: it does not begin with ECDC")
    if version != VERSION:
        raise UnsupportedError(f"this reader knows version {VERSION} of .ecdc, the file has version {version}")
    if size > MAX_META_BYTES:
        raise CorruptError(f"the header claims {size} bytes, more than the {MAX_META_BYTES} it may have")
    meta = read_exactly(file, size)
    try:
        values = json.loads(meta.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CorruptError(f"the header is not valid JSON: {error}") from error
    return _parse(values)


def _parse(values: object) -> Header:
    if not isinstance(values, dict):
        raise CorruptError("the header is no JSON object")
    model, fingerprint = values.get("m"), values.get("fp")
    if not isinstance(model, str):
        raise CorruptError(f"the header's model name is {model!r}")
    if fingerprint is not None and not (
        isinstance(fingerprint, str) and re.fullmatch(f"[0-9a-f]{{{FINGERPRINT_DIGITS}}}", fingerprint)
    ):
        raise CorruptError(f"the header's fingerprint is {fingerprint!r}")
    coded = values.get("lm")
    if not isinstance(coded, bool):
        raise CorruptError(f"the header's lm is {coded!r}")
    return Header(model, _count(values, "al"), _count(values, "nc"), fingerprint, coded)


def _count(values: dict[str, Any], key: str) -> int:
    value = values.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise CorruptError(f"the header's {key} is {value!r}, and must be a positive integer")
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
    file: IO[bytes], header: Header, layout: Layout, max_frames: int, lm: StartTables | None = None
) -> Iterator[Piece]:
    """Read the segments behind the header, and make sure that nothing follows them.

    What is allocated is bounded by `max_frames`, whatever the header claims. Where codes are plain and the size of
    the file can be known, it is compared with the claim before the first piece.

    Args:
        file: stands behind the header.
        header: as `read_header` gave it.
        layout: of the model.
        max_frames: the most frames of a piece, 8 or more. A shorter segment comes in one piece.
        lm: the language model, for a file that is coded.

    Raises:
        TruncatedError: if the file ends too early.
        CorruptError: if it has more codebooks than the model or an impossible scale, if bytes
            are left over at its end, or if they are none that the language model gives.
        UnsupportedError: if it is coded, and `lm` is missing.
    """
    count = header.num_codebooks
    if count > layout.num_codebooks:
        raise CorruptError(f"the header claims {count} codebooks, model {header.model!r} has {layout.num_codebooks}")
    if not header.coded:
        lm = None
        _check_size(file, layout.payload_bytes(header.num_samples, count))
    elif lm is None:
        raise UnsupportedError(
            "the file is coded with Meta's language model: it takes that (meta_lm) to read, best on the machine that "
            "wrote it: elsewhere probabilities may round to others"
        )
    for segment in range(layout.num_segments(header.num_samples)):
        scale = _read_scale(file) if layout.scaled else None
        frames = layout.frames(header.num_samples, segment)
        if lm is None:
            pieces = read_plain(file, count, frames, layout.code_bits, max_frames)
        else:
            pieces = read_coded(file, count, frames, lm(count), max_frames)
        for codes in pieces:
            yield Piece(codes, scale)
            scale = None
    if file.read(1):
        raise CorruptError("bytes are left over behind the last segment")


def _read_scale(file: IO[bytes]) -> float:
    (scale,) = _SCALE.unpack(read_exactly(file, _SCALE.size))
    if not 0 <= scale < float("inf"):
        raise CorruptError(f"a segment's scale is {scale}")
    return scale


def _check_size(file: IO[bytes], wanted: int) -> None:
    if not file.seekable():
        return
    here = file.tell()
    there = file.seek(0, io.SEEK_END) - here
    file.seek(here)
    if there < wanted:
        raise TruncatedError(f"the header promises {wanted} bytes of codes, {there} are there")
    if there > wanted:
        raise CorruptError(f"{there - wanted} bytes are left over behind the last segment")

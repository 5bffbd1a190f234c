"""The header of an `.ecdc` stream, version 1. `docs/bitstream.md` is the norm, this is its reader and writer."""

from __future__ import annotations

import math
import re
import zlib
from dataclasses import dataclass

from ...errors import BitstreamError, CorruptError, ModelMismatchError, TruncatedError, UnsupportedError
from . import varint

MAGIC = b"ECDC"
VERSION = 1
FINGERPRINT_DIGITS = 16
# Magic, version and size of the body; the largest size that a byte can state; the checksum.
MAX_HEADER_BYTES = 6 + 255 + 4
MAX_NAME_BYTES = 64
MAX_PACKET_FRAMES = 4096
DEFAULT_PACKET_S = 4.0
"""Length of a packet in files of models without segments; `docs/bitstream.md` weighs it."""

_FRONT = MAGIC + bytes([VERSION])
_CRC_BYTES = 4
_FLAG_SCALED = 1
# A reader must know these flags, because they change how packets are read. It may ignore higher ones.
_CRITICAL_FLAGS = 0x7F
_UNKNOWN = "0" * FINGERPRINT_DIGITS
# A header can claim anything, and arrays are allocated by these numbers.
_RANGES = {
    "sampling_rate": (1, 1 << 20),
    "channels": (1, 16),
    "hop": (1, 1 << 16),
    "codebooks": (1, 32),
    "code_bits": (1, 16),
    "max_packet_frames": (1, MAX_PACKET_FRAMES),
    "segment_length": (0, 1 << 24),
    "segment_stride": (0, 1 << 24),
    "table_rule": (0, 255),
}


@dataclass(frozen=True)
class Header:
    """What a stream says of itself before its first packet.

    Attributes:
        sampling_rate: in Hz.
        channels: of the audio.
        hop: samples per frame.
        codebooks: the most that any packet uses, 1 to 32.
        code_bits: width of a code.
        max_packet_frames: the most frames of any packet.
        segment_length: samples of a segment of a chunked model, whose packets are one segment each;
            0 for a model without segments.
        segment_stride: samples between the starts of segments; 0 without segments.
        scaled: whether each packet carries the scale of its audio (models that normalize).
        num_samples: samples per channel, if known beforehand.
        model: name of the model, for people; may be empty.
        fingerprint: first 16 hexadecimal digits of the model's fingerprint; all zeros if unknown.
        table_rule: version of the rule that makes the frequency tables; 0 where no packet needs them.
        lm_fingerprint: as `fingerprint`, of the language model; zeros where `table_rule` is 0.

    Raises:
        ValueError: naming a field that is out of its range.
    """

    sampling_rate: int
    channels: int
    hop: int
    codebooks: int
    code_bits: int
    max_packet_frames: int
    segment_length: int = 0
    segment_stride: int = 0
    scaled: bool = False
    num_samples: int | None = None
    model: str = ""
    fingerprint: str = _UNKNOWN
    table_rule: int = 0
    lm_fingerprint: str = _UNKNOWN

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            _require(low <= getattr(self, name) <= high, name, getattr(self, name), f"from {low} to {high}")
        if self.num_samples is not None:
            # It is written plus one, as 0 means that it is unknown.
            _require(0 <= self.num_samples < varint.LIMIT - 1, "num_samples", self.num_samples, "from 0 to below 2^63")
        for name in ("fingerprint", "lm_fingerprint"):
            good = re.fullmatch(f"[0-9a-f]{{{FINGERPRINT_DIGITS}}}", getattr(self, name)) is not None
            _require(good, name, getattr(self, name), f"{FINGERPRINT_DIGITS} hexadecimal digits")
        _require(self.table_rule > 0 or self.lm_fingerprint == _UNKNOWN, "lm_fingerprint", self.lm_fingerprint,
                 "zeros where there is no table_rule")  # fmt: skip
        _require(len(self.model.encode()) <= MAX_NAME_BYTES, "model", self.model, f"up to {MAX_NAME_BYTES} bytes")
        if self.segment_length == 0:
            _require(self.segment_stride == 0, "segment_stride", self.segment_stride, "0 without segments")
        else:
            _require(1 <= self.segment_stride <= self.segment_length, "segment_stride", self.segment_stride,
                     f"from 1 to segment_length ({self.segment_length})")  # fmt: skip
            frames = -(-self.segment_length // self.hop)
            _require(frames <= self.max_packet_frames, "max_packet_frames", self.max_packet_frames,
                     f"at least the {frames} of a segment")  # fmt: skip

    # ---- time ------------------------------------------------------------------------------

    @property
    def tick(self) -> int:
        """Samples per tick, the unit of positions: the hop, or its common divisor with the segments' stride."""
        return math.gcd(self.hop, self.segment_stride)

    @property
    def frame_ticks(self) -> int:
        """Ticks per frame; 1 without segments."""
        return self.hop // self.tick

    @property
    def stride_ticks(self) -> int:
        """Ticks from the start of a segment to that of the next; 0 without segments."""
        return self.segment_stride // self.tick

    @property
    def frame_rate(self) -> int:
        """Frames per second, rounded up, in Hz."""
        return -(-self.sampling_rate // self.hop)

    # ---- bits ------------------------------------------------------------------------------

    def plain_bytes(self, frames: int, codebooks: int) -> int:
        """Bytes of that many codes without entropy coding."""
        return -(-frames * codebooks * self.code_bits // 8)

    def codebooks_for(self, bandwidth_kbps: float) -> int:
        """Codebooks that fit into a bandwidth, at least one and at most `codebooks`."""
        return min(max(1, int(bandwidth_kbps * 1000 // (self.frame_rate * self.code_bits))), self.codebooks)

    # ---- models ----------------------------------------------------------------------------

    def check_model(self, *fingerprints: str) -> None:
        """Make sure that a model is the one that made the codes; a header that does not know lets all pass.

        Args:
            fingerprints: of the model (16 hexadecimal digits or more), and of others with the same codes.

        Raises:
            ModelMismatchError: if all begin otherwise.
        """
        _check_fingerprint("model", f" {self.model!r}" if self.model else "", self.fingerprint, *fingerprints)

    def check_lm(self, fingerprint: str, table_rule: int) -> None:
        """Make sure that a language model is the one that coded the packets.

        Raises:
            ModelMismatchError: if it is another, or follows another rule.
        """
        _check_fingerprint("language model", "", self.lm_fingerprint, fingerprint)
        if table_rule != self.table_rule:
            raise ModelMismatchError(
                f"the stream's tables follow rule {self.table_rule}, those of the language model in use {table_rule}"
            )


def default_packet_frames(frame_rate: int) -> int:
    """Frames of a packet of the default length, for a model without segments."""
    return min(max(1, round(DEFAULT_PACKET_S * frame_rate)), MAX_PACKET_FRAMES)


def write_header(header: Header) -> bytes:
    """The header's bytes, about 50."""
    name = header.model.encode()
    body = varint.encode(
        _FLAG_SCALED if header.scaled else 0,
        header.sampling_rate,
        header.channels,
        header.hop,
        header.codebooks,
        header.code_bits,
        header.max_packet_frames,
        header.segment_length,
        header.segment_stride,
        0 if header.num_samples is None else header.num_samples + 1,
        header.table_rule,
    )
    body += bytes.fromhex(header.fingerprint)
    if header.table_rule:
        body += bytes.fromhex(header.lm_fingerprint)
    body += varint.encode(len(name)) + name
    front = _FRONT + bytes([len(body)]) + body
    return front + zlib.crc32(front).to_bytes(_CRC_BYTES, "big")


def parse_header(buffer: bytes | bytearray | memoryview) -> tuple[Header, int]:
    """Read the header at the start of a buffer.

    Returns:
        The header, and its size in bytes.

    Raises:
        TruncatedError: if the buffer ends within the header.
        CorruptError: if it is not a header, or a damaged or a contradictory one.
        UnsupportedError: for another version, or a flag that this reader would have to know.
    """
    front = bytes(buffer[:MAX_HEADER_BYTES])
    if front[:4] != MAGIC[: len(front)]:
        raise CorruptError("this is not an .ecdc stream: it does not begin with ECDC")
    # The version is looked at before the checksum, which may stand elsewhere in other versions.
    if len(front) > 4 and front[4] != VERSION:
        raise UnsupportedError(f"this reader knows version {VERSION} of .ecdc, the stream has version {front[4]}")
    end = 6 + front[5] if len(front) > 5 else MAX_HEADER_BYTES
    if len(front) < end + _CRC_BYTES:
        raise TruncatedError("the stream ends within its header")
    if zlib.crc32(front[:end]) != int.from_bytes(front[end : end + _CRC_BYTES], "big"):
        raise CorruptError("the header is damaged: its checksum is wrong")
    try:
        return _parse_body(front[6:end]), end + _CRC_BYTES
    # Errors of the bitstream are ValueErrors as well; all others here mean that the body is wrong.
    except UnsupportedError:
        raise
    except ValueError as error:
        raise CorruptError(f"the header contradicts itself: {error}") from error


def repair_header(buffer: bytes | bytearray | memoryview) -> tuple[Header, int] | None:
    """Read a header of which one bit is wrong, by trying each; `None` if that does not help.

    Two headers of this size differ in 5 bits or more (the Hamming distance of CRC-32 up to 371 bytes), so a
    header with two or three wrong bits is not taken for another.
    """
    front = bytearray(buffer[:MAX_HEADER_BYTES])
    for bit in range(8 * len(front)):
        front[bit // 8] ^= 1 << bit % 8
        try:
            return parse_header(front)
        except BitstreamError:
            front[bit // 8] ^= 1 << bit % 8
    return None


def _parse_body(body: bytes) -> Header:
    position = 0
    numbers: list[int] = []
    for _ in range(11):
        number, position = varint.decode(body, position)
        numbers.append(number)
    flags, *fields, length, rule = numbers
    if flags & _CRITICAL_FLAGS & ~_FLAG_SCALED:
        raise UnsupportedError(f"the header has flags {flags:#x}, which this reader does not know")
    fingerprint, position = _take(body, position, FINGERPRINT_DIGITS // 2)
    lm_fingerprint, position = _take(body, position, FINGERPRINT_DIGITS // 2) if rule else (bytes(8), position)
    size, position = varint.decode(body, position)
    name, position = _take(body, position, size)
    # What stands after the name is of a later writer, and is passed over (docs/bitstream.md, Header).
    return Header(
        *fields,
        scaled=bool(flags & _FLAG_SCALED),
        num_samples=length - 1 if length else None,
        model=name.decode(),
        fingerprint=fingerprint.hex(),
        table_rule=rule,
        lm_fingerprint=lm_fingerprint.hex(),
    )


def _take(body: bytes, position: int, size: int) -> tuple[bytes, int]:
    if size > len(body) - position:
        raise CorruptError("it is too short for its fields")
    return body[position : position + size], position + size


def _check_fingerprint(kind: str, name: str, wanted: str, *found: str) -> None:
    if wanted != _UNKNOWN and not any(one.startswith(wanted) for one in found):
        raise ModelMismatchError(
            f"the stream was written with a {kind}{name} whose fingerprint begins with {wanted}, "
            f"that of the one in use with {found[0][:FINGERPRINT_DIGITS]}"
        )


def _require(condition: bool, name: str, value: object, allowed: str) -> None:
    if not condition:
        raise ValueError(f"{name} must be {allowed}, got {value!r}")

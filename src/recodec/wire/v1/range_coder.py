"""The range coder over integer frequency tables: integers only, alike on every machine.

Notation: a symbol of frequency f that starts at cumulative count s, of a total of 2^t with t <= 16.
The coder holds an interval of width R, 2^32 <= R <= 2^48. A symbol narrows it to the part that begins
at `s * (R >> t)` and is `f * (R >> t)` wide; when R falls below 2^32, 16 bits of the payload are
settled and R grows by 2^16. The payload is the shortest byte string that, with zeros after it, lies in
the last interval. `docs/bitstream.md` states this as a rule and bounds its cost: never more bytes than
the symbols' information rounded up to a byte. Why it is this coder: `docs/decisions/0010-range-coder.md`.

Source of the method: G. N. N. Martin, "Range encoding", 1979.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MAX_TOTAL_BITS = 16
_WORD_BITS = 16
_WINDOW_BITS = 48
_WINDOW = 1 << _WINDOW_BITS
_LOW_BITS = _WINDOW_BITS - _WORD_BITS

_ZERO = np.uint64(0)
_WORD = np.uint64(_WORD_BITS)
# A width of 2^32 or more keeps what `width >> 16` rounds away below a share of 2^-16 (docs/bitstream.md, Cost).
_LEAST_WIDTH = np.uint64(1 << _LOW_BITS)

Rows = np.ndarray | slice
"""Some of the packets of a batch: an index array without repetition, or a slice."""

ALL_ROWS = slice(None)


def encode_packet(starts: np.ndarray, freqs: np.ndarray, total_bits: int) -> bytes:
    """Code the M symbols of one packet.

    Args:
        starts: (M,) cumulative count below each symbol, any integer dtype.
        freqs: (M,) count of each symbol, at least 1, `starts + freqs <= 2 ** total_bits`.
        total_bits: the tables' totals are 2 to this power, 1 to 16.

    Returns:
        The payload. It may be empty, and never ends in a zero byte.

    Raises:
        ValueError: if a symbol has no place in a table of that total.
    """
    _check_total_bits(total_bits)
    starts = np.asarray(starts, dtype=np.int64)
    freqs = np.asarray(freqs, dtype=np.int64)
    if starts.shape != freqs.shape or starts.ndim != 1:
        raise ValueError(f"starts and freqs must be alike and flat, got {starts.shape} and {freqs.shape}")
    if bool(((starts < 0) | (freqs < 1) | (starts + freqs > 1 << total_bits)).any()):
        raise ValueError(f"a symbol without frequency, or beyond the total of 2^{total_bits}")
    words: list[int] = []
    low, width = 0, _WINDOW
    for start, freq in zip(starts.tolist(), freqs.tolist(), strict=True):
        unit = width >> total_bits
        low += start * unit
        width = freq * unit
        if low >= _WINDOW:
            low -= _WINDOW
            _carry(words)
        # Once is enough: the width was at least 2^32, so any symbol leaves 2^16, and 16 bits more make it 2^32 again.
        if width < 1 << _LOW_BITS:
            words.append(low >> _LOW_BITS)
            low = low % (1 << _LOW_BITS) << _WORD_BITS
            width <<= _WORD_BITS
    last = _roundest(low, width)
    if last >= _WINDOW:
        last -= _WINDOW
        _carry(words)
    # Decoders read zeros after the payload, so zero bytes at its end are not written.
    return (np.array(words, dtype=">u2").tobytes() + last.to_bytes(_WINDOW_BITS // 8, "big")).rstrip(b"\0")


class RangeDecoder:
    """Decodes one packet in Python's integers, symbol by symbol as `RangeDecoderBatch` does for one packet.

    Args:
        payload: as `encode_packet` made it; any bytes are valid.
        total_bits: the tables' totals are 2 to this power, 1 to 16.
    """

    def __init__(self, payload: bytes | memoryview, total_bits: int) -> None:
        _check_total_bits(total_bits)
        self._total_bits = total_bits
        self._words = np.frombuffer(bytes(payload) + b"\0" * (len(payload) % 2), dtype=">u2").tolist()
        self._next = 0
        self._width = _WINDOW
        self._value = 0  # payload less the interval's low end
        for _ in range(_WINDOW_BITS // _WORD_BITS):
            self._value = self._value << _WORD_BITS | self._word()

    def _word(self) -> int:
        self._next += 1
        return self._words[self._next - 1] if self._next <= len(self._words) else 0

    def peek(self) -> int:
        """A target below 2 ** total_bits: the next symbol is the one whose counts hold it."""
        return min(self._value // (self._width >> self._total_bits), (1 << self._total_bits) - 1)

    def advance(self, start: int, freq: int) -> None:
        """Take the symbol found for the last `peek` off the stream: start <= target < start + freq."""
        unit = self._width >> self._total_bits
        self._width = freq * unit
        self._value -= start * unit
        if self._width < 1 << _LOW_BITS:
            self._width <<= _WORD_BITS
            # In damaged payloads the value may grow beyond 64 bits. A batch drops the upper ones, and so must this.
            self._value = self._value << _WORD_BITS & 0xFFFF_FFFF_FFFF_FFFF | self._word()


class RangeDecoderBatch:
    """Decoders of P packets in step: one symbol of each packet at a time, in NumPy across packets.

    Any bytes are a valid payload, and any number of symbols may be asked for: what lies after a
    payload reads as zeros, and damage gives wrong symbols, never an error.

    Where packets have different numbers of symbols, pass the `rows` that still have some.

    Args:
        payloads: P byte strings, as `encode_packet` made them.
        total_bits: the tables' totals are 2 to this power, 1 to 16.
    """

    def __init__(self, payloads: Sequence[bytes | memoryview], total_bits: int) -> None:
        _check_total_bits(total_bits)
        self._total_bits = np.uint64(total_bits)
        self._most = np.uint64((1 << total_bits) - 1)
        sizes = np.array([(len(p) + 1) // 2 for p in payloads], dtype=np.int64)
        # Each payload gets a word of zeros at its end, where its position then stays: what is missing reads as zeros.
        padded = (bytes(p) + (b"\0\0\0" if len(p) % 2 else b"\0\0") for p in payloads)
        self._words = np.frombuffer(b"".join(padded), dtype=">u2").astype(np.uint64)
        self._ends = np.cumsum(sizes + 1) - 1  # of the zero word after each payload
        self._next = self._ends - sizes
        self._widths = np.full(len(payloads), _WINDOW, dtype=np.uint64)
        self._values = np.zeros(len(payloads), dtype=np.uint64)  # payload less the interval's low end
        for _ in range(_WINDOW_BITS // _WORD_BITS):
            self._values = self._values << _WORD | self._words[self._next]
            self._next = np.minimum(self._next + 1, self._ends)

    def __len__(self) -> int:
        return len(self._values)

    def peek(self, rows: Rows = ALL_ROWS) -> np.ndarray:
        """(P,) int64 targets below 2 ** total_bits: the next symbol is the one whose counts hold it."""
        unit = self._widths[rows] >> self._total_bits
        # The interval may be a little wider than all symbols together; only damaged payloads lie in that rest.
        return np.minimum(self._values[rows] // unit, self._most).astype(np.int64)

    def advance(self, starts: np.ndarray, freqs: np.ndarray, rows: Rows = ALL_ROWS) -> None:
        """Take the symbols found for the last `peek` off the streams.

        Args:
            starts: (P,) cumulative count below each symbol; `starts <= target < starts + freqs`.
            freqs: (P,) count of each symbol.
            rows: the same rows as those of `peek`.
        """
        unit = self._widths[rows] >> self._total_bits
        width = np.asarray(freqs).astype(np.uint64) * unit
        value = self._values[rows] - np.asarray(starts).astype(np.uint64) * unit
        position = self._next[rows]
        short = width < _LEAST_WIDTH
        shift = np.where(short, _WORD, _ZERO)
        self._widths[rows] = width << shift
        self._values[rows] = value << shift | np.where(short, self._words[position], _ZERO)
        self._next[rows] = np.minimum(position + short, self._ends[rows])

    def decode(self, cumulative: np.ndarray, rows: Rows = ALL_ROWS) -> np.ndarray:
        """The next symbol of each packet, by its own table.

        Args:
            cumulative: (P, N + 1) cumulative counts, from 0 to 2 ** total_bits, never falling.
            rows: the packets meant, P of them.

        Returns:
            (P,) int64 symbols below N.
        """
        targets = self.peek(rows)
        symbols = (cumulative <= targets[:, None]).sum(axis=1) - 1
        packets = np.arange(len(symbols))
        starts = cumulative[packets, symbols]
        self.advance(starts, cumulative[packets, symbols + 1] - starts, rows)
        return symbols


def decode_packet(payload: bytes, cumulative: np.ndarray, total_bits: int) -> np.ndarray:
    """Decode one packet whose M tables are all known beforehand.

    Args:
        payload: as `encode_packet` made it.
        cumulative: (M, N + 1) cumulative counts.
        total_bits: 1 to 16.

    Returns:
        (M,) int64 symbols.
    """
    decoder = RangeDecoderBatch([payload], total_bits)
    return np.array([decoder.decode(table[None])[0] for table in cumulative], dtype=np.int64)


def _carry(words: list[int]) -> None:
    """Add one to the number that the words spell. It is below 1 as a fraction, so there is room."""
    last = len(words) - 1
    while words[last] == 0xFFFF:
        words[last] = 0
        last -= 1
    words[last] += 1


def _roundest(low: int, width: int) -> int:
    """The number of [low, low + width) that ends in the most zero bits."""
    for bits in range(_WINDOW_BITS, -1, -1):
        candidate = (low + (1 << bits) - 1) >> bits << bits
        if candidate < low + width:
            return candidate
    raise AssertionError("an interval is at least 1 wide")


def _check_total_bits(total_bits: int) -> None:
    if not 1 <= total_bits <= MAX_TOTAL_BITS:
        raise ValueError(f"total_bits must be from 1 to {MAX_TOTAL_BITS}, got {total_bits}")

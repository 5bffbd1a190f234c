"""Packets to audio in step with their stream's time, what is lost included."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..wire.v1.header import Header
from ..wire.v1.packets import Packet, end_of, next_start
from ..wire.v1.timeline import Lost
from .blocks import Block, BlockDecoder, block_decoder
from .engine import Decoder

REPEATED_FRAMES = 4
CONTINUED_S = 0.2
FADE_S = 0.1
RISE_S = 0.01
_PIECE_SAMPLES = 1 << 15


class ConcealingDecoder:
    """Decodes the packets of one stream in order; where some are missing it conceals that.

    A gap of up to `CONTINUED_S` is filled by the decoder itself, which is given the last frames again and again, so
    that its state goes on; over `FADE_S` that fades to silence, and from the next packet on the sound
    comes back within `RISE_S`. A longer gap is silent after the fade, and the decoder starts anew after it.
    Models that decode segments or whole recordings have silence in every gap.

    Args:
        header: of the stream.
        decoder: of the model.
        grid_frames: frames that a causal model takes at once.
        first: where the audio begins, in ticks.

    Attributes:
        gaps: that were concealed so far, as samples (begin, stop) of the stream.
    """

    def __init__(self, header: Header, decoder: Decoder, grid_frames: int, first: int = 0) -> None:
        self.gaps: list[tuple[int, int]] = []
        self._header, self._model_decoder, self._grid_frames = header, decoder, grid_frames
        self._decoder = self._fresh()
        self._first = first
        self._last: Packet | None = None
        self._frames: np.ndarray | None = None  # the last ones, (K, F)
        self._made = first * header.tick
        self._gain = _Gain(header.sampling_rate)

    def push(self, packet: Packet, block: Block) -> Iterator[np.ndarray]:
        """The next packet and what it holds, to audio (C, T) in pieces.

        Raises:
            CorruptError: for codes that the model cannot take.
        """
        yield from self._fill(self._expected(packet), packet.start)
        if packet.restart:
            yield self._end_section(packet.start * self._header.tick)
        self._last, self._frames = packet, block.codes[:, -REPEATED_FRAMES:]
        yield self._shaped(self._decoder.push(block))

    def lose(self, lost: Lost) -> Iterator[np.ndarray]:
        """What is missing, to audio (C, T) in pieces in its place."""
        yield from self._fill(lost.start, lost.stop)
        self._first, self._last = max(lost.stop, self._expected(None)), None

    def end(self, at: int) -> Iterator[np.ndarray]:
        """The stream ends at a tick: the rest of its audio (C, T) in pieces."""
        yield from self._fill(self._expected(None), at)
        yield self.finish()

    def finish(self) -> np.ndarray:
        """What the decoder still holds, (C, T)."""
        return self._shaped(self._decoder.finish())

    # ---- gaps ------------------------------------------------------------------------------

    def _expected(self, packet: Packet | None) -> int:
        """Where that packet, or the end, should begin, in ticks."""
        if self._last is None:
            return self._first
        segments_go_on = packet is not None and not packet.restart
        return next_start(self._header, self._last) if segments_go_on else end_of(self._header, self._last)

    def _fill(self, begin: int, stop: int) -> Iterator[np.ndarray]:
        if stop <= begin:
            return
        tick, rate = self._header.tick, self._header.sampling_rate
        self.gaps.append((begin * tick, stop * tick))
        resume = stop * tick
        short = (stop - begin) * tick <= CONTINUED_S * rate
        if self._frames is not None and self._model_decoder.config.is_streamable:
            self._gain.dip(begin * tick, resume)
            # A causal model has no segments, so a tick is a frame.
            count = stop - begin if short else -(-round(FADE_S * rate) // tick)
            repeated = np.tile(self._frames, -(-count // self._frames.shape[1]))[:, :count]
            yield self._shaped(self._decoder.push(Block(repeated, None)))
            if short:
                return
        tail = self._tail(resume)
        end = self._made + tail.shape[1]
        # The fade is to end with the tail, as silence follows. Samples that were given out cannot be faded.
        self._gain.dip(min(end, max(self._made, end - round(FADE_S * rate))), resume)
        yield self._shaped(tail)
        self._decoder, self._frames = self._fresh(), None
        # In pieces: a gap may be ten minutes long, and memory must not grow with it.
        while self._made < resume:
            size = min(_PIECE_SAMPLES, resume - self._made)
            yield self._shaped(np.zeros((self._header.channels, size), np.float32))

    def _end_section(self, begin: int) -> np.ndarray:
        """What is left of a section, up to the sample at which the next begins."""
        # The segment before the last may reach a little beyond the end of the last.
        audio = self._shaped(self._tail(begin))
        self._decoder = self._fresh()
        return audio

    def _tail(self, stop: int) -> np.ndarray:
        """What the decoder still holds, up to a sample of the stream."""
        return self._decoder.finish()[:, : max(0, stop - self._made)]

    def _fresh(self) -> BlockDecoder:
        return block_decoder(self._model_decoder, self._grid_frames)

    def _shaped(self, audio: np.ndarray) -> np.ndarray:
        audio = self._gain.apply(audio, self._made)
        self._made += audio.shape[1]
        return audio


class _Gain:
    """A gain over time: 1, but for dips of straight lines."""

    def __init__(self, rate_hz: int) -> None:
        self._fade, self._rise = FADE_S * rate_hz, RISE_S * rate_hz
        self._points: list[tuple[float, float]] = []

    def dip(self, begin: int, resume: int) -> None:
        """Fall from a sample on, and rise again from another on."""
        gain = float(self._at(np.array([begin]))[0])
        bottom = begin + gain * self._fade
        # Where the gap is shorter than the fade, the gain turns before it has come down to 0.
        low = [(bottom, 0.0), (resume, 0.0)] if bottom < resume else [(resume, gain - (resume - begin) / self._fade)]
        before = [point for point in self._points if point[0] < begin]
        self._points = [*before, (begin, gain), *low, (resume + self._rise, 1.0)]

    def apply(self, audio: np.ndarray, start: int) -> np.ndarray:
        """Scale (C, T) samples that begin at a sample."""
        if not self._points:
            return audio
        gain = self._at(np.arange(start, start + audio.shape[1]))
        if start > self._points[-1][0]:
            self._points = []
        return audio * gain.astype(np.float32)

    def _at(self, samples: np.ndarray) -> np.ndarray:
        if not self._points:
            return np.ones(samples.shape)
        return np.interp(samples, *np.array(self._points).T)

"""Recordings and live streams in version 1 of `.ecdc`: packets, written and played as they come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np

from ..config import EncodecConfig
from ..errors import AudioError, ConfigError, CorruptError, ModelMismatchError
from ..wire.header import FINGERPRINT_DIGITS, MAX_NAME_BYTES, MAX_PACKET_FRAMES, Header
from ..wire.index import read_end
from ..wire.packets import End, Packet
from ..wire.payload import make_packets, read_codes
from ..wire.reader import Event, PacketReader
from ..wire.writer import StreamWriter
from .blocks import Block, block_decoder, block_encoder, segment_stride
from .engine import Engine
from .regrid import Regrid

_PIECE_BYTES = 1 << 16
_GRANULE_FRAMES = 25
_GEOMETRY = ("sampling_rate", "channels", "hop", "codebooks", "code_bits", "segment_length", "segment_stride", "scaled")


class Compressor1:
    """See `container.Compressor`. Each packet is flushed to the file as soon as it is complete.

    Args:
        file: takes the bytes.
        engine: the model.
        num_quantizers: codebooks K to use.
        num_samples: length of the recording, if known: it helps readers of a file that was cut off.
        grid_frames: the most frames that a causal model takes at once; a packet is a number of such blocks.
        packet_s: length of a packet in seconds; models with segments have one segment in each.

    Raises:
        ConfigError: for a length of packets that cannot be.
    """

    def __init__(
        self, file: IO[bytes], engine: Engine, num_quantizers: int, num_samples: int | None, grid_frames: int,
        packet_s: float,
    ) -> None:  # fmt: skip
        frames = packet_frames(engine.config, packet_s)
        self._file = file
        self._encoder = block_encoder(engine, num_quantizers, _grid_within(frames, grid_frames))
        self._grid = None if engine.config.chunk_length is not None else Regrid(frames)
        self._writer = StreamWriter(file, header_of(engine, num_quantizers, num_samples, frames))
        self._scale: float | None = None
        self._count = 0

    def push(self, audio: np.ndarray) -> None:
        self._count += audio.shape[-1]
        promised = self._writer.header.num_samples
        if promised is not None and self._count > promised:
            raise AudioError(f"there are more samples than the {promised} that were announced")
        self._write(self._encoder.push(audio))

    def close(self) -> None:
        promised = self._writer.header.num_samples
        if self._count == 0:
            raise AudioError("there are no samples")
        if promised not in (None, self._count):
            raise AudioError(f"there are {self._count} samples, {promised} were announced")
        self._write(self._encoder.flush())
        rest = None if self._grid is None else self._grid.rest()
        if rest is not None and rest.shape[1]:
            self._write_packet(rest)
        self._writer.finish(self._count)
        self._file.flush()

    def _write(self, blocks: list[Block]) -> None:
        for block in blocks:
            self._scale = block.scale  # where a whole recording has one, every packet repeats it
            for codes in [block.codes] if self._grid is None else self._grid.push(block.codes):
                self._write_packet(codes)

    def _write_packet(self, codes: np.ndarray) -> None:
        scales = None if self._scale is None else [self._scale]
        for packet in make_packets(self._writer.header, self._writer.position, [codes], scales):
            self._writer.write(packet)
        self._file.flush()


class Decompressor1:
    """See `container.Decompressor`. A damaged stream is refused at its first fault.

    Args:
        file: stands at its start. It may be a pipe whose `read` gives what is there: then audio comes
            out as packets come in.
    """

    version = 1

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._reader = PacketReader()
        self._early: list[Event] = []
        while self._reader.header is None:
            data = file.read(_PIECE_BYTES)
            self._early += self._reader.feed(data) if data else self._reader.close()  # the latter raises
        self.header = self._reader.header
        self._num_samples = self.header.num_samples
        if file.seekable():
            position = file.tell()
            end = read_end(file, self.header)
            file.seek(position)
            self._num_samples = self._num_samples if end is None else end.num_samples

    @property
    def model(self) -> str:
        return self.header.model

    @property
    def num_samples(self) -> int | None:
        return self._num_samples

    def pieces(self, engine: Engine, grid_frames: int) -> Iterator[np.ndarray]:
        check_model(self.header, engine)
        grid_frames = _grid_within(self.header.max_packet_frames, grid_frames)
        decoder = block_decoder(engine, grid_frames)
        held = np.zeros((self.header.channels, 0), np.float32)
        given, total, surplus = 0, self.num_samples, 0
        for event in self._events():
            parts = [held]
            if isinstance(event, End):
                total, surplus = event.num_samples, 0
                parts.append(decoder.flush())
            elif isinstance(event, Packet):
                if event.restart:
                    parts.append(decoder.flush())
                    decoder = block_decoder(engine, grid_frames)
                parts.append(decoder.push(Block(self._codes(event), event.scale)))
                # The end may count as few as one sample of the last frame, so the others are held back.
                surplus = self.header.hop - 1 if total is None else 0
            audio = np.concatenate(parts, axis=1)
            ready = max(0, audio.shape[1] - surplus)
            audio, held = audio[:, :ready], audio[:, ready:]
            if total is not None:
                audio = audio[:, : total - given]
            given += audio.shape[1]
            yield audio

    def _codes(self, packet: Packet) -> np.ndarray:
        codes = read_codes(self.header, [packet])[0]
        if isinstance(codes, CorruptError):
            raise codes
        return codes

    def _events(self) -> Iterator[Event]:
        yield from self._early
        yield from self._reader.read_from(self._file)


def packet_frames(config: EncodecConfig, packet_s: float) -> int:
    """Frames of a packet of about that length; those of a segment where the model has segments.

    Long ones are multiples of 25, so that they can be made of large blocks.

    Raises:
        ConfigError: for a length that is not positive, or too long for the format.
    """
    if config.chunk_length is not None:
        return config.frames_for(config.chunk_length)
    longest_s = MAX_PACKET_FRAMES * config.hop_length / config.sampling_rate
    if not 0 < packet_s <= longest_s:
        raise ConfigError(f"a packet may be up to {longest_s:.1f} s long, not {packet_s:g} s")
    frames = max(1, round(packet_s * config.sampling_rate / config.hop_length))
    return frames if frames < 2 * _GRANULE_FRAMES else round(frames / _GRANULE_FRAMES) * _GRANULE_FRAMES


def _grid_within(frames: int, most: int) -> int:
    """The largest grid up to `most` that packets of so many frames are whole blocks of: none waits for the next."""
    return next(grid for grid in range(min(most, frames), 0, -1) if frames % grid == 0)


def header_of(engine: Engine, num_quantizers: int, num_samples: int | None, max_packet_frames: int) -> Header:
    """The header of a stream that a model makes.

    Raises:
        ConfigError: for a model that the format has no room for, say with 64 codebooks.
    """
    config = engine.config
    try:
        return Header(
            sampling_rate=config.sampling_rate,
            channels=config.audio_channels,
            hop=config.hop_length,
            codebooks=num_quantizers,
            code_bits=config.codebook_nbits,
            max_packet_frames=max_packet_frames,
            segment_length=config.chunk_length or 0,
            segment_stride=0 if config.chunk_length is None else segment_stride(config),
            scaled=config.normalize,
            num_samples=num_samples,
            model=engine.name.encode()[:MAX_NAME_BYTES].decode(errors="ignore"),
            fingerprint=engine.fingerprint[:FINGERPRINT_DIGITS],
        )
    except ValueError as error:
        raise ConfigError(f"the file format has no room for this model: {error}") from error


def check_model(header: Header, engine: Engine) -> None:
    """Make sure that the model at hand is the one that wrote the stream.

    Raises:
        ModelMismatchError: if it has other weights, or another geometry where the header does not say.
    """
    header.check_model(engine.fingerprint)
    expected = header_of(engine, engine.config.num_quantizers, None, MAX_PACKET_FRAMES)
    for name in _GEOMETRY:
        found, wanted = getattr(header, name), getattr(expected, name)
        if found > wanted if name == "codebooks" else found != wanted:
            raise ModelMismatchError(
                f"the stream was written with another model than {engine.name!r}: its {name} is {found}, not {wanted}"
            )

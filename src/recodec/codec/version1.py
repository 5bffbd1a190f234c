"""Recordings and live streams in version 1 of `.ecdc`: packets, written and played as they come."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from numbers import Real
from typing import IO

import numpy as np

from ..ahead import Ahead
from ..config import EncodecConfig
from ..errors import BitstreamError, ConfigError, CorruptError, ModelMismatchError
from ..geometry import CodecGeometry
from ..wire.v0.segments import SegmentLM
from ..wire.v1.header import FINGERPRINT_DIGITS, MAX_NAME_BYTES, MAX_PACKET_FRAMES, Header
from ..wire.v1.index import read_end, seek
from ..wire.v1.packets import End, Packet
from ..wire.v1.payload import PacketLM, make_packets, read_codes
from ..wire.v1.reader import Event, PacketReader
from ..wire.v1.timeline import Lost
from ..wire.v1.writer import StreamWriter
from .blocks import FILE_GRID_FRAMES, Block, decode_segment
from .checks import side_threads
from .concealment import ConcealingDecoder
from .ecdc_file import BlockWriter, EcdcReader
from .engine import Decoder, Engine, known_fingerprints
from .rechunk import Rechunker
from .recording_end import RecordingEnd

WARM_UP_S = 2.0
"""How far before a wanted time decoding begins; `docs/bitstream.md` has the error that is left."""

_PIECE_BYTES = 1 << 16
_PACKETS_AT_ONCE = 32
_PACKETS_OF_A_THREAD = 4  # as many as the compiled language model decodes at once
# Packets of a multiple of this are whole blocks of at least so many frames: see `grid_within`.
_GRANULE_FRAMES = 25
_GEOMETRY = ("sampling_rate", "channels", "hop", "codebooks", "code_bits", "segment_length", "segment_stride", "scaled")
_Found = tuple[list[Event], list[Block | CorruptError]]  # events, and what each packet among them holds


class BlockWriter1(BlockWriter):
    """See `ecdc_file.BlockWriter`. Each packet is written and flushed as soon as it is complete.

    Args:
        file: takes the bytes.
        engine: the model.
        num_quantizers: codebooks K to use.
        num_samples: length of the recording, if known: it helps readers of a file that was cut off.
        packet_s: length of a packet in seconds; models with segments have one segment in each.
        lm: the language model to code packets with; without one they are plain.
        jobs: with more than one, so many threads code packets, and each is written after one or more later ones began.

    Raises:
        ConfigError: for a length of packets that the format does not allow.
    """

    def __init__(
        self, file: IO[bytes], engine: Engine, num_quantizers: int, num_samples: int | None, packet_s: float,
        lm: PacketLM | None, jobs: int = 1,
    ) -> None:  # fmt: skip
        frames = packet_frames(engine.config, packet_s)
        self._file, self._lm = file, lm
        self._work = Ahead(self._coded, threads=0 if lm is None else side_threads(jobs))
        self._grid = None if engine.config.chunk_length is not None else Rechunker(frames)
        self._writer = StreamWriter(file, header_of(engine, num_quantizers, num_samples, frames, lm))
        self._scale: float | None = None

    def push(self, blocks: Iterable[Block]) -> None:
        for block in blocks:
            if block.scale is not None:
                self._scale = block.scale  # where a whole recording has one, every packet repeats it
            for codes in [block.codes] if self._grid is None else self._grid.push(block.codes):
                self._write(self._work.push((codes, self._scale)))

    def finish(self, num_samples: int) -> None:
        rest = None if self._grid is None else self._grid.rest()
        if rest is not None and rest.shape[1]:
            self._write(self._work.push((rest, self._scale)))
        self._write(self._work.finish())
        self._writer.finish(num_samples)
        self._file.flush()

    def close(self) -> None:
        self._work.close()

    def _coded(self, piece: tuple[np.ndarray, float | None]) -> Packet:
        """A packet of codes and their scale, whose place is not known yet."""
        codes, scale = piece
        return make_packets(self._writer.header, 0, [codes], None if scale is None else [scale], self._lm)[0]

    def _write(self, packets: Iterable[Packet]) -> None:
        for packet in packets:
            self._writer.write(replace(packet, start=self._writer.position))
            self._file.flush()


class EcdcReader1(EcdcReader):
    """See `ecdc_file.EcdcReader`. Coded packets of a file are decoded side by side; those of a pipe as they come.

    Args:
        file: stands at its start. It may be a pipe whose `read` gives what is there: then audio comes
            out as packets come in.
        tolerant: go on after damage, and conceal what is lost (see `ConcealingDecoder`); otherwise the first
            fault is an error.
    """

    version = 1

    def __init__(self, file: IO[bytes], *, tolerant: bool = False) -> None:
        self._file, self._tolerant = file, tolerant
        self._reader = PacketReader(tolerant=tolerant)
        self._early: list[Event] = []
        while self._reader.header is None:
            data = file.read(_PIECE_BYTES)
            self._early += self._reader.feed(data) if data else self._reader.close()  # the latter raises
        self.header = self._reader.header
        self._num_samples = self.header.num_samples
        self._decoder: ConcealingDecoder | None = None
        self._lacks_end = False
        if file.seekable():
            position = file.tell()
            end = read_end(file, self.header)
            file.seek(position)
            # The end was written when the length was certain; the header may not have it, or only as it was expected.
            self._num_samples = self._num_samples if end is None else end.num_samples

    @property
    def model(self) -> str:
        return self.header.model

    @property
    def fingerprint(self) -> str | None:
        return self.header.fingerprint

    @property
    def num_samples(self) -> int | None:
        return self._num_samples

    @property
    def num_codebooks(self) -> int:
        return self.header.codebooks

    @property
    def repeats_scale(self) -> bool:
        return self.header.scaled and not self.header.segment_length

    @property
    def is_coded(self) -> bool:
        return self.header.table_rule > 0

    def lost_within(self, first: int, last: int | None = None) -> int:
        gaps = [] if self._decoder is None else self._decoder.gaps
        last = sys.maxsize if last is None else last
        return sum(max(0, min(stop, last) - max(begin, first)) for begin, stop in gaps)

    @property
    def lacks_end(self) -> bool:
        return self._lacks_end

    def check_model(self, engine: Engine) -> None:
        check_model(self.header, engine)

    def pieces(
        self, engine: Engine, *, decoder: Decoder | None = None, lm: PacketLM | SegmentLM | None = None,
        start: int = 0, grid_frames: int = FILE_GRID_FRAMES, jobs: int = 1,
    ) -> Iterator[np.ndarray]:  # fmt: skip
        self.check_model(engine)
        first = self._seek(start) if start and self._file.seekable() else 0
        grid_frames = grid_within(self.header.max_packet_frames, grid_frames)
        decoder = decoder or engine
        packets = ConcealingDecoder(self.header, decoder, grid_frames, first)
        self._decoder = packets
        end = RecordingEnd(self.header.hop, self.num_samples, first * self.header.tick, start)
        for event, block in self._decoded(lm, jobs, decoder):
            if isinstance(event, End):
                end.known(event.num_samples)
                parts = packets.end(event.start)
            elif isinstance(event, Lost):
                parts = packets.lose(event)
            # Its tables differ: the start of what comes next shows the gap, which is then concealed.
            elif block is None:
                continue
            else:
                parts = packets.push(event, block)
            for part in parts:
                yield end.trim(part)
        self._lacks_end = self._reader.end is None
        yield end.rest(packets.finish())

    def blocks(
        self, geometry: CodecGeometry | None, *, lm: PacketLM | SegmentLM | None = None,
        grid_frames: int = FILE_GRID_FRAMES,
    ) -> Iterator[Block]:  # fmt: skip
        for event, block in self._decoded(lm):
            if block is not None:
                yield block
            elif isinstance(event, End):
                self._num_samples = event.num_samples

    def _seek(self, start: int) -> int:
        """Go to the packet that the decoder must begin with to be warm at a sample; return its tick."""
        place = seek(self._file, max(0, start - round(WARM_UP_S * self.header.sampling_rate)))
        self._early = []
        self._reader = PacketReader(
            tolerant=self._tolerant, header=place.header, first=place.start, offset=place.offset
        )
        return place.start

    def _decoded(
        self, lm: PacketLM | SegmentLM | None, jobs: int = 1, decoder: Decoder | None = None
    ) -> Iterator[tuple[Event, Block | None]]:
        """Events, packets with their codes; `None` for one that decodes to nothing.

        Args:
            lm: to decode packets with.
            jobs: threads that do so, if there are to be several.
            decoder: of segments, which such threads decode to audio as well.
        """
        if lm is not None and not isinstance(lm, PacketLM):
            raise ModelMismatchError("a file of version 1 is coded with its model's language model, not with Meta's")
        seekable = self._file.seekable()
        threads = side_threads(jobs) if seekable else 0
        # To wait for more packets of a pipe would delay those of a live stream that are here.
        most = 1 if not seekable else _PACKETS_OF_A_THREAD if threads else _PACKETS_AT_ONCE
        batches = _batches(itertools.chain(self._early, self._reader.read_from(self._file)), most)
        # Segments decode independently, so threads may do it; frames of a causal model need the state before them.
        segments = decoder if threads and self.header.segment_length else None
        work = Ahead[list[Event], _Found](lambda events: self._blocks_of(events, lm, segments), threads)
        for events, found in work.map(batches):
            blocks = iter(found)
            for event in events:
                block = next(blocks) if isinstance(event, Packet) else None
                if not isinstance(block, CorruptError):
                    yield event, block
                elif not self._tolerant:
                    raise block

    def _blocks_of(self, events: list[Event], lm: PacketLM | None, decoder: Decoder | None) -> _Found:
        """The codes of the packets among events, or what is wrong with them; decoded by a decoder of segments."""
        packets = [event for event in events if isinstance(event, Packet)]
        blocks: list[Block | CorruptError] = []
        for packet, codes in zip(packets, read_codes(self.header, packets, lm), strict=True):
            block = codes if isinstance(codes, CorruptError) else Block(codes, packet.scale)
            if decoder is not None and not isinstance(block, CorruptError):
                block = replace(block, audio=decode_segment(decoder, block))
            blocks.append(block)
        return events, blocks


def _batches(events: Iterable[Event], most: int) -> Iterator[list[Event]]:
    """Events in lists; what came before an error is given before it."""
    batch: list[Event] = []
    try:
        for event in events:
            batch.append(event)
            if len(batch) == most:
                yield batch
                batch = []
    except BitstreamError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def packet_frames(config: EncodecConfig, packet_s: float) -> int:
    """Frames of a packet of about that length; those of a segment where the model has segments.

    Long ones are multiples of 25, so that they can be made of large blocks.

    Raises:
        ConfigError: for a length that is not positive, or too long for the format.
    """
    if config.chunk_length is not None:
        return config.frames_for(config.chunk_length)
    longest_s = MAX_PACKET_FRAMES * config.hop_length / config.sampling_rate
    if not isinstance(packet_s, Real) or not 0 < packet_s <= longest_s:
        raise ConfigError(f"a packet is longer than 0 s and at most {longest_s:.1f} s, got {packet_s!r:.60}")
    frames = max(1, round(packet_s * config.sampling_rate / config.hop_length))
    return frames if frames < 2 * _GRANULE_FRAMES else round(frames / _GRANULE_FRAMES) * _GRANULE_FRAMES


def grid_within(frames: int, most: int) -> int:
    """The largest grid up to `most` that packets of so many frames are whole blocks of: none waits for the next."""
    return next(grid for grid in range(min(most, frames), 0, -1) if frames % grid == 0)


def header_of(
    engine: Engine,
    num_quantizers: int,
    num_samples: int | None,
    max_packet_frames: int,
    lm: PacketLM | None = None,
) -> Header:
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
            segment_stride=config.segment_stride or 0,
            scaled=config.normalize,
            num_samples=num_samples,
            # The name is cut at a number of bytes, and what remains of a character that this splits is dropped.
            model=engine.name.encode()[:MAX_NAME_BYTES].decode(errors="ignore"),
            fingerprint=engine.fingerprint[:FINGERPRINT_DIGITS],
            table_rule=0 if lm is None else lm.table_rule,
            lm_fingerprint="0" * FINGERPRINT_DIGITS if lm is None else lm.fingerprint[:FINGERPRINT_DIGITS],
        )
    except ValueError as error:
        raise ConfigError(f"the file format has no room for this model: {error}") from error


def check_model(header: Header, engine: Engine) -> None:
    """Make sure that the model in use is the one that wrote the stream.

    Raises:
        ModelMismatchError: if it has other weights (of another decoder they may be), or another geometry where the
            header does not say.
    """
    header.check_model(*known_fingerprints(engine))
    expected = header_of(engine, engine.config.num_quantizers, None, MAX_PACKET_FRAMES)
    for name in _GEOMETRY:
        found, wanted = getattr(header, name), getattr(expected, name)
        # A stream may use fewer codebooks than its model has.
        if found > wanted if name == "codebooks" else found != wanted:
            raise ModelMismatchError(
                f"the stream was written with another model than {engine.name!r}: its {name} is {found}, not {wanted}"
            )

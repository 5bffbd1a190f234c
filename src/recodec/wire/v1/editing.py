"""Concatenating, cutting and thinning streams without the model that made their codes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO

from ...errors import CorruptError, ModelMismatchError
from .header import Header
from .index import seek
from .packets import PLAIN, End, Packet, end_of
from .payload import PacketLM, read_codes, write_codes
from .reader import Event, PacketReader
from .timeline import Lost
from .writer import StreamWriter

_BATCH = 64
"""Coded packets that are decoded side by side."""

# What decides how codes are decoded and where they lie. Codebooks and lengths of packets may differ.
_ALIKE = ("sampling_rate", "channels", "hop", "code_bits", "segment_length", "segment_stride", "scaled", "fingerprint")


# ---- concatenate ---------------------------------------------------------------------------


def concatenate(sources: Sequence[IO[bytes]], out: IO[bytes], *, tolerant: bool = False) -> None:
    """Join streams of the same model; the codes are not touched.

    Each stream becomes a section of its own: a decoder starts it afresh, so it sounds as it did alone.
    All but the last play to the end of their last frame, up to a frame longer than they were.

    Args:
        sources: at least one, standing at their starts.
        out: takes the joined stream.
        tolerant: whether damaged streams are joined too. What they lack, the result lacks.

    Raises:
        ModelMismatchError: if the streams are not of one model, or coded with different language models.
        BitstreamError: for a damaged stream, unless `tolerant`.
    """
    streams = [_begin(source, tolerant) for source in sources]
    writer = StreamWriter(out, _common_header([header for header, _ in streams]))
    # `_common_header` refuses streams of another hop or stride, so a tick is the same in all of them.
    shift, num_samples = 0, 0
    for header, events in streams:
        stop, num_samples = _append(writer, events, shift, header)
        shift = stop
    writer.finish(num_samples, lost_until=shift)


def _append(writer: StreamWriter, events: Iterator[Event], shift: int, header: Header) -> tuple[int, int]:
    """Copy one stream after a position; return where its audio ends, in ticks and in samples."""
    # At the start of a stream a decoder is fresh without a restart.
    new_section = shift > 0
    stop = shift
    num_samples = header.num_samples
    for event in events:
        if isinstance(event, Packet):
            writer.write(replace(event, start=event.start + shift, restart=event.restart or new_section))
            new_section = False
        elif isinstance(event, End):
            num_samples = event.num_samples
        stop = shift + _stop_of(header, event)
    return stop, _count(header, stop, None if num_samples is None else shift * header.tick + num_samples)


def _common_header(headers: Sequence[Header]) -> Header:
    first = headers[0]
    for header in headers[1:]:
        for name in _ALIKE:
            if getattr(header, name) != getattr(first, name):
                raise ModelMismatchError(
                    f"the streams are not of one model: their {name} is {getattr(first, name)!r} and "
                    f"{getattr(header, name)!r}"
                )
    # Plain packets need no language model, so only streams that name one must agree on it.
    models = {(h.table_rule, h.lm_fingerprint) for h in headers if h.table_rule}
    if len(models) > 1:
        raise ModelMismatchError("the streams are coded with different language models")
    rule, lm_fingerprint = next(iter(models), (first.table_rule, first.lm_fingerprint))
    return replace(
        first,
        codebooks=max(h.codebooks for h in headers),
        max_packet_frames=max(h.max_packet_frames for h in headers),
        num_samples=None,
        table_rule=rule,
        lm_fingerprint=lm_fingerprint,
    )


# ---- cut -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cut:
    """What a cut has kept: `num_samples` from the sample `start` on, in the time of the stream that was cut."""

    start: int
    num_samples: int


class EmptyCutError(ValueError):
    """A cut that would keep nothing."""


def cut(
    source: IO[bytes],
    out: IO[bytes],
    start: int,
    stop: int | None = None,
    *,
    lm: PacketLM | None = None,
    tolerant: bool = False,
) -> Cut:
    """Keep the audio from one sample to below another; only the packets in between are read.

    The start moves back to that of its frame; to that of its packet, if that is coded and `lm` is missing; to
    that of its segment, for a chunked model. The end is exact in the first case, and moves likewise in the
    others. A decoder starts the cut stream afresh, so its first moments differ from those of the whole by
    what the model remembers.

    Args:
        source: seekable.
        out: takes the cut stream.
        start, stop: in samples; `None` for the end.
        lm: the language model, to cut within coded packets.
        tolerant: whether to go on after damage.

    Raises:
        EmptyCutError: if the stream has nothing between `start` and `stop`.
        BitstreamError: for damage on the way, unless `tolerant`.
    """
    if start < 0 or (stop is not None and stop <= start):
        raise EmptyCutError(f"nothing lies between sample {start} and sample {stop}")
    header = seek(source, start).header
    place = seek(source, max(0, start - (header.segment_length - header.segment_stride)))
    reader = PacketReader(tolerant=tolerant, header=header, first=place.start, offset=place.offset)
    first, last = start // header.tick, None if stop is None else -(-stop // header.tick)
    writer = StreamWriter(out, replace(header, num_samples=None))
    base, reached = first, 0
    for event in reader.read_from(source):
        if last is not None and event.start >= last:
            reached = last
            break
        reached = max(reached, _stop_of(header, event))
        if isinstance(event, End):
            stop = min(event.num_samples, event.num_samples if stop is None else stop)
        elif isinstance(event, Packet) and reached > first:
            packet = _trim(header, event, first, last, lm)
            base = min(base, packet.start)
            restart = packet.restart and writer.end_position > 0
            writer.write(replace(packet, start=packet.start - base, restart=restart))
    stop = reached * header.tick if stop is None else min(stop, reached * header.tick)
    if stop <= start or writer.end_position == 0:
        raise EmptyCutError(f"the stream has nothing from sample {start} on, or all of it is lost")
    end_tick = max(writer.end_position, -(-stop // header.tick) - base)
    num_samples = _count(header, end_tick, stop - base * header.tick)
    writer.finish(num_samples, lost_until=end_tick)
    return Cut(base * header.tick, num_samples)


def _trim(header: Header, packet: Packet, first: int, last: int | None, lm: PacketLM | None) -> Packet:
    """A packet without the frames outside a range of ticks, if it can be cut."""
    begin = max(first - packet.start, 0)
    end = packet.frames if last is None else min(last - packet.start, packet.frames)
    whole = begin == 0 and end == packet.frames
    # A segment is decoded as one, and cross-faded with its neighbours over its full length: it stays whole.
    if whole or header.segment_length or (packet.kind != PLAIN and lm is None):
        return packet
    (codes,) = read_codes(header, [packet], lm)
    if isinstance(codes, CorruptError):
        raise codes
    ((kind, payload),) = write_codes(header, [codes[:, begin:end]], lm)
    return replace(packet, start=packet.start + begin, frames=end - begin, kind=kind, payload=payload)


# ---- peel ----------------------------------------------------------------------------------


def peel(
    source: IO[bytes], out: IO[bytes], codebooks: int, *, lm: PacketLM | None = None, tolerant: bool = False
) -> None:
    """Lower the bandwidth of a stream: keep the first codebooks of each packet.

    Args:
        source: standing at its start.
        out: takes the thinner stream.
        codebooks: the most that a packet keeps, 1 or more.
        lm: the language model, if packets are coded; they are coded again.
        tolerant: whether to go on after damage.

    Raises:
        ModelMismatchError: if a packet to be thinned is coded, and `lm` is missing or another.
        BitstreamError: for a damaged stream, unless `tolerant`.
        ValueError: for less than one codebook.
    """
    if codebooks < 1:
        raise ValueError(f"a packet must keep at least one codebook, not {codebooks}")
    header, events = _begin(source, tolerant)
    thinner = replace(
        header,
        codebooks=min(codebooks, header.codebooks),
        # Damage may shorten the stream, and a strict reader refuses a header that disagrees with the end.
        num_samples=None if tolerant else header.num_samples,
    )
    writer = StreamWriter(out, thinner)
    stop, num_samples = _append(writer, _thin(header, events, codebooks, lm, tolerant), 0, header)
    writer.finish(num_samples, lost_until=stop)


def _thin(
    header: Header, events: Iterator[Event], codebooks: int, lm: PacketLM | None, tolerant: bool
) -> Iterator[Event]:
    while batch := list(itertools.islice(events, _BATCH)):
        thick = [e for e in batch if isinstance(e, Packet) and e.codebooks > codebooks]
        thin = iter(_thin_packets(header, thick, codebooks, lm))
        for event in batch:
            found = next(thin) if isinstance(event, Packet) and event.codebooks > codebooks else event
            if not isinstance(found, CorruptError):
                yield found
            elif not tolerant:
                raise found


def _thin_packets(
    header: Header, packets: Sequence[Packet], codebooks: int, lm: PacketLM | None
) -> list[Packet | CorruptError]:
    found = read_codes(header, packets, lm)
    kept = [codes[:codebooks] for codes in found if not isinstance(codes, CorruptError)]
    written = iter(write_codes(header, kept, lm))
    thin: list[Packet | CorruptError] = []
    for packet, codes in zip(packets, found, strict=True):
        if isinstance(codes, CorruptError):
            thin.append(codes)
        else:
            kind, payload = next(written)
            thin.append(replace(packet, codebooks=codebooks, kind=kind, payload=payload))
    return thin


# ---- common --------------------------------------------------------------------------------


def _begin(source: IO[bytes], tolerant: bool) -> tuple[Header, Iterator[Event]]:
    """The header of a stream, and its events."""
    reader = PacketReader(tolerant=tolerant)
    events = reader.read_from(source)
    # The header is read with the first event, so that one is asked for here.
    first = list(itertools.islice(events, 1))
    assert reader.header is not None  # a reader without one has raised
    return reader.header, itertools.chain(first, events)


def _count(header: Header, end_tick: int, wanted: int | None) -> int:
    """Samples of a stream that ends at a tick: those wanted, if they end in the last frame, else all."""
    made = end_tick * header.tick
    return wanted if wanted is not None and made - header.hop < wanted <= made else made


def _stop_of(header: Header, event: Event) -> int:
    """Where an event ends, in ticks."""
    match event:
        case Packet():
            return end_of(header, event)
        case Lost():
            return event.stop
        case _:
            return event.start

"""What is in a stream, and whether it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from ...errors import CorruptError
from .header import Header
from .index import start_at
from .packets import PLAIN, End, Packet, end_of
from .reader import MAX_DAMAGES, Damage, PacketReader
from .timeline import Lost


@dataclass
class Inspection:
    """A stream, read from its start to its end.

    Attributes:
        header: of the stream.
        size_bytes, good_bytes: of all, and of what could be read.
        num_packets, num_coded, num_sections: how many packets, packets coded with a language model, sections.
        frames: by number of codebooks, how many frames.
        payload_bytes: of all packets together, without scales.
        end_tick: where the audio ends, in ticks.
        num_samples: samples per channel, from the end, else the header, else the frames.
        complete: whether the end is there.
        index_good: whether each entry of the index points at its packet; `None` without an end.
        lost: the first `MAX_DAMAGES` stretches of audio that are missing.
        lost_ticks: length of all of them.
        damages: the first `MAX_DAMAGES` places of damage.
        num_damages: how many there are.
    """

    header: Header
    size_bytes: int = 0
    good_bytes: int = 0
    num_packets: int = 0
    num_coded: int = 0
    num_sections: int = 0
    frames: dict[int, int] = field(default_factory=dict)
    payload_bytes: int = 0
    end_tick: int = 0
    num_samples: int = 0
    complete: bool = False
    index_good: bool | None = None
    lost: list[Lost] = field(default_factory=list)
    lost_ticks: int = 0
    damages: list[Damage] = field(default_factory=list)
    num_damages: int = 0

    @property
    def intact(self) -> bool:
        """Nothing is damaged, nothing is missing, the index is right."""
        return self.complete and not self.num_damages and not self.lost and self.index_good is True

    @property
    def duration_s(self) -> float:
        """Length of the audio in seconds."""
        return self.num_samples / self.header.sampling_rate

    @property
    def lost_s(self) -> float:
        """Length of the audio that is missing, in seconds."""
        return self.lost_ticks * self.header.tick / self.header.sampling_rate

    @property
    def knows_loss(self) -> bool:
        """Whether `lost_s` is all that is missing: a stream of unknown length without its end does not tell."""
        return self.complete or self.header.num_samples is not None

    @property
    def loss(self) -> str:
        """How much is missing, in words."""
        lost = f"{self.lost_s:.3f} s of {self.duration_s:.2f} s are lost"
        if self.knows_loss:
            return lost
        end = f"the end is missing after {self.duration_s:.2f} s, and how much that is cannot be said"
        return f"{lost}, and {end}" if self.lost else end

    @property
    def bandwidth_kbps(self) -> float:
        """Kilobits per second of the audio that is there, all overhead counted; 0 if there is none."""
        there = self.duration_s - self.lost_s
        return 8 * self.good_bytes / 1000 / there if there > 0 else 0.0

    @property
    def overhead_bytes(self) -> int:
        """Bytes that are neither codes nor scales."""
        scales = 4 * self.num_packets if self.header.scaled else 0
        return self.size_bytes - self.payload_bytes - scales

    def check(self) -> None:
        """Make sure that the stream is intact.

        Raises:
            CorruptError: with the first fault, if it is not.
        """
        for fault in self.faults():
            raise CorruptError(fault)

    def faults(self) -> Iterator[str]:
        """What is wrong, a line each: the first `MAX_DAMAGES` stretches that are lost, and places of damage."""
        second = self.header.sampling_rate / self.header.tick
        for gap in self.lost:
            yield f"lost: {gap.start / second:.3f} s to {gap.stop / second:.3f} s"
        for damage in self.damages:
            last = f" to {damage.offset + damage.size - 1}" if damage.size else ""
            yield f"byte{'s' if damage.size else ''} {damage.offset}{last}: {damage.reason}"
        if not self.complete:
            yield "the end is missing"
        elif self.index_good is False:
            yield "the index does not point at packets"


def inspect(file: IO[bytes]) -> Inspection:
    """Read a stream to its end, whatever its quality.

    Args:
        file: seekable, standing at its start.

    Raises:
        BitstreamError: if it is not a stream of ours at all.
    """
    reader = PacketReader(tolerant=True)
    found: Inspection | None = None
    for event in reader.read_from(file):
        assert reader.header is not None
        found = found or Inspection(reader.header)
        _count(found, event)
    assert reader.header is not None
    report = found or Inspection(reader.header)
    report.size_bytes, report.good_bytes = file.seek(0, 2), reader.good_bytes
    report.damages, report.num_damages = reader.damages, reader.num_damages
    known = report.header.num_samples if reader.end is None else reader.end.num_samples
    made = report.end_tick * report.header.tick
    report.num_samples = made if known is None else min(known, made)
    if reader.end is not None:
        report.complete = True
        report.index_good = all(
            at < report.size_bytes and start_at(file, report.header, at) == start for at, start in reader.end.entries
        )
    return report


def _count(report: Inspection, event: Packet | Lost | End) -> None:
    match event:
        case Lost():
            report.lost_ticks += event.stop - event.start
            if len(report.lost) < MAX_DAMAGES:
                report.lost.append(event)
            report.end_tick = event.stop
        case Packet():
            report.num_sections += report.num_packets == 0 or event.restart
            report.num_packets += 1
            report.num_coded += event.kind != PLAIN
            report.frames[event.codebooks] = report.frames.get(event.codebooks, 0) + event.frames
            report.payload_bytes += len(event.payload)
            report.end_tick = end_of(report.header, event)
        case End():
            report.end_tick = event.start

"""`recodec stream`: a live loop through the codec, with its delay and its load."""

from __future__ import annotations

import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .batch import check_target
from .endpoints import has_header_suffix, is_plain, open_audio_target, open_recording
from .options import FileName, model_options, options

if TYPE_CHECKING:
    from ..audio.pcm import Pcm
    from ..codec import Codec, Latency, StreamDecoder, StreamEncoder

SHOW_EVERY_S = 0.5
REMEMBERED = 4500  # blocks: a minute of single frames


@click.command()
@click.argument("source", metavar="INPUT", type=FileName(exists=True, dir_okay=False, path_type=Path, allow_dash=True))
@click.argument("target", metavar="[OUTPUT]", required=False, type=FileName(path_type=Path, allow_dash=True))
@options("bandwidth")
@click.option("--grid", "grid_frames", type=click.IntRange(min=1), default=1, show_default=True, metavar="FRAMES",
              help="Frames that are coded at once: more are faster and wait longer.")  # fmt: skip
@click.option("--pace", is_flag=True, help="Take the samples of a file at the speed at which they sound.")
@options(
    "raw",
    raw="INPUT, and an OUTPUT without the suffix of an audio file, is samples without a header, for example "
    "48000:2:s16le.",
)
@options(
    "decoder",
    decoder="encodec is the model's own; spectral its second one, which looks ahead; auto is encodec for single "
    "frames, else spectral where the model has it. A folder or hub id of such a decoder also does.",
)
@model_options
@options("force", "quiet")
def stream(
    source: Path,
    target: Path | None,
    bandwidth: float | None,
    grid_frames: int,
    pace: bool,
    raw: Pcm | None,
    model: str | None,
    backend: str,
    device: str,
    threads: int | None,
    decoder: str,
    force: bool,
    quiet: bool,
) -> None:
    """Encode and decode INPUT frame by frame as it comes, to OUTPUT if one is given; then tell delay and load.

    From the microphone to the loudspeaker:

    \b
        arecord -t raw -f S16_LE -r 24000 \\
        | recodec stream - - --raw 24000:1:s16le \\
        | aplay -t raw -f S16_LE -r 24000
    """
    if target is not None:
        target = check_target(source, target, force)

    from ..codec import Codec

    codec = Codec.from_pretrained(model, backend, device, None, threads, decoder)
    loop = Loop(codec, bandwidth, grid_frames)
    rate, channels = codec.sampling_rate, codec.config.audio_channels
    with ExitStack() as stack:
        reader = stack.enter_context(open_recording(source, raw, rate, channels))
        blocks = reader.blocks(loop.block_samples) if is_plain(source) else reader.pieces()
        sink = None
        if target is not None:
            form = None if has_header_suffix(target) else raw
            sink = stack.enter_context(open_audio_target(target, form, rate, channels, None, force))
        for audio in loop.run(_paced(blocks, rate) if pace else blocks):
            if sink is not None:
                sink.write(audio)
            if not quiet:
                loop.meter.show()
    if not quiet:
        click.echo(loop.meter.summary(), err=True)


class Loop:
    """Audio to codes to audio, block by block, with a meter on it.

    Args:
        codec: of a model that can be streamed.
        bandwidth: in kbps; the codec's default for `None`.
        grid_frames: frames of a block.

    Raises:
        ConfigError: if the model cannot be streamed, or has no such bandwidth.
    """

    def __init__(self, codec: Codec, bandwidth: float | None, grid_frames: int) -> None:
        self.block_samples = grid_frames * codec.config.hop_length
        self.meter = Meter(self.block_samples / codec.sampling_rate, codec.latency(grid_frames))
        _warm_up(*self._streams(codec, bandwidth, grid_frames), codec.config.audio_channels, self.block_samples)
        self._encoder, self._decoder = self._streams(codec, bandwidth, grid_frames)
        self._taken, self._given = 0, 0

    def _streams(self, codec: Codec, bandwidth: float | None, grid_frames: int) -> tuple[StreamEncoder, StreamDecoder]:
        encoder = codec.stream_encoder(bandwidth, grid_frames=grid_frames)
        return encoder, codec.stream_decoder(grid_frames=grid_frames)

    def run(self, pieces: Iterator[Any]) -> Iterator[Any]:
        """Take (C, T) in pieces and give (C, T) in pieces, in all as many samples. Ctrl-C is the end of the input."""
        for piece in until_interrupted(pieces):
            self._taken += piece.shape[1]
            yield self._code(piece)
        codes = self._encoder.finish()
        for audio in (self._decoder.push(codes), self._decoder.finish()):
            audio = audio[:, : self._taken - self._given]  # the last frame may have more than came in
            self._given += audio.shape[1]
            yield audio

    def _code(self, piece: Any) -> Any:
        start = time.perf_counter()
        codes = self._encoder.push(piece)
        middle = time.perf_counter()
        audio = self._decoder.push(codes)
        self.meter.add(middle - start, time.perf_counter() - middle, audio.shape[1] / self.block_samples)
        self._given += audio.shape[1]
        return audio


class Meter:
    """Computing time of blocks of a stream.

    Args:
        block_s: length of a block of audio in seconds.
        latency: that comes from the model.
    """

    def __init__(self, block_s: float, latency: Latency) -> None:
        self._block_s, self._latency = block_s, latency
        self._recent: deque[tuple[float, float]] = deque(maxlen=REMEMBERED)
        self._busy_s, self._blocks, self._slowest_s = 0.0, 0.0, 0.0
        self._waiting = 0.0, 0.0  # of pieces that did not complete a block
        self._shown_s = time.perf_counter()

    def add(self, encode_s: float, decode_s: float, blocks: float) -> None:
        """Note what a piece took, and the blocks that came out: none while a block waits for more samples."""
        encode_s, decode_s = encode_s + self._waiting[0], decode_s + self._waiting[1]
        if not blocks:
            self._waiting = encode_s, decode_s
            return
        self._waiting = 0.0, 0.0
        self._recent.append((encode_s / blocks, decode_s / blocks))
        self._busy_s += encode_s + decode_s
        self._slowest_s = max(self._slowest_s, (encode_s + decode_s) / blocks)
        self._blocks += blocks

    @property
    def load(self) -> float:
        """Share of the time that the codec was at work, had the audio come at its own speed."""
        return self._busy_s / (self._blocks * self._block_s) if self._blocks else 0.0

    def show(self) -> None:
        """Half a second after the last time, and on a terminal only: write how it goes, over the same line."""
        now = time.perf_counter()
        if sys.stderr is None or not sys.stderr.isatty() or now - self._shown_s < SHOW_EVERY_S:
            return
        self._shown_s = now
        delay_ms = 1000 * (self._latency.steady_s + self._percentile(lambda pair: pair[0] + pair[1]))
        line = f"{self._blocks * self._block_s:8.1f} s   delay {delay_ms:5.1f} ms   load {100 * self.load:5.1f}%"
        click.echo(f"\r{line}", err=True, nl=False)

    def summary(self) -> str:
        """All figures, in a few lines."""
        if not self._blocks:
            return "too short to measure"
        encode_s = self._percentile(lambda pair: pair[0])
        decode_s = self._percentile(lambda pair: pair[1])
        both_s = self._percentile(lambda pair: pair[0] + pair[1])
        start, steady = (f"{1000 * figure:.1f} ms" for figure in self._latency)
        begin = "\r" if sys.stderr is not None and sys.stderr.isatty() else ""
        return (
            f"{begin}audio     {self._blocks * self._block_s:.1f} s in blocks of {1000 * self._block_s:.1f} ms\n"
            f"delay     {start} at the start, {steady} from then on, and the computing\n"
            f"computing {1000 * both_s:.2f} ms a block (encode {1000 * encode_s:.2f}, decode {1000 * decode_s:.2f}) "
            f"in 95 of 100; {1000 * self._slowest_s:.2f} ms at most\n"
            f"load      {100 * self.load:.1f}% of real time"
        )

    def _percentile(self, key: Any) -> float:
        """The value that 95 of 100 recent blocks stay below."""
        ordered = sorted(map(key, self._recent))
        return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))] if ordered else 0.0


def _warm_up(encoder: StreamEncoder, decoder: StreamDecoder, channels: int, block_samples: int) -> None:
    """An engine makes itself ready at its first calls: that is done before any audio waits for it."""
    import numpy as np

    silence = np.zeros((channels, block_samples), np.float32)
    while decoder.push(encoder.push(silence)).shape[1] == 0:
        pass
    for _ in range(3):  # one of the later shape, and what the runtime tunes after it
        decoder.push(encoder.push(silence))


def until_interrupted(pieces: Iterator[Any]) -> Iterator[Any]:
    """Pieces until they end or Ctrl-C is pressed, which never falls into the work on a piece that has come.

    A second Ctrl-C does, so that work which hangs can be ended.
    """
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:  # under nohup
        yield from pieces
        return
    waiting, pressed = False, False

    def stop(number: int, frame: object) -> None:
        nonlocal pressed
        again, pressed = pressed, True
        if waiting or again:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    try:
        while True:
            try:
                waiting = True
                if pressed:
                    return
                piece = next(pieces)
                waiting = False
            except (KeyboardInterrupt, StopIteration):
                return
            yield piece
    finally:
        signal.signal(signal.SIGINT, before)


def _paced(pieces: Iterator[Any], rate_hz: int) -> Iterator[Any]:
    """Give each piece when its last sample would have been recorded."""
    start, samples = time.monotonic(), 0
    for piece in pieces:
        samples += piece.shape[1]
        time.sleep(max(0.0, start + samples / rate_hz - time.monotonic()))
        yield piece

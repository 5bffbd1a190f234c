"""Hear yourself through the codec, while you speak.

    python examples/live_microphone.py                                 # microphone to loudspeaker, until Ctrl-C
    python examples/live_microphone.py examples/speech.wav heard.wav   # the same loop from a file to a file

The first form needs `pip install sounddevice`; where that or a microphone is missing, it takes `examples/speech.wav`
and writes `heard.wav`. Each frame, 13.3 ms of audio, becomes codes as soon as it is there, and audio again as soon as
its codes are there. The two halves could stand on two machines: only the codes go from one to the other.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path

import numpy as np

from recodec import Codec
from recodec.audio import AudioReader, AudioWriter

SPEECH = Path(__file__).parent / "speech.wav"
Ends = tuple[Iterator[np.ndarray], Callable[[np.ndarray], None]]
"""Pieces (C, T) that come in, and what takes those that go out."""


def microphone_and_loudspeaker(rate_hz: int, channels: int, frame_samples: int, stack: ExitStack) -> Ends:
    """Both ends of the machine's sound, by PortAudio.

    Raises:
        OSError: if there is no microphone or no loudspeaker, or nothing to reach them by.
    """
    try:
        sounddevice = import_module("sounddevice")  # not one of Recodec's own dependencies
        options = {"samplerate": rate_hz, "channels": channels, "dtype": "float32"}
        microphone = stack.enter_context(sounddevice.InputStream(blocksize=frame_samples, **options))
        loudspeaker = stack.enter_context(sounddevice.OutputStream(**options))
    except Exception as error:  # PortAudio has an exception of its own, in the package that may be missing
        raise OSError(str(error)) from error

    def pieces() -> Iterator[np.ndarray]:
        while True:
            samples, _ = microphone.read(frame_samples)  # (T, C)
            yield samples.T

    def play(audio: np.ndarray) -> None:
        loudspeaker.write(np.ascontiguousarray(audio.T))

    return pieces(), play


def files(recording: Path, heard: Path, rate_hz: int, channels: int, frame_samples: int, stack: ExitStack) -> Ends:
    """A recording in place of the microphone, and a file in place of the loudspeaker."""
    reader = stack.enter_context(AudioReader(recording, rate_hz=rate_hz, channels=channels))
    writer = stack.enter_context(AudioWriter(heard, rate_hz, channels))
    return reader.blocks(frame_samples), writer.write


def run(codec: Codec, bandwidth: float, ends: Ends) -> None:
    """Take pieces until they end or Ctrl-C is pressed, and give back as many samples."""
    pieces, play = ends
    encoder, decoder = codec.stream_encoder(bandwidth), codec.stream_decoder()
    taken = given = sent = 0
    busy_s = 0.0
    with suppress(KeyboardInterrupt):
        for piece in pieces:
            start_s = time.perf_counter()
            codes = encoder.push(piece)  # (K, F): what would go to the other machine
            audio = decoder.push(codes)
            busy_s += time.perf_counter() - start_s
            play(audio)
            taken, given, sent = taken + piece.shape[1], given + audio.shape[1], sent + codes.shape[1]
    codes = encoder.finish()
    sent += codes.shape[1]
    for audio in (decoder.push(codes), decoder.finish()):
        audio = audio[:, : taken - given]  # the last frame is filled up with zeros
        play(audio)
        given += audio.shape[1]
    seconds = taken / codec.sampling_rate
    print(f"{given} samples out for {taken} in; {sent} frames on the way")
    print(f"delay {1000 * codec.latency_s.steady_s:.1f} ms and the computing, load {busy_s / max(seconds, 1e-9):.0%}")


def main() -> None:
    """Open both ends, and let the codec work between them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path, nargs="?", help="in place of the microphone")
    parser.add_argument("heard", type=Path, nargs="?", default=Path("heard.wav"), help="in place of the loudspeaker")
    parser.add_argument("--bandwidth", type=float, default=6.0, help="in kbps")
    args = parser.parse_args()

    codec = Codec.from_pretrained(threads=1)
    form = codec.sampling_rate, codec.config.audio_channels, codec.config.hop_length
    with ExitStack() as stack:
        if args.recording is None:
            try:
                ends = microphone_and_loudspeaker(*form, stack)
                print("speak; Ctrl-C ends it")
            except OSError as error:
                print(f"no microphone ({error}): {SPEECH.name} takes its place, and {args.heard} the loudspeaker's")
                ends = files(SPEECH, args.heard, *form, stack)
        else:
            ends = files(args.recording, args.heard, *form, stack)
        run(codec, args.bandwidth, ends)


if __name__ == "__main__":
    main()

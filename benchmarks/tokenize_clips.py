"""`recodec tokenize` on many clips, against its encoder alone on one long file, and a plain loop over transformers.

    taskset -c 0 python benchmarks/tokenize_clips.py [--clips 2000] [--peer-clips 200] [--rate 24000]
        [--threads 1] [--processes 1]

All three run the default model with as many threads (`tokenize` with its share in each process), in one run:
the encoder alone before and after the clips, in turn with parts of the loop over `transformers.EncodecModel`,
which has the same weights. Clips are FLAC files of 1 to 15 s. Both wall time and the CPU time of all processes
are told: the latter does not see what else the machine does. Needs soundfile, torch and transformers.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
import transformers
from common import EXAMPLES, Seconds, argument_parser, peer_of, timed

import recodec
from recodec.audio.files import read_audio
from recodec.audio.resampling import resample
from recodec.audio.writer import write_audio
from recodec.tokenize import ModelChoice, Report, tokenize

LONG_S = 180.0
KBPS = 6.0


def make_clips(folder: Path, count: int, rate: int) -> list[Path]:
    """Clips cut from a recording."""
    source, _ = read_audio(EXAMPLES / "speech.wav", rate_hz=rate, channels=1)
    source = np.tile(source, (1, 1 + 20 * rate // source.shape[1]))
    rng = np.random.default_rng(0)
    files = []
    for i in range(count):
        size = round(rng.uniform(1.0, 15.0) * rate)
        start = rng.integers(0, source.shape[1] - size + 1)
        files.append(folder / f"{i:05d}.flac")
        write_audio(files[-1], source[:, start : start + size], rate)
    return files


def times_real_time(seconds_of_audio: float, used: Seconds) -> np.ndarray:
    """By the clock, and by the CPU time of this process and the ones that it started."""
    return np.array([seconds_of_audio / used.wall, seconds_of_audio / used.cpu])


def peer_loop(model: Any, files: list[Path]) -> float:
    """What one writes first: read a clip, encode it, keep the codes. Gives seconds of audio."""
    extractor = transformers.EncodecFeatureExtractor(feature_size=1, sampling_rate=24_000)
    seconds, kept = 0.0, []
    for file in files:
        audio, rate = soundfile.read(file, dtype="float32")
        if rate != 24_000:
            audio = resample(np.asarray(audio[None], np.float32), rate, 24_000)[0]
        inputs = extractor(raw_audio=audio, sampling_rate=24_000, return_tensors="pt")
        with torch.inference_mode():
            codes = model.encode(inputs["input_values"], inputs["padding_mask"], bandwidth=KBPS).audio_codes
        kept.append(codes.to(torch.int16).numpy())
        seconds += len(audio) / 24_000
    return seconds


def measure(folder: Path, args: argparse.Namespace) -> tuple[Report, dict[str, np.ndarray]]:
    """What `tokenize` reports, and times real time, by the clock and by CPU time, of it and of the two others."""
    (folder / "clips").mkdir()
    files = make_clips(folder / "clips", args.clips, args.rate)
    codec = recodec.Codec.from_pretrained(threads=args.threads)
    theirs = peer_of(recodec.EncodecModel.from_pretrained())
    source, _ = read_audio(files[0], rate_hz=24_000)
    long = np.tile(source, (1, 1 + round(LONG_S * 24_000) // source.shape[1]))[:, : round(LONG_S * 24_000)]
    codec.encode(long[:, :48_000], KBPS)
    peer_loop(theirs, files[:2])
    others: dict[str, list[np.ndarray]] = {"encoder alone": [], "transformers": []}

    def run_others(part: list[Path]) -> None:
        others["encoder alone"].append(times_real_time(LONG_S, timed(lambda: codec.encode(long, KBPS))[1]))
        seconds, used = timed(lambda: peer_loop(theirs, part))
        others["transformers"].append(times_real_time(seconds, used))

    half = args.peer_clips // 2
    run_others(files[:half])
    model = ModelChoice(threads=max(1, args.threads // args.processes))
    shared = {"model": model, "processes": args.processes, "workers": args.workers}
    report, used = timed(lambda: tokenize(folder / "clips", folder / "out", bandwidth=KBPS, **shared))
    run_others(files[half : 2 * half])
    means = {name: np.mean(values, axis=0) for name, values in others.items()}
    return report, {"tokenize": times_real_time(report.seconds, used), **means}


def main() -> None:
    """Print speeds, times real time, and ratios."""
    parser = argument_parser(__doc__)
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--peer-clips", type=int, default=200)
    parser.add_argument("--rate", type=int, default=24_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--workers", type=int)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    folder = Path(tempfile.mkdtemp())
    try:
        report, speeds = measure(folder, args)
    finally:
        shutil.rmtree(folder)
    hours, ours = report.seconds / 3600, speeds.pop("tokenize")
    print(
        f"{report.clips} clips, {hours:.2f} h at {args.rate} Hz, {args.threads} thread(s), {args.processes} process(es)"
    )
    print(f"{'':16}{'wall':>10}{'CPU':>10}   times real time")
    print(f"{'tokenize':16}{ours[0]:10.2f}{ours[1]:10.2f}")
    for name, speed in speeds.items():
        ratio = ours / speed
        print(f"{name:16}{speed[0]:10.2f}{speed[1]:10.2f}   tokenize / {name}: {ratio[0]:.3f} wall, {ratio[1]:.3f} CPU")
    print(f"output: {report.bytes / hours / 1e6:.2f} MB an hour of audio in {report.shards} shards")


if __name__ == "__main__":
    main()

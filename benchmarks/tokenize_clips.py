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
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
import transformers

import recodec
from recodec.audio.files import read_audio
from recodec.audio.resampling import resample
from recodec.audio.writer import write_audio
from recodec.tokenize import ModelChoice, tokenize

LONG_S = 180.0
KBPS = 6.0


def make_clips(folder: Path, count: int, rate: int) -> list[Path]:
    """Clips cut from a recording."""
    source, _ = read_audio(Path(__file__).parents[1] / "examples" / "speech.wav", rate_hz=rate, channels=1)
    source = np.tile(source, (1, 1 + 20 * rate // source.shape[1]))
    rng = np.random.default_rng(0)
    files = []
    for i in range(count):
        size = round(rng.uniform(1.0, 15.0) * rate)
        start = rng.integers(0, source.shape[1] - size + 1)
        files.append(folder / f"{i:05d}.flac")
        write_audio(files[-1], source[:, start : start + size], rate)
    return files


def timed(work: Callable[[], Any]) -> tuple[Any, np.ndarray]:
    """What it gives, and its seconds: of the clock, and of CPUs in this process and the ones it started."""
    wall, cpu = time.perf_counter(), os.times()
    result = work()
    now = os.times()
    used = sum(now[:4]) - sum(cpu[:4])
    return result, np.array([time.perf_counter() - wall, used])


def peer() -> Any:
    """The default model in transformers."""
    ours = recodec.EncodecModel.from_pretrained(None)
    fields = {name: value for name, value in ours.config.to_dict().items() if name != "return_dict"}
    theirs = transformers.EncodecModel(transformers.EncodecConfig(**fields)).eval()
    theirs.load_state_dict(ours.state_dict())
    return theirs


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


def main() -> None:
    """Print speeds, times real time, and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--peer-clips", type=int, default=200)
    parser.add_argument("--rate", type=int, default=24_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--workers", type=int)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    folder = Path(tempfile.mkdtemp())
    (folder / "clips").mkdir()
    try:
        files = make_clips(folder / "clips", args.clips, args.rate)
        codec, theirs = recodec.Codec.from_pretrained(threads=args.threads), peer()
        source, _ = read_audio(files[0], rate_hz=24_000)
        long = np.tile(source, (1, 1 + round(LONG_S * 24_000) // source.shape[1]))[:, : round(LONG_S * 24_000)]
        codec.encode(long[:, :48_000], KBPS)
        peer_loop(theirs, files[:2])
        speeds: dict[str, list[np.ndarray]] = {"encoder alone": [], "transformers": []}

        def others(part: list[Path]) -> None:
            speeds["encoder alone"].append(LONG_S / timed(lambda: codec.encode(long, KBPS))[1])
            seconds, used = timed(lambda: peer_loop(theirs, part))
            speeds["transformers"].append(seconds / used)

        half = args.peer_clips // 2
        others(files[:half])
        model = ModelChoice(threads=max(1, args.threads // args.processes))
        report, used = timed(
            lambda: tokenize(
                folder / "clips",
                folder / "out",
                bandwidth=KBPS,
                model=model,
                processes=args.processes,
                workers=args.workers,
            )
        )
        others(files[half : 2 * half])
        ours = report.seconds / used
        print(
            f"{report.clips} clips, {report.seconds / 3600:.2f} h at {args.rate} Hz, {args.threads} thread(s), "
            f"{args.processes} process(es)"
        )
        print(f"{'':16}{'wall':>10}{'CPU':>10}   times real time")
        print(f"{'tokenize':16}{ours[0]:10.2f}{ours[1]:10.2f}")
        for name, values in speeds.items():
            mean = np.mean(values, axis=0)
            ratio = ours / mean
            print(
                f"{name:16}{mean[0]:10.2f}{mean[1]:10.2f}   tokenize / {name}: {ratio[0]:.3f} wall, {ratio[1]:.3f} CPU"
            )
        print(f"output: {report.bytes / report.seconds * 3600 / 1e6:.2f} MB an hour of audio in {report.shards} shards")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

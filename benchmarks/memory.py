"""Peak memory and speed of `recodec compress` and `decompress` on long files.

    python benchmarks/memory.py 10 120            # lengths in minutes
    python benchmarks/memory.py 10 --model FOLDER

The recording is noise with a slow envelope, stereo at 44.1 kHz, so that resampling and mixing are counted too.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

RATE = 44_100
COMMAND = [sys.executable, "-c", "from recodec.cli import main; main()"]


def write_recording(path: Path, minutes: float) -> None:
    """A FLAC of that length, written minute by minute."""
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for start in range(round(60 * minutes)):
            loud = 0.05 + 0.04 * np.sin(start / 7)
            file.write(loud * rng.standard_normal((RATE, 2)))


def measure(arguments: list[str]) -> tuple[float, float, float]:
    """Seconds of wall time, of computing time, and MB of peak resident memory, of one command.

    Raises:
        SystemExit: if it fails.
    """
    start = time.perf_counter()
    pid = os.posix_spawn(sys.executable, [*COMMAND, *arguments], os.environ)
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"recodec {' '.join(arguments)} failed")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description="Peak memory and speed of compress and decompress on long files.")
    parser.add_argument("minutes", nargs="+", type=float, help="lengths to measure")
    parser.add_argument("--model", help="a folder or a hub id; the shipped model by default")
    parser.add_argument("-b", "--bandwidth", default="6")
    options = parser.parse_args()
    shared = ["--threads", "1", *([] if options.model is None else ["--model", options.model])]
    print(f"{'minutes':>8}  {'verb':<10}  {'peak MB':>8}  {'wall s':>8}  {'CPU s':>8}  {'x real time (CPU)':>18}")
    for minutes in options.minutes:
        with tempfile.TemporaryDirectory() as folder:
            source, packed, out = (str(Path(folder) / name) for name in ("in.flac", "a.ecdc", "out.flac"))
            write_recording(Path(source), minutes)
            for verb, arguments in (
                ("compress", [source, packed, "-b", options.bandwidth, *shared]),
                ("decompress", [packed, out, *shared]),
            ):
                wall_s, busy_s, peak_mb = measure([verb, *arguments])
                print(f"{minutes:8g}  {verb:<10}  {peak_mb:8.0f}  {wall_s:8.1f}  {busy_s:8.1f}  "
                      f"{60 * minutes / busy_s:18.1f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()

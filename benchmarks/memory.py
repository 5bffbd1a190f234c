"""Peak memory and speed of `recodec compress` and `decompress` on long files.

    python benchmarks/memory.py 10 120            # lengths in minutes
    python benchmarks/memory.py 10 --model FOLDER

The recording is noise with a slow envelope, stereo at 44.1 kHz, so that resampling and mixing are counted too.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from common import argument_parser, run_command

RATE = 44_100
COMMAND = [sys.executable, "-c", "from recodec.cli import main; main()"]


def write_recording(path: Path, minutes: float) -> None:
    """A FLAC of that length, written minute by minute."""
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for start in range(round(60 * minutes)):
            loud = 0.05 + 0.04 * np.sin(start / 7)
            file.write(loud * rng.standard_normal((RATE, 2)))


def main() -> None:
    parser = argument_parser(__doc__)
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
                used = run_command([*COMMAND, verb, *arguments])
                print(f"{minutes:8g}  {verb:<10}  {used.peak_mb:8.0f}  {used.wall:8.1f}  {used.cpu:8.1f}  "
                      f"{60 * minutes / used.cpu:18.1f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()

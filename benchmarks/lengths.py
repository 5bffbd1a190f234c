"""What `recodec compress` and `decompress` take as a recording grows, with one worker and with several.

    python benchmarks/lengths.py                             # 1, 10 and 60 minutes, -j 1 and -j 2
    python benchmarks/lengths.py --minutes 1 60 480 --jobs 1 2

The recording is the example clips, one after the other, at 24 kHz mono, and the commands are the default ones with the
language model. For each length: seconds by the clock and of processor time, times real time of both, and the peak of
memory. The files that different numbers of workers make are compared: they
must be equal. Workers share the cores that `taskset` or the machine gives them. Not on Windows.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from common import EXAMPLES, argument_parser, machine, run_command

from recodec.processes import usable_cores

RECODEC = [sys.executable, "-m", "recodec"]
_PIECE_BYTES = 1 << 20


def write_recording(path: Path, minutes: float) -> None:
    """The example clips in turn up to a length, written clip by clip."""
    clips = [soundfile.read(EXAMPLES / name, dtype="int16") for name in ("speech.wav", "music.wav")]
    rate = clips[0][1]
    both, left = np.concatenate([clip for clip, _ in clips]), round(60 * minutes * rate)
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as file:
        while left:
            file.write(both[:left])
            left -= len(both[:left])


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_PIECE_BYTES):
            found.update(piece)
    return found.hexdigest()


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--minutes", nargs="+", type=float, default=[1.0, 10.0, 60.0])
    parser.add_argument("--jobs", nargs="+", type=int, default=[1, 2])
    parser.add_argument("-b", "--bandwidth", default="6")
    options = parser.parse_args()
    print(f"{machine()}, {usable_cores()} of them for this; {options.bandwidth} kbps\n")
    print("| minutes | verb | workers | wall s | CPU s | times real time, wall | CPU | peak MB |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for minutes in options.minutes:
        with tempfile.TemporaryDirectory() as folder:
            source, coded, sound = (Path(folder) / name for name in ("in.wav", "a.ecdc", "out.wav"))
            write_recording(source, minutes)
            for verb, paths in (("compress", (source, coded)), ("decompress", (coded, sound))):
                digests = set()
                for jobs in options.jobs:
                    flags = ["-q", "-f", "-j", str(jobs), *(["-b", options.bandwidth] if verb == "compress" else [])]
                    used = run_command([*RECODEC, verb, *flags, str(paths[0]), "-o", str(paths[1])])
                    speeds = [60 * minutes / seconds for seconds in (used.wall, used.cpu)]
                    print(f"| {minutes:g} | `{verb}` | {jobs} | {used.wall:.1f} | {used.cpu:.1f} "
                          f"| {speeds[0]:.1f} | {speeds[1]:.1f} | {used.peak_mb:.0f} |", flush=True)  # fmt: skip
                    digests.add(digest(paths[1]))
                if len(digests) > 1:
                    sys.exit(f"{verb}: the numbers of workers gave different files")


if __name__ == "__main__":
    main()

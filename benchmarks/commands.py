"""What the default commands take, language model included: time, memory, and the start alone.

    python benchmarks/commands.py                     # 60 s of speech and music
    python benchmarks/commands.py --seconds 600 --repeats 3

`compress` and `decompress` run as they are and with `--no-lm`, in turns; what counts is the smallest of each one's
processor times, and their ratio. A recording of 1 s shows the start. Beside it stands what importing NumPy, ONNX
Runtime, soundfile and click alone takes, from start to exit: nothing that uses them can be faster. Not on Windows.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from common import EXAMPLES, Usage, argument_parser, machine, run_command

RECODEC = [sys.executable, "-m", "recodec"]
IMPORTS = [sys.executable, "-c", "import numpy, onnxruntime, soundfile, click"]


def write_recording(path: Path, seconds: int) -> None:
    """The two example clips in turn, up to a length."""
    clips = [soundfile.read(EXAMPLES / name, dtype="float32") for name in ("speech.wav", "music.wav")]
    both, rate = np.concatenate([clip for clip, _ in clips]), clips[0][1]
    soundfile.write(path, np.resize(both, seconds * rate), rate)


def in_turns(commands: dict[str, Sequence[str]], repeats: int) -> dict[str, Usage]:
    """The smallest times and the highest peak of each command, after one turn that does not count."""
    used: dict[str, list[Usage]] = {name: [] for name in commands}
    for _ in range(1 + repeats):
        for name, command in commands.items():
            used[name].append(run_command(command))
    return {
        name: Usage(min(u.wall for u in all_[1:]), min(u.cpu for u in all_[1:]), max(u.peak_mb for u in all_[1:]))
        for name, all_ in used.items()
    }


def commands_of(folder: Path, seconds: int, bandwidth: str) -> dict[str, Sequence[str]]:
    """The four commands by name; `decompress` reads what `compress` wrote a turn earlier."""
    source = folder / f"{seconds}.wav"
    write_recording(source, seconds)
    commands: dict[str, Sequence[str]] = {}
    for lm, flags in ("", []), (" --no-lm", ["--no-lm"]):
        coded = str(folder / f"{seconds}{lm.strip()}.ecdc")
        shared = ["-q", "-f", "--threads", "1"]
        commands[f"compress{lm}"] = [*RECODEC, "compress", *shared, *flags, "-b", bandwidth, str(source), "-o", coded]
        commands[f"decompress{lm}"] = [*RECODEC, "decompress", *shared, coded, "-o", f"{coded}.wav"]
    return commands


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="length of the long recording")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("-b", "--bandwidth", default="6")
    options = parser.parse_args()
    print(f"{machine()}; {options.bandwidth} kbps, one thread")
    with tempfile.TemporaryDirectory() as folder:
        short = {"imports alone": IMPORTS} | commands_of(Path(folder), 1, options.bandwidth)
        starts = in_turns(short, options.repeats)
        floor = starts["imports alone"].cpu
        print(f"\n{'1 s':<20}  {'wall s':>7}  {'CPU s':>7}  {'x imports':>9}")
        for name, used in starts.items():
            print(f"{name:<20}  {used.wall:7.2f}  {used.cpu:7.2f}  {used.cpu / floor:9.2f}")
        long = in_turns(commands_of(Path(folder), options.seconds, options.bandwidth), options.repeats)
    print(f"\n{f'{options.seconds} s':<20}  {'CPU s':>7}  {'x real time':>11}  {'peak MB':>7}  {'x --no-lm':>9}")
    for name, used in long.items():
        without = long[f"{name.removesuffix(' --no-lm')} --no-lm"]
        print(f"{name:<20}  {used.cpu:7.2f}  {options.seconds / used.cpu:11.1f}  {used.peak_mb:7.0f}  "
              f"{used.cpu / without.cpu:9.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()

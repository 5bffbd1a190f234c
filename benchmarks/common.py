"""What the benchmarks share: timers, candidates that take turns, memory of a command, and pairs of models.

    python benchmarks/common.py

tells the machine, as `README.md` names it. Machines are noisy: so candidates take turns in one process, and what
counts is a ratio of theirs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    import torch

    from recodec import EncodecConfig, EncodecModel

T = TypeVar("T")
Clock = Literal["wall", "cpu"]
EXAMPLES = Path(__file__).parents[1] / "examples"

_LAUNCHER = """
import json, os, sys, time
start = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, usage = os.wait4(pid, 0)
print(json.dumps([time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]))
sys.exit(status != 0)
"""


def argument_parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser of arguments whose help is the docstring of the script."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def add_clock(to: argparse.ArgumentParser) -> None:
    """Add `--clock`."""
    to.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall",
        help="that times are read from; cpu is the process's own time, for a machine that others use too",
    )  # fmt: skip


def machine() -> str:
    """The model of the processor, and how many cores there are."""
    name = platform.processor() or platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.is_file():
        fields = [line.partition(":") for line in cpus.read_text(encoding="utf-8").splitlines()]
        name = next((value.strip() for key, _, value in fields if key.strip() == "model name"), name)
    return f"{name}, {os.cpu_count()} cores"


@dataclass(frozen=True)
class Seconds:
    """What something took.

    Attributes:
        wall: seconds by the clock.
        own: seconds of processor time of this process, over all of its threads.
        children: seconds of processor time of processes that it started and that ended meanwhile.
    """

    wall: float
    own: float
    children: float

    @property
    def cpu(self) -> float:
        """Seconds of processor time in all."""
        return self.own + self.children


class Stopwatch:
    """Runs from when it is made. With a device, it waits for the device's work before it is read."""

    def __init__(self, device: torch.device | None = None) -> None:
        self._device = device
        self._start = self._now()

    def read(self) -> Seconds:
        """What has passed."""
        now, start = self._now(), self._start
        return Seconds(now.wall - start.wall, now.own - start.own, now.children - start.children)

    def _now(self) -> Seconds:
        if self._device is not None and self._device.type == "cuda":
            import torch

            torch.cuda.synchronize(self._device)
        used = os.times()
        return Seconds(time.perf_counter(), time.process_time(), used.children_user + used.children_system)


def timed(function: Callable[[], T], device: torch.device | None = None) -> tuple[T, Seconds]:
    """What a function gives, and what it took."""
    watch = Stopwatch(device)
    result = function()
    return result, watch.read()


@dataclass(frozen=True)
class Turns:
    """What each candidate took in each of its turns.

    Attributes:
        seconds: by the candidate's name.
    """

    seconds: Mapping[str, Sequence[Seconds]]

    def figure(self, name: str, of: Callable[[list[float]], Any] = min, clock: Clock = "wall") -> float:
        """One figure of a candidate's turns, in seconds: the smallest, or another that `of` makes of them."""
        return float(of([getattr(seconds, clock) for seconds in self.seconds[name]]))

    def median(self, name: str, clock: Clock = "wall") -> float:
        """The median of a candidate's turns, in seconds."""
        return self.figure(name, statistics.median, clock)

    def ratio(self, other: str, ours: str, of: Callable[[list[float]], Any] = min, clock: Clock = "wall") -> float:
        """How many times as long as ours the other takes."""
        return self.figure(other, of, clock) / self.figure(ours, of, clock)


def take_turns(
    candidates: Mapping[str, Callable[[], object]],
    repeats: int,
    *,
    warm_up: int = 1,
    device: torch.device | None = None,
    failed: Callable[[str, Exception], None] | None = None,
) -> Turns:
    """Run all candidates one after another, again and again.

    Args:
        candidates: functions by name.
        repeats: turns of each that count.
        warm_up: turns of each before them.
        device: its work belongs to the candidate that gave it.
        failed: is told of a candidate's error. The candidate then has no further turn, and no times. Without it,
            errors are raised.
    """
    left = dict(candidates)
    seconds: dict[str, list[Seconds]] = {name: [] for name in left}
    for turn in range(warm_up + repeats):
        for name, function in list(left.items()):
            try:
                took = timed(function, device)[1]
            except Exception as error:
                if failed is None:
                    raise
                failed(name, error)
                del left[name], seconds[name]
                continue
            if turn >= warm_up:
                seconds[name].append(took)
    return Turns(seconds)


def print_speeds(
    task: str,
    candidates: Mapping[str, Callable[[], object]],
    audio_s: float,
    repeats: int,
    *,
    ours: str,
    other: str,
    clock: Clock,
) -> None:
    """Let candidates take turns, and print what each took, how many times real time that is, and a ratio.

    Args:
        task: what they do.
        candidates: functions by name.
        audio_s: seconds of audio that each works on.
        repeats: turns of each that count; the smallest time does.
        ours, other: names of two of them, for the ratio of other to ours.
        clock: which time.
    """
    turns = take_turns(candidates, repeats)
    best = {name: turns.figure(name, clock=clock) for name in candidates}
    shown = ", ".join(f"{name} {t:.2f} s ({audio_s / t:.1f}x real time)" for name, t in best.items())
    print(f"{task}: {shown}; ratio {turns.ratio(other, ours, clock=clock):.2f}", flush=True)


def fastest(function: Callable[[], object], repeats: int, *, warm_up: int = 0, clock: Clock = "cpu") -> float:
    """The smallest of some times of one function, in seconds."""
    return take_turns({"alone": function}, repeats, warm_up=warm_up).figure("alone", clock=clock)


@dataclass(frozen=True)
class Usage:
    """What a command took: seconds by the clock, seconds of processor time, MB (2**20 bytes) of memory at its peak."""

    wall: float
    cpu: float
    peak_mb: float


def run_command(command: Sequence[str]) -> Usage:
    """Run a command, which begins with the path of its program, and measure it; not on Windows.

    Raises:
        SystemExit: if it fails.
    """
    # The peak of a process counts what the process that started it held then. So a small one starts the command.
    launch = [sys.executable, "-I", "-S", "-c", _LAUNCHER]
    # An installed package has its bytecode; without it each start would compile all that it imports.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([*launch, *command], stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed")
    wall, cpu, peak = json.loads(done.stdout)
    return Usage(wall, cpu, peak / (2**20 if sys.platform == "darwin" else 2**10))


def random_pair(config: EncodecConfig, seed: int = 0) -> tuple[EncodecModel, Any]:
    """Our model and transformers' with the same random weights.

    Codebooks fit the latents, and gains differ from their start: so all entries are in use.
    """
    import torch
    import transformers

    import recodec

    torch.manual_seed(seed)
    # Theirs is `Any`: the types of its methods are not those that they take and give.
    theirs: Any = transformers.EncodecModel(transformers.EncodecConfig(**config.to_dict())).eval()
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            if name.endswith("original0"):
                parameter.uniform_(0.8, 1.6)
        scale = float(theirs.encoder(torch.randn(1, config.audio_channels, 9600)).std())
        for level in theirs.quantizer.layers:
            level.codebook.embed.normal_(std=scale)
            scale *= 0.8
    ours = recodec.EncodecModel(config)
    ours.load_state_dict(theirs.state_dict())
    return ours.eval(), theirs


def peer_of(ours: EncodecModel) -> Any:
    """transformers' model with the weights of ours."""
    import transformers

    theirs = transformers.EncodecModel(transformers.EncodecConfig(**ours.config.to_dict())).eval()
    theirs.load_state_dict(ours.state_dict())
    return theirs


if __name__ == "__main__":
    print(machine())

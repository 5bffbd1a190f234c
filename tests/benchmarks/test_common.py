"""What the benchmarks share: turns, figures of them, the memory of a command, and pairs of models."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
import torch

from recodec import presets
from support.scripts import load_script
from support.systems import posix

common = load_script("benchmarks/common.py")
Seconds, Turns = common.Seconds, common.Turns
BURN = "import time\nwhile time.process_time() < 0.2: pass"


def fill(size_mb: int) -> str:
    return f"held = bytearray({size_mb} * 2**20)\nfor i in range(0, len(held), 4096): held[i] = 1\n"


def test_candidates_take_turns_and_turns_that_warm_up_do_not_count() -> None:
    calls: list[str] = []
    candidates = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    turns = common.take_turns(candidates, 3, warm_up=2)
    assert calls == ["a", "b"] * 5
    assert {name: len(seconds) for name, seconds in turns.seconds.items()} == {"a": 3, "b": 3}


def test_a_candidate_that_fails_has_no_further_turn() -> None:
    calls: list[str] = []
    errors: list[tuple[str, str]] = []

    def bad() -> None:
        calls.append("bad")
        if calls.count("bad") == 2:
            raise ValueError("too large")

    candidates = {"bad": bad, "good": lambda: calls.append("good")}
    turns = common.take_turns(candidates, 3, failed=lambda name, error: errors.append((name, str(error))))
    assert errors == [("bad", "too large")]
    assert calls.count("bad") == 2
    assert {name: len(seconds) for name, seconds in turns.seconds.items()} == {"good": 3}
    calls.clear()
    with pytest.raises(ValueError, match="too large"):
        common.take_turns({"bad": bad}, 3)


def test_figures_are_of_the_clock_that_is_asked_for() -> None:
    ours = [Seconds(4.0, 1.0, 0.5), Seconds(2.0, 1.0, 0.0), Seconds(9.0, 4.0, 0.0)]
    turns = Turns({"ours": ours, "other": [Seconds(6.0, 1.0, 2.0), Seconds(12.0, 1.0, 3.0), Seconds(16.0, 9.0, 0.0)]})
    assert [turns.figure("ours"), turns.figure("ours", clock="cpu"), turns.figure("ours", max)] == [2.0, 1.0, 9.0]
    assert [turns.median("ours"), turns.median("ours", "cpu")] == [4.0, 1.5]
    assert [turns.ratio("other", "ours"), turns.ratio("other", "ours", clock="cpu")] == [3.0, 3.0]
    assert turns.ratio("other", "ours", max) == 16 / 9


def burn() -> str:
    end = time.process_time() + 0.15
    while time.process_time() < end:
        pass
    return "done"


def test_processor_time_is_measured() -> None:
    result, own = common.timed(burn)
    assert result == "done"
    assert own.own >= 0.1  # told in hundredths, or on Windows in sixtieths
    assert own.children == 0
    assert common.fastest(burn, 2) >= 0.1


@posix
def test_processor_time_of_other_processes_is_told_apart() -> None:
    _, other = common.timed(lambda: subprocess.run([sys.executable, "-c", BURN], check=True))
    assert other.children >= 0.15  # told in hundredths
    assert other.cpu == other.own + other.children


@posix
def test_the_memory_of_a_command_is_its_own() -> None:
    held = bytearray(b"1") * (300 * 2**20)  # what the process that measures holds does not count
    small, large = (common.run_command([sys.executable, "-c", fill(size) + BURN]) for size in (1, 100))
    assert len(held) == 300 * 2**20
    assert 90 < large.peak_mb - small.peak_mb < 110
    assert small.peak_mb < 100
    assert small.cpu >= 0.2
    assert small.wall > 0


@posix
def test_a_command_that_fails_ends_the_benchmark(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="failed"):
        common.run_command([sys.executable, "-c", "print('so it was'); raise SystemExit(3)"])
    assert "so it was" in capfd.readouterr().err


@pytest.mark.parametrize("preset", [presets.recodec_24khz, presets.encodec_48khz])
def test_a_pair_has_the_same_weights_and_uses_its_codebooks(preset) -> None:
    config = preset()
    ours, theirs = common.random_pair(config)
    audio = torch.randn(1, config.audio_channels, config.sampling_rate // 2, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        codes, expected = (model.encode(audio, bandwidth=6.0).audio_codes for model in (ours, theirs))
    assert (codes == expected).float().mean() > 0.99
    assert len(codes[0, 0, 0].unique()) > 8
    for other in (common.peer_of(ours), common.random_pair(config)[0]):
        state = other.state_dict()
        assert all(torch.equal(tensor, state[name]) for name, tensor in theirs.state_dict().items())


def test_the_machine_is_named() -> None:
    assert common.machine().endswith("cores")

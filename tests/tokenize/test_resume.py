"""A run that was killed goes on, and ends as if nothing had happened."""

from __future__ import annotations

import multiprocessing
import os
import random
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from recodec.corpus import Entry
from recodec.errors import ConfigError, RecodecError
from recodec.tokenize import run as run_module
from recodec.tokenize.engines import LocalEngine
from recodec.tokenize.job import Job, OutputChoice
from recodec.tokenize.progress import Progress
from recodec.tokenize.shards import Shard
from recodec.tokenize.worker import ShardWorker
from support.waiting import wait_until

from .conftest import tree


def command(clips, out, model, *more):
    code = "import sys; from recodec.cli import main; main(sys.argv[1:])"
    options = ["--model", model.name, "--shard-clips", "1", "-q", "-j", "1", "--threads", "1", *more]
    return [sys.executable, "-c", code, "tokenize", str(clips), str(out), *options]


def kill_after_shards(process, out, count):
    """Wait for so many records, and kill."""
    wait_until(lambda: len(list((out / "_tokenize" / "shards").glob("0*.json"))) >= count, process)
    process.kill()
    process.wait()


def killed_and_resumed(run, clips, tmp_path, model, format, counts):
    _, plain = run(clips, "plain", shard_clips=1, format=format)
    out = tmp_path / "killed"
    line = command(clips, out, model, "--format", format)
    for count in counts:
        kill_after_shards(subprocess.Popen(line), out, count)
    assert not (out / "_tokenize" / "report.json").exists()
    assert subprocess.run(line, check=True).returncode == 0
    assert tree(out) == tree(plain)


def test_a_killed_run_goes_on(run, clips, tmp_path, model):
    killed_and_resumed(run, clips, tmp_path, model, "parquet", [4])


@pytest.mark.slow
@pytest.mark.parametrize("format", ["parquet", "tar", "ecdc"])
def test_ten_kills_at_random_moments(run, clips, tmp_path, model, format):
    _, plain = run(clips, "plain", shard_clips=1, format=format)
    out = tmp_path / "killed"
    line = command(clips, out, model, "--format", format)
    start = time.monotonic()
    subprocess.run([*line[:5], str(tmp_path / "timed"), *line[6:]], check=True)
    whole_s = time.monotonic() - start
    moment = random.Random(format)
    for _ in range(10):
        process = subprocess.Popen(line)
        with suppress(subprocess.TimeoutExpired):
            process.wait(moment.uniform(0.3, 1.1) * whole_s)
        process.kill()
        process.wait()
    subprocess.run(line, check=True)
    assert tree(out) == tree(plain)


@pytest.mark.parametrize("format", ["parquet", "tar", "ecdc"])
def test_a_stop_at_any_write_loses_and_repeats_nothing(run, clips, format, monkeypatch):
    _, plain = run(clips, "plain", format=format)
    done: list[int] = []
    original = ShardWorker.run

    class StopError(Exception):
        pass

    def stopping(self, shard, *more):
        if len(done) % 2:
            done.append(-1)
            raise StopError
        done.append(shard.index)
        return original(self, shard, *more)

    monkeypatch.setattr(ShardWorker, "run", stopping)
    for _ in range(2):
        with pytest.raises(StopError):
            run(clips, format=format)
    _, out = run(clips, format=format)
    assert [index for index in done if index >= 0] == [0, 1, 2]
    assert tree(out) == tree(plain)


def test_a_damaged_shard_is_made_anew(run, clips):
    _, out = run(clips)
    before = tree(out)
    file = out / "codes-000001.parquet"
    file.write_bytes(file.read_bytes()[:-100])
    (out / "codes-000002.parquet").unlink()
    (out / "_tokenize" / "shards" / "000000.json").write_text("{")
    (out / ".codes-000000.parquet.abc.part").write_text("left by a killed run")
    run(clips)
    assert tree(out) == before


def test_what_is_done_is_not_done_again(run, clips, monkeypatch):
    first, out = run(clips)
    before = tree(out)
    monkeypatch.setattr(ShardWorker, "run", None)
    again, _ = run(clips)
    assert (again.clips, again.seconds, again.speed) == (first.clips, first.seconds, 0.0)
    assert tree(out) == before


def test_files_that_appear_later_change_nothing(run, clips, tmp_path, model):
    _, out = run(clips)
    before = tree(out)
    later = clips / "a" / "00 first of all.wav"
    later.write_bytes((clips / "a" / "01.wav").read_bytes())
    try:
        (out / "codes-000000.parquet").unlink()
        run(clips)
    finally:
        later.unlink()
    assert tree(out) == before


@pytest.mark.parametrize("change", [{"bandwidth": 0.9}, {"shard_clips": 4}, {"format": "tar"}])
def test_a_run_goes_on_only_as_it_began(run, clips, change):
    run(clips)
    with pytest.raises(ConfigError, match="holds a run with"):
        run(clips, **change)
    with pytest.raises(ConfigError, match="holds a run with input"):
        run(clips / "a")


@pytest.mark.skipif(sys.platform == "win32", reason="no file locks")
def test_two_runs_do_not_share_a_folder(run, clips, tmp_path):
    with run_module._locked(tmp_path / "out"), pytest.raises(ConfigError, match="at work"):
        run(clips)


def test_workers_that_die_again_and_again_are_an_error(clips, model, tmp_path):
    job = Job(str(tmp_path), model, OutputChoice("parquet", "lists", 2, 1), (), b"")
    deadly = Shard(0, 0, (Deadly("file", "x", "x"),))
    with pytest.raises(RecodecError, match="died 3 times"):
        list(LocalEngine(1).run(job, [deadly], 1))


class Deadly(Entry):
    """Kills the process that unpacks it."""

    def __reduce__(self):
        return os._exit, (3,)


def test_workers_that_die_are_replaced(run, clips, monkeypatch):
    _, plain = run(clips, "plain", shard_clips=2)
    killed: list[int] = []
    original = Progress.add

    def add(self, tick):
        original(self, tick)
        if len(killed) < 2:
            for child in multiprocessing.active_children():
                killed.append(child.pid or 0)
                child.kill()

    monkeypatch.setattr(Progress, "add", add)
    report, out = run(clips, shard_clips=2, processes=1)
    assert len(killed) >= 2
    assert report.clips == 12
    assert tree(out) == tree(plain)

"""Campaigns: parallel, resumable, tidy, and not ended by a broken file or a process that dies."""

from __future__ import annotations

import csv
import json
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from recodec.cli.evaluate import evaluate as verb
from recodec.errors import AudioError, ConfigError
from recodec.evaluation import runner, trials
from recodec.evaluation.bootstrap import bootstrap_mean
from recodec.evaluation.campaign import Campaign, evaluate
from recodec.evaluation.clips import Clip, gather_clips
from recodec.evaluation.codebooks import codebook_use, entropy_bits
from recodec.evaluation.codecs import parse_codecs
from recodec.evaluation.metrics import PAIR_METRICS
from recodec.evaluation.results import COLUMNS, tidy_rows, write_results
from recodec.evaluation.runner import JOURNAL_NAME, read_journal, run
from recodec.evaluation.summary import FEWER, Cell, summarize, text_table, time_table
from recodec.evaluation.trials import Outcome, Trial, run_trial
from recodec.processes import WorkerPool
from support.signals import noise, voice

RATE = 24_000
CHEAP = ("si_snr", "mel_distance")


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    soundfile.write(tmp_path / "a.wav", voice(0.5, RATE).T, RATE)
    soundfile.write(tmp_path / "b.wav", noise(0.5, RATE).T, RATE)
    (tmp_path / "broken.wav").write_text("no sound at all")
    kinds = {"a.wav": "speech", "b.wav": "music", "broken.wav": "music"}
    return [Clip(str(tmp_path / name), kind) for name, kind in kinds.items()]


def in_process(monkeypatch: pytest.MonkeyPatch) -> list[Trial]:
    """Do trials here rather than in processes, which take seconds to start; returns the trials done."""
    done: list[Trial] = []

    def do(trial: Trial) -> Outcome:
        done.append(trial)
        return run_trial(trial)

    monkeypatch.setattr(runner, "run_trial", do)
    monkeypatch.setattr(runner, "WorkerPool", lambda workers, one_thread: WorkerPool(0))
    return done


def test_two_processes_and_one_that_dies(clips: list[Clip], tmp_path: Path) -> None:
    codecs = parse_codecs(["lowpass"])
    good = [Trial(clip, codecs[0], CHEAP) for clip in clips]
    environment = dict(os.environ)
    killer = Trial(_Killer(clips[0].path), codecs[0], CHEAP)
    outcomes = {o.key: o for o in run([good[0], killer, *good[1:]], workers=2, folder=tmp_path / "out")}
    assert len(outcomes) == 4
    assert "process died" in (outcomes[killer.key].error or "")
    assert "broken.wav" in (outcomes[good[2].key].error or "")
    for trial in good[:2]:
        here = run_trial(trial)
        assert outcomes[trial.key].values["si_snr"] == here.values["si_snr"]
    assert dict(os.environ) == environment
    assert len(read_journal(tmp_path / "out")) == 4


class _Killer(Clip):
    """A clip that takes its process along."""

    def read(self):
        os._exit(9)


def test_an_interrupted_run_goes_on(clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = in_process(monkeypatch)
    campaign = Campaign(clips[:2], parse_codecs(["opus@6,12"]), CHEAP, players=1)
    todo = campaign.trials(tmp_path / "out")
    stream = run(todo, folder=tmp_path / "out")
    first = [next(stream), next(stream)]
    stream.close()
    journal = tmp_path / "out" / JOURNAL_NAME
    whole = journal.read_text()
    journal.write_text(whole[:-40])  # the second line torn, as by a power cut
    again = {o.key: o for o in run(todo, folder=tmp_path / "out")}
    assert set(again) == {trial.key for trial in todo}
    assert [trial.key for trial in done].count(first[0].key) == 1
    assert [trial.key for trial in done].count(first[1].key) == 2
    assert again[first[0].key] == first[0]
    count = len(done)
    assert len(list(run(todo, folder=tmp_path / "out"))) == 4
    assert len(done) == count
    # A file that changed is measured anew, and so is one whose kept audio was removed.
    soundfile.write(clips[1].path, noise(0.6, RATE).T, RATE)
    Path(todo[0].audio_path or "").unlink()
    assert len(list(run(campaign.trials(tmp_path / "out"), folder=tmp_path / "out"))) == 4
    assert len(done) == count + 3


def test_a_campaign_writes_everything(clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_process(monkeypatch)
    campaign = Campaign(clips, parse_codecs(["opus@12", "lowpass"]), CHEAP, players=1)
    outcomes = evaluate(campaign, tmp_path / "out")
    assert [o.error is None for o in outcomes] == [True, True, True, True, False, False]
    with open(tmp_path / "out" / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    keys = [(row["clip"], row["codec"], row["metric"]) for row in rows]
    assert len(set(keys)) == len(keys)
    value = next(r for r in rows if (r["clip"], r["codec"], r["metric"]) == ("a.wav", "opus@12", "si_snr"))
    assert float(value["value"]) == pytest.approx(outcomes[0].values["si_snr"], rel=1e-5)
    assert value["unit"] == "dB"
    assert float(value["seconds"]) >= 0
    assert sum(row["metric"] == "error" and "broken.wav" in row["note"] for row in rows) == 2
    undefined = [row for row in rows if row["codec"] == "lowpass" and row["metric"] == "kbps"]
    assert undefined[0]["value"] == "" and undefined[0]["note"]  # noqa: PT018
    assert "broken.wav" in (tmp_path / "out" / "report.html").read_text()
    assert time_table(outcomes).count("\n") == 4
    table = text_table(summarize(outcomes), ["kbps", *CHEAP])
    assert "SI-SNR [dB] \u2191" in table
    assert len({len(line) for line in table.splitlines()[1:2]}) == 1


@pytest.mark.parametrize("broken_first", [True, False])
def test_a_broken_clip_takes_no_place_of_a_player(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken_first: bool
) -> None:
    done = in_process(monkeypatch)
    good, other, broken = clips
    order = [broken, good, other] if broken_first else [good, other, broken]
    campaign = Campaign([replace(clip, kind="other") for clip in order], parse_codecs(["lowpass"]), CHEAP, players=1)
    outcomes = evaluate(campaign, tmp_path / "out")
    assert [o.clip for o in outcomes] == [clip.name for clip in order]
    assert [o.clip for o in outcomes if o.audio is not None] == [good.name]
    assert len(done) == (4 if broken_first else 3)


def test_parquet_holds_the_same(clips: list[Clip], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    outcomes = [run_trial(Trial(clip, codec, CHEAP)) for clip in clips for codec in parse_codecs(["opus@12"])]
    write_results(tmp_path / "r.parquet", outcomes)
    table = parquet.read_table(tmp_path / "r.parquet").to_pylist()
    expected = tidy_rows(outcomes)
    assert len(table) == len(expected)
    for ours, theirs in zip(expected, table, strict=True):
        assert all(ours[k] == theirs[k] or (math.isnan(ours[k]) and math.isnan(theirs[k])) for k in COLUMNS)
    with pytest.raises(ConfigError, match="xlsx"):
        write_results(tmp_path / "r.xlsx", outcomes)


def test_metrics_keep_to_their_kinds_and_faults_cost_one_value(
    clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    music = run_trial(Trial(clips[1], parse_codecs(["reference"])[0], ("stoi", "si_snr")))
    assert set(music.values) == {"si_snr"}
    assert music.values["si_snr"] == 100.0
    broken = PAIR_METRICS["mel_distance"].__class__(
        "mel_distance", "", "", 0, 1, "lower", "", "", lambda pair: 1 // 0
    )  # fmt: skip
    monkeypatch.setitem(trials.PAIR_METRICS, "mel_distance", broken)
    outcome = run_trial(Trial(clips[0], parse_codecs(["reference"])[0], CHEAP))
    assert outcome.error is None
    assert "ZeroDivisionError" in outcome.undefined["mel_distance"]
    assert set(outcome.values) == {"si_snr"}


def test_a_codec_that_cannot_be_built_is_reported(clips: list[Clip], tmp_path: Path) -> None:
    outcome = run_trial(Trial(clips[0], parse_codecs([f"recodec:{tmp_path / 'none'}@6"])[0], CHEAP))
    assert outcome.error
    assert json.loads(json.dumps(outcome.to_dict()))["error"] == outcome.error


def test_manifests(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "x.flac").touch()
    (tmp_path / "dev.tsv").write_text("file\tgroup\nx.flac\tspeech\ny.flac\tsfx\n")
    found = gather_clips([tmp_path / "dev.tsv"])
    assert [(clip.name, clip.kind) for clip in found] == [("x.flac", "speech"), ("y.flac", "other")]
    assert found[0].path == str(tmp_path / "dev" / "x.flac")
    assert found[1].path == str(tmp_path / "y.flac")
    (tmp_path / "m.csv").write_text("path,length\na b.wav,3\n")
    assert gather_clips([tmp_path / "m.csv"]) == [Clip(str(tmp_path / "a b.wav"), "other", "a b.wav")]
    for text, message in (("file\n", "lists no files"), ("name\nx\n", "no column"), ("", "lists no files")):
        (tmp_path / "m.csv").write_text(text)
        with pytest.raises(AudioError, match=message):
            gather_clips([tmp_path / "m.csv"])
    (tmp_path / "m.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AudioError, match="is not UTF-8"):
        gather_clips([tmp_path / "m.csv"])


def test_gathering_clips(clips: list[Clip], tmp_path: Path) -> None:
    assert [clip.name for clip in gather_clips([tmp_path])] == ["a.wav", "b.wav", "broken.wav"]
    (tmp_path / "m.csv").write_text("file,kind\na.wav,speech\n")
    found = gather_clips([tmp_path / "a.wav"], manifests=[tmp_path / "m.csv"], kind="music")
    assert [(clip.name, clip.kind) for clip in found] == [("a.wav", "speech")]
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioError, match="has no audio files"):
        gather_clips([tmp_path / "empty"])
    with pytest.raises(AudioError, match="there is no file or folder"):
        gather_clips([tmp_path / "none.wav"])
    with pytest.raises(AudioError, match="kind must be"):
        Clip("x.wav", "noise")


def test_what_cannot_be_evaluated_is_refused_at_once(clips: list[Clip], tmp_path: Path) -> None:
    codecs = parse_codecs(["lowpass"])
    with pytest.raises(AudioError, match="nothing to evaluate"):
        Campaign([], codecs)
    with pytest.raises(ConfigError, match="at least one codec"):
        Campaign(clips, [])
    with pytest.raises(ConfigError, match="unknown metric 'beauty'"):
        Campaign(clips, codecs, ["beauty"])
    with pytest.raises(ConfigError, match=r"results\.doc"):
        evaluate(Campaign(clips, codecs, CHEAP), tmp_path / "out", table="results.doc")
    assert not (tmp_path / "out").exists()


def test_entropy_of_known_frequencies() -> None:
    assert entropy_bits(np.array([1, 1, 1, 1, 0])) == 2.0
    assert entropy_bits(np.array([5, 0])) == 0.0
    assert entropy_bits(np.zeros(4)) == 0.0
    # Bernoulli with p = 0.11: H = 0.49992 bits, the usual textbook value for a capacity of a half.
    assert entropy_bits(np.array([11, 89])) == pytest.approx(0.499916, abs=1e-6)


def test_codebook_use_adds_up_over_clips() -> None:
    def outcome(counts: list[dict[str, int]], codec: str = "x@6") -> Outcome:
        return Outcome("k", "c", "p", "music", codec, "x", "X 6", 6.0, code_counts=counts, codebook_size=8)

    levels = codebook_use([outcome([{"0": 2}, {"7": 2}]), outcome([{"0": 1, "3": 1}, {"7": 2}])])
    assert [(u.level, u.codes, u.used, u.nominal_bits) for u in levels] == [(1, 4, 0.25, 3.0), (2, 4, 0.125, 3.0)]
    assert levels[0].entropy_bits == pytest.approx(-(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25)))
    assert levels[1].entropy_bits == 0.0


def test_the_verb(clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_process(monkeypatch)
    paths = [clip.path for clip in clips]
    args = ["-c", "opus", "-b", "12", "--metric", "si_snr", "-o", str(tmp_path / "o"), "--no-report", "-k", "music"]
    fine = CliRunner().invoke(verb, [*paths[:2], *args])
    assert fine.exit_code == 0, fine.output
    assert "Opus 12" in fine.output
    assert "What took the time" in fine.output
    failing = CliRunner().invoke(verb, [*paths, *args])
    assert failing.exit_code == 1
    assert "Failed: broken.wav with Opus 12" in failing.output
    for bad in (["-c", "opus"], ["-c", "opus@6"], [paths[0], "-c", "nonsense@6"], ["/nowhere.wav", "-c", "opus@6"]):
        assert CliRunner().invoke(verb, bad).exit_code == 2


def test_new_weights_are_another_trial(clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a model in a folder, and of the shipped one, which is not named; codecs without weights are the same."""
    monkeypatch.setattr("recodec.evaluation.codecs.spec.DEFAULT_FOLDER", tmp_path)
    weights = tmp_path / "model.safetensors"
    specs = parse_codecs([f"recodec:{tmp_path}@6", "recodec@6", "recodec-encodec@6", "opus@6"])
    keys = []
    for content in (b"one", b"another"):
        weights.write_bytes(content)
        (tmp_path / "README.md").write_bytes(content)
        keys.append([Trial(clips[0], spec, CHEAP).key for spec in specs])
    assert [old == new for old, new in zip(*keys, strict=True)] == [False, False, False, True]
    (tmp_path / "README.md").write_bytes(b"a card that was written again")
    assert [Trial(clips[0], spec, CHEAP).key for spec in specs] == keys[1]


def test_a_bandwidth_that_the_model_lacks_is_refused_before_the_run(clips: list[Clip]) -> None:
    with pytest.raises(ConfigError, match=r"bandwidth 2\.0"):
        Campaign(clips, parse_codecs(["recodec@2"]))
    Campaign(clips, parse_codecs(["recodec:none/such@2"]))  # nobody knows its bandwidths here: its trials will say so


def test_a_mean_over_fewer_clips_says_so() -> None:
    values = {"kbps": bootstrap_mean([6.0, 6.0, 6.0]), "si_snr": bootstrap_mean([1.0, 2.0])}
    lines = text_table([Cell("speech", "x", "x", "X", None, 3, values)], ["kbps", "si_snr"]).splitlines()
    assert "6.00 ±0.00 " in lines[2]
    assert lines[2].endswith("(2)")
    assert lines[-1] == FEWER
    whole = {"si_snr": bootstrap_mean([1.0, 2.0, 3.0])}
    assert FEWER not in text_table([Cell("speech", "x", "x", "X", None, 3, whole)], ["si_snr"])


def test_a_run_without_a_terminal_says_now_and_then_how_far_it_is(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recodec.cli.evaluate.LINE_S", 0.0)
    arguments = [
        clips[0].path,
        "-c",
        "lowpass",
        "-c",
        "reference",
        "--metric",
        "si_snr",
        "-o",
        str(tmp_path),
        "-j",
        "1",
    ]
    done = CliRunner().invoke(verb, [*arguments, "--no-report"])
    assert done.exit_code == 0, done.output
    assert "1 of 2 clips and codecs are done" in done.stderr
    again = CliRunner().invoke(verb, [*arguments, "-j", "1", "--no-report", "-q"])
    assert "clips and codecs are done" not in again.output

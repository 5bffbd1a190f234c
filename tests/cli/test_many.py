"""Several inputs, folders, names of outputs, and what is said of them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile

from recodec.cli import VERBS, cli


def write(path: Path, seconds: float = 0.1, rate_hz: int = 24_000, level: float = 0.1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = level * np.random.default_rng(0).standard_normal(round(seconds * rate_hz))
    soundfile.write(path, noise, rate_hz, subtype="FLOAT" if path.suffix == ".wav" else None)
    return path


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    return [write(tmp_path / "in" / name) for name in ("a.wav", "b.flac", "deep/c.ogg")]


def test_several_inputs_are_compressed_beside_themselves(recodec: Callable, model: Path, three: list[Path]) -> None:
    done = recodec("compress", *three, "--model", model)
    assert done.code == 0
    assert all(path.with_suffix(".ecdc").exists() for path in three)
    lines = done.err.splitlines()
    assert len(lines) == 4
    assert re.fullmatch(r"3 files compressed: [\d,]+ bytes, [\d.]+ kbps, 0\.3 s, \d+ times real time", lines[-1])
    assert recodec("compress", *three, "--model", model, "-q", "-f").err == ""


@pytest.mark.parametrize("jobs", [1, 2])
def test_folders_keep_their_shape_in_another_folder(
    recodec: Callable, model: Path, three: list[Path], tmp_path: Path, jobs: int
) -> None:
    done = recodec("compress", tmp_path / "in", "-d", tmp_path / "out", "--model", model, "-j", jobs)
    assert done.code == 0
    found = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.ecdc"))
    assert found == ["a.ecdc", "b.ecdc", "deep/c.ecdc"]
    back = recodec("decompress", tmp_path / "out", "-d", tmp_path / "back", "--suffix", ".flac", "--model", model)
    assert back.code == 0
    assert soundfile.info(tmp_path / "back" / "deep" / "c.flac").frames == 2400


def test_the_last_of_two_inputs_may_be_a_folder(
    recodec: Callable, model: Path, three: list[Path], tmp_path: Path
) -> None:
    a, folder = write(tmp_path / "a.wav"), tmp_path / "in" / "deep"
    for number, inputs in enumerate(([a, folder], [tmp_path / "in", folder], [folder, a])):
        out = tmp_path / f"out{number}"
        assert recodec("compress", *inputs, "-d", out, "--model", model).code == 0
        assert (out / "c.ecdc").is_file()
        assert recodec("decompress", out, out / "..", "-d", tmp_path / f"back{number}", "--model", model).code == 0


def test_files_that_do_not_look_like_recordings_are_counted(
    recodec: Callable, model: Path, three: list[Path], tmp_path: Path
) -> None:
    for name in ("a.txt", "deep/b.TXT", "readme"):
        (tmp_path / "in" / name).write_text("text")
    line = f"{tmp_path / 'in'}: 3 files that do not look like recordings were passed over: 1 without a suffix, 2 .txt"
    for done in (
        recodec("compress", tmp_path / "in", "-d", tmp_path / "out", "--model", model),
        recodec("tokenize", tmp_path / "in", tmp_path / "tokens", "--model", model, "-j", 1),
    ):
        assert done.code == 0
        assert line in done.err.splitlines()
    assert recodec("compress", tmp_path / "in", "-d", tmp_path / "quiet", "-q", "--model", model).err == ""


def test_a_link_to_nothing_is_there_already(recodec: Callable, model: Path, tmp_path: Path) -> None:
    source, link = write(tmp_path / "a.wav"), tmp_path / "a.ecdc"
    link.symlink_to(tmp_path / "target.ecdc")
    refused = recodec("compress", source, "--model", model)
    assert (refused.code, f"{link} exists already; use --force" in refused.err) == (2, True)
    assert recodec("compress", source, "-f", "--model", model).code == 0
    assert (tmp_path / "target.ecdc").is_file()
    assert link.is_symlink()


def test_a_suffix_is_not_for_an_output_with_a_name(recodec: Callable, model: Path, tmp_path: Path) -> None:
    assert recodec("compress", write(tmp_path / "a.wav"), "--model", model).code == 0
    refused = recodec("decompress", tmp_path / "a.ecdc", "-o", tmp_path / "b.wav", "--suffix", ".flac")
    assert (refused.code, "--suffix is of outputs that are not named" in refused.err) == (2, True)


@pytest.mark.parametrize("count", [1, 2])
def test_jobs_are_shared_out_over_files_and_within_them(
    recodec: Callable, model: Path, tmp_path: Path, count: int
) -> None:
    inputs = [write(tmp_path / f"{i}.wav", 9.0 + i) for i in range(count)]
    for jobs in (1, 2, 5):
        assert recodec("compress", *inputs, "-d", tmp_path / f"{jobs}", "-j", jobs, "--model", model).code == 0
        coded = [tmp_path / f"{jobs}" / f"{i}.ecdc" for i in range(count)]
        assert recodec("decompress", *coded, "-j", jobs, "--model", model).code == 0
        for path in coded:
            for suffix in (".ecdc", ".wav"):
                one = (tmp_path / "1" / path.name).with_suffix(suffix)
                assert path.with_suffix(suffix).read_bytes() == one.read_bytes()


def test_inputs_of_one_stem_get_names_of_their_own(recodec: Callable, model: Path, tmp_path: Path) -> None:
    inputs = [write(tmp_path / "x.wav"), write(tmp_path / "x.flac")]
    assert recodec("compress", *inputs, "--model", model).code == 0
    assert (tmp_path / "x.ecdc").exists()
    assert (tmp_path / "x.flac.ecdc").exists()


def test_inputs_of_one_name_get_numbers(recodec: Callable, model: Path, tmp_path: Path) -> None:
    folders = [tmp_path / f"cd{number}" for number in range(1, 5)]
    for folder in folders:
        write(folder / "01.wav", seconds=0.1 * int(folder.name[2:]))
    assert recodec("compress", *folders, "-d", tmp_path / "out", "--model", model).code == 0
    names = ["01.ecdc", "01.wav.ecdc", "01.wav-1.ecdc", "01.wav-2.ecdc"]
    for number, name in enumerate(names, 1):
        assert recodec("decompress", tmp_path / "out" / name, tmp_path / f"{number}.wav", "--model", model).code == 0
        assert soundfile.info(tmp_path / f"{number}.wav").frames == number * 2400


def test_one_bad_input_does_not_end_the_others(recodec: Callable, model: Path, three: list[Path]) -> None:
    bad = three[0].parent / "bad.wav"
    bad.write_text("no sound")
    done = recodec("compress", bad, *three, "--model", model)
    assert done.code == 1
    assert f"recodec: error: {bad} is not an audio file" in done.err
    assert "3 files compressed" in done.err
    assert "; 1 failed" in done.err
    again = recodec("compress", *three, "--model", model)
    assert again.code == 1
    assert again.err.count("exists already; use --force") == 3


def test_a_recording_is_never_written_over(recodec: Callable, model: Path, tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.wav"), write(tmp_path / "b.wav")
    before = second.read_bytes()
    assert recodec("compress", "-f", first, second, "--model", model).code == 0
    assert second.read_bytes() == before
    refused = recodec("compress", "-f", first, "-o", second, "--model", model)
    assert refused.code == 2
    assert "has the suffix of an audio file" in refused.err
    assert second.read_bytes() == before
    coded = tmp_path / "a.ecdc"
    assert recodec("decompress", coded, "-o", tmp_path / "b.ecdc", "-f", "--model", model).code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{a}", "{dir}"], "is a folder; --out-dir puts outputs into one"),
        (["{a}", "{b}", "-o", "{dir}/x.ecdc"], "-o takes one input"),
        (["{dir}", "-o", "{dir}/x.ecdc"], "-o takes one input"),
        (["{a}", "{a}"], "named twice"),
        (["{dir}/empty"], "no audio files"),
        (["{a}", "-o", "{dir}/x.ecdc", "-d", "{dir}"], "do not go together"),
        (["{a}", "-b", "6 kbps"], "not a bandwidth"),
        (["{a}", "--channels", "0"], "does not choose"),
    ],
)
def test_inputs_and_outputs_that_do_not_go_together(
    recodec: Callable, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    names = {"a": write(tmp_path / "a.wav"), "b": write(tmp_path / "b.wav"), "dir": tmp_path}
    refused = recodec("compress", *(argument.format(**names) for argument in arguments))
    assert refused.code == 2
    assert message in refused.err


def test_bandwidths_as_people_write_them(recodec: Callable, model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "a.wav")
    sizes = []
    for text in ("3.6", "3.6k", "3.6kbps"):
        assert recodec("compress", source, tmp_path / "a.ecdc", "-f", "-b", text, "--model", model).code == 0
        sizes.append((tmp_path / "a.ecdc").read_bytes())
    assert sizes[0] == sizes[1] == sizes[2]


def test_surround_and_cut_files(recodec: Callable, model: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "film.wav", 0.1 * np.random.default_rng(0).standard_normal((2400, 6)), 24_000)
    mixed = recodec("compress", tmp_path / "film.wav", "--model", model)
    assert mixed.code == 0
    assert "6 channels (FL FR FC LFE BL BR) are mixed to 1 by ITU-R BS.775" in mixed.err
    chosen = recodec("compress", tmp_path / "film.wav", "-f", "--channels", "3", "--model", model)
    assert "mixed" not in chosen.err
    cut = tmp_path / "cut.wav"
    cut.write_bytes((tmp_path / "film.wav").read_bytes()[:-6000])
    assert "--partial" in recodec("compress", cut, "--model", model).err
    assert recodec("compress", cut, "--partial", "--model", model).code == 0


def test_what_goes_beyond_full_scale(recodec: Callable, model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "loud.wav", 0.5)
    recodec("compress", source, tmp_path / "a.ecdc", "--model", model)
    louder = ["decompress", tmp_path / "a.ecdc", "-f", "--gain", "100", "--model", model]
    assert "samples go beyond full scale and are clipped" in recodec(*louder, "-o", tmp_path / "a.wav").err
    assert "clipped" not in recodec(*louder, "-o", tmp_path / "b.wav", "--bits", "32").err
    assert np.abs(soundfile.read(tmp_path / "b.wav")[0]).max() > 1
    assert "clipped" not in recodec(*louder, "-o", tmp_path / "c.wav", "--rescale").err
    assert np.abs(soundfile.read(tmp_path / "c.wav")[0]).max() == pytest.approx(1, abs=1e-3)


def test_info_and_models(recodec: Callable, model: Path, three: list[Path], tmp_path: Path) -> None:
    recodec("compress", *three[:2], "--model", model)
    coded = [path.with_suffix(".ecdc") for path in three[:2]]
    lines = recodec("info", "--json", *coded).out.splitlines()
    facts = [json.loads(line) for line in lines]
    assert [fact["file"] for fact in facts] == list(map(str, coded))
    assert all(fact["intact"] and fact["num_samples"] == 2400 and fact["num_packets"] == 1 for fact in facts)
    assert recodec("info", *coded).out.count("state        good") == 2
    assert recodec("verify", *coded).out.count("good, 1 packet,") == 2
    listed = recodec("models").out
    assert "recodec_24khz" in listed
    assert "facebook/encodec_48khz" in listed


def test_which_weights_a_file_needs(recodec: Callable, model: Path, three: list[Path], tmp_path: Path) -> None:
    ours, theirs, bad = (tmp_path / name for name in ("ours.ecdc", "theirs.ecdc", "bad.ecdc"))
    assert recodec("compress", three[0], "-o", ours).code == 0
    assert recodec("compress", three[0], "-o", theirs, "--model", model).code == 0
    bad.write_bytes(b"no stream")
    good = recodec("models", ours)
    assert good.code == 0
    needs = r"needs the weights of recodec_24khz, fingerprint [0-9a-f]{16}: recodec_24khz decodes it"
    assert re.fullmatch(rf".*ours\.ecdc: {needs}\n", good.out)
    others = recodec("models", theirs, bad)
    assert others.code == 1
    first, second = others.out.splitlines()
    assert "needs the weights of toy, fingerprint" in first
    assert "recodec_24khz here has others (" in first
    assert first.endswith("give the folder of the model that wrote it, by --model")
    assert second.endswith("it does not begin with ECDC")
    assert recodec("models", theirs, "--model", model).code == 0
    named_so = shutil.copytree(model, tmp_path / "encodec_24khz")
    assert recodec("compress", three[0], "-o", theirs, "-f", "--format", "0", "--model", named_so).code == 0
    named = recodec("models", theirs)
    assert named.code == 1
    assert "facebook/encodec_24khz, which is fetched from the hub" in named.out


def test_the_command_alone_shows_its_help(recodec: Callable) -> None:
    shown = recodec()
    assert (shown.code, shown.err) == (0, "")
    assert "compress" in shown.out
    assert "onnxruntime" in recodec("--version").out


def test_one_letter_means_one_thing_and_names_are_frozen() -> None:
    """A change here is a change for everybody's scripts: make it on purpose, and say so in the CHANGELOG."""
    letters: dict[str, set[str]] = {}
    names: set[str] = set()
    context = click.Context(cli)
    for verb in VERBS:
        command = cli.get_command(context, verb)
        commands = command.commands.values() if isinstance(command, click.Group) else [command]
        for one in commands:
            assert one is not None
            for parameter in one.params:
                long = {flag for flag in [*parameter.opts, *parameter.secondary_opts] if flag.startswith("--")}
                names |= long
                for flag in parameter.opts:
                    if len(flag) == 2 and long:
                        letters.setdefault(flag, set()).update(long)
    assert {letter: sorted(meanings) for letter, meanings in letters.items()} == {
        "-b": ["--bandwidth"], "-c": ["--codec"], "-d": ["--out-dir"], "-f": ["--force"], "-j": ["--jobs"],
        "-k": ["--kind"], "-m": ["--model"], "-o": ["--out"], "-q": ["--quiet"],
    }  # fmt: skip
    assert names == {
        "--audio-column", "--backend", "--bandwidth", "--batch", "--bits", "--browser", "--certificate",
        "--certificate-key", "--channels", "--codebooks", "--codec", "--codes", "--completion-code", "--damaged",
        "--data", "--decoder", "--decoders", "--dev", "--device", "--discriminator", "--dtype", "--embed-ecdc",
        "--force",
        "--format", "--from", "--gain", "--grid", "--host", "--int8", "--jobs", "--json", "--key", "--kind", "--lm",
        "--manifest", "--max-audio", "--max-broken", "--max-mb", "--max-time", "--meta-lm", "--metric", "--model",
        "--no-browser", "--no-lm", "--no-report", "--no-resume", "--offline", "--out", "--out-dir", "--pace",
        "--packet", "--partial", "--picture", "--players", "--port", "--quiet", "--raw", "--report", "--rescale",
        "--resume", "--rooms", "--runner", "--runtime", "--seed", "--shard-clips", "--start", "--stop",
        "--stop-after", "--stream-above", "--suffix", "--threads", "--title", "--web",
    }  # fmt: skip


@pytest.mark.parametrize(
    "arguments", [("compress", ""), ("decompress", ""), ("compress", "a.wav", "-d", ""), ("cut", "", "x.ecdc"),
                  ("verify", ""), ("evaluate", ""), ("tokenize", "in", "")],
)  # fmt: skip
def test_an_empty_text_is_not_a_folder(
    recodec: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """As a variable gives that is not set: nothing is done to the folder in which the command runs."""
    write(tmp_path / "a.wav")
    monkeypatch.chdir(tmp_path)
    done = recodec(*arguments)
    assert done.code == 2
    assert "an empty text is not the name of a file or a folder" in done.err
    assert list(tmp_path.iterdir()) == [tmp_path / "a.wav"]


@pytest.mark.parametrize(
    "arguments", [("cut", "-", "x.ecdc"), ("cut", "a.ecdc", "-"), ("transcode", "a.ecdc", "-", "-b", "1.5"),
                  ("concat", "a.ecdc", "-o", "-"), ("info", "-"), ("verify", "-")],
)  # fmt: skip
def test_verbs_that_take_no_pipe_say_so(
    recodec: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "a.ecdc").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    done = recodec(*arguments)
    assert done.code == 2
    assert "'-' is not taken here: name a file (./- is one of that name)" in done.err
    assert list(tmp_path.iterdir()) == [tmp_path / "a.ecdc"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_errors_of_many_say_which_input(recodec: Callable, model: Path, tmp_path: Path, jobs: int) -> None:
    for name in ("one.ecdc", "two.ecdc"):
        (tmp_path / name).write_bytes(b"RIFF")
    done = recodec("decompress", tmp_path, "-d", tmp_path / "out", "--model", model, "-j", jobs)
    assert done.code == 1
    for name in ("one.ecdc", "two.ecdc"):
        assert f"{tmp_path / name}: this is not an .ecdc file" in done.err


def test_a_suffix_of_audio_does_not_come_twice(recodec: Callable, model: Path, tmp_path: Path) -> None:
    source, coded = write(tmp_path / "a.wav"), tmp_path / "a.wav.ecdc"
    assert recodec("compress", source, "-o", coded, "--model", model).code == 0
    done = recodec("decompress", coded, "--model", model)
    assert (done.code, f"{source} exists already" in done.err) == (2, True)
    assert recodec("decompress", coded, "-d", tmp_path / "out", "--model", model).code == 0
    assert recodec("decompress", coded, "--suffix", ".flac", "--model", model).code == 0
    found = {path.name for path in tmp_path.rglob("*.*")}
    assert found >= {"a.wav", "a.wav.ecdc", "a.wav.flac"}
    assert (tmp_path / "out" / "a.wav").exists()
    assert "a.wav.wav" not in found


def test_one_input_under_two_names_is_named_twice(recodec: Callable, model: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav")
    again = tmp_path / "x" / ".." / "a.wav"
    (tmp_path / "x").mkdir()
    done = recodec("compress", path, again, "-d", tmp_path / "out", "--model", model)
    assert (done.code, f"{again} is named twice" in done.err) == (2, True)


def test_what_is_compressed_already_is_called_so(recodec: Callable, model: Path, tmp_path: Path) -> None:
    assert recodec("compress", write(tmp_path / "a.wav"), "--model", model).code == 0
    done = recodec("compress", tmp_path / "a.ecdc", "-o", tmp_path / "b.ecdc", "--model", model)
    assert done.code == 1
    assert "a.ecdc is an .ecdc file already; decompress makes audio of it" in done.err


@pytest.mark.parametrize(("option", "words"), [(("--packet", "2"), "--packet goes with --format 1"),
                                               (("--lm",), "--lm goes with --format 1")])  # fmt: skip
def test_version_0_takes_no_options_of_version_1(
    recodec: Callable, model: Path, tmp_path: Path, option: tuple[str, ...], words: str
) -> None:
    done = recodec("compress", write(tmp_path / "a.wav"), "--model", model, "--format", "0", *option)
    assert done.code == 2
    assert words in done.err
    assert recodec("compress", tmp_path / "a.wav", "--model", model, "--format", "0").code == 0

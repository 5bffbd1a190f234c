"""The listening test: made, taken in a real browser, scored by the paper's rules."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import soundfile
from click.testing import CliRunner

from recodec.cli.listening_test import listening_test
from recodec.errors import ConfigError
from recodec.evaluation.clips import Clip
from recodec.evaluation.codecs import parse_codecs
from recodec.evaluation.listening import make_test, read_ratings, score_table, summarize_ratings
from recodec.evaluation.listening.score import t_interval
from support.browser import open_page
from support.signals import noise, voice

RATE = 24_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("listening")
    for name, audio in (("voice.wav", voice(1.0, RATE)), ("noise.wav", noise(1.0, RATE))):
        soundfile.write(folder / name, audio.T, RATE)
    clips = [Clip(str(folder / "voice.wav"), "speech"), Clip(str(folder / "noise.wav"), "music")]
    make_test(folder / "test", clips, parse_codecs(["opus@12"]), title="Ears", seed=7)
    return folder / "test"


def read_key(folder: Path) -> dict:
    return json.loads((folder / "key.json").read_text())


def answers(
    folder: Path, rater: str, scores: Mapping[str, Sequence[float]], path: Path, changes: dict | None = None
) -> Path:
    """Write answers with, for each codec, a score for each trial."""
    key = read_key(folder)
    ratings = [
        {"trial": trial["trial"], "stimulus": token, "score": scores[codec][index]}
        for index, trial in enumerate(key["trials"])
        for token, codec in trial["stimuli"].items()
    ]
    content = {"format": key["format"], "version": 1, "kind": "answers", "test": key["test"], "rater": rater,
               "ratings": ratings, **(changes or {})}  # fmt: skip
    path.write_text(json.dumps(content))
    return path


def test_the_page_does_not_tell_what_is_what(folder: Path) -> None:
    page = (folder / "index.html").read_text()
    found = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    assert "opus" not in re.sub(r"base64,[\w+/=]+", "", page).lower()
    assert "voice.wav" not in page
    key = read_key(folder)
    for trial, secret in zip(data["trials"], key["trials"], strict=True):
        tokens = [stimulus["token"] for stimulus in trial["stimuli"]]
        assert tokens == sorted(tokens)
        assert set(tokens) == set(secret["stimuli"])
        assert sorted(secret["stimuli"].values()) == ["lowpass", "opus@12", "reference"]
        hidden = next(token for token, codec in secret["stimuli"].items() if codec == "reference")
        assert next(s["audio"] for s in trial["stimuli"] if s["token"] == hidden) == trial["reference"]


@pytest.mark.browser
def test_a_rater_takes_the_test_from_end_to_end(folder: Path, tmp_path: Path) -> None:
    key = read_key(folder)
    wanted = {"reference": 100, "lowpass": 20, "opus@12": 61}
    with open_page(folder / "index.html", width=390) as page:
        page.fill("#rater", "Ada L.")
        page.click("#who button")
        for number in range(2):
            assert page.text_content("#number") == str(number + 1)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            trial = page.evaluate("trial.about.trial")
            secret = next(t for t in key["trials"] if t["trial"] == trial)["stimuli"]
            tokens = page.evaluate("trial.stimuli.map((s) => s.token)")
            assert page.is_disabled("#next")
            for index, token in enumerate(tokens):
                before = page.evaluate("trial.player.position")
                page.keyboard.press(str(index + 1))  # a digit chooses, and plays
                page.wait_for_function(f"trial.player.playing && trial.player.chosen === {index + 1}")
                page.wait_for_function(f"trial.stimuli[{index}].heard")
                assert index == 0 or page.evaluate("trial.player.position") != before
                slider = page.locator("#stimuli input").nth(index)
                if number == 0:
                    slider.fill(str(wanted[secret[token]]))
                else:  # the whole scale by keys: from 50 in steps of 10 and of 1
                    for _ in range(abs(wanted[secret[token]] - 50) // 10):
                        page.keyboard.press("Shift+ArrowRight" if wanted[secret[token]] > 50 else "Shift+ArrowLeft")
                    if wanted[secret[token]] == 61:
                        page.keyboard.press("ArrowUp")
                    assert slider.input_value() == str(wanted[secret[token]])
            page.keyboard.press(" ")
            assert not page.evaluate("trial.player.playing")
            box = page.locator("#scope").bounding_box()
            page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 10)
            page.mouse.down()
            page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 10)
            page.mouse.up()
            page.wait_for_function("trial.player.to !== null")
            assert page.evaluate("[trial.player.from, trial.player.to]") == pytest.approx([0.25, 0.75], abs=0.02)
            page.keyboard.press("r")
            page.wait_for_function("trial.player.playing && trial.player.chosen === 0")
            page.wait_for_timeout(700)
            assert 0.24 <= page.evaluate("trial.player.position") <= 0.76
            page.keyboard.press("Enter")
        with page.expect_download() as download:
            page.click("#save")
        assert download.value.suggested_filename == f"answers-Ada_L_-{key['test']}.json"
        download.value.save_as(tmp_path / "ada.json")
    ratings = read_ratings(folder / "key.json", [tmp_path / "ada.json"])
    assert ratings.dropped == {}
    assert len(ratings.kept) == 6
    assert {(r.codec, r.score) for r in ratings.kept} == set(wanted.items())
    assert {r.rater for r in ratings.kept} == {"Ada L."}


@pytest.mark.browser
def test_a_test_survives_a_reload_and_gives_its_code(folder: Path, tmp_path: Path) -> None:
    clips = [Clip(str(folder.parent / name), "other") for name in ("voice.wav", "noise.wav")]
    make_test(tmp_path / "test", clips, parse_codecs(["opus@12"]), completion="C0DE & more")
    with open_page(tmp_path / "test" / "index.html") as page:
        assert page.is_hidden("#again")
        page.fill("#rater", "Ada")
        page.click("#who button")
        for number in range(2):
            for index in range(3):
                page.keyboard.press(str(index + 1))
                page.wait_for_function(f"trial.stimuli[{index}].heard")
                page.locator("#stimuli input").nth(index).fill(str(10 * index + number))
                before = page.evaluate("JSON.stringify([trial.about.trial, trial.stimuli, session.ratings])")
                if index < 2:
                    page.reload()
                    assert page.text_content("#again-rater") == "Ada"
                    page.click("#go-on")
                    assert (
                        page.evaluate("JSON.stringify([trial.about.trial, trial.stimuli, session.ratings])") == before
                    )
            page.keyboard.press("Enter")
        page.reload()
        page.click("#go-on")
        assert page.is_hidden("#code")
        with page.expect_download() as download:
            page.click("#save")
        assert page.text_content("#code") == "C0DE & more"
        download.value.save_as(tmp_path / "ada.json")
        page.reload()
        assert page.is_hidden("#again")
    ratings = json.loads((tmp_path / "ada.json").read_text())["ratings"]
    assert sorted(rating["score"] for rating in ratings) == [0, 1, 10, 11, 20, 21]


def test_orders_differ_from_rater_to_rater(folder: Path) -> None:
    script = (folder / "index.html").read_text()
    assert "session = { rater" in script
    assert script.count("shuffled(") >= 3


@pytest.mark.parametrize(
    ("references", "anchors", "reason"),
    [
        ([100, 100, 100, 100, 90], [10] * 5, None),
        ([100, 100, 100, 100, 89.5], [10] * 5, "hidden reference below 90 in 1 of 5"),  # 20% is enough
        ([100] * 5, [81, 81, 10, 10, 10], None),
        ([100] * 5, [81, 81, 81, 10, 10], "low anchor above 80 in 3 of 5"),
        ([100] * 4, [80.5, 80.5, 80, 80], None),  # half is not more than half
    ],
)
def test_raters_are_dropped_by_the_papers_rules(
    tmp_path: Path, references: list[float], anchors: list[float], reason: str | None
) -> None:
    trials = [
        {"trial": f"t{i}", "clip": f"c{i}", "kind": "speech", "stimuli": {"r": "reference", "a": "lowpass"}}
        for i in range(len(references))
    ]
    key = {"format": "recodec-listening-test", "version": 1, "kind": "key", "test": "x", "reference": "reference",
           "anchor": "lowpass", "labels": {"reference": "R", "lowpass": "L"}, "trials": trials}  # fmt: skip
    (tmp_path / "key.json").write_text(json.dumps(key))
    path = answers(tmp_path, "ada", {"reference": references, "lowpass": anchors}, tmp_path / "ada.json")
    ratings = read_ratings(tmp_path / "key.json", [path])
    assert list(ratings.dropped) == ([] if reason is None else ["ada"])
    assert reason is None or reason in ratings.dropped["ada"]
    assert (len(ratings.kept) == 0) == (reason is not None)


def test_means_have_the_interval_of_students_t(folder: Path, tmp_path: Path) -> None:
    paths = [
        answers(folder, name, {"reference": [100, 95], "lowpass": [5, 15], "opus@12": scores}, tmp_path / name)
        for name, scores in (("ada", [50, 60]), ("bea", [70, 80]))
    ]
    paths.append(answers(folder, "cy", {"reference": [10, 95], "lowpass": [5, 5], "opus@12": [0, 0]}, tmp_path / "cy"))
    ratings = read_ratings(folder / "key.json", paths)
    summary = summarize_ratings(ratings)
    # 50, 60, 70, 80: mean 65, s = sqrt(500 / 3), t(0.975, 3) = 3.1824 from the usual tables.
    interval = summary["opus@12"]["all"]
    assert interval.mean == 65
    assert interval.high - 65 == pytest.approx(3.1824 * math.sqrt(500 / 3) / 2, rel=1e-4)
    assert summary["opus@12"]["speech"].mean == 60
    assert summary["opus@12"]["music"].mean == 70
    table = score_table(ratings)
    assert "2 raters count, 1 dropped" in table
    assert table.index("Reference") < table.index("Opus 12") < table.index("Low-pass")
    # n = 5 of a published table: t(0.975, 4) = 2.7764.
    assert t_interval([1, 2, 3, 4, 5]).high == pytest.approx(3 + 2.7764 * math.sqrt(2.5 / 5), rel=1e-4)
    assert t_interval([7]).low == 7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test": "other"}, "another test"),
        ({"kind": "key"}, "is not the answers"),
        ({"version": 2}, "version 2"),
        ({"rater": 5}, "no rater"),
        ({"ratings": []}, "without a score"),
        ({"ratings": [{"trial": "?", "stimulus": "?", "score": 1}]}, "does not have"),
        ({"ratings": "x"}, "no ratings"),
    ],
)
def test_answers_that_do_not_fit_are_refused(folder: Path, tmp_path: Path, changes: dict, message: str) -> None:
    fine = {"reference": [100, 100], "lowpass": [5, 5], "opus@12": [50, 50]}
    path = answers(folder, "ada", fine, tmp_path / "a.json", changes)
    with pytest.raises(ConfigError, match=message):
        read_ratings(folder / "key.json", [path])


def test_scores_out_of_range_twice_or_missing_are_refused(folder: Path, tmp_path: Path) -> None:
    fine = {"reference": [100, 100], "lowpass": [5, 5], "opus@12": [50, 50]}
    path = answers(folder, "ada", fine, tmp_path / "a.json")
    for change, message in (
        (lambda r: r[0].update(score=101), "from 0 to 100"),
        (lambda r: r[0].update(score=True), "from 0 to 100"),
        (lambda r: r.append(r[0]), "twice"),
        (lambda r: r.pop(), "without a score"),
    ):
        content = json.loads(path.read_text())
        change(content["ratings"])
        (tmp_path / "bad.json").write_text(json.dumps(content))
        with pytest.raises(ConfigError, match=message):
            read_ratings(folder / "key.json", [tmp_path / "bad.json"])
    with pytest.raises(ConfigError, match="rated already"):
        read_ratings(folder / "key.json", [path, path])
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_ratings(folder / "key.json", [tmp_path / "bad.json"])


def test_a_test_is_not_replaced_by_accident(folder: Path) -> None:
    clip = Clip(str(folder.parent / "voice.wav"))
    with pytest.raises(FileExistsError, match="holds a test"):
        make_test(folder, [clip], parse_codecs(["opus@12"]))
    with pytest.raises(ConfigError, match="at most 12"):
        make_test(folder / "new", [clip], parse_codecs(["opus@6,7,8,9,10,11,12,13,14,15,16"]))
    with pytest.raises(ConfigError, match="one codec"):
        make_test(folder / "new", [clip], parse_codecs(["lowpass", "reference"]))


def test_the_verb_makes_and_scores(folder: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    made = run(listening_test, ["make", str(folder.parent / "voice.wav"), "-c", "opus@8", "-o", str(tmp_path / "t")])
    assert made.exit_code == 0, made.output
    assert (tmp_path / "t" / "index.html").exists()
    again = run(listening_test, ["make", str(folder.parent / "voice.wav"), "-c", "opus@8", "-o", str(tmp_path / "t")])
    assert again.exit_code == 2
    assert "--force" in again.output
    fine = {"reference": [100], "lowpass": [5], "opus@8": [50]}
    answers(tmp_path / "t", "ada", fine, tmp_path / "t" / "ada.json")
    scored = run(listening_test, ["score", str(tmp_path / "t"), "--key", str(tmp_path / "t" / "key.json"),
                                  "-o", str(tmp_path / "scores.csv")])  # fmt: skip
    assert scored.exit_code == 0, scored.output
    assert "1 rater counts" in scored.output
    assert (tmp_path / "scores.csv").read_text().count("ada") == 3
    wrong = run(listening_test, ["score", str(tmp_path / "t" / "key.json"), "--key", str(tmp_path / "t" / "key.json")])
    assert wrong.exit_code == 1
    assert "is not the answers" in wrong.output

"""The report: what stands in it, and that its players play in a real browser."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from recodec import ecdc
from recodec.atomic import write_text
from recodec.evaluation.clips import Clip
from recodec.evaluation.codecs import parse_codecs
from recodec.evaluation.metrics import ALL_METRICS
from recodec.evaluation.report import report_page
from recodec.evaluation.report.curves import curve_svg
from recodec.evaluation.report.pictures import spectrogram_db, waveform_path
from recodec.evaluation.summary import summarize
from recodec.evaluation.trials import Outcome, Trial, failed, run_trial
from support.browser import open_page
from support.signals import noise, sine, voice

RATE = 24_000
NAME = "<b>voice & co</b>.wav"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    folder = tmp_path_factory.mktemp("report")
    found = []
    for name, kind, audio in (("a.wav", "speech", voice(2.0, RATE)), ("b.wav", "music", noise(1.0, RATE))):
        soundfile.write(folder / name, audio.T, RATE)
        clip = Clip(str(folder / name), kind, NAME if kind == "speech" else name)
        keep = str(folder / "audio") if kind == "speech" else None
        codecs = parse_codecs(["opus@6,12", "lowpass", "reference"])
        found += [run_trial(Trial(clip, codec, ("si_snr", "mel_distance"), keep)) for codec in codecs]
    broken = Trial(Clip(str(folder / "absent.wav")), parse_codecs(["lowpass"])[0], ())
    return [*found, failed(broken, "is <gone>")]


@pytest.fixture(scope="module")
def page_path(outcomes: list[Outcome], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_text(path, report_page(outcomes, title="Test & trial"))
    return path


def test_the_page_stands_alone_and_escapes_names(page_path: Path) -> None:
    text = page_path.read_text(encoding="utf-8")
    links = re.findall(r'(?:src|href)="([^"]{0,40})', text)
    assert links
    assert all(link.startswith(("data:", "#")) for link in links)
    assert "<b>voice" not in text
    assert "&lt;b&gt;voice &amp; co" in text
    assert "is &lt;gone&gt;" in text
    identifiers = re.findall(r'\bid="([^"]+)"', text)
    assert len(identifiers) == len(set(identifiers))


def test_a_live_report_holds_the_files_of_the_default_model(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", voice(1.0, RATE).T, RATE)
    clip = Clip(str(tmp_path / "a.wav"), "speech")
    codecs = parse_codecs(["recodec@6", "recodec-encodec@6", "lowpass"])
    outcomes = [run_trial(Trial(clip, codec, ("si_snr",), str(tmp_path / "audio"))) for codec in codecs]
    (text,) = re.findall(r'class="audio">(.*?)</script>', report_page(outcomes, live="live"))
    original, spectral, encodec, lowpass = json.loads(text)
    assert all(sound.startswith("data:audio/flac;base64,") for sound in (original, lowpass))
    assert [spectral["decoder"], encodec["decoder"]] == ["auto", "encodec"]
    file = base64.b64decode(spectral["ecdc"].split(",")[1])
    assert ecdc.inspect(file).header.num_samples == RATE
    (text,) = re.findall(r'class="audio">(.*?)</script>', report_page(outcomes))
    assert all(sound.startswith("data:audio/flac;base64,") for sound in json.loads(text))


def test_curves_carry_the_means(outcomes: list[Outcome]) -> None:
    cells = summarize(outcomes)
    svg = curve_svg(cells, "si_snr", "speech", legend=True)
    assert svg.startswith("<svg")
    assert "SI-SNR [dB]" in svg
    assert "Low-pass 3.5 kHz" in svg
    assert curve_svg(cells, "si_snr", "speech", legend=True) == svg
    assert curve_svg(cells, "pesq_wb", "speech") == ""


def test_the_waveform_spans_what_it_shows() -> None:
    path = waveform_path(sine(1.0, RATE, 50.0, amplitude=0.5), width=100, height=80)
    y = np.array([float(pair.split(",")[1]) for pair in re.findall(r"[\d.]+,[\d.]+", path)])
    assert y.min() == pytest.approx(40 - 0.5 * 39, abs=0.2)
    assert y.max() == pytest.approx(40 + 0.5 * 39, abs=0.2)
    assert waveform_path(np.zeros((2, 1), np.float32)).startswith("M")


def test_a_sine_is_a_line_of_its_level_in_the_spectrogram() -> None:
    levels = spectrogram_db(sine(1.0, RATE, 3000.0, amplitude=0.5)).mean(1)
    assert levels.argmax() == 3000 * 1024 // RATE
    assert levels.max() == pytest.approx(20 * np.log10(0.5), abs=0.5)


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_players_play_and_switching_keeps_the_position(page_path: Path, width: int) -> None:
    with open_page(page_path, width=width) as page:
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        card = page.locator(".clip").first
        buttons = card.locator(".choice")
        assert buttons.all_text_contents()[0].startswith("Original")
        assert buttons.count() == 4
        card.locator(".play").click()
        page.wait_for_function("document.querySelector('.clip').player.position > 0.3")
        loud = """async (card) => {
            const meter = audioContext().createAnalyser();
            card.player.output.connect(meter);
            const wave = new Float32Array(meter.fftSize);
            for (let i = 0; i < 40; i++) {
              await new Promise((done) => setTimeout(done, 25));
              meter.getFloatTimeDomainData(wave);
              if (wave.some((value) => Math.abs(value) > 1e-3)) return true;
            }
            return false;
        }"""
        assert card.evaluate(loud)
        moved = card.evaluate("""(card) => {
            const before = card.player.position, start = audioContext().currentTime;
            card.querySelectorAll(".choice")[2].click();
            const gone = audioContext().currentTime - start;
            return [card.player.position - before - gone, card.player.playing, card.player.chosen];
        }""")
        assert moved[0] == pytest.approx(0, abs=1e-6)
        assert moved[1:] == [True, 2]
        page.wait_for_timeout(80)
        gains = card.evaluate("(card) => card.player.voices.map((voice) => voice.gain.gain.value)")
        assert [round(gain) for gain in gains] == [0, 0, 1, 0]
        assert buttons.nth(2).get_attribute("aria-checked") == "true"
        assert card.locator(".view.shown").count() == 1
        card.locator(".play").click()
        at = card.evaluate("(card) => card.player.position")
        page.keyboard.press("1")
        assert card.evaluate("(card) => [card.player.position, card.player.chosen]") == [at, 0]


@pytest.mark.browser
def test_seeking_by_click_and_playing_to_the_end(page_path: Path) -> None:
    with open_page(page_path) as page:
        card = page.locator(".clip").first
        scope = card.locator(".scope")
        scope.click(position={"x": 0.75 * scope.bounding_box()["width"], "y": 20})
        page.wait_for_function("Math.abs(document.querySelector('.clip').player.position - 1.5) < 0.02")
        card.locator(".loop").uncheck()
        card.locator(".play").click()
        page.wait_for_function("!document.querySelector('.clip').player.playing", timeout=5000)
        assert card.locator(".play").text_content() == "Play"


@pytest.mark.browser
def test_the_whole_table_and_the_curves_are_seen_at_1400_pixels(tmp_path: Path) -> None:
    found = []
    for kind in ("speech", "music", "other"):
        for kbps in (6.0, 12.0, None):
            name = f"reference codec of a long name {kbps}"
            values = {key: -12.34 for key, metric in ALL_METRICS.items() if kind in metric.kinds}
            family = "codec" if kbps else "anchor"
            for n in range(2):
                measured = {**values, "encode_speed": 1234.5 + n, "kbps": kbps or 0.0}
                found.append(
                    Outcome(f"{kind}{n}{name}", f"{n}", f"{kind}{n}", kind, name, family, name, kbps, values=measured)
                )
    write_text(tmp_path / "report.html", report_page(found))
    with open_page(tmp_path / "report.html", width=1400) as page:
        wide = "(box) => box.scrollWidth > box.clientWidth"
        assert not page.locator(".scroll").first.evaluate(wide)
        tops = (
            page.locator(".measure")
            .first.locator("figure")
            .evaluate_all("(all) => all.map((figure) => figure.getBoundingClientRect().top)")
        )
        assert (len(tops), len(set(tops))) == (3, 1)
        text = page.text_content("#versions")
        assert all(name in text for name in ("recodec ", "Python ", "onnxruntime ", "visqol-python "))

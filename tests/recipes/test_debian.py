"""The Debian recipe: which packages and files it takes, how it decodes them, and the shards it writes."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

RECIPE = Path(__file__).parents[2] / "recipes" / "debian_24khz"
sys.path.insert(0, str(RECIPE))

import corpus  # noqa: E402
import decode  # noqa: E402
import fetch  # noqa: E402
import pack  # noqa: E402
import shards  # noqa: E402

from recodec.errors import AudioError  # noqa: E402

PACKAGES = "package\tsplit\tlist\tlicence\nbirds\ttrain\tlight\tCC0\nbells\ttrain\tcore\tGPL-2\nwaves\tdev\t\tCC0\n"
MANIFEST_COLUMNS = ("package", "path", "seconds", "sample_rate", "channels", "kind", "clip_frac", "split")


def tone(num_samples: int, rate_hz: int = 24_000, pitch_hz: float = 440) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * pitch_hz * np.arange(num_samples) / rate_hz).astype(np.float32)


def sound(audio: np.ndarray, rate_hz: int = 24_000, kind: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, shards.to_int16(audio), rate_hz, format=kind)
    return file.getvalue()


def entry(path: str = "a.wav", **changes: object) -> corpus.Entry:
    values = {"package": "birds", "path": path, "group": "sfx", "seconds": 1.0, "rate_hz": 44_100, "channels": 2}
    return corpus.Entry(**{**values, **changes})  # type: ignore[arg-type]


def read_clips(folder: Path) -> list[tuple[dict[str, str], np.ndarray]]:
    lines = [line.split("\t") for line in (folder / "clips.tsv").read_text().splitlines()]
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    assert lines[0] == ["shard", "start", "samples", "group", "package", "source"]
    return [(r, np.load(folder / r["shard"])[int(r["start"]) :][: int(r["samples"])]) for r in rows]


# ---- which packages and files --------------------------------------------------------------


def test_the_tables_hold_only_train_and_dev() -> None:
    packages = corpus.read_packages()
    assert {package.split for package in packages.values()} == {"train", "dev"}
    train = corpus.select_packages(packages, "train", ("light",), ("0ad-data",))
    assert "0ad-data" in {package.name for package in train}
    entries = corpus.read_entries(train)
    assert sum(map(len, entries.values())) > 10_000
    assert set(entries) == {package.name for package in train}


def test_a_package_of_another_split_stops_everything(tmp_path: Path) -> None:
    table = tmp_path / "packages.tsv"
    table.write_text(PACKAGES + "secret\ttest\t\tCC0\n")
    with pytest.raises(ValueError, match="secret"):
        corpus.read_packages(table)


def test_packages_are_selected_by_split_list_and_name(tmp_path: Path) -> None:
    table = tmp_path / "packages.tsv"
    table.write_text(PACKAGES)
    packages = corpus.read_packages(table)
    names = lambda *choice: [p.name for p in corpus.select_packages(packages, *choice)]  # noqa: E731
    assert names("train", ("light",)) == ["birds"]
    assert names("train", ("light",), ("bells",)) == ["birds", "bells"]
    assert names("dev", ("",)) == ["waves"]
    for split, name in (("train", "waves"), ("dev", "birds"), ("train", "unknown")):
        with pytest.raises(ValueError, match=name):
            names(split, (), (name,))


def test_clipped_files_and_other_splits_are_left_out(tmp_path: Path) -> None:
    rows = [
        ("birds", "good.ogg", "1.5", "44100", "2", "ui", "0.001", "train"),
        ("birds", "clipped.ogg", "1.5", "44100", "2", "ui", "0.02", "train"),
        ("birds", "held.ogg", "1.5", "44100", "2", "ui", "0.0", "dev"),
        ("bells", "other.ogg", "1.5", "44100", "2", "music", "0.0", "train"),
    ]
    path = tmp_path / "manifest.tsv.gz"
    path.write_bytes(gzip.compress("\n".join("\t".join(row) for row in [MANIFEST_COLUMNS, *rows]).encode()))
    entries = corpus.read_entries([corpus.Package("birds", "train", "light", "CC0")], path)
    assert entries == {"birds": [entry("good.ogg", seconds=1.5, clipped=0.001)]}


@pytest.mark.parametrize(
    ("path", "changes", "kbps", "good"),
    [
        ("a.ogg", {}, 112.1, True),
        ("a.OGG", {}, 111.9, False),
        ("a.opus", {"rate_hz": 48_000}, 48, False),
        ("a.mp3", {"channels": 1}, 57, True),
        ("a.ogg", {"rate_hz": 22_050, "channels": 1}, 30, True),
        ("a.wav", {}, 1, True),
        ("a.g722", {"rate_hz": 16_000, "channels": 1}, 1, True),
    ],
)
def test_sources_of_a_low_bit_rate_are_refused(path: str, changes: dict[str, object], kbps: float, good: bool) -> None:
    assert entry(path, seconds=10.0, clipped=0.0, **changes).is_dense_enough(round(kbps * 1250)) is good


# ---- decoding ------------------------------------------------------------------------------


def test_decodes_to_24_khz_mono() -> None:
    clip = decode.decode(sound(np.stack([tone(44_100, 44_100), tone(44_100, 44_100)], 1), 44_100), "a.wav")
    assert clip.dtype == np.int16
    assert clip.shape == (24_000,)
    assert np.abs(clip[500:-500] - tone(24_000)[500:-500] * 32768).max() < 8


def test_a_silent_channel_does_not_halve_the_level() -> None:
    loud, faint = tone(1000), np.float32(0.001) * tone(1000, pitch_hz=900)
    np.testing.assert_array_equal(decode.to_mono(np.stack([faint, loud])), loud[None])
    np.testing.assert_array_equal(decode.to_mono(np.stack([loud, np.float32(0.5) * loud])), 0.75 * loud[None])
    assert not decode.to_mono(np.zeros((2, 9), np.float32)).any()


def g722(audio: np.ndarray) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="g722") as container:
        stream = container.add_stream("g722", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray((audio * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = 16_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return file.getvalue()


def test_decodes_g722() -> None:
    clip = decode.decode(g722(tone(16_000, 16_000)), "usr/share/sounds/hello.g722")
    assert clip.size == pytest.approx(24_000, abs=400)
    spectrum = np.abs(np.fft.rfft(clip[:24_000] / 32768, 24_000))
    assert spectrum.argmax() == 440


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"no sound at all", "a.wav", r"a\.wav is not an audio file"),
        (b"no sound at all", "a.ogg", r"a\.ogg cannot be decoded"),
        (b"", "a.wv", r"a\.wv cannot be decoded"),
        (sound(np.zeros(100)), "a.wav", r"a\.wav is silent"),
    ],
)
def test_bad_sounds_are_named(content: bytes, name: str, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        decode.decode(content, name)


def test_int16_is_rounded_and_clipped() -> None:
    audio = np.array([0.4, 0.6, -0.6, 40_000, -40_000, 32767.4]) / 32768
    np.testing.assert_array_equal(shards.to_int16(audio), [0, 1, -1, 32767, -32768, 32767])


# ---- from a package to shards --------------------------------------------------------------


def test_collects_from_a_tree_and_its_archives(tmp_path: Path) -> None:
    tree, out = tmp_path / "tree", tmp_path / "out"
    (tree / "usr").mkdir(parents=True)
    (tree / "usr/one.wav").write_bytes(sound(tone(2400)))
    (tree / "usr/same.flac").write_bytes(sound(tone(2400), kind="FLAC"))
    (tree / "usr/thin.ogg").write_bytes(sound(np.zeros(24_000), kind="OGG"))
    (tree / "usr/broken.wav").write_bytes(b"RIFF")
    with zipfile.ZipFile(tree / "usr/data.pk3", "w") as archive:
        archive.writestr("snd/two.wav", sound(tone(4800, pitch_hz=300)))
    paths = ["usr/one.wav", "usr/same.flac", "usr/thin.ogg", "usr/broken.wav", "usr/gone.wav",
             "usr/data.pk3.d/snd/two.wav", "usr/data.pk3.d/snd/gone.wav"]  # fmt: skip
    entries = [entry(path, seconds=60.0, clipped=0.0) for path in paths]
    with shards.ShardWriter(out) as writer:
        collector = fetch.Collector(writer)
        for item, content in fetch.read_files(tree, entries):
            collector.add(item, content)
    assert [row["source"] for row, _ in read_clips(out)] == ["usr/one.wav", "usr/data.pk3.d/snd/two.wav"]
    np.testing.assert_array_equal(read_clips(out)[1][1], shards.to_int16(tone(4800, pitch_hz=300)))
    assert collector.left_out == {
        "double": 1,
        "bit rate too low": 1,
        "not decodable, or silent": 1,
        "missing in the package": 2,
    }


def test_fetch_asks_apt_for_the_selected_packages_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def run(command: list[str], *, check: bool, cwd: Path | None = None) -> None:
        calls.append(command)
        if command[0] == "apt-get":
            assert cwd is not None
            (cwd / f"{command[-1]}_1.0_all.deb").touch()
        else:
            document = Path(command[-1]) / "usr/share/doc/teeworlds-data/copyright"
            document.parent.mkdir(parents=True)
            document.write_text("CC0")

    monkeypatch.setattr(subprocess, "run", run)
    arguments = ["--out", str(tmp_path / "out"), "--package", "teeworlds-data"]
    result = CliRunner().invoke(fetch.main, arguments)
    assert result.exit_code == 0, result.output
    assert [(call[0], call[-1]) for call in calls[:1]] == [("apt-get", "teeworlds-data")]
    assert [call[0] for call in calls] == ["apt-get", "dpkg-deb"]
    assert "left out, missing in the package" in result.output
    assert (tmp_path / "out/copyright/teeworlds-data").read_text() == "CC0"

    calls.clear()
    for name in ("minetest-data", "bash", "--version"):  # a dev package, none of ours, no package
        assert CliRunner().invoke(fetch.main, [*arguments, f"--package={name}"]).exit_code == 2
    assert calls == []


def test_shards_are_filled_in_order_and_split_at_their_size(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    added = []
    with shards.ShardWriter(tmp_path, shard_samples=1000) as writer:
        for number in range(40):
            clip = random.integers(-(2**15), 2**15, random.integers(0, 400)).astype(np.int16)
            group = shards.GROUPS[number % 2]
            writer.add(clip, group, "birds", f"{number}.wav")
            if clip.size:
                added.append((group, f"{number}.wav", clip))
        writer.add(np.ones(1500, np.int16), "music", "birds", "long.wav")
        assert writer.samples["sfx"] == 0
    clips = read_clips(tmp_path)
    assert [(row["group"], row["source"]) for row, _ in clips[:-1]] == [item[:2] for item in added]
    for (row, clip), (group, _, expected) in zip(clips, added, strict=False):
        np.testing.assert_array_equal(clip, expected)
        assert row["shard"].startswith(f"{group}-0")
    sizes = {path.name: np.load(path).size for path in tmp_path.glob("*.npy")}
    assert sum(sizes.values()) == sum(writer.samples.values())
    assert {size for size in sizes.values() if size > 1000} == {1500}
    assert len(sizes) > 5


def test_shards_refuse_what_they_cannot_hold(tmp_path: Path) -> None:
    with shards.ShardWriter(tmp_path) as writer:
        with pytest.raises(ValueError, match="group"):
            writer.add(np.ones(3, np.int16), "noise", "birds", "a")
        with pytest.raises(ValueError, match="float32"):
            writer.add(np.ones(3, np.float32), "sfx", "birds", "a")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="tab"):
            writer.add(np.ones(3, np.int16), "sfx", "birds", "a\tb")
    with pytest.raises(FileExistsError):
        shards.ShardWriter(tmp_path)


def test_an_interrupted_folder_has_no_index(tmp_path: Path) -> None:
    def interrupted() -> None:
        with shards.ShardWriter(tmp_path) as writer:
            writer.add(np.ones(3, np.int16), "sfx", "birds", "a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not (tmp_path / "clips.tsv").exists()


# ---- the prepared form ---------------------------------------------------------------------


def prepared(folder: Path, rate_hz: int = 24_000) -> list[str]:
    """Two tars of clips and their index; returns the arguments of `pack`."""
    lines = ["pack\tpath\tgroup\tpackage\tsource\tstart_s"]
    for number, pitch_hz in enumerate((300, 500)):
        with tarfile.open(folder / f"{number}.tar", "w") as tar:
            content = sound(tone(2400, rate_hz, pitch_hz), rate_hz, "FLAC")
            member = tarfile.TarInfo(f"sfx/{number}.flac")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        lines.append(f"{number}\tsfx/{number}.flac\tsfx\tbirds\tusr/{number}.ogg\t0.00")
    (folder / "train.tsv").write_text("\n".join(lines) + "\n")
    return [str(folder / name) for name in ("train.tsv", "0.tar", "1.tar")]


def test_packs_the_prepared_clips(tmp_path: Path) -> None:
    out = tmp_path / "shards"
    result = CliRunner().invoke(pack.main, [*prepared(tmp_path), "--out", str(out)])
    assert result.exit_code == 0, result.output
    clips = read_clips(out)
    assert [(row["package"], row["source"]) for row, _ in clips] == [("birds", "usr/0.ogg"), ("birds", "usr/1.ogg")]
    for (_, clip), pitch_hz in zip(clips, (300, 500), strict=True):
        np.testing.assert_array_equal(clip, shards.to_int16(tone(2400, pitch_hz=pitch_hz)))


def test_pack_refuses_another_rate_and_missing_clips(tmp_path: Path) -> None:
    index, *tars = (Path(name) for name in prepared(tmp_path, 16_000))
    with pytest.raises(ValueError, match="16000 Hz"):
        pack.pack(index, tars, tmp_path / "a")
    with pytest.raises(ValueError, match=r"0\.flac is not in tar number 0"):
        pack.pack(index, tars[::-1], tmp_path / "b")
    with pytest.raises(ValueError, match=r"0\.flac is not in tar number 0"):
        pack.pack(index, [], tmp_path / "c")

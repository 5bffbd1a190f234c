"""Examples are functions of their number; they are mixed as asked; broken files are skipped and counted."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from recodec import presets
from recodec.errors import AudioError, ConfigError
from recodec.training.augment import reverberate
from recodec.training.config import TrainConfig
from recodec.training.data import Examples, batches
from recodec.training.dev import DevSet

RATE = 24_000
HZ = {"speech": 200, "music": 440, "sfx": 3000}


def tone(hz, seconds=2.0, rate=RATE):
    return 0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    for group, hz in HZ.items():
        np.save(folder / f"{group}-000.npy", np.round(tone(hz) * 32767).astype(np.int16))
    return folder


def examples_of(data, **changes):
    values = {"crop_s": 0.1, "group_weights": {"speech": 0.4, "music": 0.4, "sfx": 0.2}, **changes}
    return Examples(TrainConfig(presets.tiny(), data if isinstance(data, dict) else str(data), **values))


def heard(audio):
    """The groups whose tones are in an example."""
    spectrum = np.abs(np.fft.rfft(audio[0] * np.hanning(audio.shape[1])))
    return {group for group, hz in HZ.items() if spectrum[hz // 10] > 5 * np.median(spectrum) + 1}


def test_an_example_is_a_function_of_its_number(shards):
    first, second = examples_of(shards, reverb_probability=0.5), examples_of(shards, reverb_probability=0.5)
    assert all(np.array_equal(first[n].audio, second[n].audio) for n in (5, 0, 3))
    assert not np.array_equal(first[0].audio, first[1].audio)
    assert not np.array_equal(first[0].audio, examples_of(shards, seed=1)[0].audio)


def test_groups_come_by_their_weights(shards):
    examples = examples_of(shards, group_weights={"speech": 1.0, "music": 0.0})
    assert all(heard(examples[n].audio) == {"speech"} for n in range(10))


def test_mixing_has_the_kinds_of_the_paper(shards):
    """One of music, one other, two of any, three without music; by their chances."""
    examples = examples_of(shards, mixing=(0.32, 0.32, 0.24, 0.12), gain_db=(-20.0, -20.0))
    level = [float(np.abs(examples[n].audio).max()) for n in range(300)]
    music = [heard(examples[n].audio) for n in range(300)]
    assert 0.25 < np.mean([m == {"music"} for m in music]) < 0.5
    assert 0.25 < np.mean(["music" not in m for m in music]) < 0.65
    only_three = examples_of(shards, mixing=(0.0, 0.0, 0.0, 1.0), gain_db=(-20.0, -20.0))
    assert all("music" not in heard(only_three[n].audio) for n in range(20))
    only_two = examples_of(shards, mixing=(0.0, 0.0, 1.0, 0.0), gain_db=(-20.0, -20.0))
    assert {frozenset(heard(only_two[n].audio)) for n in range(40)} >= {frozenset({"music", "speech"})}
    assert max(level) < 0.1


def test_nothing_clips(shards):
    examples = examples_of(shards, mixing=(0.0, 0.0, 0.0, 1.0), gain_db=(0.0, 6.0))
    peaks = [float(np.abs(examples[n].audio).max()) for n in range(20)]
    assert max(peaks) <= 1.0


def test_gains_and_levels(shards):
    examples = examples_of(shards, gain_db=(-6.0, -6.0), normalize_crops=True)
    for n in range(5):
        assert float(np.abs(examples[n].audio).max()) == pytest.approx(10 ** (-6 / 20), rel=0.01)


def test_reverberation_keeps_the_level_and_has_a_tail():
    random = np.random.default_rng(0)
    click = np.zeros((1, RATE), np.float32)
    click[0, 1000] = 1.0
    wet = reverberate(click, RATE, random)
    assert np.sum(wet**2) == pytest.approx(1.0, rel=1e-3)
    assert not wet[0, :1000].max() > 1e-6
    early, late = (np.sum(wet[0, a:b] ** 2) for a, b in ((1100, 6000), (15_000, 19_900)))
    assert early > 3 * late > 0


def write_folder(folder: Path, rate=RATE) -> Path:
    folder.mkdir()
    for i, suffix in enumerate((".wav", ".flac", ".ogg")):
        soundfile.write(folder / f"a{i}{suffix}", tone(440, rate=rate), rate)
    (folder / "broken.wav").write_text("no sound")
    (folder / "empty.flac").touch()
    return folder


def kinds_of(tmp_path):
    """The same three files in every kind of place."""
    folder = write_folder(tmp_path / "files")
    manifest = tmp_path / "list.tsv"
    names = ["a0.wav", "a1.flac", "a2.ogg", "broken.wav", "missing.wav"]
    manifest.write_text("path\tkind\n" + "".join(f"files/{name}\tx\n" for name in names))
    tar = tmp_path / "pack-000.tar"
    with tarfile.open(tar, "w") as file:
        for path in sorted(folder.iterdir()):
            file.add(path, path.name)
        info = tarfile.TarInfo("a.json")
        file.addfile(info, io.BytesIO())
    return {"folder": (folder, 2), "manifest": (manifest, 2), "tar": (tar, 3), "tars": (tmp_path / "pack-*.tar", 3)}


@pytest.mark.parametrize("kind", ["folder", "manifest", "tar", "tars"])
def test_any_place_gives_crops(tmp_path, kind):
    place, broken = kinds_of(tmp_path)[kind]
    examples = examples_of({"music": str(place)})
    assert len(examples.left_out) == broken
    assert examples.seconds == pytest.approx(6.0, abs=0.01)
    assert all(heard(examples[n].audio) == {"music"} for n in range(6))


def test_a_data_set_gives_crops(tmp_path):
    datasets = pytest.importorskip("datasets")
    folder = write_folder(tmp_path / "files")
    rows = [{"path": None, "bytes": path.read_bytes()} for path in sorted(folder.iterdir())]
    table = datasets.Dataset.from_dict({"audio": rows}).cast_column("audio", datasets.Audio(decode=False))
    table.save_to_disk(str(tmp_path / "set"))
    examples = examples_of({"music": str(tmp_path / "set")})
    assert len(examples.left_out) == 2
    assert heard(examples[0].audio) == {"music"}


def test_rates_and_channels_are_converted(tmp_path):
    folder = tmp_path / "stereo"
    folder.mkdir()
    soundfile.write(folder / "a.wav", np.stack([tone(440, rate=44_100)] * 2, axis=1), 44_100)
    audio = examples_of({"music": str(folder)})[0].audio
    assert audio.shape == (1, 2400)
    assert heard(audio) == {"music"}


def test_a_file_that_breaks_later_is_skipped_and_named(tmp_path):
    folder = write_folder(tmp_path / "files")
    examples = examples_of({"music": str(folder)})
    (folder / "a1.flac").write_bytes(b"fLaC" + b"\0" * 40)
    found = [examples[n] for n in range(20)]
    assert all(heard(example.audio) == {"music"} for example in found)
    failed = {name: reason for example in found for name, reason in example.failed.items()}
    assert list(failed) == [str(folder / "a1.flac")]
    assert "a1.flac is not an audio file" in failed[str(folder / "a1.flac")]


def test_a_silent_file_is_skipped_and_named_and_one_with_a_pause_is_not(tmp_path):
    folder = write_folder(tmp_path / "files")
    silent = folder / "silent.wav"
    soundfile.write(silent, np.zeros(24_000), 24_000)
    soundfile.write(folder / "pause.wav", np.concatenate([np.zeros(24_000), tone(440)]), 24_000)
    found = [examples_of({"music": str(folder)})[n] for n in range(60)]
    assert all(heard(example.audio) == {"music"} for example in found)
    failed = {name: reason for example in found for name, reason in example.failed.items()}
    assert failed == {str(silent): "is silent from its start to its end"}


def test_batches_do_not_depend_on_workers_and_processes(shards):
    examples = examples_of(shards)
    alone = batches(examples, 4, first=8, step=4)
    with_workers = batches(examples, 4, first=8, step=4, workers=2)
    halves = [batches(examples, 2, first=8 + 2 * rank, step=4) for rank in range(2)]
    for _ in range(3):
        whole = next(alone).audio
        assert torch.equal(next(with_workers).audio, whole)
        assert torch.equal(torch.cat([next(half).audio for half in halves]), whole)


def test_what_is_no_corpus(tmp_path):
    with pytest.raises(ConfigError, match="has no audio files, tars or Parquet files"):
        examples_of(tmp_path)
    with pytest.raises(ConfigError, match=r"there is no folder or file .*absent"):
        examples_of(tmp_path / "absent")
    with pytest.raises(ConfigError, match=r"there is no file or folder .*nothing"):
        examples_of({"music": str(tmp_path / "nothing")})
    folder = write_folder(tmp_path / "files")
    with pytest.raises(AudioError, match="and a crop 5 s"):
        examples_of({"music": str(folder)}, crop_s=5.0)


def wavs(folder: Path, *seconds: float) -> Path:
    folder.mkdir(parents=True)
    for number, length in enumerate(seconds):
        time = np.arange(round(length * 24_000)) / 24_000
        soundfile.write(folder / f"{number}.wav", 0.3 * np.sin(2 * np.pi * 440 * time), 24_000)
    return folder


def test_what_a_folder_has_beside_its_groups_is_said_and_not_trained_on(tmp_path):
    for name in ("speech", "dev", "empty"):
        wavs(tmp_path / name, *([] if name == "empty" else [2.0]))
    wavs(tmp_path / "music", 2.0, 0.01)
    soundfile.write(tmp_path / "loose.wav", np.zeros(100), 24_000)
    examples = examples_of(str(tmp_path))
    assert examples.seconds == pytest.approx(4.0)
    assert {Path(name).name: reason for name, reason in examples.left_out.items()} == {
        "1.wav": "it has 0.010 s, and a crop 0.1 s",
        "dev": "a folder beside the groups speech, music; group_weights.dev=0.2 makes it one",
        "loose.wav": "a file beside the folders of the groups speech, music",
    }


def test_a_group_of_any_name_is_drawn_from(tmp_path):
    examples = examples_of({"birds": str(wavs(tmp_path / "a", 2.0)), "speech": str(wavs(tmp_path / "b", 3.0))})
    assert (examples.seconds, examples.left_out) == (5.0, {})


def test_the_dev_set_takes_what_training_takes_and_leaves_out_what_cannot_serve(tmp_path):
    folder = wavs(tmp_path / "dev", 1.0, 0.01)
    soundfile.write(folder / "stereo.flac", np.full((48_000, 2), 0.1), 48_000)
    (folder / "bad.mp3").write_bytes(b"nothing")
    dev = DevSet(folder, presets.tiny())
    assert [tuple(clip.shape) for clip in dev.clips] == [(1, 1, 24_000), (1, 1, 24_000)]
    assert sorted(Path(name).name for name in dev.left_out) == ["1.wav", "bad.mp3"]
    with pytest.raises(ConfigError, match="in the setting dev"):
        DevSet(tmp_path / "nowhere", presets.tiny())


@pytest.mark.parametrize(("value", "words"), [(np.nan, "of channel 0 of {} is NaN"), (1e9, "far beyond full scale")])
def test_why_nothing_can_be_learnt_from_is_said(tmp_path, value, words):
    paths = [tmp_path / f"{number}.wav" for number in range(5)]
    for path in paths:
        soundfile.write(path, np.full(RATE, value, np.float32), RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match="none of 100 crops of the groups all can be learnt from: ") as refused:
        examples_of(tmp_path)
    text = str(refused.value)
    assert sum(words.format(path) in text and str(path) in text for path in paths) >= (3 if "{}" in words else 1)
    assert text.endswith("; and 2 more")


def test_silence_alone_is_called_so(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(RATE, 1e-4), RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"can be learnt from: .*a\.wav: is silent from its start to its end$"):
        examples_of(tmp_path)

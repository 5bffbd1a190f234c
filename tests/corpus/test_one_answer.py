"""Wherever recordings lie, every verb finds the same ones, and none of them ends a run."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.audio.stretches import read_stretch, shape_of
from recodec.corpus import Names, clean_id, list_input, printable, read_entry, stretches_of
from recodec.errors import ConfigError, RecodecError
from recodec.evaluation.clips import gather_clips
from recodec.text import shown
from support.systems import named_pipe

RATE_HZ = 24_000


def tone(seconds: float = 0.5, channels: int = 1, seed: int = 0) -> np.ndarray:
    """(T, C)."""
    noise = np.random.default_rng(seed).standard_normal((round(seconds * RATE_HZ), channels))
    return 0.1 * np.cumsum(noise, axis=0) / np.sqrt(RATE_HZ) + 0.02 * noise


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Recordings of six suffixes, and a manifest of each kind beside them."""
    place = tmp_path / "in"
    (place / "deep" / "er").mkdir(parents=True)
    for i, suffix in enumerate((".wav", ".flac", ".OGG", ".mp3", ".aiff", ".w64")):
        name = place / ("deep/er" if i % 2 else ".") / f"a{i}{suffix}"
        soundfile.write(name, tone(seed=i), RATE_HZ, format=suffix[1:].upper())
    (place / "notes.md").write_text("not a recording")
    (place / ".hidden.wav").write_bytes(b"junk")
    return place


def manifests(folder: Path) -> dict[str, Path]:
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("a*.*"))
    rows = [json.dumps({"audio_filepath": file, "text": "a, b"}) for file in files]
    texts = {
        "list.txt": "\n".join(files),
        "list.csv": "\n".join(["text,path", *(f'"a, b","{file}"' for file in files)]),
        "list.tsv": "\n".join(["file\ttext", *(f"{file}\ta, b" for file in files)]),
        "bare.csv": "\n".join(files),
        "list.jsonl": "\n".join(rows),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return {name: folder / name for name in texts}


def found_by(place: Path | str) -> dict[str, list[str]]:
    """The files that tokenize, evaluate and train find."""
    listing = list_input(str(place))
    left_out: dict[str, str] = {}
    return {
        "tokenize": sorted(r.path for entry in listing.entries for r in read_entry(entry) if r.sound is not None),
        "evaluate": sorted(clip.path for clip in gather_clips([place])),
        "train": sorted([s.name for s in stretches_of(listing.entries, 1, left_out)] + list(left_out)),
    }


def test_a_folder_a_pattern_and_every_manifest_give_the_same_recordings(folder: Path) -> None:
    expected = sorted(str(path) for path in folder.rglob("a*.*"))
    assert len(expected) == 6
    places = {"folder": folder, "pattern": f"{folder}/**/a*.*", **manifests(folder)}
    for name, place in places.items():
        for verb, found in found_by(place).items():
            assert found == expected, (name, verb)


def test_a_tar_has_the_same_recordings_for_all(folder: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "pack.tar", "w") as tar:
        for path in sorted(folder.rglob("a*.*")):
            tar.add(path, path.name)
    listing = list_input(str(tmp_path / "pack.tar"))
    whole = [r for entry in listing.entries for r in read_entry(entry)]
    left_out: dict[str, str] = {}
    placed = list(stretches_of(listing.entries, 1, left_out))
    assert not left_out
    assert len(whole) == len(placed) == len(gather_clips([tmp_path / "pack.tar"])) == 6
    for recording, stretches, clip in zip(whole, placed, gather_clips([tmp_path / "pack.tar"]), strict=True):
        assert isinstance(recording.sound, bytes)
        audio, _ = clip.read()
        np.testing.assert_array_equal(stretches.read(1000, 500), audio[:, 1000:1500])


def test_parquet_rows_can_be_read_in_stretches(folder: Path, tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    files = sorted(folder.rglob("a*.*"))
    cells = [{"bytes": path.read_bytes(), "path": path.name} for path in files]
    pq.write_table(pa.table({"audio": cells, "kind": ["speech"] * 6}), tmp_path / "t.parquet", row_group_size=2)
    left_out: dict[str, str] = {}
    placed = list(stretches_of(list_input(str(tmp_path / "t.parquet")).entries, 1, left_out))
    assert (len(placed), left_out) == (6, {})
    clips = gather_clips([tmp_path / "t.parquet"])
    assert {clip.kind for clip in clips} == {"speech"}
    for stretches, clip in zip(placed, clips, strict=True):
        np.testing.assert_array_equal(stretches.read(3000, 700), clip.read()[0][:, 3000:3700])


# ---- stretches -----------------------------------------------------------------------------

STRETCHED = [("WAV", "PCM_16"), ("WAV", "MS_ADPCM"), ("WAV", "ULAW"), ("FLAC", "PCM_24"), ("AIFF", "PCM_16"),
             ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("CAF", "ALAC_16")]  # fmt: skip


@pytest.mark.parametrize(("kind", "subtype"), STRETCHED)
@given(start=st.integers(0, 60_000), count=st.integers(1, 12_000))
@settings(deadline=None, max_examples=12, derandomize=True)
def test_a_stretch_is_what_the_whole_has_there(kind: str, subtype: str, start: int, count: int) -> None:
    file = io.BytesIO()
    soundfile.write(file, tone(3.0, 2), RATE_HZ, format=kind, subtype=subtype)
    whole = read_stretch(io.BytesIO(file.getvalue()), "x", 0, 72_000)
    found = read_stretch(io.BytesIO(file.getvalue()), "x", start, count)
    if kind == "MP3":  # after a seek its decoder rounds the last bit differently
        np.testing.assert_allclose(found, whole[:, start : start + count], rtol=0, atol=2**-22)
    else:
        np.testing.assert_array_equal(found, whole[:, start : start + count])
    length, *rest = shape_of(io.BytesIO(file.getvalue()), "x")[:3]
    assert rest == [RATE_HZ, 2]
    assert length == (73_296 if subtype == "MS_ADPCM" else 72_000)  # ADPCM fills its last block


# ---- what cannot serve ---------------------------------------------------------------------


def odd_folder(place: Path) -> dict[str, str]:
    """Recordings that cannot serve, and a word of the reason of each."""
    place.mkdir()
    soundfile.write(place / "good.wav", tone(), RATE_HZ)
    soundfile.write(place / "nine.wav", tone(0.5, 9), RATE_HZ)
    soundfile.write(place / "slow.wav", tone(), 500)
    soundfile.write(place / "nothing.wav", np.zeros((0, 1)), RATE_HZ)
    (place / "empty.flac").touch()
    (place / "text.mp3").write_text("Dear diary\n" * 20)
    (place / "cut.wav").write_bytes((place / "good.wav").read_bytes()[:9000])
    (place / "link.wav").symlink_to(place / "nowhere")
    pipe = {"pipe": "not a file"} if named_pipe(place / "pipe.wav") else {}
    return {"nine": "channels", "slow": "500 Hz", "nothing": "no samples", "empty": "is empty", "text": "not an audio",
            "cut": "cut off", "link": "No such file", **pipe}  # fmt: skip


def test_what_cannot_serve_is_left_out_with_its_reason(tmp_path: Path) -> None:
    words = odd_folder(tmp_path / "in")
    left_out: dict[str, str] = {}
    found = list(stretches_of(list_input(str(tmp_path / "in")).entries, 1, left_out))
    assert [Path(stretches.name).stem for stretches in found] == ["good"]
    reasons = {Path(name).stem: reason for name, reason in left_out.items()}
    assert reasons.keys() == words.keys()
    for name, word in words.items():
        assert word in reasons[name], (name, reasons[name])


@given(st.binary(max_size=300), st.sampled_from([".csv", ".tsv", ".jsonl", ".txt", ".parquet", ".tar"]))
@settings(deadline=None, max_examples=100, derandomize=True)
def test_junk_is_one_named_error_or_a_broken_entry(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, suffix: str
) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path_factory.mktemp("junk") / f"x{suffix}"
    path.write_bytes(junk)
    try:
        listing = list_input(str(path))
    except RecodecError:
        return
    for entry in listing.entries:
        assert len(list(read_entry(entry))) == entry.count
    list(stretches_of(listing.entries, 1, {}))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"audio": ' + "9" * 5000 + "}", "[1]", '{"other": 1}', ""])
def test_bad_json_lines_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.jsonl").write_text(text)
    with pytest.raises(ConfigError, match=r"the manifest .*x\.jsonl"):
        list_input(str(tmp_path / "x.jsonl"))


# ---- names ---------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["x", "x~2", "x~3", "y"]), max_size=12))
@settings(deadline=None, derandomize=True)
def test_names_are_given_once(names: list[str]) -> None:
    unique = Names()
    found = [unique.unique(name) for name in names]
    assert len(set(found)) == len(found)
    assert all(one == name or one.startswith(name + "~") for one, name in zip(found, names, strict=True))


def test_members_of_a_tar_whose_names_clean_to_one_have_ids_of_their_own(tmp_path: Path) -> None:
    content = io.BytesIO()
    soundfile.write(content, tone(), RATE_HZ, format="WAV")
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for name in ("./x.wav", "x.wav", "../x.wav", "y/../x.wav", "damage.wav"):
            member = tarfile.TarInfo(name)
            member.size = len(content.getvalue())
            tar.addfile(member, io.BytesIO(content.getvalue()))
    for place in (tmp_path / "x.tar", tmp_path):
        ids = [r.id for entry in list_input(str(place)).entries for r in read_entry(entry)]
        assert len(set(ids)) == 5


@given(st.text(max_size=30))
@settings(deadline=None, derandomize=True)
def test_ids_stay_in_their_folder_and_can_be_written(name: str) -> None:
    id = clean_id(name)
    assert not Path(id).is_absolute()
    assert ".." not in id.split("/")
    assert id.encode()
    assert "\0" not in printable(name)


@given(st.text(max_size=40))
@settings(deadline=None, derandomize=True)
def test_shown_text_has_no_control_characters(text: str) -> None:
    assert shown(text).isprintable()
    if text.isprintable():
        assert shown(text) == text


def test_a_terminal_is_not_spoken_to() -> None:
    assert shown("\x1b]0;title\x07\nstate good\ud800") == "\\x1b]0;title\\x07\\nstate good\\ud800"

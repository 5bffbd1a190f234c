"""Every kind of input gives the same clips, with their metadata, in the order of the input."""

from __future__ import annotations

import io
import json
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.audio.files import read_audio
from recodec.corpus import Entry, clean_id, list_input, read_entry
from recodec.corpus.listing import expand_braces
from recodec.errors import ConfigError
from recodec.tokenize import open_codes
from recodec.tokenize.plan import cut_shards


def files_of(clips):
    return sorted(path for path in clips.glob("*/*") if path.suffix in (".wav", ".flac"))


def codes_by_order(out):
    return [row["codes"].tolist() for row in open_codes(out)]


@pytest.fixture
def plain(run, clips):
    """The codes of the clips, from the folder."""
    return codes_by_order(run(clips, "plain")[1])


def add(tar, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def write_tar(path, files, first=0):
    with tarfile.open(path, "w") as tar:
        for i, file in enumerate(files, first):
            add(tar, f"x/{i:04d}{file.suffix}", file.read_bytes())
            add(tar, f"x/{i:04d}.txt", f"text {i} é".encode())
            add(tar, f"x/{i:04d}.json", json.dumps({"speaker": i}).encode())
            add(tar, f"x/{i:04d}.face.jpg", bytes([i]))


def test_manifests(run, clips, tmp_path, plain):
    files = files_of(clips)
    table = tmp_path / "list.csv"
    rows = [f'{file},"text, with a comma {i}",{i}' for i, file in enumerate(files)]
    table.write_text("\n".join(["file,text,id", *rows, f"{files[0]},again,x", ",nothing,y"]))
    report, out = run(table)
    assert codes_by_order(out) == [*plain, plain[0]]
    items = list(open_codes(out))
    assert items[3]["text"] == "text, with a comma 3"
    assert items[3]["input_id"] == "3"  # our own id keeps its name
    assert items[0]["id"] == clean_id(str(files[0]))
    assert items[-1]["id"] == items[0]["id"] + "~2"
    assert [reason for _, _, reason in report.broken] == ["the manifest names no file"]


def test_json_lines(run, clips, tmp_path, plain):
    lines = [json.dumps({"audio_filepath": str(f), "duration": i, "text": "a"}) for i, f in enumerate(files_of(clips))]
    (tmp_path / "list.jsonl").write_text("\n".join(lines))
    _, out = run(tmp_path / "list.jsonl")
    assert codes_by_order(out) == plain
    assert open_codes(out)[2]["duration"] == "2"


def test_globs(run, clips, plain):
    _, out = run(f"{clips}/[ab]/*.[wf]*")
    assert codes_by_order(out) == plain
    assert open_codes(out)[0]["id"] == files_of(clips)[0].relative_to(clips).as_posix()


@pytest.mark.parametrize("workers", [0, 1])
def test_tars(run, clips, tmp_path, plain, workers):
    files = files_of(clips)
    write_tar(tmp_path / "in-000.tar", files[:7])
    write_tar(tmp_path / "in-001.tar", files[7:], first=7)
    report, out = run(f"{tmp_path}/in-{{000..001}}.tar", workers=workers)
    assert report.broken == ()
    assert codes_by_order(out) == plain
    item = open_codes(out)[8]
    assert item["id"] == "in-001.tar/x/0008"
    assert (item["txt"], json.loads(item["json"]), item["face.jpg"]) == ("text 8 é", {"speaker": 8}, b"\x08")


def test_damaged_tars(run, clips, tmp_path, plain):
    files = files_of(clips)
    (tmp_path / "in").mkdir()
    write_tar(tmp_path / "in" / "a.tar", files)
    with tarfile.open(tmp_path / "in" / "a.tar") as tar:
        cut = tar.getmember("x/0009" + files[9].suffix).offset_data + 100
    (tmp_path / "in" / "a.tar").write_bytes((tmp_path / "in" / "a.tar").read_bytes()[:cut])
    (tmp_path / "in" / "b.tar").write_text("no tar")
    with tarfile.open(tmp_path / "in" / "c.tar", "w") as tar:
        add(tar, "1.txt", b"no audio")
        add(tar, "2.wav", files[1].read_bytes())
        add(tar, "1.wav", files[0].read_bytes())  # the key comes a second time
    report, out = run(tmp_path / "in")
    ids = [row["id"] for row in open_codes(out)]
    assert codes_by_order(out) == [*plain[:9], plain[1], plain[0]]
    assert ids[-2:] == ["c.tar/000001.2", "c.tar/000002.1"]
    assert [id for id, _, _ in report.broken] == ["a.tar/x/0009", "a.tar/damage", "b.tar/damage", "c.tar/000000.1"]


def audio_struct(files, **columns):
    value = [{"bytes": f.read_bytes(), "path": f.name} for f in files]
    return pa.table({"sound_of_it": value, "id": list(range(len(files))), **columns})


def test_parquet(run, clips, tmp_path, plain):
    files = files_of(clips)
    (tmp_path / "in").mkdir()
    tags = [[f"tag {i}", "x"] for i in range(7)]
    pq.write_table(audio_struct(files[:7], tags=tags), tmp_path / "in" / "0.parquet", row_group_size=3)
    pq.write_table(audio_struct(files[7:], extra=[1.5] * 5), tmp_path / "in" / "1.parquet")
    (tmp_path / "in" / "2.parquet").write_text("no Parquet")
    report, out = run(tmp_path / "in")
    assert codes_by_order(out) == plain
    table = pq.read_table(out)
    assert table["input_id"].to_pylist() == [*range(7), *range(5)]
    assert table["tags"].to_pylist() == [*tags, *[None] * 5]
    assert table["extra"].to_pylist() == [*[None] * 7, *[1.5] * 5]
    assert table["id"][8].as_py() == "1.parquet/1"
    assert [id for id, _, _ in report.broken] == ["2.parquet"]


def test_other_columns_of_audio(run, clips, tmp_path, plain):
    files = files_of(clips)
    forms = {
        "path": pa.array([str(f) for f in files]),
        "bytes": pa.array([f.read_bytes() for f in files]),
        "array": pa.array([{"array": read_audio(f)[0].mean(0), "sampling_rate": read_audio(f)[1]} for f in files]),
    }
    for name, column in forms.items():
        pq.write_table(pa.table({"audio": column, "n": range(12)}), tmp_path / f"{name}.parquet")
        _, out = run(tmp_path / f"{name}.parquet", name)
        assert codes_by_order(out) == plain
    pq.write_table(pa.table({"what": forms["bytes"], "n": [None, *range(11)]}), tmp_path / "named.parquet")
    with pytest.raises(ConfigError, match="no column of audio"):
        run(tmp_path / "named.parquet", "named")
    assert codes_by_order(run(tmp_path / "named.parquet", "named", column="what")[1]) == plain
    pq.write_table(pa.table({"audio": pa.array([None, forms["bytes"][1].as_py()])}), tmp_path / "none.parquet")
    report, out = run(tmp_path / "none.parquet", "none")
    assert codes_by_order(out) == [plain[1]]
    assert report.broken[0][2] == "the row holds no audio"


def test_hugging_face_data_sets(run, clips, tmp_path, plain):
    datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")
    files = files_of(clips)
    columns = {"audio": [str(f) for f in files], "text": [f.name for f in files]}
    rows = datasets.Dataset.from_dict(columns).cast_column("audio", datasets.Audio(decode=False))
    rows.save_to_disk(str(tmp_path / "one"))
    _, out = run(tmp_path / "one", "out-one")
    assert codes_by_order(out) == plain
    assert open_codes(out)[1]["text"] == files[1].name
    both = datasets.DatasetDict({"train": rows.select(range(7)), "test": rows.select(range(7, 12))})
    both.save_to_disk(str(tmp_path / "both"))
    _, out = run(tmp_path / "both", "out-both")
    assert codes_by_order(out) == plain
    assert [row["split"] for row in open_codes(out)] == ["train"] * 7 + ["test"] * 5
    assert open_codes(out)[7]["id"] == "test/0"


def test_webdataset_reads_our_tars(run, clips, plain):
    webdataset = pytest.importorskip("webdataset", reason="the package webdataset is not installed")
    _, out = run(clips, format="tar")
    urls = [str(file) for file in sorted(out.glob("*.tar"))]
    items = list(webdataset.WebDataset(urls, shardshuffle=False).decode())
    assert [item["codes.npy"].tolist() for item in items] == plain
    assert items[0]["json"]["num_codebooks"] == 8


def test_hugging_face_reads_our_parquet(run, clips, plain, tmp_path):
    datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")
    _, out = run(clips)
    cache = str(tmp_path / "cache")
    rows = datasets.load_dataset("parquet", data_files=f"{out}/*.parquet", split="train", cache_dir=cache)
    assert list(rows["codes"]) == plain


@pytest.mark.parametrize("name", ["nowhere", "nowhere/*.wav", "empty"])
def test_inputs_that_are_none(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError):
        list_input(str(tmp_path / name))


def test_a_container_that_shrank_gives_all_its_clips_as_broken(clips, tmp_path):
    write_tar(tmp_path / "a.tar", files_of(clips)[:3])
    given_clips = list(read_entry(Entry("tar", str(tmp_path / "a.tar"), "a.tar", first=1, count=4)))
    assert [clip.error is None for clip in given_clips] == [True, True, False, False]
    assert len({clip.id for clip in given_clips}) == 4


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 7))
def test_shards_have_every_clip_once_and_in_order(counts, size):
    shards = list(cut_shards([Entry("tar", f"{i}", f"{i}", count=n) for i, n in enumerate(counts)], size))
    rows = [(e.path, e.first + j) for shard in shards for e in shard.entries for j in range(e.count)]
    assert rows == [(f"{i}", j) for i, n in enumerate(counts) for j in range(n)]
    assert [shard.clips for shard in shards[:-1]] == [size] * (len(shards) - 1)
    assert [shard.first for shard in shards] == [size * i for i in range(len(shards))]
    assert [shard.index for shard in shards] == list(range(len(shards)))


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.text())
def test_ids_are_relative_paths(name):
    id = clean_id(name)
    assert id.encode()
    assert not id.startswith("/")
    assert ".." not in id.split("/")


def test_braces():
    assert expand_braces("a-{08..10}.tar") == ["a-08.tar", "a-09.tar", "a-10.tar"]
    assert expand_braces("{0..1}/{2..3}") == ["0/2", "0/3", "1/2", "1/3"]
    assert np.size(expand_braces("plain")) == 1

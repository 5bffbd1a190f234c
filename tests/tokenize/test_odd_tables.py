"""Tables of audio with something odd in them, which costs no clip but its own."""

from __future__ import annotations

import datetime
import json
import sys
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recodec.corpus import list_input, read_entry
from recodec.corpus.table_rows import rows_of
from recodec.errors import ConfigError
from recodec.tokenize import open_codes

SAMPLES = (0.1 * np.random.default_rng(0).standard_normal(4800)).astype(np.float32)


@pytest.fixture
def content(clips):
    """The bytes of a clip."""
    return sorted(clips.glob("a/*.wav"))[0].read_bytes()


@pytest.fixture
def _no_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)


def write(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ([[0.1, 0.2], [0.3]], "its channels differ in length, or something in it is not a number"),
        ([[[0.1] * 9] * 2] * 2, "the array of the row has 3 axes, and audio has (channels, samples)"),
    ],
)
def test_an_odd_array_breaks_its_own_row_alone(run, tmp_path, odd, reason):
    depth = 2 if isinstance(odd[0][0], float) else 3
    good = SAMPLES[None].tolist() if depth == 2 else odd
    arrays = [{"array": array, "sampling_rate": 24_000} for array in (good, odd, good)]
    report, _ = run(write(tmp_path / "a.parquet", audio=arrays))
    broken = [(id, why) for id, _, why in report.broken]
    assert all(reason in why for _, why in broken)
    assert [id for id, _ in broken] == ["a.parquet/1"] if depth == 2 else [f"a.parquet/{i}" for i in range(3)]
    assert report.clips == 3 - len(broken)


@pytest.mark.usefixtures("_no_pandas")
@pytest.mark.parametrize("form", ["parquet", "tar"])
def test_times_in_nanoseconds_cost_no_clip(run, tmp_path, content, form):
    kinds = {
        "when": pa.timestamp("ns"), "zone": pa.timestamp("ns", "UTC"), "long": pa.duration("ns"),
        "clock": pa.time64("ns"), "far": pa.timestamp("s"), "deep": pa.struct([("when", pa.list_(pa.timestamp("ns")))]),
    }  # fmt: skip
    values = {"far": [10**15, 1], "deep": [{"when": [1_000_000_001]}, None]}
    columns = {name: pa.array(values.get(name, [1_000_000_001, None]), kind) for name, kind in kinds.items()}
    source = write(tmp_path / "a.parquet", audio=[content] * 2, **columns)
    report, out = run(source, format=form)
    assert (report.clips, report.broken) == (2, ())
    if form == "parquet":
        table = pq.read_table(out)
        names = list(columns)
        assert table.select(names).equals(pq.read_table(source, columns=names))
    else:
        with tarfile.open(next(out.glob("*.tar"))) as tar:
            members = [tar.extractfile(name) for name in tar.getnames() if name.endswith("json")]
            texts = [json.load(member) for member in members if member is not None]
        assert texts[0]["when"] == 1_000_000_001


def test_usual_times_are_as_arrow_gives_them():
    table = pa.table({"when": pa.array([datetime.datetime(2020, 1, 2, 3, 4, 5)], pa.timestamp("us"))})
    assert rows_of(table) == table.to_pylist()


def test_text_that_is_not_utf8_costs_no_clip():
    bad = pa.array([b"a\xff", b"good", None]).view(pa.string())
    assert rows_of(pa.table({"text": bad})) == [{"text": "a\ufffd"}, {"text": "good"}, {"text": None}]


def test_a_column_that_is_there_twice_is_named(tmp_path, content):
    table = pa.Table.from_arrays([pa.array([content]), pa.array([1]), pa.array([2])], names=["audio", "x", "x"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(ConfigError, match=r"a\.parquet has more than one column of the name x: rename them"):
        list_input(str(tmp_path / "a.parquet"))


@pytest.mark.parametrize("kind", ["binary_view", "fixed", "dictionary", "large_binary"])
def test_bytes_of_every_type_of_arrow_are_audio(run, tmp_path, content, kind):
    types = {
        "binary_view": lambda: pa.binary_view(), "fixed": lambda: pa.binary(len(content)),
        "dictionary": lambda: pa.dictionary(pa.int32(), pa.binary()), "large_binary": pa.large_binary,
    }  # fmt: skip
    if kind == "binary_view" and not hasattr(pa, "binary_view"):
        pytest.skip("this version of Arrow has no views")
    column = pa.array([content] * 2, types[kind]())
    report, out = run(write(tmp_path / "a.parquet", audio=column, n=[1, 2]))
    assert (report.clips, report.broken) == (2, ())
    assert [row["n"] for row in open_codes(out)] == [1, 2]


@pytest.mark.parametrize("kind", ["string_view", "dictionary"])
def test_paths_of_every_type_of_arrow_are_audio(tmp_path, kind):
    if kind == "string_view" and not hasattr(pa, "string_view"):
        pytest.skip("this version of Arrow has no views")
    column = pa.array(["x.wav"], pa.string_view() if kind == "string_view" else pa.dictionary(pa.int32(), pa.string()))
    listing = list_input(str(write(tmp_path / "a.parquet", file=column, n=[1])))
    assert [recording.sound for recording in read_entry(listing.entries[0])] == [str(tmp_path / "x.wav")]


def test_where_no_column_shows_itself_the_option_is_named(tmp_path, content):
    with pytest.raises(ConfigError, match=r"among what, n: call it audio, or name it with --audio-column"):
        list_input(str(write(tmp_path / "a.parquet", what=[content], n=[1])))

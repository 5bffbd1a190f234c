"""Codes equal those of each clip alone, in the order of the input, whatever does the work."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from recodec.audio.files import read_audio
from recodec.audio.writer import write_audio
from recodec.codec import Codec, ModelChoice
from recodec.errors import ConfigError
from recodec.tokenize import open_codes, tokenize
from support.systems import named_pipe

from .conftest import sound, tree


def expected_ids(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.glob("*/*") if p.suffix in (".wav", ".flac"))


@pytest.mark.parametrize("format", ["parquet", "tar", "ecdc"])
@pytest.mark.parametrize("batch", [1, 3])
def test_codes_are_those_of_each_clip_alone(run, clips, codec, format, batch):
    report, out = run(clips, format=format, batch=batch)
    rows = list(open_codes(out))
    assert [row["id"] for row in rows] == expected_ids(clips)
    assert (report.clips, report.shards, report.broken) == (12, 3, ())
    used = set()
    for row in rows:
        audio, _ = read_audio(clips / row["id"], rate_hz=24_000, channels=1)
        codes, scales = codec.encode(audio)
        np.testing.assert_array_equal(row["codes"], codes)
        assert scales is None
        assert row["scales"] is None
        assert row["num_samples"] == audio.shape[1]
        assert row["fingerprint"] == codec.engine.fingerprint
        used |= set(codes.ravel().tolist())
    assert len(used) > 32  # a toy that gave one code for everything would prove nothing
    assert report.seconds == pytest.approx(sum(row["num_samples"] for row in rows) / 24_000)


def test_a_model_with_segments_gives_scales(run, clips, segmented):
    codec = Codec.of_choice(segmented)
    _, out = run(clips, model=segmented, batch=4, long_s=1.0)
    for row in open_codes(out):
        audio, _ = read_audio(clips / row["id"], rate_hz=8_000, channels=2)
        codes, scales = codec.encode(audio)
        np.testing.assert_array_equal(row["codes"], codes)
        assert scales is not None
        np.testing.assert_allclose(row["scales"], scales, rtol=1e-5)


@pytest.mark.parametrize("kind", ["model", "segmented"])
def test_ecdc_files_are_those_of_compress(run, clips, kind, request):
    choice = request.getfixturevalue(kind)
    codec = Codec.of_choice(choice)
    _, out = run(clips, model=choice, format="ecdc")
    for id in expected_ids(clips):
        audio, _ = read_audio(clips / id, rate_hz=codec.sampling_rate, channels=codec.config.audio_channels)
        assert (out / f"{id}.ecdc").read_bytes() == codec.compress(audio)


def test_bytes_do_not_depend_on_batch_workers_or_streaming(run, clips):
    _, plain = run(clips, "plain")
    for name, options in {"batch": {"batch": 7}, "workers": {"workers": 2}, "streaming": {"long_s": 0.5}}.items():
        _, other = run(clips, name, **options)
        assert tree(other) == tree(plain)


def test_bytes_do_not_depend_on_processes(run, clips):
    _, plain = run(clips, "plain")
    _, other = run(clips, "two", processes=2, workers=1)
    assert tree(other) == tree(plain)


def test_codes_may_be_binary(run, clips):
    _, lists = run(clips, "lists")
    _, binary = run(clips, "binary", codes="binary")
    first = pq.read_table(binary / "codes-000000.parquet").to_pylist()[0]
    flat = np.frombuffer(first["codes"], "<i2")
    assert flat.size == first["num_codebooks"] * first["num_frames"]
    for a, b in zip(open_codes(lists), open_codes(binary), strict=True):
        assert a["codes"].equal(b["codes"])


def test_readers_of_parquet_read_the_folder_as_it_is(run, clips):
    _, out = run(clips)
    table = pq.read_table(out)
    assert table.num_rows == 12
    row = table.to_pylist()[3]
    assert len(row["codes"]) == row["num_codebooks"] == 8
    assert {len(line) for line in row["codes"]} == {row["num_frames"]}


def test_other_bandwidths(run, clips):
    _, out = run(clips, bandwidth=0.9)
    assert open_codes(out)[0]["codes"].shape[0] == 2
    with pytest.raises(ConfigError, match="bandwidth"):
        run(clips, "other", bandwidth=7.0)


def test_broken_clips_are_listed_with_reasons(run, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(94):
        write_audio(folder / f"{i:03d}.wav", sound(0.05, 24_000, seed=i), 24_000)
    whole = (folder / "000.wav").read_bytes()
    (folder / "x1.wav").write_bytes(b"")
    (folder / "x2.wav").write_text("this is no sound")
    (folder / "x3.wav").write_bytes(whole[:1000])
    write_audio(folder / "x4.flac", sound(0.5, 24_000), 24_000)
    (folder / "x4.flac").write_bytes((folder / "x4.flac").read_bytes()[:-5000])
    (folder / "x5.wav").write_bytes(whole[:40] + b"\0\0\0\0")
    soundfile.write(folder / "x6.wav", np.full(900, np.nan), 24_000, "FLOAT")
    soundfile.write(folder / "x7.wav", np.zeros((900, 9)), 24_000)
    (folder / "x8.wav").symlink_to(folder / "nowhere.wav")
    pipe = {"x9.wav": "is not a file"} if named_pipe(folder / "x9.wav") else {}
    (folder / "not listed.wav").symlink_to(tmp_path)
    report, out = run(folder, shard_clips=40)
    reasons = {id: reason for id, _, reason in report.broken}
    words = {
        "x1.wav": "is empty", "x2.wav": "is not an audio file", "x3.wav": "was cut off",
        "x4.flac": "damaged|was cut off",
        "x5.wav": "no samples", "x6.wav": "NaN", "x7.wav": "9 channels", "x8.wav": "No such file",
        **pipe,
    }  # fmt: skip
    assert reasons.keys() == words.keys()
    for id, pattern in words.items():
        assert any(word in reasons[id] for word in pattern.split("|")), reasons[id]
        assert "partial" not in reasons[id]  # advice for other verbs
    assert report.clips == len(open_codes(out)) == 94
    lines = (out / "_tokenize" / "broken.tsv").read_text().splitlines()
    assert lines[0] == "id\tpath\treason"
    assert len(lines) == 1 + len(words)
    assert json.loads((out / "_tokenize" / "report.json").read_text())["broken"] == len(words)


def test_a_name_that_is_too_long_takes_no_other_clips_codes(run, codec, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for seed, name in enumerate((251 * "a", "b", "c")):
        write_audio(folder / f"{name}.wav", sound(0.5, 24_000, seed=seed), 24_000)
    report, out = run(folder, format="ecdc", batch=4)
    assert [(id, "too long" in reason) for id, _, reason in report.broken] == [(251 * "a" + ".wav", True)]
    for row in open_codes(out):
        audio, _ = read_audio(folder / row["id"], rate_hz=24_000, channels=1)
        np.testing.assert_array_equal(row["codes"], codec.encode(audio)[0])
    assert report.clips == 2


def test_codebooks_whose_codes_would_wrap_are_refused(run, clips, model, monkeypatch):
    large = Codec.of_choice(model)
    monkeypatch.setattr(large.config, "codebook_size", 1 << 16)
    monkeypatch.setattr(Codec, "of_choice", lambda choice: large)
    with pytest.raises(ConfigError, match="65,536"):
        run(clips)


def test_a_shard_without_sound_clips_has_no_file(run, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.wav").write_text("no")
    write_audio(tmp_path / "in" / "b.wav", sound(0.1, 24_000), 24_000)
    report, out = run(tmp_path / "in", shard_clips=1)
    assert [file.name for file in out.glob("*.parquet")] == ["codes-000001.parquet"]
    assert report.clips == 1


def test_a_long_file_that_breaks_in_the_middle(run, tmp_path):
    audio = sound(4.0, 24_000)
    write_audio(tmp_path / "in.wav", audio, 24_000, subtype="FLOAT")
    content = bytearray((tmp_path / "in.wav").read_bytes())
    content[-4000:-3996] = np.array([np.nan], "<f4").tobytes()
    (tmp_path / "in.wav").write_bytes(content)
    report, _ = run(tmp_path / "in.wav")
    assert report.clips == 0
    assert "NaN" in report.broken[0][2]


def test_half_precision_tells_what_it_costs(run, clips, model):
    pytest.importorskip("torch")
    half = ModelChoice(model.name, dtype="bf16", threads=1)
    report, out = run(clips, model=half)
    assert report.mismatch is not None
    assert len(report.mismatch.by_codebook) == 8
    again, _ = run(clips, model=half)
    assert again.mismatch == report.mismatch
    _, exact = run(clips, "exact")
    pairs = zip(open_codes(out), open_codes(exact), strict=True)
    share = np.mean(np.concatenate([(a["codes"] != b["codes"]).numpy().ravel() for a, b in pairs]))
    # How large it is depends on the processor: torch 2.13 counts a convolution of this toy wrongly where it uses AMX.
    assert share > 0
    assert report.mismatch.percent == pytest.approx(100 * share, abs=5)  # of a part of the clips
    with pytest.raises(ConfigError, match="takes the torch engine"):
        run(clips, "onnx", model=ModelChoice(model.name, "onnx", dtype="fp16"))


def test_torch_gives_the_same_codes(run, clips, model):
    _, a = run(clips, "onnx")
    _, b = run(clips, "torch", model=ModelChoice(model.name, "torch", threads=1), batch=4)
    same = [(x["codes"] == y["codes"]).numpy().ravel() for x, y in zip(open_codes(a), open_codes(b), strict=True)]
    assert np.concatenate(same).mean() >= 0.9999


@pytest.mark.parametrize(
    "options", [{"format": "zip"}, {"codes": "text"}, {"shard_clips": 0}, {"batch": 0}, {"engine": "spark"}]
)
def test_settings_that_cannot_be_are_refused(run, clips, options):
    with pytest.raises(ConfigError):
        run(clips, **options)


def test_a_folder_of_something_else_is_left_alone(clips, model, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ConfigError, match="not empty"):
        tokenize(clips, tmp_path, model=model, processes=0)

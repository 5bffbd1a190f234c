"""The verbs that work on files without a model: verify, cut, concat, transcode."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recodec import Codec
from recodec.wire.v1.header import Header
from recodec.wire.v1.inspection import Inspection, inspect
from recodec.wire.v1.payload import make_packets
from recodec.wire.v1.reader import PacketReader
from recodec.wire.v1.writer import StreamWriter


def stream(codebooks: int = 8, hop: int = 320) -> bytes:
    """10 s of any codes in packets of 1 s."""
    header = Header(24_000, 1, hop, codebooks, 10, 75)
    codes = np.arange(8 * 750).reshape(750, 8).T[:codebooks] % 1024
    file = io.BytesIO()
    writer = StreamWriter(file, header)
    for packet in make_packets(header, 0, np.split(codes, 10, axis=1)):
        writer.write(packet)
    writer.finish(240_000 - 100 if hop == 320 else writer.end_position * hop)
    return file.getvalue()


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.ecdc"
    path.write_bytes(stream())
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    data = bytearray(stream())
    data[len(data) // 2] ^= 1
    path = tmp_path / "bad.ecdc"
    path.write_bytes(data)
    return path


def report_of(path: Path) -> Inspection:
    with open(path, "rb") as file:
        return inspect(file)


def test_verify_tells_good_from_bad(recodec, good, bad, tmp_path):
    result = recodec("verify", good)
    assert (result.code, result.out) == (0, f"{good}: good, 10 packets, 10.00 s\n")
    assert recodec("verify", "-q", good).out == ""
    result = recodec("verify", "-q", good, bad)
    assert result.code == 1
    assert f"{bad}: damaged; 1.000 s of 10.00 s are lost" in result.out
    assert "lost: 4.000 s to 5.000 s" in result.out
    assert "a packet is damaged: its checksum is wrong" in result.out
    text = tmp_path / "text.ecdc"
    text.write_text("no stream at all")
    result = recodec("verify", text)
    assert result.code == 1
    assert "there is no .ecdc header in these 16 bytes" in result.out


@pytest.mark.parametrize("known", [True, False])
def test_a_missing_end_is_said(recodec: Callable, model: Path, tmp_path: Path, known: bool) -> None:
    """The header of a whole array tells its length; a stream was begun before its length was known."""
    codec, audio = Codec.from_pretrained(model), np.zeros((1, 24_000 * 10), np.float32)
    file = io.BytesIO()
    with codec.writer(file, packet_s=1.0, num_samples=audio.shape[1] if known else None) as writer:
        writer.push(audio)
    data = file.getvalue()
    cut = tmp_path / "cut.ecdc"
    cut.write_bytes(data[: len(data) // 2])
    verified = recodec("verify", cut).out
    state = recodec("info", cut).out.splitlines()[-1]
    played = recodec("decompress", cut, tmp_path / "cut.wav", "--damaged", "--model", model)
    assert played.code == 0
    if known:
        assert "damaged; 6.000 s of 10.00 s are lost" in verified
        assert "damaged: 6.000 s of 10.00 s are lost" in state
        assert "6.000 s were lost" in played.err
        assert "the end of" not in played.err
    else:
        assert "damaged; the end is missing after 4.00 s, and how much that is cannot be said" in verified
        assert "damaged: the end is missing after 4.00 s" in state
        assert f"the end of {cut} is missing: 4.0 s are there" in played.err


@pytest.mark.parametrize(("start", "stop", "lost"), [(3, 6, 2.0), (4.5, 4.75, 0.25), (5, 10, 1.0), (6, 10, None),
                                                     (0, 4, None)])  # fmt: skip
def test_what_was_lost_is_counted_where_it_is_heard(
    recodec: Callable, model: Path, tmp_path: Path, start: float, stop: float, lost: float | None
) -> None:
    file = io.BytesIO()
    with Codec.from_pretrained(model).writer(file, packet_s=1.0) as writer:
        writer.push(np.zeros((1, 24_000 * 10), np.float32))
    data, reader = bytearray(file.getvalue()), PacketReader()
    ends = [end for end in range(1, len(data)) if reader.feed(data[end - 1 : end])]  # of the packets
    data[ends[3] : ends[5]] = bytes(ends[5] - ends[3])  # 4 s to 6 s
    (tmp_path / "x.ecdc").write_bytes(data)
    done = recodec("decompress", tmp_path / "x.ecdc", "--damaged", "--start", start, "--stop", stop, "--model", model)
    assert done.code == 0
    assert re.findall(r"([\d.]+) s were lost", done.err) == ([] if lost is None else [f"{lost:.3f}"])


def test_verify_of_much_damage_is_brief(recodec, tmp_path):
    data = bytearray(stream())
    data[100::50] = bytes(len(data[100::50]))
    path = tmp_path / "worse.ecdc"
    path.write_bytes(data[:-30])
    result = recodec("verify", path)
    assert result.code == 1
    assert len(result.out.splitlines()) < 25


def test_cut_takes_times_of_all_forms(recodec, good, tmp_path):
    out = tmp_path / "out.ecdc"
    result = recodec("cut", good, out, "--start", "2.5", "--stop", "0:00:07")
    assert (result.code, result.out) == (0, f"{out}: 2.493 s to 7.000 s\n")
    assert report_of(out).intact
    assert report_of(out).num_samples == 7 * 24_000 - 187 * 320
    assert recodec("cut", good, out, "--start", ".5", "-f").out.endswith("0.493 s to 9.996 s\n")
    for wrong in ("x", "1:2:3:4", "-1", "1e3", ""):
        assert recodec("cut", good, out, "-f", f"--start={wrong}").code == 2


def test_a_cut_of_nothing_leaves_nothing(recodec, good, tmp_path):
    out = tmp_path / "out.ecdc"
    for options in (["--start", "11"], ["--start", "3", "--stop", "2"]):
        result = recodec("cut", good, out, *options)
        assert result.code == 2
        assert "nothing" in result.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["good.ecdc"]


def test_concat(recodec, good, tmp_path):
    out = tmp_path / "out.ecdc"
    assert recodec("concat", good, good, good, "-o", out).code == 0
    report = report_of(out)
    assert report.intact
    assert (report.num_sections, report.num_samples) == (3, 720_000 - 100)


def test_streams_of_other_models_are_not_joined(recodec, good, tmp_path):
    other = tmp_path / "other.ecdc"
    other.write_bytes(stream(hop=640))
    result = recodec("concat", good, other, "-o", tmp_path / "out.ecdc")
    assert result.code == 1
    assert "not of one model: their hop is 320 and 640" in result.err
    assert not (tmp_path / "out.ecdc").exists()


def test_transcode_gives_what_fewer_codebooks_give(recodec, good, tmp_path):
    out = tmp_path / "out.ecdc"
    assert recodec("transcode", good, out, "-b", 1.5).code == 0
    assert out.read_bytes() == stream(codebooks=2)
    result = recodec("transcode", good, out, "-f", "-b", 0.5)
    assert result.code == 2
    assert "it can be lowered to 0.75, 1.5," in result.err


VERBS = [
    ("cut", lambda source, out: [source, out]),
    ("concat", lambda source, out: [source, "-o", out]),
    ("transcode", lambda source, out: [source, out, "-b", 3]),
]


@pytest.mark.parametrize(("verb", "arguments"), VERBS, ids=["cut", "concat", "transcode"])
def test_nothing_is_overwritten_and_damage_stops_unless_it_is_asked_for(recodec, verb, arguments, good, bad, tmp_path):
    out = tmp_path / "out.ecdc"
    out.write_text("precious")
    result = recodec(verb, *arguments(good, out))
    assert result.code == 2
    assert "--force" in result.err
    result = recodec(verb, *arguments(bad, out), "--force")
    assert result.code == 1
    assert "checksum" in result.err
    assert out.read_text() == "precious"
    assert recodec(verb, *arguments(bad, out), "--force", "--damaged").code == 0
    report = report_of(out)
    assert (report.lost_ticks, report.num_damages, report.complete) == (75, 0, True)


@pytest.mark.parametrize(
    ("verb", "more"), [("cut", []), ("transcode", ["-b", "1.5"]), ("concat", None)], ids=["cut", "transcode", "concat"]
)
def test_what_is_missing_is_said_where_damage_is_gone_over(recodec, good, tmp_path, verb, more):
    """The result of a file whose end is missing is whole by itself."""
    cut_off = tmp_path / "cut-off.ecdc"
    cut_off.write_bytes(good.read_bytes()[:4000])
    out = tmp_path / "out.ecdc"
    arguments = [cut_off, "-o", out] if more is None else [cut_off, out, *more]
    done = recodec(verb, *arguments, "--damaged")
    assert done.code == 0, done.err
    assert f"{cut_off}: damaged; the end is missing after 5.00 s" in done.err
    assert report_of(out).intact


@pytest.mark.parametrize(("verb", "more"), [("cut", ["IN", "OUT"]), ("transcode", ["IN", "OUT", "-b", "3"]),
                                            ("concat", ["IN", "-o", "OUT"])])  # fmt: skip
def test_no_compressed_file_gets_the_suffix_of_audio(recodec, good, tmp_path, verb, more):
    names = {"IN": good, "OUT": tmp_path / "x.wav"}
    done = recodec(verb, *(names.get(word, word) for word in more), "-f")
    assert done.code == 2
    assert "x.wav has the suffix of an audio file, and would be an .ecdc file: name it .ecdc" in done.err
    assert not (tmp_path / "x.wav").exists()


def test_what_was_made_is_said(recodec, good, tmp_path):
    done = recodec("transcode", good, tmp_path / "low.ecdc", "-b", "3")
    size = (tmp_path / "low.ecdc").stat().st_size
    assert done.err == f"{tmp_path / 'low.ecdc'}: {size:,} bytes, {8 * size / 1000 / 9.99583:.2f} kbps, 10.0 s\n"
    assert recodec("transcode", "-q", good, tmp_path / "lower.ecdc", "-b", "1.5").err == ""


def test_a_header_that_can_be_mended_comes_with_advice(recodec, model, tmp_path):
    codec = Codec.from_pretrained(model)
    data = bytearray(codec.compress(np.full((1, 24_000), 0.1, np.float32)))
    data[12] ^= 1
    (tmp_path / "a.ecdc").write_bytes(data)
    done = recodec("decompress", tmp_path / "a.ecdc", "--model", model)
    assert done.code == 1
    assert "the header is damaged: its checksum is wrong; --damaged plays what can be played" in done.err
    assert recodec("decompress", tmp_path / "a.ecdc", "--model", model, "--damaged").code == 0


def test_bytes_after_a_file_of_version_0_do_not_keep_it_from_being_played(recodec, tmp_path):
    codec = Codec.from_pretrained()
    data = codec.compress(np.full((1, 24_000), 0.1, np.float32), 6.0, version=0)
    (tmp_path / "a.ecdc").write_bytes(data + b"15 bytes follow")
    done = recodec("decompress", tmp_path / "a.ecdc")
    assert done.code == 1
    assert "15 bytes are left over after the last segment; --damaged plays what can be played" in done.err
    assert recodec("decompress", tmp_path / "a.ecdc", "--damaged").code == 0


@pytest.mark.parametrize("verb", ["info", "verify"])
def test_a_name_that_is_not_there_does_not_keep_the_others_from_being_read(recodec, good, tmp_path, verb):
    done = recodec(verb, good, tmp_path / "missing.ecdc", tmp_path, good)
    assert done.code == 1
    assert (done.out + done.err).count(f"{tmp_path / 'missing.ecdc'}: No such file or directory") == 1
    assert f"{tmp_path}: Is a directory" in done.out + done.err
    assert done.out.count(str(good)) == 2
    assert recodec(verb, tmp_path / "missing.ecdc").code == 1


def test_where_nothing_is_left_after_a_start_it_says_so(recodec, model, tmp_path):
    codec = Codec.from_pretrained(model)
    with codec.writer(tmp_path / "whole.ecdc", packet_s=1.0) as writer:
        writer.push(np.full((1, 240_000), 0.1, np.float32))
    data = (tmp_path / "whole.ecdc").read_bytes()
    (tmp_path / "a.ecdc").write_bytes(data[: len(data) // 2])
    done = recodec("decompress", tmp_path / "a.ecdc", "--damaged", "--start", "8", "--model", model)
    assert done.code == 1
    assert "a.ecdc has no audio after 8 s in what is left of it" in done.err

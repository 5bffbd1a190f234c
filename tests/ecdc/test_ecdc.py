"""`recodec.ecdc`: a path, bytes and an open file get the same answer; results are what `Codec` writes."""

import io

import numpy as np
import pytest

from recodec import ecdc, presets
from recodec.cli import run
from recodec.codec import Codec
from recodec.errors import BitstreamError, ConfigError, CorruptError, TruncatedError, UnsupportedError
from recodec.wire.v0.files import Metadata
from recodec.wire.v0.size import payload_bytes


@pytest.fixture(scope="module")
def codec():
    return Codec.from_pretrained(threads=1)


@pytest.fixture(scope="module")
def audio():
    time = np.arange(72_000) / 24_000
    return (0.2 * np.sin(2 * np.pi * 300 * time * (1 + 0.1 * time))).astype(np.float32)[None]


@pytest.fixture(scope="module")
def data(codec, audio):
    return codec.compress(audio, 6.0)


@pytest.fixture(params=["bytes", "path", "text", "file"])
def source(request, data, tmp_path):
    path = tmp_path / "x.ecdc"
    path.write_bytes(data)
    return {"bytes": data, "path": path, "text": str(path), "file": io.BytesIO(data)}[request.param]


def test_inspect(source):
    found = ecdc.inspect(source)
    assert found.intact
    assert found.duration_s == pytest.approx(3.0)


def test_verify_names_damage(data):
    ecdc.verify(data)
    with pytest.raises(CorruptError):
        ecdc.verify(data[:-40] + bytes(20) + data[-20:])


def test_cut_keeps_a_stretch(source, codec, data):
    kept = ecdc.cut(source, start_s=1.0, stop_s=2.0)
    assert isinstance(kept, bytes)
    codes, _, length = codec.unpack(kept)
    assert length == 24_000
    assert np.array_equal(codes, codec.unpack(data)[0][:, 75:150])


def test_concat_joins(source, data, codec):
    joined = ecdc.concat([data, data])
    assert joined is not None
    ecdc.verify(joined)
    assert codec.decompress(joined).shape == (1, 144_000)


def test_peel_is_what_compress_writes_at_that_bandwidth(source, codec, audio):
    assert ecdc.peel(source, bandwidth=1.5) == codec.compress(audio, 1.5)


def test_upgrade_is_what_compress_writes(codec, audio, data):
    old = codec.compress(audio, 6.0, version=0)
    upgraded = ecdc.upgrade(old)
    assert isinstance(upgraded, bytes)
    assert np.array_equal(codec.unpack(upgraded)[0], codec.unpack(data)[0])
    assert ecdc.inspect(upgraded).intact


def test_unpack_needs_no_networks(source, codec, data):
    codes, scales, length = ecdc.unpack(source)
    assert np.array_equal(codes, codec.unpack(data)[0])
    assert (scales, length) == (None, 72_000)


def test_a_target_appears_whole_or_not_at_all(data, tmp_path):
    target = tmp_path / "cut.ecdc"
    with pytest.raises(ConfigError, match="nothing between"):
        ecdc.cut(data, target, start_s=50.0)
    assert not list(tmp_path.iterdir())
    assert ecdc.cut(data, target, start_s=1.0) == (1.0, 3.0)
    with pytest.raises(FileExistsError):
        ecdc.cut(data, target)
    ecdc.cut(data, target, overwrite=True)
    assert ecdc.inspect(target).duration_s == pytest.approx(3.0)


@pytest.mark.parametrize("verb", [ecdc.inspect, ecdc.verify, ecdc.cut, ecdc.peel, ecdc.unpack])
@pytest.mark.parametrize("bad", [b"", b"RIFF1234WAVE", b"ECDC"])
def test_what_is_not_such_a_file_is_refused(verb, bad):
    arguments = {"num_codebooks": 1} if verb is ecdc.peel else {}
    with pytest.raises(BitstreamError):
        verb(bad, **arguments)


def test_version_0_has_no_checksums(codec, audio):
    old = codec.compress(audio, 6.0, version=0)
    for verb in (ecdc.inspect, ecdc.verify, ecdc.cut):
        with pytest.raises(UnsupportedError, match="version 0"):
            verb(old)


def test_the_size_of_a_file_of_version_0_is_looked_at(codec, audio, tmp_path, capsys):
    config = presets.recodec_24khz()
    head = Metadata("recodec_24khz", 24_000, 8, "0" * 16).to_bytes()
    data = head + bytes(payload_bytes(config, 24_000, 8))
    found = [ecdc.facts(part) for part in (data, data[:-1], data + b"x")]
    assert [f["complete"] for f in found] == [True, False, True]
    assert [f["loss"] for f in found] == [
        None, "the header promises 750 bytes of codes, 749 are there", "1 byte is left over after the last segment"
    ]  # fmt: skip
    with pytest.raises(UnsupportedError, match="its size is right, but whether its codes are damaged cannot be said"):
        ecdc.inspect(data)
    with pytest.raises(TruncatedError, match="promises 750 bytes"):
        ecdc.verify(data[:-1])
    assert ecdc.facts(codec.compress(audio, 6.0, version=0))["complete"]
    assert ecdc.facts(data.replace(b"recodec_24khz", b"another model"))["complete"] is None
    (tmp_path / "a.ecdc").write_bytes(data[:-1])
    assert run(["info", str(tmp_path / "a.ecdc")]) == 0
    assert "cut off: the header promises 750 bytes of codes, 749 are there" in capsys.readouterr().out
    assert run(["verify", str(tmp_path / "a.ecdc")]) == 1

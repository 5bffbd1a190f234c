"""What a user of `Codec` needs beside encode and decode: bytes, files, pieces, copies, processes."""

import copy
import io
import pickle

import numpy as np
import pytest
import soundfile

from recodec import audio as recodec_audio
from recodec import ecdc
from recodec.codec import Codec
from recodec.errors import BitstreamError, CorruptError
from support.codecs import CONFIGS, music

KINDS = tuple(CONFIGS)


@pytest.fixture(scope="module")
def shipped():
    return Codec.from_pretrained(threads=1)


@pytest.fixture(scope="module")
def recording():
    rng = np.random.default_rng(3)
    time = np.arange(30_011) / 24_000
    return (0.2 * np.sin(2 * np.pi * 220 * time) + 0.01 * rng.standard_normal(30_011)).astype(np.float32)[None]


def equal(left, right):
    return left is right if left is None or right is None else np.array_equal(left, right)


@pytest.mark.parametrize("kind", KINDS)
def test_pack_writes_what_compress_writes(engines, kind):
    codec = Codec(engines[kind])
    audio = music(codec.config, 2345)
    codes, scales = codec.encode(audio)
    assert codec.pack(codes, scales, 2345) == codec.compress(audio, max(codec.config.target_bandwidths))


@pytest.mark.parametrize("kind", KINDS)
def test_unpack_returns_what_was_packed(engines, kind):
    codec = Codec(engines[kind])
    codes, scales = codec.encode(music(codec.config, 2345))
    data = codec.pack(codes, scales, 2345)
    for found in (codec.unpack(data), ecdc.unpack(data)):
        assert np.array_equal(found[0], codes)
        assert equal(found[1], scales)
        assert found[2] == 2345


def test_codes_of_another_model_are_not_packed(engines):
    codec = Codec(engines["reflect"])
    codes, _ = codec.encode(music(codec.config, 2345))
    with pytest.raises(CorruptError):
        codec.pack(codes + 5000)


def test_a_writer_takes_pieces_and_writes_the_same_file(shipped, recording, tmp_path):
    path = tmp_path / "pieces.ecdc"
    with shipped.writer(path, bandwidth=6.0) as writer:
        for start in range(0, recording.shape[1], 7001):
            writer.push(recording[:, start : start + 7001])
    whole = shipped.compress(recording, 6.0)
    assert np.array_equal(shipped.unpack(path.read_bytes())[0], shipped.unpack(whole)[0])
    open_file = io.BytesIO()
    with shipped.writer(open_file, bandwidth=6.0) as writer:
        writer.push(recording)
    assert np.array_equal(shipped.decompress(open_file.getvalue()), shipped.decompress(whole))


def test_a_writer_that_fails_leaves_no_file(shipped, recording, tmp_path):
    def fails_halfway():
        with shipped.writer(tmp_path / "failed.ecdc") as writer:
            writer.push(recording)
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        fails_halfway()
    assert not list(tmp_path.iterdir())


def test_play_takes_a_path_bytes_and_a_file(shipped, recording, tmp_path):
    data = shipped.compress(recording)
    (tmp_path / "x.ecdc").write_bytes(data)
    expected = shipped.decompress(data)
    for source in (data, str(tmp_path / "x.ecdc"), tmp_path / "x.ecdc", io.BytesIO(data)):
        assert np.array_equal(np.concatenate(list(shipped.play(source)), axis=1), expected)


def test_files_are_compressed_and_decompressed(shipped, recording, tmp_path):
    soundfile.write(tmp_path / "x.wav", recording.T, 24_000, subtype="FLOAT")
    there = shipped.compress_file(tmp_path / "x.wav", tmp_path / "x.ecdc", 6.0)
    shipped.decompress_file(tmp_path / "x.ecdc", tmp_path / "back.flac")
    back, rate = soundfile.read(tmp_path / "back.flac", dtype="float32")
    assert rate == 24_000
    assert there.num_samples == recording.shape[1]
    expected = shipped.decompress(shipped.compress(recording, 6.0))[0]
    assert np.abs(back - expected).max() < 2 / 32768
    with pytest.raises(FileExistsError):
        shipped.compress_file(tmp_path / "x.wav", tmp_path / "x.ecdc")


def test_audio_of_another_rate_is_resampled(shipped, recording):
    resampled = recodec_audio.resample(recording, 48_000, 24_000)
    codes, _ = shipped.encode(recording, sampling_rate=48_000)
    assert np.mean(codes == shipped.encode(resampled)[0]) > 0.99


@pytest.mark.parametrize("copied", [lambda codec: pickle.loads(pickle.dumps(codec)), copy.deepcopy])
def test_a_copy_codes_alike(shipped, recording, copied):
    other = copied(shipped)
    assert other.fingerprints == shipped.fingerprints
    assert other.compress(recording) == shipped.compress(recording)


def test_it_says_what_it_is(shipped):
    assert "recodec_24khz" in repr(shipped)
    assert "24000" in repr(shipped).replace(" ", "")
    assert (shipped.sampling_rate, shipped.frame_rate) == (24_000, 75)


def test_bytes_of_another_model_are_refused(shipped, engines):
    other = Codec(engines["reflect"])
    with pytest.raises(BitstreamError):
        shipped.unpack(other.compress(music(other.config, 2345)))

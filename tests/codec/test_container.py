"""Files of both versions, written and read in pieces, on pipes, and damaged."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.codec import Codec
from recodec.codec.container import open_reader, open_writer
from recodec.codec.torch_engine import TorchEngine
from recodec.errors import (
    AudioError,
    BitstreamError,
    ConfigError,
    CorruptError,
    ModelMismatchError,
    TruncatedError,
    UnsupportedError,
)
from recodec.wire.v1.header import Header
from recodec.wire.v1.packets import End, Packet
from recodec.wire.v1.payload import make_packets
from recodec.wire.v1.reader import PacketReader
from recodec.wire.v1.writer import StreamWriter
from support.codecs import CONFIGS, music
from support.pipes import Pipe

KINDS = tuple(CONFIGS)


def written(engine, audio, sizes=(), **options):
    file = io.BytesIO()
    compressor = open_writer(file, engine, 2, **options)
    for piece in np.split(audio, np.cumsum(np.array(sizes, int)), axis=1):
        compressor.push(piece)
    compressor.close()
    return file.getvalue()


def heard(engine, file, grid_frames=75):
    return np.concatenate(list(open_reader(file).pieces(engine, grid_frames=grid_frames)), axis=1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [0, 1])
@given(
    length=st.integers(1, 2500), known=st.booleans(), sizes=st.lists(st.integers(0, 900), max_size=5),
    most=st.integers(1, 400), packet_s=st.sampled_from([0.001, 0.03, 2.0]),
)  # fmt: skip
@settings(deadline=None, max_examples=8, derandomize=True)
def test_files_and_pipes_in_any_pieces(engines, kind, version, length, known, sizes, most, packet_s):
    engine = engines[kind]
    audio = music(engine.config, length)
    options = {"version": version, "packet_s": packet_s, "num_samples": length if known else None}
    data = written(engine, audio, **options)
    assert written(engine, audio, sizes, **options) == data
    back = heard(engine, io.BytesIO(data))
    assert back.shape == audio.shape
    assert np.array_equal(heard(engine, Pipe(data, most)), back)
    assert open_reader(io.BytesIO(data)).num_samples == length
    assert open_reader(Pipe(data, most)).num_samples == (length if known or version == 0 else None)


def test_version_0_is_the_same_whether_the_length_is_known(engines):
    audio = music(engines["constant"].config, 3000)
    assert written(engines["constant"], audio, version=0) == written(
        engines["constant"], audio, version=0, num_samples=3000
    )


def test_packets_leave_and_play_while_audio_comes(engines):
    """With packets of one frame, the delay of the file is a frame to write, and one more to read."""
    engine, hop = engines["constant"], engines["constant"].config.hop_length
    file = io.BytesIO()
    compressor = open_writer(file, engine, 2, packet_s=1 / 75)
    reader, frames = PacketReader(), 0
    reader.feed(file.getvalue())  # the header is there from the start
    audio = music(engine.config, 10 * hop)
    for i in range(10):
        before = file.tell()
        compressor.push(audio[:, i * hop : (i + 1) * hop])
        frames += sum(not isinstance(event, End) for event in reader.feed(file.getvalue()[before:]))
        assert frames == i + 1
    compressor.close()

    class Feed(Pipe):
        given = 0

        def read(self, size=-1, /):
            data = file.getvalue()[self.given : self.given + 1]
            self.given += len(data)
            return data

    feed, samples = Feed(b""), 0
    starts = [0, *(p.offset for p in PacketReader().read_from(io.BytesIO(file.getvalue())) if isinstance(p, Packet))]
    for piece in open_reader(feed).pieces(engine, grid_frames=1):
        samples += piece.shape[1]
        complete = sum(feed.given > start for start in starts[2:])
        assert samples > (complete - 1) * hop
    assert samples == 10 * hop


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [0, 1])
def test_damage_is_refused(engines, kind, version):
    engine = engines[kind]
    data = written(engine, music(engine.config, 1700), version=version, num_samples=1700)
    rng = np.random.default_rng(0)
    for end in [0, 3, 5, 20, *rng.integers(0, len(data), 10), len(data) - 1]:
        with pytest.raises(BitstreamError):
            heard(engine, io.BytesIO(data[:end]))
        with pytest.raises(BitstreamError):
            heard(engine, Pipe(data[:end], 50))
    with pytest.raises(CorruptError):
        heard(engine, io.BytesIO(data + b"\0"))
    for place in rng.integers(0, len(data), 20):
        flipped = bytearray(data)
        flipped[place] ^= 1 << rng.integers(8)
        try:
            assert heard(engine, io.BytesIO(bytes(flipped))).shape[1] >= 1
            assert version == 0  # which has no checksum
        except BitstreamError:
            pass


@pytest.mark.parametrize(("data", "error"), [
    (b"", TruncatedError), (b"EC", TruncatedError), (b"ECDC", TruncatedError), (b"RIFF....WAVE", CorruptError),
    (b"x", CorruptError), (b"ECDC\2.....", UnsupportedError), (b"ECDC\1", TruncatedError), (b"ECDC\0", TruncatedError),
])  # fmt: skip
def test_what_is_no_file(data, error):
    for file in (io.BytesIO(data), Pipe(data, 3)):
        with pytest.raises((error, CorruptError) if data == b"ECDC\1" else error):
            open_reader(file)


@pytest.mark.parametrize("version", [0, 1])
def test_the_announced_length_must_be_true(engines, version):
    engine = engines["constant"]
    audio = music(engine.config, 700)
    for length in (699, 701):
        with pytest.raises(AudioError, match="announced"):
            written(engine, audio, version=version, num_samples=length)
    with pytest.raises(AudioError, match="no samples"):
        written(engine, audio[:, :0], version=version)


@pytest.mark.parametrize("options", [{"version": 2}, {"packet_s": 0.0}, {"packet_s": 60.0}, {"packet_s": float("nan")}])
def test_impossible_settings(engines, options):
    with pytest.raises(ConfigError):
        written(engines["constant"], music(CONFIGS["constant"], 700), **options)


@pytest.mark.parametrize("version", [0, 1])
def test_other_weights_are_refused(engines, models, version):
    data = written(engines["constant"], music(CONFIGS["constant"], 700), version=version)
    other = TorchEngine(models["constant"], "test", "f" * 64)
    with pytest.raises(ModelMismatchError, match="ffff"):
        heard(other, io.BytesIO(data))


HEADER = Header(24_000, 1, 320, 4, 6, 150)


@pytest.mark.parametrize("changes", [
    {"sampling_rate": 32_000}, {"channels": 2}, {"hop": 160}, {"codebooks": 9}, {"code_bits": 7}, {"scaled": True},
    {"segment_length": 960, "segment_stride": 640},
])  # fmt: skip
def test_a_stream_without_fingerprint_must_have_the_geometry(engines, changes):
    header = Header(**{**vars(HEADER), **changes})
    file = io.BytesIO()
    StreamWriter(file, header).finish(0)
    with pytest.raises(ModelMismatchError, match=next(iter(changes))):
        heard(engines["constant"], io.BytesIO(file.getvalue()))


def test_meta_files_need_the_named_model(engines, models):
    meta = TorchEngine(models["reflect"], "encodec_24khz", "f" * 64)
    data = written(meta, music(CONFIGS["reflect"], 500), version=0)
    assert b'"fp"' not in data
    assert heard(meta, io.BytesIO(data)).shape == (1, 500)
    with pytest.raises(ModelMismatchError, match="'encodec_24khz', not with 'test'"):
        heard(engines["reflect"], io.BytesIO(data))


def stream_of(codes, num_samples, restart=()):
    """A version 1 stream of packets with these codes (K, F)."""
    file = io.BytesIO()
    writer = StreamWriter(file, HEADER)
    for i, piece in enumerate(codes):
        for packet in make_packets(HEADER, writer.position, [piece]):
            writer.write(type(packet)(**{**vars(packet), "restart": i in restart}))
    writer.finish(num_samples)
    return file.getvalue()


def test_a_stream_may_end_anywhere_in_its_last_frame(engines):
    engine, rng = engines["constant"], np.random.default_rng(0)
    codes = [rng.integers(0, 64, (2, frames)) for frames in (5, 4)]
    for num_samples in (8 * 320 + 1, 8 * 320 + 100, 9 * 320):
        data = stream_of(codes, num_samples)
        assert heard(engine, io.BytesIO(data)).shape == (1, num_samples)
        for grid in (1, 75):
            assert np.array_equal(heard(engine, Pipe(data, 9), grid), heard(engine, io.BytesIO(data), grid))


def test_a_section_starts_the_decoder_afresh(engines):
    engine, rng = engines["constant"], np.random.default_rng(0)
    first, second = rng.integers(0, 64, (2, 5)), rng.integers(0, 64, (3, 4))
    codec = Codec(engine)
    expected = np.concatenate([codec.decode(first), codec.decode(second)], axis=1)
    joined = heard(engine, io.BytesIO(stream_of([first, second], 9 * 320, restart=(1,))))
    assert np.array_equal(joined, expected)
    going_on = heard(engine, io.BytesIO(stream_of([first, second], 9 * 320)))
    assert not np.allclose(going_on, expected)

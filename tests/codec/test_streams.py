"""Live streams: bit-identical for any cut, and with the delay that is promised."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec import presets
from recodec.codec import Codec, StreamDecoder, StreamEncoder
from recodec.codec.latency import latency
from recodec.codec.rechunk import Rechunker
from recodec.errors import AudioError, ConfigError, CorruptError
from support.codecs import CAUSAL, music
from support.peers import variant


def pieces_of(array, sizes):
    return np.split(array, np.cumsum(sizes), axis=1)


@pytest.mark.parametrize("kind", CAUSAL)
@given(st.integers(0, 4000), st.integers(1, 4), st.lists(st.integers(0, 900), max_size=12), st.integers(0, 99))
@settings(deadline=None, max_examples=20, derandomize=True)
def test_any_cut_gives_the_same_bits(engines, kind, length, grid, sizes, seed):
    engine = engines[kind]
    audio = music(engine.config, length, seed)
    whole = StreamEncoder(engine, 4, grid)
    expected = np.concatenate([whole.push(audio), whole.finish()], axis=1)
    assert expected.shape == (4, engine.config.frames_for(length))

    encoder = StreamEncoder(engine, 4, grid)
    parts = [encoder.push(piece) for piece in pieces_of(audio, sizes)]
    assert np.array_equal(np.concatenate([*parts, encoder.finish()], axis=1), expected)

    whole_decoder = StreamDecoder(engine, grid)
    heard = np.concatenate([whole_decoder.push(expected), whole_decoder.finish()], axis=1)
    assert heard.shape == (1, expected.shape[1] * engine.config.hop_length)
    decoder = StreamDecoder(engine, grid)
    parts = [decoder.push(piece) for piece in pieces_of(expected, np.array(sizes, int) % 4)]
    assert np.array_equal(np.concatenate([*parts, decoder.finish()], axis=1), heard)


@pytest.mark.parametrize("kind", CAUSAL)
def test_single_samples(engines, kind):
    engine = engines[kind]
    audio = music(engine.config, 700)
    whole, single = StreamEncoder(engine, 2), StreamEncoder(engine, 2)
    expected = np.concatenate([whole.push(audio), whole.finish()], axis=1)
    parts = [single.push(audio[:, i : i + 1]) for i in range(700)]
    assert np.array_equal(np.concatenate([*parts, single.finish()], axis=1), expected)


@pytest.mark.parametrize("kind", CAUSAL)
@pytest.mark.parametrize("grid", [1, 3])
def test_the_latency_is_the_promised_one(engines, kind, grid):
    engine = engines[kind]
    step = engine.config.hop_length // 8
    encoder, decoder = StreamEncoder(engine, 2, grid), StreamDecoder(engine, grid)
    audio = music(engine.config, 40 * engine.config.hop_length)
    pushed, out, start_up, steady = 0, 0, 0, 0
    for start in range(0, audio.shape[1], step):
        pushed += step
        if out:
            steady = max(steady, pushed - out)
        heard = decoder.push(encoder.push(audio[:, start : start + step])).shape[1]
        if heard and not out:
            start_up = pushed
        out += heard
    promised = latency(engine.config, grid)
    assert (start_up, steady) == (promised.start_up_s * 24_000, promised.steady_s * 24_000)


def test_the_latencies_of_the_released_models():
    assert latency(presets.encodec_24khz()) == pytest.approx((7 / 75, 1 / 75))
    assert latency(presets.recodec_24khz()) == pytest.approx((1 / 75, 1 / 75))
    assert latency(presets.recodec_24khz(), 4) == pytest.approx((4 / 75, 4 / 75))
    assert latency(presets.encodec_48khz()) == (1.0, 1.0)
    assert latency(presets.encodec_32khz()) == (float("inf"), float("inf"))
    assert latency(variant(presets.recodec_24khz(), normalize=True)) == (float("inf"), float("inf"))


def test_a_codec_reports_its_latency(engines):
    assert Codec(engines["constant"]).latency_s == latency(engines["constant"].config)


def test_streams_begin_and_end_empty(engines):
    encoder, decoder = StreamEncoder(engines["reflect"], 2), StreamDecoder(engines["reflect"])
    assert encoder.finish().shape == (2, 0)
    assert decoder.finish().shape == (1, 0)


@pytest.mark.parametrize("size", [100, 500])
def test_callers_may_reuse_their_buffer(engines, size):
    engine = engines["constant"]
    audio = music(engine.config, 1000)
    first, second = StreamEncoder(engine, 2), StreamEncoder(engine, 2)
    expected = np.concatenate([first.push(audio), first.finish()], axis=1)
    buffer, parts = np.empty((1, size), np.float32), []
    for start in range(0, 1000, size):
        buffer[:] = audio[:, start : start + size]
        parts.append(second.push(buffer))
        buffer[:] = np.nan
    assert np.array_equal(np.concatenate([*parts, second.finish()], axis=1), expected)


def test_the_number_of_codebooks_may_change(engines):
    engine = engines["constant"]
    rng = np.random.default_rng(0)
    parts = [rng.integers(0, 64, (count, frames)) for count, frames in ((2, 3), (4, 2), (1, 6), (1, 1), (3, 4))]
    exact = StreamDecoder(engine)
    expected = np.concatenate([*(exact.push(part) for part in parts), exact.finish()], axis=1)
    assert expected.shape[1] == 16 * engine.config.hop_length
    for grid in (2, 5):
        decoder = StreamDecoder(engine, grid)
        heard = np.concatenate([*(decoder.push(part) for part in parts), decoder.finish()], axis=1)
        assert np.abs(heard - expected).max() < 1e-5 * np.abs(expected).max()
        decoder = StreamDecoder(engine, grid)
        single = [decoder.push(part[:, i : i + 1]) for part in parts for i in range(part.shape[1])]
        assert np.array_equal(np.concatenate([*single, decoder.finish()], axis=1), heard)


def test_nothing_can_follow_the_end(engines):
    encoder, decoder = StreamEncoder(engines["constant"], 2), StreamDecoder(engines["constant"])
    codes = np.concatenate([encoder.push(music(engines["constant"].config, 500)), encoder.finish()], axis=1)
    assert encoder.finish().shape == (2, 0)
    with pytest.raises(AudioError, match="ended"):
        encoder.push(np.zeros((1, 5), np.float32))
    decoder.push(codes)
    decoder.finish()
    with pytest.raises(CorruptError, match="ended"):
        decoder.push(codes)


def test_bad_pieces_are_refused(engines):
    encoder, decoder = StreamEncoder(engines["constant"], 2), StreamDecoder(engines["constant"])
    with pytest.raises(AudioError):
        encoder.push(np.array([[np.nan]], np.float32))
    decoder.push(np.zeros((2, 1), int))
    for bad in (np.zeros((9, 1), int), np.full((2, 1), 64), np.zeros((2, 1)), np.zeros((0, 1), int)):
        with pytest.raises(CorruptError):
            decoder.push(bad)


@pytest.mark.parametrize(("kind", "words"), [("segments", "segment of 1 s"), ("whole", "as a whole")])
def test_models_that_look_ahead_cannot_be_streamed(engines, kind, words):
    codec = Codec(engines[kind])
    with pytest.raises(ConfigError, match=words):
        codec.stream_encoder()
    with pytest.raises(ConfigError, match=words):
        codec.stream_decoder()


@given(st.integers(1, 9), st.data())
@settings(deadline=None, max_examples=60, derandomize=True)
def test_regrid_cuts_alike_whatever_comes(size, data):
    stride = data.draw(st.integers(1, size))
    sizes = data.draw(st.lists(st.integers(0, 12), min_size=1, max_size=9))
    stream = np.arange(sum(sizes))[None]
    grid = Rechunker(size, stride)
    blocks = [block[0].tolist() for piece in pieces_of(stream, sizes[:-1]) for block in grid.push(piece)]
    count = max(0, (len(stream[0]) - size) // stride + 1)
    assert blocks == [list(range(i * stride, i * stride + size)) for i in range(count)]
    rest = grid.rest()
    assert rest is not None
    assert rest[0].tolist() == list(range(count * stride, sum(sizes)))
    assert Rechunker(size).rest() is None

"""Recordings through every kind of model: equal to `EncodecModel`, in pieces, and exact in length."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.codec import Codec
from recodec.codec.blocks import block_decoder, block_encoder
from recodec.errors import AudioError, ConfigError, CorruptError
from support.codecs import CAUSAL, CONFIGS, music

KINDS = tuple(CONFIGS)


@pytest.fixture(scope="session")
def codecs(engines):
    return {kind: Codec(engine) for kind, engine in engines.items()}


def lengths(config):
    hop, segment = config.hop_length, config.chunk_length or 10 * config.hop_length
    return [
        1,
        2,
        hop - 1,
        hop,
        hop + 1,
        3 * hop + 5,
        segment - 10,
        segment - 1,
        segment,
        segment + 1,
        2 * segment + hop + 3,
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_codes_and_audio_are_those_of_the_model(codecs, models, kind):
    codec, model = codecs[kind], models[kind]
    for length in lengths(codec.config):
        audio = music(codec.config, length, length)
        codes, scales = codec.encode(audio)
        with torch.no_grad():
            theirs = model.encode(torch.tensor(audio)[None], bandwidth=max(codec.config.target_bandwidths))
            segments = theirs.audio_codes[:, 0, : codes.shape[0]]
            expected = torch.cat(list(segments), dim=1)[:, : codes.shape[1]].numpy()
            frames = codec.config.frames_for(codec.config.chunk_length or length)
            padding = len(segments) * segments.shape[-1] - codes.shape[1]
            back = model.decode(
                segments[:, None], theirs.audio_scales, last_frame_pad_length=padding
            ).audio_values[0, :, :length].numpy()  # fmt: skip
        assert codes.shape[1] <= frames * len(segments)
        assert np.mean(codes == expected) > 0.999
        if codec.config.normalize:
            assert np.allclose(scales, [float(s) for s in theirs.audio_scales], rtol=1e-6)
        else:
            assert scales is None
        audio = codec.decode(expected, scales, length)
        assert audio.shape == back.shape
        assert audio.dtype == np.float32
        assert np.abs(audio - back).max() <= 1e-5 * np.abs(back).max()


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 99), data=st.data())
@settings(deadline=None, max_examples=15, derandomize=True)
def test_the_round_trip_keeps_the_length_and_any_pieces_are_the_same(codecs, kind, seed, data):
    codec = codecs[kind]
    length = data.draw(st.one_of(st.sampled_from(lengths(codec.config)), st.integers(1, 2500)))
    audio = music(codec.config, length, seed)
    back = codec.decompress(codec.compress(audio))
    assert back.shape == audio.shape
    assert np.isfinite(back).all()
    assert np.array_equal(codec.decompress(codec.compress(audio, version=0)), back)

    codes, scales = codec.encode(audio)
    assert np.array_equal(codec.decode(codes, scales, length), back)

    encoder = block_encoder(codec.engine, codes.shape[0])
    cuts = sorted(data.draw(st.lists(st.integers(0, length), max_size=6)))
    pieces = np.split(audio, cuts, axis=1)
    blocks = [block for piece in pieces for block in encoder.push(piece)] + encoder.finish()
    assert np.array_equal(np.concatenate([block.codes for block in blocks], axis=1), codes)
    decoder = block_decoder(codec.engine)
    parts = [decoder.push(block) for block in blocks]
    assert np.array_equal(np.concatenate([*parts, decoder.finish()], axis=1)[:, :length], back)


def test_every_length_of_a_segmented_recording(codecs):
    """The last two segments may both be partial, and the last may end before the one before it."""
    codec = codecs["segments"]
    for length in [*range(785, 830), *range(1580, 1620, 3)]:
        audio = music(codec.config, length)
        assert codec.decompress(codec.compress(audio)).shape == audio.shape


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("signal", ["silence", "clipping", "dc", "loud"])
def test_extreme_signals(codecs, kind, signal):
    codec = codecs[kind]
    audio = music(codec.config, 1700)
    if signal == "silence":
        audio[:] = 0
    elif signal == "clipping":
        audio = np.sign(audio)
    elif signal == "dc":
        audio[:] = 0.7
    else:
        audio *= 1e4
    back = codec.decompress(codec.compress(audio))
    assert back.shape == audio.shape
    assert np.isfinite(back).all()


@pytest.mark.parametrize("kind", KINDS)
def test_many_recordings_are_coded_as_each_alone(codecs, kind):
    codec = codecs[kind]
    recordings = [music(codec.config, length, length) for length in [*lengths(codec.config), 1500, 1500, 7, 320, 640]]
    many = codec.encode_many(recordings, batch=4, grid_frames=2)
    assert len(many) == len(recordings)
    same = []
    for audio, (codes, scales) in zip(recordings, many, strict=True):
        alone, alone_scales = codec.encode(audio)
        assert codes.shape == alone.shape
        same.append((codes == alone).ravel())
        if scales is not None:
            assert np.allclose(scales, alone_scales, rtol=1e-5)
    assert np.concatenate(same).mean() > 0.999


@pytest.mark.parametrize("kind", KINDS)
def test_bandwidth_chooses_the_codebooks(codecs, kind):
    codec = codecs[kind]
    audio = music(codec.config, 500)
    for bandwidth in codec.config.target_bandwidths:
        count = codec.config.quantizers_for(bandwidth)
        codes, _ = codec.encode(audio, bandwidth)
        assert codes.shape[0] == count
        assert np.array_equal(codes, codec.encode(audio, num_quantizers=count)[0])
        ratio = len(codec.compress(audio, bandwidth)) / len(codec.compress(audio))
        assert ratio < 1 or bandwidth == max(codec.config.target_bandwidths)
    assert codec.encode(audio)[0].shape[0] == codec.config.num_quantizers  # all are below 6 kbps


def test_float_types_and_views_are_taken(codecs):
    codec = codecs["constant"]
    audio = music(codec.config, 700)
    expected = codec.compress(audio)
    readonly = audio.copy()
    readonly.setflags(write=False)
    strided = np.stack([audio[0], -audio[0]], axis=1).T[:1]
    for given_audio in (audio.astype(np.float64), readonly, strided):
        assert codec.compress(given_audio) == expected


@pytest.mark.parametrize("bad", [
    np.zeros((1, 0)), np.zeros(5), np.zeros((2, 5)), np.zeros((1, 1, 5)), np.zeros((1, 5), np.int16),
    np.array([[0.0, np.nan]]), np.array([[np.inf, 0.0]]), np.array([[1e300]]),
])  # fmt: skip
def test_bad_audio_is_refused(codecs, bad):
    for call in (codecs["constant"].encode, codecs["constant"].compress, lambda a: codecs["constant"].encode_many([a])):
        with pytest.raises(AudioError):
            call(bad)


@pytest.mark.parametrize("arguments", [
    {"bandwidth": 5.0}, {"num_quantizers": 0}, {"num_quantizers": 99}, {"bandwidth": 0.9, "num_quantizers": 1},
    {"grid_frames": 0},
])  # fmt: skip
def test_settings_that_the_model_lacks_are_refused(codecs, arguments):
    codec = codecs["constant"]
    with pytest.raises(ConfigError):
        codec.encode(music(codec.config, 500), **arguments)


@pytest.mark.parametrize(("kind", "codes", "scales", "num_samples"), [
    ("constant", np.zeros((2, 0), int), None, None),
    ("constant", np.zeros((2, 3), int), None, 961),
    ("constant", np.zeros((2, 3), int), None, 640),
    ("constant", np.zeros((2, 3), int), None, 0),
    ("constant", np.zeros((9, 3), int), None, None),
    ("constant", np.zeros((2, 3)), None, None),
    ("constant", np.zeros(3, int), None, None),
    ("constant", np.full((2, 3), 64), None, None),
    ("constant", np.full((2, 3), -1), None, None),
    ("constant", np.zeros((2, 3), int), np.ones(1), None),
    ("segments", np.zeros((2, 100), int), np.ones(1), None),
    ("segments", np.zeros((2, 100), int), None, 790),
    ("segments", np.zeros((2, 99), int), np.ones(2), 790),
    ("segments", np.zeros((2, 99), int), np.ones(1), 2**60),
])  # fmt: skip
def test_codes_that_do_not_fit_are_refused(codecs, kind, codes, scales, num_samples):
    with pytest.raises(CorruptError):
        codecs[kind].decode(codes, scales, num_samples)


@pytest.mark.parametrize("kind", CAUSAL)
def test_figures(codecs, kind):
    codec = codecs[kind]
    assert (codec.sampling_rate, codec.frame_rate, codec.name) == (24_000, 75, "test")

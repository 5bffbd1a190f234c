"""Streams with holes, without ends, from the middle, and coded with a language model."""

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec import ecdc
from recodec.codec.concealment import CONTINUED_S, FADE_S, RISE_S, _Gain
from recodec.codec.container import open_reader, open_writer
from recodec.errors import BitstreamError, ModelMismatchError
from recodec.wire.v0 import files as ecdc0
from recodec.wire.v1.header import parse_header
from recodec.wire.v1.packets import PLAIN, End, Packet
from recodec.wire.v1.payload import read_codes
from recodec.wire.v1.reader import PacketReader
from recodec.wire.v1.writer import StreamWriter
from support.codecs import CAUSAL, CONFIGS, music
from support.pipes import Pipe
from support.streams import ToyCoder

KINDS = tuple(CONFIGS)
checked = settings(deadline=None, max_examples=12, derandomize=True)


def written(engine, audio, **options):
    file = io.BytesIO()
    compressor = open_writer(file, engine, 2, **options)
    compressor.push(audio)
    compressor.close()
    return file.getvalue()


def heard(engine, file, tolerant=False, **options):
    recording = open_reader(file if not isinstance(file, bytes) else io.BytesIO(file), tolerant=tolerant)
    audio = np.concatenate(list(recording.pieces(engine, grid_frames=75, **options)), axis=1)
    return audio, recording.lost_samples


class FittingCoder(ToyCoder):
    """Codes that are common in a plain stream are likely to it."""

    def __init__(self, engine, plain, slope=8):
        super().__init__(engine.config.codebook_nbits, slope)
        header, _ = parse_header(plain)
        pieces = read_codes(header, [e for e in events_of(plain) if isinstance(e, Packet)])
        counts = np.bincount(
            np.concatenate([p.ravel() for p in pieces if isinstance(p, np.ndarray)]), minlength=len(self.table) - 1
        )
        self.common = np.argsort(-counts, kind="stable")
        self.ranks = np.argsort(self.common, kind="stable")

    def encode(self, codes):
        return super().encode([self.ranks[piece] for piece in codes])

    def decode(self, payloads, shapes):
        return [self.common[piece] for piece in super().decode(payloads, shapes)]


def long(engine):
    """Samples of many frames, or segments."""
    return 60 * engine.config.hop_length if engine.config.chunk_length is None else 4800


def events_of(data):
    return list(PacketReader().read_from(io.BytesIO(data)))


def without(data, lost):
    """The stream without the packets of those numbers."""
    offsets = [e.offset for e in events_of(data) if isinstance(e, Packet)] + [None]
    kept = [data[: offsets[0]]]
    ends = [*offsets[1:-1], data.index(b"\xec\xd1\xc0", offsets[-2])]
    kept += [data[a:b] for i, (a, b) in enumerate(zip(offsets, ends, strict=False)) if i not in lost]
    return b"".join([*kept, data[ends[-1] :]])


# ---- coded packets -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@given(lengths=st.lists(st.integers(786, 802), min_size=2, max_size=4))
@checked
def test_joined_recordings_sound_as_each_alone(engines, kind, lengths):
    """Of any length: with segments, one before the last may reach beyond the end of the last."""
    engine = engines[kind]
    alone = [written(engine, music(engine.config, length, seed)) for seed, length in enumerate(lengths)]
    parts = [heard(engine, file)[0] for file in alone]
    joined, lost = heard(engine, ecdc.concat(alone))
    assert lost == 0
    at = end = 0
    for file, part in zip(alone, parts, strict=True):
        np.testing.assert_allclose(joined[:, at : at + part.shape[1]], part, atol=1e-6)
        end, found = at + part.shape[1], ecdc.inspect(file)
        at += found.end_tick * found.header.tick  # the rest of a last frame is sound, too, where something follows
    assert joined.shape[1] == end


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("packet_s", [0.1, 2.0])
def test_coded_files_sound_like_plain_ones(engines, kind, packet_s):
    engine = engines[kind]
    audio = music(engine.config, long(engine))
    plain = written(engine, audio, packet_s=packet_s)
    coder = FittingCoder(engine, plain)
    coded = written(engine, audio, packet_s=packet_s, lm=coder)
    assert any(isinstance(e, Packet) and e.kind != PLAIN for e in events_of(coded))
    expected, _ = heard(engine, plain)
    assert np.array_equal(heard(engine, coded, lm=coder)[0], expected)
    assert np.array_equal(heard(engine, Pipe(coded, 50), lm=coder)[0], expected)


def test_coded_files_want_their_language_model(engines):
    engine = engines["constant"]
    coder = FittingCoder(engine, written(engine, music(engine.config, long(engine))))
    coded = written(engine, music(engine.config, long(engine)), lm=coder)
    with pytest.raises(ModelMismatchError, match="none is here"):
        heard(engine, coded)
    coder.fingerprint = "1" * 64
    with pytest.raises(ModelMismatchError, match="fingerprint"):
        heard(engine, coded, tolerant=True, lm=coder)


@pytest.mark.parametrize("kind", KINDS)
def test_a_packet_that_decodes_to_other_codes_is_lost(engines, kind):
    """Tables that differ are noticed by the check byte, though every checksum is right."""
    engine = engines[kind]
    audio = music(engine.config, long(engine))
    plain = written(engine, audio, packet_s=0.1)
    coded = written(engine, audio, packet_s=0.1, lm=FittingCoder(engine, plain))
    other = FittingCoder(engine, plain, slope=30)
    with pytest.raises(BitstreamError, match="tables differ"):
        heard(engine, coded, lm=other)
    back, lost = heard(engine, coded, tolerant=True, lm=other)
    assert back.shape == audio.shape
    assert lost > 0


# ---- holes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@checked
@given(data=st.data(), packet_s=st.sampled_from([1 / 75, 0.05, 0.5]), length=st.integers(500, 3000))
def test_lost_packets_are_concealed(engines, kind, data, packet_s, length):
    engine = engines[kind]
    audio = music(engine.config, length)
    whole = written(engine, audio, packet_s=packet_s)
    packets = [e for e in events_of(whole) if isinstance(e, Packet)]
    lost = data.draw(st.sets(st.integers(0, len(packets) - 1), max_size=len(packets) - 1))
    holed = without(whole, lost)
    expected, _ = heard(engine, whole)
    for source in (holed, Pipe(holed, 70)):
        back, lost_samples = heard(engine, source, tolerant=True)
        assert back.shape == audio.shape
        assert np.isfinite(back).all()
        assert (lost_samples > 0) == bool(lost)
        if not lost:
            assert np.array_equal(back, expected)
        elif kind in CAUSAL:
            good = max(0, min(lost) * packets[0].frames - 8) * engine.config.hop_length
            assert np.allclose(back[:, :good], expected[:, :good], atol=1e-6 * np.abs(expected).max())


def test_segments_beside_a_hole_are_untouched(engines):
    """A hole of one segment: silence there, a fade before it, and all else as it was."""
    engine = engines["segments"]
    config = engine.config
    audio = music(config, 6 * config.chunk_stride)
    whole = written(engine, audio)
    expected, _ = heard(engine, whole)
    back, lost = heard(engine, without(whole, {2}), tolerant=True)
    assert lost == config.chunk_stride
    begin, resume = 2 * config.chunk_stride, 3 * config.chunk_stride
    fade = round(FADE_S * config.sampling_rate)
    overlap = config.chunk_length - config.chunk_stride
    assert np.array_equal(back[:, : begin + overlap - fade], expected[:, : begin + overlap - fade])
    assert not back[:, begin + overlap : resume].any()
    assert np.array_equal(back[:, resume + overlap + 20 :], expected[:, resume + overlap + 20 :])


@pytest.mark.parametrize("kind", CAUSAL)
def test_the_sound_goes_on_through_a_short_hole_and_falls_silent_in_a_long_one(engines, kind):
    engine = engines[kind]
    config = engine.config
    hop, rate = config.hop_length, config.sampling_rate
    audio = music(config, 200 * hop)
    whole = written(engine, audio, packet_s=hop / rate)  # a frame a packet
    level = np.abs(heard(engine, whole)[0]).mean()
    short, long = int(0.05 * rate / hop), int(2 * CONTINUED_S * rate / hop)
    assert 0 < short < long
    back, lost = heard(engine, without(whole, set(range(100, 100 + short))), tolerant=True)
    assert lost == short * hop
    assert np.abs(back[:, 100 * hop : (100 + short) * hop]).mean() > 0.2 * level
    back, lost = heard(engine, without(whole, set(range(100, 100 + long))), tolerant=True)
    assert lost == long * hop
    assert np.abs(back[:, int((100 * hop) + FADE_S * rate) + 1 : (100 + long) * hop]).max() == 0
    assert np.abs(back[:, (100 + long) * hop + round(RISE_S * rate) :]).mean() > 0.2 * level


@checked
@given(holes=st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 3000)), min_size=1, max_size=6))
def test_the_gain_never_jumps(holes):
    """Between neighbouring samples it changes by no more than a rise of `RISE_S` does."""
    rate, position = 8000, 0
    gain = _Gain(rate)
    ones = np.ones((1, 500), np.float32)
    given_so_far, out = 0, []
    for distance, size in holes:
        position += distance
        gain.dip(position, position + size)
        position += size
        while given_so_far + 500 <= position:  # what lies before may be given, and no more changes
            out.append(gain.apply(ones, given_so_far))
            given_so_far += 500
    for _ in range(3):
        out.append(gain.apply(ones, given_so_far))
        given_so_far += 500
    steps = np.abs(np.diff(np.concatenate(out, axis=1)))
    assert steps.max() <= 1 / (RISE_S * rate) + 1e-5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [0, 1])
def test_a_file_that_was_cut_off_plays_as_far_as_it_goes(engines, kind, version):
    engine = engines[kind]
    audio = music(engine.config, long(engine))
    data = written(engine, audio, version=version, packet_s=0.05)
    expected, _ = heard(engine, data)
    front = io.BytesIO(data)
    header = parse_header(data)[1] if version == 1 else ecdc0.read_metadata(front) and front.tell()
    for part in (0.3, 0.7, 0.95):
        back, _ = heard(engine, data[: int(header + part * (len(data) - header))], tolerant=True)
        assert back.shape[1] <= audio.shape[1]
        if kind == "whole" and version == 1:
            assert back.shape[1] > 0
        if kind in CAUSAL:
            assert back.shape[1] >= (part - 0.2) * audio.shape[1]
            good = back.shape[1] - 12 * engine.config.hop_length
            assert np.allclose(back[:, :good], expected[:, :good], atol=1e-6 * np.abs(expected).max())


def test_a_promise_of_years_does_not_fill_memory(engines):
    """The header's length is true to its checksum and far beyond what the bytes hold."""
    engine = engines["constant"]
    data = written(engine, music(engine.config, 300), num_samples=None)
    head = events_of(data)
    file = io.BytesIO()
    header, _ = parse_header(data)
    writer = StreamWriter(file, replace(header, num_samples=1 << 50))
    writer.write(next(e for e in head if isinstance(e, Packet)))
    pieces = open_reader(io.BytesIO(file.getvalue()), tolerant=True).pieces(engine, grid_frames=75)
    assert all(piece.shape[1] <= 1 << 16 for piece in pieces)


# ---- from the middle -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [0, 1])
@checked
@given(start=st.one_of(st.integers(0, 5999), st.sampled_from([1280, 2560, 3840, 5120])))
def test_from_the_middle(engines, kind, version, start):
    engine = engines[kind]
    config = engine.config
    audio = music(config, 6000)
    data = written(engine, audio, version=version, packet_s=4 / 75)
    expected, _ = heard(engine, data)
    back, lost = heard(engine, data, start=start)
    assert lost == 0
    assert back.shape[1] == 6000 - start
    if kind != "whole":  # which sees the beginning as something else
        size = np.abs(expected).max()
        assert np.allclose(back, expected[:, start:], atol=1e-3 * size)
    back, _ = heard(engine, Pipe(data, 100), start=start)
    assert np.array_equal(back, expected[:, start:])


def test_little_is_read_before_a_place_in_the_middle(engines):
    engine = engines["constant"]
    rate = engine.config.sampling_rate
    data = written(engine, music(engine.config, 120 * rate), packet_s=0.5)

    class Counted(io.BytesIO):
        taken = 0

        def read(self, size=-1, /):
            found = super().read(size)
            self.taken += len(found)
            return found

    file = Counted(data)
    recording = open_reader(file)
    file.taken = 0
    packets = sum(1 for e in events_of(data) if not isinstance(e, End))
    back = np.concatenate(list(recording.pieces(engine, grid_frames=75, start=118 * rate)), axis=1)
    assert back.shape[1] == 2 * rate
    assert file.taken < len(data) * 20 / packets + (1 << 16)

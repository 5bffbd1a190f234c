"""Version 0 of .ecdc, against Meta's own tool and against bad bytes."""

import dataclasses
import io
import json
import struct
import time
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.config import EncodecConfig
from recodec.errors import BitstreamError, CorruptError, ModelMismatchError, TruncatedError, UnsupportedError
from recodec.geometry import CodecGeometry
from recodec.presets import encodec_24khz, encodec_48khz
from recodec.wire.v0 import files as ecdc0
from recodec.wire.v0.files import Metadata
from recodec.wire.v0.size import payload_bytes
from support.peers import import_encodec
from support.pipes import Pipe


def small(**changes):
    """Segments of 100 samples, 90 apart, with scales; up to 4 codebooks of 5 bits, and frames of 4 samples."""
    values = {
        "sampling_rate": 1000, "upsampling_ratios": [4], "codebook_size": 32, "target_bandwidths": [5.0],
        "use_causal_conv": False, "normalize": True, "chunk_length_s": 0.1, "overlap": 0.1,
    }  # fmt: skip
    return EncodecConfig(**{**values, **changes})


@dataclasses.dataclass
class AnyStride(CodecGeometry):
    """Segments that begin any number of samples apart, which no configuration would have."""

    stride: int
    sampling_rate: int = 1000
    chunk_length_s: float | None = 0.1
    overlap: float | None = None
    target_bandwidths: Sequence[float] = (5.0,)
    upsampling_ratios: Sequence[int] = (4,)
    codebook_size: int = 32
    normalize: bool = True
    use_causal_conv: bool = False

    @property
    def chunk_stride(self) -> int | None:
        return self.stride


MONO, STEREO = encodec_24khz(), encodec_48khz()
GEOMETRIES = {"encodec_24khz": MONO, "encodec_48khz": STEREO}
SMALL = small()
WHOLE = small(normalize=False, chunk_length_s=None, overlap=None)
FINGERPRINT = "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def meta():
    """Meta's tool, its two models with random weights."""
    compress, model = import_encodec("encodec.compress"), import_encodec("encodec.model").EncodecModel
    torch.manual_seed(0)
    mono = model._get_model([1.5, 3.0, 6.0, 12.0, 24.0], name="encodec_24khz").eval()
    stereo = model._get_model(
        [3.0, 6.0, 12.0, 24.0], 48_000, 2, False, "time_group_norm", True, 1.0, name="encodec_48khz"
    ).eval()
    patch = pytest.MonkeyPatch()
    patch.setattr(compress, "MODELS", {"encodec_24khz": lambda: mono, "encodec_48khz": lambda: stereo})
    yield compress
    patch.undo()


def random_segments(geometry, num_samples, num_codebooks, seed=0):
    rng = np.random.default_rng(seed)
    segments = []
    for index in range(geometry.num_segments(num_samples)):
        shape = (num_codebooks, geometry.segment_frames(num_samples, index))
        scale = float(np.float32(rng.uniform(0, 2))) if geometry.normalize else None
        segments.append((rng.integers(0, 1 << geometry.codebook_nbits, shape), scale))
    return segments


def read(data, geometry, max_frames=1 << 20):
    file = io.BytesIO(data)
    metadata = ecdc0.read_metadata(file)
    return metadata, list(ecdc0.read_pieces(file, metadata, geometry, max_frames))


def assert_same(pieces, segments):
    assert len(pieces) == len(segments)
    for piece, (codes, scale) in zip(pieces, segments, strict=True):
        assert np.array_equal(piece.codes, codes)
        assert piece.scale == scale


# ---- against Meta's tool -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "bandwidth"), [("encodec_24khz", b) for b in (1.5, 3.0, 6.0, 12.0, 24.0)]
    + [("encodec_48khz", b) for b in (3.0, 6.0, 12.0, 24.0)]
)  # fmt: skip
@pytest.mark.parametrize("num_samples", [1, 321, 47_521, 48_000, 95_679])
def test_metas_tool_writes_and_reads_the_same_bytes(meta, monkeypatch, name, bandwidth, num_samples):
    model, geometry = meta.MODELS[name](), GEOMETRIES[name]
    num_codebooks = model.quantizer.get_num_quantizers_for_bandwidth(model.frame_rate, bandwidth)
    segments = random_segments(geometry, num_samples, num_codebooks)
    frames = [(torch.tensor(c)[None], None if s is None else torch.tensor([[s]])) for c, s in segments]
    heard = []
    monkeypatch.setattr(model, "encode", lambda wav: frames)
    monkeypatch.setattr(model, "decode", lambda got: heard.append(got) or torch.zeros(1, model.channels, num_samples))

    theirs = meta.compress(model, torch.zeros(model.channels, num_samples))
    metadata = Metadata.for_model(name, FINGERPRINT, num_samples, num_codebooks)
    assert ecdc0.encode_stream(metadata, geometry, segments) == theirs

    meta.decompress(theirs)
    assert_same([ecdc0.Piece(c[0].numpy(), None if s is None else s.item()) for c, s in heard[0]], segments)
    back, pieces = read(theirs, geometry)
    assert back == metadata
    assert_same(pieces, segments)


@pytest.mark.parametrize(("name", "seconds"), [("encodec_24khz", 0.31), ("encodec_48khz", 1.13)])
def test_the_segments_are_those_of_metas_models(meta, name, seconds):
    model, geometry = meta.MODELS[name](), GEOMETRIES[name]
    model.set_target_bandwidth(6.0)
    wav = torch.randn(model.channels, int(model.sample_rate * seconds), generator=torch.Generator().manual_seed(0))
    theirs = meta.compress(model, wav)
    with torch.no_grad():
        frames = model.encode(wav[None])
    metadata, pieces = read(theirs, geometry)
    assert metadata == Metadata(name, wav.shape[1], frames[0][0].shape[1])
    assert_same(pieces, [(c[0].numpy(), None if s is None else s.item()) for c, s in frames])


def test_lengths_that_metas_reader_miscounts_are_read(meta, monkeypatch):
    """6720 / 24000 * 75 is a hair above 21 in floating point, so Meta's reader wants a 22nd frame."""
    segments = random_segments(MONO, 6720, 2)
    data = ecdc0.encode_stream(Metadata("encodec_24khz", 6720, 2), MONO, segments)
    with pytest.raises(EOFError):
        meta.decompress(data)
    assert_same(read(data, MONO)[1], segments)


# ---- round trips ---------------------------------------------------------------------------


@given(st.integers(1, 500), st.integers(1, 4), st.integers(8, 40), st.integers(1, 9), st.booleans())
@settings(deadline=None, max_examples=60, derandomize=True)
def test_any_pieces_give_the_same_file(num_samples, num_codebooks, read_frames, write_frames, whole):
    geometry = WHOLE if whole else SMALL
    segments = random_segments(geometry, num_samples, num_codebooks, num_samples)
    metadata = Metadata.for_model("mine", FINGERPRINT, num_samples, num_codebooks)
    expected = ecdc0.encode_stream(metadata, geometry, segments)
    assert len(expected) == len(metadata.to_bytes()) + payload_bytes(geometry, num_samples, num_codebooks)

    file = io.BytesIO()
    writer = ecdc0.Writer(file, metadata, geometry)
    for codes, scale in segments:
        for start in range(0, codes.shape[1], write_frames):
            writer.push(codes[:, start : start + write_frames], None if start else scale)
    writer.close()
    assert file.getvalue() == expected

    back, pieces = read(expected, geometry, read_frames)
    assert back == metadata
    assert all(piece.codes.shape[1] <= read_frames for piece in pieces)
    joined = np.concatenate([piece.codes for piece in pieces], axis=1)
    assert np.array_equal(joined, np.concatenate([codes for codes, _ in segments], axis=1))
    assert [p.scale for p in pieces if p.scale is not None] == [s for _, s in segments if s is not None]


@given(st.integers(1, 700), st.integers(1, 100))
@settings(deadline=None, max_examples=60, derandomize=True)
def test_payload_size_counts_every_segment(num_samples, stride):
    geometry = AnyStride(stride)
    starts = range(0, num_samples, stride)
    expected = sum(4 + -(-(-(-min(100, num_samples - start) // 4) * 3 * 5) // 8) for start in starts)
    assert payload_bytes(geometry, num_samples, 3) == expected


def test_a_new_file_names_its_weights_unless_meta_has_to_read_it():
    assert Metadata.for_model("encodec_48khz", FINGERPRINT, 9, 2).to_bytes()[9:] == (
        b'{"m": "encodec_48khz", "al": 9, "nc": 2, "lm": false}'
    )
    assert Metadata.for_model("recodec_24khz", FINGERPRINT, 9, 2).to_bytes()[9:] == (
        b'{"m": "recodec_24khz", "al": 9, "nc": 2, "lm": false, "fp": "0123456789abcdef"}'
    )


@pytest.mark.parametrize("push", [
    [(np.zeros((2, 26), int), 1.0)],  # one frame too many
    [(np.zeros((3, 25), int), 1.0)],  # a codebook too many
    [(np.zeros((2, 25), int), None)],  # no scale
    [(np.zeros((2, 3), int), 1.0), (np.zeros((2, 3), int), 1.0)],  # two scales
    [(np.zeros((2, 0), int), 1.0)],  # a scale of nothing
    [(np.full((2, 25), 32), 1.0)],  # a code that needs 6 bits
    [(np.zeros((2, 25), int), 1.0), (np.zeros((2, 5), int), 1.0), (np.zeros((2, 1), int), 1.0)],  # after the end
    [(np.zeros((2, 25), int), 1.0)],  # an end that is missing
])  # fmt: skip
def test_the_writer_refuses_what_does_not_fit(push):
    with pytest.raises(ValueError):
        ecdc0.encode_stream(Metadata("mine", 110, 2), SMALL, push)


def test_the_writer_refuses_codebooks_that_the_model_lacks():
    with pytest.raises(ValueError, match="from 1 to 4"):
        ecdc0.Writer(io.BytesIO(), Metadata("mine", 110, 5), SMALL)


# ---- bad bytes -----------------------------------------------------------------------------


def head(meta, version=0, size=None, magic=b"ECDC"):
    meta = meta if isinstance(meta, bytes) else json.dumps(meta).encode()
    return struct.pack("!4sBI", magic, version, len(meta) if size is None else size) + meta


GOOD = {"m": "mine", "al": 110, "nc": 2, "lm": False}


@pytest.mark.parametrize(("data", "error", "words"), [
    (b"", TruncatedError, "ends where 9"),
    (b"ECDC\0", TruncatedError, "ends where 4"),
    (head(GOOD, magic=b"RIFF"), CorruptError, "not an .ecdc file"),
    (head(GOOD, version=7), UnsupportedError, "version 7"),
    (head(GOOD, size=2**32 - 1), CorruptError, "4294967295 bytes"),
    (head(GOOD, size=4000), TruncatedError, "ends where"),
    (head(b"{"), CorruptError, "not valid JSON"),
    (head(b"\xff\xfe"), CorruptError, "not valid JSON"),
    (head(b"[" * 4000), CorruptError, "not valid JSON"),
    (head(b'{"al": ' + b"9" * 4000 + b"}"), CorruptError, "model name"),
    (head(b'{"m": "a", "lm": false, "nc": 2, "al": 1e3}'), CorruptError, "al is 1000.0"),
    (head([1, 2]), CorruptError, "not a JSON object"),
    (head({**GOOD, "m": 3}), CorruptError, "model name is 3"),
    (head({**GOOD, "al": True}), CorruptError, "al is True"),
    (head({**GOOD, "al": 0}), CorruptError, "al is 0"),
    (head({**GOOD, "al": -5}), CorruptError, "al is -5"),
    (head({**GOOD, "al": "9"}), CorruptError, "al is '9'"),
    (head({**GOOD, "nc": 0}), CorruptError, "nc is 0"),
    (head({**GOOD, "nc": 2.0}), CorruptError, "nc is 2.0"),
    (head({"m": "mine", "al": 110, "lm": False}), CorruptError, "nc is None"),
    (head({**GOOD, "lm": 0}), CorruptError, "lm is 0"),
    (head({**GOOD, "fp": "0123"}), CorruptError, "fingerprint is '0123'"),
    (head({**GOOD, "fp": "0" * 15 + "\n"}), CorruptError, "fingerprint"),
])  # fmt: skip
def test_bad_headers(data, error, words):
    with pytest.raises(error, match=words):
        ecdc0.read_metadata(io.BytesIO(data))


@pytest.mark.parametrize("kind", [io.BytesIO, Pipe])
@pytest.mark.parametrize("geometry", [SMALL, WHOLE])
@pytest.mark.parametrize("claim", [113, 10_000, 2**60, 10**3000])
def test_claims_of_more_than_is_there(kind, geometry, claim):
    metadata = Metadata("mine", 110, 2)
    payload = ecdc0.encode_stream(metadata, geometry, random_segments(geometry, 110, 2))[len(metadata.to_bytes()) :]
    start = time.perf_counter()
    with pytest.raises(TruncatedError, match="promises" if kind is io.BytesIO else "ends where"):
        list(ecdc0.read_pieces(kind(payload), Metadata("mine", claim, 2), geometry, 64))
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize("kind", [io.BytesIO, Pipe])
def test_bytes_left_over(kind):
    metadata = Metadata("mine", 110, 2)
    data = ecdc0.encode_stream(metadata, SMALL, random_segments(SMALL, 110, 2)) + b"\0"
    file = kind(data)
    ecdc0.read_metadata(file)
    with pytest.raises(CorruptError, match="left over"):
        list(ecdc0.read_pieces(file, metadata, SMALL, 64))


def test_more_codebooks_than_the_model_has():
    with pytest.raises(CorruptError, match="claims 5 codebooks"):
        list(ecdc0.read_pieces(io.BytesIO(bytes(100)), Metadata("mine", 110, 5), SMALL, 64))


def test_coded_files_take_a_language_model():
    data = head({**GOOD, "lm": True}) + bytes(100)
    with pytest.raises(UnsupportedError, match=r"Meta's language model.*machine that wrote it"):
        read(data, SMALL)
    with pytest.raises(ValueError, match="if its header says so"):
        ecdc0.Writer(io.BytesIO(), Metadata("mine", 110, 2, coded=True), SMALL)


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), -1.0])
def test_impossible_scales(scale):
    payload = struct.pack("!f", scale) + bytes(100)
    with pytest.raises(CorruptError, match="scale is"):
        list(ecdc0.read_pieces(Pipe(payload), Metadata("mine", 110, 2), SMALL, 64))


def test_other_models_and_other_weights():
    metadata = Metadata.for_model("mine", FINGERPRINT, 110, 2)
    metadata.check_model("mine", FINGERPRINT)
    metadata.check_model("renamed", FINGERPRINT)
    with pytest.raises(ModelMismatchError, match="is 'mine' of ffffffffffffffff"):
        metadata.check_model("mine", "f" * 64)
    nameless = Metadata("mine", 110, 2)
    nameless.check_model("mine", "f" * 64)
    with pytest.raises(ModelMismatchError, match="not with 'yours'"):
        nameless.check_model("yours", FINGERPRINT)


@given(st.integers(0, 2**32), st.integers(1, 6), st.booleans(), st.booleans())
@settings(deadline=None, max_examples=400, derandomize=True)
def test_mutated_files_give_a_value_or_a_named_error(seed, edits, cut, pipe):
    rng = np.random.default_rng(seed)
    data = bytearray(ecdc0.encode_stream(Metadata.for_model("mine", FINGERPRINT, 310, 3), SMALL,
                                         random_segments(SMALL, 310, 3)))  # fmt: skip
    for _ in range(edits):
        place = rng.integers(0, len(data) if rng.random() < 0.3 else 90)
        data[place] = rng.choice(
            [rng.integers(0, 256), data[place] ^ 1 << rng.integers(8), rng.choice(list(b'0123456789-."[{tf}'))]
        )
    data = bytes(data[: rng.integers(0, len(data))] if cut else data)
    file = (Pipe if pipe else io.BytesIO)(data)
    try:
        metadata = ecdc0.read_metadata(file)
        for piece in ecdc0.read_pieces(file, metadata, SMALL, 64):
            assert piece.codes.shape[1] <= 64
    except BitstreamError:
        pass

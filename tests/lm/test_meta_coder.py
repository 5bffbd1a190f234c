"""Files of version 0 coded with Meta's language model: the bytes of Meta's tool, both ways, and to version 1."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch

from recodec import presets
from recodec.codec import Codec
from recodec.codec.container import open_reader
from recodec.codec.convert import to_version1
from recodec.codec.torch_engine import TorchEngine
from recodec.config import EncodecConfig
from recodec.errors import BitstreamError, CheckpointError, ConfigError, ModelMismatchError, UnsupportedError
from recodec.lm.meta_coder import MetaLanguageModel
from recodec.wire.v0 import files as ecdc0
from support.codecs import CONFIGS, FINGERPRINT, music
from support.peers import import_encodec, random_model

RELEASED = {"encodec_24khz": presets.encodec_24khz(), "encodec_48khz": presets.encodec_48khz()}


@pytest.fixture(scope="module")
def tool():
    """Meta's module of compression."""
    return import_encodec("encodec.compress")


def their_lm(config: EncodecConfig, folder: Path) -> tuple[torch.nn.Module, Path]:
    """A small language model of Meta's with random weights that are not shy, and its file."""
    torch.manual_seed(0)
    lm = import_encodec("encodec.model").LMModel(config.num_quantizers, config.codebook_size, 32, num_layers=2,
                 past_context=int(3.5 * config.frame_rate)).eval()  # fmt: skip
    with torch.no_grad():
        for head in lm.linears:
            head.weight.mul_(6)
    path = folder / "lm.th"
    torch.save(lm.state_dict(), path)
    return lm, path


class TheirModel:
    """What Meta's tool asks of a codec model, with given codes."""

    def __init__(self, name, config, frames, lm):
        self.name, self.channels, self.sample_rate = name, config.audio_channels, config.sampling_rate
        self.frame_rate, self.normalize = config.frame_rate, config.normalize
        self.segment_length, self.segment_stride = config.chunk_length, config.chunk_stride
        self.bits_per_codebook, self._frames, self._lm, self.heard = 10, frames, lm, []

    def to(self, device):
        return self

    def get_lm_model(self):
        return self._lm

    def encode(self, wav):
        return self._frames

    def decode(self, frames):
        self.heard = frames
        return torch.zeros(1, self.channels, 1 << 20)


@pytest.mark.parametrize(("name", "num_samples"), [("encodec_24khz", 9_000), ("encodec_48khz", 50_000)])
def test_metas_tool_writes_and_reads_the_same_bytes(tool, monkeypatch, tmp_path, name, num_samples):
    config = RELEASED[name]
    lm, path = their_lm(config, tmp_path)
    rng = np.random.default_rng(0)
    segments = [
        (rng.integers(0, 1024, (4, config.segment_frames(num_samples, i))), 0.5 if config.normalize else None)
        for i in range(config.num_segments(num_samples))
    ]
    frames = [(torch.tensor(c)[None], None if s is None else torch.tensor([[s]])) for c, s in segments]
    model = TheirModel(name, config, frames, lm)
    monkeypatch.setattr(tool, "MODELS", {name: lambda: model})
    theirs = tool.compress(model, torch.zeros(config.audio_channels, num_samples), use_lm=True)

    ours = MetaLanguageModel.load(path, config)
    header = ecdc0.Metadata(name, num_samples, 4, coded=True)
    assert ecdc0.encode_stream(header, config, segments, ours) == theirs
    tool.decompress(theirs)
    assert all(np.array_equal(heard[0], codes) for (heard, _), (codes, _) in zip(model.heard, segments, strict=True))
    file = io.BytesIO(theirs)
    assert ecdc0.read_metadata(file) == header
    for max_frames in (8, 1000):
        file.seek(len(header.to_bytes()))
        pieces = list(ecdc0.read_pieces(file, header, config, max_frames, ours))
        read = np.concatenate([piece.codes for piece in pieces], axis=1)
        assert np.array_equal(read, np.concatenate([codes for codes, _ in segments], axis=1))
        assert [p.scale for p in pieces if p.scale is not None] == [s for _, s in segments if s is not None]


@pytest.fixture(scope="module", params=["constant", "segments", "whole"])
def codec(request):
    return Codec(TorchEngine(random_model(CONFIGS[request.param]), "test", FINGERPRINT, threads=1))


@pytest.fixture
def meta_lm(codec, tmp_path):
    return codec.load_meta_lm(their_lm(codec.config, tmp_path)[1])


def test_recordings_there_and_back(codec, meta_lm):
    audio = music(codec.config, 2345)
    plain, coded = codec.compress(audio, version=0), codec.compress(audio, version=0, lm=meta_lm)
    assert coded != plain
    assert np.array_equal(codec.decompress(coded, lm=meta_lm), codec.decompress(plain))
    assert open_reader(io.BytesIO(coded)).is_coded
    with pytest.raises(UnsupportedError, match="Meta's language model"):
        codec.decompress(coded)
    with pytest.raises(ConfigError, match="version 0 only"):
        codec.compress(audio, lm=meta_lm)


@pytest.mark.parametrize("num_quantizers", [None, 2])
def test_version_1_of_it_is_what_compress_writes(codec, meta_lm, num_quantizers):
    audio = music(codec.config, 2345)
    coded, out = codec.compress(audio, version=0, lm=meta_lm), io.BytesIO()
    to_version1(io.BytesIO(coded), out, codec.engine, num_quantizers=num_quantizers, meta_lm=meta_lm)
    assert out.getvalue() == codec.compress(audio, num_quantizers=num_quantizers)


def test_damage_ends_in_one_error_or_in_audio_of_the_right_length(codec, meta_lm):
    audio = music(codec.config, 400)
    coded = codec.compress(audio, version=0, lm=meta_lm)
    head = len(ecdc0.read_metadata(io.BytesIO(coded)).to_bytes())
    for size in range(head, len(coded), 7):
        with pytest.raises(BitstreamError):
            codec.decompress(coded[:size], lm=meta_lm)
        heard = codec.decompress(coded[:size], tolerant=True, lm=meta_lm)
        assert heard.shape[1] <= audio.shape[1]
    for byte in range(head, len(coded), 5):
        damaged = bytearray(coded)
        damaged[byte] ^= 16
        try:
            heard = codec.decompress(bytes(damaged), lm=meta_lm)
        except BitstreamError:
            continue
        assert heard.shape == audio.shape
        assert np.isfinite(heard).all()


def test_bad_checkpoints_are_named(codec, tmp_path):
    config = codec.config
    _, path = their_lm(config, tmp_path)
    state = torch.load(path, weights_only=True)
    with pytest.raises(FileNotFoundError):
        MetaLanguageModel.load(tmp_path / "none.th", config)
    for name, changed, words in [
        ("other", {"a": torch.zeros(3)}, "is not a language model of Meta's"),
        ("bent", {**state, "emb.0.weight": state["emb.0.weight"][:, :30]}, "is not a language model of Meta's"),
        ("nan", {**state, "emb.0.weight": state["emb.0.weight"] * float("nan")}, "not finite"),
        ("few", {k: v for k, v in state.items() if k[:6] not in ("emb.1.", "linear")}, "codebooks"),
    ]:
        torch.save(changed, tmp_path / name)
        with pytest.raises(CheckpointError, match=words):
            MetaLanguageModel.load(tmp_path / name, config)
    (tmp_path / "text").write_text("no pickle")
    with pytest.raises(CheckpointError):
        MetaLanguageModel.load(tmp_path / "text", config)


def test_more_codebooks_than_it_knows(codec, meta_lm):
    with pytest.raises(ModelMismatchError, match="99 codebooks"):
        meta_lm.start(99)

"""Codecs: in step, of the right length, counted right; and how they are named."""

from __future__ import annotations

import io
import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.codec import Codec
from recodec.errors import CheckpointError, ConfigError
from recodec.evaluation.codecs import CodecSpec, parse_codecs, transcode
from recodec.evaluation.codecs.anchors import low_pass
from recodec.evaluation.codecs.base import Encoded
from recodec.evaluation.metrics import Pair
from recodec.evaluation.metrics.waveform import si_snr
from recodec.presets import tiny
from recodec.wire.v1.inspection import inspect
from support.fitting_lm import add_fitting_lm
from support.signals import noise, sine, voice

RATE = 24_000


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch = pytest.importorskip("torch")
    from recodec import EncodecModel

    torch.manual_seed(0)
    model = EncodecModel(tiny())
    for codebook in model.quantizer.codebooks:
        codebook.embed.normal_()
    folder = tmp_path_factory.mktemp("model") / "toy"
    model.save_pretrained(folder)
    return folder


def build(text: str):
    return parse_codecs([text])[0].build()


def codes_of(encoded: Encoded) -> np.ndarray:
    """Of a codec that has some."""
    assert encoded.codes is not None
    return encoded.codes


def bytes_of(encoded: Encoded) -> int:
    """Of a codec, and not an anchor."""
    assert encoded.payload_bytes is not None
    return encoded.payload_bytes


@pytest.mark.parametrize("name", ["opus@96", "mp3@64"])
@pytest.mark.parametrize(("rate_hz", "channels"), [(24_000, 1), (44_100, 2), (48_000, 2), (16_000, 1)])
def test_what_comes_back_is_in_step(name: str, rate_hz: int, channels: int) -> None:
    audio = np.repeat(voice(1.0, rate_hz), channels, axis=0)
    coded = transcode(build(name), audio, rate_hz)
    assert coded.audio.shape == audio.shape
    best = si_snr(Pair(audio, coded.audio, rate_hz))
    assert best > 10
    for shift in (-2, -1, 1, 2):
        assert si_snr(Pair(audio, np.roll(coded.audio, shift, axis=1), rate_hz)) < best


@pytest.mark.parametrize("name", ["opus@12", "mp3@32", "lowpass", "reference"])
@settings(deadline=None, max_examples=8, derandomize=True)
@given(length=st.sampled_from([1, 2, 119, 120, 480, 481, 1151, 1153, 5000]), channels=st.integers(1, 2))
def test_every_length_comes_back(name: str, length: int, channels: int) -> None:
    audio = noise(1.0, RATE, channels=channels)[:, :length]
    coded = transcode(build(name), audio, RATE)
    assert coded.audio.shape == (channels, length)
    assert np.isfinite(coded.audio).all()


def test_mp3_has_the_rate_it_was_told() -> None:
    coded = transcode(build("mp3@32"), noise(4.0, RATE), RATE)
    assert bytes_of(coded.encoded) * 8 / 4.0 == pytest.approx(32_000, rel=0.03)


def test_the_payload_of_opus_is_what_its_packets_hold() -> None:
    import io

    import av

    encoded = build("opus@12").encode(noise(1.0, RATE), RATE)
    with av.open(io.BytesIO(encoded.content)) as container:
        sizes = [packet.size for packet in container.demux(audio=0)]
    assert encoded.payload_bytes == sum(sizes)
    assert len(encoded.content) > bytes_of(encoded)


def test_the_reference_is_untouched_and_anchors_have_no_bytes() -> None:
    audio = noise(0.1, RATE)
    coded = transcode(build("reference"), audio, RATE)
    assert np.array_equal(coded.audio, audio)
    assert coded.encoded.payload_bytes is None


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 48_000])
def test_the_anchor_passes_below_3_5_khz_and_stops_from_4_khz(rate_hz: int) -> None:
    def gain_db(hz: float) -> float:
        x = sine(0.5, rate_hz, hz)
        middle = slice(rate_hz // 8, -rate_hz // 8)
        y = low_pass(x, rate_hz)
        return 20 * np.log10(np.std(y[0, middle]) / np.std(x[0, middle]))

    assert all(abs(gain_db(hz)) < 0.1 for hz in (100, 1000, 3000, 3500))
    assert gain_db(4000) < -50
    assert gain_db(4500) < -50


def test_the_anchor_leaves_telephone_speech_alone() -> None:
    audio = noise(0.1, 8000)
    assert np.array_equal(low_pass(audio, 8000), audio)


@pytest.mark.parametrize("engine", ["recodec", "recodec-torch"])
def test_a_checkpoint_by_each_engine(checkpoint: Path, engine: str) -> None:
    codec = build(f"{engine}:{checkpoint}@1.8")
    audio = noise(1.0, 48_000, channels=2)
    coded = transcode(codec, audio, 48_000)
    assert coded.audio.shape == audio.shape
    config = tiny()
    assert codes_of(coded.encoded).shape == (config.quantizers_for(1.8), 75)
    assert bytes_of(coded.encoded) * 8 == pytest.approx(1800, abs=8)
    assert coded.encoded.codebook_size == 64
    assert codes_of(coded.encoded).max() < 64
    with pytest.raises(ConfigError, match="has the bandwidths"):
        build(f"{engine}:{checkpoint}@7")


def test_the_engines_agree(checkpoint: Path) -> None:
    audio = noise(0.5, RATE)
    a, b = (transcode(build(f"{engine}:{checkpoint}@3.6"), audio, RATE) for engine in ("recodec", "recodec-torch"))
    assert np.mean(a.encoded.codes == b.encoded.codes) > 0.99


def test_transformers_as_a_peer_gives_the_same(checkpoint: Path) -> None:
    pytest.importorskip("transformers")
    audio = noise(0.5, RATE)
    ours, theirs = (transcode(build(f"{n}:{checkpoint}@3.6"), audio, RATE) for n in ("recodec-torch", "transformers"))
    assert np.array_equal(codes_of(ours.encoded), codes_of(theirs.encoded))
    assert np.allclose(ours.audio, theirs.audio, atol=1e-4)
    assert theirs.encoded.payload_bytes == ours.encoded.payload_bytes


def test_metas_encodec_as_a_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchaudio", sys.modules.get("torchaudio", types.ModuleType("torchaudio")))
    meta = pytest.importorskip("encodec")
    fresh = meta.EncodecModel.encodec_model_24khz
    monkeypatch.setattr(meta.EncodecModel, "encodec_model_24khz", staticmethod(lambda: fresh(pretrained=False)))
    coded = transcode(build("encodec:24khz@6"), noise(0.2, RATE), RATE)
    assert codes_of(coded.encoded).shape == (8, 15)
    assert coded.encoded.payload_bytes == 150
    with pytest.raises(ConfigError, match="has the bandwidths"):
        build("encodec:24khz@7")
    with pytest.raises(CheckpointError, match="encodec cannot load /nowhere"):
        build("encodec:/nowhere@6")


class FakePeer:
    """What the interfaces of `dac.DAC` and `snac.SNAC` have in common."""

    hop_length = 320

    def eval(self):
        return self

    def preprocess(self, x, rate_hz):
        import torch

        return torch.nn.functional.pad(x, (0, -x.shape[-1] % self.hop_length))


class FakeDac(FakePeer):
    """The interface of `dac.DAC`, for weights that cannot be had here."""

    sample_rate, codebook_size, n_codebooks = 24_000, 1024, 32

    @classmethod
    def load(cls, path: str):
        return cls()

    def encode(self, x, n_quantizers):
        import torch

        codes = torch.zeros(1, n_quantizers, x.shape[-1] // self.hop_length, dtype=torch.int64)
        return x, codes, None, None, None

    def decode(self, z):
        return z


class FakeSnac(FakePeer):
    """The interface of `snac.SNAC`."""

    sampling_rate, codebook_size = 24_000, 4096

    @classmethod
    def from_pretrained(cls, name: str):
        return cls()

    def encode(self, x):
        import torch

        self.x = x
        return [torch.zeros(1, count, dtype=torch.int64) for count in (12, 24, 48)]

    def decode(self, codes):
        return self.x


def test_peers_that_are_not_here_by_their_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    audio = noise(1.0, RATE)
    for name in ("dac", "snac"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match="descript-audio-codec cannot be imported"):
        build("dac:weights.pth@6")
    monkeypatch.setitem(sys.modules, "dac", types.SimpleNamespace(DAC=FakeDac))
    coded = transcode(build("dac:weights.pth@6"), audio, RATE)
    assert np.array_equal(coded.audio, audio)
    assert coded.encoded.payload_bytes == 8 * 75 * 10 // 8
    monkeypatch.setitem(sys.modules, "snac", types.SimpleNamespace(SNAC=FakeSnac))
    coded = transcode(build("snac"), audio, RATE)
    assert np.array_equal(coded.audio, audio)
    assert coded.encoded.payload_bytes == (12 + 24 + 48) * 12 // 8


def test_names_of_codecs() -> None:
    specs = parse_codecs(["opus@6,12", "opus@6", "recodec:runs/a@1.5", "lowpass", "snac", "mp3"], [16, 32])
    assert [str(spec) for spec in specs] == [
        "opus@6", "opus@12", "recodec:runs/a@1.5", "lowpass", "snac", "mp3@16", "mp3@32",
    ]  # fmt: skip
    assert [spec.label for spec in specs] == [
        "Opus 6", "Opus 12", "a 1.5", "Low-pass 3.5 kHz", "snac", "MP3 16", "MP3 32",
    ]  # fmt: skip
    assert specs[2] == CodecSpec("recodec", "runs/a", 1.5)
    assert specs[2].family == "recodec:runs/a"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flac@6", "unknown codec 'flac'"),
        ("opus", "opus needs a bandwidth"),
        ("opus@", "opus needs a bandwidth"),
        ("opus@6,x", "'x' is not a bandwidth"),
        ("opus@-6", "'-6' is not a bandwidth"),
        ("opus@nan", "'nan' is not a bandwidth"),
        ("lowpass@6", "lowpass has no bandwidths"),
        ("opus:big@6", "no models to choose from"),
    ],
)
def test_names_that_mean_nothing_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_codecs([text])


def test_settings_and_checkpoints_that_do_not_exist_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="1 to 512 kbps"):
        build("opus@600")
    with pytest.raises(CheckpointError):
        build(f"recodec:{tmp_path}@6")


def test_the_entropy_coded_rate_is_that_of_the_files(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    shutil.copytree(checkpoint, folder)
    audio = sine(6.0, RATE, 300.0)
    assert transcode(build(f"recodec:{folder}@1.8"), audio, RATE).encoded.count_entropy_bytes is None
    add_fitting_lm(folder, audio)
    encoded = transcode(build(f"recodec:{folder}@1.8"), audio, RATE).encoded
    assert encoded.count_entropy_bytes is not None
    file = Codec.from_pretrained(folder).compress(audio, 1.8)
    assert encoded.count_entropy_bytes() == inspect(io.BytesIO(file)).payload_bytes
    assert encoded.count_entropy_bytes() < bytes_of(encoded)

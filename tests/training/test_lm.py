"""Training of the code language model, on toy codes that are easy to foretell."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from recodec import presets
from recodec.errors import AudioError, CheckpointError, ConfigError
from recodec.lm.coder import LanguageModel
from recodec.lm.config import CodeLMConfig
from recodec.lm.float_network import CodeLM
from recodec.lm.meta_network import MetaLMConfig
from recodec.model.encodec import EncodecModel
from recodec.training.codes import CodeCrops, CodesIndex, codes_of_clips, codes_of_shards
from recodec.training.lm import LMTrainConfig, LMTrainer, bits_by_bandwidth, train_lm

K, N = 2, 16
SHAPE = CodeLMConfig(
    K, codebook_size=N, width=16, num_layers=1, num_heads=2, feed_forward=32, context_s=0.1, head_width=16
)
BANDS = (0.3, 0.6)  # kbps of 1 and 2 codebooks of 4 bits, 75 frames a second


def write_codes(folder: Path, seed: int, frames: int = 600) -> Path:
    """Codebook 0 counts up in steps of 3, with noise; codebook 1 follows from codebook 0 of the same frame."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    index = CodesIndex(K, N, 75, BANDS, {})
    for group in ("speech", "music"):
        first = (3 * np.arange(frames) + random.integers(0, 2, frames)) % N
        np.save(folder / f"{group}-000.npy", np.stack([first, first * 5 % N]).astype(np.int16))
        index.frames[f"{group}-000.npy"] = frames
    np.save(folder / "codebooks.npy", random.normal(size=(K, N, 8)).astype(np.float32))
    (folder / "codes.json").write_text(json.dumps(dataclasses.asdict(index)))
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("codes")
    write_codes(root / "train", 0)
    write_codes(root / "dev", 1, 150)
    return root


def config_of(corpus: Path, **changes: object) -> LMTrainConfig:
    base = LMTrainConfig(SHAPE, str(corpus / "train"), dev=str(corpus / "dev"), updates=150, warmup_updates=5,
                         cooldown_updates=50, batch_size=4, crop_s=0.4, learning_rate=1e-2, dev_every=1000)  # fmt: skip
    return dataclasses.replace(base, **changes)


def test_learns_and_exports_what_it_learnt(corpus: Path, tmp_path: Path) -> None:
    model = train_lm(config_of(corpus), tmp_path, progress=False)
    figures = bits_by_bandwidth(model, corpus / "dev")
    # 1 bit of noise a frame, and nothing more: codebook 1 is known once codebook 0 is.
    assert 0.95 < figures["dev_0.3"] < 1.6
    assert figures["dev_0.6"] < 1.7
    assert figures["dev_0.6"] == pytest.approx((figures["dev_music_0.6"] + figures["dev_speech_0.6"]) / 2)
    exact = LanguageModel.load(tmp_path / "lm")
    codes = [np.load(corpus / "dev" / f"{g}-000.npy").astype(np.int64) for g in ("speech", "music")]
    payloads = exact.encode(codes)
    assert all(
        np.array_equal(a, b) for a, b in zip(exact.decode(payloads, [c.shape for c in codes]), codes, strict=True)
    )
    coded_bits = 8 * sum(map(len, payloads))
    assert coded_bits < 1.005 * figures["dev_0.6"] * 300 + 16 * len(payloads)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log[-1]["update"] == 150
    assert log[-1]["dev_0.6"] == pytest.approx(figures["dev_0.6"])


def test_another_run_is_a_start(corpus: Path, tmp_path: Path) -> None:
    """Its weights count, not its codebooks: those are the codec's that is at hand."""
    train_lm(config_of(corpus), tmp_path / "first", progress=False)
    other = write_codes(tmp_path / "other" / "train", 7)
    before = torch.from_numpy(np.load(other / "codebooks.npy"))
    trainer = LMTrainer(config_of(corpus, codes=str(other), start=str(tmp_path / "first"), seed=5))
    codebooks = CodeLM(SHAPE, before).codebooks
    assert isinstance(trainer.model, CodeLM)
    assert trainer.model.codebooks is not None
    assert codebooks is not None
    assert torch.equal(trainer.model.codebooks, codebooks)
    learnt = torch.load(tmp_path / "first" / "state.pt", weights_only=True)["model"]
    assert all(torch.equal(p, learnt[name]) for name, p in trainer.model.named_parameters())
    assert trainer.done == 0
    with pytest.raises(CheckpointError, match="cannot start from"):
        LMTrainer(config_of(corpus, start=str(tmp_path)))
    shape = dataclasses.replace(SHAPE, width=32)
    with pytest.raises(CheckpointError, match="cannot start from"):
        LMTrainer(config_of(corpus, model=shape, start=str(tmp_path / "first")))


def test_the_parallel_form_cannot_learn_what_lies_within_a_frame(corpus: Path, tmp_path: Path) -> None:
    parallel = dataclasses.replace(SHAPE, conditioned=False)
    figures = bits_by_bandwidth(train_lm(config_of(corpus, model=parallel), tmp_path, progress=False), corpus / "dev")
    assert figures["dev_0.6"] > 1.95


def test_metas_network_trains_as_well(corpus: Path, tmp_path: Path) -> None:
    shape = MetaLMConfig(K, N, width=16, num_layers=1, num_heads=2, feed_forward=32, past_context=7)
    model = train_lm(config_of(corpus, model=shape, updates=60), tmp_path, progress=False)
    assert bits_by_bandwidth(model, corpus / "dev")["dev_0.3"] < 3.0
    assert not (tmp_path / "lm").exists()


def test_a_run_that_is_resumed_is_as_if_unbroken(corpus: Path, tmp_path: Path) -> None:
    config = config_of(corpus, updates=12)
    whole = train_lm(config, tmp_path / "whole", progress=False)
    (tmp_path / "cut").mkdir()
    broken = LMTrainer(config)
    for _ in range(5):
        broken.update()
    broken.save(tmp_path / "cut")
    resumed = train_lm(config, tmp_path / "cut", progress=False)
    for (name, a), b in zip(whole.named_parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b), name


def test_a_run_is_not_overwritten_by_accident(corpus: Path, tmp_path: Path) -> None:
    config = config_of(corpus, updates=1)
    train_lm(config, tmp_path, progress=False)
    with pytest.raises(FileExistsError):
        train_lm(config, tmp_path, resume=False, progress=False)
    (tmp_path / "state.pt").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="cannot resume"):
        train_lm(config, tmp_path, progress=False)


def test_stops_in_time(corpus: Path, tmp_path: Path) -> None:
    train_lm(config_of(corpus, updates=10**6), tmp_path, progress=False, stop_after_s=0.2)
    assert (tmp_path / "state.pt").exists()
    assert (tmp_path / "lm" / "lm.safetensors").exists()


def test_without_the_codecs_codebooks(corpus: Path) -> None:
    trainer = LMTrainer(config_of(corpus, codebooks=False))
    assert isinstance(trainer.model, CodeLM)
    assert trainer.model.codebooks is None
    assert trainer.update()["bits_per_code"] == pytest.approx(math.log2(N), abs=0.2)


def test_codes_of_another_model_are_refused(corpus: Path) -> None:
    with pytest.raises(ConfigError, match="2 codebooks of 16 entries, the language model 1 of 16"):
        LMTrainer(config_of(corpus, model=dataclasses.replace(SHAPE, num_codebooks=1)))
    with pytest.raises(ConfigError, match="the language model 2 of 32"):
        LMTrainer(config_of(corpus, model=dataclasses.replace(SHAPE, codebook_size=32)))


def test_settings_reach_into_the_model(corpus: Path) -> None:
    config = config_of(corpus).with_settings({"updates": "7", "model.width": "32", "codebooks": "false"})
    assert (config.updates, config.model.width, config.codebooks) == (7, 32, False)
    with pytest.raises(ConfigError, match=r"no setting 'model\.depth'"):
        config.with_settings({"model.depth": "1"})
    with pytest.raises(ConfigError, match="crop_s"):
        config.with_settings({"crop_s": "-1"})


@pytest.fixture(scope="module")
def codec() -> EncodecModel:
    torch.manual_seed(0)
    model = EncodecModel(presets.tiny()).eval()
    for book in model.quantizer.codebooks:
        book.embed.normal_()
    return model


class TestCodes:
    def test_of_shards(self, codec: EncodecModel, tmp_path: Path) -> None:
        shards, out = tmp_path / "shards", tmp_path / "codes"
        shards.mkdir()
        audio = (np.random.default_rng(0).normal(size=31 * 24_000) * 3000).astype(np.int16)
        np.save(shards / "speech-000.npy", audio)
        np.save(shards / "sfx-000.npy", audio[:5000])
        index = codes_of_shards(codec, shards, out, progress=False)
        assert index == CodesIndex.read(out)
        assert index.frames == {"sfx-000.npy": 16, "speech-000.npy": 31 * 75}
        assert index.bandwidths == (0.45, 0.9, 1.8, 3.6)
        assert [index.codebooks_for(b) for b in index.bandwidths] == [1, 2, 4, 8]
        codes = np.load(out / "speech-000.npy")
        assert codes.dtype == np.int16
        x = torch.from_numpy(audio[30 * 24_000 :].astype(np.float32) / 32768)[None, None]
        expected = codec.encode(x, num_quantizers=8).audio_codes[0, 0]
        assert np.array_equal(codes[:, 30 * 75 :], expected.numpy())
        assert np.load(out / "codebooks.npy").shape == (8, 64, 16)

    def test_a_file_that_is_there_is_not_made_again(self, codec: EncodecModel, tmp_path: Path) -> None:
        np.save(tmp_path / "speech-000.npy", np.zeros(6400, np.int16))
        out = tmp_path / "codes"
        out.mkdir()
        np.save(out / "speech-000.npy", np.full((8, 3), 7, np.int16))
        assert codes_of_shards(codec, tmp_path, out, progress=False).frames == {"speech-000.npy": 3}

    def test_of_clips(self, codec: EncodecModel, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "music-01.wav", np.zeros((6401, 2)), 24_000)
        index = codes_of_clips(codec, tmp_path, tmp_path / "codes", progress=False)
        assert index.frames == {"music-01.npy": 21}
        soundfile.write(tmp_path / "music-02.wav", np.zeros(100), 8_000)
        with pytest.raises(AudioError, match="8000 Hz"):
            codes_of_clips(codec, tmp_path, tmp_path / "codes", progress=False)

    def test_empty_folders_are_refused(self, codec: EncodecModel, tmp_path: Path) -> None:
        with pytest.raises(AudioError, match="no int16 shards"):
            codes_of_shards(codec, tmp_path, tmp_path / "codes", progress=False)
        with pytest.raises(AudioError, match=r"no \.flac or \.wav clips"):
            codes_of_clips(codec, tmp_path, tmp_path / "codes", progress=False)

    def test_crops_come_from_the_groups_by_weight(self, corpus: Path) -> None:
        crops = CodeCrops(corpus / "train", crop_frames=600, group_weights={"speech": 1.0, "sfx": 5.0})
        speech = np.load(corpus / "train" / "speech-000.npy")
        assert np.array_equal(crops.batch(3, 1).numpy(), np.stack([speech[:1]] * 3))

    @pytest.mark.parametrize(("frames", "weights"), [(601, {"speech": 1.0}), (10, {"sfx": 1.0})])
    def test_crops_that_no_file_has_are_refused(self, corpus: Path, frames: int, weights: dict[str, float]) -> None:
        with pytest.raises(ConfigError, match="holds no codes"):
            CodeCrops(corpus / "train", crop_frames=frames, group_weights=weights)

    @pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"bandwidths": 3}'])
    def test_unfinished_folders_are_refused(self, tmp_path: Path, text: str | None) -> None:
        if text is not None:
            (tmp_path / "codes.json").write_text(text)
        with pytest.raises(ConfigError):
            CodesIndex.read(tmp_path)


def test_matrices_are_muons_and_the_rest_adams(corpus: Path) -> None:
    both, alone = LMTrainer(config_of(corpus)), LMTrainer(config_of(corpus, matrix_learning_rate=0.0))
    shapes = [[tuple(p.shape) for p in o.param_groups[0]["params"]] for o in both.optimizers]
    assert shapes[1] == [(16, 48), (16, 16), (16, 32), (32, 16), (2, 16, 16)]
    assert len(alone.optimizers) == 1
    count = sum(len(group) for group in shapes)
    assert count == len(list(both.model.parameters())) == len(alone.optimizers[0].param_groups[0]["params"])
    both.update()
    assert [o.param_groups[0]["lr"] for o in both.optimizers] == pytest.approx([1e-2 / 5, 2e-3 / 5])

"""Training of the code language model, on toy codes that are easy to foretell."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from recodec import presets
from recodec.errors import CheckpointError, ConfigError
from recodec.lm.coder import LanguageModel
from recodec.lm.config import CodeLMConfig
from recodec.lm.float_network import CodeLM
from recodec.lm.meta_network import MetaLMConfig
from recodec.model.encodec import EncodecModel
from recodec.training.codes import CodeCrops, CodecShape, read_clips
from recodec.training.lm import LMTrainConfig, LMTrainer, bits_by_bandwidth, export, train_lm

K, N = 2, 16
SHAPE = CodeLMConfig(
    K, codebook_size=N, width=16, num_layers=1, num_heads=2, feed_forward=32, context_s=0.1, head_width=16
)
BANDS = (0.3, 0.6)  # kbps of 1 and 2 codebooks of 4 bits, 75 frames a second
GROUPS = ("speech", "music")


def write_codes(folder: Path, seed: int, frames: int = 600) -> Path:
    """What `tokenize` writes. Codebook 0 counts up in steps of 3, with noise; codebook 1 follows from codebook 0 of the
    same frame."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    rows = []
    for _ in GROUPS:
        first = (3 * np.arange(frames) + random.integers(0, 2, frames)) % N
        rows.append(np.stack([first, first * 5 % N]))
    write_rows(folder, [f"{group}/000" for group in GROUPS], rows)
    return folder


def write_rows(folder: Path, ids: list[str], codes: list[np.ndarray], **columns: list[str]) -> None:
    """A shard of clips."""
    table = {
        "id": ids,
        "codes": [[list(map(int, row)) for row in clip] for clip in codes],
        "num_codebooks": [len(clip) for clip in codes],
        "num_frames": [clip.shape[1] for clip in codes],
        **columns,
    }
    pq.write_table(pa.table(table), folder / "codes-000000.parquet")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("codes")
    write_codes(root / "train", 0)
    write_codes(root / "dev", 1, 150)
    torch.manual_seed(0)
    config = dataclasses.replace(presets.tiny(), codebook_size=N, target_bandwidths=BANDS)
    for name in ("codec", "other"):
        model = EncodecModel(config).eval()
        for book in model.quantizer.codebooks:
            book.embed.normal_()
        model.save_pretrained(root / name)
    return root


def config_of(corpus: Path, **changes: object) -> LMTrainConfig:
    codes, codec = str(corpus / "train"), str(corpus / "codec")
    base = LMTrainConfig(SHAPE, codes, codec, dev=str(corpus / "dev"), updates=150, warmup_updates=5,
                         cooldown_updates=50, batch_size=4, crop_s=0.4, learning_rate=1e-2, dev_every=1000)  # fmt: skip
    return dataclasses.replace(base, **changes)


def bits_of(model: torch.nn.Module, corpus: Path) -> dict[str, float]:
    return bits_by_bandwidth(model, CodecShape.of(corpus / "codec"), corpus / "dev", GROUPS)


def test_learns_and_exports_what_it_learnt(corpus: Path, tmp_path: Path) -> None:
    model = train_lm(config_of(corpus), tmp_path, progress=False)
    figures = bits_of(model, corpus)
    # 1 bit of noise a frame, and nothing more: codebook 1 is known once codebook 0 is.
    assert 0.95 < figures["dev_0.3"] < 1.6
    assert figures["dev_0.6"] < 1.7
    assert figures["dev_0.6"] == pytest.approx((figures["dev_music_0.6"] + figures["dev_speech_0.6"]) / 2)
    exact = LanguageModel.load(tmp_path / "lm")
    codes = [clip.codes for clip in read_clips(corpus / "dev", CodecShape.of(corpus / "codec"), GROUPS)]
    payloads = exact.encode(codes)
    assert all(
        np.array_equal(a, b) for a, b in zip(exact.decode(payloads, [c.shape for c in codes]), codes, strict=True)
    )
    coded_bits = 8 * sum(map(len, payloads))
    assert coded_bits < 1.005 * figures["dev_0.6"] * 300 + 16 * len(payloads)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log[-1]["update"] == 150
    assert log[-1]["dev_0.6"] == pytest.approx(figures["dev_0.6"])


def test_an_exact_model_is_a_start(corpus: Path, tmp_path: Path) -> None:
    config = config_of(corpus)
    first = LMTrainer(config)
    first.update()
    assert isinstance(first.model, CodeLM)
    export(first.model, tmp_path)
    again = LMTrainer(dataclasses.replace(config, start=str(tmp_path), seed=5))
    codes = torch.randint(4, (2, 2, 9))
    torch.testing.assert_close(again.model(codes), first.model(codes), rtol=0, atol=0.02)
    wider = dataclasses.replace(SHAPE, feed_forward=2 * SHAPE.feed_forward)
    with pytest.raises(CheckpointError, match="another shape"):
        LMTrainer(config_of(corpus, model=wider, start=str(tmp_path)))


def test_another_run_is_a_start(corpus: Path, tmp_path: Path) -> None:
    """Its weights count, not its codebooks: those are the codec's that is at hand."""
    train_lm(config_of(corpus), tmp_path / "first", progress=False)
    before = torch.from_numpy(CodecShape.of(corpus / "other").codebooks)
    trainer = LMTrainer(config_of(corpus, codec=str(corpus / "other"), start=str(tmp_path / "first"), seed=5))
    wanted = CodeLM(SHAPE, before).codebooks
    assert isinstance(trainer.model.codebooks, torch.Tensor)
    assert isinstance(wanted, torch.Tensor)
    assert torch.equal(trainer.model.codebooks, wanted)
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
    figures = bits_of(train_lm(config_of(corpus, model=parallel), tmp_path, progress=False), corpus)
    assert figures["dev_0.6"] > 1.95


def test_metas_network_trains_as_well(corpus: Path, tmp_path: Path) -> None:
    shape = MetaLMConfig(K, N, width=16, num_layers=1, num_heads=2, feed_forward=32, past_context=7)
    model = train_lm(config_of(corpus, model=shape, updates=60), tmp_path, progress=False)
    assert bits_of(model, corpus)["dev_0.3"] < 3.0
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


class TestCodes:
    @pytest.fixture
    def shape(self, corpus: Path) -> CodecShape:
        return CodecShape.of(corpus / "codec")

    def test_the_codec_says_how_many_codebooks_a_bandwidth_has(self, shape: CodecShape) -> None:
        assert shape.counts == {0.3: 1, 0.6: 2}
        assert shape.codebooks.shape == (2, N, shape.config.hidden_size)

    def test_groups_are_told_by_a_column_a_folder_or_a_name(self, shape: CodecShape, tmp_path: Path) -> None:
        ids = ["a/b", "speech/c.wav", "d/music-01.flac", "speeches/e"]
        write_rows(tmp_path, ids, [np.zeros((K, 3), int)] * 4, group=["music", "", "", ""])
        found = [clip.group for clip in read_clips(tmp_path, shape, GROUPS)]
        assert found == ["music", "speech", "music", "all"]

    def test_crops_come_from_the_groups_by_weight(self, shape: CodecShape, corpus: Path) -> None:
        crops = CodeCrops(corpus / "train", shape, crop_frames=600, group_weights={"speech": 1.0, "sfx": 5.0})
        speech = next(read_clips(corpus / "train", shape, GROUPS)).codes
        assert np.array_equal(crops.batch(3, 1).numpy(), np.stack([speech[:1]] * 3))

    def test_short_clips_are_laid_end_to_end(self, shape: CodecShape, tmp_path: Path) -> None:
        clips = [np.full((K, 4), i) for i in range(3)]
        write_rows(tmp_path, ["speech/a", "speech/b", "speech/c"], clips)
        crops = CodeCrops(tmp_path, shape, crop_frames=12, group_weights={"speech": 1.0})
        assert np.array_equal(crops.batch(1, K)[0].numpy(), np.concatenate(clips, axis=1))

    def test_clips_of_no_group_serve_where_there_are_no_others(self, shape: CodecShape, tmp_path: Path) -> None:
        write_rows(tmp_path, ["x"], [np.zeros((K, 9), int)])
        assert CodeCrops(tmp_path, shape, crop_frames=5, group_weights={"speech": 1.0}).batch(2, 1).shape == (2, 1, 5)

    @pytest.mark.parametrize(("frames", "weights"), [(601, {"speech": 1.0}), (10, {"speech": 0.0, "music": 0.0})])
    def test_crops_that_no_clip_has_are_refused(
        self, shape: CodecShape, corpus: Path, frames: int, weights: dict[str, float]
    ) -> None:
        with pytest.raises(ConfigError, match="holds no codes"):
            CodeCrops(corpus / "train", shape, crop_frames=frames, group_weights=weights)

    def test_folders_without_codes_are_refused(self, shape: CodecShape, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="recodec tokenize"):
            list(read_clips(tmp_path, shape, GROUPS))

    def test_codes_of_a_lower_bandwidth_are_refused(self, shape: CodecShape, tmp_path: Path) -> None:
        write_rows(tmp_path, ["x"], [np.zeros((1, 9), int)])
        with pytest.raises(ConfigError, match="highest bandwidth"):
            list(read_clips(tmp_path, shape, GROUPS))

    def test_codes_that_the_model_does_not_have_are_refused(self, shape: CodecShape, tmp_path: Path) -> None:
        write_rows(tmp_path, ["x"], [np.full((K, 9), N)])
        with pytest.raises(ConfigError, match="does not have"):
            list(read_clips(tmp_path, shape, GROUPS))


def test_matrices_are_muons_and_the_rest_adams(corpus: Path) -> None:
    both, alone = LMTrainer(config_of(corpus)), LMTrainer(config_of(corpus, matrix_learning_rate=0.0))
    shapes = [[tuple(p.shape) for p in o.param_groups[0]["params"]] for o in both.optimizers]
    assert shapes[1] == [(16, 48), (16, 16), (16, 32), (32, 16), (2, 16, 16)]
    assert len(alone.optimizers) == 1
    count = sum(len(group) for group in shapes)
    assert count == len(list(both.model.parameters())) == len(alone.optimizers[0].param_groups[0]["params"])
    both.update()
    assert [o.param_groups[0]["lr"] for o in both.optimizers] == pytest.approx([1e-2 / 5, 2e-3 / 5])

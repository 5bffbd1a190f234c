"""Training on stored codes: codes and audio lie on each other, and what does not fit is refused by name."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from recodec import presets
from recodec.audio import resample
from recodec.codec import ModelChoice
from recodec.config import EncodecConfig
from recodec.errors import ConfigError
from recodec.model.encodec import EncodecModel
from recodec.tokenize import open_shards, tokenize
from recodec.training.config import TrainConfig
from recodec.training.data import Batch
from recodec.training.sources import SampleShard
from recodec.training.stored import StoredExamples, read_frames
from recodec.training.trainer import Trainer
from support import spectral as shapes
from support.peers import random_model

MODEL = presets.tiny()
HOP = MODEL.hop_length


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    random_model(MODEL).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of odd lengths in folders by group, one of them at another rate."""
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    for name, samples, rate in (("speech/a", 13_001, 24_000), ("speech/b", 7333, 24_000), ("music/c", 40_011, 48_000)):
        (folder / name).parent.mkdir(exist_ok=True)
        soundfile.write(folder / f"{name}.wav", 0.2 * rng.standard_normal(samples), rate, subtype="FLOAT")
    return folder


@pytest.fixture(scope="module")
def codes(clips: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("codes")
    tokenize(clips, folder, num_quantizers=MODEL.num_quantizers, model=ModelChoice(str(model), threads=1), processes=1)
    return folder


@pytest.fixture
def config(clips: Path, codes: Path, model: Path) -> TrainConfig:
    return TrainConfig(
        MODEL, str(clips), codes=str(codes), start=str(model), train_encoder=False, decoder="spectral",
        spectral_model=shapes.config(), batch_size=3, crop_s=16 * HOP / MODEL.sampling_rate, context_frames=14,
        gain_db=(0.0, 0.0), group_weights={"speech": 0.5, "music": 0.5}, warmup_updates=1,
        spectral=dataclasses.replace(TrainConfig(MODEL, "").spectral, windows=(64, 128), windows_drawn=1),
    )  # fmt: skip


def test_a_crop_is_decoded_as_the_whole_stream_is(config: TrainConfig, codes: Path) -> None:
    """With a context as long as the decoder remembers, crops come out as from the codes of all clips in a row."""
    alone = dataclasses.replace(config, group_weights={"speech": 1.0, "music": 0.0})
    trainer = Trainer(alone)
    rows = {item["id"]: item["codes"] for item in open_shards(codes)}
    tape = torch.from_numpy(np.concatenate([rows["speech/a.wav"], rows["speech/b.wav"]], axis=1))[None]
    assert trainer.spectral is not None
    whole = trainer.spectral.network(trainer.model.quantizer.dequantize(tape))
    seen = set()
    for number in range(12):
        example = trainer.examples[number]
        assert example.codes is not None
        batch = Batch(torch.from_numpy(example.audio)[None], codes=torch.from_numpy(example.codes)[None],
                      offsets=(example.offset,))  # fmt: skip
        band = len(MODEL.target_bandwidths) - 1
        quantized, _, _ = trainer._quantized(batch, band)
        output = trainer._try(trainer.branches[0], quantized, batch, band).output
        starts = [s for s in range(tape.shape[2]) if np.array_equal(_at(tape, s, example.codes), example.codes)]
        first = (starts[0] + example.offset) * HOP
        seen.add(example.offset)
        torch.testing.assert_close(output, whole[..., first : first + output.shape[-1]], rtol=0, atol=1e-5)
    assert len(seen) > 1, "crops at an end of the tape have another offset"


def _at(tape: torch.Tensor, start: int, codes: np.ndarray) -> np.ndarray:
    return tape[0, :, start : start + codes.shape[1]].numpy()


def test_the_audio_of_a_crop_is_what_its_codes_were_made_of(config: TrainConfig, clips: Path, codes: Path) -> None:
    rows = {item["id"]: item["codes"] for item in open_shards(codes)}
    audio, tape = [], []
    for name in ("speech/a.wav", "speech/b.wav"):
        samples = soundfile.read(clips / name, dtype="float32")[0]
        frames = rows[name].shape[1]
        assert frames == MODEL.frames_for(samples.size)
        audio.append(np.pad(samples, (0, frames * HOP - samples.size)))
        tape.append(rows[name])
    joined, stream = np.concatenate(audio), torch.from_numpy(np.concatenate(tape, axis=1))[None]
    examples = StoredExamples(dataclasses.replace(config, group_weights={"speech": 1.0, "music": 0.0}))
    for number in range(12):
        example = examples[number]
        assert example.codes is not None
        start = next(s for s in range(stream.shape[2]) if np.array_equal(_at(stream, s, example.codes), example.codes))
        first = (start + example.offset) * HOP
        assert np.array_equal(example.audio[0], joined[first : first + example.audio.shape[1]])


@pytest.mark.parametrize("rate", [24_000, 48_000, 44_100, 16_000])
def test_frames_of_a_recording_at_any_rate(tmp_path: Path, rate: int) -> None:
    config = EncodecConfig()
    samples = (3000 * np.random.default_rng(0).standard_normal(2 * rate)).astype(np.int16)
    np.save(tmp_path / "x.npy", samples)
    source = SampleShard(tmp_path / "x.npy", samples.size, rate)
    whole = resample((samples[None] / 32768).astype(np.float32), rate, config.sampling_rate)
    for first, count in ((0, 20), (37, 50), (101, 49)):
        found = read_frames(source, first, count, config)
        expected = whole[:, first * config.hop_length : (first + count) * config.hop_length]
        assert found.shape == (1, count * config.hop_length)
        np.testing.assert_allclose(found[:, : expected.shape[1]], expected, rtol=0, atol=2e-4)


def test_the_encoder_does_not_run_and_the_decoder_learns(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(config)

    def refuse(*_: object) -> None:
        raise AssertionError("the encoder ran")

    monkeypatch.setattr(trainer.model.encoder, "forward", refuse)
    assert trainer.spectral is not None
    before = trainer.spectral.network.head.out.weight.detach().clone()
    figures = [trainer.update() for _ in range(2)]
    assert all(np.isfinite(f["spectral_phase"]) for f in figures)
    assert not torch.equal(before, trainer.spectral.network.head.out.weight)


def test_either_decoder_learns_on_them(config: TrainConfig) -> None:
    trainer = Trainer(dataclasses.replace(config, decoder="both"))
    assert {"time", "mel", "spectral_mel"} <= trainer.update().keys()


def test_groups_may_have_places_of_their_own(config: TrainConfig, clips: Path, model: Path, tmp_path: Path) -> None:
    places = {name: str(clips / name) for name in ("speech", "music")}
    folders = {name: str(tmp_path / name) for name in places}
    for name, place in places.items():
        choice = ModelChoice(str(model), threads=1)
        tokenize(place, folders[name], num_quantizers=MODEL.num_quantizers, model=choice, processes=1)
    apart = StoredExamples(dataclasses.replace(config, data=places, codes=folders))
    together = StoredExamples(config)
    for number in range(4):
        a, b = apart[number], together[number]
        assert np.array_equal(a.audio, b.audio)
        assert a.codes is not None
        assert b.codes is not None
        assert np.array_equal(a.codes, b.codes)
    with pytest.raises(ConfigError, match="codes names no folder for the group music"):
        StoredExamples(dataclasses.replace(config, data=places, codes={"speech": folders["speech"]}))


def test_codes_of_another_model_are_refused(config: TrainConfig, tmp_path: Path) -> None:
    other = EncodecModel.from_pretrained(config.start)
    with torch.no_grad():
        next(other.parameters()).add_(1e-3)
    other.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="of another model than the run starts from"):
        StoredExamples(dataclasses.replace(config, start=str(tmp_path)))
    with pytest.raises(ConfigError, match="need the model that they were made with"):
        StoredExamples(dataclasses.replace(config, start=None))


def test_recordings_that_changed_are_left_out(config: TrainConfig, clips: Path, tmp_path: Path) -> None:
    changed = tmp_path / "clips"
    shutil.copytree(clips, changed)
    soundfile.write(changed / "speech" / "a.wav", np.zeros(6000), 24_000)
    soundfile.write(changed / "speech" / "new.wav", np.zeros(6000), 24_000)
    examples = StoredExamples(dataclasses.replace(config, data=str(changed)))
    reasons = {Path(name).name: why for name, why in examples.left_out.items()}
    assert reasons.keys() == {"a.wav", "new.wav", "the group speech"}
    assert "less than a crop" in reasons["the group speech"]
    assert "it has 6000 samples, and its codes" in reasons["a.wav"]
    assert "has no codes of speech/new.wav" in reasons["new.wav"]
    (tmp_path / "empty").mkdir()
    soundfile.write(tmp_path / "empty" / "z.wav", np.zeros(6000), 24_000)
    with pytest.raises(ConfigError, match="recodec tokenize must have read the same place"):
        StoredExamples(dataclasses.replace(config, data=str(tmp_path / "empty")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_encoder": True}, "codes goes with train_encoder=false"),
        ({"gain_db": (-10.0, 6.0)}, "gain_db must be"),
        ({"mixing": (1.0, 0.0, 0.0, 0.0)}, "mixing must be None"),
        ({"reverb_probability": 0.1}, "reverb_probability must be 0.0"),
        ({"codes": {"speech": "x"}}, "a folder for each group"),
        ({"crop_s": 0.1001}, "whole frames"),
        ({"context_frames": -1}, "context_frames must not be negative"),
    ],
)
def test_settings_that_stored_codes_do_not_go_with(config: TrainConfig, changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(config, **changes)


def test_settings_that_go_together_come_in_any_order() -> None:
    plain = TrainConfig(MODEL, "x")
    settings = {"codes": "y", "gain_db": "[0.0, 0.0]", "train_encoder": "false"}
    assert plain.with_settings(settings) == plain.with_settings(dict(reversed(settings.items())))


def test_folders_without_codes_are_named(config: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no shards of codes: recodec tokenize"):
        StoredExamples(dataclasses.replace(config, codes=str(tmp_path)))


def test_silent_recordings_are_named(clips: Path, model: Path, config: TrainConfig, tmp_path: Path) -> None:
    shutil.copytree(clips, tmp_path / "clips")
    soundfile.write(tmp_path / "clips" / "speech" / "mute.wav", np.zeros(20_000), 24_000)
    tokenize(tmp_path / "clips", tmp_path / "codes", num_quantizers=MODEL.num_quantizers,
             model=ModelChoice(str(model), threads=1), processes=1)  # fmt: skip
    changed = dataclasses.replace(config, data=str(tmp_path / "clips"), codes=str(tmp_path / "codes"))
    examples = StoredExamples(changed)
    failed: dict[str, str] = {}
    for number in range(30):
        failed |= examples[number].failed
    assert failed == {str(tmp_path / "clips" / "speech" / "mute.wav"): "is silent from its start to its end"}

"""Codes back from disk: by number, as streams, and as audio."""

from __future__ import annotations

import pickle
from contextlib import suppress
from multiprocessing import get_all_start_methods

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, default_collate

from recodec.audio.files import read_audio
from recodec.codec import Codec
from recodec.errors import ConfigError, CorruptError, ModelMismatchError
from recodec.tokenize import detokenize, open_codes
from recodec.tokenize.back import audio_name
from recodec.tokenize.reading import CodeShards

FORMATS = ["parquet", "tar", "ecdc"]


@pytest.fixture(scope="module", params=FORMATS)
def out(request, clips, model, tmp_path_factory):
    from recodec.tokenize import tokenize

    folder = tmp_path_factory.mktemp(request.param)
    tokenize(clips, folder, model=model, processes=0, shard_clips=5, format=request.param, long_s=3.0)
    return folder


def test_numbers_and_iteration_agree(out):
    data = open_codes(out)
    items = list(data)
    assert len(data) == len(items) == 12
    for i in (11, 0, 5, 4, 7, -1, -12):
        item = data[i]
        assert item["id"] == items[i]["id"]
        assert item["codes"].dtype == torch.int64
        assert item["codes"].equal(items[i]["codes"])
        assert item["codes"].shape == (item["num_codebooks"], item["num_frames"])
    for i in (12, -13):
        with pytest.raises(IndexError):
            data[i]


def test_the_whole_is_its_shards(out):
    data = open_codes(out)
    shards = sorted(out.glob("*-0*"))
    ids = [item["id"] for shard in shards for item in open_codes(shard)]
    assert ids == [item["id"] for item in data]


def test_loaders_with_workers_give_each_clip_once(out):
    data = open_codes(out)
    loader = DataLoader(data, batch_size=None, shuffle=True, generator=torch.Generator().manual_seed(0))
    assert sorted(item["id"] for item in loader) == [item["id"] for item in data]
    stream = open_codes(out, stream=True)
    assert isinstance(stream, IterableDataset)
    assert [item["id"] for item in stream] == [item["id"] for item in data]
    many = DataLoader(stream, batch_size=None, num_workers=2, multiprocessing_context=get_all_start_methods()[0])
    assert sorted(item["id"] for item in many) == [item["id"] for item in data]
    assert pickle.loads(pickle.dumps(data))[3]["id"] == data[3]["id"]


def test_items_of_equal_length_collate(out):
    items = [{"codes": item["codes"][:, :10], "id": item["id"]} for item in open_codes(out)]
    assert default_collate(items[:4])["codes"].shape == (4, 8, 10)


def test_streams_are_mixed_by_seed_and_epoch(out):
    def order(stream):
        return [item["id"] for item in stream]

    stream = open_codes(out, stream=True, shuffle=4, seed=1)
    first = order(stream)
    assert sorted(first) == [item["id"] for item in open_codes(out)]
    assert first != sorted(first)
    assert order(stream) == first == order(open_codes(out, stream=True, shuffle=4, seed=1))
    stream.set_epoch(1)
    assert order(stream) != first


def test_a_round_trip_is_one_line(out, clips, codec, model, tmp_path):
    done = detokenize(out, tmp_path / "audio", model=model, processes=0)
    assert (done.files, done.present, done.failed) == (12, 0, ())
    total = 0
    for item in open_codes(out):
        audio, rate = read_audio(tmp_path / "audio" / audio_name(item["id"], ".wav"))
        expected = codec.decode(item["codes"].numpy(), None, item["num_samples"])
        assert rate == 24_000
        np.testing.assert_allclose(audio, np.clip(expected, -1, 1), atol=1 / 32768 + 1e-6)
        total += audio.shape[1]
    assert done.seconds == pytest.approx(total / 24_000)
    again = detokenize(out, tmp_path / "audio", model=model, processes=0)
    assert (again.files, again.present) == (0, 12)
    assert detokenize(out, tmp_path / "audio", model=model, processes=0, force=True).files == 12


def test_other_models_are_refused(out, tmp_path, segmented):
    with pytest.raises(ModelMismatchError, match="tokenized with the model 'toy'"):
        detokenize(out, tmp_path, processes=0)
    with pytest.raises(ModelMismatchError):
        detokenize(out, tmp_path, processes=0, model=segmented)
    with pytest.raises(ConfigError, match="suffix"):
        detokenize(out, tmp_path, suffix=".mp3")


def test_a_segmented_model_goes_round(run, clips, segmented, tmp_path):
    _, out = run(clips, model=segmented)
    codec = Codec.of_choice(segmented)
    assert detokenize(out, tmp_path / "audio", suffix=".flac", model=segmented, processes=0).files == 12
    item = open_codes(out)[5]
    audio, _ = read_audio(tmp_path / "audio" / audio_name(item["id"], ".flac"))
    expected = codec.decode(item["codes"].numpy(), item["scales"].numpy(), item["num_samples"])
    np.testing.assert_allclose(audio, np.clip(expected, -1, 1), atol=1 / 32768 + 1e-6)


def test_files_that_are_no_shards(tmp_path):
    with pytest.raises(FileNotFoundError, match="no shards"):
        open_codes(tmp_path)
    for name in ("codes-0.parquet", "codes-0.tar"):
        (tmp_path / name).write_text("hello")
        with pytest.raises(CorruptError, match="is not a shard"):
            open_codes(tmp_path / name)


@pytest.mark.parametrize("format", ["parquet", "tar"])
def test_damage_is_one_named_error(run, clips, tmp_path, format):
    _, out = run(clips, format=format)
    file = min(out.glob("codes-*"))
    content = file.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(40):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 30):
            damaged[place] ^= int(rng.integers(1, 256))
        (tmp_path / file.name).write_bytes(damaged)
        with suppress(CorruptError):
            for item in CodeShards(tmp_path / file.name):
                assert item["codes"].ndim == 2


def test_names_of_audio():
    assert audio_name("a/b.flac", ".wav") == "a/b.wav"
    assert audio_name("a/b.c", ".wav") == "a/b.c.wav"
    assert audio_name("../../etc/x.wav", ".ogg") == "etc/x.ogg"

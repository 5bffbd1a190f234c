"""Two processes with half a batch each do what one does with the whole, step by step."""

import dataclasses
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import multiprocessing
from torch.multiprocessing.spawn import spawn

from recodec import presets
from recodec.training import parallel
from recodec.training.adversarial import AdversarialTraining
from recodec.training.codebooks import CodebookLearning
from recodec.training.config import TrainConfig
from recodec.training.spectral import SpectralTraining
from recodec.training.trainer import Trainer
from support import spectral as shapes

UPDATES = 5


def config_of(shards: Path, batch_size: int, decoder: str = "encodec") -> TrainConfig:
    """All that must be shared: the balancer, k-means start, dead codes, weight average, discriminator."""
    config = TrainConfig(
        presets.tiny(), str(shards), batch_size=batch_size, crop_s=0.25, quantizer_start=1, learning_rate=3e-3,
        warmup_updates=1, average_decay=0.9, clip_norm=100.0, seed=3,
        codebooks=CodebookLearning(kmeans_iterations=2, dead_below=40.0),
        adversarial=AdversarialTraining(3.0, 3.0, width=2, windows=(128, 64)),
    )  # fmt: skip
    if decoder == "both":  # which goes with no discriminator
        config = dataclasses.replace(config, adversarial=AdversarialTraining())
    settings = SpectralTraining(learning_rate=3e-3, windows=(256, 64), windows_drawn=1)
    return dataclasses.replace(config, decoder=decoder, spectral_model=shapes.config(), spectral=settings)


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for group in ("speech", "music"):
        np.save(tmp_path / f"{group}-000.npy", (3000 * rng.standard_normal(48_000)).astype(np.int16))
    return tmp_path


def sgd(parameters: Any, lr: float, **_: object) -> torch.optim.SGD:
    return torch.optim.SGD(parameters, lr=lr)


def run(config: TrainConfig, out: Path) -> None:
    """Adam divides by the gradient's size, where it is 0 but for rounding too: the comparison is by plain descent."""
    torch.set_num_threads(1)
    torch.optim.Adam = sgd  # type: ignore[misc, assignment]
    trainer = Trainer(config)
    revived = sum(trainer.update()["revived"] for _ in range(UPDATES))
    assert revived > 0
    trainer.save(out)


def work(rank: int, config: TrainConfig, out: Path) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{out / 'meet'}", rank=rank, world_size=2)
    group = weakref.ref(torch.distributed.group.WORLD)
    run(config, out)
    parallel.leave()
    assert group() is None  # a group that lives on has threads, which may abort the process as it ends


def tensors_of(value: object, name: str = "") -> dict[str, torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return {name: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {key: tensor for k, v in items for key, tensor in tensors_of(v, f"{name}.{k}").items()}


@pytest.mark.parametrize("decoder", ["encodec", "spectral", "both"])
def test_two_processes_equal_one(shards: Path, tmp_path: Path, decoder: str) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    context = multiprocessing.get_context("spawn")
    alone = context.Process(target=run, args=(config_of(shards, 4, decoder), one))
    alone.start()
    alone.join()
    assert alone.exitcode == 0
    spawn(work, (config_of(shards, 2, decoder), two), nprocs=2)
    states = [torch.load(folder / "state.pt", weights_only=True) for folder in (one, two)]
    assert states[0]["position"] == states[1]["position"]
    for part in ("model", "average", "adversary", "spectral"):
        found, expected = (tensors_of(state[part]) for state in reversed(states))
        assert found.keys() == expected.keys()
        for name, tensor in found.items():
            if "optimizer" not in name:
                scale = max(1.0, float(expected[name].abs().max()))
                # A tenth of one step: Adam makes steps of gradients that are rounding. By rounding, too, a latent that
                # is as near to two entries of a codebook goes to the one or the other: some entries may differ.
                assert tensor.shape == expected[name].shape, name
                close = torch.isclose(tensor, expected[name], rtol=0, atol=3e-4 * scale)
                assert close.float().mean() >= (0.95 if ".codebook." in name else 1), name


def test_alone_everything_is_as_it_is() -> None:
    x = torch.randn(3, 2)
    assert parallel.size() == 1
    assert parallel.rank() == 0
    assert all(torch.equal(f(x), x) for f in (parallel.all_reduce, parallel.mean, parallel.all_gather))

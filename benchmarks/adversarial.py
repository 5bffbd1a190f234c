"""What the discriminator gives: the same small run with and without it, and then their spectral distances.

    python benchmarks/adversarial.py SHARDS DEV --start MODEL [--updates 300]

Both runs start from the same model, see the same crops, and train the decoder alone (codes stay as they are).
`DEV` is a folder of clips. Log-spectral distance and the level of the top octave are what a blurred decoder lacks.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from recodec import EncodecModel
from recodec.audio import read_audio
from recodec.evaluation.metrics import Pair
from recodec.evaluation.metrics.spectral import log_spectral_distance, mel_distance
from recodec.training.adversarial import AdversarialTraining
from recodec.training.config import TrainConfig
from recodec.training.loop import train

BANDWIDTH_KBPS = 6.0
TOP_HZ = 4000


def top_level_db(pair: Pair) -> float:
    """Energy of the degraded above `TOP_HZ` against the reference's, in dB: 0 is right, below is dull."""
    found = []
    for audio in (pair.reference, pair.degraded):
        power = np.abs(np.fft.rfft(audio.mean(0))) ** 2
        found.append(power[np.fft.rfftfreq(audio.shape[1], 1 / pair.rate_hz) > TOP_HZ].sum() + 1e-9)
    return float(10 * np.log10(found[1] / found[0]))


@torch.no_grad()
def score(model: EncodecModel, clips: list[tuple[np.ndarray, int]]) -> dict[str, float]:
    """Means over clips."""
    model.eval()
    rows = []
    for audio, rate_hz in clips:
        decoded = model(torch.from_numpy(audio)[None], bandwidth=BANDWIDTH_KBPS).audio_values[0].numpy()
        pair = Pair(audio, decoded, rate_hz)
        rows.append((log_spectral_distance(pair), mel_distance(pair), abs(top_level_db(pair))))
    names = ("log-spectral distance [dB]", "mel distance", "error of the level above 4 kHz [dB]")
    return dict(zip(names, np.mean(rows, axis=0), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards")
    parser.add_argument("dev", type=Path)
    parser.add_argument("--start", required=True)
    parser.add_argument("--updates", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("runs/adversarial"))
    parser.add_argument("--clips", type=int, default=24)
    options = parser.parse_args()
    torch.set_num_threads(1)
    paths = sorted(options.dev.glob("*.flac"))
    clips = [read_audio(path) for path in paths[:: max(1, len(paths) // options.clips)]]
    start = EncodecModel.from_pretrained(options.start)
    results = {"before": score(start, clips)}
    for name, settings in (
        ("without", AdversarialTraining()),
        ("with", AdversarialTraining(3.0, 3.0, width=8, windows=(1024, 512, 256))),
    ):
        config = TrainConfig(
            start.config, options.shards, start=options.start, train_encoder=False, batch_size=4, learning_rate=3e-4,
            updates=options.updates, cooldown_updates=options.updates // 3, adversarial=settings,
        )  # fmt: skip
        results[name] = score(train(config, options.out / name, progress=True), clips)
    tqdm.write(f"| {BANDWIDTH_KBPS:g} kbps | " + " | ".join(results["before"]) + " |")
    tqdm.write("| --- |" + " ---: |" * len(results["before"]))
    for name, figures in results.items():
        tqdm.write(f"| {name} | " + " | ".join(f"{value:.3f}" for value in figures.values()) + " |")


if __name__ == "__main__":
    main()

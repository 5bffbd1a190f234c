"""A tiny model learns one clip by heart: SI-SNR above 10 dB within minutes on one core.

python benchmarks/overfit.py [examples/speech.wav] [--minutes 4]
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import EXAMPLES, Stopwatch, argument_parser

from recodec import presets
from recodec.audio import read_audio, resample
from recodec.evaluation.metrics import Pair
from recodec.evaluation.metrics.waveform import si_snr
from recodec.training.config import TrainConfig
from recodec.training.trainer import Trainer

RATE_HZ = 24_000
CLIP_S = 2.0
SPEECH = EXAMPLES / "speech.wav"
WANTED_DB = 10.0


def small_run(clip: str | Path, folder: str | Path, **changes: Any) -> tuple[TrainConfig, np.ndarray]:
    """A run of a tiny model on the first seconds of a clip alone, which are put into `folder`; and that audio (T,)."""
    audio, rate_hz = read_audio(clip)
    audio = resample(audio, rate_hz, RATE_HZ).mean(0)[: round(CLIP_S * RATE_HZ)]
    np.save(Path(folder) / "speech-000.npy", np.round(audio * 32767).astype(np.int16))
    model = dataclasses.replace(
        presets.tiny(), num_filters=8, hidden_size=64, codebook_dim=64, codebook_size=256,
        target_bandwidths=(4.8,), pad_mode="constant",
    )  # fmt: skip
    settings: dict[str, Any] = {
        "updates": 100_000, "batch_size": 2, "quantizer_start": 300, "learning_rate": 3e-3, "time_weight": 1.0,
        "gain_db": (0.0, 0.0),
    }  # fmt: skip
    return TrainConfig(model, str(folder), **settings | changes), audio


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("clip", nargs="?", default=SPEECH)
    parser.add_argument("--minutes", type=float, default=4.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        config, audio = small_run(options.clip, folder)
        trainer = Trainer(config)
        watch = Stopwatch()
        best = -99.0
        while watch.read().cpu < 60 * options.minutes and best < WANTED_DB:
            for _ in range(100):
                trainer.update()
            best = max(best, si_snr(decoded(trainer, audio)))
            print(f"{watch.read().cpu:5.0f} s, update {trainer.done}: {best:.2f} dB", flush=True)
    if best < WANTED_DB:
        raise SystemExit(f"only {best:.2f} dB")


@torch.no_grad()
def decoded(trainer: Trainer, audio: np.ndarray) -> Pair:
    """The clip (T,) and what the model makes of it at its bandwidth."""
    x = torch.from_numpy(audio)[None, None]
    y = trainer.model(x, bandwidth=trainer.config.model.target_bandwidths[-1]).audio_values
    return Pair(audio[None], y[0].numpy(), RATE_HZ)


if __name__ == "__main__":
    main()

"""What the discriminator gives: the same small run with and without it, and the spectral distances at its end.

    python benchmarks/adversarial.py [examples/speech.wav] [--updates 900]

A tiny model learns one clip by heart, once from the waveform loss alone and once with the mel loss as well. With the
discriminator, both see the same crops: it begins at a quarter of the updates, leads for 50, is small (8 channels, two
windows), and hears loud audio and learns fast, as so short a run must have it.
"""

from __future__ import annotations

import tempfile

import torch
from common import argument_parser
from overfit import SPEECH, decoded, small_run
from tqdm import trange

from recodec.evaluation.metrics.spectral import log_spectral_distance, mel_distance
from recodec.evaluation.metrics.waveform import si_snr
from recodec.training.adversarial import AdversarialTraining
from recodec.training.trainer import Trainer

LOSSES = {"waveform": (1.0, 0.0, 1.0, 3.0), "waveform and mel": (0.1, 1.0, 0.3, 1.0)}
"""Shares of the waveform, of mel, of the generator's loss and of features."""


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("clip", nargs="?", default=SPEECH)
    parser.add_argument("--updates", type=int, default=900)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| losses | discriminator | log-spectral distance [dB] | mel distance | SI-SNR [dB] |")
    print("| --- | --- | ---: | ---: | ---: |", flush=True)
    for losses, (time_weight, mel_weight, generator, feature) in LOSSES.items():
        adversarial = AdversarialTraining(
            generator, feature, width=8, windows=(512, 128), gain=40.0, learning_rate=2e-3, start=options.updates // 4,
            lead=50,
        )  # fmt: skip
        for name, settings in (("without", AdversarialTraining()), ("with", adversarial)):
            with tempfile.TemporaryDirectory() as folder:
                config, audio = small_run(
                    options.clip, folder, updates=options.updates, cooldown_updates=options.updates // 3,
                    quantizer_start=200, time_weight=time_weight, mel_weight=mel_weight, adversarial=settings,
                )  # fmt: skip
                trainer = Trainer(config)
                for _ in trange(options.updates, desc=f"{losses}, {name}", leave=False):
                    trainer.update()
                pair = decoded(trainer, audio)
            figures = f"{log_spectral_distance(pair):.1f} | {mel_distance(pair):.3f} | {si_snr(pair):.1f}"
            print(f"| {losses} | {name} | {figures} |", flush=True)


if __name__ == "__main__":
    main()

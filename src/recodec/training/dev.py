"""Cheap figures on held-out clips while a run goes on. The real ones are `evaluation`'s."""

from __future__ import annotations

from pathlib import Path

import soundfile
import torch

from ..config import EncodecConfig
from ..errors import AudioError
from ..model.encodec import EncodecModel
from .losses import MultiScaleMelLoss


class DevSet:
    """Up to `limit` clips of a folder, spread evenly over its sorted names.

    Raises:
        AudioError: if there are none, or one has another sampling rate than the model.
    """

    def __init__(self, folder: str | Path, config: EncodecConfig, *, limit: int = 16) -> None:
        paths = sorted(p for p in Path(folder).iterdir() if p.suffix in (".flac", ".wav"))
        if not paths:
            raise AudioError(f"{folder} holds no .flac or .wav clips")
        self.clips: list[torch.Tensor] = []
        for path in paths[:: -(-len(paths) // limit)]:
            audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
            if rate != config.sampling_rate:
                raise AudioError(f"{path} has {rate} Hz, the model {config.sampling_rate}")
            self.clips.append(torch.from_numpy(audio.T.mean(0)).expand(1, config.audio_channels, -1))
        self.mel = MultiScaleMelLoss(config.sampling_rate)

    @torch.no_grad()
    def figures(self, model: EncodecModel) -> dict[str, float]:
        """Mean mel loss and SI-SNR in dB at each bandwidth of the model."""
        model.eval()
        result: dict[str, float] = {}
        for bandwidth in model.config.target_bandwidths:
            mel = snr = 0.0
            for clip in self.clips:
                x = clip.to(model.device)
                y = model(x, bandwidth=bandwidth).audio_values
                mel += float(self.mel.to(x.device)(x, y)) / len(self.clips)
                snr += _si_snr_db(x, y) / len(self.clips)
            result[f"dev_mel_{bandwidth:g}"] = mel
            result[f"dev_si_snr_{bandwidth:g}"] = snr
        model.train()
        return result


def _si_snr_db(reference: torch.Tensor, estimate: torch.Tensor) -> float:
    reference = reference.flatten() - reference.mean()
    estimate = estimate.flatten() - estimate.mean()
    scaled = (estimate @ reference) / (reference @ reference + 1e-9) * reference
    return float(10 * torch.log10(scaled.square().sum() / ((estimate - scaled).square().sum() + 1e-9) + 1e-9))

"""Cheap figures on held-out clips while a run goes on. The real ones are `evaluation`'s."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

import soundfile
import torch

from ..config import EncodecConfig
from ..errors import AudioError
from ..model.encodec import EncodecModel
from ..model.outputs import EncodecEncoderOutput
from ..nn.spectral import SpectralDecoder
from .losses import MultiScaleMelLoss

Decoder = Callable[[EncodecEncoderOutput, int], torch.Tensor]
"""What a model encoded, one clip, to its (1, C, T) samples, of which so many are wanted."""
Decoders = dict[str, Decoder]

_LEVEL_BAND_HZ = (1000, 2000)


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
    def figures(self, model: EncodecModel, decoders: Decoders) -> dict[str, float]:
        """Mean mel loss and SI-SNR in dB at each bandwidth of the model; of a spectral decoder, the level too.

        Args:
            model: encodes.
            decoders: by what their figures' names have after `dev_`.
        """
        model.eval()
        result: dict[str, float] = {}
        for bandwidth in model.config.target_bandwidths:
            clips = [clip.to(model.device) for clip in self.clips]
            encoded = [model.encode(x, bandwidth=bandwidth, return_dict=True) for x in clips]
            for prefix, decode in decoders.items():
                mel = snr = 0.0
                levels = []
                for x, codes in zip(clips, encoded, strict=True):
                    y = decode(codes, x.shape[-1])
                    mel += float(self.mel.to(x.device)(x, y)) / len(clips)
                    snr += _si_snr_db(x, y) / len(clips)
                    levels.append(_level_db(x, y, model.config.sampling_rate))
                result[f"dev_{prefix}mel_{bandwidth:g}"] = mel
                result[f"dev_{prefix}si_snr_{bandwidth:g}"] = snr
                if prefix:
                    result[f"dev_{prefix}level_{bandwidth:g}"] = statistics.median(levels)
        model.train()
        return result


def own_decoder(model: EncodecModel) -> Decoder:
    """The model's own decoder."""

    def decode(encoded: EncodecEncoderOutput, num_samples: int) -> torch.Tensor:
        whole = torch.ones(1, num_samples, dtype=torch.bool, device=model.device)
        codes, scales, padding = encoded.audio_codes, encoded.audio_scales, encoded.last_frame_pad_length
        return model.decode(codes, scales, whole, return_dict=True, last_frame_pad_length=padding).audio_values

    return decode


def spectral_decoder(model: EncodecModel, network: SpectralDecoder) -> Decoder:
    """A spectral decoder of the model's codes."""

    def decode(encoded: EncodecEncoderOutput, num_samples: int) -> torch.Tensor:
        codes = encoded.audio_codes[0]
        condition = network.config.condition(codes.shape[1])
        return network(model.quantizer.dequantize(codes), condition)[..., :num_samples]

    return decode


def _level_db(reference: torch.Tensor, estimate: torch.Tensor, rate_hz: int) -> float:
    """Power of the estimate from 1 to 2 kHz against the reference's: below 0 where it is too quiet."""
    low, high = (round(hz * reference.shape[-1] / rate_hz) for hz in _LEVEL_BAND_HZ)
    powers = [torch.fft.rfft(x.flatten())[low:high].abs().square().sum() + 1e-9 for x in (reference, estimate)]
    return float(10 * torch.log10(powers[1] / powers[0]))


def _si_snr_db(reference: torch.Tensor, estimate: torch.Tensor) -> float:
    reference = reference.flatten() - reference.mean()
    estimate = estimate.flatten() - estimate.mean()
    scaled = (estimate @ reference) / (reference @ reference + 1e-9) * reference
    return float(10 * torch.log10(scaled.square().sum() / ((estimate - scaled).square().sum() + 1e-9) + 1e-9))

"""Cheap figures on held-out clips while a run goes on. The real ones are `evaluation`'s."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..audio import Mixer, resample
from ..audio.samples import Samples
from ..config import EncodecConfig
from ..corpus import Recording, TableRow, list_input, open_recording, read_entry, reason
from ..errors import AudioError, ConfigError, RecodecError
from ..model.encodec import EncodecModel
from ..model.outputs import EncodecEncoderOutput
from ..nn.spectral import SpectralDecoder
from ..text import system_reason
from .config import MEL_WINDOW
from .losses import MultiScaleMelLoss

Decoder = Callable[[EncodecEncoderOutput, int], torch.Tensor]
"""What a model encoded, one clip, to its (1, C, T) samples, of which so many are wanted."""
Decoders = dict[str, Decoder]

MAX_CLIP_S = 60
_LEVEL_BAND_HZ = (1000, 2000)


class DevSet:
    """Up to `limit` recordings of a corpus, spread evenly over its list, at the model's rate and channels.

    Args:
        place: any corpus that training takes.
        config: of the model.
        limit: recordings that are listened to; of each one the first `MAX_CLIP_S` seconds.

    Attributes:
        clips: (1, C, T) of each.
        left_out: reasons by the names of recordings that cannot serve.

    Raises:
        AudioError: if there are none that can be read.
        ConfigError: if there is no such place, or nothing of the kind in it.
    """

    def __init__(self, place: str | Path, config: EncodecConfig, *, limit: int = 16) -> None:
        self.clips: list[torch.Tensor] = []
        self.left_out: dict[str, str] = {}
        try:
            entries = list_input(str(place)).entries
        except OSError as error:
            raise ConfigError(f"{place} cannot be read: {system_reason(error)}, in the setting dev") from error
        except RecodecError as error:
            raise ConfigError(f"{error}, in the setting dev") from error
        step = -(-sum(entry.count for entry in entries) // limit)
        recordings = (recording for entry in entries for recording in read_entry(entry))
        for recording in itertools.islice(recordings, 0, None, step):
            try:
                self.clips.append(torch.from_numpy(_audio(recording, config))[None])
            except (RecodecError, OSError) as error:
                self.left_out[recording.path] = reason(error)
        if not self.clips:
            why = "; ".join(f"{name}: {why}" for name, why in list(self.left_out.items())[:3])
            raise AudioError(f"{place} has no recording to take figures from ({why})")
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


def _audio(recording: Recording, config: EncodecConfig) -> Samples:
    """(C, T) of a recording, long enough for all figures.

    Raises:
        AudioError: if it is not, or cannot be read.
    """
    audio = _beginning(recording, config)
    if audio.shape[1] <= MEL_WINDOW // 2:
        raise AudioError(f"{recording.path} is shorter than half a window of the mel loss, {MEL_WINDOW // 2} samples")
    return audio


def _beginning(recording: Recording, config: EncodecConfig) -> Samples:
    """(C, T) of a recording's beginning."""
    rate_hz, channels = config.sampling_rate, config.audio_channels
    if recording.error is not None or recording.sound is None or isinstance(recording.sound, TableRow):
        raise AudioError(recording.error or "it has no audio")
    if isinstance(recording.sound, tuple):
        samples, own_hz = recording.sound
        audio = np.atleast_2d(samples)[:, : MAX_CLIP_S * own_hz]
        return resample(Mixer(len(audio), channels, name=recording.path)(audio), own_hz, rate_hz)
    with open_recording(recording.sound, recording.path, rate_hz=rate_hz, channels=channels) as reader:
        return next(reader.blocks(MAX_CLIP_S * rate_hz))


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

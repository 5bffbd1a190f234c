"""`EncodecModel`: the codec as a torch module, with the interface of `transformers.EncodecModel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, overload

import torch

from ..config import EncodecConfig
from ..errors import ConfigError
from ..nn.layers import Network, build_decoder, build_encoder, fold_weight_norm
from ..nn.padding import mask_after
from .outputs import EncodecDecoderOutput, EncodecEncoderOutput, EncodecLatentOutput, EncodecOutput
from .pretrained import PretrainedMixin
from .quantizer import ResidualVectorQuantizer
from .segments import Padding, check_input, frames_of_segments, mask_lengths, normalize, overlap_add, split, stack

Scales = list[torch.Tensor | None]
AnyScales = Sequence[torch.Tensor | None] | torch.Tensor
Encoded = tuple[torch.Tensor, Scales, int]


class EncodecModel(PretrainedMixin):
    """Encoder, residual vector quantizer and decoder (paper section 3, figure 1).

    The arguments, shapes, defaults and errors are those of `transformers.EncodecModel`. Beyond it:

    - in a batch of different lengths each item gets what it gets alone (pass `padding_mask`; padding on the right);
    - `num_quantizers` may be given in place of `bandwidth`;
    - `encode_latents`, `quantize`, `dequantize` and `decode_latents` open the path between;
    - `fold_weight_norm()` makes inference faster.

    Args:
        config: the network; the released 24 kHz model's by default.
    """

    main_input_name = "input_values"
    padding: Padding = "exact"
    """Set it to `"reference"` for the codes of `transformers`, which encodes padding as silence (`docs/batches.md`)."""

    def __init__(self, config: EncodecConfig | None = None) -> None:
        config = EncodecConfig() if config is None else config
        if not isinstance(config, EncodecConfig):
            raise TypeError(
                f"EncodecModel takes a recodec.EncodecConfig, got {type(config).__name__}: "
                "EncodecConfig.from_dict(config.to_dict()) makes one of a configuration of transformers"
            )
        config.validate()
        super().__init__(config)
        self.encoder = build_encoder(config)
        self.decoder = build_decoder(config)
        self.quantizer = ResidualVectorQuantizer(config)
        self.bits_per_codebook = config.codebook_nbits

    @classmethod
    def of_parts(
        cls, config: EncodecConfig, encoder: Network, decoder: Network, quantizer: ResidualVectorQuantizer
    ) -> EncodecModel:
        """A model of parts that exist already, built for this configuration; it shares their weights."""
        model = cls.__new__(cls)
        PretrainedMixin.__init__(model, config)
        model.encoder, model.decoder, model.quantizer = encoder, decoder, quantizer
        model.bits_per_codebook = config.codebook_nbits
        return model

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the weights."""
        return next(self.parameters()).dtype

    def fold_weight_norm(self) -> EncodecModel:
        """Replace gains and directions by the weights they make. In place; saving undoes it."""
        fold_weight_norm(self)
        return self

    # ---- the interface of transformers -----------------------------------------------------
    # Types take `return_dict=None` for the named output, which it is unless the configuration says otherwise.
    @overload
    def encode(
        self, input_values: torch.Tensor, padding_mask: torch.Tensor | None = None, bandwidth: float | None = None,
        return_dict: Literal[True] | None = None, *, num_quantizers: int | None = None,
    ) -> EncodecEncoderOutput: ...  # fmt: skip
    @overload
    def encode(
        self, input_values: torch.Tensor, padding_mask: torch.Tensor | None = None, bandwidth: float | None = None,
        *, return_dict: Literal[False], num_quantizers: int | None = None,
    ) -> Encoded: ...  # fmt: skip
    @overload
    def encode(
        self, input_values: torch.Tensor, padding_mask: torch.Tensor | None = None, bandwidth: float | None = None,
        return_dict: bool | None = None, *, num_quantizers: int | None = None,
    ) -> EncodecEncoderOutput | Encoded: ...  # fmt: skip

    def encode(
        self,
        input_values: torch.Tensor,
        padding_mask: torch.Tensor | None = None,
        bandwidth: float | None = None,
        return_dict: bool | None = None,
        *,
        num_quantizers: int | None = None,
    ) -> EncodecEncoderOutput | Encoded:
        """Audio to codes.

        Args:
            input_values: (B, C, T) samples.
            padding_mask: (B, T) or (B, C, T), 1 where audio is; padding on the right.
            bandwidth: in kbps, one of `config.target_bandwidths`; the lowest by default.
            return_dict: a named output (default of the config) or a plain tuple.
            num_quantizers: number of codebooks, in place of `bandwidth`.

        Returns:
            codes (S, B, K, F) of S segments, a list of S scales ((B, 1) or `None`), and the
            frames of padding after the last segment. Codes after an item's end are 0.

        Raises:
            ConfigError: for a bandwidth or number of codebooks that the model does not have.
            AudioError: for input of a wrong shape, or a mask that pads on the left.
        """
        encoded = self._encode(input_values, padding_mask, self._choose(bandwidth, num_quantizers))
        return EncodecEncoderOutput(*encoded) if self._named(return_dict) else encoded

    @overload
    def decode(
        self, audio_codes: torch.Tensor, audio_scales: AnyScales | None = None,
        padding_mask: torch.Tensor | None = None, return_dict: Literal[True] | None = None,
        last_frame_pad_length: int | None = 0,
    ) -> EncodecDecoderOutput: ...  # fmt: skip
    @overload
    def decode(
        self, audio_codes: torch.Tensor, audio_scales: AnyScales | None = None,
        padding_mask: torch.Tensor | None = None, *, return_dict: Literal[False],
        last_frame_pad_length: int | None = 0,
    ) -> tuple[torch.Tensor]: ...  # fmt: skip
    @overload
    def decode(
        self, audio_codes: torch.Tensor, audio_scales: AnyScales | None = None,
        padding_mask: torch.Tensor | None = None, return_dict: bool | None = None,
        last_frame_pad_length: int | None = 0,
    ) -> EncodecDecoderOutput | tuple[torch.Tensor]: ...  # fmt: skip

    def decode(
        self,
        audio_codes: torch.Tensor,
        audio_scales: AnyScales | None = None,
        padding_mask: torch.Tensor | None = None,
        return_dict: bool | None = None,
        last_frame_pad_length: int | None = 0,
    ) -> EncodecDecoderOutput | tuple[torch.Tensor]:
        """Codes to audio.

        Args:
            audio_codes: (S, B, K, F).
            audio_scales: S scales, each (B, 1) or `None`.
            padding_mask: mask of the audio that was encoded; the result is cut to its length, and
                each item is decoded as if it were alone.
            return_dict: a named output or a plain tuple.
            last_frame_pad_length: as `encode` returned it.

        Returns:
            audio (B, C, T), of up to one hop more than was encoded if no mask is given.

        Raises:
            ConfigError: for more codebooks than the model has, several segments where it takes one, or
                segments whose lengths only the mask could tell (see `segments.frames_of_segments`).
        """
        audio = self._decode(audio_codes, audio_scales, padding_mask, last_frame_pad_length)
        return EncodecDecoderOutput(audio) if self._named(return_dict) else (audio,)

    @overload
    def forward(
        self, input_values: torch.Tensor | None = None, padding_mask: torch.Tensor | None = None,
        bandwidth: float | None = None, audio_codes: torch.Tensor | None = None,
        audio_scales: AnyScales | None = None, return_dict: Literal[True] | None = None,
        last_frame_pad_length: int | None = 0, *, num_quantizers: int | None = None,
    ) -> EncodecOutput: ...  # fmt: skip
    @overload
    def forward(
        self, input_values: torch.Tensor | None = None, padding_mask: torch.Tensor | None = None,
        bandwidth: float | None = None, audio_codes: torch.Tensor | None = None,
        audio_scales: AnyScales | None = None, *, return_dict: Literal[False],
        last_frame_pad_length: int | None = 0, num_quantizers: int | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]: ...  # fmt: skip
    @overload
    def forward(
        self, input_values: torch.Tensor | None = None, padding_mask: torch.Tensor | None = None,
        bandwidth: float | None = None, audio_codes: torch.Tensor | None = None,
        audio_scales: AnyScales | None = None, return_dict: bool | None = None,
        last_frame_pad_length: int | None = 0, *, num_quantizers: int | None = None,
    ) -> EncodecOutput | tuple[torch.Tensor, torch.Tensor]: ...  # fmt: skip

    def forward(
        self,
        input_values: torch.Tensor | None = None,
        padding_mask: torch.Tensor | None = None,
        bandwidth: float | None = None,
        audio_codes: torch.Tensor | None = None,
        audio_scales: AnyScales | None = None,
        return_dict: bool | None = None,
        last_frame_pad_length: int | None = 0,
        *,
        num_quantizers: int | None = None,
    ) -> EncodecOutput | tuple[torch.Tensor, torch.Tensor]:
        """Audio to audio through the codes; or, with `audio_codes` and `audio_scales`, only the way back.

        Arguments are those of `encode` and `decode`.

        Raises:
            ConfigError: if only one of `audio_codes` and `audio_scales` is given.
        """
        if (audio_codes is None) != (audio_scales is None):
            given, other = ("audio_codes", "audio_scales")
            if audio_codes is None:
                given, other = other, given
            raise ConfigError(f"You specified `{given}` but did not specify the `{other}`")
        if audio_codes is None:
            if input_values is None:
                raise ConfigError("forward needs input_values, or audio_codes with audio_scales")
            count = self._choose(bandwidth, num_quantizers)
            audio_codes, audio_scales, last_frame_pad_length = self._encode(input_values, padding_mask, count)
        length = None if input_values is None else input_values.shape[-1]
        audio = self._decode(audio_codes, audio_scales, padding_mask, last_frame_pad_length, length)
        return EncodecOutput(audio_codes, audio) if self._named(return_dict) else (audio_codes, audio)

    # ---- between audio and codes -----------------------------------------------------------

    def encode_latents(
        self, input_values: torch.Tensor, padding_mask: torch.Tensor | None = None
    ) -> EncodecLatentOutput:
        """Audio (B, C, T) to latents (S, B, D, F) before quantization. Arguments and errors as in `encode`."""
        input_values, lengths = check_input(self.config, input_values, padding_mask, self.padding)
        parts = [self._encode_segment(piece, valid) for piece, valid in split(self.config, input_values, lengths)]
        stacked, padding = stack([latents for latents, _, _ in parts])
        return EncodecLatentOutput(stacked, [scale for _, _, scale in parts], padding)

    def quantize(
        self, latents: torch.Tensor, bandwidth: float | None = None, *, num_quantizers: int | None = None
    ) -> torch.Tensor:
        """Latents (..., D, F) to codes (..., K, F)."""
        flat = latents.reshape(-1, *latents.shape[-2:])
        codes = self.quantizer.quantize(flat, self._choose(bandwidth, num_quantizers))
        return codes.reshape(*latents.shape[:-2], *codes.shape[-2:])

    def dequantize(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes (..., K, F) to latents (..., D, F)."""
        latents = self.quantizer.dequantize(codes.reshape(-1, *codes.shape[-2:]))
        return latents.reshape(*codes.shape[:-2], *latents.shape[-2:])

    def decode_latents(
        self,
        latents: torch.Tensor,
        audio_scales: AnyScales | None = None,
        padding_mask: torch.Tensor | None = None,
        last_frame_pad_length: int | None = 0,
    ) -> torch.Tensor:
        """Latents (S, B, D, F) to audio (B, C, T); differentiable. Arguments as in `decode`."""
        return self._decode_segments(list(latents), audio_scales, padding_mask, last_frame_pad_length or 0)

    # ---- parts -----------------------------------------------------------------------------

    def _named(self, return_dict: bool | None) -> bool:
        return self.config.return_dict if return_dict is None else return_dict

    def _choose(self, bandwidth: float | None, num_quantizers: int | None) -> int:
        if bandwidth is not None and num_quantizers is not None:
            raise ConfigError("give bandwidth or num_quantizers, not both")
        bandwidth = self.config.target_bandwidths[0] if bandwidth is None else bandwidth
        return self.config.choose_quantizers(bandwidth, num_quantizers)

    def _encode(self, input_values: torch.Tensor, padding_mask: torch.Tensor | None, num_quantizers: int) -> Encoded:
        input_values, lengths = check_input(self.config, input_values, padding_mask, self.padding)
        codes: list[torch.Tensor] = []
        scales: Scales = []
        for piece, valid in split(self.config, input_values, lengths):
            latents, frames, scale = self._encode_segment(piece, valid)
            segment = self.quantizer.quantize(latents, num_quantizers)
            codes.append(segment if frames is None else mask_after(segment, frames))
            scales.append(scale)
        stacked, padding = stack(codes)
        return stacked, scales, padding

    def _decode(
        self, audio_codes: torch.Tensor, audio_scales: AnyScales | None,
        padding_mask: torch.Tensor | None, last_frame_pad_length: int | None, num_samples: int | None = None,
    ) -> torch.Tensor:  # fmt: skip
        latents = [self.dequantize(segment) for segment in audio_codes]
        return self._decode_segments(latents, audio_scales, padding_mask, last_frame_pad_length or 0, num_samples)

    def _encode_segment(
        self, x: torch.Tensor, valid: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """(B, C, T), 0 after its (B,) valid samples, to latents (B, D, F), valid frames (B,) and scale (B, 1)."""
        scale = None
        if self.config.normalize:
            x, scale = normalize(x, valid)
        if valid is None:
            return self.encoder(x), None, scale
        latents, frames = self.encoder.ragged(x, valid)
        return latents, frames, scale

    def _decode_segments(
        self,
        latents: list[torch.Tensor],
        scales: AnyScales | None,
        padding_mask: torch.Tensor | None,
        padding_frames: int,
        num_samples: int | None = None,
    ) -> torch.Tensor:
        """`num_samples` is the length of the audio, where no mask tells it."""
        config = self.config
        chunk = config.chunk_length
        if len(latents) != 1 and (chunk is None or not latents):
            raise ConfigError(f"Expected one frame, got {len(latents)}")
        num_samples = num_samples if padding_mask is None else padding_mask.shape[-1]
        valid = frames_of_segments(config, len(latents), latents[0].shape[-1], padding_frames, num_samples)
        latents = [segment[..., :frames] for segment, frames in zip(latents, valid, strict=True)]
        stride = config.segment_stride or 0
        lengths = mask_lengths(padding_mask, latents[0].shape[0], self.padding)
        pieces, ends = [], []
        for index, segment in enumerate(latents):
            scale = None if scales is None else scales[index]
            frames = None
            if lengths is not None:
                left = lengths - index * stride
                left = left if chunk is None else left.clamp(0, chunk)
                frames = (-(-left // config.hop_length)).clamp(max=segment.shape[-1])
            piece, end = self._decode_segment(segment, frames, scale)
            pieces.append(piece)
            ends.append(end)
        audio = pieces[0] if chunk is None else overlap_add(pieces, stride, ends)
        if lengths is not None:
            audio = mask_after(audio, lengths)
        return audio if num_samples is None else audio[..., :num_samples]

    def _decode_segment(
        self, latents: torch.Tensor, frames: torch.Tensor | None, scale: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        if frames is None:
            audio, end = self.decoder(latents), None
        else:
            audio, end = self.decoder.ragged(latents, frames)
        return (audio if scale is None else audio * scale.view(-1, 1, 1)), end

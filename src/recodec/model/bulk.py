"""Encoding and decoding in bulk: many batches of a few shapes, as fast as the device can."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import nn

from ..errors import AudioError, ConfigError
from ..nn.layers import Network, fold_weight_norm
from ..nn.padding import mask_after
from .encodec import EncodecModel
from .quantizer import FrozenQuantizer
from .segments import normalize

PRECISIONS = {
    "float32": torch.float32,
    "tf32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
ACCELERATIONS = ("auto", "none", "compile")

MAX_SHAPES = 8
"""Shapes that one encoder compiles: each takes up to minutes, and torch itself stops at this many."""

_Result = tuple[torch.Tensor, torch.Tensor | None]


class _Bulk:
    """One way of a model, prepared once: what encoder and decoder share. Arguments and errors as of `BulkEncoder`."""

    def __init__(self, model: EncodecModel, way: nn.Module, precision: str, acceleration: str) -> None:
        self.config = model.config
        self.device = model.device
        self.precision = precision
        self._may_fall_back = acceleration == "auto"
        if acceleration == "auto":
            acceleration = "compile" if self.device.type == "cuda" else "none"
        self.acceleration = acceleration
        self._plain = way
        self._shapes: set[tuple[Any, ...]] = set()
        self._compiled = self._compile() if acceleration == "compile" else self._plain

    def _run(self, shape: tuple[Any, ...], *arguments: Any) -> _Result:
        """The result for arguments of a shape, compiled where that is chosen."""
        with torch.inference_mode(), _arithmetic(tf32=self.precision == "tf32"):
            if self.acceleration == "compile":
                self._note_shape(shape)
                try:
                    first, second = self._compiled(*arguments)
                    # The next run of a CUDA graph writes over the results of this one.
                    return first.clone(), None if second is None else second.clone()
                except torch.OutOfMemoryError:
                    raise
                except RuntimeError as error:  # of which all of the compiler's errors are
                    if not self._may_fall_back:
                        raise
                    warnings.warn(f"torch.compile failed, the work goes on without it: {error}", stacklevel=3)
                    self.acceleration = "none"
            return self._plain(*arguments)

    def _compile(self) -> Callable[..., _Result]:
        mode = "reduce-overhead" if self.device.type == "cuda" else "default"  # the former: CUDA graphs
        return cast("Callable[..., _Result]", torch.compile(self._plain, fullgraph=True, dynamic=False, mode=mode))

    def _note_shape(self, shape: tuple[Any, ...]) -> None:
        if shape not in self._shapes and len(self._shapes) == MAX_SHAPES:
            raise ConfigError(
                f"{MAX_SHAPES} shapes are compiled, and this would be another: pad batches to fewer widths "
                "(and give lengths), or choose acceleration='none'"
            )
        self._shapes.add(shape)

    def _check_codebooks(self, num_quantizers: int) -> None:
        count = self.config.num_quantizers
        if not 1 <= num_quantizers <= count:
            raise ConfigError(f"num_quantizers must be from 1 to {count}, got {num_quantizers}")


class BulkEncoder(_Bulk):
    """The way from audio to codes of one model, prepared once: folded, copied to a precision, compiled.

    The search over the codebooks is always made in float32, whatever the precision of the encoder: it is
    where a small error becomes another code. `mismatch` tells what a precision costs.

    Args:
        model: copied, and left as it is. Its device is where the work is done.
        precision: of the encoder's convolutions and LSTM. `"float32"` is exact, with TF32 switched off (torch
            leaves it on for convolutions); `"tf32"` rounds products on GPUs that can; `"bfloat16"` and
            `"float16"` halve the memory traffic.
        acceleration: `"none"` runs layer by layer. `"compile"` runs `torch.compile`, on a GPU with CUDA graphs,
            and raises where that fails. `"auto"` is `"none"` on a CPU, and `"compile"` on a GPU; where that
            fails it warns, and goes on as `"none"`.

    Attributes:
        acceleration: what is in use: `"none"` or `"compile"`.

    Raises:
        ConfigError: for an unknown precision or acceleration.
    """

    def __init__(self, model: EncodecModel, *, precision: str = "float32", acceleration: str = "auto") -> None:
        _check_settings(precision, acceleration)
        super().__init__(model, _AudioToCodes(model, PRECISIONS[precision]), precision, acceleration)

    def encode(self, audio: torch.Tensor, num_quantizers: int, lengths: torch.Tensor | None = None) -> _Result:
        """Encode pieces that stand alone: whole recordings, or segments of a model that has them.

        Args:
            audio: (B, C, T), T of 1 or more; on any device.
            num_quantizers: codebooks K to use.
            lengths: (B,) samples of each item that count, 1 or more, if not all. What lies after is ignored,
                so that batches of a few widths T serve recordings of all lengths.

        Returns:
            codes (B, K, ceil(T / hop)) on the model's device, 0 after an item's end; and the scales (B, 1) of a
            model that normalizes, else `None`.

        Raises:
            AudioError: for audio or lengths of a wrong shape.
            ConfigError: for a number of codebooks that the model does not have, or, where this compiles, for
                more than `MAX_SHAPES` shapes.
        """
        channels = self.config.audio_channels
        if audio.dim() != 3 or audio.shape[1] != channels or 0 in audio.shape:
            raise AudioError(f"audio must be (batch, {channels}, samples), got shape {tuple(audio.shape)}")
        _check_lengths(lengths, audio.shape[0])
        self._check_codebooks(num_quantizers)
        audio = audio.to(self.device, torch.float32, non_blocking=True)
        shape = (*audio.shape, num_quantizers, lengths is None)
        return self._run(shape, audio, num_quantizers, _moved(lengths, self.device))


class BulkDecoder(_Bulk):
    """The way from codes back to audio, by EnCodec's own decoder, prepared once as `BulkEncoder` is.

    The entries of the codebooks are summed in float32; `precision` is that of the decoder's convolutions and LSTM.
    Audio is always float32. Arguments, attributes and errors are those of `BulkEncoder`.
    """

    def __init__(self, model: EncodecModel, *, precision: str = "float32", acceleration: str = "auto") -> None:
        _check_settings(precision, acceleration)
        super().__init__(model, _CodesToAudio(model, PRECISIONS[precision]), precision, acceleration)

    def decode(
        self, codes: torch.Tensor, scales: torch.Tensor | None = None, lengths: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Decode pieces that stand alone: whole recordings, or segments of a model that has them.

        Args:
            codes: (B, K, F) integers, F of 1 or more, of up to the model's number of codebooks; on any device.
            scales: (B, 1) of a model that normalizes.
            lengths: (B,) frames of each item that count, 1 or more, if not all. What lies after is ignored.

        Returns:
            audio (B, C, F * hop) float32 on the model's device, 0 after an item's end.

        Raises:
            ConfigError: for codes, scales or lengths of a wrong shape or kind; and, where this compiles, for more
                than `MAX_SHAPES` shapes.
        """
        if codes.dim() != 3 or 0 in codes.shape or codes.is_floating_point():
            found = f"{codes.dtype} {tuple(codes.shape)}"
            raise ConfigError(f"codes must be integers (batch, codebooks, frames), got {found}")
        self._check_codebooks(codes.shape[1])
        low, high = (int(end) for end in codes.aminmax())  # an index out of range would be the end of a CUDA process
        if low < 0 or high >= self.config.codebook_size:
            raise ConfigError(f"codes must be from 0 to {self.config.codebook_size - 1}, got {low} to {high}")
        _check_lengths(lengths, codes.shape[0], ConfigError)
        if (scales is not None) != self.config.normalize:
            raise ConfigError("scales are needed by models that normalize, and by no other")
        if scales is not None and scales.numel() != codes.shape[0]:
            raise ConfigError(f"scales must be ({codes.shape[0]}, 1), got shape {tuple(scales.shape)}")
        codes = codes.to(self.device, torch.int64, non_blocking=True)
        if scales is not None:
            scales = scales.reshape(-1, 1, 1).to(self.device, torch.float32, non_blocking=True)
        return self._run((*codes.shape, lengths is None), codes, scales, _moved(lengths, self.device))[0]


def _check_settings(precision: str, acceleration: str) -> None:
    if precision not in PRECISIONS:
        raise ConfigError(f"precision must be one of {list(PRECISIONS)}, got {precision!r}")
    if acceleration not in ACCELERATIONS:
        raise ConfigError(f"acceleration must be one of {list(ACCELERATIONS)}, got {acceleration!r}")


def _check_lengths(lengths: torch.Tensor | None, batch: int, error: type[ValueError] = AudioError) -> None:
    if lengths is not None and lengths.shape != (batch,):
        raise error(f"lengths must be ({batch},), got shape {tuple(lengths.shape)}")


def _moved(lengths: torch.Tensor | None, device: torch.device) -> torch.Tensor | None:
    return None if lengths is None else lengths.to(device, torch.int64, non_blocking=True)


def _prepared(network: Network, dtype: torch.dtype) -> Network:
    """A copy of encoder or decoder for inference."""
    copied = copy.deepcopy(network).eval().requires_grad_(False)
    fold_weight_norm(copied)
    copied.to(dtype)
    for module in copied.modules():
        if isinstance(module, nn.RNNBase):
            module.flatten_parameters()  # copying has scattered them, and cuDNN would gather them at each call
    return copied


class _AudioToCodes(nn.Module):
    """Encoder and search as one module."""

    def __init__(self, model: EncodecModel, dtype: torch.dtype) -> None:
        super().__init__()
        self.encoder = _prepared(model.encoder, dtype)
        self.quantizer = FrozenQuantizer(model.quantizer)
        self.normalize, self.dtype = model.config.normalize, dtype

    def forward(self, x: torch.Tensor, num_quantizers: int, lengths: torch.Tensor | None) -> _Result:
        scales = None
        if lengths is not None:
            x = mask_after(x, lengths)
        if self.normalize:
            x, scales = normalize(x, lengths)
        x = x.to(self.dtype)
        if lengths is None:
            return self.quantizer.quantize(self.encoder(x), num_quantizers), scales
        latents, frames = self.encoder.ragged(x, lengths)
        return mask_after(self.quantizer.quantize(latents, num_quantizers), frames), scales


class _CodesToAudio(nn.Module):
    """Codebooks and decoder as one module."""

    def __init__(self, model: EncodecModel, dtype: torch.dtype) -> None:
        super().__init__()
        self.decoder = _prepared(model.decoder, dtype)
        self.quantizer = FrozenQuantizer(model.quantizer)
        self.dtype = dtype

    def forward(
        self, codes: torch.Tensor, scales: torch.Tensor | None, lengths: torch.Tensor | None
    ) -> tuple[torch.Tensor, None]:
        latents = self.quantizer.dequantize(codes).to(self.dtype)
        audio = self.decoder(latents) if lengths is None else self.decoder.ragged(latents, lengths)[0]
        audio = audio.to(torch.float32)
        return (audio if scales is None else audio * scales), None


def mismatch(codes: torch.Tensor, expected: torch.Tensor) -> list[float]:
    """For each codebook, the fraction of (B, K, F) codes that differ from those expected.

    A code that differs changes what the codebooks after it quantize, so the fractions grow from level to level.
    """
    return (codes != expected.to(codes.device)).double().mean((0, 2)).tolist()


@contextmanager
def _arithmetic(*, tf32: bool) -> Iterator[None]:
    """TF32 in cuDNN (convolutions, LSTM) or not, and never in the products that search the codebooks."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        # `benchmark` lets cuDNN try its algorithms for each new shape, of which there are few.
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=tf32):
            yield
    finally:
        torch.set_float32_matmul_precision(before)

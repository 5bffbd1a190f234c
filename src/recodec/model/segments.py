"""Segments of a long recording (the 48 kHz model, paper section 3.4): where they lie, how they join."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import nn

from ..config import EncodecConfig
from ..errors import AudioError, ConfigError
from ..text import counted

Padding = Literal["exact", "reference"]
"""What the padding of a ragged batch does: nothing to any item, or what it does in `transformers`."""


def check_input(
    config: EncodecConfig, x: torch.Tensor, padding_mask: torch.Tensor | None, padding: Padding
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Make sure that a model can take a batch.

    Returns:
        the batch with zeros where its mask has them, and the (B,) lengths of its items as `mask_lengths` gives them.

    Raises:
        AudioError: if it is not (B, C, T) with the model's channels, or the mask is not one of it.
    """
    if x.dim() != 3:
        raise AudioError(f"input_values must be (batch, channels, samples), got shape {tuple(x.shape)}")
    channels = x.shape[1]
    if not 1 <= channels <= 2:
        raise AudioError(f"Number of audio channels must be 1 or 2, but got {channels}")
    if channels != config.audio_channels:
        raise AudioError(f"this model takes {counted(config.audio_channels, 'channel')}, got {channels}")
    if x.shape[-1] == 0:
        raise AudioError("input_values has no samples")
    if padding_mask is not None and padding_mask.shape[-1] != x.shape[-1]:
        raise AudioError(f"padding_mask covers {padding_mask.shape[-1]} samples, input_values {x.shape[-1]}")
    mask = _mask(padding_mask, x.shape[0])
    return (x, None) if mask is None else (x.masked_fill(~mask, 0), _lengths(mask, padding))


def split(
    config: EncodecConfig, x: torch.Tensor, lengths: torch.Tensor | None
) -> Iterator[tuple[torch.Tensor, torch.Tensor | None]]:
    """(B, C, T) to its segments, each with the (B,) samples of it that are valid, or `None` for all."""
    total = x.shape[-1]
    size = config.chunk_length or total
    for offset in config.segment_starts(total):
        piece = x[..., offset : offset + size]
        valid = None if lengths is None else (lengths - offset).clamp(0, piece.shape[-1])
        yield piece, valid


def normalize(x: torch.Tensor, valid: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale segments (B, C, T) to unit RMS over their (B,) valid samples; also the scales (B, 1), which undo it.

    What lies after an item's valid samples must be 0.
    """
    # As in the reference, the level is that of the mono mix; the 1e-8 below keeps silence from a division by 0.
    energy = (x.sum(1, keepdim=True) / x.shape[1]).square()
    if valid is None:
        power = energy.mean(-1, keepdim=True)
    else:
        power = energy.sum(-1, keepdim=True) / valid.clamp(min=1)[:, None, None]
    scale = power.sqrt() + 1e-8
    return x / scale, scale.view(-1, 1)


def stack(segments: list[torch.Tensor]) -> tuple[torch.Tensor, int]:
    """Stack (B, X, F_i), padded with zeros to the longest, the first; also the padding of the last."""
    width = segments[0].shape[-1]
    padded = [nn.functional.pad(segment, (0, width - segment.shape[-1])) for segment in segments]
    return torch.stack(padded), width - segments[-1].shape[-1]


def frames_of_segments(
    config: EncodecConfig, count: int, width: int, padding: int, num_samples: int | None
) -> list[int]:
    """Latent frames of each of `count` segments that were stacked to `width` frames.

    The last segment has `padding` frames less. Those before it are full, unless the recording ends
    within the overlap: then others are short as well, and their lengths follow from the recording's. The
    last segment gives that to within a hop; where this is not enough, `num_samples` must be given.
    (`transformers` can encode no such recording.)

    Args:
        config: of the model.
        count, width, padding: of the stack.
        num_samples: of the recording, if known. It may have been shortened since, and is then ignored.

    Raises:
        ConfigError: if `num_samples` is needed and not given.
    """
    if not 0 <= padding < width:
        raise ConfigError(
            f"there are {width} frames in a segment, of which {padding} (last_frame_pad_length) are padding"
        )
    last = width - padding
    if count <= 2:  # the first is never padded
        return [width, last] if count == 2 else [last]
    stride, hop = config.segment_stride or 0, config.hop_length
    start = (count - 1) * stride
    longest, shortest = start + last * hop, start + (last - 1) * hop + 1
    if num_samples is not None and shortest <= num_samples <= longest:
        longest = shortest = num_samples

    def frames(total: int) -> list[int]:
        return [width, *(min(width, config.frames_for(total - k * stride)) for k in range(1, count - 1)), last]

    if frames(longest) != frames(shortest):
        raise ConfigError("the recording ends where segments overlap: decoding needs its padding_mask, for its length")
    return frames(longest)


def overlap_add(segments: list[torch.Tensor], stride: int, lengths: list[torch.Tensor | None]) -> torch.Tensor:
    """Join decoded segments with a linear cross-fade.

    Each segment is weighted by a triangle over the length of the first, and the sum is divided by the
    sum of the weights, so where one segment stands alone the weight cancels.

    Args:
        segments: one or more, each (B, C, T_i), starting `stride` samples apart.
        stride: in samples.
        lengths: for each segment the (B,) samples that count, or `None` for all.

    Returns:
        (B, C, T), up to where the last segment ends; zeros where no segment of an item reaches.
    """
    first = segments[0]
    total = stride * (len(segments) - 1) + segments[-1].shape[-1]
    # float16 does not have all integers above 2,048, and segments are longer.
    wide = torch.promote_types(first.dtype, torch.float32)
    place = torch.arange(1, first.shape[-1] + 1, device=first.device, dtype=wide)
    base = first.shape[-1] if lengths[0] is None else lengths[0][:, None]
    # Places count from 1 to T, of T + 1: so the triangle's ends, where its weight is 0, are left out.
    triangle = (0.5 - (place / (base + 1) - 0.5).abs()).to(first.dtype).expand(first.shape[0], -1)[:, None]
    out = first.new_zeros(*first.shape[:-1], total)
    weights = first.new_zeros(first.shape[0], 1, total)
    for index, (segment, length) in enumerate(zip(segments, lengths, strict=True)):
        # Where the last segment is very short, the one before can end after it.
        size = min(segment.shape[-1], total - index * stride)
        weight = triangle[..., :size]
        if length is not None:
            weight = weight * (place[:size] <= length[:, None])[:, None]
        where = slice(index * stride, index * stride + size)
        out[..., where] += weight * segment[..., :size]
        weights[..., where] += weight
    # The clamp is for training: a division by 0 would give NaN gradients even where `where` does not take it.
    return torch.where(weights > 0, out / weights.clamp(min=torch.finfo(first.dtype).tiny), out)


def mask_lengths(padding_mask: torch.Tensor | None, batch: int, padding: Padding) -> torch.Tensor | None:
    """(B, T) or (B, C, T) mask, 1 where audio is, to (B,) lengths; `None` if padding counts as audio.

    That it does where all items are padded alike, and for `padding="reference"`. A mask (T,) or (1, T) is that of
    every item.

    Raises:
        AudioError: if an item's padding is not all on its right, an item has no sample at all, or the mask is of
            another batch.
    """
    mask = _mask(padding_mask, batch)
    return None if mask is None else _lengths(mask, padding)


def _mask(padding_mask: torch.Tensor | None, batch: int) -> torch.Tensor | None:
    """A mask as (B, 1 or C, T) bool; `None` where all is audio."""
    if padding_mask is None:
        return None
    if padding_mask.dim() == 1:
        padding_mask = padding_mask[None]
    if padding_mask.dim() not in (2, 3) or padding_mask.shape[0] not in (1, batch):
        raise AudioError(f"padding_mask is {tuple(padding_mask.shape)}, and there are {batch} items in the batch")
    padding_mask = padding_mask.expand(batch, *padding_mask.shape[1:])
    mask = padding_mask.reshape(batch, -1, padding_mask.shape[-1]).bool()
    return None if bool(mask.all()) else mask


def _lengths(mask: torch.Tensor, padding: Padding) -> torch.Tensor | None:
    if padding == "reference":
        return None
    lengths = mask[:, 0].sum(-1)
    expected = torch.arange(mask.shape[-1], device=mask.device) < lengths[:, None]
    if not torch.equal(mask, expected[:, None].expand_as(mask)):
        raise AudioError("padding_mask must be ones, then zeros, alike for all channels: padding goes on the right")
    if bool((lengths == 0).any()):
        raise AudioError("padding_mask leaves an item of the batch without a single sample")
    return None if bool((lengths == lengths[0]).all()) else lengths

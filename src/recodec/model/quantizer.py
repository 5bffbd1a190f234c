"""Residual vector quantization (paper section 3.2): lookup only. Learning lives in `training/`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

from ..config import EncodecConfig
from ..errors import ConfigError

# Vectors that are compared with a codebook at a time. Their scores, 1 MB for 1,024 entries, stay in a CPU's
# cache and never fill the memory; a GPU takes more, for fewer launches.
_CHUNK = 256
_CHUNK_CUDA = 65_536


def nearest(x: torch.Tensor, embed: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """(..., D) vectors to (...) int64 indices of the nearest of the entries (N, D); of equal ones, the first.

    argmin |x - e|^2 = argmax x.e - |e|^2 / 2: the term of x alone cannot change the winner. One matrix
    product that starts from `offset`, -|e|^2 / 2 of `offsets`, gives the score. It is computed in the precision of
    its arguments, also under autocast: entries lie so close that half precision would take others, for a quarter
    of the codes.
    """
    if torch.is_autocast_enabled(x.device.type):
        with torch.autocast(x.device.type, enabled=False):
            return _nearest(x, embed, offset)
    return _nearest(x, embed, offset)


def _nearest(x: torch.Tensor, embed: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    flat = x.reshape(-1, x.shape[-1])
    size = _CHUNK_CUDA if x.is_cuda else _CHUNK
    if torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        size = flat.shape[0]  # a traced split keeps the number of pieces of the example, whatever comes later
    found = [torch.addmm(offset, part, embed.t()).argmax(dim=-1) for part in flat.split(size)]
    return torch.cat(found).view(x.shape[:-1])


def offsets(embed: torch.Tensor) -> torch.Tensor:
    """(..., N, D) entries to (..., N), what their scores in `nearest` start from."""
    return embed.square().sum(-1) / -2


class Codebook(nn.Module):
    """N entries of width D, with the statistics that a checkpoint carries beside them.

    Buffers (names of Hugging Face checkpoints): `embed` (N, D) the entries, `embed_avg` (N, D) and
    `cluster_size` (N,) the moving averages that training keeps, `inited` (1,).
    """

    inited: torch.Tensor
    cluster_size: torch.Tensor
    embed: torch.Tensor
    embed_avg: torch.Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("inited", torch.ones(1))
        self.register_buffer("cluster_size", torch.zeros(size))
        self.register_buffer("embed", torch.zeros(size, width))
        self.register_buffer("embed_avg", torch.zeros(size, width))

    def nearest(self, x: torch.Tensor) -> torch.Tensor:
        """(..., D) vectors to (...) int64 indices of the nearest entries; of equal ones, the first.

        Computed in float32 at least, whatever the model's precision.
        """
        wide = torch.promote_types(x.dtype, torch.float32)
        embed = self.embed.to(wide)
        return nearest(x.to(wide), embed, offsets(embed))

    def lookup(self, codes: torch.Tensor) -> torch.Tensor:
        """(...) indices to (..., D) entries."""
        return F.embedding(codes, self.embed)


class _Level(nn.Module):
    """One codebook under the name that checkpoints give it, with the methods of the reference's."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.codebook = Codebook(size, width)

    def encode(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """(B, D, F) vectors to (B, F) indices."""
        return self.codebook.nearest(hidden_states.transpose(1, 2))

    def decode(self, embed_ind: torch.Tensor) -> torch.Tensor:
        """(B, F) indices to (B, D, F) entries."""
        return self.codebook.lookup(embed_ind).transpose(1, 2)


class ResidualVectorQuantizer(nn.Module):
    """K codebooks, each quantizing what the ones before left over."""

    def __init__(self, config: EncodecConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            _Level(config.codebook_size, config.hidden_size) for _ in range(config.num_quantizers)
        )

    @property
    def codebooks(self) -> list[Codebook]:
        """The codebooks, coarsest first."""
        return [cast("_Level", level).codebook for level in self.layers]

    @property
    def entries(self) -> torch.Tensor:
        """The entries (K, N, D) of all codebooks, without gradients, in float32 at least."""
        embed = torch.stack([book.embed.detach() for book in self.codebooks])
        return embed.to(torch.promote_types(embed.dtype, torch.float32))

    def quantize(self, latents: torch.Tensor, num_quantizers: int) -> torch.Tensor:
        """(B, D, F) latents to (B, K, F) codes."""
        residual = _residual(latents)
        codes = []
        for codebook in self.codebooks[:num_quantizers]:
            index = codebook.nearest(residual)
            residual = residual - codebook.lookup(index)
            codes.append(index)
        return torch.stack(codes, dim=1)

    def dequantize(self, codes: torch.Tensor) -> torch.Tensor:
        """(B, K, F) codes to (B, D, F) latents, the sum of the entries.

        Raises:
            ConfigError: for more codebooks than the model has.
        """
        if not 0 < codes.shape[1] <= len(self.layers):
            raise ConfigError(f"codes have {codes.shape[1]} codebooks, the model has {len(self.layers)}")
        entries = [book.lookup(codes[:, k]) for k, book in enumerate(self.codebooks[: codes.shape[1]])]
        return _sum(entries)


class FrozenQuantizer(nn.Module):
    """A quantizer's codebooks as they are now, with all that `quantize` needs computed once. For inference.

    Buffers: `embed` (K, N, D) in float32 at least, `offset` (K, N). They stay in that precision whatever the
    encoder's is.
    """

    embed: torch.Tensor
    offset: torch.Tensor

    def __init__(self, quantizer: ResidualVectorQuantizer) -> None:
        super().__init__()
        self.register_buffer("embed", quantizer.entries, persistent=False)
        self.register_buffer("offset", offsets(self.embed), persistent=False)

    def quantize(self, latents: torch.Tensor, num_quantizers: int) -> torch.Tensor:
        """(B, D, F) latents to (B, K, F) codes, those of `ResidualVectorQuantizer.quantize`."""
        residual = _residual(latents)
        codes = []
        for embed, offset in zip(self.embed[:num_quantizers], self.offset[:num_quantizers], strict=True):
            index = nearest(residual, embed, offset)
            residual = residual - F.embedding(index, embed)
            codes.append(index)
        return torch.stack(codes, dim=1)

    def dequantize(self, codes: torch.Tensor) -> torch.Tensor:
        """(B, K, F) codes to (B, D, F) latents, those of `ResidualVectorQuantizer.dequantize`."""
        return _sum([F.embedding(codes[:, k], self.embed[k]) for k in range(codes.shape[1])])


def _sum(entries: Sequence[torch.Tensor]) -> torch.Tensor:
    """(B, F, D) of each codebook to (B, D, F), added in the order of the codebooks."""
    total = entries[0]
    for entry in entries[1:]:
        total = total + entry
    return total.transpose(1, 2)


def _residual(latents: torch.Tensor) -> torch.Tensor:
    """(B, D, F) latents to (B, F, D), in float32 at least."""
    wide = torch.promote_types(latents.dtype, torch.float32)
    return latents.transpose(1, 2).to(wide).contiguous()

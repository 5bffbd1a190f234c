"""`MetaCodeLM`: the paper's language model over the codes (section 3.3), as Meta released it.

Parameter names and shapes are those of Meta's LM checkpoints. Floating point, so what it says differs
between machines by rounding: files that rest on it may not decode elsewhere. `CodeLM` has no such limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from ..errors import ConfigError

_MAX_PERIOD = 10_000.0


@dataclass(frozen=True)
class MetaLMConfig:
    """Shape of a `MetaCodeLM`; the defaults are the released 24 kHz model's.

    Attributes:
        num_codebooks: K, 32 at 24 kHz and 16 at 48 kHz.
        codebook_size: N.
        width, num_layers, num_heads, feed_forward: of the transformer.
        past_context: frames before the current one that it sees: 3.5 s.
    """

    num_codebooks: int = 32
    codebook_size: int = 1024
    width: int = 200
    num_layers: int = 5
    num_heads: int = 8
    feed_forward: int = 800
    past_context: int = 262


@dataclass(frozen=True)
class MetaLMState:
    """Where a stream stands.

    Attributes:
        past: per layer (B, P, d), its inputs of up to `past_context` frames; at the start one of zeros,
            which the first frames attend to as well.
        offset: position of the next frame, (B, 1, 1) or one for all.
    """

    past: tuple[torch.Tensor, ...]
    offset: torch.Tensor | int


class MetaCodeLM(nn.Module):
    """Post-norm transformer with GELU, sinusoidal positions, and one linear head per codebook.

    Args:
        config: its shape.
    """

    def __init__(self, config: MetaLMConfig | None = None) -> None:
        super().__init__()
        self.config = config = MetaLMConfig() if config is None else config
        self.transformer = _Transformer(config)
        self.emb = nn.ModuleList(
            nn.Embedding(config.codebook_size + 1, config.width) for _ in range(config.num_codebooks)
        )
        self.linears = nn.ModuleList(nn.Linear(config.width, config.codebook_size) for _ in range(config.num_codebooks))

    def init_state(self, batch: int, offset: torch.Tensor | int = 0) -> MetaLMState:
        """State of streams that have seen nothing, at position `offset` (random in training)."""
        zeros = self.transformer.norm_in.weight.new_zeros(batch, 1, self.config.width)
        return MetaLMState((zeros,) * self.config.num_layers, offset)

    def step(self, indices: torch.Tensor, state: MetaLMState) -> tuple[torch.Tensor, MetaLMState]:
        """Push frames.

        Args:
            indices: (B, K, F): 1 + the codes of the frame before each, 0 where there is none.
            state: as `init_state` or the last call gave it.

        Returns:
            logits (B, N, K, F) of each frame's codes, and the state after it.

        Raises:
            ConfigError: for more codebooks than the model has.
        """
        count = indices.shape[1]
        if not 0 < count <= self.config.num_codebooks:
            raise ConfigError(f"codes have {count} codebooks, the model knows {self.config.num_codebooks}")
        x = self.emb[0](indices[:, 0])
        for k in range(1, count):
            x = x + self.emb[k](indices[:, k])
        x, state = self.transformer(x, state)
        logits = torch.stack([head(x) for head in self.linears[:count]], dim=1)
        return logits.permute(0, 3, 1, 2), state

    def forward(self, codes: torch.Tensor, offset: torch.Tensor | int = 0) -> torch.Tensor:
        """(B, K, F) codes to (B, K, F, N) logits of each, given the frames before it."""
        indices = F.pad(codes[..., :-1] + 1, (1, 0))
        logits, _ = self.step(indices, self.init_state(codes.shape[0], offset))
        return logits.permute(0, 2, 3, 1)


class _Transformer(nn.Module):
    def __init__(self, config: MetaLMConfig) -> None:
        super().__init__()
        self.past_context = config.past_context
        self.norm_in = nn.LayerNorm(config.width)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.num_layers))

    def forward(self, x: torch.Tensor, state: MetaLMState) -> tuple[torch.Tensor, MetaLMState]:
        x = self.norm_in(x)
        positions = torch.arange(x.shape[1], device=x.device).view(1, -1, 1) + state.offset
        x = x + _sinusoids(positions, x.shape[-1]).to(x.dtype)
        past = []
        for layer, before in zip(self.layers, state.past, strict=True):
            past.append(torch.cat([before, x], dim=1)[:, -self.past_context :])
            x = layer(x, before, self.past_context)
        return x, MetaLMState(tuple(past), state.offset + x.shape[1])


class _Layer(nn.Module):
    """Names as in `nn.TransformerEncoderLayer`: x = norm1(x + attention(x)); x = norm2(x + feed_forward(x))."""

    def __init__(self, config: MetaLMConfig) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(config.width, config.num_heads, batch_first=True)
        self.linear1 = nn.Linear(config.width, config.feed_forward)
        self.linear2 = nn.Linear(config.feed_forward, config.width)
        self.norm1 = nn.LayerNorm(config.width)
        self.norm2 = nn.LayerNorm(config.width)

    def forward(self, x: torch.Tensor, past: torch.Tensor, past_context: int) -> torch.Tensor:
        keys = torch.cat([past, x], dim=1)
        query_at = torch.arange(past.shape[1], keys.shape[1], device=x.device)
        distance = query_at[:, None] - torch.arange(keys.shape[1], device=x.device)
        hidden = (distance < 0) | (distance > past_context)
        mixed, _ = self.self_attn(x, keys, keys, attn_mask=hidden, need_weights=False)
        x = self.norm1(x + mixed)
        return self.norm2(x + self.linear2(F.gelu(self.linear1(x))))


def _sinusoids(positions: torch.Tensor, width: int) -> torch.Tensor:
    """(..., 1) positions to (..., d): cosines, then sines, of periods from 2 pi up to 2 pi * 10,000."""
    half = width // 2
    steps = torch.arange(half, device=positions.device)
    phase = positions / _MAX_PERIOD ** (steps / (half - 1))
    return torch.cat([phase.cos(), phase.sin()], dim=-1)

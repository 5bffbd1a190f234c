"""`CodeLM`: our language model over the codes, in floating point. For training.

`network.py` evaluates the same network in exact integers (`docs/exact-entropy.md`); every operation
here has its counterpart there, which is why the network has no exponential but softmax's, no biases
but the logits', and positions that are learned scores by distance. `meta_network.py` has the paper's network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..errors import ConfigError
from .config import CodeLMConfig

NORM_EPS = 1e-6


class CodeLM(nn.Module):
    """A causal transformer over frames, and a head per codebook (paper section 3.3, changed).

    Frame f enters as the sum of the embeddings of frame f - 1's codes; the first as a learned vector.
    The layers are pre-norm: x + attention(norm(x)), then x + feed_forward(norm(x)), with RMS norm
    without gains (they would fold into the weights that follow) and ReLU. A frame sees itself and
    `past_context` frames before it; how far back a frame lies adds a learned score per head.

    The head of codebook k reads norm(x + c_k), c_k being the sum of the conditioning embeddings of the
    frame's own codes 0..k-1 (nothing where the config is not `conditioned`), through a hidden ReLU
    layer of `head_width` (where there is one) to N logits.

    Given the codec's codebooks, the tables of embeddings, conditioning embeddings and logits are each a
    projection of the entries (and of their length) plus a table of their own, so that codes of like sound are
    alike from the start; `exact_weights` adds the two up. It changes how fast the model learns, and nothing of the
    network.

    Args:
        config: its shape.
        codebooks: (K, N, D) entries of the codec's codebooks.

    Raises:
        ConfigError: for codebooks of another shape.
    """

    codebooks: torch.Tensor | None

    def __init__(self, config: CodeLMConfig, codebooks: torch.Tensor | None = None) -> None:
        super().__init__()
        self.config = config
        shape = (config.num_codebooks, config.codebook_size)
        if codebooks is not None and codebooks.shape[:2] != shape:
            raise ConfigError(f"the language model is for codebooks of {shape}, got {tuple(codebooks.shape[:2])}")
        spread = torch.full((config.num_codebooks,), config.num_codebooks**-0.5)
        if codebooks is not None:  # their own sizes: later codebooks refine
            size = codebooks.square().mean((1, 2)).sqrt().clamp(min=1e-12)
            spread, codebooks = size / size[0], _features(codebooks / size[:, None, None])
        self.register_buffer("codebooks", codebooks)
        depth = None if codebooks is None else codebooks.shape[2]
        self.start = nn.Parameter(torch.randn(config.width))
        self.embed = _Tables(shape, config.width, depth, spread)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.num_layers))
        self.condition = _Tables(shape, config.width, depth, spread) if config.conditioned else None
        self.hidden = None
        if config.head_width:
            self.hidden = nn.Parameter(_uniform(config.num_codebooks, config.width, config.head_width))
        # Small at the start, so that training begins near the uniform distribution.
        small = torch.full((config.num_codebooks,), 0.1 * config.logits_in**-0.5)
        self.logits = _Tables(shape, config.logits_in, depth, small)
        self.bias = nn.Parameter(torch.zeros(shape))

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Scores of every code of every frame, given all before it.

        Args:
            codes: (B, K, F) int64, K of at most `num_codebooks`.

        Returns:
            (B, K, F, N) logits, natural.

        Raises:
            ConfigError: for more codebooks than the model knows.
        """
        if not 0 < codes.shape[1] <= self.config.num_codebooks:
            raise ConfigError(f"codes have {codes.shape[1]} codebooks, the model knows {self.config.num_codebooks}")
        x = self._before(codes)
        mask = _distances(codes.shape[-1], self.config.past_context, codes.device)
        for layer in self.layers:
            x = layer(x, mask)
        return self._heads(x, codes)

    @torch.no_grad()
    def exact_weights(self) -> dict[str, np.ndarray]:
        """The network's weights as `quantize` takes them: plain tables, (K, r, N) logits."""
        count = self.config.num_codebooks
        weights = {
            name: p for name, p in self.named_parameters() if not name.startswith(("embed", "condition", "logits"))
        }
        weights["embed"] = self.embed(count, self.codebooks)
        weights["logits"] = self.logits(count, self.codebooks).transpose(1, 2)
        if self.condition is not None:
            weights["condition"] = self.condition(count, self.codebooks)
        return {name: p.detach().float().cpu().numpy() for name, p in weights.items()}

    @torch.no_grad()
    def take_exact(self, weights: Mapping[str, np.ndarray]) -> None:
        """Start from weights as `exact_weights` gives them.

        What the codebooks can tell of a table goes to its projection.

        Raises:
            KeyError: if one is missing.
        """
        tables = {"embed": self.embed, "condition": self.condition, "logits": self.logits}
        given = {name: torch.from_numpy(array).float() for name, array in weights.items()}
        given["logits"] = given["logits"].transpose(1, 2)
        for name, table in tables.items():
            if table is not None:
                table.take(given[name], self.codebooks)
        for name, parameter in self.named_parameters():
            if not name.startswith(tuple(tables)):
                parameter.copy_(given[name])

    def matrices(self) -> list[nn.Parameter]:
        """The matrices (..., in, out) between one activation and the next: what `training.muon` steps."""
        inner = [p for layer in self.layers for name, p in layer.named_parameters() if name != "distance"]
        return inner if self.hidden is None else [*inner, self.hidden]

    def _before(self, codes: torch.Tensor) -> torch.Tensor:
        """(B, K, F) codes to (B, F, d): each frame holds the frame before it."""
        before = _lookup(self.embed(codes.shape[1], self.codebooks), codes[..., :-1]).sum(1)
        start = self.start.expand(codes.shape[0], 1, -1)
        return torch.cat([start, before], dim=1)

    def _heads(self, x: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        count = codes.shape[1]
        x = x[:, None].expand(-1, count, -1, -1)
        if self.condition is not None:
            own = _lookup(self.condition(count, self.codebooks), codes)
            x = x + (own.cumsum(1) - own)  # what comes before k, without k
        x = _norm(x)
        if self.hidden is not None:
            x = F.relu(x @ self.hidden[:count])
        return x @ self.logits(count, self.codebooks).transpose(1, 2) + self.bias[:count, None]


class _Tables(nn.Module):
    """(K, N, width) tables: entries of their own and, where D is given, a projection of the codebooks'."""

    def __init__(self, shape: tuple[int, int], width: int, depth: int | None, spread: torch.Tensor) -> None:
        super().__init__()
        spread = spread[:, None, None]  # (K,): size of each table's entries at the start
        self.projection = None
        if depth is None:
            self.own = nn.Parameter(torch.randn(*shape, width) * spread)
        else:
            self.own = nn.Parameter(torch.zeros(*shape, width))
            self.projection = nn.Parameter(torch.randn(depth, width) * depth**-0.5 * spread)

    def forward(self, count: int, codebooks: torch.Tensor | None) -> torch.Tensor:
        """The first `count` tables."""
        own = self.own[:count]
        if self.projection is None or codebooks is None:
            return own
        return own + codebooks[:count] @ self.projection[:count]

    def take(self, tables: torch.Tensor, codebooks: torch.Tensor | None) -> None:
        """Become these tables; the projection takes what it can (least squares)."""
        if self.projection is not None and codebooks is not None:
            self.projection.copy_(torch.linalg.lstsq(codebooks, tables).solution)
            tables = tables - codebooks @ self.projection
        self.own.copy_(tables)


class _Layer(nn.Module):
    """Attention and feed-forward network, each on the normalized stream."""

    def __init__(self, config: CodeLMConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.query_key_value = nn.Parameter(_uniform(config.width, 3 * config.width))
        # Slopes as in ALiBi (Press et al., arXiv 2108.12409) are the start of the learned scores.
        slopes = 2.0 ** -(8.0 * torch.arange(1, config.num_heads + 1) / config.num_heads)
        self.distance = nn.Parameter(-slopes[:, None] * torch.arange(config.past_context + 1))
        self.out = nn.Parameter(_uniform(config.width, config.width) / math.sqrt(2 * config.num_layers))
        self.up = nn.Parameter(_uniform(config.width, config.feed_forward))
        self.down = nn.Parameter(_uniform(config.feed_forward, config.width) / math.sqrt(2 * config.num_layers))

    def forward(self, x: torch.Tensor, distances: torch.Tensor) -> torch.Tensor:
        """(B, F, d) to the same; `distances` (F, F) from `_distances`."""
        batch, frames, width = x.shape
        heads = (_norm(x) @ self.query_key_value).view(batch, frames, 3, self.num_heads, -1)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        scores = F.pad(self.distance, (0, 1), value=-math.inf)[:, distances]
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=scores)
        x = x + mixed.transpose(1, 2).reshape(batch, frames, width) @ self.out
        return x + F.relu(_norm(x) @ self.up) @ self.down


def _norm(x: torch.Tensor) -> torch.Tensor:
    return F.rms_norm(x, x.shape[-1:], eps=NORM_EPS)


def _features(codebooks: torch.Tensor) -> torch.Tensor:
    """(K, N, D) entries to (K, N, D + 1): beside each its squared length, standardized.

    With it the logits of a Gaussian of any mean and width, |x - e|^2 / 2s^2, are linear in the features.
    """
    energy = codebooks.square().sum(-1, keepdim=True)
    energy = (energy - energy.mean(1, keepdim=True)) / energy.std(1, keepdim=True).clamp(min=1e-12)
    return torch.cat([codebooks, energy], dim=-1)


def _uniform(*shape: int) -> torch.Tensor:
    """Weights (..., in, out) that keep the variance of ReLU's inputs (He et al., arXiv 1502.01852)."""
    bound = math.sqrt(3.0 / shape[-2])
    return torch.empty(shape).uniform_(-bound, bound)


def _lookup(table: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """(K', N, d) tables and (B, K, F) codes to (B, K, F, d)."""
    return torch.stack([F.embedding(codes[:, k], table[k]) for k in range(codes.shape[1])], dim=1)


def _distances(frames: int, past_context: int, device: torch.device) -> torch.Tensor:
    """(F, F): how far key j lies before query i; `past_context + 1` where i may not see it."""
    index = torch.arange(frames, device=device)
    distance = index[:, None] - index
    return torch.where((distance < 0) | (distance > past_context), past_context + 1, distance)

"""`ExactLM`: the network of `model.lm.CodeLM` in integers, the same on every machine.

Frames are pushed through with their past in a cache, one at a time (decoding) or many at once
(encoding): every operation is exact or elementwise, so that makes no difference to any integer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..errors import ConfigError
from .arithmetic import STREAM_MAX, Linear, Matmul, normalize, power_of_two, probe
from .attention import Attention, Cache
from .config import CodeLMConfig
from .tables import TableRule, Tables
from .weights import HIDDEN_MAX, attention_max, check_weights, entries


@dataclass
class LMState:
    """P streams in step: the past that coming frames will look at.

    Attributes:
        caches: one a layer.
        started: whether the streams have had a frame.
    """

    caches: list[Cache]
    started: bool = field(default=False)


class ExactLM:
    """Exact evaluation of a code language model.

    `matmul` may be any function that multiplies float32 arrays with at least float32's precision: where
    the products run can change nothing but the time.

    Args:
        config: shape of the model.
        tensors: its integers (`weights.tensor_specs`).
        matmul: matrix product.

    Raises:
        CheckpointError: if the tensors do not fit, or could leave the range of exact arithmetic.
        RecodecError: if `matmul` turns out not to be exact.
    """

    def __init__(self, config: CodeLMConfig, tensors: Mapping[str, np.ndarray], *, matmul: Matmul = np.matmul) -> None:
        check_weights(config, tensors)
        probe(matmul)
        self.config = config
        self._matmul = matmul
        self._rule = TableRule(config.codebook_size)
        self._start = tensors["start"].astype(np.float32)
        self._embed = entries(tensors, "embed")
        self._condition = entries(tensors, "condition") if config.conditioned else None
        self._layers = [_Layer(config, tensors, f"layers.{i}.", matmul) for i in range(config.num_layers)]
        self._hidden = [
            _linear(tensors, "hidden", 0, HIDDEN_MAX, k)
            for k in range(config.num_codebooks if config.head_width else 0)
        ]
        self._logits = np.ascontiguousarray(entries(tensors, "logits").swapaxes(1, 2), np.float32)
        self._bias = tensors["bias"].astype(np.float32)
        self._score_rescale = power_of_two(tensors["score_shift"])

    def start(self, batch: int, frames: int) -> LMState:
        """State of `batch` streams before their first frame; none will have more than `frames`."""
        return LMState([Cache(self.config, batch, frames) for _ in self._layers])

    def cache_bytes(self, frames: int) -> int:
        """Memory of the state of one stream of that many frames."""
        return len(self._layers) * Cache.bytes_for(self.config, frames)

    def push(self, codes: np.ndarray, state: LMState, frames: int) -> np.ndarray:
        """Take in the codes before each of the next frames, and compute what their tables follow from.

        Args:
            codes: (P, K, F') codes of the frames before the next F ones: F' = F, or F - 1 for the first
                push of a stream. P may fall from push to push: the first P streams are meant.
            state: changed in place.
            frames: F, at most `MAX_PUSH_FRAMES`.

        Returns:
            (P, F, d) stream.

        Raises:
            ConfigError: for more codebooks than the model knows.
        """
        if not 0 < codes.shape[1] <= self.config.num_codebooks:
            raise ConfigError(f"codes have {codes.shape[1]} codebooks, the model knows {self.config.num_codebooks}")
        x = np.zeros((codes.shape[0], frames, self.config.width), np.float32)
        before = x[:, frames - codes.shape[-1] :]
        for k in range(codes.shape[1]):
            before += self._embed[k].take(codes[:, k], axis=0)
        if not state.started:
            # Before a stream's first frame there are no codes, so `before` has left out this place.
            x[:, 0] = self._start
            state.started = True
        for layer, cache in zip(self._layers, state.caches, strict=True):
            x = layer(x, cache)
        return x

    def head(self, x: np.ndarray) -> OutputHead:
        """Tables for (M, d) frames of `push`, codebook by codebook."""
        return OutputHead(self, x)

    def _scores(self, x: np.ndarray, codebook: int) -> np.ndarray:
        """Scores (M, N) of a codebook from the normalized (M, d)."""
        if self._hidden:
            x = self._hidden[codebook](x, self._matmul)
        scores = self._matmul(x, self._logits[codebook])
        scores += self._bias[codebook]
        return scores


class OutputHead:
    """The codebooks of M frames, in order; each sees those before it."""

    def __init__(self, lm: ExactLM, x: np.ndarray) -> None:
        self._lm = lm
        self._x = x
        self._normalized = normalize(x)
        self._codebook = 0

    def tables(self) -> Tables:
        """Tables (M, N) of the codebook whose turn it is."""
        return self._lm._rule.tables(self.scores(), self._lm._score_rescale[self._codebook])

    def scores(self) -> np.ndarray:
        """Scores (M, N) that those tables are made of: float32 integers, in the codebook's unit."""
        return self._lm._scores(self._normalized, self._codebook)

    def take(self, symbols: np.ndarray) -> None:
        """Go on to the next codebook, given the (M,) codes of this one."""
        if self._lm._condition is not None:
            # Not clipped: with its 32 codebooks at most it stays below 2^21 (docs/exact-entropy.md, stream in a head).
            self._x = self._x + self._lm._condition[self._codebook].take(symbols, axis=0)
            self._normalized = normalize(self._x)
        self._codebook += 1


class _Layer:
    """x + attention(norm(x)), then x + feed_forward(norm(x)), clipped to the stream's bound."""

    def __init__(self, config: CodeLMConfig, tensors: Mapping[str, np.ndarray], name: str, matmul: Matmul) -> None:
        # The m of docs/exact-entropy.md: products of numbers up to it are small enough to be exact.
        bound = attention_max(config)
        self._heads = config.num_heads
        self._matmul = matmul
        self._query_key_value = _linear(tensors, name + "query_key_value", -bound, bound)
        self._attention = Attention(
            tensors[name + "distance"].astype(np.float32),
            power_of_two(tensors[name + "score_shift"])[:, None, None],
            bound,
        )
        self._out = _linear(tensors, name + "out", -STREAM_MAX, STREAM_MAX)
        self._up = _linear(tensors, name + "up", 0, HIDDEN_MAX)
        self._down = _linear(tensors, name + "down", -STREAM_MAX, STREAM_MAX)

    def __call__(self, x: np.ndarray, cache: Cache) -> np.ndarray:
        """(P, F, d) to the same."""
        batch, frames, width = x.shape
        rows = x.reshape(batch * frames, width)
        packed = self._query_key_value(normalize(rows), self._matmul)
        packed = packed.reshape(batch, frames, 3, self._heads, width // self._heads)
        query = np.ascontiguousarray(packed[:, :, 0].swapaxes(1, 2))
        keys, values = cache.append(packed[:, :, 1].transpose(0, 2, 3, 1), packed[:, :, 2].transpose(0, 2, 3, 1))
        mixed = self._attention(query, keys, values, self._matmul)
        mixed = mixed.transpose(0, 3, 1, 2).reshape(batch * frames, width)
        rows = _add(rows, self._out(mixed, self._matmul))
        hidden = self._up(normalize(rows), self._matmul)
        return _add(rows, self._down(hidden, self._matmul)).reshape(batch, frames, width)


def _add(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x + y, which may reach 2^21, back within the stream's bound. `y` is used up."""
    y += x
    return y.clip(-STREAM_MAX, STREAM_MAX, out=y)


def _linear(
    tensors: Mapping[str, np.ndarray], name: str, low: float, high: float, codebook: int | None = None
) -> Linear:
    weight, shift = tensors[name], tensors[name + ".shift"]
    if codebook is not None:
        weight, shift = weight[codebook], shift[codebook]
    return Linear(weight.astype(np.float32), power_of_two(shift), low, high)

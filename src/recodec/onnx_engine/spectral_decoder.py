"""A spectral decoder on ONNX Runtime, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..config import EncodecConfig
from ..spectral import SpectralConfig
from .cache import GraphCache
from .plan import Phase, spectral_plan
from .sessions import Sessions
from .spectral_weights import spectral_weights
from .stream import StreamedNetwork, StreamState
from .weights import Tensors

if TYPE_CHECKING:
    import onnxruntime as ort
    from onnx import ModelProto


_WIDEST_ARRAY_BYTES = 1 << 21
"""Longer pushes are cut into pieces whose arrays are no larger. It is more than for EnCodec's networks, because
products of few rows are slow, and these are nearly all that a spectral decoder does."""


class SpectralSessions(Sessions):
    """Sessions of a spectral decoder, from latents.

    Args:
        model: sessions of the model whose codes it decodes.
        config: of the decoder.
        tensors: of its checkpoint.
        int8: whether the products of its blocks are of 8-bit integers.
    """

    def __init__(self, model: Sessions, config: SpectralConfig, tensors: Tensors, *, int8: bool) -> None:
        super().__init__(model.config, tensors, threads=model.threads, device=model.device)
        self._spectral, self._int8 = config, int8
        self._cache = GraphCache(config)

    def _build(self, name: str) -> ModelProto:
        from .spectral_graph import spectral_graph

        return spectral_graph(self._spectral, Phase(name.partition(".")[2]), int8=self._int8)

    def _weights_of(self, name: str) -> dict[str, ort.OrtValue]:
        unused = _unused_weight(Phase(name.partition(".")[2]))
        return {key: weight for key, weight in self._part("spectral").items() if key != unused}

    def _take(self, part: str) -> dict[str, np.ndarray]:
        arrays, self._tensors = spectral_weights(self._spectral, self._tensors, int8=self._int8), {}
        return arrays


def _frames_at_once(config: SpectralConfig) -> int:
    return max(1, _WIDEST_ARRAY_BYTES // (4 * max(config.intermediate_dim, config.n_fft + 2)))


def network_name(*, int8: bool) -> str:
    """What the names of its graphs begin with."""
    return "spectral_int8" if int8 else "spectral"


def _unused_weight(phase: Phase) -> str:
    """The one weight that the graph of a phase does not have: the sum of windows is constant within a stream only."""
    return "squared_window" if phase is Phase.STEP else "envelope"


class OnnxSpectralDecoder:
    """Codes to audio; it has the methods of the protocol `codec.engine.Decoder`.

    Args:
        sessions: of the model whose codes it decodes.
        codebooks: (K, N, D) of that model.
        config: of the decoder.
        tensors: of its checkpoint.
        int8: whether the products of its blocks are of 8-bit integers.
    """

    def __init__(
        self, sessions: Sessions, codebooks: np.ndarray, config: SpectralConfig, tensors: Tensors, *, int8: bool = False
    ) -> None:
        self.config: EncodecConfig = sessions.config
        self.spectral = config
        self._codebooks = codebooks
        ends, no_audio = ("latents", "audio"), np.zeros((1, 1, 0), np.float32)
        own = SpectralSessions(sessions, config, tensors, int8=int8)
        at_once = _frames_at_once(config) if own.on_cpu else None
        self._network = StreamedNetwork(own, network_name(int8=int8), spectral_plan(config), ends, no_audio, at_once)

    def decode_segment(self, codes: np.ndarray, scales: np.ndarray | None) -> np.ndarray:
        """Whole recordings: codes (B, K, F), F >= 1, to audio (B, 1, F * hop) float32."""
        assert scales is None  # models that normalize have no spectral decoder
        return self._network.whole(self._latents(codes), **self._condition(codes))

    def decoder_state(self, batch: int) -> StreamState:
        """State of `batch` streams that have seen nothing."""
        return StreamState(np.zeros((batch, self.spectral.input_channels, 0), np.float32))

    def decode_step(self, codes: np.ndarray, state: StreamState, *, last: bool) -> tuple[np.ndarray, StreamState]:
        """Push frames of codes; as `OnnxEngine.decode_step`, but that K may change at any time."""
        return self._network.step(self._latents(codes), state, last=last, **self._condition(codes))

    def select_streams(self, state: StreamState, rows: Sequence[int]) -> StreamState:
        """State of some of the batch's streams: row i is stream `rows[i]`."""
        return self._network.select(state, rows)

    def _latents(self, codes: np.ndarray) -> np.ndarray:
        """(B, K, F) to (B, D, F), the sum of the codebooks' entries."""
        # An index array makes a copy, so the sums below do not change the codebook.
        latents = self._codebooks[0][codes[:, 0]]
        for k in range(1, codes.shape[1]):
            latents += self._codebooks[k][codes[:, k]]
        return latents.transpose(0, 2, 1)

    def _condition(self, codes: np.ndarray) -> dict[str, np.ndarray]:
        if not self.spectral.condition_codebooks:
            return {}
        return {"condition": np.array([self.spectral.condition(codes.shape[1])])}

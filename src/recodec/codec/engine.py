"""What the codec asks of an engine: arrays in, arrays out, and streaming state as a value.

Two engines exist: ONNX Runtime (`onnx_engine/`, the default) and torch (`torch_engine.py`). The codec
knows nothing of either beyond these protocols. An engine is a decoder, too: that of EnCodec itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from ..config import EncodecConfig
from ..spectral import SpectralConfig

StateT = TypeVar("StateT")
"""State of a batch of streams. Opaque to the codec: it goes in and a new one comes out. No engine
changes a state that it was given, so an old one may be kept and gone back to."""


class Decoder(Protocol[StateT]):
    """Decodes the codes of one model, on NumPy arrays. Codes are (B, K, F) int64, audio is (B, C, T) float32.

    The caller has checked shapes and values. A decoder remembers nothing between calls.
    """

    @property
    def config(self) -> EncodecConfig:
        """The model's configuration."""
        ...

    @property
    def spectral(self) -> SpectralConfig | None:
        """The shape of a spectral decoder; `None` for EnCodec's own."""
        ...

    def decode_segment(self, codes: np.ndarray, scales: np.ndarray | None) -> np.ndarray:
        """Decode what `Engine.encode_segment` made.

        Args:
            codes: (B, K, F) with F >= 1.
            scales: (B,) if the model normalizes, else `None`.

        Returns:
            audio (B, C, F * hop).
        """
        ...

    # ---- causal models only (`config.is_streamable`) ----------------------------------------

    def decoder_state(self, batch: int) -> StateT:
        """State of `batch` decoder streams that have seen nothing."""
        ...

    def decode_step(self, codes: np.ndarray, state: StateT, *, last: bool) -> tuple[np.ndarray, StateT]:
        """Push frames of codes.

        Args:
            codes: (B, K, F) with any F >= 0.
            state: of the same B streams.
            last: whether the streams end here; the next state is then of no use.

        Returns:
            audio (B, C, T) that has become final, T >= 0, and the next state. Over a whole stream
            the pieces have F * hop samples.
        """
        ...

    def select_streams(self, state: StateT, rows: Sequence[int]) -> StateT:
        """State of some of the batch's streams: row i is stream `rows[i]`."""
        ...


class Engine(Decoder[StateT], Protocol[StateT]):
    """Encoder, quantizer and decoder of one model, on NumPy arrays.

    Audio is (B, C, T) float32, codes are (B, K, F) int64, scales are (B,) float32. The caller has
    checked shapes, values (finite samples, codes below the codebook size) and `num_quantizers`.
    Engines remember nothing between calls: any number of streams may be in work with one engine.
    """

    @property
    def name(self) -> str:
        """The model's name as files carry it, for example `recodec_24khz` or `encodec_48khz`."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the model's weights as `checkpoint` computes it: 64 hexadecimal digits."""
        ...

    @property
    def on_cpu(self) -> bool:
        """Whether it runs on a CPU, whose caches hold the arrays of one recording, and not of a batch."""
        ...

    @property
    def codebooks(self) -> np.ndarray:
        """(K, N, D) float32."""
        ...

    def encode_segment(self, audio: np.ndarray, num_quantizers: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Encode a piece that stands alone: a whole recording, or a segment of a chunked model.

        Args:
            audio: (B, C, T) with T >= 1.
            num_quantizers: codebooks K to use.

        Returns:
            codes (B, K, ceil(T / hop)), and the scales (B,) of a model that normalizes, else `None`.
        """
        ...

    def spectral_decoder(self, config: SpectralConfig, tensors: Mapping[str, np.ndarray]) -> Decoder[Any]:
        """A second decoder for the model's codes, on the same device.

        Args:
            config, tensors: of a spectral decoder that fits the model, as `checkpoint.check_spectral` gives them.
        """
        ...

    # ---- causal models only (`config.is_streamable`) ----------------------------------------

    def encoder_state(self, batch: int) -> StateT:
        """State of `batch` encoder streams that have seen nothing."""
        ...

    def encode_step(
        self, audio: np.ndarray, state: StateT, *, last: bool, num_quantizers: int
    ) -> tuple[np.ndarray, StateT]:
        """Push a piece of audio.

        Args:
            audio: (B, C, T) with any T >= 0.
            state: of the same B streams.
            last: whether the streams end here; it adds the padding of the end, and the next state
                is of no use.
            num_quantizers: codebooks K to use.

        Returns:
            codes (B, K, F) that have become final, F >= 0, and the next state.
        """
        ...

    def latents_step(self, audio: np.ndarray, state: StateT, *, last: bool) -> tuple[Any, StateT]:
        """The first half of `encode_step`: latents (B, D, F) as `quantize` takes them, F >= 0, and the next state."""
        ...

    def quantize(self, latents: Any, num_quantizers: int) -> np.ndarray:
        """The second half of `encode_step`: latents to codes (B, K, F). It needs no state, so several threads may call
        it for pieces of one stream."""
        ...


def known_fingerprints(engine: Engine[Any]) -> tuple[str, ...]:
    """Of the model, and of those whose codes it decodes as well."""
    return (engine.fingerprint, *engine.config.also_decodes)

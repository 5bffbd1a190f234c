"""`OnnxEngine`: a model on ONNX Runtime, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from ..checkpoint import fingerprint, fold, read_model
from ..config import EncodecConfig
from ..errors import ConfigError
from ..spectral import SpectralConfig
from .plan import decoder_plan, encoder_plan
from .sessions import Sessions
from .spectral_decoder import OnnxSpectralDecoder
from .stream import StreamedNetwork, StreamState
from .weights import Tensors

_WIDEST_ARRAY_BYTES = 1 << 19
"""Longer pushes are cut into pieces whose arrays are no larger: such stay in the second cache of a core, where the many
small operations of a network find them again. The results are the same to the last bit."""


class OnnxEngine:
    """Encoder, quantizer and decoder of one model, on NumPy arrays.

    The engine that the codec uses by default; it has the methods of the protocol `codec.engine.Engine`.
    It remembers nothing between calls and may be used from several threads. The graphs for a use are
    built, or read from the cache, when that use is first made.

    Args:
        config: of the model.
        tensors: of its checkpoint in our layout, weight norm folded or not.
        name: the model's name as files carry it.
        threads: cores for each call; `None` for all.
        device: `"cpu"`, `"cuda"`, or `"auto"` for CUDA where there is a device for it.
        int8: whether a spectral decoder computes the products of its blocks with 8-bit integers. Codes are the same.

    Raises:
        ConfigError: for a device that is not to be had, or a bad number of threads.
    """

    def __init__(
        self,
        config: EncodecConfig,
        tensors: Tensors,
        *,
        name: str = "",
        threads: int | None = None,
        device: str = "cpu",
        int8: bool = False,
    ) -> None:
        config.validate()
        self._int8 = int8
        folded = fold(tensors, config)
        self._config = config
        self._name = name
        self._fingerprint = fingerprint(folded, config)
        self._sessions = Sessions(config, folded, threads=threads, device=device)
        no_latents = np.zeros((1, config.hidden_size, 0), np.float32)
        no_audio = np.zeros((1, config.audio_channels, 0), np.float32)
        plans = encoder_plan(config), decoder_plan(config)
        # The limit is for the caches of a CPU.
        at_once = _frames_at_once(config) if self.on_cpu else None
        ends = ("audio", "latents"), ("codes", "audio")
        self._encoder = StreamedNetwork(self._sessions, "encoder", plans[0], ends[0], no_latents, at_once)
        self._decoder = StreamedNetwork(self._sessions, "decoder", plans[1], ends[1], no_audio, at_once)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path | None = None,
        *,
        name: str = "",
        threads: int | None = None,
        device: str = "cpu",
        int8: bool = False,
    ) -> OnnxEngine:
        """Load a model from a folder, or from the hub.

        Args:
            name_or_path: as in `checkpoint.resolve_file`; `None` for the default model.
            name, threads, device, int8: as above.

        Raises:
            CheckpointError: if the model is not found or not valid.
            ConfigError: as above.
        """
        config, tensors = read_model(name_or_path)
        return cls(config, tensors, name=name, threads=threads, device=device, int8=int8)

    @property
    def config(self) -> EncodecConfig:
        """The model's configuration."""
        return self._config

    @property
    def name(self) -> str:
        """The model's name as files carry it."""
        return self._name

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the model, 64 hexadecimal digits; see `checkpoint.fingerprint`."""
        return self._fingerprint

    @property
    def spectral(self) -> None:
        """Nothing: an engine decodes with EnCodec's own decoder."""
        return None

    @property
    def on_cpu(self) -> bool:
        """Whether it runs on a CPU."""
        return self._sessions.on_cpu

    @property
    def codebooks(self) -> np.ndarray:
        """(K, N, D) float32."""
        return self._codebooks

    @cached_property
    def _codebooks(self) -> np.ndarray:
        return self._sessions.codebooks()

    def spectral_decoder(self, config: SpectralConfig, tensors: Tensors) -> OnnxSpectralDecoder:
        """A second decoder for the model's codes; it shares the codebooks.

        Args:
            config, tensors: of a spectral decoder that fits the model, as `checkpoint.check_spectral` gives them.
        """
        return OnnxSpectralDecoder(self._sessions, self.codebooks, config, tensors, int8=self._int8)

    # ---- pieces that stand alone -----------------------------------------------------------

    def encode_segment(self, audio: np.ndarray, num_quantizers: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Encode a whole recording, or a segment of a chunked model.

        Args:
            audio: (B, C, T) float32 with T >= 1.
            num_quantizers: codebooks K to use.

        Returns:
            codes (B, K, ceil(T / hop)) int64, and the scales (B,) of a model that normalizes, else `None`.
        """
        if not self._config.normalize:
            return self.quantize(self._encoder.whole(audio), num_quantizers), None
        latents, scales = self._sessions.get("encoder.whole").run(["latents", "scale"], {"audio": audio})
        return self.quantize(latents, num_quantizers), scales

    def decode_segment(self, codes: np.ndarray, scales: np.ndarray | None) -> np.ndarray:
        """Decode what `encode_segment` made: (B, K, F) codes, F >= 1, to (B, C, F * hop) float32."""
        if scales is None:
            return self._decoder.whole(codes)
        return self._decoder.whole(codes, scale=scales)

    # ---- streams, of a streamable model ---------------------------------------------------------

    def encoder_state(self, batch: int) -> StreamState:
        """State of `batch` encoder streams that have seen nothing.

        Raises:
            ConfigError: if the model is not causal, normalizes or has segments.
        """
        self._check_streamable()
        return StreamState(np.zeros((batch, self._config.audio_channels, 0), np.float32))

    def encode_step(
        self, audio: np.ndarray, state: StreamState, *, last: bool, num_quantizers: int
    ) -> tuple[np.ndarray, StreamState]:
        """Push a piece of audio.

        Args:
            audio: (B, C, T) float32 with any T >= 0.
            state: of the same B streams.
            last: whether the streams end here.
            num_quantizers: codebooks K to use.

        Returns:
            codes (B, K, F) int64 that have become final, F >= 0, and the next state.
        """
        latents, state = self.latents_step(audio, state, last=last)
        return self.quantize(latents, num_quantizers), state

    def latents_step(self, audio: np.ndarray, state: StreamState, *, last: bool) -> tuple[np.ndarray, StreamState]:
        """The first half of `encode_step`: latents (B, D, F) float32, and the next state."""
        return self._encoder.step(audio, state, last=last)

    def quantize(self, latents: np.ndarray, num_quantizers: int) -> np.ndarray:
        """Latents (B, D, F) float32, F >= 0, to codes (B, K, F) int64 of the first K codebooks."""
        if latents.shape[-1] == 0:
            return np.zeros((latents.shape[0], num_quantizers, 0), np.int64)
        # A codebook's codes do not depend on later codebooks. So the graphs of the bandwidths serve the numbers between
        # them, too: those graphs come with the package, and what builds others may not be installed.
        count = min((k for k in self._config.quantizer_counts if k >= num_quantizers), default=num_quantizers)
        codes = self._sessions.get(f"quantizer.{count}").run(["codes"], {"latents": latents})[0]
        return codes if count == num_quantizers else np.ascontiguousarray(codes[:, :num_quantizers])

    def decoder_state(self, batch: int) -> StreamState:
        """State of `batch` decoder streams that have seen nothing; errors as in `encoder_state`."""
        self._check_streamable()
        # The number of codebooks is not known yet, and does not count while no frame is held.
        return StreamState(np.zeros((batch, 1, 0), np.int64))

    def decode_step(self, codes: np.ndarray, state: StreamState, *, last: bool) -> tuple[np.ndarray, StreamState]:
        """Push frames of codes.

        Args:
            codes: (B, K, F) int64 with any F >= 0.
            state: of the same B streams.
            last: whether the streams end here.

        Returns:
            audio (B, C, T) float32 that has become final, T >= 0, and the next state.

        Raises:
            ConfigError: if K changes before the first audio has come out. Later it may.
        """
        return self._decoder.step(codes, state, last=last)

    def select_streams(self, state: StreamState, rows: Sequence[int]) -> StreamState:
        """State, of an encoder or a decoder, of some of the batch's streams: row i is stream `rows[i]`."""
        return self._network_of(state).select(state, rows)

    def stack_streams(self, states: Sequence[StreamState]) -> StreamState:
        """State of several batches of streams as that of one batch, in their order.

        Raises:
            ConfigError: if the streams are not equally far within a frame, or some have had their first
                output and others have not.
        """
        return self._network_of(states[0]).stack(states)

    def _network_of(self, state: StreamState) -> StreamedNetwork:
        # A decoder's stream holds codes, and an encoder's holds samples.
        return self._decoder if state.held.dtype == np.int64 else self._encoder

    def _check_streamable(self) -> None:
        if not self._config.is_streamable:
            raise ConfigError("this model is not causal, normalizes or has segments: it takes whole segments only")


def _frames_at_once(config: EncodecConfig) -> int:
    """Frames whose widest array in a network, that of all filters at the rate of the samples, stays in a cache."""
    return max(1, _WIDEST_ARRAY_BYTES // (4 * config.num_filters * config.hop_length))

"""What a codec does with arrays: recordings to codes and back, and live streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np

from ..ahead import Ahead
from ..config import EncodecConfig
from ..errors import AudioError, ConfigError, CorruptError
from ..wire.v1.payload import PacketLM
from .batches import encode_batched
from .blocks import FILE_GRID_FRAMES, block_decoder, block_encoder, file_grid, join_codes, split_codes
from .checks import check_audio, check_count, choose_quantizers, side_threads
from .engine import Decoder, Engine, known_fingerprints
from .files import resampled
from .latency import Latency, latency
from .loading import DECODERS, ModelChoice
from .streams import StreamDecoder, StreamEncoder

GPU_BATCH = 32

Encoded = tuple[np.ndarray, np.ndarray | None]


class ArrayCodec:
    """A model that codes arrays. `Codec`, which users meet, adds files.

    Args:
        engine: what runs the model; see `Codec.from_pretrained`.
        load_language_model: gives the language model that goes with it, if there is one, when it is first needed.
        load_spectral: gives its spectral decoder, likewise.
    """

    def __init__(
        self,
        engine: Engine[Any],
        load_language_model: Callable[[], PacketLM | None] = lambda: None,
        load_spectral: Callable[[], Decoder[Any] | None] = lambda: None,
    ) -> None:
        self.engine = engine
        self._load_language_model = load_language_model
        self._load_spectral = load_spectral
        self._choice: ModelChoice | None = None

    # ---- figures ---------------------------------------------------------------------------

    @property
    def config(self) -> EncodecConfig:
        """The model's configuration."""
        return self.engine.config

    @property
    def name(self) -> str:
        """The model's name as files carry it."""
        return self.engine.name

    @property
    def sampling_rate(self) -> int:
        """Of the audio, in Hz."""
        return self.config.sampling_rate

    @property
    def frame_rate(self) -> int:
        """Frames of codes per second of audio (rounded up where it is not an integer), in Hz."""
        return self.config.frame_rate

    @cached_property
    def language_model(self) -> PacketLM | None:
        """The language model that packets are coded with; `None` if the model has none.

        Raises:
            ConfigError, CheckpointError: if it is there, and is not valid.
        """
        return self._load_language_model()

    @cached_property
    def spectral_decoder(self) -> Decoder[Any] | None:
        """The model's second decoder, which most people prefer by ear; `None` if it has none.

        Raises:
            ConfigError, CheckpointError: if it is there, and is not valid.
        """
        return self._load_spectral()

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """SHA-256 of the model's weights, and of earlier models whose codes it decodes as well."""
        return known_fingerprints(self.engine)

    def choose_quantizers(self, bandwidth: float | None = None, num_quantizers: int | None = None) -> int:
        """Codebooks K for a bandwidth in kbps, or for a number of codebooks in its place; arguments as in `encode`.

        Raises:
            ConfigError: for a bandwidth or number of codebooks that the model does not have.
        """
        return choose_quantizers(self.config, bandwidth, num_quantizers)

    @property
    def latency_s(self) -> Latency:
        """Delay of a live stream, coded frame by frame, in seconds: at its start, and from then on."""
        return self.latency()

    def latency(self, grid_frames: int = 1, *, decoder: str = "auto") -> Latency:
        """Delay of a live stream that is coded in blocks of so many frames, in seconds; `decoder` as there."""
        return latency(
            self.config, check_count(grid_frames, "grid_frames"), self._decoder(decoder, live=grid_frames == 1).spectral
        )

    # ---- recordings ------------------------------------------------------------------------

    def encode(
        self,
        audio: np.ndarray | Iterable[np.ndarray],
        bandwidth: float | None = None,
        *,
        num_quantizers: int | None = None,
        sampling_rate: int | None = None,
        grid_frames: int = FILE_GRID_FRAMES,
    ) -> Encoded:
        """Audio to codes.

        Args:
            audio: (C, T) of a floating-point type, full scale being 1.0, T >= 1 of any length; or an iterable of
                pieces (C, T_i), T_i >= 0, which need never be in memory together.
            bandwidth: in kbps, one of `config.target_bandwidths`; the highest up to 6 by default.
            num_quantizers: number of codebooks, in place of `bandwidth`.
            sampling_rate: of the audio in Hz; it is resampled to the model's. The model's by default.
            grid_frames: frames that a causal model takes at once.

        Returns:
            codes (K, F), and scales (S,) or `None`.

        Raises:
            AudioError: for audio that the model cannot take.
            ConfigError: for a bandwidth or number of codebooks that the model does not have.
        """
        count = choose_quantizers(self.config, bandwidth, num_quantizers)
        encoder = block_encoder(self.engine, count, grid_frames)
        if not isinstance(audio, Iterable):
            raise AudioError(f"audio must be an array or an iterable of arrays, got {type(audio).__name__}")
        whole = isinstance(audio, np.ndarray)
        pieces = [check_audio(audio, self.config)] if whole else audio
        blocks = [block for piece in resampled(pieces, sampling_rate, self.config) for block in encoder.push(piece)]
        blocks += encoder.finish()
        if not blocks:
            check_audio(np.zeros((self.config.audio_channels, 0), np.float32), self.config)  # raises: no samples
        return join_codes(blocks)

    def encode_many(
        self,
        recordings: Iterable[np.ndarray],
        bandwidth: float | None = None,
        *,
        num_quantizers: int | None = None,
        sampling_rate: int | None = None,
        batch: int | None = None,
        grid_frames: int = FILE_GRID_FRAMES,
        jobs: int = 1,
    ) -> list[Encoded]:
        """Many recordings to codes, each as `encode` codes it alone: one at a time in each of some threads, which is
        fastest on a CPU, or in batches of similar length, for a GPU.

        Args:
            recordings: each (C, T_i) as in `encode`.
            bandwidth, num_quantizers, sampling_rate, grid_frames: as in `encode`.
            batch: the most recordings, or segments, to take at once; by default what is fast, 1 on a CPU
                and 32 on a GPU. Larger ones than 1 give the codes of `encode` up to the rounding of sums.
            jobs: threads at work at once, where recordings are taken one at a time.

        Returns:
            codes and scales of each recording, in the order given.

        Raises:
            AudioError, ConfigError: as `encode`; that of a recording says which it is, counted from 0.
        """
        count = choose_quantizers(self.config, bandwidth, num_quantizers)
        threads = side_threads(jobs)
        if batch is None:
            batch = 1 if self.engine.on_cpu else GPU_BATCH
        check_count(batch, "batch")
        checked = []
        for i, audio in enumerate(recordings):
            with _of_recording(i):
                checked.append(self._checked(audio, sampling_rate))
        if batch > 1:
            return [join_codes(blocks) for blocks in encode_batched(self.engine, checked, count, batch, grid_frames)]

        def alone(audio: np.ndarray) -> Encoded:
            return self.encode(audio, num_quantizers=count, grid_frames=grid_frames)

        return list(Ahead(alone, threads).map(checked))

    def decode(
        self,
        codes: np.ndarray,
        scales: np.ndarray | None = None,
        num_samples: int | None = None,
        *,
        grid_frames: int | None = None,
        decoder: str = "auto",
    ) -> np.ndarray:
        """Codes to audio.

        Args:
            codes: (K, F) of any integer type, F >= 1.
            scales: as `encode` gave them.
            num_samples: length of the recording. A model that works in segments needs it, to know where
                they lie; for others the default is all that the codes give, F * hop.
            grid_frames: frames that a causal model takes at once; what is fast by default.
            decoder: `"encodec"`, the model's own (paper section 3.1); `"spectral"`, its second one, an inverse STFT
                (arXiv 2306.00814); `"auto"`, the second one where the model has it.

        Returns:
            audio (C, T) float32, T being `num_samples`.

        Raises:
            CorruptError: if codes, scales and length do not belong together or to this model.
            ConfigError: for a decoder that the model does not have.
        """
        blocks, length = split_codes(codes, scales, num_samples, self.config)
        found = self._decoder(decoder)
        pieces = block_decoder(found, file_grid(found) if grid_frames is None else grid_frames)
        parts = [pieces.push(block) for block in blocks]
        return np.concatenate([*parts, pieces.finish()], axis=1)[:, :length]

    def decode_many(
        self,
        encoded: Iterable[Encoded],
        num_samples: Iterable[int | None] | None = None,
        *,
        grid_frames: int | None = None,
        decoder: str = "auto",
        jobs: int = 1,
    ) -> list[np.ndarray]:
        """Codes of many recordings to audio, each as `decode` decodes it alone.

        Args:
            encoded: codes (K, F_i) and scales of each recording, as `encode_many` gives them.
            num_samples: length of each recording, as in `decode`.
            grid_frames, decoder: as in `decode`.
            jobs: threads at work at once.

        Returns:
            audio (C, T_i) float32 of each recording, in the order given.

        Raises:
            CorruptError, ConfigError: as `decode`; that of a recording says which it is, counted from 0. Also if there
                are not as many lengths as recordings.
        """
        items = list(encoded)
        lengths = [None] * len(items) if num_samples is None else list(num_samples)
        if len(lengths) != len(items):
            raise CorruptError(f"there are {len(items)} recordings, and num_samples has {len(lengths)} lengths")
        self._decoder(decoder)  # loaded once, before there are threads

        def alone(i: int) -> np.ndarray:
            with _of_recording(i):
                codes, scales = _pair(items[i])
                return self.decode(codes, scales, lengths[i], grid_frames=grid_frames, decoder=decoder)

        return list(Ahead(alone, side_threads(jobs)).map(range(len(items))))

    # ---- streams ---------------------------------------------------------------------------

    def stream_encoder(
        self, bandwidth: float | None = None, *, num_quantizers: int | None = None, grid_frames: int = 1
    ) -> StreamEncoder[Any]:
        """Start a live stream of audio to codes; see `StreamEncoder`. Arguments as in `encode`.

        Raises:
            ConfigError: for a model that cannot be streamed, or a bandwidth that it does not have.
        """
        return StreamEncoder(self.engine, choose_quantizers(self.config, bandwidth, num_quantizers), grid_frames)

    def stream_decoder(self, *, grid_frames: int = 1, decoder: str = "auto") -> StreamDecoder[Any]:
        """Start a live stream of codes to audio; see `StreamDecoder`.

        Args:
            grid_frames: frames of a block.
            decoder: as in `decode`, but that `"auto"` is the model's own for blocks of one frame: it does not look
                ahead. `latency` tells what each waits for.

        Raises:
            ConfigError: for a model that cannot be streamed, or a decoder that it does not have.
        """
        return StreamDecoder(self._decoder(decoder, live=grid_frames == 1), grid_frames)

    # ---- parts -----------------------------------------------------------------------------

    def _decoder(self, wanted: str, *, live: bool = False) -> Decoder[Any]:
        """The decoder of a name; that of the codec for `"auto"`.

        Raises:
            ConfigError: for another name, or a decoder that the model does not have.
        """
        if wanted not in DECODERS:
            raise ConfigError(f"decoder must be one of {', '.join(DECODERS)}, got {wanted!r}")
        if wanted == "auto" and self._choice is not None:
            wanted = self._choice.decoder if self._choice.decoder in DECODERS else "spectral"
        if wanted == "encodec" or (wanted == "auto" and live):
            return self.engine
        if wanted == "spectral" and self.spectral_decoder is None:
            raise ConfigError(f"the model {self.name!r} has no spectral decoder")
        return self.spectral_decoder or self.engine

    def _checked(self, audio: np.ndarray, sampling_rate: int | None) -> np.ndarray:
        pieces = resampled([check_audio(audio, self.config)], sampling_rate, self.config)
        return np.concatenate(list(pieces), axis=1)


@contextmanager
def _of_recording(number: int) -> Iterator[None]:
    """Errors say which of many recordings they are about."""
    try:
        yield
    except (AudioError, CorruptError, ConfigError) as error:
        raise type(error)(f"recording {number}: {error}") from error


def _pair(encoded: Encoded) -> Encoded:
    """Codes and scales.

    Raises:
        CorruptError: for anything else, such as codes alone.
    """
    if isinstance(encoded, (tuple, list)) and len(encoded) == 2:
        return encoded[0], encoded[1]
    raise CorruptError(f"a pair of codes and scales is needed, as `encode_many` gives it, got {type(encoded).__name__}")

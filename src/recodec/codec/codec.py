"""`Codec`: the practical interface. NumPy in, NumPy or bytes out; no torch needed."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..config import EncodecConfig
from ..errors import CorruptError
from ..wire.payload import PayloadCoder
from .batches import encode_batched
from .blocks import FILE_GRID_FRAMES, Block, block_decoder, block_encoder
from .checks import check_audio, check_codes, choose_quantizers
from .container import DEFAULT_VERSION, Decompressor, open_compressor, open_decompressor
from .engine import Engine
from .latency import Latency, latency
from .loading import load_engine, load_entropy_model, load_meta_lm
from .streams import StreamDecoder, StreamEncoder
from .version0 import layout_of

if TYPE_CHECKING:
    from .meta_lm import MetaLM

Encoded = tuple[np.ndarray, np.ndarray | None]


class Codec:
    """A model, ready to code recordings, streams and files.

        codec = Codec.from_pretrained()
        data = codec.compress(audio, bandwidth=6.0)         # audio: (C, T) float, at codec.sampling_rate
        same_length = codec.decompress(data)

    Codes are (K, F) int64. A model that works in segments has their codes one after the other, and one
    scale per segment if it normalizes: scales are (S,) float32, or `None`.

    Args:
        engine: what runs the model; see `from_pretrained`.
        load_entropy_model: gives the language model that goes with it, if there is one, when it is first needed.
    """

    def __init__(self, engine: Engine, load_entropy_model: Callable[[], PayloadCoder | None] = lambda: None) -> None:
        self.engine = engine
        self._load_entropy_model = load_entropy_model

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | Path | None = None, engine: str = "auto", threads: int | None = None
    ) -> Codec:
        """Load a model.

        Args:
            name_or_path: `None` for the default model that comes with this package, a folder, or the id
                of a model on the hub, for example `facebook/encodec_24khz`.
            engine: `"onnx"` (no torch needed), `"torch"`, or `"auto"` for the one that fits.
            threads: for CPU work; `None` leaves the choice to the engine.

        Raises:
            CheckpointError: if the model is not found or not sound.
            ConfigError: for an unknown engine, or one that is not installed.
        """
        return cls(load_engine(name_or_path, engine, threads), lambda: load_entropy_model(name_or_path))

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
        """Frames of codes per second of audio (rounded up where it is no integer), in Hz."""
        return self.config.frame_rate

    @cached_property
    def entropy_model(self) -> PayloadCoder | None:
        """The language model that packets are coded with; `None` if the model has none.

        Raises:
            ConfigError, CheckpointError: if it is there, and is not sound.
        """
        return self._load_entropy_model()

    @property
    def latency_s(self) -> Latency:
        """Delay of a live stream, coded frame by frame, in seconds: at its start, and from then on."""
        return latency(self.config)

    # ---- recordings ------------------------------------------------------------------------

    def encode(
        self,
        audio: np.ndarray,
        bandwidth: float | None = None,
        *,
        num_quantizers: int | None = None,
        grid_frames: int = FILE_GRID_FRAMES,
    ) -> Encoded:
        """Audio to codes.

        Args:
            audio: (C, T) of a floating-point type, full scale being 1.0, T >= 1 of any length.
            bandwidth: in kbps, one of `config.target_bandwidths`; the highest up to 6 by default.
            num_quantizers: number of codebooks, in place of `bandwidth`.
            grid_frames: frames that a causal model takes at once.

        Returns:
            codes (K, F), and scales (S,) or `None`.

        Raises:
            AudioError: for audio that the model cannot take.
            ConfigError: for a bandwidth or number of codebooks that the model does not have.
        """
        audio = self._checked(audio)
        encoder = block_encoder(self.engine, choose_quantizers(self.config, bandwidth, num_quantizers), grid_frames)
        return _joined([*encoder.push(audio), *encoder.flush()])

    def encode_many(
        self,
        recordings: Sequence[np.ndarray],
        bandwidth: float | None = None,
        *,
        num_quantizers: int | None = None,
        batch: int = 16,
        grid_frames: int = FILE_GRID_FRAMES,
    ) -> list[Encoded]:
        """Many recordings to codes, in batches of similar length: faster on many cores or a GPU.

        Each recording is coded as `encode` codes it alone, up to the rounding of sums.

        Args:
            recordings: each (C, T_i) as in `encode`.
            bandwidth, num_quantizers, grid_frames: as in `encode`.
            batch: the most recordings, or segments, to take at once.

        Returns:
            codes and scales of each recording, in the order given.

        Raises:
            AudioError, ConfigError: as `encode`.
        """
        count = choose_quantizers(self.config, bandwidth, num_quantizers)
        checked = [self._checked(audio) for audio in recordings]
        return [_joined(blocks) for blocks in encode_batched(self.engine, checked, count, batch, grid_frames)]

    def decode(
        self,
        codes: np.ndarray,
        scales: np.ndarray | None = None,
        num_samples: int | None = None,
        *,
        grid_frames: int = FILE_GRID_FRAMES,
    ) -> np.ndarray:
        """Codes to audio.

        Args:
            codes: (K, F) of any integer type, F >= 1.
            scales: as `encode` gave them.
            num_samples: length of the recording. A model that works in segments needs it, to know where
                they lie; for others the default is all that the codes give, F * hop.
            grid_frames: frames that a causal model takes at once.

        Returns:
            audio (C, T) float32, T being `num_samples`.

        Raises:
            CorruptError: if codes, scales and length do not belong together or to this model.
        """
        codes = check_codes(codes, self.config)
        blocks, length = self._blocks(codes, scales, num_samples)
        decoder = block_decoder(self.engine, grid_frames)
        parts = [decoder.push(block) for block in blocks]
        return np.concatenate([*parts, decoder.flush()], axis=1)[:, :length]

    # ---- files -----------------------------------------------------------------------------

    def compress(
        self,
        audio: np.ndarray,
        bandwidth: float | None = None,
        *,
        num_quantizers: int | None = None,
        version: int = DEFAULT_VERSION,
        lm: bool = True,
        meta_lm: MetaLM | None = None,
    ) -> bytes:
        """Audio to the bytes of an `.ecdc` file.

        Args:
            audio, bandwidth, num_quantizers: as in `encode`.
            version: of the format; 0 is the one of Meta's tool.
            lm: make the file smaller with the model's language model, if it has one (version 1).
            meta_lm: make it smaller with Meta's (version 0); see `load_meta_lm`.

        Raises:
            AudioError, ConfigError: as `encode`.
        """
        audio = self._checked(audio)
        file = io.BytesIO()
        count = choose_quantizers(self.config, bandwidth, num_quantizers)
        coder = self.entropy_model if lm and version > 0 else None
        compressor = open_compressor(
            file, self.engine, count, num_samples=audio.shape[1], version=version, coder=coder, meta_lm=meta_lm
        )
        compressor.push(audio)
        compressor.close()
        return file.getvalue()

    def decompress(self, data: bytes, *, tolerant: bool = False, meta_lm: MetaLM | None = None) -> np.ndarray:
        """The bytes of an `.ecdc` file, of version 0 or 1, to audio (C, T) float32: as many samples as went in.

        Args:
            data: a whole file, or with `tolerant` what is left of one.
            tolerant: conceal what is damaged or missing.
            meta_lm: for a file that is coded with Meta's language model; see `load_meta_lm`.

        Raises:
            BitstreamError: if they are no file, damaged, or were written with another model.
        """
        recording = open_decompressor(io.BytesIO(data), tolerant=tolerant)
        return np.concatenate(list(self.play(recording, meta_lm=meta_lm)), axis=1)

    def play(self, recording: Decompressor, *, meta_lm: MetaLM | None = None, start: int = 0) -> Iterator[np.ndarray]:
        """Decode an opened recording piece by piece, with the model's language model where that is needed.

        Args:
            recording: as `container.open_decompressor` gives it; it is used up.
            meta_lm: as in `decompress`.
            start: the first sample that is wanted.

        Yields:
            audio (C, T), T >= 0.

        Raises:
            ConfigError, CheckpointError: at once, if the language model is there, and is not sound.
            BitstreamError: as `decompress`.
        """
        coder = self.entropy_model if recording.is_coded and recording.version > 0 else None
        return recording.pieces(self.engine, FILE_GRID_FRAMES, coder=coder, meta_lm=meta_lm, start=start)

    def load_meta_lm(self, path: str | Path) -> MetaLM:
        """Meta's language model for this model, from Meta's checkpoint: it codes files of version 0. Needs torch.

        Such files read well on the machine that wrote them only: see `docs/exact-entropy.md`.

        Raises:
            FileNotFoundError: if there is no such file.
            CheckpointError: if it is not sound, or for other codes.
            ConfigError: if torch is not installed.
        """
        return load_meta_lm(path, self.config)

    # ---- streams ---------------------------------------------------------------------------

    def stream_encoder(
        self, bandwidth: float | None = None, *, num_quantizers: int | None = None, grid_frames: int = 1
    ) -> StreamEncoder:
        """Start a live stream of audio to codes; see `StreamEncoder`. Arguments as in `encode`.

        Raises:
            ConfigError: for a model that cannot be streamed, or a bandwidth that it does not have.
        """
        return StreamEncoder(self.engine, choose_quantizers(self.config, bandwidth, num_quantizers), grid_frames)

    def stream_decoder(self, *, grid_frames: int = 1) -> StreamDecoder:
        """Start a live stream of codes to audio; see `StreamDecoder`.

        Raises:
            ConfigError: for a model that cannot be streamed.
        """
        return StreamDecoder(self.engine, grid_frames)

    # ---- parts -----------------------------------------------------------------------------

    def _checked(self, audio: np.ndarray) -> np.ndarray:
        return check_audio(audio, self.config)

    def _blocks(self, codes: np.ndarray, scales: np.ndarray | None, num_samples: int | None) -> tuple[list[Block], int]:
        """The segments of `codes` with their scales, and the length in samples."""
        config, layout, frames = self.config, layout_of(self.config), codes.shape[1]
        if num_samples is None and config.chunk_length is not None:
            raise CorruptError("a model that works in segments needs num_samples to decode")
        length = frames * config.hop_length if num_samples is None else num_samples
        if not 1 <= length <= frames * config.hop_length:
            raise CorruptError(f"{frames} frames cannot be {length} samples")
        sizes = [layout.frames(length, i) for i in range(layout.num_segments(length))]
        if sum(sizes) != frames:
            raise CorruptError(f"{length} samples have {sum(sizes)} frames, the codes have {frames}")
        wanted = (len(sizes),) if config.normalize else None
        given = None if scales is None else np.shape(scales)
        if given != wanted:
            raise CorruptError(f"scales must be of shape {wanted} for these codes, got {given}")
        ends = np.cumsum(sizes)
        pieces = [codes[:, end - size : end] for end, size in zip(ends, sizes, strict=True)]
        values = [None] * len(sizes) if scales is None else [float(scale) for scale in scales]
        return [Block(piece, scale) for piece, scale in zip(pieces, values, strict=True)], length


def _joined(blocks: list[Block]) -> Encoded:
    codes = np.concatenate([block.codes for block in blocks], axis=1)
    scales = [block.scale for block in blocks if block.scale is not None]
    return codes, np.array(scales, np.float32) if scales else None

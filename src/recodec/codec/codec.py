"""`Codec`: the practical interface. NumPy in, NumPy or bytes out; no torch needed."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError, ModelMismatchError
from ..text import counted
from ..wire.v1.header import DEFAULT_PACKET_S
from . import files
from .arrays import ArrayCodec
from .blocks import file_grid, split_codes
from .checks import check_count, choose_quantizers
from .container import DEFAULT_VERSION, VERSIONS, AnyLM, open_block_writer, open_reader, open_writer
from .ecdc_file import EcdcReader, EcdcWriter
from .loading import ModelChoice, load_language_model, load_meta_lm, load_spectral

if TYPE_CHECKING:
    from ..lm.meta_coder import MetaLanguageModel


class Codec(ArrayCodec):
    """A model, ready to code recordings, streams and files.

        codec = Codec.from_pretrained()
        data = codec.compress(audio, bandwidth=6.0)         # audio: (C, T) float, at codec.sampling_rate
        same_length = codec.decompress(data)

    Codes are (K, F) int64. A model that works in segments has their codes one after the other, and one
    scale per segment if it normalizes: scales are (S,) float32, or `None`. A codec that `from_pretrained` made can
    be pickled: it is loaded again where it arrives.

    Args:
        engine: what runs the model; see `from_pretrained`.
        load_language_model: gives the language model that goes with it, if there is one, when it is first needed.
        load_spectral: gives its spectral decoder, likewise.
    """

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path | None = None,
        engine: str = "auto",
        device: str = "cpu",
        dtype: Any = None,
        threads: int | None = None,
        decoder: str | Path = "auto",
    ) -> Codec:
        """Load a model.

        Args:
            name_or_path: `None` or `"recodec_24khz"` for the model that comes with this package, a folder, or the id
                of a model on the hub, for example `facebook/encodec_24khz`.
            engine: `"onnx"` (no torch needed), `"torch"`, or `"auto"` for the one that fits.
            device: `"cpu"`, `"cuda"`, `"cuda:N"`, or `"auto"` for a GPU where there is one.
            dtype: precision of encoder and decoder, for example `"float16"` or `torch.bfloat16`; float32 by
                default, all others with torch only. Codebooks are always searched in float32. `"int8"`, without
                torch: a spectral decoder computes its largest products with 8-bit integers, at 38 dB below its
                sound, and nothing else changes.
            threads: for CPU work; `None` leaves the choice to the engine.
            decoder: of codes, where a method is not told another: `"encodec"`, `"spectral"` or `"auto"`, see `decode`;
                or where a spectral decoder is: a folder, or an id on the hub such as `charactr/vocos-encodec-24khz`.

        Raises:
            CheckpointError: if the model is not found or not valid.
            ConfigError: for an unknown engine, device or precision, or one that is not available here.
        """
        if threads is not None:
            check_count(threads, "threads")
        return cls.of_choice(ModelChoice.of(name_or_path, engine, device, dtype, threads, decoder))

    @classmethod
    def of_choice(cls, choice: ModelChoice) -> Codec:
        """As `from_pretrained`, by a value."""
        engine = choice.load_engine()
        codec = cls(engine, lambda: load_language_model(choice.name), lambda: load_spectral(choice, engine))
        codec._choice = choice
        return codec

    def __repr__(self) -> str:
        config, choice = self.config, self._choice
        how = "" if choice is None else f", engine={choice.engine!r}, device={choice.device!r}"
        rates = ", ".join(f"{bandwidth:g}" for bandwidth in config.target_bandwidths)
        channels = counted(config.audio_channels, "channel")
        return f"Codec({self.name!r}{how}: {config.sampling_rate} Hz, {channels}, {rates} kbps)"

    def __reduce__(self) -> tuple[Any, ...]:
        if self._choice is None:
            raise pickle.PicklingError("a Codec of an engine of your own cannot be pickled: use Codec.from_pretrained")
        return _reload, (self._choice.absolute(), self.engine.fingerprint)

    def __deepcopy__(self, memo: object) -> Codec:
        # Engines remember nothing: one serves both.
        copied = Codec(self.engine, self._load_language_model, self._load_spectral)
        copied._choice = self._choice
        return copied

    # ---- files -----------------------------------------------------------------------------

    def compress(
        self,
        audio: np.ndarray,
        bandwidth: float | None = None,
        *,
        num_quantizers: int | None = None,
        sampling_rate: int | None = None,
        version: int = DEFAULT_VERSION,
        lm: bool | AnyLM = True,
    ) -> bytes:
        """Audio to the bytes of an `.ecdc` file.

        Args:
            audio, bandwidth, num_quantizers, sampling_rate: as in `encode`.
            version: of the format; 0 is the one of Meta's tool.
            lm: the language model that makes the file smaller: `True` for the model's own, if it has one (version 1);
                `False` for none; or one of `load_meta_lm` (version 0).

        Raises:
            AudioError, ConfigError: as `encode`.
        """
        audio = self._checked(audio, sampling_rate)
        file = io.BytesIO()
        with self.writer(
            file, bandwidth, num_quantizers=num_quantizers, num_samples=audio.shape[1], version=version, lm=lm
        ) as writer:
            writer.push(audio)
        return file.getvalue()

    def decompress(
        self, data: bytes, *, tolerant: bool = False, lm: AnyLM | None = None, decoder: str = "auto"
    ) -> np.ndarray:
        """The bytes of an `.ecdc` file, of version 0 or 1, to audio (C, T) float32: as many samples as went in.

        Args:
            data: a whole file, or with `tolerant` what is left of one.
            tolerant: conceal what is damaged or missing.
            lm: the language model that it is coded with, in place of the model's own; see `load_meta_lm`.
            decoder: as in `decode`.

        Raises:
            BitstreamError: if they are not a file, damaged, or were written with another model.
        """
        return np.concatenate(list(self.play(data, tolerant=tolerant, lm=lm, decoder=decoder)), axis=1)

    def pack(
        self,
        codes: np.ndarray,
        scales: np.ndarray | None = None,
        num_samples: int | None = None,
        *,
        version: int = DEFAULT_VERSION,
        lm: bool | AnyLM = True,
    ) -> bytes:
        """Codes to the bytes of an `.ecdc` file: what `compress` makes of the same codes.

        Args:
            codes, scales, num_samples: as in `decode`.
            version, lm: as in `compress`.

        Raises:
            CorruptError: if codes, scales and length do not belong together or to this model.
            ConfigError: as `compress`.
        """
        blocks, length = split_codes(codes, scales, num_samples, self.config)
        file = io.BytesIO()
        writer = open_block_writer(
            file, self.engine, len(codes), num_samples=length, version=version, lm=self._lm(lm, version)
        )
        writer.push(blocks)
        writer.finish(length)
        return file.getvalue()

    def unpack(self, data: bytes, *, lm: AnyLM | None = None) -> tuple[np.ndarray, np.ndarray | None, int]:
        """The bytes of an `.ecdc` file to codes (K, F) int64, scales (S,) or `None`, and the number of samples.

        The networks do not run. `recodec.ecdc.unpack` does the same without them.

        Args:
            data: a whole file, of either version.
            lm: as in `decompress`.

        Raises:
            BitstreamError: as `decompress`; also if the number of codebooks changes within the file.
        """
        reader = open_reader(files.as_file(data))
        reader.check_model(self.engine)
        return files.unpack(reader, self.config, self._lm_of(reader, lm))

    def writer(
        self,
        file: str | Path | IO[bytes],
        bandwidth: float | None = None,
        *,
        num_quantizers: int | None = None,
        num_samples: int | None = None,
        version: int = DEFAULT_VERSION,
        packet_s: float = DEFAULT_PACKET_S,
        lm: bool | AnyLM = True,
        overwrite: bool = False,
        jobs: int = 1,
    ) -> AbstractContextManager[EcdcWriter]:
        """Compress while the audio comes, in constant memory.

            with codec.writer("speech.ecdc", bandwidth=6.0) as writer:
                for audio in pieces:                        # (C, T) each, at codec.sampling_rate
                    writer.push(audio)

        Args:
            file: a path, whose file appears whole or not at all; or an open binary file or pipe, which stays open.
            bandwidth, num_quantizers: as in `encode`.
            num_samples: length of the recording, if it is known for sure.
            version, lm: as in `compress`.
            packet_s: length of a packet in seconds: a live stream waits for one, and short ones cost bytes.
            overwrite: whether a file that is there may be replaced.
            jobs: threads that code at once, for one long recording: the bytes are the same for any number. With more
                than one, packets are written a little later than they are complete.

        Raises:
            AudioError, ConfigError: as `encode`, there and then and by `push`.
            FileExistsError: if the file is there and `overwrite` is false.
        """
        count = choose_quantizers(self.config, bandwidth, num_quantizers)
        found, threads = self._lm(lm, version), check_count(jobs, "jobs")
        length = None if num_samples is None else check_count(num_samples, "num_samples")

        def begin(target: IO[bytes]) -> EcdcWriter:
            return open_writer(
                target, self.engine, count, num_samples=length, version=version, packet_s=packet_s, lm=found,
                jobs=threads,
            )  # fmt: skip

        return files.written(file, begin, overwrite=overwrite)

    def play(
        self,
        recording: str | Path | bytes | IO[bytes] | EcdcReader,
        *,
        tolerant: bool = False,
        lm: AnyLM | None = None,
        start: int = 0,
        decoder: str = "auto",
        jobs: int = 1,
    ) -> Iterator[np.ndarray]:
        """Decode piece by piece, in constant memory.

        Args:
            recording: a path, the bytes of a file, an open file or pipe, or what `recodec.codec.open_reader` gave.
            tolerant, lm, decoder: as in `decompress`.
            start: the first sample that is wanted.
            jobs: threads that decode packets of a file ahead; the audio is the same for any number.

        Yields:
            audio (C, T), T >= 0.

        Raises:
            ConfigError, CheckpointError: at once, if the language model is there, and is not valid.
            BitstreamError: as `decompress`.
        """
        if isinstance(recording, (str, Path)):
            options = {"tolerant": tolerant, "lm": lm, "start": start, "decoder": decoder, "jobs": jobs}
            return files.play_path(self, recording, **options)
        first = check_count(start, "start", least=0)
        reader = (
            recording if isinstance(recording, EcdcReader) else open_reader(files.as_file(recording), tolerant=tolerant)
        )
        found = self._decoder(decoder)
        model_lm, grid = self._lm_of(reader, lm), file_grid(found)
        return reader.pieces(
            self.engine, decoder=found, lm=model_lm, start=first, grid_frames=grid, jobs=check_count(jobs, "jobs")
        )

    def compress_file(
        self, source: str | Path, target: str | Path, bandwidth: float | None = None, **options: Any
    ) -> files.CodedFile:
        """Compress an audio file to an `.ecdc` file, in constant memory, resampled and mixed to what the model takes.

        Args:
            source: any audio file that `recodec.audio` reads.
            target: appears whole or not at all.
            bandwidth: as in `encode`.
            options: others of `writer`: `num_quantizers`, `version`, `packet_s`, `lm`, `overwrite`, `jobs`.

        Returns:
            the sizes, for a message.

        Raises:
            AudioError, ConfigError: as `encode`, and for a file that is not audio.
            FileExistsError: if `target` is there and `overwrite` is not given.
        """
        return files.compress_file(self, source, target, bandwidth, **options)

    def decompress_file(
        self, source: str | Path, target: str | Path, *, tolerant: bool = False, lm: AnyLM | None = None,
        overwrite: bool = False, decoder: str = "auto", jobs: int = 1,
    ) -> files.CodedFile:  # fmt: skip
        """Decompress an `.ecdc` file to an audio file (by its suffix: .wav, .flac, .ogg), in constant memory.

        Arguments and errors as in `decompress`, `play` and `writer`. Returns the sizes, for a message.
        """
        options = {"tolerant": tolerant, "lm": lm, "decoder": decoder, "jobs": jobs}
        return files.decompress_file(self, source, target, overwrite=overwrite, **options)

    def load_meta_lm(self, path: str | Path) -> MetaLanguageModel:
        """Meta's language model for this model, from Meta's checkpoint: it codes files of version 0. Needs torch.

        Such files read well on the machine that wrote them only: see `docs/exact-entropy.md`.

        Raises:
            FileNotFoundError: if there is no such file.
            CheckpointError: if it is not valid, or for other codes.
            ConfigError: if torch is not installed.
        """
        return load_meta_lm(path, self.config)

    # ---- parts -----------------------------------------------------------------------------

    def _lm(self, lm: bool | AnyLM, version: int) -> AnyLM | None:
        """The language model to write with."""
        if version not in VERSIONS:
            raise ConfigError(f"version must be one of {VERSIONS}, got {version!r:.60}")
        if isinstance(lm, bool):
            return self.language_model if lm and version > 0 else None
        if not isinstance(lm, AnyLM):
            raise ConfigError(f"lm must be True, False or a language model, got {lm!r:.60}")
        return lm

    def _lm_of(self, reader: EcdcReader, lm: AnyLM | None) -> AnyLM | None:
        """The language model to read with: given, or the model's own for a file of version 1 that needs it."""
        if lm is not None or not reader.is_coded or reader.version == 0:
            return lm
        return self.language_model


def _reload(choice: ModelChoice, fingerprint: str) -> Codec:
    """Load a pickled codec again.

    Raises:
        ModelMismatchError: if the model of that name now has other weights.
    """
    codec = Codec.of_choice(choice)
    if codec.engine.fingerprint != fingerprint:
        raise ModelMismatchError(f"the model {codec.name!r} has other weights here than where the codec was pickled")
    return codec

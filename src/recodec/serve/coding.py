"""What the endpoints do: generators that read a body and give bytes, for threads."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from typing import IO, cast

import numpy as np

from .. import ecdc
from ..audio.files import AudioReader
from ..audio.live import LiveWriter
from ..audio.pcm import Pcm
from ..codec import Codec, EcdcReader, open_reader
from ..errors import CorruptError, TruncatedError
from .answers import too_large
from .limits import Limits

UPLOAD = "the upload"
BIT_FORMS = {"16": "s16le", "24": "s24le", "32": "f32le"}
_BLOCK_S = 1.0  # audio is coded in such pieces, so that a job that nobody wants any more ends soon


class _Sink:
    """Collects what is written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """There is nothing behind it."""

    def take(self) -> bytes:
        """What was written since the last call."""
        data, self._parts = b"".join(self._parts), []
        return data


class _Meter:
    """Counts samples, and refuses more of them than a limit allows."""

    def __init__(self, rate_hz: int, limits: Limits) -> None:
        self._most, self._limits, self._count = limits.max_audio_s * rate_hz, limits, 0

    def check(self, num_samples: int | None) -> None:
        """Refuse a recording by what it says of its length.

        Raises:
            RequestError: if it is too long.
        """
        if num_samples is not None and num_samples > self._most:
            raise too_large(f"the recording is longer than {self._limits.max_audio_s:g} s")

    def add(self, num_samples: int) -> None:
        """Count; errors as `check`."""
        self._count += num_samples
        self.check(self._count)


@dataclass(frozen=True)
class Coder:
    """A model, and what one request may ask of it.

    Each method takes a body, a file or a pipe, and yields the answer's bytes, some of them empty.
    """

    codec: Codec
    limits: Limits

    def compress(
        self, body: IO[bytes], *, bandwidth: float | None, packet_s: float, lm: bool, partial: bool
    ) -> Generator[bytes, None, None]:
        """An audio file of any kind to an `.ecdc` stream.

        Raises:
            AudioError, ConfigError: as `Codec.compress_file`.
            RequestError: if it is too long.
        """
        sink = _Sink()
        with (  # in this order, so that a bad parameter fails before the body has been read
            self.codec.writer(cast(IO[bytes], sink), bandwidth, packet_s=packet_s, lm=lm) as writer,
            self._audio(body, partial) as reader,
        ):
            for piece in self._metered(reader):
                writer.push(piece)
                yield sink.take()
        yield sink.take()

    def decompress(self, body: IO[bytes], *, decoder: str, tolerant: bool, bits: str) -> Generator[bytes, None, None]:
        """An `.ecdc` stream to a WAV of samples of so many bits, 32 being floating point.

        Raises:
            BitstreamError: as `Codec.play`.
            RequestError: if the audio is too long.
        """
        sink, rate = _Sink(), self.codec.sampling_rate
        recording, whole = self._recording(body, tolerant)
        meter = _Meter(rate, self.limits)
        length = recording.num_samples
        meter.check(length)
        pieces = self.codec.play(recording, decoder=decoder)
        count = 0
        with self._wav(sink, bits, length if whole else None) as writer:
            for piece in pieces:
                meter.add(piece.shape[1])
                writer.write(piece)
                count += piece.shape[1]
                yield sink.take() if count else b""
            if not count:
                raise CorruptError(f"{UPLOAD} has no audio in what is left of it")
        yield sink.take()

    def wav(self, body: IO[bytes], *, bits: str, partial: bool) -> Generator[bytes, None, None]:
        """An audio file of any kind to a WAV as the model takes it; arguments and errors as those of the others."""
        sink = _Sink()
        with self._audio(body, partial) as reader, self._wav(sink, bits, None) as writer:
            for piece in self._metered(reader):
                writer.write(piece)
                yield sink.take()
        yield sink.take()

    def info(self, body: IO[bytes]) -> Generator[bytes, None, None]:
        """What an `.ecdc` file holds, as JSON; damage is told, not an error.

        Raises:
            BitstreamError: if it is not a file of ours at all.
        """
        if body.seekable():
            yield json.dumps(ecdc.facts(body)).encode()
            return
        with tempfile.TemporaryFile() as copy:  # has no name, and is gone when it is closed
            shutil.copyfileobj(body, copy)
            copy.seek(0)
            yield json.dumps(ecdc.facts(copy)).encode()

    def model(self) -> dict[str, object]:
        """What a page has to know of the model, and of the limits."""
        config = self.codec.config
        return {
            "name": self.codec.name,
            "fingerprint": self.codec.engine.fingerprint,
            "sampling_rate": config.sampling_rate,
            "channels": config.audio_channels,
            "hop": config.hop_length,
            "bandwidths": list(config.target_bandwidths),
            "default_bandwidth": config.default_bandwidth,
            "decoders": ["encodec"] if self.codec.spectral_decoder is None else ["spectral", "encodec"],
            "streamable": config.is_streamable,
            "limits": {"bytes": self.limits.max_bytes, "seconds": self.limits.max_audio_s},
        }

    def _recording(self, body: IO[bytes], tolerant: bool) -> tuple[EcdcReader, bool]:
        """A body as a recording, and whether its length is certain. A file that is here is checked first.

        Raises:
            BitstreamError: for damage that is not tolerated.
        """
        recording = open_reader(body, tolerant=tolerant)
        if recording.version == 0 or not body.seekable():
            return recording, not tolerant
        whole = True
        body.seek(0)
        try:
            ecdc.verify(body)
        except (CorruptError, TruncatedError) as error:
            if not tolerant:
                raise type(error)(f"{error}; tolerant=1 conceals what is damaged or missing") from error
            whole = False
        body.seek(0)
        return open_reader(body, tolerant=tolerant), whole

    def _audio(self, body: IO[bytes], partial: bool) -> AudioReader:
        rate, channels = self.codec.sampling_rate, self.codec.config.audio_channels
        return AudioReader(body, rate_hz=rate, channels=channels, name=UPLOAD, partial=partial)

    def _metered(self, reader: AudioReader) -> Generator[np.ndarray, None, None]:
        """The pieces of a recording that is not too long, each of a second at most."""
        meter, block = _Meter(reader.rate_hz, self.limits), round(_BLOCK_S * reader.rate_hz)
        meter.check(reader.num_samples)
        for piece in reader.pieces():
            meter.add(piece.shape[1])
            for start in range(0, piece.shape[1], block):
                yield piece[:, start : start + block]

    def _wav(self, sink: _Sink, bits: str, num_samples: int | None) -> LiveWriter:
        rate, channels = self.codec.sampling_rate, self.codec.config.audio_channels
        pcm = Pcm(rate, channels, BIT_FORMS[bits])
        file = cast(IO[bytes], sink)
        return LiveWriter(file, pcm, rate_hz=rate, channels=channels, wav=True, num_samples=num_samples)

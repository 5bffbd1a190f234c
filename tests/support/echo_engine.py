"""An engine that costs nothing: its sound is the first codebook's codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recodec.config import EncodecConfig
from recodec.wire.v1.header import Header


class EchoEngine:
    """Stands for the model that wrote a stream; for playing only.

    Args:
        header: of the stream, of a geometry that a model can have.

    Raises:
        ConfigError: for another.
    """

    name = "echo"

    def __init__(self, header: Header) -> None:
        segments = header.segment_length > 0
        self.fingerprint = header.fingerprint * 4
        self.config = EncodecConfig(
            sampling_rate=header.sampling_rate,
            audio_channels=header.channels,
            upsampling_ratios=(header.hop,),
            codebook_size=1 << header.code_bits,
            target_bandwidths=(header.codebooks * header.frame_rate * header.code_bits / 1000,),
            normalize=header.scaled,
            use_causal_conv=not segments,
            chunk_length_s=header.segment_length / header.sampling_rate if segments else None,
            overlap=1 - header.segment_stride / header.segment_length if segments else None,
        )
        self.config.validate()

    def decode_segment(self, codes: np.ndarray, scales: np.ndarray | None) -> np.ndarray:
        audio = np.repeat(codes[:, :1].astype(np.float32), self.config.hop_length, axis=2)
        return np.repeat(audio, self.config.audio_channels, axis=1)

    def decoder_state(self, batch: int) -> None:
        return None

    def decode_step(self, codes: np.ndarray, state: None, *, last: bool) -> tuple[np.ndarray, None]:
        return self.decode_segment(codes, None), None

    def select_streams(self, state: None, rows: Sequence[int]) -> None:
        return None

"""Recordings in the formats that FFmpeg writes."""

from __future__ import annotations

import io

import av
import numpy as np

RATE_HZ = 48_000


def by_ffmpeg(
    samples: np.ndarray, layout: str, container: str, codec: str, options: dict[str, str] | None = None,
    rate_hz: int = RATE_HZ,
) -> bytes:  # fmt: skip
    """(C, T) float32 as a file by FFmpeg, with options of its encoder."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as made:
        stream = made.add_stream(codec, rate=rate_hz, layout=layout, options=options or {})
        stream.bit_rate = 64_000 * len(samples)
        stream.codec_context.open()
        frame = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate, frame.pts = rate_hz, 0
        context = stream.codec_context
        resampler = av.AudioResampler(context.format.name, layout, rate_hz, context.frame_size or None)
        for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
            made.mux(stream.encode(piece))
    return file.getvalue()

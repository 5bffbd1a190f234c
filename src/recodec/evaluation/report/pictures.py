"""Pictures of sound: the waveform as an SVG path, the spectrogram as a small WebP."""

from __future__ import annotations

import base64
import io

import numpy as np

from ..metrics.spectral import stft_magnitude

TOP_DB, FLOOR_DB = -10.0, -90.0
_WINDOW = 1024


def waveform_path(audio: np.ndarray, *, width: int = 600, height: int = 80) -> str:
    """The `d` of an SVG path that fills the band between the smallest and the largest sample of each column.

    Args:
        audio: (C, T); channels are mixed. Full scale fills the height.
        width, height: of the picture's view box; it has as many columns as the width, at most.
    """
    mono = np.clip(audio.mean(0), -1, 1)
    columns = min(width, len(mono))
    edges = np.linspace(0, len(mono), columns + 1).astype(int)[:-1]
    high, low = np.maximum.reduceat(mono, edges), np.minimum.reduceat(mono, edges)
    x = (np.arange(columns) + 0.5) * width / columns
    half = height / 2
    # A column has some thickness even in silence, so that the line can be seen.
    top = half - np.maximum(high, 0.004) * (half - 1)
    bottom = half - np.minimum(low, -0.004) * (half - 1)
    there = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, top, strict=True))
    back = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[::-1], bottom[::-1], strict=True))
    return f"M{there} {back}Z"


def spectrogram_db(audio: np.ndarray) -> np.ndarray:
    """(C, T) to levels in dB (bins, frames), lowest frequency first; a full-scale sine peaks at 0."""
    mono = audio.mean(0).astype(np.float64)
    hop = max(_WINDOW // 8, len(mono) // 900)
    magnitude = stft_magnitude(mono, _WINDOW, hop) * 4 / _WINDOW
    return 20 * np.log10(np.maximum(magnitude, 1e-8))


def spectrogram_image(audio: np.ndarray, *, width: int = 600, height: int = 200) -> str:
    """The spectrogram of (C, T) as a data URI: 0 Hz below, half the rate on top, -90 to -10 dB."""
    import matplotlib
    from PIL import Image

    level = np.clip((spectrogram_db(audio) - FLOOR_DB) / (TOP_DB - FLOOR_DB), 0, 1)
    colours = matplotlib.colormaps["magma"](level[::-1], bytes=True)[..., :3]
    picture = Image.fromarray(np.ascontiguousarray(colours)).resize((width, height), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=82, method=6)
    return data_uri("image/webp", file.getvalue())


def data_uri(kind: str, content: bytes) -> str:
    """Bytes as a URI that needs no file."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"

"""Draw docs/streaming.svg: samples that have come in against samples that have come out of a live stream.

    python docs/make/latency_picture.py

Measured by counting, on random weights of the released 24 kHz geometry (with few filters: how many there are
does not change the delay), frame by frame, with mirrored and with zero padding.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("svg")
import matplotlib.pyplot as plt

from recodec import Codec, EncodecModel, presets
from recodec.codec.torch_engine import TorchEngine

FRAMES = 16
OUT = Path(__file__).parents[1] / "streaming.svg"


def counts(pad_mode: str) -> tuple[np.ndarray, np.ndarray]:
    """Frames in and frames out after each push of one frame, 1 to `FRAMES`."""
    config = replace(presets.encodec_24khz(), num_filters=2, pad_mode=pad_mode)
    codec = Codec(TorchEngine(EncodecModel(config), "random", "0" * 64))
    encoder, decoder = codec.stream_encoder(1.5), codec.stream_decoder()
    silence = np.zeros((1, config.hop_length), np.float32)
    out = [decoder.push(encoder.push(silence)).shape[1] / config.hop_length for _ in range(FRAMES)]
    return np.arange(1, FRAMES + 1), np.cumsum(out)


def main() -> None:
    """Draw and write the picture."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for pad_mode, label in (
        ("constant", "zero padding (default model)"),
        ("reflect", "mirrored padding (Meta's models)"),
    ):
        frames_in, frames_out = counts(pad_mode)
        axes.step([0, *frames_in * 40 / 3], [0, *frames_out * 40 / 3], where="post", label=label)
    axes.plot([0, FRAMES * 40 / 3], [0, FRAMES * 40 / 3], ":", color="gray", label="no delay at all")
    axes.set_xlabel("audio in (ms)")
    axes.set_ylabel("audio out (ms)")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(OUT, metadata={"Date": None})


if __name__ == "__main__":
    main()

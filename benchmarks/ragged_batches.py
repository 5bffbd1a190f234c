"""How far an item of a padded batch is from what it gets alone: `transformers` and ours.

    python benchmarks/ragged_batches.py [--seconds 1.31 2.72 3.4]

Random weights of the released 24 kHz and 48 kHz geometries, noise of different lengths in one batch,
padded on the right, with its `padding_mask`. For each item but the longest: the share of its codes that
differ in its last segment, and the largest difference of its waveform as a share of its largest sample.
In float64, so that what shows is not rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from common import argument_parser, random_pair

from recodec import presets


@torch.no_grad()
def errors(model: Any, x: torch.Tensor, lengths: list[int]) -> tuple[float, float]:
    """Worst over all items but the longest: (share of codes that differ in the last segment, waveform error)."""
    mask = torch.arange(x.shape[-1]) < torch.tensor(lengths)[:, None]
    bandwidth = model.config.target_bandwidths[-1]
    batch = model(x * mask[:, None], mask, bandwidth)
    stride, size = model.config.chunk_stride or x.shape[-1], model.config.chunk_length or x.shape[-1]
    codes_off = audio_off = 0.0
    for i, length in enumerate(lengths):
        if length == x.shape[-1]:
            continue
        alone = model(x[i : i + 1, :, :length], None, bandwidth)
        last = len(range(0, length, stride)) - 1
        frames = -(-min(size, length - last * stride) // model.config.hop_length)
        a, b = batch.audio_codes[last, i, :, :frames], alone.audio_codes[last, 0, :, :frames]
        codes_off = max(codes_off, float((a != b).float().mean()))
        expected = alone.audio_values[0]
        difference = (batch.audio_values[i, :, :length] - expected).abs().max() / expected.abs().max()
        audio_off = max(audio_off, float(difference))
    return codes_off, audio_off


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, nargs="+", default=[1.31, 2.72, 3.4], help="lengths of the items")
    seconds = parser.parse_args().seconds
    print(f"{'model':<8} {'':<13} {'codes that differ':>18} {'waveform error':>16}")
    for name, config in (("24 kHz", presets.encodec_24khz()), ("48 kHz", presets.encodec_48khz())):
        lengths = [int(s * config.sampling_rate) for s in seconds]
        torch.manual_seed(1)
        x = 0.3 * torch.randn(len(lengths), config.audio_channels, max(lengths), dtype=torch.float64)
        ours, theirs = (model.double() for model in random_pair(config))
        for label, model in (("transformers", theirs), ("recodec", ours)):
            codes, audio = errors(model, x, lengths)
            print(f"{name:<8} {label:<13} {codes:>17.2%} {audio:>15.2e}")


if __name__ == "__main__":
    main()

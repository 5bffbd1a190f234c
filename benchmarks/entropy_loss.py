"""What exact arithmetic costs: bits per frame of a trained language model in floating point and in integers.

    python benchmarks/entropy_loss.py RUN CODES

`RUN` is a folder of `recodec train-lm` (with `state.pt` and `lm/`), `CODES` a folder of codes of held-out clips.
Both are ideal code lengths, each clip as one packet: the range coder's own cost is in `benchmarks/entropy_savings.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from common import argument_parser

from recodec.lm.coder import choose_kernel
from recodec.lm.config import CONFIG_NAME, CodeLMConfig
from recodec.lm.float_network import CodeLM
from recodec.lm.tables import TOTAL_BITS
from recodec.lm.weights import read_lm
from recodec.training.codes import CodecShape, read_clips
from recodec.training.lm import bits_by_bandwidth


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("codes", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    weights = torch.load(options.run / "state.pt", weights_only=True)["model"]
    config = CodeLMConfig.from_json_file(options.run / "lm" / CONFIG_NAME)
    # The run holds the features that it made of the codebooks; of the codebooks only the shape matters here.
    model = CodeLM(config, torch.randn(*weights["codebooks"].shape[:2], weights["codebooks"].shape[2] - 1))
    model.load_state_dict(weights)
    shape = CodecShape.of(None)
    floats = bits_by_bandwidth(model, shape, options.codes)
    exact = choose_kernel(*read_lm(options.run / "lm"))
    clips = [clip.codes for clip in read_clips(options.codes, shape, ())]
    frames = sum(clip.shape[1] for clip in clips)
    print("| kbps | float | exact | loss |\n| ---: | ---: | ---: | ---: |")
    for bandwidth, count in shape.counts.items():
        bits = sum(float((TOTAL_BITS - np.log2(exact.intervals(clip[None, :count])[1])).sum()) for clip in clips)
        before = floats[f"dev_{bandwidth:g}"]
        print(f"| {bandwidth:g} | {before:.3f} | {bits / frames:.3f} | {100 * (bits / frames / before - 1):.3f} % |")


if __name__ == "__main__":
    main()

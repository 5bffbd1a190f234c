"""A language model in which the codes of one recording are likely, beside a toy model."""

from pathlib import Path

import numpy as np
import torch

from recodec.codec import Codec
from recodec.lm.config import CodeLMConfig
from recodec.lm.float_network import CodeLM
from recodec.lm.quantize import quantize
from recodec.lm.weights import save_lm

SHAPE = {"width": 16, "num_layers": 1, "num_heads": 2, "feed_forward": 32, "context_s": 0.2, "head_width": 8}


def add_fitting_lm(folder: Path, audio: np.ndarray) -> None:
    """Put `lm.safetensors` and `lm_config.json` beside a model: each codebook's codes as often as in `audio`."""
    codec = Codec.from_pretrained(folder, engine="torch")
    codes, _ = codec.encode(audio, num_quantizers=codec.config.num_quantizers)
    config = CodeLMConfig(codec.config.num_quantizers, codec.config.codebook_size, **SHAPE)
    torch.manual_seed(0)
    lm = CodeLM(config)
    counts = np.stack([np.bincount(row, minlength=config.codebook_size) for row in codes])
    with torch.no_grad():
        lm.logits.own.mul_(0.1)
        lm.bias.copy_(torch.from_numpy(np.log(counts + 0.05)))
    save_lm(folder, config, quantize(config, lm.exact_weights()))

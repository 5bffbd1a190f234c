"""`CodeLMConfig`: the shape of a code language model, as `lm_config.json` holds it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ..json_config import JsonConfig

CONFIG_NAME = "lm_config.json"
_MAX_SIZE = 1 << 16


@dataclass(frozen=True)
class CodeLMConfig(JsonConfig):
    """Shape of a code language model (paper section 3.3).

    Attributes:
        num_codebooks: K, the most codebooks it knows.
        codebook_size: N.
        frame_rate: frames a second, in Hz.
        width: d, of the residual stream.
        num_layers, num_heads, feed_forward: of the transformer.
        context_s: how far back a frame may look, in seconds.
        conditioned: codebook k sees codebooks 0..k-1 of its own frame. Without it all codebooks of a
            frame are predicted in parallel, as in the paper.
        head_width: width r of a hidden layer (and rank) of each codebook's head; 0 for none.

    Raises:
        ConfigError: naming the field, if no model can be built from the values.
    """

    model_type = "recodec_code_lm"

    num_codebooks: int
    codebook_size: int = 1024
    frame_rate: int = 75
    width: int = 200
    num_layers: int = 5
    num_heads: int = 8
    feed_forward: int = 800
    context_s: float = 3.5
    conditioned: bool = True
    head_width: int = 128

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if field.type == "int":
                self._require_integer(field.name, 0 if field.name == "head_width" else 1, _MAX_SIZE)
        self._require(isinstance(self.conditioned, bool), "conditioned", "true or false")
        number = isinstance(self.context_s, (int, float)) and not isinstance(self.context_s, bool)
        self._require(number and 0 <= self.context_s <= 60, "context_s", "from 0 to 60 seconds")
        # Sums of squares must stay exact in float64: width * 2^42 <= 2^53.
        self._require(self.width <= 2048, "width", "at most 2048")
        self._require(self.width % self.num_heads == 0, "num_heads", f"a divisor of width ({self.width})")
        self._require(2 <= self.codebook_size <= 4096, "codebook_size", "from 2 to 4096")
        # A row of attention weights at full height must sum exactly in float32: (context + 1) * 2^14 <= 2^24.
        self._require(self.past_context < 1024, "context_s", "below 1024 frames")

    @property
    def past_context(self) -> int:
        """Frames before the current one that it may look at."""
        return int(self.context_s * self.frame_rate)

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.width // self.num_heads

    @property
    def logits_in(self) -> int:
        """Width of what a codebook's logits are computed from."""
        return self.head_width or self.width

"""Our network as a `transformers` model. The only file that imports `transformers`.

The classes have the names, arguments, outputs and files of their counterparts there, so a checkpoint
of either is one of the other. Three ways to use them:

- `EncodecModel.from_pretrained(...)`: ours, by hand;
- `register()`: from then on the `Auto` classes build ours, also inside MusicGen, Bark and the like;
- `stand_in(model)`: ours takes the place of each EnCodec inside a model that is loaded already.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import torch
import transformers
from torch import nn
from transformers.models.encodec import modeling_encodec as reference

from .. import config as core_config
from ..audio import feature_extraction as core_audio
from ..checkpoint import GAIN
from ..errors import ConfigError
from ..model import encodec as core
from ..model.quantizer import Codebook, ResidualVectorQuantizer
from ..model.segments import Padding
from ..nn.layers import build_decoder, build_encoder

_FIELDS = tuple(f.name for f in dataclasses.fields(core_config.EncodecConfig) if f.name != "extra")


class EncodecConfig(transformers.EncodecConfig):
    """`transformers.EncodecConfig` under a class of its own, by which the `Auto` classes know ours."""


class EncodecQuantizer(ResidualVectorQuantizer):
    """Our quantizer with the methods of the reference's beside it, whose axes are in another order."""

    def __init__(self, config: core_config.EncodecConfig) -> None:
        super().__init__(config)
        self._config = config
        self.codebook_size, self.frame_rate = config.codebook_size, config.frame_rate
        self.num_quantizers = config.num_quantizers

    def get_num_quantizers_for_bandwidth(self, bandwidth: float | None = None) -> int:
        """Codebooks used at a bandwidth in kbps; all of them for `None` or 0."""
        return self._config.quantizers_for(bandwidth)

    def encode(self, embeddings: torch.Tensor, bandwidth: float | None = None) -> torch.Tensor:
        """Latents (B, D, F) to codes (K, B, F)."""
        return self.quantize(embeddings, self.get_num_quantizers_for_bandwidth(bandwidth)).transpose(0, 1)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes (K, B, F) to latents (B, D, F)."""
        return self.dequantize(codes.transpose(0, 1))


class EncodecModel(reference.EncodecPreTrainedModel):
    """Our `EncodecModel` as a `PreTrainedModel`, for wherever a `transformers.EncodecModel` is expected.

    Methods take and return what theirs do. In a batch of different lengths each item gets what it gets alone, unless
    `padding` is set to `"reference"`.
    `codec` is our own model over the same weights, for everything beyond (latents, streams, `Codec`).

    Args:
        config: of ours or theirs.

    Raises:
        ConfigError: if no network can be built from the configuration.
    """

    config_class = EncodecConfig
    padding: Padding = core.EncodecModel.padding

    def __init__(self, config: transformers.EncodecConfig) -> None:
        super().__init__(config)
        ours = to_core(config)
        self.encoder = build_encoder(ours)
        self.decoder = build_decoder(ours)
        self.quantizer = EncodecQuantizer(ours)
        self.bits_per_codebook = ours.codebook_nbits
        self.post_init()

    @classmethod
    def sharing(cls, model: core.EncodecModel | transformers.EncodecModel) -> EncodecModel:
        """A model with the weights of another, ours or theirs. Nothing is copied: they stay the same tensors.

        Raises:
            ConfigError: for a model of ours whose weight norm is folded.
        """
        config = model.config
        if isinstance(config, core_config.EncodecConfig):
            config = EncodecConfig(**{name: getattr(config, name) for name in _FIELDS})
        tensors = model.state_dict(keep_vars=True)
        with torch.device("meta"):  # its own weights would only be thrown away
            shared = cls(config)
        _refuse_folded(tensors, "share")
        shared.load_state_dict(tensors, assign=True)
        return shared.train(model.training)

    @property
    def codec(self) -> core.EncodecModel:
        """`recodec.EncodecModel` of the configuration as it is now, with the same weights."""
        codec = core.EncodecModel.of_parts(to_core(self.config), self.encoder, self.decoder, self.quantizer)
        codec.padding = self.padding
        return codec

    def encode(
        self,
        input_values: torch.Tensor,
        padding_mask: torch.Tensor | None = None,
        bandwidth: float | None = None,
        return_dict: bool | None = None,
    ) -> Any:
        """Audio to codes; see `recodec.EncodecModel.encode`. Returns an `EncodecEncoderOutput` or a tuple."""
        encoded: Any = self.codec.encode(input_values, padding_mask, bandwidth, return_dict=False)
        return reference.EncodecEncoderOutput(*encoded) if self._named(return_dict) else tuple(encoded)

    def decode(
        self,
        audio_codes: torch.Tensor,
        audio_scales: Any = None,
        padding_mask: torch.Tensor | None = None,
        return_dict: bool | None = None,
        last_frame_pad_length: int | None = 0,
    ) -> Any:
        """Codes to audio; see `recodec.EncodecModel.decode`. Returns an `EncodecDecoderOutput` or a tuple."""
        decoded: Any = self.codec.decode(audio_codes, audio_scales, padding_mask, False, last_frame_pad_length)
        return reference.EncodecDecoderOutput(*decoded) if self._named(return_dict) else tuple(decoded)

    def forward(
        self,
        input_values: torch.Tensor | None = None,
        padding_mask: torch.Tensor | None = None,
        bandwidth: float | None = None,
        audio_codes: torch.Tensor | None = None,
        audio_scales: Any = None,
        return_dict: bool | None = None,
        last_frame_pad_length: int | None = 0,
    ) -> Any:
        """Audio to audio; see `recodec.EncodecModel.forward`. Returns an `EncodecOutput` or a tuple."""
        result: Any = self.codec(
            input_values, padding_mask, bandwidth, audio_codes, audio_scales, False, last_frame_pad_length
        )
        return reference.EncodecOutput(*result) if self._named(return_dict) else tuple(result)

    def save_pretrained(self, save_directory: Any, *args: Any, **kwargs: Any) -> Any:
        """Write the model into a folder; see `transformers.PreTrainedModel.save_pretrained`.

        Raises:
            ConfigError: if the weight norm is folded: `from_pretrained` would miss its parts.
        """
        _refuse_folded(self.state_dict(), "save")
        return super().save_pretrained(save_directory, *args, **kwargs)

    def _named(self, return_dict: bool | None) -> bool:
        return bool(self.config.return_dict if return_dict is None else return_dict)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Random weights for what a checkpoint does not hold; called by `transformers`."""
        if isinstance(module, nn.RNNBase):
            bound = 1 / math.sqrt(module.hidden_size)
            for parameter in module.parameters():
                nn.init.uniform_(parameter, -bound, bound)
        elif isinstance(module, Codebook):
            nn.init.ones_(module.inited)
            for buffer in (module.cluster_size, module.embed, module.embed_avg):
                nn.init.zeros_(buffer)
        else:
            super()._init_weights(module)


class EncodecFeatureExtractor(transformers.EncodecFeatureExtractor):
    """Our `EncodecFeatureExtractor`, where a `transformers.EncodecFeatureExtractor` is expected.

    Its files leave out the name of the class, which `AutoFeatureExtractor` would take for theirs; it goes by
    the model's configuration then.
    """

    def __call__(
        self,
        raw_audio: Any,
        padding: Any = None,
        truncation: bool | None = False,
        max_length: int | None = None,
        return_tensors: Any = None,
        sampling_rate: int | None = None,
    ) -> transformers.BatchFeature:
        """Prepare recordings; see `recodec.EncodecFeatureExtractor`.

        Raises:
            AudioError, ConfigError: as ours.
        """
        ours = core_audio.EncodecFeatureExtractor(
            self.feature_size, self.sampling_rate, self.padding_value, self.chunk_length_s, self.overlap,
            padding_side=self.padding_side, return_attention_mask=self.return_attention_mask,
        )  # fmt: skip
        # `PaddingStrategy` and `TensorType` are enumerations of the strings that ours takes.
        padding, return_tensors = (getattr(choice, "value", choice) for choice in (padding, return_tensors))
        return transformers.BatchFeature(
            dict(ours(raw_audio, padding, truncation, max_length, return_tensors, sampling_rate))
        )

    def to_dict(self) -> dict[str, Any]:
        """The settings as they are saved."""
        return {key: value for key, value in super().to_dict().items() if key != "feature_extractor_type"}


def _refuse_folded(tensors: Iterable[str], verb: str) -> None:
    if not any(name.endswith((GAIN, ".norm.weight")) for name in tensors):
        raise ConfigError(f"the model's weight norm is folded: {verb} it before `fold_weight_norm`")


def to_core(config: transformers.EncodecConfig) -> core_config.EncodecConfig:
    """A configuration of `transformers` as ours, which checks it.

    Raises:
        ConfigError: if no network can be built from it.
    """
    return core_config.EncodecConfig(**{name: getattr(config, name) for name in _FIELDS})


def register() -> None:
    """Let `AutoConfig`, `AutoModel`, `AutoFeatureExtractor` and `AutoProcessor` make ours of EnCodec checkpoints.

    For the whole process, until `unregister`. Models that hold an EnCodec (MusicGen, Bark) build it by
    `AutoModel`, so they get ours as well. `transformers.EncodecModel` itself stays what it is.
    """
    transformers.AutoModel.register(EncodecConfig, EncodecModel, exist_ok=True)
    transformers.AutoFeatureExtractor.register(EncodecConfig, EncodecFeatureExtractor, exist_ok=True)
    transformers.AutoConfig.register(EncodecConfig.model_type, EncodecConfig, exist_ok=True)


def unregister() -> None:
    """Undo `register`: EnCodec checkpoints make the classes of `transformers` again."""
    transformers.AutoConfig.register(EncodecConfig.model_type, transformers.EncodecConfig, exist_ok=True)


def stand_in(model: nn.Module) -> list[str]:
    """Put ours in the place of each `transformers.EncodecModel` inside a model, with the same weights.

    Args:
        model: for example a `MusicgenForConditionalGeneration`. Changed in place.

    Returns:
        where they were, for example `["audio_encoder"]`.

    Raises:
        ConfigError: if there is none inside, or the model is one itself (use `EncodecModel.sharing`).
    """
    names = [name for name, part in model.named_modules() if isinstance(part, transformers.EncodecModel)]
    if not names or "" in names:
        problem = "is an EnCodec itself: use EncodecModel.sharing" if names else "holds no transformers.EncodecModel"
        raise ConfigError(f"{type(model).__name__} {problem}")
    for name in names:
        parent, _, attribute = name.rpartition(".")
        theirs = model.get_submodule(name)
        assert isinstance(theirs, transformers.EncodecModel)
        setattr(model.get_submodule(parent), attribute, EncodecModel.sharing(theirs))
    return names

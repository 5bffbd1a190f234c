"""Small random models of `transformers` that hold an EnCodec."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from transformers.models.bark import generation_configuration_bark as bark_generation

from recodec.config import EncodecConfig
from support.peers import hf_model

_SEMANTIC = 40  # Bark's semantic vocabulary


def musicgen(codec: EncodecConfig, channels: int = 1) -> transformers.MusicgenForConditionalGeneration:
    """A MusicGen of a few thousand weights around an EnCodec; stereo is two codes streams of a mono one."""
    torch.manual_seed(0)
    text = transformers.T5Config(vocab_size=50, d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=2)
    decoder = transformers.MusicgenDecoderConfig(
        vocab_size=codec.codebook_size,
        num_hidden_layers=1,
        ffn_dim=16,
        num_attention_heads=2,
        hidden_size=16,
        num_codebooks=codec.num_quantizers * channels,
        pad_token_id=codec.codebook_size,
        bos_token_id=codec.codebook_size,
        audio_channels=channels,
    )
    model = transformers.MusicgenForConditionalGeneration(
        text_encoder=transformers.T5EncoderModel(text),
        audio_encoder=hf_model(codec),
        decoder=transformers.MusicgenForCausalLM(decoder),
        config=transformers.MusicgenConfig(
            text_encoder=text.to_dict(), audio_encoder=codec.to_dict(), decoder=decoder.to_dict()
        ),
    )
    return model.eval()


def bark(codec: EncodecConfig) -> transformers.BarkModel:
    """A Bark of a few thousand weights around an EnCodec."""
    torch.manual_seed(0)
    entries, books = codec.codebook_size, codec.num_quantizers
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_size": 16}
    coarse = _SEMANTIC + 2 * entries + 20
    model = transformers.BarkModel(
        transformers.BarkConfig(
            semantic_config={"input_vocab_size": 200, "output_vocab_size": 200, "block_size": 700, **sizes},
            coarse_acoustics_config={
                "input_vocab_size": coarse, "output_vocab_size": coarse, "block_size": 700, **sizes,
            },
            fine_acoustics_config={
                "input_vocab_size": entries + 1, "output_vocab_size": entries + 1, "block_size": 1024,
                "n_codes_total": books, "n_codes_given": 1, **sizes,
            },
            codec_config=codec.to_dict(),
        )
    )  # fmt: skip
    model.codec_model.load_state_dict(hf_model(codec).state_dict())
    semantic = bark_generation.BarkSemanticGenerationConfig(
        eos_token_id=_SEMANTIC, semantic_vocab_size=_SEMANTIC, text_encoding_offset=_SEMANTIC + 1,
        text_pad_token=190, semantic_infer_token=191, max_new_tokens=8, max_input_semantic_length=16,
    )  # fmt: skip
    coarse_acoustics = bark_generation.BarkCoarseGenerationConfig(
        coarse_semantic_pad_token=_SEMANTIC + 2 * entries + 1, coarse_infer_token=_SEMANTIC + 2 * entries + 2,
        max_coarse_input_length=16, max_coarse_history=60, sliding_window_len=10,
    )  # fmt: skip
    fine = bark_generation.BarkFineGenerationConfig(n_fine_codebooks=books)
    # As `generate` reads them: dictionaries, not the objects that the class makes of them.
    generation: Any = bark_generation.BarkGenerationConfig(codebook_size=entries)
    generation.semantic_config = semantic.to_dict()
    generation.coarse_acoustics_config = coarse_acoustics.to_dict()
    generation.fine_acoustics_config = fine.to_dict()
    model.generation_config = generation
    return model.eval()

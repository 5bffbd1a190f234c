"""What users of the other implementations asked for: outputs, precision, compilation, gradients, latents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from recodec import presets
from recodec.errors import ConfigError
from recodec.model.encodec import EncodecModel
from support import peers
from support.closeness import assert_close, relative_error
from support.precision import need_bfloat16

TINY = presets.tiny()
SEGMENTED = peers.variant(
    TINY, audio_channels=2, normalize=True, chunk_length_s=0.1, overlap=0.05, norm_type="time_group_norm",
    use_causal_conv=False,
)  # fmt: skip
CONFIGS = pytest.mark.parametrize("config", [TINY, SEGMENTED], ids=["causal", "segmented"])


@pytest.fixture(scope="module")
def model() -> EncodecModel:
    return peers.random_model(TINY)


# ---- outputs -------------------------------------------------------------------------------


def test_an_output_is_read_by_attribute_key_index_and_unpacking(model: EncodecModel) -> None:
    output: Any = model.encode(peers.noise(TINY, 1000))
    codes, scales, padding = output
    assert codes is output.audio_codes is output["audio_codes"] is output[0] is output.to_tuple()[0]
    assert scales is output.audio_scales is output[1]
    assert padding == output.last_frame_pad_length == output[-1] == 0
    assert output[1:] == (scales, padding)
    assert list(output.keys()) == ["audio_codes", "audio_scales", "last_frame_pad_length"]
    assert dict(output)["audio_codes"] is codes
    assert [value is other for value, other in zip(output.values(), output, strict=True)] == [True] * 3
    assert [name for name, _ in output.items()] == output.keys()
    assert len(output) == 3
    assert "audio_codes" in output
    assert "nonsense" not in output
    with pytest.raises(KeyError, match="nonsense"):
        output["nonsense"]
    (audio,) = model.decode(**{k: v for k, v in output.items() if k != "last_frame_pad_length"})
    assert audio.shape == (1, 1, 1280)


def test_fields_without_a_value_do_not_count(model: EncodecModel) -> None:
    from recodec.model.outputs import EncodecOutput

    output = EncodecOutput(audio_values=torch.zeros(1))
    assert output.audio_codes is None
    assert output.keys() == ["audio_values"]
    assert output[0] is output.audio_values
    with pytest.raises(KeyError):
        output["audio_codes"]


# ---- bandwidths and codebooks --------------------------------------------------------------


def test_a_number_of_codebooks_in_place_of_a_bandwidth(model: EncodecModel) -> None:
    x = peers.noise(TINY, 2000)
    everything = model.encode(x, num_quantizers=TINY.num_quantizers).audio_codes
    assert TINY.num_quantizers == 8
    for count in range(1, 9):
        codes = model.encode(x, num_quantizers=count).audio_codes
        assert torch.equal(codes, everything[:, :, :count])
        assert torch.equal(model(x, num_quantizers=count).audio_codes, codes)
    for bandwidth, count in ((0.45, 1), (0.9, 2), (1.8, 4), (3.6, 8)):
        assert torch.equal(model.encode(x, bandwidth=bandwidth).audio_codes, everything[:, :, :count])


@pytest.mark.parametrize("count", [0, -1, 9])
def test_codebooks_that_the_model_does_not_have(model: EncodecModel, count: int) -> None:
    with pytest.raises(ConfigError, match="num_quantizers must be from 1 to 8"):
        model.encode(peers.noise(TINY, 100), num_quantizers=count)


def test_not_both_a_bandwidth_and_a_number(model: EncodecModel) -> None:
    with pytest.raises(ConfigError, match="not both"):
        model.encode(peers.noise(TINY, 100), bandwidth=0.9, num_quantizers=2)


# ---- latents and gradients -----------------------------------------------------------------


@CONFIGS
@torch.no_grad()
def test_the_way_through_latents_is_the_way_through_codes(config: Any) -> None:
    model = peers.random_model(config)
    x = peers.noise(config, 3500, batch=2)
    latents, scales, padding = model.encode_latents(x)
    codes = model.quantize(latents, num_quantizers=3)
    encoded = model.encode(x, num_quantizers=3)
    valid = slice(None, codes.shape[-1] - padding)
    assert torch.equal(codes[:-1], encoded.audio_codes[:-1])
    assert torch.equal(codes[-1][..., valid], encoded.audio_codes[-1][..., valid])
    assert model.dequantize(codes).shape == latents.shape
    audio = model.decode_latents(model.dequantize(encoded.audio_codes), scales, None, padding)
    assert torch.equal(audio, model.decode(encoded.audio_codes, scales, last_frame_pad_length=padding)[0])


def gradient_of(tensor: torch.Tensor) -> torch.Tensor:
    assert tensor.grad is not None
    return tensor.grad


@CONFIGS
def test_gradients_flow_through_the_decoder(config: Any) -> None:
    model = peers.random_model(config)
    x = peers.noise(config, 2000)
    latents = model.encode_latents(x).latents.detach().requires_grad_()
    audio = model.decode_latents(latents, [torch.ones(1, 1)] * len(latents))
    audio.square().mean().backward()
    assert torch.isfinite(gradient_of(latents)).all()
    assert (gradient_of(latents).abs().amax(dim=(1, 2, 3)) > 0).all()
    for name, parameter in model.decoder.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        # A bias before a norm over its own channel alone changes nothing, nor does the length of a direction of one
        # element: their gradients are 0, or the rounding of it.
        one = name.endswith("conv.bias") and parameter.numel() == 1
        if not one and not (name.endswith("original1") and parameter[0].numel() == 1):
            assert parameter.grad.any(), name


def test_gradients_flow_through_a_padded_batch() -> None:
    model = peers.random_model(SEGMENTED)
    mask = torch.arange(2000) < torch.tensor([2000, 700])[:, None]
    x = peers.noise(SEGMENTED, 2000, batch=2).requires_grad_()
    latents, scales, padding = model.encode_latents(x, mask)
    model.decode_latents(latents, scales, mask, padding).square().mean().backward()
    gradient = gradient_of(x)
    assert torch.isfinite(gradient).all()
    assert gradient[1, :, :700].any()
    assert not gradient[1, :, 700:].any()


# ---- precision -----------------------------------------------------------------------------


@CONFIGS
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.15), (torch.float16, 0.02)])
@pytest.mark.parametrize("folded", [False, True], ids=["weight norm", "folded"])
@torch.no_grad()
def test_half_precision_is_close(config: Any, dtype: torch.dtype, tolerance: float, folded: bool) -> None:
    if dtype == torch.bfloat16:
        need_bfloat16()
    model = peers.random_model(config)
    x = peers.noise(config, 3000, batch=2)
    mask = torch.arange(3000) < torch.tensor([3000, 1234])[:, None]
    encoded = model.encode(x, mask, config.target_bandwidths[0])
    arguments = (mask, True, encoded.last_frame_pad_length)
    expected = model.decode(encoded.audio_codes, encoded.audio_scales, *arguments).audio_values
    latents = model.encode_latents(x, mask).latents
    half = peers.random_model(config).to(dtype)
    if folded:
        half.fold_weight_norm()
    assert half.dtype == dtype
    found = half.encode(x.to(dtype), mask, config.target_bandwidths[0])
    assert relative_error(half.encode_latents(x.to(dtype), mask).latents.float(), latents) < tolerance
    same = float((found.audio_codes == encoded.audio_codes).float().mean())
    assert same > 0.6, same
    scales = [None if scale is None else scale.to(dtype) for scale in encoded.audio_scales]
    audio = half.decode(encoded.audio_codes, scales, *arguments).audio_values
    assert audio.dtype == dtype
    assert relative_error(audio.float(), expected) < tolerance


@CONFIGS
@torch.no_grad()
def test_folding_changes_nothing_but_rounding(config: Any) -> None:
    model = peers.random_model(config)
    latents, x = torch.randn(1, config.hidden_size, 9), peers.noise(config, 3000)
    expected = model.encoder(x), model.decoder(latents)
    model.fold_weight_norm()
    assert not any("parametrizations" in name for name, _ in model.named_parameters())
    assert_close(model.encoder(x), expected[0])
    assert_close(model.decoder(latents), expected[1])


# ---- compilation ---------------------------------------------------------------------------


SMALL = peers.variant(TINY, upsampling_ratios=(4, 2), sampling_rate=600, use_conv_shortcut=False)
SMALL_SEGMENTED = peers.variant(
    SMALL, audio_channels=2, normalize=True, chunk_length_s=0.3, overlap=0.05, norm_type="time_group_norm",
    use_causal_conv=False,
)  # fmt: skip


def compiled(function: Callable[..., Any], *, fullgraph: bool = True) -> Callable[..., Any]:
    return torch.compile(function, backend="eager", fullgraph=fullgraph)


@pytest.mark.parametrize("config", [SMALL, SMALL_SEGMENTED], ids=["causal", "segmented"])
@torch.no_grad()
def test_encode_and_decode_compile_as_one_graph(config: Any) -> None:
    torch.compiler.reset()
    model = peers.random_model(config).fold_weight_norm()
    x = peers.noise(config, 240)
    bandwidth = config.target_bandwidths[-1]
    codes, scales, padding = compiled(model.encode)(x, None, bandwidth, False)
    expected = model.encode(x, None, bandwidth)
    assert torch.equal(codes, expected.audio_codes)
    audio = compiled(model.decode)(codes, scales, None, False, padding)[0]
    assert_close(audio, model.decode(codes, scales, last_frame_pad_length=padding).audio_values)


def test_compiled_streams_keep_their_state() -> None:
    torch.compiler.reset()
    encoder = peers.random_model(peers.variant(SMALL, pad_mode="constant")).encoder
    step = compiled(encoder.step)
    x = peers.noise(SMALL, 4 * SMALL.hop_length)
    state, pieces = encoder.init_state(1), []
    with torch.no_grad():
        for piece in x.split(SMALL.hop_length, dim=-1):
            y, state = step(piece, state)
            pieces.append(y)
        assert_close(torch.cat(pieces, dim=-1), encoder(x))


def test_compiled_training_has_the_same_gradients() -> None:
    torch.compiler.reset()
    model = peers.random_model(SMALL)
    x = peers.noise(SMALL, 150)
    gradients = []
    for decoder in (model.decoder, compiled(model.decoder, fullgraph=False)):
        model.zero_grad()
        decoder(model.encoder(x)).square().mean().backward()
        gradients.append(torch.cat([gradient_of(p).flatten() for p in model.parameters()]))
    assert_close(gradients[1], gradients[0])

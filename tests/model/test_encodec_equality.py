"""Equal to `transformers.EncodecModel` and to Meta's `encodec` on the same random weights."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec import presets
from recodec.config import EncodecConfig
from recodec.errors import AudioError, ConfigError
from recodec.model.encodec import EncodecModel
from support import peers
from support.closeness import assert_close, assert_same_codes


def small(num_quantizers: int = 4, **changes: Any) -> EncodecConfig:
    """A toy model with 100 frames a second, 16 entries a codebook, and the given number of codebooks."""
    ratios = changes.setdefault("upsampling_ratios", (4, 3))
    rate = 100 * ratios[0] * ratios[1]
    bands = tuple(0.4 * k for k in sorted({1, (num_quantizers + 1) // 2, num_quantizers}))
    defaults: dict[str, Any] = {"hidden_size": 8, "num_filters": 4, "num_lstm_layers": 1, "codebook_size": 16}
    return EncodecConfig(**{**defaults, "sampling_rate": rate, "target_bandwidths": bands, **changes})


SEGMENTED: dict[str, Any] = {"norm_type": "time_group_norm", "use_causal_conv": False, "normalize": True}
VARIANTS = {
    "tiny": presets.tiny(),
    "causal, constant padding": small(pad_mode="constant"),
    "causal, stereo": small(audio_channels=2, upsampling_ratios=(5, 3)),
    "causal, residual layers": small(num_residual_layers=3, dilation_growth_rate=3, kernel_size=5, last_kernel_size=3,
                                     residual_kernel_size=5, compress=4),
    "causal, trimmed on both sides": small(trim_right_ratio=0.5),
    "causal, trimmed on the left": small(trim_right_ratio=0.0, num_lstm_layers=3),
    "not causal": small(use_causal_conv=False, use_conv_shortcut=False),
    "not causal, odd strides, constant padding": small(use_causal_conv=False, pad_mode="constant",
                                                       upsampling_ratios=(3, 5)),
    "group norm": small(**SEGMENTED),
    "segments, stereo": small(**SEGMENTED, audio_channels=2, chunk_length_s=0.2, overlap=0.01),
    "segments, overlapping by a third": small(**SEGMENTED, chunk_length_s=0.1, overlap=0.34, num_residual_layers=2),
    "segments, causal": small(chunk_length_s=0.15, overlap=0.2),
    "one codebook": small(1),
    "32 codebooks": small(32),
}  # fmt: skip
PRESETS = {"24 kHz": presets.encodec_24khz(), "48 kHz": presets.encodec_48khz(), "32 kHz": presets.encodec_32khz()}
EVERY_VARIANT = pytest.mark.parametrize("name", VARIANTS)


class Trio(NamedTuple):
    """Our model with the weights of `transformers`' one, and with those of Meta's."""

    config: EncodecConfig
    hf: Any
    as_hf: EncodecModel
    meta: Any
    as_meta: EncodecModel


@cache
def trio(name: str) -> Trio:
    config = {**VARIANTS, **PRESETS}[name]
    hf, meta = peers.hf_model(config, seed=1), peers.meta_model(config, seed=2)
    return Trio(config, hf, peers.ours(hf, config), meta, peers.ours(meta, config))


def latents_of(model: EncodecModel, x: torch.Tensor) -> list[torch.Tensor]:
    """The latents of each segment, without padding."""
    latents, size = model.encode_latents(x).latents, model.config.chunk_length or x.shape[-1]
    sizes = [min(size, x.shape[-1] - start) for start in model.config.segment_starts(x.shape[-1])]
    return [part[..., : model.config.frames_for(n)] for part, n in zip(latents, sizes, strict=True)]


@torch.no_grad()
def check_against_transformers(models: Trio, x: torch.Tensor, bandwidth: float) -> None:
    ours, theirs = models.as_hf, models.hf
    if ends_within_an_overlap(models.config, x.shape[-1]):
        return
    a, b = ours.encode(x, bandwidth=bandwidth), theirs.encode(x, bandwidth=bandwidth)
    assert a.last_frame_pad_length == b.last_frame_pad_length
    assert a.audio_codes.shape == b.audio_codes.shape
    latents = latents_of(ours, x)
    for part, x_codes, y_codes in zip(latents, a.audio_codes, b.audio_codes, strict=True):
        frames = part.shape[-1]
        assert_same_codes(ours, part, x_codes[..., :frames], y_codes[..., :frames])
        assert torch.equal(x_codes[..., frames:], y_codes[..., frames:])
    for x_scale, y_scale in zip(a.audio_scales, b.audio_scales, strict=True):
        if y_scale is None:
            assert x_scale is None
        else:
            assert x_scale is not None
            assert_close(x_scale, y_scale)
    for mask in (None, torch.ones_like(x, dtype=torch.bool)):
        arguments = (b.audio_codes, b.audio_scales, mask, True, b.last_frame_pad_length)
        assert_close(ours.decode(*arguments).audio_values, theirs.decode(*arguments).audio_values)


@torch.no_grad()
def check_against_meta(models: Trio, x: torch.Tensor, bandwidth: float) -> None:
    ours, theirs = models.as_meta, models.meta
    theirs.set_target_bandwidth(bandwidth)
    segments = theirs.encode(x)
    a = ours.encode(x, bandwidth=bandwidth)
    for part, x_codes, (y_codes, _) in zip(latents_of(ours, x), a.audio_codes, segments, strict=True):
        assert_same_codes(ours, part, x_codes[..., : part.shape[-1]], y_codes)
    for x_scale, (_, y_scale) in zip(a.audio_scales, segments, strict=True):
        if y_scale is None:
            assert x_scale is None
        else:
            assert x_scale is not None
            assert_close(x_scale, y_scale)
    padded = [torch.nn.functional.pad(codes, (0, segments[0][0].shape[-1] - codes.shape[-1])) for codes, _ in segments]
    scales, mask = [scale for _, scale in segments], torch.ones_like(x)
    audio = ours.decode(torch.stack(padded), scales, mask, last_frame_pad_length=a.last_frame_pad_length)[0]
    assert_close(audio, metas_audio(models, segments)[..., : x.shape[-1]])
    if not ends_within_an_overlap(models.config, x.shape[-1]):
        assert_close(audio, theirs.decode(segments)[..., : x.shape[-1]])


def metas_audio(models: Trio, segments: list[Any]) -> torch.Tensor:
    """As `models.meta.decode`, which fails where a segment reaches beyond the last one."""
    pieces = [models.meta._decode_frame(segment) for segment in segments]
    if len(pieces) == 1:
        return pieces[0]
    stride = models.config.chunk_stride or 0
    total = stride * (len(pieces) - 1) + pieces[-1].shape[-1]
    size = pieces[0].shape[-1]
    triangle = torch.minimum(torch.arange(1, size + 1), torch.arange(size, 0, -1)) / (size + 1)
    numerator, denominator = torch.zeros(*pieces[0].shape[:2], total), torch.zeros(total)
    for k, piece in enumerate(pieces):
        end = min(k * stride + piece.shape[-1], total)
        weight = triangle[: end - k * stride]
        numerator[..., k * stride : end] += weight * piece[..., : end - k * stride]
        denominator[k * stride : end] += weight
    return numerator / denominator


def ends_within_an_overlap(config: EncodecConfig, length: int) -> bool:
    """Whether segments before the last one are short: `transformers` may then fail to stack or to join them."""
    starts = config.segment_starts(length)
    return len(starts) > 1 and length < starts[-2] + (config.chunk_length or 0)


# ---- the numbers ---------------------------------------------------------------------------


@EVERY_VARIANT
@given(data=st.data())
@settings(deadline=None, max_examples=5, derandomize=True)
def test_any_length_and_bandwidth(name: str, data: st.DataObject) -> None:
    models = trio(name)
    length = data.draw(st.integers(1, 6 * models.config.hop_length))
    bandwidth = data.draw(st.sampled_from(list(models.config.target_bandwidths)))
    x = peers.noise(models.config, length, batch=data.draw(st.integers(1, 2)), seed=length)
    check_against_transformers(models, x, bandwidth)
    check_against_meta(models, x, bandwidth)


@EVERY_VARIANT
def test_one_sample_and_a_long_input(name: str) -> None:
    models = trio(name)
    for length in (1, 2, models.config.hop_length, 40 * models.config.hop_length + 1):
        x = peers.noise(models.config, length, seed=3)
        check_against_transformers(models, x, models.config.target_bandwidths[-1])
        check_against_meta(models, x, models.config.target_bandwidths[-1])


@EVERY_VARIANT
def test_encoder_and_decoder(name: str) -> None:
    models = trio(name)
    x = peers.noise(models.config, 20 * models.config.hop_length + 5)
    with torch.no_grad():
        for ours, theirs in ((models.as_hf, models.hf), (models.as_meta, models.meta)):
            latents = theirs.encoder(x)
            assert_close(ours.encoder(x), latents)
            assert_close(ours.decoder(latents), theirs.decoder(latents))


@pytest.mark.parametrize("name", PRESETS)
def test_released_geometries_at_every_bandwidth(name: str) -> None:
    models = trio(name)
    seconds = 1.2 if models.config.chunk_length_s else 0.2
    long = peers.noise(models.config, int(seconds * models.config.sampling_rate) + 77)
    check_against_meta(models, long, models.config.target_bandwidths[-1])
    check_against_transformers(models, long, models.config.target_bandwidths[-1])
    check_against_transformers(models, long[..., :1], models.config.target_bandwidths[-1])
    for bandwidth in models.config.target_bandwidths:
        check_against_transformers(models, long[..., :700], bandwidth)


@pytest.mark.parametrize("name", PRESETS)
def test_almost_all_codes_of_the_released_geometries_are_identical(name: str) -> None:
    models = trio(name)
    x = peers.noise(models.config, models.config.sampling_rate // 2, seed=4)
    bandwidth = models.config.target_bandwidths[-1]
    with torch.no_grad():
        ours, theirs = (model.encode(x, bandwidth=bandwidth).audio_codes for model in (models.as_hf, models.hf))
    assert (ours == theirs).float().mean() >= 0.9999


@pytest.mark.parametrize("name", [name for name, config in VARIANTS.items() if config.chunk_length])
def test_recordings_that_end_where_segments_overlap(name: str) -> None:
    models = trio(name)
    size, stride = models.config.chunk_length or 0, models.config.chunk_stride or 0
    lengths = [k * stride + extra for k in (1, 2, 3) for extra in range(1, size - stride)]
    assert all(ends_within_an_overlap(models.config, length) for length in lengths)
    for length in lengths[:: max(1, len(lengths) // 12)]:
        check_against_meta(models, peers.noise(models.config, length), models.config.target_bandwidths[-1])


def test_a_recording_of_the_48_khz_model_that_transformers_cannot_encode() -> None:
    models = trio("48 kHz")
    x = peers.noise(models.config, 2 * 47_520 + 100)
    with torch.no_grad():
        encoded = models.as_hf.encode(x)
        with pytest.raises(RuntimeError, match="equal size"):
            models.hf.encode(x)
        audio = models.as_hf(x).audio_values
    assert audio.shape == x.shape
    with pytest.raises(ConfigError, match="needs its padding_mask"):
        models.as_hf.decode(encoded.audio_codes, encoded.audio_scales, last_frame_pad_length=149)


@pytest.mark.parametrize("name", ["24 kHz", "48 kHz"])
@pytest.mark.parametrize(("lengths", "padding"), [([700], "exact"), ([700, 700], "exact"), ([900, 700], "reference")])
def test_codes_of_padded_batches_are_those_of_transformers(name: str, lengths: list[int], padding: Any) -> None:
    models = trio(name)
    x = peers.noise(models.config, 1000, batch=len(lengths))
    mask = (torch.arange(1000) < torch.tensor(lengths)[:, None]).int()
    expected_mask = mask[:, None].expand_as(x)  # theirs takes a mask of channels only
    model = models.as_hf
    try:
        model.padding = padding
        with torch.no_grad():
            ours, theirs = model.encode(x, mask), models.hf.encode(x, expected_mask)
            audio, their_audio = model(x, mask).audio_values, models.hf(x, expected_mask).audio_values
    finally:
        model.padding = "exact"
    assert torch.equal(ours.audio_codes, theirs.audio_codes)
    assert ours.last_frame_pad_length == theirs.last_frame_pad_length
    torch.testing.assert_close(audio, their_audio, rtol=0, atol=1e-4 * float(their_audio.abs().max()))


def test_without_an_lstm_as_meta_has_it() -> None:
    config = small(num_lstm_layers=0)
    meta = peers.meta_model(config)
    models = Trio(config, None, None, meta, peers.ours(meta, config))  # type: ignore[arg-type]
    check_against_meta(models, peers.noise(config, 100), config.target_bandwidths[-1])


def test_forward_is_encode_and_decode() -> None:
    for name in ("tiny", "segments, stereo"):
        models = trio(name)
        x = peers.noise(models.config, 1501, batch=2)
        bandwidth = models.config.target_bandwidths[-1]
        with torch.no_grad():
            a, b = models.as_hf(x, None, bandwidth), models.hf(x, None, bandwidth)
            assert_close(a.audio_values, b.audio_values)
            assert torch.equal(a.audio_codes, b.audio_codes)
            encoded = models.hf.encode(x, bandwidth=bandwidth)
            given_codes = models.as_hf(x, None, None, encoded.audio_codes, encoded.audio_scales, False,
                                       encoded.last_frame_pad_length)  # fmt: skip
            assert_close(given_codes[1], b.audio_values)


def test_the_lowest_bandwidth_is_the_default() -> None:
    models = trio("tiny")
    x = peers.noise(models.config, 1000)
    with torch.no_grad():
        assert torch.equal(models.as_hf.encode(x)[0], models.hf.encode(x)[0])


# ---- the interface -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tiny", "segments, stereo"])
def test_plain_tuples_on_request(name: str) -> None:
    models = trio(name)
    x = peers.noise(models.config, 900)
    with torch.no_grad():
        for model in (models.as_hf, models.hf):
            codes, scales, padding = model.encode(x, return_dict=False)
            assert isinstance(model.encode(x, return_dict=False), tuple)
            decoded = model.decode(codes, scales, return_dict=False, last_frame_pad_length=padding)
            assert isinstance(decoded, tuple)
            assert len(decoded) == 1
            assert isinstance(model(x, return_dict=False), tuple)
            assert len(model(x, return_dict=False)) == 2


def test_the_default_of_return_dict_is_the_configs() -> None:
    config = peers.variant(presets.tiny(), return_dict=False)
    model = peers.random_model(config)
    assert isinstance(model.encode(peers.noise(config, 100)), tuple)
    assert not isinstance(model.encode(peers.noise(config, 100), return_dict=True), tuple)


def test_what_transformers_refuses_we_refuse_with_the_same_type_of_error() -> None:
    models = trio("tiny")
    x = peers.noise(models.config, 400)
    codes, scales, _ = models.as_hf.encode(x, return_dict=False)
    for model in (models.as_hf, models.hf):
        with pytest.raises(ValueError, match="doesn't support the bandwidth 7"):
            model.encode(x, bandwidth=7)
        with pytest.raises(ValueError, match="Number of audio channels must be 1 or 2, but got 3"):
            model.encode(torch.zeros(1, 3, 100))
        with pytest.raises(ValueError, match="specified `audio_codes` but did not specify the `audio_scales`"):
            model(x, audio_codes=codes)
        with pytest.raises(ValueError, match="specified `audio_scales` but did not specify the `audio_codes`"):
            model(x, audio_scales=scales)
        with pytest.raises(ValueError, match="Expected one frame, got 2"):
            model.decode(torch.cat([codes, codes]), [None, None])


def test_what_transformers_stumbles_over_is_refused_clearly() -> None:
    model = trio("tiny").as_hf
    for shape in ((1, 400), (400,), (1, 1, 1, 400)):
        with pytest.raises(AudioError, match="must be \\(batch, channels, samples\\)"):
            model.encode(torch.zeros(shape))
    with pytest.raises(AudioError, match="takes 1 channel"):
        model.encode(torch.zeros(1, 2, 400))
    with pytest.raises(AudioError, match="no samples"):
        model.encode(torch.zeros(1, 1, 0))
    with pytest.raises(AudioError, match="padding_mask covers 3 samples"):
        model.encode(torch.zeros(1, 1, 400), torch.ones(1, 3))
    with pytest.raises(ConfigError, match="codes have 9 codebooks"):
        model.decode(torch.zeros(1, 1, 9, 4, dtype=torch.int64), [None])
    with pytest.raises(ConfigError, match="needs input_values"):
        model()

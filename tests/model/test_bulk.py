"""`BulkEncoder` and `BulkDecoder` on a CPU: what `EncodecModel` gives, whatever the acceleration."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

from recodec import presets
from recodec.errors import AudioError, ConfigError
from recodec.model import bulk
from recodec.model.bulk import BulkDecoder, BulkEncoder, mismatch
from recodec.model.encodec import EncodecModel
from support.peers import noise, random_model, variant
from support.precision import need_bfloat16

TINY = presets.tiny()
SMALL = variant(TINY, upsampling_ratios=(4, 2), target_bandwidths=(72.0,), sampling_rate=6400)
STEREO = variant(TINY, audio_channels=2, normalize=True, norm_type="time_group_norm", use_causal_conv=False)
CODES = torch.zeros(1, 1, 9, dtype=torch.int64)
LENGTHS = torch.tensor([4000, 1, 2345])


def expected(model: EncodecModel, x: torch.Tensor, lengths: torch.Tensor | None) -> Any:
    mask = None if lengths is None else torch.arange(x.shape[-1]) < lengths[:, None]
    with torch.no_grad():
        return model.encode(x, mask, num_quantizers=model.config.num_quantizers)


@pytest.mark.parametrize("config", [TINY, STEREO], ids=["tiny", "stereo"])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "ragged"])
@pytest.mark.parametrize("folded", [False, True], ids=["fresh", "folded"])
def test_codes_are_those_of_the_model(config: Any, lengths: torch.Tensor | None, folded: bool) -> None:
    model = random_model(config)
    x = noise(config, 4000, batch=3)
    want = expected(model, x, lengths)
    encoder = BulkEncoder(model.fold_weight_norm() if folded else model)
    assert encoder.acceleration == "none"
    if lengths is not None:
        x[1, :, 1:], x[2, :, 2345:] = 9.0, float("nan")  # is ignored
    codes, scales = encoder.encode(x, config.num_quantizers, lengths)
    assert torch.equal(codes, want.audio_codes[0])
    if config.normalize:
        torch.testing.assert_close(scales, want.audio_scales[0])
    else:
        assert scales is None


@pytest.mark.parametrize("config", [TINY, STEREO], ids=["tiny", "stereo"])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "ragged"])
@pytest.mark.parametrize("count", [1, 8])
def test_audio_is_that_of_the_model(config: Any, lengths: torch.Tensor | None, count: int) -> None:
    model = random_model(config)
    frames = None if lengths is None else -(-lengths // config.hop_length)
    codes = torch.randint(config.codebook_size, (3, count, 13), generator=torch.Generator().manual_seed(0))
    scales = torch.tensor([[0.5], [2.0], [1.0]]) if config.normalize else None
    decoder = BulkDecoder(model)
    audio = decoder.decode(codes, scales, frames)
    assert audio.dtype == torch.float32
    for row in range(3):
        size = 13 if frames is None else int(frames[row])
        own = [None] if scales is None else [scales[row : row + 1]]
        with torch.no_grad():
            want = model.decode(codes[None, row : row + 1, :, :size], own).audio_values[0]
        cut = size * config.hop_length
        assert (audio[row, :, :cut] - want).abs().max() < 1e-4 * want.abs().max()
        assert not audio[row, :, cut:].any()


def test_half_precision_of_the_decoder_costs_little() -> None:
    codes = torch.randint(TINY.codebook_size, (2, 8, 25), generator=torch.Generator().manual_seed(0))
    exact, half = (BulkDecoder(random_model(TINY), precision=p).decode(codes) for p in ("float32", "bfloat16"))
    error = (half - exact).square().mean() / exact.square().mean()
    assert 0 < error < 1e-2


def test_a_width_beyond_all_items_changes_no_code() -> None:
    encoder = BulkEncoder(random_model(TINY))
    x = noise(TINY, 4000, batch=2)
    narrow, _ = encoder.encode(x, 8)
    wide, _ = encoder.encode(torch.cat([x, x], -1), 8, torch.tensor([4000, 4000]))
    assert wide.shape[-1] == 25
    assert torch.equal(wide[..., :13], narrow)
    assert not wide[..., 13:].any()


def test_the_model_is_left_as_it_is() -> None:
    model = random_model(TINY)
    x = noise(TINY, 1000)
    before = expected(model, x, None).audio_codes
    names = list(model.state_dict())
    encoder = BulkEncoder(model, precision="float16")
    assert list(model.state_dict()) == names
    assert torch.equal(expected(model, x, None).audio_codes, before)
    model.quantizer.codebooks[0].embed.zero_()  # nor does it matter to the encoder what becomes of the model
    assert encoder.encode(x, 1)[0].any()


def test_folding_a_copy_leaves_the_original() -> None:
    model = random_model(TINY)
    x = noise(TINY, 1000)
    before = expected(model, x, None).audio_codes
    copies = [copy.deepcopy(model) for _ in range(2)]
    for other in copies:
        other.fold_weight_norm()
    assert all(torch.equal(expected(m, x, None).audio_codes, before) for m in (*copies, model))


@pytest.mark.parametrize(("precision", "most"), [("tf32", 0.0), ("bfloat16", 0.2), ("float16", 0.05)])
def test_precisions_cost_few_codes(precision: str, most: float) -> None:
    if precision == "bfloat16":
        need_bfloat16()
    model = random_model(TINY)
    x = noise(TINY, 16_000, batch=2)
    codes, _ = BulkEncoder(model, precision=precision).encode(x, 8)
    wrong = mismatch(codes, expected(model, x, None).audio_codes[0])
    assert len(wrong) == 8
    assert max(wrong) <= most


def test_mismatch_counts_by_codebook() -> None:
    a = torch.zeros(2, 3, 4, dtype=torch.int64)
    b = a.clone()
    b[0, 1, 2] = b[1, 2, :] = 1
    assert mismatch(a, b) == [0.0, 0.125, 0.5]


def test_settings_of_torch_are_put_back() -> None:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        BulkEncoder(random_model(TINY)).encode(noise(TINY, 320), 1)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: BulkEncoder(m, precision="int8"), ConfigError, "precision must be one of"),
        (lambda m: BulkEncoder(m, acceleration="fast"), ConfigError, "acceleration must be one of"),
        (lambda m: BulkEncoder(m).encode(torch.zeros(1, 2, 9), 1), AudioError, "audio must be"),
        (lambda m: BulkEncoder(m).encode(torch.zeros(1, 1, 0), 1), AudioError, "audio must be"),
        (lambda m: BulkEncoder(m).encode(torch.zeros(1, 1, 9), 9), ConfigError, "from 1 to 8"),
        (lambda m: BulkEncoder(m).encode(torch.zeros(1, 1, 9), 1, torch.ones(2)), AudioError, "lengths must be"),
        (lambda m: BulkDecoder(m, precision="int8"), ConfigError, "precision must be one of"),
        (lambda m: BulkDecoder(m).decode(torch.zeros(1, 1, 9)), ConfigError, "codes must be integers"),
        (lambda m: BulkDecoder(m).decode(torch.zeros(1, 9, dtype=torch.int64)), ConfigError, "codes must be integers"),
        (lambda m: BulkDecoder(m).decode(CODES - 1), ConfigError, "from 0 to 63, got -1"),
        (lambda m: BulkDecoder(m).decode(CODES + 64), ConfigError, "from 0 to 63, got 64"),
        (lambda m: BulkDecoder(m).decode(CODES.expand(1, 9, 9)), ConfigError, "from 1 to 8"),
        (lambda m: BulkDecoder(m).decode(CODES, torch.ones(1, 1)), ConfigError, "scales are needed by"),
        (lambda m: BulkDecoder(m).decode(CODES, None, torch.ones(2)), ConfigError, "lengths must be"),
    ],
)
def test_bad_calls(call: Callable[[EncodecModel], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(random_model(TINY))


# ---- torch.compile -----------------------------------------------------------------------------


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """`torch.compile` that traces the graph and runs it as it is: the compiler itself takes minutes."""
    calls: list[dict[str, Any]] = []
    compile_ = torch.compile

    def stub(module: Any, **options: Any) -> Any:
        calls.append(options)
        return compile_(module, backend="eager", fullgraph=options["fullgraph"], dynamic=options["dynamic"])

    monkeypatch.setattr(torch, "compile", stub)
    return calls


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "ragged"])
def test_all_is_one_graph(traced: list[dict[str, Any]], lengths: torch.Tensor | None) -> None:
    config = variant(SMALL, normalize=True)
    model = random_model(config)
    x = noise(config, 4000, batch=3)
    encoder = BulkEncoder(model, acceleration="compile")
    codes, _ = encoder.encode(x, config.num_quantizers, lengths)
    assert traced == [{"fullgraph": True, "dynamic": False, "mode": "default"}]
    assert torch.equal(codes, expected(model, x, lengths).audio_codes[0])


def test_decoding_is_one_graph(traced: list[dict[str, Any]]) -> None:
    model = random_model(SMALL)
    codes = torch.randint(SMALL.codebook_size, (2, 4, 25), generator=torch.Generator().manual_seed(0))
    audio = BulkDecoder(model, acceleration="compile").decode(codes, lengths=torch.tensor([25, 3]))
    assert traced == [{"fullgraph": True, "dynamic": False, "mode": "default"}]
    plain = BulkDecoder(model).decode(codes, lengths=torch.tensor([25, 3]))
    assert (audio - plain).abs().max() < 1e-4 * plain.abs().max()


@pytest.mark.slow
def test_compiled_codes_are_the_same() -> None:
    model = random_model(SMALL)
    x = noise(SMALL, 4000, batch=3)
    encoder = BulkEncoder(model, acceleration="compile")
    for lengths in (None, LENGTHS):
        codes, _ = encoder.encode(x, SMALL.num_quantizers, lengths)
        assert max(mismatch(codes, expected(model, x, lengths).audio_codes[0])) <= 1e-3
    assert encoder.acceleration == "compile"


def broken(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(BulkEncoder, "_compile", lambda self: fail)


def test_a_failing_compiler_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, RuntimeError("no compiler here"))
    encoder = BulkEncoder(random_model(TINY), acceleration="compile")
    with pytest.raises(RuntimeError, match="no compiler here"):
        encoder.encode(noise(TINY, 320), 1)


def on_a_gpu_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> BulkEncoder:
    """An encoder that chose to compile by itself, as on a GPU, and cannot."""
    broken(monkeypatch, error)
    encoder = BulkEncoder(random_model(TINY), acceleration="compile")
    encoder._may_fall_back = True
    return encoder


def test_the_way_back_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = on_a_gpu_with(monkeypatch, RuntimeError("no compiler here"))
    x = noise(TINY, 4000)
    with pytest.warns(UserWarning, match="goes on without it: no compiler here"):
        codes, _ = encoder.encode(x, 8)
    assert encoder.acceleration == "none"
    assert torch.equal(codes, BulkEncoder(random_model(TINY)).encode(x, 8)[0])


def test_a_full_memory_is_no_failure_of_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = on_a_gpu_with(monkeypatch, torch.OutOfMemoryError("full"))
    with pytest.raises(torch.OutOfMemoryError, match="full"):
        encoder.encode(noise(TINY, 320), 1)
    assert encoder.acceleration == "compile"


def test_shapes_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BulkEncoder, "_compile", lambda self: self._plain)
    encoder = BulkEncoder(random_model(TINY), acceleration="compile")
    for size in range(bulk.MAX_SHAPES):
        encoder.encode(noise(TINY, 320 + size), 1)
    encoder.encode(noise(TINY, 320), 1)
    with pytest.raises(ConfigError, match="8 shapes are compiled"):
        encoder.encode(noise(TINY, 1000), 1)

"""The picture of the architecture: it is what its script draws, and it shows what the records say."""

from __future__ import annotations

from itertools import pairwise
from types import ModuleType
from xml.etree import ElementTree

import pytest

from recodec import EncodecConfig, presets
from recodec.architecture import Conv, TransposedConv, decoder_layers, encoder_layers
from support.scripts import ROOT, load_script

PRESETS = [presets.encodec_24khz, presets.encodec_48khz, presets.encodec_32khz, presets.recodec_24khz, presets.tiny]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("docs/make/architecture.py")


def words(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]


def test_the_committed_picture_is_what_the_script_draws(script: ModuleType) -> None:
    drawn = script.picture([preset() for preset in script.PRESETS])
    assert (ROOT / "docs/architecture.svg").read_text(encoding="utf-8") == drawn, (
        "run: python docs/make/architecture.py"
    )


def test_the_models_are_those_of_24_and_48_khz(script: ModuleType) -> None:
    assert [preset().sampling_rate for preset in script.PRESETS] == [24_000, 48_000]


@pytest.mark.parametrize("preset", PRESETS)
def test_strides_widths_and_rates_of_any_model_are_told(script: ModuleType, preset) -> None:
    config: EncodecConfig = preset()
    told = words(script.picture([config]))
    layers = [*encoder_layers(config), *decoder_layers(config)]
    strided = [layer for layer in layers if isinstance(layer, Conv | TransposedConv) and layer.stride > 1]
    assert sorted(layer.stride for layer in strided) == sorted(2 * list(config.upsampling_ratios))
    told_of = list(pairwise(told))
    for layer in strided:
        name = (
            f"{'convolution' if isinstance(layer, Conv) else 'upsampling'} {layer.kernel_size}, stride {layer.stride}"
        )
        assert (name, f"ELU, then {layer.in_channels} → {layer.out_channels}") in told_of
    rates = [int(text.removesuffix(" Hz").replace(",", "")) for text in told if text.endswith(" Hz")]
    assert (rates[0], rates[-1]) == (config.sampling_rate, config.frame_rate)
    assert [before / after for before, after in pairwise(rates)] == [*config.upsampling_ratios[::-1]]

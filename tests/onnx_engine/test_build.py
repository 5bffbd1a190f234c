"""Graphs as ONNX models: sound, and without a weight too many or too few."""

from __future__ import annotations

import onnx
import pytest

from recodec.checkpoint import fold
from recodec.config import EncodecConfig
from recodec.onnx_engine.build import build, encoder_graph
from recodec.onnx_engine.graph import embed
from recodec.onnx_engine.plan import Phase
from recodec.onnx_engine.weights import graph_weights
from support import onnx_support as support
from support import peers

CONFIGS = support.CAUSAL | {f"non-causal {name}": config for name, config in support.NON_CAUSAL.items()}


def graph_names(config: EncodecConfig) -> list[str]:
    phases = list(Phase) if config.use_causal_conv else [Phase.WHOLE]
    return [f"{part}.{phase.value}" for part in ("encoder", "decoder") for phase in phases] + ["quantizer.3"]


@pytest.mark.parametrize("name", CONFIGS)
def test_every_graph_is_a_sound_model(name: str) -> None:
    config, model = CONFIGS[name], support.torch_model(name)
    tensors = fold(peers.to_arrays(model.state_dict()), config)
    weights = {}
    for part in ("encoder", "decoder", "quantizer"):
        weights |= graph_weights(config, tensors, part)
    graphs = [build(config, graph) for graph in graph_names(config)]
    graphs.append(encoder_graph(config, Phase.WHOLE, num_quantizers=2))
    unused = set(weights)
    for graph in graphs:
        declared = {
            t.name: tuple(t.dims) for t in graph.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL
        }
        assert declared == {weight: weights[weight].shape for weight in declared}
        unused -= set(declared)
        onnx.checker.check_model(embed(graph, weights), full_check=True)
    searched = {f"quantizer.{k}.{end}" for k in range(3, config.num_quantizers) for end in ("embed", "offset")}
    assert unused == searched


@pytest.mark.parametrize("name", support.CAUSAL)
def test_states_come_out_as_they_go_in(name: str) -> None:
    for part in ("encoder", "decoder"):
        graph = build(support.CAUSAL[name], f"{part}.step").graph
        taken = {v.name: v.type for v in graph.input[1:]}
        given = {v.name.removesuffix(".next"): v.type for v in graph.output[1:]}
        assert taken
        assert taken == given

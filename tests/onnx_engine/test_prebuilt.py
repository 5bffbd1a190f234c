"""Graphs that come with the package: they are what the builders make, and the usual models need nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from recodec import EncodecConfig, presets
from recodec.onnx_engine import OnnxEngine, cache, sessions
from recodec.onnx_engine.cache import PREBUILT, GraphCache
from recodec.onnx_engine.prebuild import graphs_of, usual_networks
from support import onnx_support as support

WITHOUT_ONNX = """
import sys
sys.modules["onnx"] = None  # an import of it fails
import numpy as np
from recodec import Codec
codec = Codec.from_pretrained()
audio = np.linspace(-0.5, 0.5, 1000, dtype=np.float32)[None]
for bandwidth in codec.config.target_bandwidths:
    data = codec.compress(audio, bandwidth)
    for decoder in ("encodec", "auto"):
        assert codec.decompress(data, decoder=decoder).shape == (1, 1000)
"""


@pytest.mark.parametrize("name", usual_networks())
def test_the_files_are_what_is_built(name: str) -> None:
    """If this fails: `make graphs`."""
    config = usual_networks()[name]
    folder, cached = PREBUILT / GraphCache(config).prebuilt_folder.name, GraphCache(config)
    built = dict(graphs_of(config))
    assert sorted(path.name.rpartition("-")[0] for path in folder.glob("*.onnx")) == sorted(built)
    for graph_name, graph in built.items():
        loaded = cached.load(graph_name)
        assert loaded is not None
        # Not bytes: another version of the package `onnx` may write them in another order.
        assert onnx.load_from_string(loaded) == onnx.load_from_string(graph)


def test_no_folder_is_left_over() -> None:
    wanted = {GraphCache(config).prebuilt_folder.name for config in usual_networks().values()}
    assert {path.name for path in PREBUILT.iterdir() if path.is_dir()} == wanted


def test_the_shipped_model_needs_no_onnx_and_writes_no_cache(tmp_path: Path) -> None:
    environment = {**os.environ, "RECODEC_CACHE": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", WITHOUT_ONNX], check=True, env=environment)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("preset", [presets.encodec_24khz, presets.encodec_48khz, presets.encodec_32khz])
def test_metas_models_have_all_their_graphs(preset: Callable[[], EncodecConfig]) -> None:
    """Those of a checkpoint's config.json, too, which says more than the preset."""
    config = EncodecConfig.from_dict({**preset().to_dict(), "transformers_version": "4.31.0"})
    own = GraphCache(config, Path("nowhere"))
    assert all(own.load(name) is not None for name, _ in graphs_of(config))


def test_numbers_of_codebooks_between_bandwidths_are_the_first_codes_of_more() -> None:
    engine = OnnxEngine.from_pretrained()
    audio = support.audio(engine.config, 3000)
    all_codes, _ = engine.encode_segment(audio, 16)
    for count in (1, 3, 5, 13):
        codes, _ = engine.encode_segment(audio, count)
        np.testing.assert_array_equal(codes, all_codes[:, :count])
        assert codes.flags.c_contiguous


def test_a_model_of_another_shape_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECODEC_CACHE", str(tmp_path))
    monkeypatch.setattr(sessions, "find_spec", lambda name: None)
    engine = support.engine_of(support.torch_model("reflect"))
    with pytest.raises(sessions.ConfigError, match=r"encoder\.whole of this model.*pip install 'recodec\[onnx\]'"):
        engine.encode_segment(support.audio(support.TINY, 3000), 2)


def test_a_damaged_file_of_the_package_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "PREBUILT", tmp_path)
    cached = GraphCache(support.TINY, tmp_path / "own")
    cache.write_graph(cached.prebuilt_folder, "encoder.step", b"graph")
    assert cached.load("encoder.step") == b"graph"
    (path,) = cached.prebuilt_folder.iterdir()
    path.write_bytes(b"grapH")
    assert cached.load("encoder.step") is None

"""Graphs on disk: where, when they are used, and that nothing depends on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recodec.onnx_engine import OnnxEngine, build, cache, cache_folder
from recodec.onnx_engine.cache import GraphCache
from support import onnx_support as support
from support import peers

CONFIG = support.TINY


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECODEC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def use_an_engine() -> np.ndarray:
    engine = support.engine_of(support.torch_model("reflect"))
    return engine.encode_segment(support.audio(CONFIG, 3000), 2)[0]


def test_the_folder_is_the_users_choice_then_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, "/home/me")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("RECODEC_CACHE", "/mine")
    assert cache_folder() == Path("/mine")
    monkeypatch.delenv("RECODEC_CACHE")
    assert cache_folder() == Path("/xdg/recodec")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path("/home/me/.cache/recodec")
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == Path("/home/me/Library/Caches/recodec")
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert cache_folder() == Path("/local/recodec/Cache")
    monkeypatch.delenv("LOCALAPPDATA")
    assert cache_folder() == Path("/home/me/AppData/Local/recodec/Cache")


def test_graphs_are_built_once_and_hold_no_weights(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = use_an_engine()
    files = list(folder.rglob("*.onnx"))
    assert sorted(path.name.partition("-")[0] for path in files) == ["encoder.whole", "quantizer.2"]
    assert all(path.stat().st_size < 50_000 for path in files)

    def never(*_: object) -> None:
        raise AssertionError("built again")

    monkeypatch.setattr(build, "build", never)
    np.testing.assert_array_equal(use_an_engine(), first)


def test_a_damaged_graph_is_built_anew(folder: Path) -> None:
    first = use_an_engine()
    graphs = {path: path.read_bytes() for path in folder.rglob("*.onnx")}
    for path, content in graphs.items():
        path.write_bytes(content[: len(content) // 2])
    np.testing.assert_array_equal(use_an_engine(), first)
    assert {path: path.read_bytes() for path in graphs} == graphs


def test_no_wrong_bit_of_a_graph_passes(folder: Path) -> None:
    """ONNX Runtime takes most of them, and some change codes."""
    cached = GraphCache(CONFIG)
    cached.save("encoder.step", bytes(100))
    (path,) = folder.rglob("*.onnx")
    for bit in range(0, 800, 13):
        content = bytearray(100)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        assert cached.load("encoder.step") is None
    path.write_bytes(bytes(100))
    assert cached.load("encoder.step") == bytes(100)


def test_a_folder_that_cannot_be_written_is_no_error(folder: Path) -> None:
    folder.write_text("in the way")
    assert use_an_engine().shape == (1, 2, 10)


def test_without_a_home_folder_graphs_are_built_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(cache, "cache_folder", no_home)
    assert use_an_engine().shape == (1, 2, 10)


def test_another_configuration_or_another_builder_has_graphs_of_its_own(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    GraphCache(CONFIG).save("encoder.step", b"graph")
    assert GraphCache(CONFIG).load("encoder.step") == b"graph"
    assert GraphCache(CONFIG).load("encoder.end") is None
    assert GraphCache(peers.variant(CONFIG, num_filters=3)).load("encoder.step") is None
    source = tmp_path / "layers.py"
    source.write_text("changed")
    monkeypatch.setattr(cache, "_BUILDERS", (*cache._BUILDERS[:-1], source))
    assert GraphCache(CONFIG).load("encoder.step") is None


def test_every_module_that_builds_graphs_counts() -> None:
    """A module of this room that imports `onnx`, or that one of those imports, decides what graphs look like."""
    room = Path(cache.__file__).parent
    builders = {path.name for path in room.glob("*.py") if "\nfrom onnx import" in path.read_text()}  # not for types
    builders -= {"export.py", "export_readme.py", "export_web.py"}  # they use the graphs
    assert builders | {"layers.py", "plan.py"} <= {path.name for path in cache._BUILDERS}
    assert all(path.is_file() for path in cache._BUILDERS)


def test_engines_of_other_weights_share_graphs(folder: Path) -> None:
    use_an_engine()
    before = sorted(folder.rglob("*"))
    other = peers.random_model(CONFIG, seed=1)
    engine = OnnxEngine(CONFIG, peers.to_arrays(other.state_dict()), threads=1)
    x = support.audio(CONFIG, 3000)
    latents, codes, _ = support.torch_encode(other, x)
    support.assert_codes_fit(other, latents, engine.encode_segment(x, 2)[0], codes[:, :2])
    assert sorted(folder.rglob("*")) == before


def test_settings_that_no_graph_depends_on_share_graphs() -> None:
    def key(**settings: object) -> str:
        return cache.graph_settings(peers.variant(CONFIG, **settings))

    assert (
        key(sampling_rate=2 * CONFIG.sampling_rate, target_bandwidths=[2 * b for b in CONFIG.target_bandwidths])
        == key()
    )
    assert key(target_bandwidths=CONFIG.target_bandwidths[:2]) != key()  # another number of codebooks
    assert key(pad_mode="constant") != key()

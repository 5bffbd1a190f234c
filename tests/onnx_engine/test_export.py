"""Exported files, run by ONNX Runtime alone as their README says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from click.testing import CliRunner

from recodec.cli.export import export
from recodec.errors import ConfigError
from recodec.onnx_engine.export import export_model, export_tensors
from support import onnx_support as support
from support import peers

ENDS = {"encoder": ("audio", "codes"), "decoder": ("codes", "audio")}


def export_of(name: str, folder: Path) -> list[Path]:
    model = support.torch_model(name)
    return export_tensors(model.config, peers.to_arrays(model.state_dict()), folder)


class Deployed:
    """What a program without this package does."""

    def __init__(self, folder: Path, part: str) -> None:
        self.sessions = {path.stem: ort.InferenceSession(path) for path in folder.glob(f"{part}*.onnx")}
        self.part, (self.takes, self.gives) = part, ENDS[part]
        self.states: dict[str, Any] = {}
        for value in self.sessions[part].get_inputs():
            if value.name not in ("audio", "codes", "scale"):
                self.states[value.name] = np.zeros([1 if d == "batch" else d for d in value.shape], np.float32)

    def push(self, x: np.ndarray, end: str = "") -> np.ndarray:
        session = self.sessions[self.part + end]
        feed = {} if end == "_start" else self.states
        names = [value.name for value in session.get_outputs()]
        out: dict[str, Any] = dict(zip(names, session.run(names, {self.takes: x, **feed}), strict=True))
        self.states = {name: out[f"{name}.next"] for name in self.states if f"{name}.next" in out}
        return out[self.gives]


@pytest.mark.parametrize("name", ["reflect", "constant", "deep", "trimmed"])
def test_a_stream_as_the_readme_tells_it(name: str, tmp_path: Path) -> None:
    engine, hop = support.onnx_engine(name), support.CAUSAL[name].hop_length
    files = export_of(name, tmp_path)
    assert {path.name for path in files} == {path.name for path in tmp_path.iterdir()}
    x = support.audio(engine.config, 30 * hop + hop // 2)
    codes, _ = engine.encode_segment(x, engine.config.num_quantizers)
    encoder, decoder = Deployed(tmp_path, "encoder"), Deployed(tmp_path, "decoder")

    first = "_start" if "encoder_start" in encoder.sessions else ""
    pushes = [encoder.push(x[..., : 20 * hop], first)]
    pushes += [encoder.push(x[..., i * hop : (i + 1) * hop]) for i in range(20, 29)]
    pushes.append(encoder.push(x[..., 29 * hop :], "_end"))
    np.testing.assert_array_equal(np.concatenate(pushes, -1), codes)

    first = "_start" if "decoder_start" in decoder.sessions else ""
    last = "_end" if "decoder_end" in decoder.sessions else ""
    pushes = [decoder.push(codes[..., :20], first)]
    pushes += [decoder.push(codes[..., i : i + 2]) for i in range(20, 28, 2)]
    pushes.append(decoder.push(codes[..., 28:], last))
    support.assert_near(np.concatenate(pushes, -1), engine.decode_segment(codes, None), 1e-5)


def test_a_segment_of_a_model_that_is_not_causal(tmp_path: Path) -> None:
    engine = support.onnx_engine("non-causal group norm")
    export_of("non-causal group norm", tmp_path)
    x = support.audio(engine.config, 3000)
    expected, scales = engine.encode_segment(x, 8)
    sessions = {path.stem: ort.InferenceSession(path) for path in tmp_path.glob("*.onnx")}
    encoded: Any = sessions["encoder"].run(["codes", "scale"], {"audio": x})
    codes, scale = encoded
    np.testing.assert_array_equal(codes, expected)
    np.testing.assert_array_equal(scale, scales)
    decoded: Any = sessions["decoder"].run(["audio"], {"codes": codes, "scale": scale})
    support.assert_near(decoded[0], engine.decode_segment(codes, scales), 1e-5)


@pytest.mark.parametrize("name", ["reflect", "trimmed", "non-causal group norm"])
def test_the_readme_names_every_file_input_and_output(name: str, tmp_path: Path) -> None:
    files = export_of(name, tmp_path)
    text = (tmp_path / "README.md").read_text()
    for path in files:
        if path.suffix == ".onnx":
            onnx.checker.check_model(path, full_check=True)
            assert f"| `{path.name}` |" in text
            graph = onnx.load(path).graph
            for value in (*graph.input, *graph.output):
                assert f"`{value.name.removesuffix('.next')}`" in text
    assert "{" not in text


def test_a_bandwidth_sets_the_number_of_codebooks(tmp_path: Path) -> None:
    model = support.torch_model("constant")
    model.save_pretrained(tmp_path)
    export_model(tmp_path, tmp_path / "out", bandwidth=0.9)
    session = ort.InferenceSession(tmp_path / "out" / "encoder.onnx")
    assert session.get_outputs()[0].shape[1] == 2
    with pytest.raises(ConfigError, match=r"0\.9"):
        export_model(tmp_path, tmp_path / "out", bandwidth=1.0)


def test_files_are_replaced_only_on_demand(tmp_path: Path) -> None:
    support.torch_model("constant").save_pretrained(tmp_path)
    run = lambda *more: CliRunner().invoke(export, [str(tmp_path / "out"), "--model", str(tmp_path), *more])  # noqa: E731
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "decoder.onnx").write_text("mine")
    assert run().exit_code == 2
    assert [path.read_text() for path in (tmp_path / "out").iterdir()] == ["mine"]
    result = run("--force")
    assert result.exit_code == 0, result.output
    assert result.output.count("MB") == len(list((tmp_path / "out").iterdir()))
    onnx.checker.check_model(tmp_path / "out" / "decoder.onnx")

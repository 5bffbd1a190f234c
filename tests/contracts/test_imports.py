"""What is loaded when: each test looks at `sys.modules` of a fresh interpreter.

import-linter (`make lint`) knows which file names which; only a running interpreter knows what an
import loads.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import recodec

PACKAGE = Path(recodec.__file__).parent
TORCH_ROOMS = (
    "nn",
    "model",
    "training",
    "bridges",
    "codec/torch_engine.py",
    "tokenize/dataset.py",
    "lm/float_network.py",
    "lm/meta_network.py",
    "lm/meta_coder.py",
)
HEAVY = {"huggingface_hub", "numpy", "onnx", "onnxruntime", "safetensors", "soundfile", "torch", "transformers"}


def loaded_by(code: str) -> set[str]:
    """Top-level packages, and modules of ours, that are loaded after running `code` in a new interpreter."""
    code += "\nimport sys, json; print(json.dumps([m for m in sys.modules if '.' not in m or m.startswith('recodec')]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def runtime_modules() -> list[str]:
    """All modules of the tier that works without torch."""
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if not place.startswith(TORCH_ROOMS) and path.name != "__main__.py":
            names.append("recodec." + place.removesuffix(".py").removesuffix("__init__").replace("/", ".").rstrip("."))
    return [name.rstrip(".") for name in names]


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = loaded_by("import recodec; recodec.RecodecError; recodec.__version__; dir(recodec)")
    assert "recodec.errors" in loaded
    assert not loaded & HEAVY


def test_a_configuration_needs_nothing_heavy() -> None:
    assert not loaded_by("import recodec; recodec.EncodecConfig(); import recodec.presets") & HEAVY


def test_no_module_of_the_runtime_tier_loads_torch() -> None:
    modules = runtime_modules()
    assert {"recodec", "recodec.checkpoint", "recodec.config"} <= set(modules)
    loaded = loaded_by("".join(f"import {module}\n" for module in modules))
    assert set(modules) <= loaded
    assert not loaded & {"torch", "transformers", "encodec"}


def test_training_is_loaded_by_its_verb_alone() -> None:
    others = [f"recodec.{place}" for place in ("model.encodec", "model.pretrained", "nn")]
    loaded = loaded_by("".join(f"import {module}\n" for module in [*runtime_modules(), *others]))
    assert "torch" in loaded
    assert not [module for module in loaded if module.startswith("recodec.training.")]


def test_the_public_names_are_those_that_dir_shows() -> None:
    assert dir(recodec) == sorted(recodec.__all__)
    for name in recodec.__all__:
        assert getattr(recodec, name) is getattr(recodec, name)
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        recodec.Nonsense  # noqa: B018


def test_without_torch_its_names_say_what_to_install() -> None:
    code = "import sys; sys.modules['torch'] = None\nimport recodec\nrecodec.EncodecConfig\n"
    code += "try: recodec.EncodecModel\nexcept ModuleNotFoundError as error: print(error)\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "EncodecModel needs torch: pip install 'recodec[torch]'"


def test_each_public_name_of_a_class_names_one_thing() -> None:
    """But for layer records, whose layers are called like them, and what stands in for classes of `transformers`."""
    places: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE).as_posix()
        if place not in ("architecture.py", "spectral.py") and not place.startswith("bridges/"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places.setdefault(node.name, set()).add(place)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_files_and_functions_stay_small() -> None:
    """Files up to 350 lines, functions up to 50 without their docstring."""
    long = []
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if (lines := text.count("\n")) > 350:
            long.append(f"{path.name}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                size = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
                if size > 50:
                    long.append(f"{path.name}, {node.name}: {size} lines")
    assert long == []

"""How the kernel is compiled: with a compiler and without, with sanitizers, for pages, and as a part of wheels."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recodec.lm import native_kernel, native_probe
from recodec.lm.native import build
from recodec.lm.native_library import Library, usable_levels
from recodec.lm.native_probe import hashed
from recodec.lm.network import ExactLM
from recodec.lm.numpy_kernel import NumpyKernel
from recodec.lm.tables import exp2_table

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


def has_compiler() -> bool:
    try:
        build.compiler()
    except build.BuildError:
        return False
    return build.machine() in build.LEVELS


compiled = pytest.mark.skipif(not has_compiler(), reason="there is no compiler")


@compiled
def test_what_is_compiled_counts_rightly(tmp_path: Path) -> None:
    made = build.build(tmp_path)
    levels = usable_levels(made)
    assert levels
    assert all(native_probe.probe(Library(made, level)) for level in levels)


def test_without_a_compiler_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(build.BuildError, match="there is no C compiler"):
        build.build(tmp_path)
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(build.BuildError, match="no-such-compiler cannot be run"):
        build.build(tmp_path)
    monkeypatch.setattr(build.platform, "machine", lambda: "riscv64")
    monkeypatch.delenv("ARCHFLAGS", raising=False)
    with pytest.raises(build.BuildError, match="not written for riscv64"):
        build.build(tmp_path)


def hook(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[str]]:
    """The hook of hatch_build.py, and the list of what it warns of."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    said: list[str] = []

    class App:
        display_warning = staticmethod(said.append)

    made = module.NativeBuildHook.__new__(module.NativeBuildHook)
    for name, value in {"root": str(ROOT), "target_name": "wheel", "app": App}.items():
        monkeypatch.setattr(type(made), name, value, raising=False)
    return made, said


def fake_build(monkeypatch: pytest.MonkeyPatch, hook: Any, result: Path | Exception) -> None:
    """What the hook compiles is this, so that no test replaces the library that others have open."""

    class Fake:
        BuildError = build.BuildError
        machine = staticmethod(lambda: "x86_64")

        @staticmethod
        def build() -> Path:
            if isinstance(result, Exception):
                raise result
            return result

    monkeypatch.setitem(hook.initialize.__globals__, "_builder", lambda path: Fake)


def test_a_wheel_with_a_kernel_is_for_one_kind_of_machine_and_all_pythons(monkeypatch: pytest.MonkeyPatch) -> None:
    made, said = hook(monkeypatch)
    fake_build(monkeypatch, made, Path("kernel.so"))
    monkeypatch.setattr("sysconfig.get_platform", lambda: "macosx-11.0-universal2")
    data: dict[str, Any] = {"artifacts": []}
    made.initialize("standard", data)
    assert data == {"artifacts": ["src/recodec/lm/native/kernel.so"], "pure_python": False,
                    "tag": "py3-none-macosx_11_0_x86_64"}  # fmt: skip
    assert not said


def test_a_wheel_without_a_compiler_is_pure_and_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made, said = hook(monkeypatch)
    fake_build(monkeypatch, made, build.BuildError("there is no C compiler"))
    data: dict[str, Any] = {"artifacts": []}
    monkeypatch.delenv("RECODEC_BUILD_NATIVE", raising=False)
    made.initialize("standard", data)
    assert data == {"artifacts": []}
    assert said == ["recodec: there is no C compiler; without its compiled kernel, entropy coding is slower"]
    monkeypatch.setenv("RECODEC_BUILD_NATIVE", "1")
    with pytest.raises(build.BuildError):
        made.initialize("standard", data)
    monkeypatch.setenv("RECODEC_BUILD_NATIVE", "0")
    fake_build(monkeypatch, made, Path("kernel.so"))
    made.initialize("standard", data)
    assert data == {"artifacts": []}


def test_the_fractions_are_those_of_the_rule() -> None:
    text = (build.HERE / "tables.h").read_text()
    block = text.partition("FRACTIONS[1 << STEP_BITS] = {")[2].partition("};")[0]
    fractions = [int(word.rstrip("u")) for word in block.replace(",", " ").split()]
    assert [((f >> 10) + 1) >> 1 for f in fractions] == exp2_table(20)[:64].tolist()
    assert [((f >> 16) + 1) >> 1 for f in fractions] == exp2_table(14)[:64].tolist()


def test_the_module_for_pages_is_that_of_the_sources() -> None:
    """If this fails: `python src/recodec/lm/native/build.py --wasm`, with clang and lld."""
    facts = json.loads((build.HERE / "lm.wasm.json").read_text())
    assert facts["sources"] == build.source_digest()
    assert facts["sha256"] == hashlib.sha256((build.HERE / build.WASM).read_bytes()).hexdigest()


@pytest.mark.skipif(shutil.which(build.wasm_compiler()) is None or shutil.which("wasm-ld") is None, reason="no clang")
def test_the_module_for_pages_is_made_again_alike(tmp_path: Path) -> None:
    facts = json.loads((build.HERE / "lm.wasm.json").read_text())
    again = build.wasm_facts(build.build_wasm(tmp_path))
    if again["compiler"] != facts["compiler"]:
        pytest.skip(f"it was made by {facts['compiler']}, here is {again['compiler']}")
    assert again == facts


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
def test_the_module_for_pages_counts_rightly(tmp_path: Path) -> None:
    config, tensors = native_probe.CONFIG, native_probe.toy_tensors()
    names = native_kernel._names(config)
    for name in names:
        (tmp_path / name).write_bytes(tensors[name].tobytes())
    codes = hashed(1, (5, 3, 130), 10**6) % config.codebook_size
    (tmp_path / "codes").write_bytes(np.ascontiguousarray(codes.swapaxes(1, 2), "<i4").tobytes())
    noise = [hashed(9 + p, (200,), 127).astype(np.int8).tobytes() for p in range(5)]
    sizes = native_kernel.sizes_of(config).tolist()
    job = {"sizes": sizes, "tensors": names, "packets": 5, "codebooks": 3, "frames": 130,
           "symbols": config.codebook_size, "noise": [base64.b64encode(n).decode() for n in noise]}  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps(job))
    done = subprocess.run(["node", str(HERE / "wasm_probe.mjs"), str(build.HERE / build.WASM), str(tmp_path)],
                          capture_output=True, text=True, check=True)  # fmt: skip
    found = json.loads(done.stdout)
    kernel = NumpyKernel(ExactLM(config, tensors))
    scores = np.empty((5, 130, 3, config.codebook_size), np.float32)
    starts, freqs = kernel.intervals(codes, scores)
    assert [base64.b64decode(text) for text in found["payloads"]] == kernel.encode(codes)
    assert base64.b64decode(found["starts"]) == starts.astype("<i4").tobytes()
    assert base64.b64decode(found["freqs"]) == freqs.astype("<i4").tobytes()
    assert np.array_equal(np.frombuffer(base64.b64decode(found["scores"]), "<f4"), scores.ravel())
    decoded = np.frombuffer(base64.b64decode(found["decoded"]), "<i4").reshape(5, 130, 3).swapaxes(1, 2)
    assert np.array_equal(decoded, kernel.decode(noise, 3, [130] * 5))


@compiled
@pytest.mark.skipif(sys.platform != "linux", reason="how sanitizers are loaded differs by system")
def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    """Golden, random and damaged input under the sanitizers of addresses and undefined behaviour."""
    try:
        library = build.build(tmp_path, build.SANITIZERS)
        asan = subprocess.run([*build.compiler(), "-print-file-name=libasan.so"], capture_output=True, text=True).stdout
    except build.BuildError as error:
        pytest.skip(f"no sanitizers: {error}")
    if not Path(asan.strip()).is_file():
        pytest.skip("no libasan.so")
    environment = {**os.environ, "LD_PRELOAD": asan.strip(), "ASAN_OPTIONS": "detect_leaks=0",
                   "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "fuzz" / "fuzz_lm.py"), "--library", str(library), "--count", "40"],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "all as NumPy has them" in done.stdout

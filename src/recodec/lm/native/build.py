"""Compile the kernel: `python src/recodec/lm/native/build.py` puts the shared library beside this file.

    python build.py                 the library for this machine, with the compiler of $CC, or cc, gcc or clang
    python build.py --wasm          lm.wasm and lm.wasm.json, with clang and lld
    python build.py --sanitize DIR  the library with the address and undefined-behaviour sanitizers, into DIR

`hatch_build.py` calls it for a wheel or an editable installation. It imports nothing but the standard library.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBRARY = {"win32": "kernel.dll", "darwin": "kernel.dylib"}.get(sys.platform, "kernel.so")
WASM = "lm.wasm"

_AVX512 = ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq"]
LEVELS: dict[str, dict[str, list[str]]] = {
    "x86_64": {"sse2": [], "avx2": ["-mavx2"], "avx512": _AVX512, "avx512vnni": [*_AVX512, "-mavx512vnni"]},
    "arm64": {"neon": []},
}
"""By kind of processor: sets of instructions, and what makes a compiler use them. The first must compile."""

_MSVC = {
    "sse2": [], "avx2": ["/arch:AVX2"], "avx512": ["/arch:AVX512"],
    "avx512vnni": ["/arch:AVX512", "/D__AVX512VNNI__"], "neon": [],
}  # fmt: skip
_MACHINES = {"AMD64": "x86_64", "aarch64": "arm64", "ARM64": "arm64"}

# No fused and no reordered floating-point operation: docs/exact-entropy.md says why.
_FLAGS = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden"]
SANITIZERS = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
_WASM_FLAGS = ["--target=wasm32", "-msimd128", "-mbulk-memory", "-ffreestanding", "-nostdlib", "-Wl,--no-entry",
               "-Wl,--export-dynamic", "-Wl,--export=__heap_base", "-Wl,--strip-all"]  # fmt: skip


class BuildError(Exception):
    """The library could not be built; the message says why."""


def machine() -> str:
    """The kind of processor that is compiled for. On a Mac the flags in $ARCHFLAGS may name another than this one."""
    flags = os.environ.get("ARCHFLAGS", "").split()
    if sys.platform == "darwin" and flags[:1] == ["-arch"] and len(flags) == 2:
        return flags[1]
    return _MACHINES.get(platform.machine(), platform.machine())


def compiler() -> list[str]:
    """The command of a C compiler.

    Raises:
        BuildError: if there is none.
    """
    if chosen := os.environ.get("CC"):
        return chosen.split()
    for name in ("clang", "gcc", "cl") if sys.platform == "win32" else ("cc", "gcc", "clang"):
        if found := shutil.which(name):
            return [found]
    raise BuildError("there is no C compiler")


def build(folder: Path = HERE, extra: Sequence[str] = ()) -> Path:
    """Compile all sets of instructions that the compiler knows, into one shared library.

    Args:
        folder: where to put it.
        extra: flags more.

    Raises:
        BuildError: if it cannot be made.
    """
    levels = LEVELS.get(machine())
    if levels is None:
        raise BuildError(f"the kernel is not written for {machine()}")
    cc = compiler()
    with tempfile.TemporaryDirectory() as temporary:
        objects = [_compile(cc, "levels.c", "levels", [], Path(temporary), extra)]
        for number, (level, flags) in enumerate(levels.items()):
            try:
                objects.append(_compile(cc, "kernel.c", level, flags, Path(temporary), extra))
            except BuildError as error:
                if number == 0:
                    raise
                print(f"recodec: {level} is left out: {error}", file=sys.stderr)
        made = Path(temporary) / LIBRARY
        _run(_link(cc, objects, made, extra))
        folder.mkdir(parents=True, exist_ok=True)
        # Beside its place first: a process that has the old one open keeps it.
        shutil.copyfile(made, folder / f"{LIBRARY}.new")
        os.replace(folder / f"{LIBRARY}.new", folder / LIBRARY)
    return folder / LIBRARY


def _compile(cc: list[str], source: str, level: str, flags: list[str], to: Path, extra: Sequence[str]) -> Path:
    target = to / f"{level}.o"
    if _is_msvc(cc):
        _run([*cc, "/nologo", "/std:c11", "/O2", "/fp:precise", *_MSVC.get(level, []), f"/DSUFFIX=_{level}", "/c",
              str(HERE / source), f"/Fo{target}"])  # fmt: skip
    else:
        position = [] if sys.platform == "win32" else ["-fPIC"]
        _run([*cc, *_FLAGS, *position, *_architecture(), *flags, *extra, f"-DSUFFIX=_{level}", "-c", str(HERE / source),
              "-o", str(target)])  # fmt: skip
    return target


def _link(cc: list[str], objects: list[Path], made: Path, extra: Sequence[str]) -> list[str]:
    names = [str(path) for path in objects]
    if _is_msvc(cc):
        return [*cc, "/nologo", "/LD", *names, f"/Fe{made}"]
    return [*cc, "-shared", *_architecture(), *extra, *names, "-o", str(made)]


def _architecture() -> list[str]:
    return ["-arch", machine()] if sys.platform == "darwin" else []


def _is_msvc(cc: list[str]) -> bool:
    return Path(cc[0]).stem.lower() == "cl"


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise BuildError(f"{command[0]} cannot be run: {error.strerror}") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise BuildError(f"{command[0]} fails: {lines[0] if lines else 'it does not say why'}")


def build_wasm(folder: Path = HERE) -> Path:
    """Compile `lm.wasm`, and write beside it what it was made of and with what.

    Raises:
        BuildError: if it cannot be made.
    """
    target = folder / WASM
    _run([wasm_compiler(), *_FLAGS, *_WASM_FLAGS, str(HERE / "kernel.c"), "-o", str(target)])
    (folder / f"{WASM}.json").write_text(json.dumps(wasm_facts(target), indent=2) + "\n", encoding="utf-8")
    return target


def wasm_compiler() -> str:
    """The clang that makes WebAssembly: $WASM_CC, or clang."""
    return os.environ.get("WASM_CC", "clang")


def wasm_facts(path: Path) -> dict[str, str]:
    """What `lm.wasm.json` says of a module: its compiler, its command, and digests of its sources and of itself."""
    version = subprocess.run([wasm_compiler(), "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "command": "python src/recodec/lm/native/build.py --wasm",
        "compiler": version.splitlines()[0],
        "sources": source_digest(),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def source_digest() -> str:
    """SHA-256 of all that `lm.wasm` is made of."""
    digest = hashlib.sha256(" ".join([*_FLAGS, *_WASM_FLAGS]).encode())
    for path in sorted([*HERE.glob("*.h"), HERE / "kernel.c"], key=lambda path: path.name):
        digest.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wasm", action="store_true")
    parser.add_argument("--sanitize", type=Path, metavar="DIR")
    options = parser.parse_args()
    try:
        if options.wasm:
            print(build_wasm())
        elif options.sanitize is not None:
            print(build(options.sanitize, SANITIZERS))
        else:
            print(build())
    except BuildError as error:
        print(f"recodec: no compiled kernel: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

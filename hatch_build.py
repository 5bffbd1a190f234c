"""Hatchling's hook: wheels and editable installations get the compiled kernel of the language model, if it can be made.

Without a compiler the wheel is pure Python, and entropy coding is slower: the bytes are the same.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NATIVE = Path("src") / "recodec" / "lm" / "native"


class NativeBuildHook(BuildHookInterface):
    """Compiles `src/recodec/lm/native/` in place; `RECODEC_BUILD_NATIVE=0` leaves it out, `1` insists on it."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say in the wheel's name for which machine it is."""
        wanted = os.environ.get("RECODEC_BUILD_NATIVE", "")
        if self.target_name != "wheel" or wanted == "0":
            return
        build = _builder(Path(self.root) / NATIVE / "build.py")
        try:
            library = build.build()
        except (build.BuildError, OSError) as error:
            if wanted == "1":
                raise
            self.app.display_warning(f"recodec: {error}; without its compiled kernel, entropy coding is slower")
            return
        # The library lies in the folder of the package, where an editable installation looks. Git ignores it, so that a
        # wheel has to be told of it.
        build_data["artifacts"].append((NATIVE / library.name).as_posix())
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform(build.machine())}"


def _platform(machine: str) -> str:
    """The last part of a wheel's name. Python for Macs may be for two kinds of processor; the library is for one."""
    name = sysconfig.get_platform().replace("universal2", machine)
    return name.replace("-", "_").replace(".", "_")


def _builder(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("recodec_native_build", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module

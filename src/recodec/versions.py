"""Versions of what a result was made with."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

ENGINES = ("onnxruntime", "numpy", "soundfile", "soxr", "torch", "av", "transformers")
"""Packages that the codec runs on."""


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """The version of Python with the system, and those of the packages that are installed, by name."""
    found = {"Python": f"{platform.python_version()}, {platform.system()} {platform.machine()}"}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found

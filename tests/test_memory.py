"""Memory of freed arrays goes back to the system."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import numpy as np
from recodec.memory import return_freed_arrays

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6

if {asked}:
    return_freed_arrays()
np.ones(1 << 24, np.uint8)  # glibc keeps more, once such an array was freed
before = resident_mb()
arrays, kept = [], []
for _ in range(48):
    arrays.append(np.ones(1 << 20, np.uint8))
    kept.append(np.ones(1 << 12, np.uint8))
del arrays
print(resident_mb() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's figures")
def test_freed_arrays_are_given_back() -> None:
    held = [
        float(subprocess.run([sys.executable, "-c", SCRIPT.format(asked=asked)], capture_output=True, text=True,
                             check=True).stdout)
        for asked in (False, True)
    ]  # fmt: skip
    assert held[1] < 8
    assert held[1] <= held[0]  # 48 MB and more with glibc

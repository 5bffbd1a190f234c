"""Write the golden files of `.ecdc` version 1 anew: `PYTHONPATH=src python tests/golden/regenerate_wire_v1.py`.

Never run by tests. These files are promises to readers of older files: a change here is a new version of the
format, with new golden files beside the old ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from support.golden_streams import GOLDEN, build  # noqa: E402


def main() -> None:
    """Write each file."""
    (HERE / "wire_v1").mkdir(exist_ok=True)
    for name in GOLDEN:
        data = build(name)
        (HERE / "wire_v1" / f"{name}.ecdc").write_bytes(data)
        print(f"{name}.ecdc: {len(data)} bytes")


if __name__ == "__main__":
    main()

"""The Ray engine on a real local cluster."""

from __future__ import annotations

import pytest

from .conftest import tree


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes(run, clips):
    ray = pytest.importorskip("ray")
    _, plain = run(clips, "plain")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        for options in ({"processes": 2}, {"processes": 1, "workers": 1}):
            report, other = run(clips, f"with {len(options)}", engine="ray", **options)
            assert report.clips == 12
            assert tree(other) == tree(plain)
            (other / "codes-000001.parquet").unlink()
            run(clips, other.name, engine="ray")
            assert tree(other) == tree(plain)
    finally:
        ray.shutdown()

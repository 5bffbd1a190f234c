"""The Ray engine on a real local cluster."""

from __future__ import annotations

import importlib.util

import pytest

from .conftest import tree

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the package ray is not installed"),
]


def test_a_cluster_gives_the_same_bytes(run, clips):
    import ray

    _, plain = run(clips, "plain")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        for name, options in {"one": {"processes": 2}, "decoders": {"processes": 1, "workers": 1}}.items():
            report, other = run(clips, name, engine="ray", **options)
            assert report.clips == 12
            assert tree(other) == tree(plain)
        (other / "codes-000001.parquet").unlink()
        run(clips, name, engine="ray")
        assert tree(other) == tree(plain)
    finally:
        ray.shutdown()

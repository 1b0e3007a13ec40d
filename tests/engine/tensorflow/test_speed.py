"""kexp's loop is no slower than one that is written by hand, as `tools/bench.py` times them."""

import statistics
import sys
from pathlib import Path

import keras
import pytest

TOOLS = Path(__file__).resolve().parents[3] / "tools"
PAIRS = 3


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(TOOLS), *sys.path])
    import bench_jobs
    import bench_ways

    job = bench_jobs.JOBS["perceptron"]._replace(steps=200)
    return {way: lambda way=way: min(bench_ways.WAYS[way](job, 3)[1:]) for way in ("kexp", "step", "while")}


@pytest.mark.slow
def test_a_perceptron_trains_as_fast_as_by_a_loop_of_ones_own(bench):
    faster = {"step": [], "while": []}
    for _ in range(PAIRS):
        took_s = {}
        for way in ("step", "kexp", "while"):
            keras.backend.clear_session()
            took_s[way] = bench[way]()
        for way, ratios in faster.items():
            ratios.append(took_s[way] / took_s["kexp"])
    # Measured: 1.5 times as fast as a step to a call, 0.8 times as fast as an epoch to a call.
    assert statistics.median(faster["step"]) > 1.0, faster
    assert statistics.median(faster["while"]) > 0.5, faster

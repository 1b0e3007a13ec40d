"""Every recipe as a test parameter, found by itself; most are left to .ci/run and `pytest -m slow`."""

from typing import Any

import pytest

from kexp import recipes

QUICK = ("mlp_images", "mlp_tabular", "lstm_text")  # one for each sort of inputs


def every_recipe() -> list[Any]:
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in recipes.__all__]

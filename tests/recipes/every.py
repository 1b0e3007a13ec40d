"""Every recipe as a test parameter, found by itself; most are left to .ci/run and `pytest -m slow`."""

from typing import Any

import pytest

from kexp import recipes

_SAMPLES = {"quality_samples": 100}
# What makes a recipe small enough to be run again and again, where its defaults take a minute or more.
TINY: dict[str, dict[str, Any]] = {
    "diffusion_images": {"filters": (8, 16), "patch": 2, "steps": 20, "sample_steps": 5, **_SAMPLES},
    "gan_images": {"generator_filters": (16,), "discriminator_filters": (16,), **_SAMPLES},
    "seq2seq": {"units": 32, "beam": 1},
    "transformer_lm": {"width": 32, "depth": 1},
    "unet_segmentation": {"samples": (300, 60, 64)},
}
MAKE_SAMPLES = ("diffusion_images", "gan_images")
QUICK = ("mlp_images", "mlp_tabular")  # texts and series have tests of their own


def every_recipe() -> list[Any]:
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in recipes.__all__]


def tiny(name: str, classifier: str) -> dict[str, Any]:
    """Return arguments that make a recipe small; samples are measured by a classifier that is trained."""
    measured = {"classifier": classifier} if name in MAKE_SAMPLES else {}
    return {**TINY.get(name, {}), **measured}

"""Every recipe as a test parameter, found by itself; most are left to .ci/run and `pytest -m slow`."""

import gzip
from pathlib import Path
from typing import Any

import pytest

import kexp.data
from kexp import recipes

_SAMPLES = {"quality_samples": 100}
# What makes a recipe small enough to be run again and again.
TINY: dict[str, dict[str, Any]] = {
    "audio_commands": {"filters": 16, "blocks": 1, "bands": 20},
    "autoencoder_anomaly": {"hidden": (32,), "filters": (4, 8)},
    "autoencoder_images": {"hidden": (32,)},
    "cnn_images": {"filters": (8,)},
    "cnn_series": {"filters": (16,), "kernel_sizes": (3,)},
    "distill_images": {"filters": (4, 8)},
    "detect_images": {
        "samples": (96, 32, 64),
        "size": (48, 48),
        "objects": (1, 2),
        "sides": (14, 28),
        "filters": (4, 8),
        "width": 8,
    },
    "diffusion_images": {"filters": (8,), "patch": 2, "steps": 20, "sample_steps": 5, **_SAMPLES},
    "finetune_images": {"head_epochs": 1},
    "finetune_text": {"head_epochs": 1, "steps": 8},
    "forecast": {"horizon": 3, "context": 22},
    "gan_images": {"generator_filters": (16,), "discriminator_filters": (16,), **_SAMPLES},
    "image_text": {"filters": (8,), "units": 16, "embedding": 16, "shift": 0.0},
    "lstm_forecast": {"units": (16,)},
    "lstm_series": {"units": (16,)},
    "lstm_text": {"embedding": 16, "units": (16,)},
    "realmlp_tabular": {"hidden": (16,)},
    "seq2seq": {"embedding": 16, "units": 32, "beam": 1},
    "speech_ctc": {"filters": (8,), "units": 16, "bands": 20, "beam": 2},
    "tabular": {"members": 4, "hidden": (16,)},
    "transformer_lm": {"context": 32, "sample_tokens": 8, "width": 32, "depth": 1},
    "transformer_series": {"width": 32, "depth": 1},
    "transformer_text": {"width": 32, "depth": 1},
    "unet_segmentation": {"samples": (96, 32, 64), "canvas": (16, 16), "filters": (4, 8)},
    "vae_images": {"hidden": (32,)},
    "vit_images": {"width": 32, "depth": 1},
}
# Recipes for texts read some lines of what they read by default, from a file as a user has one.
_TEXTS: dict[str, tuple[str, dict[str, Any]]] = {
    "finetune_text": ("first_names.csv", {"text": "name", "target": "label"}),
    "lstm_text": ("first_names.csv", {"text": "name", "target": "label"}),
    "seq2seq": ("pronunciations.csv", {"text": "word", "target": "phonemes"}),
    "transformer_lm": ("moby_dick.txt", {}),
    "transformer_text": ("first_names.csv", {"text": "name", "target": "label"}),
}
_LINES = 500
_EMBEDDED = Path(kexp.data.__file__).parent / "samples"
MAKE_SAMPLES = ("diffusion_images", "gan_images")
QUICK = ("mlp_images", "mlp_tabular")  # texts and series have tests of their own
# Recipes that differ from another one in the network alone: data, task and objective are the same.
ALIKE = {
    "autoencoder_images": "vae_images",
    "cnn_series": "lstm_series",
    "finetune_text": "finetune_images",
    "lstm_text": "transformer_text",
    "realmlp_tabular": "mlp_tabular",
    "transformer_series": "lstm_series",
    "vit_images": "cnn_images",
}


# What is alone in what it trains by: members, players, draws, phases, a teacher, tokens, tables, series,
# boxes, images, pairs.
_OBJECTIVES = (
    *("mlp_images", "mlp_tabular", "detect_images", "diffusion_images", "distill_images"),
    *("finetune_images", "gan_images", "audio_commands", "lstm_forecast", "speech_ctc", "tabular"),
    *("transformer_lm", "vae_images", "image_text"),
)


def every_recipe() -> list[Any]:
    """Return all, first those of `one_of_each_kind`."""
    return [*one_of_each_kind(), *map(_parameter, ALIKE)]


def one_of_each_kind() -> list[Any]:
    """Return all but those that are like another, for what has nothing to do with the network."""
    return [_parameter(name) for name in recipes.__all__ if name not in ALIKE]


def one_of_each_objective() -> list[Any]:
    """Return those that train each in a way of its own, for what has nothing to do with the task either."""
    return list(map(_parameter, _OBJECTIVES))


def _parameter(name: str) -> Any:
    return name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)


def tiny(name: str, digits_run: Path) -> dict[str, Any]:
    """Return arguments that make a recipe small.

    Args:
        name: Of the recipe.
        digits_run: A finished run, whose classifier measures samples, and beside which files can be put.
    """
    arguments = dict(TINY.get(name, {}))
    if name in MAKE_SAMPLES:
        arguments["classifier"] = str(digits_run)
    if name == "finetune_images":
        arguments["backbone"] = str(digits_run)
    if name in _TEXTS:
        file, columns = _TEXTS[name]
        arguments |= {"data": str(_few_lines(file, digits_run.parent / file)), **columns}
    return arguments


def _few_lines(name: str, path: Path) -> Path:
    """Write the first line and others from all over an embedded file, unless that was done."""
    if not path.exists():
        with gzip.open(_EMBEDDED / f"{name}.gz", "rt", encoding="utf-8") as file:
            lines = file.readlines()
        path.write_text("".join([lines[0], *lines[1 :: len(lines) // _LINES]]), encoding="utf-8")
    return path

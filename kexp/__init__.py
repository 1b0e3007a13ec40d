"""Keras 3 experiments that just work: recipes, runs that are recorded, exports that are checked.

The public names are fetched when they are first used, because importing TensorFlow takes seconds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kexp import data as data
    from kexp import metrics as metrics
    from kexp import models as models
    from kexp import recipes as recipes
    from kexp import sweep as sweep
    from kexp import verify as verify
    from kexp.cli import doctor as doctor
    from kexp.cli import launch as launch
    from kexp.core.constraints import Activation as Activation
    from kexp.core.constraints import AtLeast as AtLeast
    from kexp.core.constraints import Between as Between
    from kexp.core.constraints import Normalization as Normalization
    from kexp.core.errors import InputError as InputError
    from kexp.core.errors import TrainingDiverged as TrainingDiverged
    from kexp.core.options import TrainOptions as TrainOptions
    from kexp.core.options import Unpack as Unpack
    from kexp.engine.tensorflow.strategy import scope as scope
    from kexp.evaluation.classifier import classifier_features as classifier_features
    from kexp.evaluation.classifier import sample_quality as sample_quality
    from kexp.evaluation.learning_rate_finder import lr_find as lr_find
    from kexp.evaluation.representation_metrics import code_scores as code_scores
    from kexp.evaluation.representation_metrics import likelihood_scores as likelihood_scores
    from kexp.export import load_exported as load_exported
    from kexp.metrics.image_features import Features as Features
    from kexp.metrics.sample_quality import Quality as Quality
    from kexp.preflight import check as check
    from kexp.run.fit import fit as fit
    from kexp.run.recipe import recipe as recipe
    from kexp.run.reference import Reference as Reference
    from kexp.run.result import Result as Result
    from kexp.run.result import load as load
    from kexp.run.resume import resume as resume
    from kexp.sweep.hypermodel import to_hypermodel as to_hypermodel
    from kexp.sweep.override import When as When
    from kexp.sweep.result import Sweep as Sweep
    from kexp.sweep.result import load_sweep as load_sweep
    from kexp.train import callbacks as callbacks
    from kexp.train import objectives as objectives
    from kexp.train import schedules as schedules

__version__ = "0.1.0"

_HOMES = {
    "Activation": "kexp.core.constraints",
    "AtLeast": "kexp.core.constraints",
    "Between": "kexp.core.constraints",
    "Features": "kexp.metrics.image_features",
    "InputError": "kexp.core.errors",
    "Normalization": "kexp.core.constraints",
    "Quality": "kexp.metrics.sample_quality",
    "Reference": "kexp.run.reference",
    "Result": "kexp.run.result",
    "Sweep": "kexp.sweep.result",
    "TrainOptions": "kexp.core.options",
    "TrainingDiverged": "kexp.core.errors",
    "Unpack": "kexp.core.options",
    "When": "kexp.sweep.override",
    "check": "kexp.preflight",
    "classifier_features": "kexp.evaluation.classifier",
    "code_scores": "kexp.evaluation.representation_metrics",
    "fit": "kexp.run.fit",
    "likelihood_scores": "kexp.evaluation.representation_metrics",
    "load": "kexp.run.result",
    "load_exported": "kexp.export",
    "load_sweep": "kexp.sweep.result",
    "lr_find": "kexp.evaluation.learning_rate_finder",
    "recipe": "kexp.run.recipe",
    "resume": "kexp.run.resume",
    "sample_quality": "kexp.evaluation.classifier",
    "scope": "kexp.engine.tensorflow.strategy",
    "to_hypermodel": "kexp.sweep.hypermodel",
}
_MODULES = {
    "callbacks": "kexp.train.callbacks",
    "data": "kexp.data",
    "doctor": "kexp.cli.doctor",
    "launch": "kexp.cli.launch",
    "metrics": "kexp.metrics",
    "models": "kexp.models",
    "objectives": "kexp.train.objectives",
    "recipes": "kexp.recipes",
    "schedules": "kexp.train.schedules",
    "sweep": "kexp.sweep",
    "verify": "kexp.verify",
}
_NEED_TENSORFLOW = (
    *("callbacks", "check", "classifier_features", "code_scores", "Features", "fit", "likelihood_scores"),
    *("lr_find", "models", "objectives", "Quality", "sample_quality", "schedules", "scope"),
)

__all__ = [*_HOMES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _NEED_TENSORFLOW:
        importlib.import_module("kexp.core.backend").require_tensorflow()
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'kexp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

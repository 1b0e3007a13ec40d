"""Keras 3 experiments that just work: recipes, runs that are recorded, exports that are checked.

The public names are fetched when they are first used, because importing TensorFlow takes seconds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kexp import data as data
    from kexp import doctor as doctor
    from kexp import launch as launch
    from kexp import models as models
    from kexp import recipes as recipes
    from kexp import sweep as sweep
    from kexp import verify as verify
    from kexp.errors import InputError as InputError
    from kexp.errors import TrainingDiverged as TrainingDiverged
    from kexp.export import load_exported as load_exported
    from kexp.ranges import Activation as Activation
    from kexp.ranges import AtLeast as AtLeast
    from kexp.ranges import Between as Between
    from kexp.ranges import Normalization as Normalization
    from kexp.run.classifier import classifier_features as classifier_features
    from kexp.run.classifier import sample_quality as sample_quality
    from kexp.run.codes import code_scores as code_scores
    from kexp.run.codes import likelihood_scores as likelihood_scores
    from kexp.run.fit import fit as fit
    from kexp.run.learning_rate import lr_find as lr_find
    from kexp.run.preflight import check as check
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
    from kexp.train.features import Features as Features
    from kexp.train.options import TrainOptions as TrainOptions
    from kexp.train.options import Unpack as Unpack
    from kexp.train.sample_quality import Quality as Quality
    from kexp.train.strategy import scope as scope

__version__ = "0.1.0"

_HOMES = {
    "Activation": "kexp.ranges",
    "AtLeast": "kexp.ranges",
    "Between": "kexp.ranges",
    "Features": "kexp.train.features",
    "InputError": "kexp.errors",
    "Normalization": "kexp.ranges",
    "Quality": "kexp.train.sample_quality",
    "Reference": "kexp.run.reference",
    "Result": "kexp.run.result",
    "Sweep": "kexp.sweep.result",
    "TrainOptions": "kexp.train.options",
    "TrainingDiverged": "kexp.errors",
    "Unpack": "kexp.train.options",
    "When": "kexp.sweep.override",
    "check": "kexp.run.preflight",
    "classifier_features": "kexp.run.classifier",
    "code_scores": "kexp.run.codes",
    "fit": "kexp.run.fit",
    "likelihood_scores": "kexp.run.codes",
    "load": "kexp.run.result",
    "load_exported": "kexp.export",
    "load_sweep": "kexp.sweep.result",
    "lr_find": "kexp.run.learning_rate",
    "recipe": "kexp.run.recipe",
    "resume": "kexp.run.resume",
    "sample_quality": "kexp.run.classifier",
    "scope": "kexp.train.strategy",
    "to_hypermodel": "kexp.sweep.hypermodel",
}
_MODULES = {
    "callbacks": "kexp.train.callbacks",
    "data": "kexp.data",
    "doctor": "kexp.doctor",
    "launch": "kexp.launch",
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
        importlib.import_module("kexp.backend").require_tensorflow()
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'kexp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

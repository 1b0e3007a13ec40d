"""The public names: one line each, for type checkers and, at run time, for `kexp/__init__.py`."""

from kexp import data as data
from kexp import metrics as metrics
from kexp import models as models
from kexp import recipes as recipes
from kexp import tasks as tasks
from kexp import verify as verify
from kexp.api.fit import fit as fit
from kexp.api.recipe import recipe as recipe
from kexp.cli.doctor import doctor as doctor
from kexp.cli.launch import launch as launch
from kexp.core.constraints import Activation as Activation
from kexp.core.constraints import AtLeast as AtLeast
from kexp.core.constraints import Between as Between
from kexp.core.constraints import Normalization as Normalization
from kexp.core.errors import InputError as InputError
from kexp.core.errors import TrainingDiverged as TrainingDiverged
from kexp.core.options import TrainOptions as TrainOptions
from kexp.core.options import Unpack as Unpack
from kexp.core.options import holdout as holdout
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
from kexp.result import Result as Result
from kexp.result import load as load
from kexp.result import resume as resume
from kexp.run.reference import Reference as Reference
from kexp.sweep.cross_validation import cross_validate as cross_validate
from kexp.sweep.cross_validation_result import CrossValidation as CrossValidation
from kexp.sweep.cross_validation_result import load_cross_validation as load_cross_validation
from kexp.sweep.hypermodel import to_hypermodel as to_hypermodel
from kexp.sweep.space.overrides import When as When
from kexp.sweep.sweep import sweep as sweep
from kexp.sweep.sweep_result import Sweep as Sweep
from kexp.sweep.sweep_result import load_sweep as load_sweep
from kexp.train import callbacks as callbacks
from kexp.train import objectives as objectives
from kexp.train import schedules as schedules

__version__: str

"""What a step minimises: for targets, a teacher, giving the input back, two players, taking noise off."""

from kexp.metrics.training.crossentropy import Crossentropy
from kexp.metrics.training.perplexity import Perplexity
from kexp.train.objectives.adversarial import adversarial
from kexp.train.objectives.autoencoding import reconstruction, variational
from kexp.train.objectives.base import Losses, Objective, Player
from kexp.train.objectives.contrasting import contrastive
from kexp.train.objectives.denoising import denoising
from kexp.train.objectives.detecting import detection
from kexp.train.objectives.distillation import distillation
from kexp.train.objectives.ensemble import ensemble
from kexp.train.objectives.supervised import Supervised, supervised

__all__ = [
    "Crossentropy",
    "Losses",
    "Objective",
    "Perplexity",
    "Player",
    "Supervised",
    "adversarial",
    "contrastive",
    "denoising",
    "detection",
    "distillation",
    "ensemble",
    "reconstruction",
    "supervised",
    "variational",
]

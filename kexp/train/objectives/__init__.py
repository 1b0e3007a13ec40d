"""What a step minimises: for targets, for giving the input back, for two players, for taking noise off."""

from kexp.metrics.training.crossentropy import Crossentropy
from kexp.metrics.training.perplexity import Perplexity
from kexp.train.objectives.adversarial import adversarial
from kexp.train.objectives.autoencoding import reconstruction, variational
from kexp.train.objectives.base import Losses, Objective, Player
from kexp.train.objectives.denoising import denoising
from kexp.train.objectives.supervised import Supervised, supervised

__all__ = [
    "Crossentropy",
    "Losses",
    "Objective",
    "Perplexity",
    "Player",
    "Supervised",
    "adversarial",
    "denoising",
    "reconstruction",
    "supervised",
    "variational",
]

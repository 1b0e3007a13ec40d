"""What a step minimises: for targets, for giving the input back, for two players, for taking noise off."""

from kexp.train.objectives.adversarial import adversarial
from kexp.train.objectives.base import Losses, Objective, Player
from kexp.train.objectives.denoising import denoising
from kexp.train.objectives.reconstruction import reconstruction, variational
from kexp.train.objectives.supervised import Crossentropy, Perplexity, Supervised, gives_logits, supervised

__all__ = [
    "Crossentropy",
    "Losses",
    "Objective",
    "Perplexity",
    "Player",
    "Supervised",
    "adversarial",
    "denoising",
    "gives_logits",
    "reconstruction",
    "supervised",
    "variational",
]

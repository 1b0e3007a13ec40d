"""Names that training options choose from, of the tables in `kexp.train`; tools/stubs.py writes this file."""

from typing import Literal

OptimizerName = Literal[
    "sgd",
    "momentum",
    "nesterov",
    "rmsprop",
    "adam",
    "adamw",
    "adamw95",
    "lion",
    "muon",
    "adadelta",
    "adafactor",
    "adagrad",
    "adamax",
    "ftrl",
    "lamb",
    "nadam",
]
ScheduleName = Literal[
    "constant",
    "cosine",
    "linear",
    "one_cycle",
    "exponential",
    "polynomial",
    "cosine_log",
    "cosine_restarts",
    "plateau",
]

"""Callbacks that Keras lacks, or has in a form that cannot be continued exactly.

Each works in a bare `model.fit`, and hands over what it has to remember: `get_state()` is JSON values,
NumPy arrays and lists of these; after `on_train_begin`, `set_state(state)` makes as if the run had never
been interrupted.
"""

from kexp.train.callbacks.averaging import ExponentialAverage, StochasticWeightAveraging
from kexp.train.callbacks.flat_cosine import FlatCosine
from kexp.train.callbacks.plateau import Plateau
from kexp.train.callbacks.sample_grids import SampleGrids

__all__ = ["ExponentialAverage", "FlatCosine", "Plateau", "SampleGrids", "StochasticWeightAveraging"]

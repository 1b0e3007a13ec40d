"""The outlook of a network against classical methods, by how many samples there are."""

from __future__ import annotations

from kexp.classical import fitting_methods
from kexp.classical.table_features import is_tabular
from kexp.data import Dataset, Stream
from kexp.data.batch_feed import FedSplit
from kexp.preflight.findings import Finding
from kexp.run.training_setup import TrainingSetup

_FEW = 10_000  # training samples


def classical_findings(training: TrainingSetup) -> list[Finding]:
    """Return a finding on what data of such a size usually need; none where no classical method fits.

    Source:
        Grinsztajn, Oyallon and Varoquaux 2022, "Why do tree-based models still outperform deep learning on
        typical tabular data?", for tables of about 10,000 samples.
    """
    raw = training.raw
    if not training.options["compare"] or isinstance(raw.train, Stream | FedSplit):
        return []
    if not fitting_methods(raw):
        return []
    return [Finding("classical", "ok", f"{len(raw.train):,} training samples: {_outlook(raw)}.")]


def _outlook(raw: Dataset) -> str:
    if len(raw.train) < _FEW:
        return "a classical method is often as good; one is trained beside the network"
    if is_tabular(raw):
        return "boosted trees are often as good; a classical method is trained beside the network"
    return "a network is usually better; a classical method is trained beside it, to see"

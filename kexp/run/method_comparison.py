"""The comparison of a trained network with classical methods on the data of its run."""

from __future__ import annotations

from dataclasses import replace

from kexp.classical.classical_comparison import ClassicalComparison
from kexp.data import Stream
from kexp.data.batch_feed import FedSplit
from kexp.data.folds import current_fold
from kexp.run.context import run_context
from kexp.run.final_metrics import Judged
from kexp.run.training_setup import TrainingSetup


def method_comparison(setup: TrainingSetup, judged: Judged) -> ClassicalComparison | None:
    """Return the trained network beside classical methods that fit its data.

    Args:
        setup: Of a run that is trained.
        judged: What its model predicts.

    Returns:
        None where nobody asks: of a trial of a sweep, a fold, a run within another, or with `compare` off.
    """
    context = run_context()
    asked = setup.options["compare"] and context.compares and not context.hides_test
    if not asked or current_fold() is not None:
        return None
    reason = _reason(setup, judged)
    if reason is not None:
        return ClassicalComparison(reason=reason)
    from kexp.classical.method_trials import compare_methods

    prefix, measured = ("val_", setup.raw.validation) if setup.raw.test is None else ("test_", setup.raw.test)
    assert measured is not None
    data = replace(setup.raw, spec=judged.spec)
    return compare_methods(data, measured, judged.predictions, prefix, setup.options["seed"])


def _reason(setup: TrainingSetup, judged: Judged) -> str | None:
    """Return why nothing can be compared, or None."""
    if setup.options["fast_dev_run"] or setup.options["overfit_batches"]:
        return "the network was trained on a few batches alone"
    if isinstance(setup.raw.train, Stream | FedSplit):
        return "the training data come in batches"
    if setup.raw.test is None and setup.raw.validation is None:
        return "there are no data that were held out"
    if not judged.predictions:
        return f"no classical method is known here for {setup.raw.spec.task}"
    return None

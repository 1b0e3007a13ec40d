"""Everything that can be known about a run in seconds, before it begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kexp.preflight.classical_outlook import classical_findings
from kexp.preflight.cost import estimate_cost
from kexp.preflight.data_checks import data_findings
from kexp.preflight.doctor import doctor_findings
from kexp.preflight.doctor.confident_learning import estimated_label_errors, label_errors
from kexp.preflight.findings import CostEstimate, Finding, Preflight
from kexp.preflight.learning_checks import learning_findings
from kexp.run.context import capture_training
from kexp.run.dry_run import random_streams_kept
from kexp.run.run_outline import samples_outline
from kexp.run.training_setup import TrainingSetup

__all__ = ["CostEstimate", "Finding", "Preflight", "check", "estimated_label_errors", "label_errors"]


def check(recipe: Callable[..., Any], *args: Any, **kwargs: Any) -> Preflight:
    """Look, within seconds, for what would make a run fail or its metrics wrong, and estimate what it takes.

    The checks, by the names of their findings, with what makes a problem of each:

    - data: a label is outside 0..classes - 1; inputs or targets of training or validation are not finite.
    - classes: one is missing in training. A warning: one is missing in validation; the largest has
      more than 10 times the samples of the smallest.
    - column: what each column of a table is taken for, never a problem.
    - classical: what data of such a size usually need, never a problem.
    - note (a warning): what was left out or changed when the data were read.
    - validation rows, test rows: more than 1 % of them (and more than three, and more than twice the
      share of training rows that are repeated) are among the training rows, by hash. Fewer are a warning.
    - The data doctor, each of whose checks is there where it applies and at most warns: held out (no row is);
      one column, ids, groups, target means (columns that give the target away, or whose values stand in
      several parts); row order (neighbours have like targets); scaling (fitted to all parts); near copies
      (of training samples in other parts); shift (a classifier tells parts apart, AUROC 0.8 or more); labels
      (of 0.5 % or more a classifier is sure that they are wrong; the samples are shown).
    - loss (only when it fails): it cannot compare outputs and targets.
    - outputs: logits where the loss takes probabilities, or the reverse.
    - first loss: not finite, or above 10 ln(classes). A warning: off ln(classes) by more than a factor of
      2; for regression, above twice the variance of the targets.
    - gradients: none, or exactly zero on two batches, for a trainable weight.
    - one batch: cannot be learnt by heart, that is, its loss does not fall by half within 200 steps, or
      diverges. A warning: it can at another learning rate.

    The steps are real ones, with the recipe's optimizer at a constant rate; all they change is put back,
    and nothing is written. Test data is compared with training data by its inputs; its targets are only
    hashed, and the model never sees it.

    Args:
        recipe: A recipe, or `kexp.fit`.
        *args: Arguments of the recipe.
        **kwargs: Keyword arguments of the recipe.

    Returns:
        The findings and the estimate; `ok` says whether there is no problem, and `print` shows it all.

    Raises:
        InputError: An argument does not fit.

    Source:
        Karpathy 2019, "A Recipe for Training Neural Networks", for the first loss and the one batch; Kapoor
        and Narayanan 2023, "Leakage and the reproducibility crisis in machine-learning-based science", for
        leaks; Northcutt et al. 2021, "Confident Learning", for labels.

    Example:
        >>> import kexp
        >>> model = kexp.models.mlp((8, 8, 1), 10, hidden=(32,), dtype="uint8")
        >>> report = check(kexp.fit, model, kexp.data.load("digits"))
        >>> report.ok, report["one batch"].status
        (True, 'ok')
    """
    with random_streams_kept():
        return capture_training(_preflight, recipe, *args, **kwargs)


def _preflight(training: TrainingSetup) -> Preflight:
    title = f"{training.model.name} on {samples_outline(training.raw)}"
    findings = data_findings(training) + classical_findings(training)
    if findings[0].status == "problem":  # no step can be taken on such data
        return Preflight(title, tuple(findings))
    if not training.options["fast_dev_run"]:  # of a few batches nothing can be said
        findings += doctor_findings(training.raw)
    findings += learning_findings(training)
    measurable = all(finding.name != "loss" for finding in findings)
    return Preflight(title, tuple(findings), estimate_cost(training) if measurable else None)

"""The summary of a sweep: objective, algorithm, budget, trials, best one, time, disk and fixed arguments."""

from __future__ import annotations

from collections.abc import Mapping

from kexp.core.search import TrialState, label
from kexp.data.memory_forms import argument_label
from kexp.report.html import definitions, duration, size
from kexp.report.reported import ReportedSweep
from kexp.report.sweep_record import SweepRecord

ORDER = 10
_STATES = (
    *(TrialState.COMPLETED, TrialState.PRUNED, TrialState.FAILED),
    *(TrialState.RUNNING, TrialState.WAITING),
)
_LOST = (TrialState.FAILED, TrialState.PRUNED)


def applies(sweep: ReportedSweep) -> bool:
    """True for every sweep."""
    return True


def html(sweep: ReportedSweep) -> str:
    """HTML of the section."""
    record = sweep.record
    counts = [f"{record.count(state)} {state}" for state in _STATES if record.count(state)]
    spent = sum(trial.seconds for trial in record.trials)
    wasted = sum(trial.seconds for trial in record.trials if trial.state in _LOST)
    facts = {
        "objective": f"{record.objective} ({record.better})",
        "algorithm": record.algorithm + ("" if record.seed is None else f", seed {record.seed}"),
        "asked for": record.budget,
        "trials": f"{len(record.trials)}: {', '.join(counts)}" if counts else "none yet",
        "best": _best(record),
        "time": f"{duration(spent)} in trials, {duration(wasted)} of it in failed or pruned ones"
        + ("" if record.seconds is None else f"; {duration(record.seconds)} by the clock"),
        "disk": size(sum(trial.bytes for trial in record.trials)),
        "fixed": _listed(record.fixed),
    }
    return definitions(facts)


def _best(record: SweepRecord) -> str:
    if record.best is None:
        return "no trial has completed"
    return f"{label(record.best.score)} in trial {record.best.number}: {_listed(record.best.arguments)}"


def _listed(arguments: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {argument_label(value)}" for name, value in arguments.items())

"""The summary of a run: data, task, epochs, parameters, time and notes."""

from __future__ import annotations

from kexp.data.memory_forms import is_described
from kexp.report.html import definitions, duration
from kexp.report.reported import ReportedRun
from kexp.run.run_files import FIT

ORDER = 10


def applies(run: ReportedRun) -> bool:
    """True for every run."""
    return True


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    record, data = run.record, run.record.environment["data"]
    best = f", weights of epoch {record.best_epoch}" if record.best_epoch else ""
    return definitions(
        {
            "data": f"{data['name']} ({data['fingerprint'][:8]})",
            "task": run.spec.task,
            "epochs": f"{record.epochs}{best}",
            **({"end of training": record.ended} if record.ended else {}),
            "parameters": f"{record.parameters:,}",
            "time": duration(record.seconds),
            **_compilation(run),
            **_notes(run),
            **_why_no_samples(run),
        }
    )


def _compilation(run: ReportedRun) -> dict[str, str]:
    environment = run.record.environment
    if "jit" not in environment:  # of a run from before there was a choice
        return {}
    steps = "steps are compiled" if environment["computation"]["jit"] else "steps are not compiled"
    return {"XLA": f"{steps}: {environment['jit']}"}


def _notes(run: ReportedRun) -> dict[str, str]:
    notes = run.record.environment.get("notes") or ()  # runs of kexp 0.1.0 have none
    return {"notes": " ".join(notes)} if notes else {}


def _why_no_samples(run: ReportedRun) -> dict[str, str]:
    """Return what is missing on the page of a run without its data, and how to get it."""
    if run.data is not None:
        return {}
    lacking = "none are shown, nor where the model errs"
    if run.record.config["recipe"] == FIT:
        return {"samples": f"{lacking}: give the data that kexp.fit was given: result.report(data=(x, y))"}
    if is_described(run.record.config["arguments"].get("data")):
        return {"samples": f"{lacking}: the data were in memory; give them to report(data=…)"}
    return {"samples": f"{lacking}: the data are not at hand; give them to report(data=…)"}

"""The summary of a run: data, task, epochs, parameters, time, arguments and folder."""

from __future__ import annotations

from kexp.data.memory_forms import argument_label, is_described
from kexp.report.html import definitions, duration
from kexp.report.reported import ReportedRun

ORDER = 10


def applies(run: ReportedRun) -> bool:
    """True for every run."""
    return True


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    record, data = run.record, run.record.environment["data"]
    arguments = record.config["arguments"]
    best = f", weights of epoch {record.best_epoch}" if record.best_epoch else ""
    return definitions(
        {
            "data": f"{data['name']} ({data['fingerprint'][:8]})",
            "task": run.spec.task,
            "epochs": f"{record.epochs}{best}",
            "parameters": f"{record.parameters:,}",
            "time": duration(record.seconds),
            "arguments": ", ".join(f"{name} {argument_label(value)}" for name, value in arguments.items()),
            "folder": str(run.folder),
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
    if run.data is not None or not is_described(run.record.config["arguments"].get("data")):
        return {}
    return {"samples": "none are shown: the data were in memory; give them to report(data=…)"}

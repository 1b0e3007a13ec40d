"""The summary of a run: data, task, epochs, parameters, time, arguments and folder."""

from __future__ import annotations

from kexp.core.files import read_json
from kexp.report.html import definitions, duration
from kexp.report.reported import ReportedRun
from kexp.report.sweep_record import label

ORDER = 10


def applies(run: ReportedRun) -> bool:
    """True for every run."""
    return True


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    config, environment = run.provenance["config"], run.provenance["env"]
    recorded = read_json(run.folder / "result.json")
    best = recorded["best_epoch"]
    return definitions(
        {
            "data": f"{environment['data']['name']} ({environment['data']['fingerprint'][:8]})",
            "task": run.spec.task,
            "epochs": str(recorded["epochs"]) + (f", weights of epoch {best}" if best else ""),
            "parameters": f"{recorded['parameters']:,}",
            "time": duration(recorded["seconds"]),
            "arguments": ", ".join(f"{name} {label(value)}" for name, value in config["arguments"].items()),
            "folder": str(run.folder),
        }
    )

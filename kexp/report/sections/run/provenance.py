"""The provenance of a run: when it was, by which versions, from which commit and on which hardware."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kexp.core.errors import InputError
from kexp.core.keras_file import keras_file_date
from kexp.report.html import definitions, duration, heading, short, size
from kexp.report.reported import ReportedRun
from kexp.run.run_files import ADVICE, MODEL

ORDER = 210


def applies(run: ReportedRun) -> bool:
    """True for every run."""
    return True


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    environment = run.record.environment
    facts = {
        "ended": _ended(run),
        "time": duration(run.record.seconds),
        "versions": _listed(environment.get("versions")),
        "commit": _commit(environment.get("git")),
        **_hardware(environment.get("hardware")),
        "seed": _text(environment.get("seed")),
        "data": f"{environment['data']['name']}, fingerprint {environment['data']['fingerprint']}",
        "folder": str(run.folder),
    }
    return f"<section>{heading('Provenance')}{definitions(facts)}</section>"


def _ended(run: ReportedRun) -> str:
    """Return when the model was saved, by the clock of the machine that did."""
    try:
        return keras_file_date(run.folder / MODEL, ADVICE)
    except InputError:  # it is gone, or damaged, which is said where it is needed
        return ""


def _listed(values: object) -> str:
    if not isinstance(values, Mapping):
        return ""
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _commit(git: object) -> str:
    if not isinstance(git, Mapping) or not git.get("commit"):
        return ""
    return short(git["commit"], 60) + (", and what was not committed then" if git.get("diff") else "")


def _hardware(hardware: object) -> dict[str, str]:
    if not isinstance(hardware, Mapping):
        return {}
    known: dict[str, Any] = {**hardware}
    memory = known.get("memory_bytes")
    cores = f", {known['cores']} cores" if known.get("cores") else ""
    devices = known.get("devices")
    return {
        "processor": f"{known.get('processor', '')}{cores}".removeprefix(", "),
        "memory": size(memory) if isinstance(memory, int | float) else "",
        "devices": ", ".join(map(str, devices)) if isinstance(devices, list) else "",
        "platform": _text(known.get("platform")),
    }


def _text(value: object) -> str:
    return "" if value is None else str(value)

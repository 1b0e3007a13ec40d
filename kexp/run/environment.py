"""What a run was run with: versions, code, hardware and data, as env.json records them."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from kexp.core.errors import InputError
from kexp.data import Dataset
from kexp.engine.base import BY_KERAS, Computation

_PACKAGES = ("kexp", "keras", "tensorflow", "tensorflow-cpu", "tensorflow-tpu", "numpy", "keras-tuner")
_LONGEST_DIFF = 1_000_000  # characters


def recorded_computation(environment: Mapping[str, Any], path: str) -> Computation:
    """Return how the steps of a recorded run are computed.

    Args:
        environment: What was recorded of it.
        path: Of the file, for the message.

    Raises:
        InputError: It is damaged.

    Example:
        >>> recorded_computation({"computation": {"fused_updates": True}}, "env.json")
        Computation(fused_updates=True, counter_random=False, fused_recurrent=False, jit=False)
        >>> recorded_computation({"computation": True}, "env.json")
        Traceback (most recent call last):
        kexp.InputError: file env.json is damaged: computation must be true or false by name; received true.
    """
    # Runs from before there was a choice are computed by Keras's operations.
    before = asdict(BY_KERAS)
    recorded = environment.get("computation", {})
    if not isinstance(recorded, dict) or not all(isinstance(value, bool) for value in recorded.values()):
        raise InputError(
            f"file {path} is damaged: computation must be true or false by name; received "
            f"{json.dumps(recorded)}."
        )
    return Computation(**{name: recorded.get(name, value) for name, value in before.items()})


def describe_environment(data: Dataset, seed: int) -> dict[str, Any]:
    """Return what somebody needs to run the same thing again.

    Args:
        data: The data set of the run.
        seed: The seed of the run.

    Returns:
        JSON types: versions, git commit and uncommitted diff of the working folder (None outside a
        repository), hardware, the data's name and fingerprint, notes on the data, the seed.
    """
    return {
        "versions": {"python": platform.python_version(), **versions()},
        "git": _git_state(),
        "hardware": _hardware(),
        "data": {"name": data.name, "fingerprint": data.fingerprint},
        "notes": list(data.notes),
        "seed": seed,
    }


def versions() -> dict[str, str]:
    """Return the installed version of each package that a run hangs on."""
    installed = {}
    for package in _PACKAGES:
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return installed


def processor() -> str:
    """Return the name of the processor, or where the system does not tell it, its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names and names[0]) or platform.processor() or platform.machine()


def _git_state() -> dict[str, str] | None:
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    diff = _git("diff", "HEAD") or ""
    return {"commit": commit.strip(), "diff": diff[:_LONGEST_DIFF]}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, timeout=20, check=True, errors="replace"
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _hardware() -> dict[str, Any]:
    from kexp.engine.engine_choice import backend

    return {
        "platform": platform.platform(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "devices": backend().device_types(),
    }

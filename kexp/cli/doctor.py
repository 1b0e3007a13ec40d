"""What kexp finds on this machine, and what is wrong: `print(kexp.doctor())`."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from glob import glob
from importlib import metadata
from typing import Any

import psutil

from kexp import __version__
from kexp.core.errors import InputError
from kexp.core.processes import usable_cores
from kexp.core.tensorflow_start import start_tensorflow
from kexp.core.user_paths import user_path

_TENSORFLOWS = ("tensorflow", "tensorflow-cpu", "tensorflow-tpu")
_NVIDIA_SMI_S = 20.0
_NO_ANSWER = "does not answer"
_NEEDED_BYTES = 1e9


@dataclass(frozen=True)
class Diagnosis:
    """What was found; `print` it to read it.

    Attributes:
        facts: Pairs of a name and what was found, in order; a name may come several times.
        problems: What is wrong, each a sentence that says what to do.
    """

    facts: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def __str__(self) -> str:
        facts = [f"{name:<22} {text}" for name, text in self.facts]
        return "\n".join([*facts, *([f"✗ {text}" for text in self.problems] or ["✓ nothing is wrong"])])


def doctor() -> Diagnosis:
    """Return versions, devices, what `strategy="auto"` would train on and why, and what is wrong.

    TensorFlow is started as a run would start it, unless it is missing; other workers are not spoken to.

    Example:
        >>> diagnosis = doctor()
        >>> dict(diagnosis.facts)["kexp"]
        '0.1.0'
    """
    shown = _nvidia_smi()
    parts = (
        _packages(),
        _machine(),
        _folders(),
        Diagnosis(tuple(("nvidia-smi", line) for line in shown), ()),
        _tpu(),
        _tensorflow(has_nvidia=bool(shown) and not shown[0].startswith(_NO_ANSWER)),
    )
    return Diagnosis(
        tuple(fact for part in parts for fact in part.facts),
        tuple(problem for part in parts for problem in part.problems),
    )


def _packages() -> Diagnosis:
    installed = {name: installed_version(name) for name in (*_TENSORFLOWS, "keras", "numpy")}
    found = [name for name in _TENSORFLOWS if installed[name]]
    tensorflow = ", ".join(f"{installed[name]} ({name})" for name in found)
    facts = (
        ("kexp", __version__),
        ("Python", f"{platform.python_version()}, {sys.executable}"),
        ("TensorFlow", tensorflow or "not installed"),
        ("Keras", installed["keras"] or "not installed"),
        ("NumPy", installed["numpy"] or "not installed"),
    )
    if len(found) < 2:
        return Diagnosis(facts, ())
    problem = (
        f"{' and '.join(found)} are installed side by side and overwrite one another: pip uninstall "
        f"{' '.join(found)}, then pip install 'kexp[cpu]', 'kexp[cuda]' or 'kexp[tpu]'."
    )
    return Diagnosis(facts, (problem,))


def installed_version(package: str) -> str:
    """Return the version of a package, empty where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _machine() -> Diagnosis:
    cores = f"{os.cpu_count()} cores, {len(usable_cores())} of them for this process"
    memory = psutil.virtual_memory()
    return Diagnosis(
        (
            ("system", platform.platform()),
            ("CPU", f"{platform.processor() or platform.machine()}, {cores}"),
            ("memory", f"{memory.total / 1e9:.1f} GB, {memory.available / 1e9:.1f} GB available"),
        ),
        (),
    )


def _folders() -> Diagnosis:
    value, problems = os.environ.get("KEXP_DATA_DIR"), []
    if value and not _is_folder(value):
        problems.append(
            f"KEXP_DATA_DIR must be a folder with data sets; received {value!r}, which is none, so make it "
            "or unset the variable."
        )
    free, text = free_bytes(), "unknown"
    if free is not None:
        text = f"{free / 1e9:.1f} GB free in the current folder"
    if free is not None and free < _NEEDED_BYTES:
        problems.append(
            f"The disk of the current folder has {free / 1e6:.0f} MB free, which is little for checkpoints: "
            "free some space, or give runs a run_dir elsewhere."
        )
    return Diagnosis((("disk", text), ("KEXP_DATA_DIR", value or "not set")), tuple(problems))


def _is_folder(value: str) -> bool:
    try:
        return user_path("KEXP_DATA_DIR", value).is_dir()
    except InputError:
        return False


def free_bytes() -> int | None:
    """Return how much the disk of the current folder has left, or None where that cannot be told."""
    try:
        return shutil.disk_usage(".").free
    except OSError:  # the folder has been removed
        return None


def _nvidia_smi() -> list[str]:
    """Return a line for each GPU that the NVIDIA driver knows, or for why it does not tell."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    question = ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(
            [program, *question],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_NVIDIA_SMI_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return [f"{_NO_ANSWER} ({_first_line(error)})"]
    fields = (line.split(", ") for line in done.stdout.splitlines() if line.strip())
    return [
        ", ".join((name, *(f"driver {version}" for version in rest[:1]), *rest[1:])) for name, *rest in fields
    ]


def _tpu() -> Diagnosis:
    name, has_library = os.environ.get("TPU_NAME"), importlib.util.find_spec("libtpu") is not None
    supported = has_library or bool(installed_version("tensorflow-tpu"))
    facts = (
        ("libtpu", "installed" if has_library else "not installed"),
        ("TPU_NAME", name or "not set"),
        *((("TPU devices", ", ".join(sorted(glob("/dev/accel*")))),) if glob("/dev/accel*") else ()),
    )
    if not name or supported:
        return Diagnosis(facts, ())
    problem = (
        f"TPU_NAME is {name!r}, and neither libtpu nor tensorflow-tpu is installed: pip install 'kexp[tpu]', "
        "or unset TPU_NAME."
    )
    return Diagnosis(facts, (problem,))


def _tensorflow(*, has_nvidia: bool) -> Diagnosis:
    """Return what TensorFlow sees, if it can be started at all."""
    try:
        start_tensorflow()
        devices, strategy = _devices(has_nvidia=has_nvidia), _strategy()
    except InputError as error:
        return Diagnosis((), (str(error), *_cluster().problems))
    except Exception as error:  # a broken installation raises nearly any kind
        problem = (
            f"TensorFlow cannot be started ({type(error).__name__}: {_first_line(error)}); install it anew "
            "with pip install --force-reinstall 'kexp[cpu]', 'kexp[cuda]' or 'kexp[tpu]'."
        )
        return Diagnosis((), (problem,))
    return Diagnosis((*devices.facts, *strategy.facts), (*devices.problems, *strategy.problems))


def _devices(*, has_nvidia: bool) -> Diagnosis:
    import tensorflow as tf

    built: dict[str, Any] = dict(tf.sysconfig.get_build_info())
    with_cuda = bool(built.get("is_cuda_build"))
    versions = f"CUDA {built.get('cuda_version')}, cuDNN {built.get('cudnn_version')}"
    seen = tf.config.list_physical_devices()
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    facts = [("built with", versions if with_cuda else "no CUDA")]
    facts += [("CUDA_VISIBLE_DEVICES", hidden)] if hidden is not None else []
    facts += [("device", _described(device, tf.config.experimental)) for device in seen]
    # Somebody who hides all GPUs means it.
    if not has_nvidia or hidden in ("", "-1") or any(device.device_type == "GPU" for device in seen):
        return Diagnosis(tuple(facts), ())
    reason = (
        "this TensorFlow is built without CUDA" if not with_cuda else f"it needs {versions} and its driver"
    )
    problem = f"nvidia-smi shows an NVIDIA GPU, and TensorFlow sees none: {reason}; pip install 'kexp[cuda]'."
    return Diagnosis(tuple(facts), (problem,))


def _described(device: Any, asked: Any) -> str:
    name = device.name.removeprefix("/physical_device:")
    if device.device_type != "GPU":
        return name
    details = asked.get_device_details(device)
    capability = ".".join(map(str, details.get("compute_capability", ("unknown",))))
    return f"{name}, {details.get('device_name', 'unknown')}, compute capability {capability}"


def _strategy() -> Diagnosis:
    """Return what `auto` stands for here; a cluster that is described badly is the reason it has none."""
    from kexp.engine.tensorflow.strategy import choose

    cluster = _cluster()
    if cluster.problems:
        return cluster
    choice = choose("auto")
    devices = f" on {', '.join(choice.devices)}" if choice.devices else ""
    return Diagnosis((*cluster.facts, ("strategy auto", f"{choice.kind}{devices}: {choice.reason}")), ())


def _cluster() -> Diagnosis:
    from kexp.engine.tensorflow.cluster_spec import read_cluster

    try:
        cluster = read_cluster()
    except ImportError:  # SLURM's own notation is read by TensorFlow
        return Diagnosis((), ())
    except ValueError as error:
        return Diagnosis((), (str(error),))
    if cluster is None:
        return Diagnosis((("workers", "TF_CONFIG and SLURM describe none"),), ())
    others = f"{len(cluster.workers)} by {cluster.source}, of which this is worker {cluster.index}"
    return Diagnosis((("workers", f"{others}: {', '.join(cluster.workers)}"),), ())


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(". ")

"""The devices that a run trains on."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from glob import glob
from typing import Any, Literal

import tensorflow as tf

from kexp.core.constraints import check_value
from kexp.core.errors import InputError
from kexp.core.options import DEFAULTS, StrategyName
from kexp.core.tensorflow_start import hush_first_transpose
from kexp.engine.tensorflow.cluster_spec import Cluster, read_cluster
from kexp.engine.tensorflow.workers import start_workers

Kind = Literal["cpu", "gpu", "mirrored", "multiworker", "tpu"]


@dataclass(frozen=True)
class DeviceChoice:
    """What a run trains on.

    Attributes:
        kind: One device, all of one machine, several machines, or TPUs.
        devices: Names of those on this machine, such as "GPU:0"; of TPUs none.
        reason: Why, for people.
    """

    kind: Kind
    devices: tuple[str, ...]
    reason: str


def choose(strategy: StrategyName = "auto", devices: Sequence[str] | None = None) -> DeviceChoice:
    """Return what `strategy` stands for on this machine.

    Args:
        strategy: "auto" takes several workers where TF_CONFIG or SLURM describes them, else a TPU, else all
            GPUs, else the CPU; the others name one of these. "mirrored" takes all logical CPU devices
            where there is no GPU.
        devices: The devices to take, such as ("GPU:0", "GPU:2"); None (default) for those of the strategy.

    Raises:
        InputError: A device, the cluster or the TPU is not there, or devices do not fit the strategy.

    Example:
        >>> choose("cpu")
        DeviceChoice(kind='cpu', devices=('CPU:0',), reason='asked for')
        >>> choose("mirrored", devices=("CPU:0", "CPU:7"))
        Traceback (most recent call last):
        kexp.InputError: devices must be among those that TensorFlow sees, CPU:0; received CPU:7.
    """
    strategy = check_value("strategy", strategy, StrategyName)
    if devices is not None:
        return _of_devices(strategy, devices and check_value("devices", devices, tuple[str, ...]))
    if strategy == "auto":
        return _found()
    if strategy == "multiworker":
        return DeviceChoice("multiworker", _gpus() or _cpus(), f"described by {_cluster().source}")
    if strategy == "tpu":
        return DeviceChoice("tpu", (), "asked for")
    if strategy == "gpu" and not _gpus():
        raise InputError(
            "strategy must fit the devices that are there; received 'gpu', and TensorFlow sees none, so give "
            "'auto' or 'cpu', or see `kexp doctor`."
        )
    taken = {"cpu": _cpus()[:1], "gpu": _gpus()[:1], "mirrored": _gpus() or _cpus()}
    return DeviceChoice(strategy, taken[strategy], "asked for")


def scope(
    strategy: StrategyName = "auto",
    devices: Sequence[str] | None = None,
    *,
    start_timeout_s: float = DEFAULTS["start_timeout_s"],
) -> Any:
    """Return a context in which models are built and trained on the devices that `strategy` names.

    Args:
        strategy: As for `choose`, default "auto".
        devices: As for `choose`, default None.
        start_timeout_s: How long to wait for other workers, in seconds, default 300.

    Raises:
        InputError: As `choose`.
        WorkerLost: Other workers did not come in time.

    Example:
        >>> with scope("auto"):
        ...     tf.distribute.get_strategy().num_replicas_in_sync
        1
    """
    if tf.distribute.has_strategy() and strategy == "auto" and devices is None:
        return nullcontext()  # a recipe within the scope that its caller chose
    if _several_workers(strategy, devices):
        # Before anything asks TensorFlow for its devices: it can be made a worker only once, at its start.
        return start_workers(_cluster(), start_timeout_s).scope()
    choice = choose(strategy, devices)
    if choice.kind == "tpu":
        return tpu_strategy().scope()
    if choice.kind == "mirrored":
        # Several steps to a call work on CPUs with this way of summing alone.
        sums = None if choice.devices[0].startswith("GPU") else tf.distribute.ReductionToOneDevice()
        return tf.distribute.MirroredStrategy(list(choice.devices), cross_device_ops=sums).scope()
    default = (_gpus() or _cpus())[:1]
    return nullcontext() if choice.devices == default else tf.device(choice.devices[0])


def strategy_scope(options: Mapping[str, Any]) -> Any:
    """Return the scope that training options ask for."""
    timeout_s = options["start_timeout_s"]
    found = scope(options["strategy"], options["devices"], start_timeout_s=timeout_s)
    hush_first_transpose()
    return found


def join_workers(options: Mapping[str, Any]) -> None:
    """Become one of several workers, if that is what the options and the environment of a run say."""
    if _several_workers(options["strategy"], options["devices"]):
        start_workers(_cluster(), options["start_timeout_s"])


def is_chief(options: Mapping[str, Any]) -> bool:
    """Return whether this process is the one that speaks for a run: the chief, if there are several."""
    return not _several_workers(options["strategy"], options["devices"]) or _cluster().index == 0


def _of_devices(strategy: StrategyName, devices: Sequence[str]) -> DeviceChoice:
    names = tuple(name.upper() for name in devices)
    known = (*_gpus(), *_cpus())
    unknown = [name for name in names if name not in known]
    if unknown or not names or len(set(names)) < len(names):
        raise InputError(
            f"devices must be among those that TensorFlow sees, {', '.join(known)}; received "
            f"{', '.join(unknown or names) or 'none'}."
        )
    kinds = {name.partition(":")[0].lower() for name in names}
    kind: Any = "mirrored" if len(names) > 1 or strategy == "mirrored" else kinds.pop()
    if strategy not in ("auto", kind) or len(kinds) > 1:
        raise InputError(
            "devices must fit the strategy, one of its kind for 'cpu' and 'gpu' and several of one kind for "
            f"'mirrored', and none for 'multiworker' and 'tpu'; received {', '.join(names)} for {strategy!r}."
        )
    return DeviceChoice(kind, names, "asked for")


def _found() -> DeviceChoice:
    cluster = read_cluster()
    if cluster is not None and len(cluster.workers) > 1:
        reason = f"{cluster.source} describes {len(cluster.workers)} workers"
        return DeviceChoice("multiworker", _gpus() or _cpus(), reason)
    sign = _sign_of_tpu()
    if sign:
        return DeviceChoice("tpu", (), sign)
    gpus = _gpus()
    if len(gpus) > 1:
        return DeviceChoice("mirrored", gpus, f"TensorFlow sees {len(gpus)} GPUs")
    if gpus:
        return DeviceChoice("gpu", gpus, "TensorFlow sees one GPU")
    return DeviceChoice("cpu", _cpus()[:1], "TensorFlow sees no GPU and no TPU")


def _several_workers(strategy: StrategyName, devices: Sequence[str] | None) -> bool:
    if devices is not None or strategy not in ("auto", "multiworker"):
        return False
    cluster = read_cluster() if strategy == "auto" else None
    return strategy == "multiworker" or (cluster is not None and len(cluster.workers) > 1)


def _cluster() -> Cluster:
    cluster = read_cluster()
    if cluster is None:
        raise InputError(
            "strategy 'multiworker' needs to know its workers from TF_CONFIG or SLURM, and neither is set; "
            "start with srun or `kexp launch --workers 2 -- run ...`, or give 'auto'."
        )
    return cluster


def _sign_of_tpu() -> str:
    """Return what makes a TPU likely, without asking a network for it."""
    if os.environ.get("TPU_NAME"):
        return "TPU_NAME is set"
    if glob("/dev/accel*") and importlib.util.find_spec("libtpu"):
        return "libtpu is installed, and this machine has accelerators for it"
    return ""


@cache
def tpu_strategy() -> tf.distribute.Strategy:
    """Return the strategy of the TPU, set up when it is first asked for."""
    if not os.environ.get("TPU_NAME") and importlib.util.find_spec("libtpu") is None:
        raise _no_tpu("TPU_NAME is not set, and libtpu is not installed")
    # In this order: a system that is not connected cannot be initialised, and only then has devices.
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(os.environ.get("TPU_NAME") or "local")
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    except Exception as error:  # TensorFlow raises nearly any kind
        reason = str(error).strip().partition("\n")[0].partition(". ")[0]
        raise _no_tpu(f"{type(error).__name__}: {reason}") from error


def _no_tpu(reason: str) -> InputError:
    return InputError(
        f"strategy 'tpu' needs a TPU, and TensorFlow finds none ({reason}); set TPU_NAME, install kexp[tpu] "
        "on a TPU machine, or give 'auto'."
    )


def _gpus() -> tuple[str, ...]:
    return _named(tf.config.list_logical_devices("GPU"))


def _cpus() -> tuple[str, ...]:
    return _named(tf.config.list_logical_devices("CPU"))


def _named(devices: Sequence[Any]) -> tuple[str, ...]:
    return tuple(device.name.rpartition("device:")[2] for device in devices)

"""The processes that train together, as the environment of one of them describes them."""

from __future__ import annotations

import json
import os
import re
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal

from kexp.core.command_values import parse_number
from kexp.core.errors import InputError, shown
from kexp.core.json_files import parse_json, require_keys
from kexp.core.keras_private import slurm_tasks

_SHAPE = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
_ADVICE = f"write it like {_SHAPE}"
_CONFIG = {"cluster": dict[str, list[str]] | None, "task": dict[str, Any] | None}
_TASK = {"type": str, "index": int | str}
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):(?P<port>[0-9]{1,5})")
# Two jobs that share a host get ports of their own by their numbers.
_FIRST_PORT, _PORTS = 20_000, 12_000


@dataclass(frozen=True)
class Cluster:
    """Workers that train one model together.

    Attributes:
        workers: host:port of each; the first is the chief, which alone writes.
        index: The place of this process among them.
        source: Where they are described.
    """

    workers: tuple[str, ...]
    index: int
    source: Literal["TF_CONFIG", "SLURM"]

    def to_json(self) -> str:
        """Return it as a TF_CONFIG, in which the chief is the first worker."""
        task = {"type": "worker", "index": self.index}
        return json.dumps({"cluster": {"worker": list(self.workers)}, "task": task})


def read_cluster(environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """Return the cluster that TF_CONFIG or SLURM describes, or None where there is none.

    Of SLURM, a job step with several tasks is one (`srun`), each task a worker. A TF_CONFIG goes first.

    Args:
        environment: Variables by name; default those of this process.

    Raises:
        InputError: TF_CONFIG is none, names parameter servers or evaluators, or leaves this process out; or
            SLURM's variables do not fit one another.

    Example:
        >>> config = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}'
        >>> cluster = read_cluster({"TF_CONFIG": config})
        >>> cluster.workers, cluster.index
        (('a:1', 'b:1'), 1)
        >>> read_cluster({}) is None
        True
    """
    if environment.get("TF_CONFIG", "").strip():
        return _from_tf_config(environment["TF_CONFIG"])
    tasks = environment.get("SLURM_STEP_NUM_TASKS", "").strip()
    return _from_slurm(environment) if tasks not in ("", "0", "1") else None


def check_tf_config(environment: Mapping[str, str] = os.environ) -> None:
    """Refuse a TF_CONFIG that is none, without importing TensorFlow, which reads SLURM's notation.

    Raises:
        InputError: As `read_cluster`.
    """
    if environment.get("TF_CONFIG", "").strip():
        read_cluster(environment)


def local_clusters(workers: int) -> list[Cluster]:
    """Return the cluster of each of so many processes on this machine, at ports that are free now.

    Example:
        >>> [cluster.index for cluster in local_clusters(2)]
        [0, 1]
    """
    with ExitStack() as bound:
        sockets = [bound.enter_context(socket.socket()) for _ in range(workers)]
        for one in sockets:
            one.bind(("localhost", 0))
        addresses = tuple(f"localhost:{one.getsockname()[1]}" for one in sockets)
    return [Cluster(addresses, index, "TF_CONFIG") for index in range(workers)]


def _from_tf_config(text: str) -> Cluster | None:
    config = parse_json(text, "TF_CONFIG", _CONFIG, advice=_ADVICE)
    if not config.get("cluster"):
        return None
    require_keys(config.get("task"), "TF_CONFIG, task", _TASK, advice=_ADVICE)
    jobs = {job: tuple(addresses) for job, addresses in config["cluster"].items()}
    kind, index = config["task"]["type"], parse_number(str(config["task"]["index"]))
    if not set(jobs) <= {"chief", "worker"} or len(jobs.get("chief", ())) > 1:
        raise InputError(
            "TF_CONFIG must have a cluster of workers, and at most one chief; received jobs "
            f"{', '.join(sorted(jobs))}, so leave the others out."
        )
    _check_addresses([address for addresses in jobs.values() for address in addresses])
    if kind not in jobs or not isinstance(index, int) or not 0 <= index < len(jobs[kind]):
        received = shown(config["task"]["index"])
        raise InputError(
            f"TF_CONFIG must have a task that is in its cluster; received {kind} {received}, and "
            f"{', '.join(f'{len(addresses)} of {job}' for job, addresses in jobs.items())}."
        )
    chief, workers = jobs.get("chief", ()), jobs.get("worker", ())
    return Cluster((*chief, *workers), index + (len(chief) if kind == "worker" else 0), "TF_CONFIG")


def _check_addresses(addresses: Sequence[str]) -> None:
    for address in addresses:
        found = _ADDRESS.fullmatch(address)
        if found is None or not 0 < int(found["port"]) < 2**16:
            raise InputError(
                f"TF_CONFIG must name each worker as host:port, the port from 1 to {2**16 - 1}; received "
                f"{shown(address)}."
            )
    twice = [address for address, times in Counter(addresses).items() if times > 1]
    if twice:
        raise InputError(
            f"TF_CONFIG must have an address of its own for each worker; received {twice[0]} more than once."
        )


def _check_short_forms(nodes: str, counts: str) -> None:
    """Refuse short forms of more hosts or tasks than there are ports, before they are written out."""
    ends = [(int(first), int(last)) for first, last in re.findall(r"([0-9]{1,18})-([0-9]{1,18})", nodes)]
    repeats = [int(times) for times in re.findall(r"([0-9]{1,18})", counts)]
    if sum(max(0, last - first) for first, last in ends) > _PORTS or max(repeats, default=0) > _PORTS:
        raise ValueError(f"more than {_PORTS} tasks")


def _from_slurm(environment: Mapping[str, str]) -> Cluster:
    try:
        nodes, counts = environment["SLURM_STEP_NODELIST"], environment["SLURM_STEP_TASKS_PER_NODE"]
        _check_short_forms(nodes, counts)
        port = _FIRST_PORT + int(environment.get("SLURM_JOB_ID", 0)) % _PORTS
        workers = tuple(
            f"{host}:{port + index}" for host, count in slurm_tasks(nodes, counts) for index in range(count)
        )
        index = int(environment["SLURM_PROCID"])
    except (KeyError, ValueError) as error:
        raise InputError(
            "SLURM must describe its step by SLURM_STEP_NODELIST, SLURM_STEP_TASKS_PER_NODE and "
            f"SLURM_PROCID; received something else ({error}), so start with srun, or give TF_CONFIG."
        ) from None
    if not 0 <= index < len(workers):
        raise InputError(
            f"SLURM_PROCID must be the number of one of the {len(workers)} tasks of the step; received "
            f"{index}, so start with srun, or give TF_CONFIG."
        )
    return Cluster(workers, index, "SLURM")

"""How workers find out that all of them are there, before TensorFlow waits for them without an end."""

from __future__ import annotations

import json
import socket
import time

from kexp.core.errors import InputError, WorkerLost
from kexp.engine.tensorflow.cluster_spec import Cluster

_GO = b"go\n"
_PAUSE_S = 0.2


def barrier(cluster: Cluster, timeout_s: float) -> None:
    """Return when all workers of a cluster have come to this point.

    The chief listens at its address, which TensorFlow takes afterwards; the others tell it that they are
    there and wait for its word.

    Args:
        cluster: Who they are.
        timeout_s: How long to wait.

    Raises:
        WorkerLost: Not all came in time.
        InputError: The chief's address is none of this machine's, or is taken.
    """
    deadline_s = time.monotonic() + timeout_s
    missing = _wait_for_others(cluster, deadline_s) if cluster.index == 0 else _report(cluster, deadline_s)
    if missing:
        listed = ", ".join(f"{number} ({cluster.workers[number]})" for number in missing)
        raise WorkerLost(
            f"Not all of the {len(cluster.workers)} workers came within {timeout_s:g} s: this is worker "
            f"{cluster.index}, and nothing was heard of {listed}. Start all of them, or give them more time "
            "with start_timeout_s."
        )


def _wait_for_others(cluster: Cluster, deadline_s: float) -> list[int]:
    """Wait as the chief, and return who has not come."""
    came: dict[int, socket.socket] = {}
    others = range(1, len(cluster.workers))
    try:
        with _server(cluster.workers[0]) as server:
            while len(came) < len(others):
                server.settimeout(max(0.01, deadline_s - time.monotonic()))
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    return [number for number in others if number not in came]
                number = _introduced(connection, cluster)
                if number is not None:
                    came[number] = connection  # in place of an earlier one, which has been started anew
            for connection in came.values():
                connection.sendall(_GO)
                connection.recv(1)  # until the other has closed, so that the port is free at once
    except ConnectionError:
        return list(others)
    finally:
        for connection in came.values():
            connection.close()
    return []


def _server(address: str) -> socket.socket:
    try:
        return socket.create_server(_place(address))
    except OSError as error:
        raise InputError(
            f"TF_CONFIG must give worker 0 an address of this machine with a free port; {address} cannot be "
            f"listened at ({error.strerror or error}), so give another one."
        ) from error


def _introduced(connection: socket.socket, cluster: Cluster) -> int | None:
    """Return which worker it is that has connected, or None if it is another program."""
    connection.settimeout(5.0)
    try:
        said = json.loads(connection.makefile("rb").readline(100_000))
        if said["workers"] == list(cluster.workers):
            return int(said["index"])
    except (OSError, ValueError, TypeError, KeyError):
        pass
    connection.close()
    return None


def _report(cluster: Cluster, deadline_s: float) -> list[int]:
    """Tell the chief that this worker is there, and return whether it stayed away."""
    said = json.dumps({"workers": list(cluster.workers), "index": cluster.index}).encode() + b"\n"
    while (left_s := deadline_s - time.monotonic()) > 0:
        try:
            with socket.create_connection(_place(cluster.workers[0]), timeout=left_s) as connection:
                connection.sendall(said)
                if connection.makefile("rb").readline(len(_GO)) == _GO:
                    return []
        except OSError:
            pass  # not there yet, or still of an earlier attempt
        time.sleep(_PAUSE_S)
    return [0]


def _place(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)

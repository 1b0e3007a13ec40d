"""Load `kexp serve` from two client processes, with malformed, oversized, slow requests among good ones.

    python tools/serve_load.py served/digits --seconds 30

Prints requests by status, p50 and p99 of the good ones, throughput, the server's memory, and what TensorFlow
alone does in a loop on the same model. Exits with 1 if an answer is 500 or none, or memory grows.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from multiprocessing.queues import Queue
from pathlib import Path

import numpy as np
import psutil

from kexp.export import load_exported
from kexp.serve.model_versions import blank_sample

CLIENTS = 2  # processes
THREADS = 4  # of each
MOST_GROWTH = 0.1  # of the memory after a third of the time
MALFORMED = (b"", b"{", b"[" * 50_000, b'{"instances": []}', b'{"instances": "x.png"}', b'{"inputs": null}')


def main() -> int:
    """Load a server and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="folder of an exported model")
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    bodies = request_bodies(options.model)
    print(f"TensorFlow alone in a loop: {alone(options.model, 3):.0f} samples/s, one after the other")
    server, port = started(options.model)
    try:
        found, memory = loaded(server.pid, port, options.model.absolute().name, bodies, options.seconds)
    finally:
        server.terminate()
        server.wait(60)
    good = np.array([taken for kind, status, taken in found if (kind, status) == ("good", 200)]) * 1000
    counts = Counter((kind, status) for kind, status, _ in found)
    for (kind, status), count in sorted(counts.items(), key=str):
        print(f"{kind:<10} {status}: {count}")
    p50, p99 = np.percentile(good, (50, 99))
    print(f"good: p50 {p50:.1f} ms, p99 {p99:.1f} ms, {len(good) / options.seconds:.0f} requests/s")
    begin, end = (
        np.median(memory[len(memory) // 3 : len(memory) // 2]),
        np.median(memory[-len(memory) // 6 :]),
    )
    print(f"memory: {begin / 2**20:.0f} MiB after a third, {end / 2**20:.0f} MiB at the end")
    wrong = [key for key in counts if key[1] in (0, 500) or (key[0] == "good" and key[1] != 200)]
    print(f"server's exit code: {server.returncode}; wrong: {wrong or 'nothing'}")
    return int(bool(wrong) or end > (1 + MOST_GROWTH) * begin)


def request_bodies(model: Path) -> list[bytes]:
    """Return bodies of one row."""
    spec = load_exported(model).spec
    blank = blank_sample(spec)
    if isinstance(blank, dict):
        return [json.dumps({"instances": [{name: values[0] for name, values in blank.items()}]}).encode()]
    rng = np.random.default_rng(0)
    arrays = [blank + rng.integers(0, 17, blank.shape).astype(blank.dtype) for _ in range(16)]
    return [json.dumps({"instances": array.tolist()}).encode() for array in arrays]


def alone(model: Path, seconds: float) -> float:
    """Return the samples a second of the signature, called for one after the other."""
    import tensorflow as tf

    exported = load_exported(model)
    serve = tf.saved_model.load(str(exported.directory)).signatures["serving_default"]
    blank = blank_sample(exported.spec)
    if isinstance(blank, dict):
        return float("nan")
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        serve(inputs=tf.constant(blank))["probabilities"].numpy()
        count += 1
    return count / seconds


def started(model: Path) -> tuple[subprocess.Popen[str], int]:
    """Return a server that answers, and its port."""
    command = [sys.executable, "-m", "kexp.cli", "serve", str(model), "--port", "0", "--timeout-s", "2"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    assert server.stdout is not None
    said = re.search(r":(\d+)/", server.stdout.readline())
    assert said is not None
    return server, int(said[1])


def loaded(
    pid: int, port: int, name: str, bodies: list[bytes], seconds: float
) -> tuple[list[tuple[str, int, float]], list[int]]:
    """Return kind, status and seconds of each request, and the server's memory every half second."""
    context = multiprocessing.get_context("spawn")
    answers: Queue[list[tuple[str, int, float]]] = context.Queue()
    path = f"/v1/models/{name}:predict"
    clients = [
        context.Process(target=client, args=(port, path, bodies, seconds, seed, answers))
        for seed in range(CLIENTS)
    ]
    for one in clients:
        one.start()
    memory, process = [], psutil.Process(pid)
    while any(one.is_alive() for one in clients) and answers.empty():
        memory.append(process.memory_info().rss)
        time.sleep(0.5)
    found = [answer for _ in clients for answer in answers.get()]
    for one in clients:
        one.join()
    return found, memory


def client(
    port: int,
    path: str,
    bodies: list[bytes],
    seconds: float,
    seed: int,
    answers: Queue[list[tuple[str, int, float]]],
) -> None:
    """Ask from several threads at once, and one that asks what cannot be answered."""
    found: list[tuple[str, int, float]] = []
    end = time.monotonic() + seconds
    threads = [
        threading.Thread(target=asks_well, args=(port, path, bodies[number:] + bodies[:number], end, found))
        for number in range(THREADS)
    ]
    threads.append(threading.Thread(target=asks_badly, args=(port, path, end, seed, found)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.put(found)


def asks_well(
    port: int, path: str, bodies: list[bytes], end: float, found: list[tuple[str, int, float]]
) -> None:
    """Ask on one connection, one request after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    number = 0
    while time.monotonic() < end:
        began = time.perf_counter()
        status = 0
        try:
            connection.request("POST", path, bodies[number % len(bodies)])
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        except (OSError, http.client.HTTPException):
            connection.close()
        found.append(("good", status, time.perf_counter() - began))
        number += 1


def asks_badly(port: int, path: str, end: float, seed: int, found: list[tuple[str, int, float]]) -> None:
    """Ask malformed, oversized and slow requests, and leave in the middle of some."""
    rng = np.random.default_rng(seed)
    while time.monotonic() < end:
        kind = str(rng.choice(["malformed", "malformed", "oversized", "slow", "leaving"]))
        began = time.perf_counter()
        if kind == "malformed":
            status = raw(port, path, MALFORMED[rng.integers(len(MALFORMED))])
        elif kind == "oversized":
            status = raw(port, path, b" " * 100, announced=2**30)
        elif kind == "slow":
            status = raw(port, path, b'{"instances"', announced=100)  # the rest never comes
        else:
            status = raw(port, path, b"{", announced=100, leaves=True)
        found.append((kind, status, time.perf_counter() - began))
        time.sleep(0.02)


def raw(port: int, path: str, body: bytes, *, announced: int | None = None, leaves: bool = False) -> int:
    """Return the status of an answer to a body that may not be what its head says, -1 after leaving."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
    head += f"Content-Length: {len(body) if announced is None else announced}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head.encode() + body)
        if leaves:
            return -1
        try:
            said = re.match(rb"HTTP/1.1 (\d+)", connection.recv(4096))
        except OSError:
            return 0
    return int(said[1]) if said else 0


if __name__ == "__main__":
    sys.exit(main())

"""Two served models, made once: images of digits and a table with a category and a gap."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kexp.serve.http_server import HttpServer
from kexp.serve.service import Limits, Service

LIMITS = Limits(rows=8, bytes=200_000, seconds=2.0)


@pytest.fixture(scope="session")
def served_models(digits_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the exports `digits` and `homes`."""
    import kexp
    from kexp import recipes

    folder = tmp_path_factory.mktemp("served")
    kexp.load(digits_run).export(folder / "digits")
    rng = np.random.default_rng(0)
    towns = rng.choice(["Graz", "Ulm"], 120)
    table = pd.DataFrame({"age (years)": rng.integers(1, 90, 120), "town": towns, "sold": towns == "Ulm"})
    table.to_csv(folder / "homes.csv", index=False)
    run = recipes.mlp_tabular(
        data=str(folder / "homes.csv"),
        target="sold",
        epochs=1,
        run_dir=str(folder / "run"),
        quiet=True,
    )
    run.export(folder / "homes")
    return folder


@pytest.fixture(scope="module")
def service(served_models: Path) -> Service:
    """Return both models, loaded."""
    found = Service([str(served_models / name) for name in ("digits", "homes")], limits=LIMITS, say=print)
    found.load()
    return found


@pytest.fixture
def url(service: Service) -> Iterator[str]:
    """Yield the address of a real server of both, in a thread."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = HttpServer(service.application(hosts=["127.0.0.1"]), timeout_s=LIMITS.seconds)
    thread = threading.Thread(target=server.serve_until_stopped, args=(listening,), daemon=True)
    thread.start()
    end = time.monotonic() + 30
    while not server.started and time.monotonic() < end:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    server.should_exit = True
    thread.join(20)

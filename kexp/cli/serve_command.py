"""`kexp serve`: exported models over HTTP, until a signal comes."""

from __future__ import annotations

import os
import signal
import socket
import sys
from types import FrameType
from typing import Annotated

from kexp.cli.streams import say
from kexp.core.constraints import AtLeast, Count
from kexp.core.errors import InputError, plain_line
from kexp.core.foreign_files import reason
from kexp.core.tensorflow_start import KERAS, start_tensorflow

TOKEN_VARIABLE = "KEXP_SERVE_TOKEN"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    model: tuple[str, ...],
    *,
    port: Annotated[int, AtLeast(0, most=65_535)] = 8501,
    host: str = "127.0.0.1",
    token: str | None = None,
    max_rows: Count = 1024,
    max_bytes: Count = 16 * 2**20,
    timeout_s: Annotated[float, AtLeast(0.1, most=3600)] = 30.0,
    batch_ms: Annotated[float, AtLeast(0, most=1000)] = 2.0,
    quiet: bool = False,
) -> None:
    """Serve exported models by TensorFlow Serving's REST addresses, with a page to try them, until Ctrl-C.

    POST /v1/models/NAME:predict answers {"instances": [...]}; /health and /metrics say how the server is, and
    / is the page. The newest whole version of a folder is served, and a newer one once it is there. What is
    begun when a signal comes is finished.

    Args:
        model: Folders of exported models, one or more, also NAME=FOLDER; NAME is the folder's own by default.
        port: From 0 to 65535; 0 is any that is free.
        host: Address to listen at; by default this machine alone can ask.
        token: That each request must bring, as `Authorization: Bearer TOKEN` or as the password that a
            browser asks for; by default KEXP_SERVE_TOKEN, or none.
        max_rows: Samples of a request, 1 or more.
        max_bytes: Of a request's body, 1 or more.
        timeout_s: Seconds that a request's body, and then its answer, may take, from 0.1 to 3600.
        batch_ms: Milliseconds that a request waits for others, to be computed together, from 0 to 1000.
        quiet: Print errors alone.
    """
    _require_packages()
    secret = _token(token)
    from kexp.serve.http_server import HttpServer
    from kexp.serve.service import Limits, Service

    limits = Limits(max_rows, max_bytes, timeout_s, batch_ms / 1000)
    service = Service(model, limits=limits, say=lambda text: None if quiet else say(text))
    signal.signal(signal.SIGTERM, _interrupt)
    with _listening(host, port) as listening:
        start_tensorflow(without=KERAS)
        service.load()
        address = listening.getsockname()
        if not quiet:
            _announce(host, address[1], service.names, bool(secret))
        hosts = [*_LOOPBACK[:2], "[::1]"] if host in _LOOPBACK else []
        server = HttpServer(service.application(token=secret, hosts=hosts), timeout_s=timeout_s)
        stopped_by = server.serve_until_stopped(listening)
    if stopped_by is not None:
        _interrupt(stopped_by, None)


def _require_packages() -> None:
    try:
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"serve needs {error.name}, which is not installed; pip install 'kexp[serve]'."
        ) from None


def _token(given: str | None) -> str:
    token = os.environ.get(TOKEN_VARIABLE, "") if given is None else given
    if (given is not None and not token) or not token.isascii() or any(one.isspace() for one in token):
        raise InputError("token must be one or more ASCII characters without blanks; choose another.")
    return token


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except (OSError, UnicodeError) as error:
        raise InputError(
            f"host and port must be an address of this machine that is free; {plain_line(host)} port {port} "
            f"is not ({reason(error)}), so give another, or port 0 for any."
        ) from None


def _announce(host: str, port: int, names: tuple[str, ...], has_token: bool) -> None:
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    print(f"{url} serves {', '.join(names)}; Ctrl-C ends this.", flush=True)
    if host not in _LOOPBACK and not has_token:
        print(
            f"kexp: whoever can reach {plain_line(host)} is answered; --token asks for one.", file=sys.stderr
        )


def _interrupt(number: int, frame: FrameType | None) -> None:
    interruption = KeyboardInterrupt()
    interruption.signal_number = number  # type: ignore[attr-defined]
    raise interruption

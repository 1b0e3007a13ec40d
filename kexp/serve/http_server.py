"""The HTTP server: uvicorn on a socket that is there already, until a signal comes."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

_MOST_CONNECTIONS = 256  # beyond which requests are answered 503


class PatientProtocol(H11Protocol):
    """A connection that is closed when the head of its first request does not come.

    Uvicorn waits for it for ever, and some hundred silent connections would leave no room for others.

    Args:
        timeout_s: How long it is waited for.
        options: Uvicorn's.
    """

    def __init__(self, timeout_s: float, **options: Any) -> None:
        super().__init__(**options)
        self._timeout_s = timeout_s

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self.loop.call_later(self._timeout_s, self._close_if_silent)

    def _close_if_silent(self) -> None:
        if self.cycle is None:
            self.transport.close()


class HttpServer(uvicorn.Server):
    """Answers until SIGINT or SIGTERM comes, and finishes what is begun.

    Args:
        application: What answers.
        timeout_s: That reading, and then answering, a request may take.

    Attributes:
        stopped_by: The first signal that came, None: none has.
    """

    def __init__(self, application: Starlette, *, timeout_s: float) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        config = uvicorn.Config(
            application,
            http=partial(PatientProtocol, timeout_s),  # type: ignore[arg-type]
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=math.ceil(2 * timeout_s),
        )
        super().__init__(config)
        self.stopped_by: int | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note a signal, and take no more requests."""
        self.stopped_by = sig if self.stopped_by is None else self.stopped_by
        super().handle_exit(sig, frame)

    def serve_until_stopped(self, listening: socket.socket) -> int | None:
        """Answer on a socket, and return the signal that has ended it."""
        # As asyncio does for its own; without it an answer waits 40 ms for the receipt of the last one.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(KeyboardInterrupt):  # which uvicorn raises once all is finished, or Python in its place
            self.run(sockets=[listening])
        return self.stopped_by

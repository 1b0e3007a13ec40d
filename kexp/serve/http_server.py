"""The HTTP server: uvicorn on a socket that is there already, until a signal comes."""

from __future__ import annotations

import logging
import math
import socket
from contextlib import suppress
from types import FrameType

import uvicorn
from starlette.applications import Starlette

_MOST_CONNECTIONS = 256  # beyond which requests are answered 503


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
            http="h11",
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
        # As asyncio does for sockets of its own: an answer would wait 40 ms for the receipt of the last.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(KeyboardInterrupt):  # which uvicorn raises once all is finished, or Python in its place
            self.run(sockets=[listening])
        return self.stopped_by

"""A server of one page on this machine alone: the page, whether it is of now, and nothing of the files."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kexp.core.errors import InputError
from kexp.core.foreign_files import reason

_LOOPBACK = "127.0.0.1"
_PATIENCE_S = 10.0  # with a browser that asks, or takes the answer, slowly


class PageServer(ThreadingHTTPServer):
    """Answers `/` with a page and `/version` with what the page is of, inside a `with` block.

    It answers those alone who have asked for this machine by its own name: a page of another site, whose name
    was made to lead here, has no answer that it could read.

    Args:
        port: On 127.0.0.1; 0 is any that is free.
        version: Gives a short text that changes with what the page shows.
        page: Gives the page of a version.

    Raises:
        InputError: The port is taken, or not to be had.
    """

    daemon_threads = True

    def __init__(self, port: int, version: Callable[[], str], page: Callable[[str], str]) -> None:
        self._version, self._page = version, page
        self._lock = threading.Lock()  # pages are drawn one at a time
        self._last = ("", b"")
        self._answering: threading.Thread | None = None
        try:
            super().__init__((_LOOPBACK, port), _Handler)
        except OSError as error:
            raise InputError(
                f"port must be one that is free; {port} is not ({reason(error)}), so give another, or 0 for "
                "any."
            ) from None

    @property
    def port(self) -> int:
        """The port that it has."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Where its page is."""
        return f"http://{_LOOPBACK}:{self.port}/"

    def start(self) -> None:
        """Answer from now on, in threads."""
        self._answering = threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True)
        self._answering.start()

    def server_close(self) -> None:
        """Answer no more, and let go of the port."""
        if self._answering is not None:
            self.shutdown()
            self._answering.join()
        super().server_close()

    def is_own(self, host: str | None) -> bool:
        """Return whether a request is for this server by its own name."""
        return host in (f"{_LOOPBACK}:{self.port}", f"localhost:{self.port}")

    def version(self) -> str:
        """Return what the page is of, if it is of now."""
        with self._lock:
            return self._version()

    def page(self) -> bytes:
        """Return the page as it is now, which is made when there is something new to see."""
        with self._lock:
            version = self._version()
            if version != self._last[0]:
                # A name that the file system could not decode has no UTF-8 of its own.
                self._last = (version, self._page(version).encode("utf-8", "replace"))
            return self._last[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that has left."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    server_version, sys_version = "kexp", ""
    timeout = _PATIENCE_S

    def do_GET(self) -> None:
        if not self.server.is_own(self.headers.get("Host")):
            self._answer(403, "text/plain", b"This page is for this machine alone.\n")
        elif self.path == "/":
            self._answer(200, "text/html", self.server.page())
        elif self.path == "/version":
            self._answer(200, "text/plain", self.server.version().encode())
        else:
            self._answer(404, "text/plain", b"There is one page here: /\n")

    do_HEAD = do_GET

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Length", str(len(content))),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", "frame-ancestors 'none'"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of each request."""

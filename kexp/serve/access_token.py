"""The token of a server: nobody without it is answered, but whether the server is well."""

from __future__ import annotations

import base64
import binascii
import secrets

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

OPEN_PATH = "/health"


class TokenCheck:
    """Answers those who send a token: as `Authorization: Bearer TOKEN`, or as the password of a browser.

    Args:
        app: What answers them.
        token: ASCII; compared in a time that does not depend on where it differs.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it with 401."""
        if (
            scope["type"] == "http"
            and scope["path"] != OPEN_PATH
            and not self._is_right(Headers(scope=scope))
        ):
            refusal = JSONResponse(
                {"error": "a token is needed; send it as Authorization: Bearer TOKEN."},
                401,
                headers={"WWW-Authenticate": 'Basic realm="kexp", charset="UTF-8"'},
            )
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_right(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(given, validate=True).decode().partition(":")[2]
            except (binascii.Error, ValueError):
                return False
        elif scheme.lower() != "bearer":
            return False
        return secrets.compare_digest(given.encode(), self._token)

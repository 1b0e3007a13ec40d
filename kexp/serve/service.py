"""The service: models by TensorFlow Serving's REST addresses, health, metrics, and the page to try them."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from kexp.core.errors import InputError, nearest, shown
from kexp.export.exported_model import Exported
from kexp.serve.access_token import OPEN_PATH, TokenCheck
from kexp.serve.batching import Batcher, Outputs, ServerBusy
from kexp.serve.model_versions import ModelVersion, ModelVersions, answers
from kexp.serve.prometheus import CONTENT_TYPE, ServingMetrics
from kexp.serve.request_body import RequestBody, read_body
from kexp.serve.signature_def import signature_def
from kexp.serve.try_page import try_page

_LOOK_S = 2.0  # how often folders are looked at for newer versions
_BATCH_ROWS = 128
_NUMBER = re.compile("[0-9]{1,18}")
_SMALL_BYTES = 8192  # read and written at once: to go to another thread and back takes longer
_PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Limits:
    """What a request may take.

    Attributes:
        rows: Samples of a request.
        bytes: Of its body.
        seconds: Until it is here, and again until it is answered.
        batch_s: How long it waits for others to be computed with.
    """

    rows: int = 1024
    bytes: int = 16 * 2**20
    seconds: float = 30.0
    batch_s: float = 0.002


class Service:
    """Answers for some models.

    Args:
        models: Folders of exported models, each also as NAME=FOLDER.
        limits: Of a request.
        say: Told what is loaded, and what cannot be.

    Raises:
        InputError: A folder holds no export that predicts, or two have one name.
    """

    def __init__(self, models: Sequence[str], *, limits: Limits, say: Callable[[str], object]) -> None:
        self._limits, self._metrics = limits, ServingMetrics()
        self._thread = ThreadPoolExecutor(1, "kexp-predict")  # TensorFlow has threads of its own
        self._models: dict[str, ModelVersions] = {}
        for model in models:
            versions = ModelVersions(model, self._batcher, say)
            if versions.name in self._models:
                raise InputError(
                    f"model must be folders of different names, received two of {shown(versions.name)}; give "
                    "one another name, as in NAME=FOLDER."
                )
            versions.check()
            self._models[versions.name] = versions

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the models."""
        return tuple(self._models)

    def load(self) -> None:
        """Load the newest version of each model.

        Raises:
            InputError: One has none that is whole.
        """
        for versions in self._models.values():
            versions.refresh()

    def application(self, *, token: str = "", hosts: Sequence[str] = ()) -> Starlette:
        """Return what an ASGI server runs.

        Args:
            token: That requests must bring; default: none.
            hosts: Names by which it is asked, all others being refused; default: any.
        """
        model = "/v1/models/{name}"
        version = f"{model}/versions/{{number}}"
        # A page of another site, whose name was made to lead here, has no answer that it could read.
        checks = [Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))] if hosts else []
        checks += [Middleware(TokenCheck, token=token)] if token else []
        return Starlette(
            routes=[
                Route("/", self._page),
                Route(OPEN_PATH, self._health),
                Route("/metrics", self._metrics_page),
                *(Route(f"{path}:predict", self._predict, methods=["POST"]) for path in (model, version)),
                *(Route(f"{path}/metadata", self._metadata) for path in (version, model)),
                *(Route(path, self._state) for path in (version, model)),
            ],
            middleware=checks,
            exception_handlers={HTTPException: _refusal, Exception: _failure},
            lifespan=self._lifespan,
        )

    def _batcher(self, name: str, exported: Exported) -> Batcher:
        return Batcher(
            partial(answers, exported),
            self._thread,
            most_rows=_BATCH_ROWS,
            wait_s=self._limits.batch_s,
            observe=lambda rows: self._metrics.add_batch(name, rows),
        )

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        looking = asyncio.create_task(self._look())
        yield
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking

    async def _look(self) -> None:
        """Serve newer versions once they are whole."""
        while True:
            await asyncio.sleep(_LOOK_S)
            for versions in self._models.values():
                with suppress(InputError, OSError):  # the one that is served stays
                    await run_in_threadpool(versions.refresh)

    # Addresses

    async def _predict(self, request: Request) -> Response:
        began = time.perf_counter()
        status = 500
        try:
            response = await self._prediction(request)
            status = response.status_code
            return response
        except HTTPException as error:
            status = error.status_code
            raise
        finally:
            name = request.path_params["name"]
            if name in self._models:
                self._metrics.add_request(name, status, time.perf_counter() - began)

    async def _prediction(self, request: Request) -> Response:
        found = await self._version(request)
        content = await _in_time(
            self._content(request), self._limits.seconds, 408, "the body came too slowly"
        )
        try:
            return await _in_time(
                self._answer(found, content), self._limits.seconds, 504, "the prediction took too long"
            )
        except InputError as error:
            raise HTTPException(400, str(error).replace(str(found.exported.directory), "the model")) from None
        except ServerBusy:
            raise HTTPException(503, "the server is busy; try again.", {"Retry-After": "1"}) from None

    async def _answer(self, found: ModelVersion, content: bytes) -> Response:
        reading = partial(read_body, content, found.exported, most_rows=self._limits.rows)
        is_small = len(content) <= _SMALL_BYTES and b"b64" not in content
        body = reading() if is_small else await run_in_threadpool(reading)
        outputs = await found.batcher.predict(body.inputs, body.rows)
        writing = partial(_written, outputs, body)
        is_small = sum(values.nbytes for values in outputs.values()) <= _SMALL_BYTES
        return writing() if is_small else await run_in_threadpool(writing)

    async def _content(self, request: Request) -> bytes:
        """Return the body, of which no more is held than is allowed."""
        most = self._limits.bytes
        announced = request.headers.get("content-length", "")
        content = bytearray()
        too_long = HTTPException(413, f"the body must have {most:,} bytes or fewer; send several requests.")
        if announced.isdecimal() and int(announced[:20]) > most:
            raise too_long
        try:
            async for chunk in request.stream():
                content += chunk
                if len(content) > most:
                    raise too_long
        except ClientDisconnect:
            raise HTTPException(400, "the body ended early.") from None
        return bytes(content)

    async def _state(self, request: Request) -> Response:
        number = str((await self._version(request)).number)
        status = {"error_code": "OK", "error_message": ""}
        return JSONResponse(
            {"model_version_status": [{"version": number, "state": "AVAILABLE", "status": status}]}
        )

    async def _metadata(self, request: Request) -> Response:
        found = await self._version(request)
        named = {"name": request.path_params["name"], "signature_name": "", "version": str(found.number)}
        described = {
            "signature_def": signature_def(found),
            "kexp": {
                "data": found.exported.spec.to_json(),
                "metrics": found.exported.provenance.get("metrics"),
            },
        }
        return JSONResponse({"model_spec": named, "metadata": _plain(described)})

    async def _health(self, request: Request) -> Response:
        missing = [name for name, versions in self._models.items() if not versions.is_available]
        return JSONResponse({"status": "unavailable" if missing else "ok"}, 503 if missing else 200)

    async def _metrics_page(self, request: Request) -> Response:
        for name, versions in self._models.items():
            if versions.is_available:
                self._metrics.set_version(name, versions.newest.number)
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def _page(self, request: Request) -> Response:
        name = request.query_params.get("model", self.names[0])
        versions = self._versions(name)
        page = await run_in_threadpool(try_page, name, versions.newest.exported.spec, self.names)
        return HTMLResponse(page, headers=_PAGE_HEADERS)

    def _versions(self, name: str) -> ModelVersions:
        versions = self._models.get(name)
        if versions is None:
            raise HTTPException(404, f"there is no model {shown(name)}{nearest(name, self.names)}.")
        return versions

    async def _version(self, request: Request) -> ModelVersion:
        versions = self._versions(request.path_params["name"])
        number = request.path_params.get("number")
        try:
            if number is None:
                return versions.newest
            if not _NUMBER.fullmatch(number):
                raise LookupError(f"version must be a number, received {shown(number)}")
            return await run_in_threadpool(versions.version, int(number))
        except LookupError as error:
            raise HTTPException(404, f"{error.args[0]}.") from None


async def _in_time(work: Awaitable[Any], seconds: float, status: int, what: str) -> Any:
    try:
        return await asyncio.wait_for(work, seconds)
    except asyncio.TimeoutError:
        raise HTTPException(status, f"{what} (more than {seconds:g} s).") from None


def _written(outputs: Outputs, body: RequestBody) -> Response:
    return JSONResponse(_shaped(outputs, body))


def _shaped(outputs: Outputs, body: RequestBody) -> dict[str, Any]:
    """Return an answer in rows or columns, as the request was; one output stands without its name."""
    columns = {name: _plain(values) for name, values in outputs.items()}
    only = next(iter(columns.values())) if len(columns) == 1 else None
    notes = {"warnings": list(body.notes)} if body.notes else {}
    if body.in_columns:
        return {"outputs": columns if only is None else only, **notes}
    if only is not None:
        return {"predictions": only, **notes}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return {"predictions": rows, **notes}


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, in which numbers that are not finite are null.

    Example:
        >>> _plain({"p": np.array([0.5, np.nan], np.float32), "n": (1, float("inf"))})
        {'p': [0.5, None], 'n': [1, None]}
    """
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind != "f" or np.isfinite(value).all():
            return value.tolist()
        return _plain(value.tolist())
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _failure(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "the server has failed; its log says why."}, 500)

"""HTTP on one port: the AWS API, and what the emulator knows of itself, under /emulator and in /metrics.

What is not ours by its path is AWS's: it goes to the API as it came, as ids and signatures depend on how a path is
encoded. Everything else that is shown comes from `View`, so that this file knows of no part of the emulator.
"""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from enum import Enum
from functools import partial
from typing import Any, Literal, Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ..trunk.countries import described
from ..trunk.store import Conflict, StoreError
from ..trunk.tables import ShapeError
from . import chime_console
from .api import LONGEST_BODY as LONGEST_API_BODY
from .api import Api, ApiRequest, ApiResponse, Audit
from .call_orders import CallOrder, CannotCall, call_order, keep_order
from .chime_routes import LookUp, Texts, answer, record
from .chime_routes import Route as ChimeRoute
from .context import Control
from .errors import ApiError
from .porting_orders import create_porting_order, move_porting_order

EVENTS_BEHIND = 1_000
"""Events that wait for a slow reader of the event stream; it is disconnected when there are more."""

METRICS_TYPE = "text/plain; version=0.0.4"
"""Prometheus's text format."""

PCAPNG_TYPE = "application/x-pcapng"

LONGEST_BODY = 65_536
"""Bytes of the body of a request to the emulator itself."""

KEEP_ALIVE_SECONDS = 75
"""How long a connection may be idle: longer than clients pause, as a request that meets the close is lost."""

LONGEST_DOCUMENT = 64_000_000
"""Bytes of a whole configuration."""

OURS = ("/emulator/", "/metrics", "/console")
"""How the paths begin that are not the AWS API's."""

TextsOf = Callable[[str], Awaitable[tuple[str, ...]]]
"""The TXT records of a name. Raises LookupError, with why, where there are none to be had."""

Watcher = Callable[[str, dict[str, object]], None]


class View(Protocol):
    """What can be shown of the emulator."""

    watchers: set[Watcher]

    def listeners(self) -> dict[str, str]: ...
    def state(self) -> dict[str, object]: ...
    def metrics_text(self) -> str: ...
    def regions(self) -> dict[str, dict[str, object]]: ...
    def set_region(self, name: str, wanted: object) -> dict[str, object]: ...
    def service_linked_role(self) -> dict[str, object]: ...
    def delete_service_linked_role(self) -> None: ...
    def configuration(self, *, secrets: bool) -> dict[str, object]: ...
    def configure(self, document: object, *, replace: bool) -> dict[str, int]: ...


class Calls(Protocol):
    """What can be shown of calls, and done to them."""

    def calls(self) -> list[dict[str, object]]: ...
    async def call(self, aws_transaction_id: str) -> dict[str, object] | None: ...
    async def place_call(self, order: CallOrder) -> str: ...
    async def hang_up(self, aws_transaction_id: str) -> dict[str, object] | None: ...
    async def keep(
        self, aws_transaction_id: str, what: Literal["capture", "record"], enabled: bool
    ) -> dict[str, object] | None: ...
    def capture(self, aws_transaction_id: str, *, as_sent: bool) -> Iterator[bytes] | None: ...
    def recording(self, aws_transaction_id: str) -> Iterator[bytes] | None: ...
    async def explain(self, aws_transaction_id: str) -> str | None: ...
    def ladder(self, aws_transaction_id: str, *, messages: bool = False) -> str | None: ...


class HttpServer:
    """uvicorn on a socket of ours, without signal handlers of its own."""

    def __init__(self, application: ASGIApp) -> None:
        config = uvicorn.Config(
            application,
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            server_header=False,
        )
        self._server = _QuietServer(config)
        self._task: asyncio.Task[None] | None = None
        self.url = ""
        """Where it serves, once it is open."""

    async def open(self, host: str, port: int) -> None:
        """Raises OSError where the address cannot be had."""
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
        except OSError:
            sock.close()
            raise
        address = f"[{host}]" if ":" in host else host
        self.url = f"http://{address}:{sock.getsockname()[1]}"
        self._task = asyncio.create_task(self._server.serve([sock]))
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.005)
        if self._task.done():
            await self._task

    async def close(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        if self._task:
            await self._task


class _QuietServer(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def application(view: View, desk: Calls, api: Api, further: Sequence[Route] = ()) -> ASGIApp:
    """The AWS API, and besides it our own pages; `further` are routes of those."""
    ours, theirs = emulator_pages(view, desk, further), api_application(api.handle)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await (ours if scope["path"].startswith(OURS) else theirs)(scope, receive, send)

    return serve


def api_application(handle: Callable[[ApiRequest], ApiResponse]) -> ASGIApp:
    """The AWS API by itself. A body that is longer than what it takes is not read to its end."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more and len(body) <= LONGEST_API_BODY:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        answer = handle(_api_request(scope, body))
        await send({"type": "http.response.start", "status": answer.status, "headers": _headers(answer)})
        await send({"type": "http.response.body", "body": answer.body})

    return serve


def _api_request(scope: Scope, body: bytes) -> ApiRequest:
    client = scope.get("client")
    return ApiRequest(
        scope["method"],
        scope["raw_path"].decode("latin-1"),
        scope["query_string"].decode("latin-1"),
        scope["headers"],
        body,
        client[0] if client else "",
    )


def _headers(answer: ApiResponse) -> list[tuple[bytes, bytes]]:
    if answer.status == 204:
        return list(answer.headers)
    return [*answer.headers, (b"content-length", str(len(answer.body)).encode())]


def emulator_pages(view: View, desk: Calls, further: Sequence[Route]) -> Starlette:
    """The routes of contract and help texts, over a view."""

    async def health(_request: Request) -> Response:
        regions = {name: region["State"] for name, region in view.regions().items()}
        return JSONResponse({"status": "ok", "listeners": view.listeners(), "regions": regions})

    async def state(_request: Request) -> Response:
        return JSONResponse(view.state())

    async def metrics(_request: Request) -> Response:
        return PlainTextResponse(view.metrics_text(), media_type=METRICS_TYPE)

    async def regions(_request: Request) -> Response:
        return JSONResponse(view.regions())

    async def set_region(request: Request) -> Response:
        return await _done(request, partial(view.set_region, request.path_params["name"]))

    async def role(request: Request) -> Response:
        try:
            if request.method == "GET":
                return JSONResponse(view.service_linked_role())
            if request.method == "DELETE":
                view.delete_service_linked_role()
                return Response(status_code=204)
        except LookupError as error:
            return _problem(str(error), 404)
        except ValueError as error:
            return _problem(str(error), 409)
        refusal = _problem("A service-linked role cannot be edited: the Amazon Chime SDK defines it (guide p. 17)", 405)
        refusal.headers["Allow"] = "GET, DELETE"
        return refusal

    async def configuration(request: Request) -> Response:
        return JSONResponse(view.configuration(secrets="secrets" in request.query_params))

    async def configure(request: Request) -> Response:
        do = partial(view.configure, replace="replace" in request.query_params)
        return await _done(request, do, longest=LONGEST_DOCUMENT)

    async def calls(_request: Request) -> Response:
        return JSONResponse(desk.calls())

    async def place_call(request: Request) -> Response:
        try:
            identity = await desk.place_call(call_order(await _json_of(request)))
        except ValueError as error:
            return _problem(str(error), 400)
        except CannotCall as error:
            return _problem(str(error), error.status_code)
        return JSONResponse({"TransactionId": identity}, status_code=201)

    async def call(request: Request) -> Response:
        found = await desk.call(request.path_params["id"])
        return JSONResponse(found) if found else _unknown(request)

    async def hang_up(request: Request) -> Response:
        try:
            found = await desk.hang_up(request.path_params["id"])
        except CannotCall as error:
            return _problem(str(error), error.status_code)
        return JSONResponse(found) if found else _unknown(request)

    async def explain(request: Request) -> Response:
        return _text(request, await desk.explain(request.path_params["id"]))

    async def ladder(request: Request) -> Response:
        messages = "messages" in request.query_params
        return _text(request, desk.ladder(request.path_params["id"], messages=messages))

    async def keep(request: Request) -> Response:
        what: Literal["capture", "record"] = "capture" if request.url.path.endswith("/capture") else "record"
        try:
            enabled = request.method == "POST" and keep_order(await _json_of(request, default={}))
            found = await desk.keep(request.path_params["id"], what, enabled)
        except CannotCall as error:
            return _problem(str(error), error.status_code)
        except ValueError as error:
            return _problem(str(error), 400)
        return JSONResponse(found) if found else _unknown(request)

    async def capture(request: Request) -> Response:
        pieces = desk.capture(request.path_params["id"], as_sent="as_sent" in request.query_params)
        return _unknown(request) if pieces is None else _file(request, pieces, PCAPNG_TYPE, "pcapng")

    async def recording(request: Request) -> Response:
        try:
            pieces = desk.recording(request.path_params["id"])
        except LookupError as error:
            return _problem(str(error), 404)
        return _unknown(request) if pieces is None else _file(request, pieces, "audio/wav", "wav")

    async def events(_request: Request) -> Response:
        return StreamingResponse(_stream(view), media_type="text/event-stream")

    return Starlette(
        routes=[
            Route("/metrics", metrics),
            Route("/emulator/health", health),
            Route("/emulator/state", state),
            Route("/emulator/regions", regions),
            Route("/emulator/regions/{name}", set_region, methods=["POST"]),
            Route("/emulator/iam/service-linked-role", role, methods=["GET", "DELETE", "PUT", "POST", "PATCH"]),
            Route("/emulator/configuration", configuration),
            Route("/emulator/configuration", configure, methods=["POST"]),
            Route("/emulator/calls", calls),
            Route("/emulator/calls", place_call, methods=["POST"]),
            Route("/emulator/calls/{id}", call),
            Route("/emulator/calls/{id}", hang_up, methods=["DELETE"]),
            Route("/emulator/calls/{id}/explain", explain),
            Route("/emulator/calls/{id}/ladder.txt", ladder),
            Route("/emulator/calls/{id}/capture.pcapng", capture),
            Route("/emulator/calls/{id}/recording.wav", recording),
            Route("/emulator/calls/{id}/capture", keep, methods=["POST", "DELETE"]),
            Route("/emulator/calls/{id}/record", keep, methods=["POST", "DELETE"]),
            Route("/emulator/events", events),
            *further,
        ]
    )


def chime_routes(control: Control, texts_of: TextsOf, audit: Audit) -> tuple[Route, ...]:
    """What an administrator of Amazon Chime does in its console, and users in its application."""
    return tuple(_chime_route(control, texts_of, audit, known) for known in chime_console.ROUTES)


def _chime_route(control: Control, texts_of: TextsOf, audit: Audit, known: ChimeRoute) -> Route:
    async def serve(request: Request) -> Response:
        try:
            asked = await _json_of(request, default={})
        except ValueError as error:
            return _problem(str(error), 400)
        outcome = answer(known, partial(known.function, control, request.path_params, asked))
        while isinstance(outcome, LookUp):
            outcome = answer(known, partial(outcome.then, await _texts(texts_of, outcome.name)))
        if known.action:
            came = _api_request(request.scope, b"")
            audit(*record(control, known, came, request.path_params, asked, outcome))
        if outcome.status == 204:
            return Response(status_code=204)
        return Response(json.dumps(outcome.content), outcome.status, media_type="application/json")

    return Route(f"/emulator/chime{known.path}", serve, methods=[known.method])


async def _texts(texts_of: TextsOf, name: str) -> Texts:
    try:
        return Texts(await texts_of(name))
    except LookupError as error:
        return Texts(because=str(error))


def number_routes(control: Control) -> tuple[Route, ...]:
    """What only support does with phone numbers, and what the guide says of the countries that have some."""

    async def countries(_request: Request) -> Response:
        return JSONResponse(described())

    async def create(request: Request) -> Response:
        return await _done(request, partial(create_porting_order, control), 201)

    async def move(request: Request) -> Response:
        return await _done(request, partial(move_porting_order, control, request.path_params["id"]))

    return (
        Route("/emulator/phone-number-countries", countries),
        Route("/emulator/porting-orders", create, methods=["POST"]),
        Route("/emulator/porting-orders/{id}", move, methods=["POST"]),
    )


async def _done(
    request: Request, do: Callable[[object], object], status_code: int = 200, longest: int = LONGEST_BODY
) -> Response:
    """What comes of doing what the body asks for, or why it cannot be done."""
    try:
        return JSONResponse(do(await _json_of(request, longest=longest)), status_code)
    except ApiError as error:
        return _problem(error.message, error.status)
    except LookupError as error:
        return _problem(str(error), 404)
    except Conflict as error:
        return _problem(str(error), 409)
    except ShapeError as error:
        return _problem(str(error), 400, error.path)
    except ValueError as error:
        return _problem(str(error), 400)
    except StoreError as error:
        return _problem(str(error), 503)


async def _json_of(request: Request, default: object = None, longest: int = LONGEST_BODY) -> object:
    """What the body says; `default` where it is empty and one is given.

    Raises ValueError where it is no JSON, or longer than anything that is asked for here.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > longest:
            raise ValueError(f"the body is longer than {longest} bytes")
    if default is not None and not body:
        return default
    try:
        asked: object = json.loads(body)
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"the body is not JSON: {error}") from None
    return asked


def _problem(message: str, status_code: int, path: str = "") -> Response:
    """Why not, and which value of the body; characters that UTF-8 has not, which JSON can ask with, are spelled out."""
    said = {"message": message, "path": path} if path else {"message": message}
    content = {key: text.encode("utf-8", "backslashreplace").decode() for key, text in said.items()}
    return JSONResponse(content, status_code=status_code)


def _text(request: Request, text: str | None) -> Response:
    return _unknown(request) if text is None else PlainTextResponse(text)


def _file(request: Request, pieces: Iterator[bytes], media_type: str, suffix: str) -> Response:
    """A file to be saved, sent as it is made."""
    name = f'attachment; filename="{request.path_params["id"]}.{suffix}"'
    return StreamingResponse(pieces, media_type=media_type, headers={"Content-Disposition": name})


def _unknown(request: Request) -> Response:
    message = f"no call {request.path_params['id']} is remembered; GET /emulator/calls lists those that are"
    return _problem(message, 404)


async def _stream(view: View) -> AsyncIterator[str]:
    """Server-Sent Events: each event of the emulator as it happens."""
    waiting: asyncio.Queue[str] = asyncio.Queue(EVENTS_BEHIND)
    overrun = False

    def watch(name: str, fields: dict[str, object]) -> None:
        nonlocal overrun
        if waiting.full():
            overrun = True
        else:
            waiting.put_nowait(f"event: {name}\ndata: {json.dumps(fields)}\n\n")

    view.watchers.add(watch)
    try:
        yield ": connected\n\n"
        while not overrun:
            yield await waiting.get()
    finally:
        view.watchers.discard(watch)


def event_fields(event: Any) -> dict[str, object]:
    """An event as a JSON object."""
    fields: dict[str, object] = _plain(asdict(event))
    return fields


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.value if isinstance(value, Enum) else value

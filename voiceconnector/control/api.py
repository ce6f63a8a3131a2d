"""The AWS API without its I/O: a request in, an answer out.

`Api.handle` finds the operation, lets `authorize` refuse it, checks what is asked against the model, calls the
operation's function, shapes its answer, and tells `audit` how it went.
"""

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from ..trunk.store import Conflict, NotFound, StoreError
from ..trunk.tables import ShapeError
from .context import Control, Fields
from .errors import ApiError
from .operations import functions
from .output import shaper
from .service import Operation, Service
from .validation import decode

log = logging.getLogger(__name__)

EMULATED = "the operations that it emulates are listed in its README, under AWS API"
LONGEST_BODY = 1_048_576
"""Bytes of a request's body."""
MOST_PARAMETERS = 100
"""In the query of a request."""

Headers = Sequence[tuple[bytes, bytes]]
"""As ASGI has them: the names in lower case, in the order they came, repeated where they were."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """What came over HTTP."""

    method: str
    path: str
    """Raw, as it came: still percent-encoded."""
    query: str
    """Raw, as it came, without its "?"."""
    headers: Headers
    body: bytes
    source_address: str
    """IP address it came from."""

    def header(self, name: str) -> str:
        """The value of a header, by its name in lower case; empty where it is absent."""
        wanted = name.encode()
        for known, value in self.headers:
            if known == wanted:
                return value.decode("latin-1")
        return ""


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """What goes out."""

    status: int
    headers: Headers
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Scope:
    """Who says to be asking, and for where: the credential scope of a signature, not verified."""

    access_key_id: str
    date: str
    """yyyymmdd"""
    region: str
    service: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API, as far as it is known before it is answered."""

    operation: Operation
    request: ApiRequest
    scope: Scope | None
    """None: the request carries no signature."""
    asked: Fields
    """What is asked, with AWS's member names. Members that are unknown or of the wrong type are left out."""
    request_id: str
    time: float
    """Unix time, seconds."""

    @property
    def user_agent(self) -> str:
        """What the client says it is; empty where it says nothing."""
        return self.request.header("user-agent")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended."""

    output: Fields | None
    """What the operation returned; None where it was refused."""
    error: ApiError | None


Authorize = Callable[[Call], None]
"""Raises ApiError where the caller may not do this. Called before what is asked is found right or wrong."""
Audit = Callable[[Call, Outcome], None]
"""Told of each call of a known operation, also of those that were refused."""


_SCOPE = re.compile(r"Credential=([^/,\s]+)/([0-9]{8})/([^/,\s]+)/([^/,\s]+)/aws4_request", re.ASCII)
_JSON = (b"content-type", b"application/json")


class Api:
    """The operations of the service models, done by our functions on a `Control`."""

    def __init__(
        self,
        control: Control,
        service: Service,
        authorize: Authorize = lambda _call: None,
        audit: Audit = lambda _call, _outcome: None,
    ) -> None:
        self._control = control
        self._service = service
        self._functions = functions(service.operations)
        self._shapers = {name: shaper(service.operations[name].output) for name in self._functions}
        self._authorize = authorize
        self._audit = audit

    def handle(self, request: ApiRequest) -> ApiResponse:
        """The answer to a request; it is what is wrong with it, too, and never an exception."""
        request_id = self._control.new_uuid()
        try:
            return self._handle(request, request_id)
        except ApiError as error:
            return _refused(error, request_id)
        except Exception:
            log.exception("A fault of ours made request %s of the API fail", request_id)
            return _refused(_our_fault(request_id), request_id)

    def _handle(self, request: ApiRequest, request_id: str) -> ApiResponse:
        if len(request.body) > LONGEST_BODY:
            raise ApiError("BadRequestException", f"The body is longer than {LONGEST_BODY} bytes")
        segments, query = _segments(request.path), _parameters(request.query)
        operation = self._service.route(request.method, segments, query)
        if operation is None:
            message = f"No operation of chime-sdk-voice or chime is {request.method} {request.path}"
            raise ApiError("UnknownOperationException", message)
        fields, mistake = decode(operation, segments, query, request.body)
        call = Call(operation, request, scope_of(request), fields, request_id, self._control.clock())
        try:
            output = self._answer(call, mistake)
        except ApiError as error:
            self._audit(call, Outcome(None, error))
            raise
        except Exception:
            self._audit(call, Outcome(None, _our_fault(request_id)))
            raise
        self._audit(call, Outcome(output, None))
        headers = (b"x-amzn-requestid", request_id.encode())
        if operation.status == 204:
            return ApiResponse(204, (headers,))
        return ApiResponse(operation.status, (headers, _JSON), _json(self._shapers[operation.name](output)))

    def _answer(self, call: Call, mistake: ApiError | None) -> Fields:
        """What the operation returns. Raises ApiError."""
        self._authorize(call)
        function = self._functions.get(call.operation.name)
        if function is None:
            raise ApiError("ForbiddenException", f"voiceconnector does not emulate {call.operation.name}; {EMULATED}")
        if mistake:
            raise mistake
        try:
            return function(self._control, call.asked)
        except NotFound as error:
            raise _declared(call.operation, "NotFoundException", error) from error
        except Conflict as error:
            raise _declared(call.operation, "ConflictException", error) from error
        except ShapeError as error:
            raise ApiError("BadRequestException", str(error)) from error
        except StoreError as error:
            log.error("%s of the API was not kept: %s", call.operation.name, error)
            raise ApiError("ServiceUnavailableException", str(error)) from error


def _our_fault(request_id: str) -> ApiError:
    message = f"A fault of voiceconnector; its log has it under request {request_id}"
    return ApiError("ServiceFailureException", message)


def scope_of(request: ApiRequest) -> Scope | None:
    """Who signed a request, by its Authorization header; None where there is none that can be read."""
    found = _SCOPE.search(request.header("authorization"))
    return Scope(*found.groups()) if found else None


def _segments(path: str) -> list[str]:
    """Those of a path, decoded once. Raises ApiError where one is not UTF-8."""
    segments = path.removeprefix("/").split("/")
    if "%" not in path:
        return segments
    try:
        return [unquote(segment, errors="strict") for segment in segments]
    except UnicodeDecodeError:
        raise ApiError("BadRequestException", f"The path {path} is not UTF-8") from None


def _parameters(query: str) -> Mapping[str, str]:
    """Those of a query, decoded. Raises ApiError where one is there twice, as AWS's API has no use for that."""
    if not query:
        return {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS)
    except UnicodeDecodeError:
        raise ApiError("BadRequestException", "The query is not UTF-8") from None
    except ValueError:
        raise ApiError("BadRequestException", f"The query has more than {MOST_PARAMETERS} parameters") from None
    parameters = dict(pairs)
    if len(parameters) < len(pairs):
        twice = next(name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1)
        raise ApiError("BadRequestException", f"The query has the parameter {twice} more than once")
    return parameters


def _declared(operation: Operation, name: str, error: Exception) -> ApiError:
    """What an operation may say; one that does not know an exception says that the request is bad."""
    return ApiError(name if name in operation.errors else "BadRequestException", str(error))


def _refused(error: ApiError, request_id: str) -> ApiResponse:
    headers = (
        (b"x-amzn-requestid", request_id.encode()),
        (b"x-amzn-errortype", error.name.encode()),
        _JSON,
    )
    return ApiResponse(error.status, headers, _json({"Code": error.code, "Message": error.message}))


_encode = json.JSONEncoder(separators=(",", ":")).encode


def _json(value: object) -> bytes:
    return _encode(value).encode()

"""The AWS API without its I/O: a request in, an answer out.

`Api.handle` finds the operation, lets `authorize` refuse it, checks what is asked against the model, calls the
operation's function, shapes its answer, and tells `audit` how it went.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .context import Fields
from .errors import ApiError
from .service import Operation

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
        return next((value.decode("latin-1") for known, value in self.headers if known == wanted), "")


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

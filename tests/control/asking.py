"""The AWS API without HTTP, for tests of what it does with a request."""

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.control.cloud import ACCOUNT_ID, REGIONS, Clock
from voiceconnector.control.api import Api, ApiRequest, ApiResponse, Audit, Authorize
from voiceconnector.control.context import Control
from voiceconnector.control.errors import ERRORS
from voiceconnector.control.service import Service
from voiceconnector.trunk.profile import LAB
from voiceconnector.trunk.store import Store

SOURCE = "192.0.2.10"
Headers = Sequence[tuple[bytes, bytes]]


class Asking:
    """An API, and who asks it."""

    def __init__(self, control: Control, api: Api) -> None:
        self.control = control
        self._api = api

    def __call__(self, method: str, target: str, body: bytes = b"", headers: Headers = ()) -> ApiResponse:
        """The answer to a request with this target: path and query as they are sent."""
        path, _, query = target.partition("?")
        return self._api.handle(ApiRequest(method, path, query, headers, body, SOURCE))

    def json(self, method: str, target: str, **members: object) -> ApiResponse:
        """The same, with a body of these members."""
        return self(method, target, json.dumps(members).encode())


@contextmanager
def open_asking(
    service: Service,
    folder: Path,
    authorize: Authorize = lambda _call: None,
    audit: Audit = lambda _call, _outcome: None,
) -> Iterator[Asking]:
    """An API of its own with profile `lab`, for as long as the context lasts."""
    clock = Clock()
    store = Store(folder, clock)
    try:
        control = Control(store, LAB, ACCOUNT_ID, REGIONS, random.Random(7), clock)
        yield Asking(control, Api(control, service, authorize, audit))
    finally:
        store.close()


def header(answer: ApiResponse, name: bytes) -> str:
    """The value of a header that is there once."""
    (value,) = [value for known, value in answer.headers if known == name]
    return value.decode()


def content(answer: ApiResponse) -> Any:
    """What a body says."""
    assert header(answer, b"content-type") == "application/json"
    return json.loads(answer.body)


def refusal(answer: ApiResponse) -> tuple[str, str]:
    """The exception and the message of an answer that must be in the shape of AWS's errors."""
    name, said = header(answer, b"x-amzn-errortype"), content(answer)
    assert header(answer, b"x-amzn-requestid")
    assert said.keys() == {"Code", "Message"}
    assert (answer.status, said["Code"]) == ERRORS[name]
    return name, said["Message"]

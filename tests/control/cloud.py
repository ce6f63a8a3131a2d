"""The AWS API over real HTTP for tests: a server on a free port, its store in a folder, its time in the test's hand."""

import asyncio
import random
import threading
from collections.abc import Callable, Collection, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import botocore.session
from botocore.config import Config
from starlette.types import ASGIApp, Receive, Scope, Send

from voiceconnector.control.api import Api, ApiRequest, ApiResponse, Audit, Authorize
from voiceconnector.control.context import Control
from voiceconnector.control.server import HttpServer, api_application
from voiceconnector.control.service import Service
from voiceconnector.trunk.model import Resource
from voiceconnector.trunk.profile import LAB, Profile
from voiceconnector.trunk.store import Store

T = TypeVar("T")

ACCOUNT_ID = "111122223333"
REGIONS = ("us-east-1", "us-west-2")
START = 1_650_000_000.25
"""2022-04-15T05:20:00.250Z, when a test's clock stands still first."""
SESSION = botocore.session.get_session()
"""Keeps the models that botocore reads, which takes longer than most tests."""


def boto3_client(url: str, service: str = "chime-sdk-voice", region: str = "us-east-1") -> Any:
    """A client of the API at a URL, which asks once. Close it when done."""
    return SESSION.create_client(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


class Clock:
    """Stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class Server:
    """HTTP in a thread of its own, for one API after the other: opening and closing it takes longer than most tests."""

    def __init__(self) -> None:
        self.handle: Callable[[ApiRequest], ApiResponse] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.pages: ASGIApp | None = None
        """What is served below /emulator."""
        self._api = api_application(self._handle)
        self._http = HttpServer(self)
        self.do(self._http.open("127.0.0.1", 0))
        self.url = self._http.url

    def do(self, what: Coroutine[Any, Any, T]) -> T:
        """Run something in that thread, to which the store belongs."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    def close(self) -> None:
        self.do(self._http.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pages = self.pages if scope["path"].startswith("/emulator/") else None
        await (pages or self._api)(scope, receive, send)

    def _handle(self, request: ApiRequest) -> ApiResponse:
        assert self.handle, "a client asks after its test"
        return self.handle(request)


class Servers:
    """Those that serve no test at the moment."""

    def __init__(self) -> None:
        self.idle: list[Server] = []
        self.service = Service.load()

    @contextmanager
    def one(self) -> Iterator[Server]:
        server = self.idle.pop() if self.idle else Server()
        try:
            yield server
        finally:
            server.handle = server.pages = None
            self.idle.append(server)

    def close(self) -> None:
        for server in self.idle:
            server.close()


class Cloud:
    """What a test does with the API."""

    def __init__(self, server: Server, control: Control, clock: Clock) -> None:
        self.url = server.url
        self.control = control
        self.clock = clock
        self._server = server
        self._clients = ExitStack()

    def client(self, service: str = "chime-sdk-voice", region: str = "us-east-1") -> Any:
        """A client of boto3's making, which asks once."""
        client = boto3_client(self.url, service, region)
        self._clients.callback(client.close)
        return client

    def do(self, what: Callable[[Control], T]) -> T:
        """Do something to the emulated service itself."""

        async def done() -> T:
            return what(self.control)

        return self._server.do(done())

    def serve(self, pages: ASGIApp) -> None:
        """Serve something of ours besides the API, below /emulator."""
        self._server.pages = pages

    def commit(self, *put: Resource, remove: Collection[Resource] = ()) -> None:
        """Put resources into the store, or take some out, as if an operation did."""
        self.do(lambda control: control.store.commit(*put, remove=remove))

    def close(self) -> None:
        self._clients.close()


@contextmanager
def open_cloud(
    servers: Servers,
    folder: Path,
    profile: Profile = LAB,
    authorize: Authorize = lambda _call: None,
    audit: Audit = lambda _call, _outcome: None,
) -> Iterator[Cloud]:
    """An API of its own, for as long as the context lasts."""
    clock = Clock()

    async def start() -> Control:
        return Control(Store(folder, clock), profile, ACCOUNT_ID, REGIONS, random.Random(7), clock)

    async def stop() -> None:
        control.store.close()

    with servers.one() as server:
        control = server.do(start())
        server.handle = Api(control, servers.service, authorize, audit).handle
        cloud = Cloud(server, control, clock)
        try:
            yield cloud
        finally:
            cloud.close()
            server.do(stop())

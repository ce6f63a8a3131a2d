"""Two phones and the network between them; event loops and a certification authority for the edge."""

import asyncio
import os
from collections.abc import Iterator
from functools import partial

import pytest

from tests.authority import Authority
from tests.phone import Phone
from tests.sip.edge import Run, play
from tests.world import World
from voiceconnector.app import new_event_loop


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def alice(world: World) -> Phone:
    return Phone(world, "alice", "127.0.0.1")


@pytest.fixture
def bob(world: World) -> Phone:
    return Phone(world, "bob", "127.0.0.2")


@pytest.fixture(params=["asyncio", "as the program runs"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a scenario on the plain event loop, and on the one that `serve` takes (uvloop where it is installed)."""
    return partial(play, new_loop=asyncio.new_event_loop if request.param == "asyncio" else new_event_loop)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """The only one there is: to read the system's CAs takes longer than any test."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSL_CERT_FILE", os.devnull)
        yield Authority(tmp_path_factory.mktemp("tls"))

"""Two phones and the network between them."""

import pytest

from tests.phone import Phone
from tests.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def alice(world: World) -> Phone:
    return Phone(world, "alice", "127.0.0.1")


@pytest.fixture
def bob(world: World) -> Phone:
    return Phone(world, "bob", "127.0.0.2")

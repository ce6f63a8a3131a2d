"""Emulators and peers for the interop tests, and the order in which the tests run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.emulator import Emulator, configuration, new_place, running_emulator
from tests.interop.inbound import Inbound
from tests.interop.peers import Sipp, program
from tests.interop.stage import Stage


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Make the call that takes 32 s before every other interop test, and look at it after them."""
    interop = [item for item in items if item.get_closest_marker("interop")]
    slow = [item for item in interop if "unacknowledged_call" in getattr(item, "fixturenames", ())]
    others = [item for item in items if item not in interop]
    rest = [item for item in interop if item not in slow]
    items[:] = [*others, *slow[:1], *rest, *slow[1:]]


@pytest.fixture(scope="session")
def sipp_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulator with the configuration of sbc_configs/sipp."""
    program("sipp")
    yield from running_emulator(configuration("sipp"), new_place(), tmp_path_factory.mktemp("sipp"))


@pytest.fixture
def stage(sipp_emulator: Emulator, tmp_path: Path) -> Iterator[Stage]:
    """A stage of its own for each test, around the one emulator."""
    stage = Stage(sipp_emulator, tmp_path)
    yield stage
    stage.close()
    print(f"The emulator's log:\n{sipp_emulator.log()}")


@pytest.fixture(scope="session")
def unacknowledged_call(sipp_emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sipp]:
    """A PBX that never acknowledges the answer: it takes the 32 s that RFC 3261 gives it."""
    stage = Stage(sipp_emulator, tmp_path_factory.mktemp("unacknowledged"))
    yield stage.pbx("lost_ack")
    stage.close()


@pytest.fixture(scope="session")
def inbound_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulator with the numbers of sbc_configs/sipp/inbound.toml."""
    program("sipp")
    config = configuration("sipp", "inbound.toml")
    yield from running_emulator(config, new_place(), tmp_path_factory.mktemp("inbound"))


@pytest.fixture
def inbound(inbound_emulator: Emulator, tmp_path: Path) -> Iterator[Inbound]:
    """A stage of its own for each test, around the one emulator."""
    inbound = Inbound(inbound_emulator, tmp_path)
    yield inbound
    inbound.close()
    print(f"The emulator's log:\n{inbound_emulator.log()}")

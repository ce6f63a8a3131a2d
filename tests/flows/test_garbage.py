"""Calls leave nothing for the cyclic garbage collector, which the emulator keeps off while calls go on."""

import gc
from collections.abc import Callable, Iterator

import pytest

from tests.flows.inbound import Inbound, answered_by_two
from tests.flows.stage import CALLED, Stage
from voiceconnector.pstn.behaviours import behaviour
from voiceconnector.trunk.model import Termination


def answered() -> Stage:
    stage = Stage()
    stage.pbx.dial()
    stage.run()
    stage.far.ring()
    stage.far.pick_up()
    stage.run()
    stage.pbx.session.hang_up(stage.now)
    stage.end()
    return stage


def busy() -> Stage:
    stage = Stage(behaviour=behaviour("busy"))
    stage.pbx.dial(CALLED)
    stage.end()
    return stage


def cancelled() -> Stage:
    stage = Stage()
    stage.pbx.dial()
    stage.run()
    stage.far.ring()
    stage.run()
    stage.pbx.session.cancel(stage.now)
    stage.end()
    return stage


def refused() -> Stage:
    stage = Stage()
    stage.configure(termination=Termination(disabled=True, cidr_allowed_list=("0.0.0.0/0",), calling_regions=("US",)))
    stage.pbx.dial()
    stage.end(calls=1)
    return stage


def answered_at_the_second_route() -> Stage:
    stage = Inbound()
    stage.ring()
    stage.run()
    stage.one.session.refuse(503, "Service Unavailable", stage.now)
    stage.run()
    answered_by_two(stage)
    return stage


@pytest.fixture
def collector() -> Iterator[None]:
    """The collector, off, keeping what it finds."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


@pytest.mark.usefixtures("collector")
@pytest.mark.parametrize("play", [answered, busy, cancelled, refused, answered_at_the_second_route])
def test_a_call_leaves_no_cycles(play: Callable[[], Stage]) -> None:
    stage = play()
    for phone in (stage.pbx, stage.far):
        phone.sessions.clear()
    gc.collect()
    left = [type(found).__qualname__ for found in gc.garbage if type(found).__module__.startswith("voiceconnector")]
    assert not left

"""Whole calls over networks that lose, repeat, delay and reorder: both sides end, and nothing is left."""

import random
from collections.abc import Callable

import pytest

from tests.phone import ANSWER, NEW_ANSWER, NEW_OFFER, OFFER, SDP, Phone, pick_up
from tests.world import LATENCY, Packet, World
from voiceconnector.sip.session import CONFIRMED, ENDED


def play_call(world: World, alice: Phone, bob: Phone) -> None:
    """INVITE, 180, 200, ACK, re-INVITE both ways, INFO, BYE, with time between them for what is lost."""
    ours = alice.call("bob", 0.0)
    world.at(5.0, lambda now: pick_up(bob.session, now))
    world.at(50.0, lambda now: ours.send("INVITE", now, SDP, NEW_OFFER))
    world.at(100.0, lambda now: bob.session.send("INVITE", now, SDP, NEW_OFFER))
    world.at(150.0, lambda now: ours.send("INFO", now))
    world.at(200.0, lambda now: bob.session.hang_up(now))
    world.run_until(300.0)


def play_cancelled_call(world: World, alice: Phone, bob: Phone) -> None:
    ours = alice.call("bob", 0.0)
    world.at(5.0, ours.hang_up)
    world.run_until(100.0)


def play_refused_call(world: World, alice: Phone, bob: Phone) -> None:
    alice.call("bob", 0.0)
    world.at(5.0, lambda now: bob.session.refuse(486, "Busy Here", now))
    world.run_until(100.0)


def lose_one(world: World, number: int) -> None:
    world.rules.append(lambda packet: [] if packet.number == number else None)


@pytest.mark.parametrize("number", range(1, 21))
def test_any_one_message_may_be_lost_and_the_call_is_the_same(
    world: World, alice: Phone, bob: Phone, number: int
) -> None:
    """17: that is what retransmission is for."""
    lose_one(world, number)
    play_call(world, alice, bob)
    assert alice.heard == ["180", "answered", "200 INVITE", "re-INVITE", "ACK", "200 INFO", "BYE"]
    assert bob.heard == ["INVITE", "ACK", "re-INVITE", "ACK", "200 INVITE", "INFO"]
    assert (alice.bodies, bob.bodies) == ([ANSWER, NEW_ANSWER, NEW_OFFER], [OFFER, NEW_OFFER, NEW_ANSWER])
    assert (alice.session.state, bob.session.state) == (ENDED, ENDED)
    world.settle()


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("play", [play_cancelled_call, play_refused_call])
def test_any_one_message_of_a_call_that_fails_may_be_lost(
    world: World, alice: Phone, bob: Phone, number: int, play: Callable[[World, Phone, Phone], None]
) -> None:
    lose_one(world, number)
    play(world, alice, bob)
    assert (alice.session.state, bob.session.state) == (ENDED, ENDED)
    assert bob.heard == ["INVITE", "CANCEL"] if play is play_cancelled_call else alice.heard[-1:] == ["failed 486"]
    world.settle()


def talk_nonsense(phone: Phone, now: float, chance: random.Random) -> None:
    """Do with each call something that may or may not fit."""
    for session in phone.sessions:
        match chance.randrange(7):
            case 0:
                pick_up(session, now)
            case 1 if session.state == CONFIRMED:
                session.send("INFO", now)
            case 2 if session.state == CONFIRMED and not session.busy:
                session.send("INVITE", now, SDP, OFFER)
            case 3 if session.state == CONFIRMED:
                session.send("UPDATE", now)
            case 5:
                session.withdraw(now)
            case 4 if chance.random() < 0.3:
                session.hang_up(now)
            case _:
                pass


@pytest.mark.parametrize("seed", range(30))
def test_a_bad_network_is_survived(seed: int) -> None:
    """A third is lost, some arrives several times, all in any order. Then the network heals and both hang up."""
    world = World(seed)
    phones = Phone(world, "alice", "127.0.0.1"), Phone(world, "bob", "127.0.0.2")

    def bad(_packet: Packet) -> list[float]:
        copies = world.random.choice([0, 0, 1, 1, 1, 2, 3])
        return [LATENCY + world.random.expovariate(2.0) for _ in range(copies)]

    def talk(now: float) -> None:
        for phone in phones:
            talk_nonsense(phone, now, world.random)

    world.rules.append(bad)
    for second in range(0, 60, 10):
        world.at(float(second), lambda now: phones[0].call("bob", now))
    for second in range(5, 90, 3):
        world.at(float(second), talk)
    world.run_until(90.0)
    world.rules.clear()
    for phone in phones:
        for session in phone.sessions:
            session.hang_up(world.now)
    world.settle()
    assert len(phones[0].sessions) == 6
    assert {session.state for phone in phones for session in phone.sessions} == {ENDED}

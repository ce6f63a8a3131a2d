"""Giving up a call that is not answered yet: RFC 3261 section 9, as ladders in virtual time."""

from tests.phone import Phone, pick_up, ring
from tests.wire import answer, header, start_line
from tests.world import World
from voiceconnector.sip.session import EARLY, ENDED


def test_a_cancelled_call(world: World, alice: Phone, bob: Phone) -> None:
    """9.1, 9.2: 200 to the CANCEL, 487 to the INVITE, both with the same To-tag."""
    session = alice.call("bob", 0.0)
    world.at(3.0, lambda now: session.cancel(now, 'SIP;cause=200;text="Call completed elsewhere"'))
    world.run_until(5.0)
    assert world.told() == [
        "alice>bob INVITE",
        "bob>alice 180 INVITE",
        "alice>bob CANCEL",
        "bob>alice 200 CANCEL",
        "bob>alice 487 INVITE",
        "alice>bob ACK",
    ]
    tags = {header(world.sent(f"bob>alice {what}")[0], "To") for what in ("180 INVITE", "200 CANCEL", "487 INVITE")}
    assert len(tags) == 1
    assert header(world.sent("alice>bob CANCEL")[0], "Reason").startswith("SIP;cause=200")
    assert alice.heard == ["180"], "who cancels hears no more"
    assert bob.heard == ["INVITE", "CANCEL"]
    assert (session.state, bob.session.state) == (ENDED, ENDED)
    world.settle()


def test_a_cancel_waits_for_the_first_provisional_response(world: World, alice: Phone, bob: Phone) -> None:
    """9.1: before that there is nothing to cancel that the peer is sure to know of."""
    bob.when_called = lambda session, now: world.at(now + 2.0, lambda later: ring(session, later))
    session = alice.call("bob", 0.0)
    world.at(1.0, session.cancel)
    world.run_until(1.9)
    assert "alice>bob CANCEL" not in world.told()
    world.run_until(4.0)
    assert world.times("alice>bob CANCEL") == [2.02]
    assert world.told()[-1] == "alice>bob ACK"
    assert session.state == ENDED
    world.settle()


def test_a_call_cancelled_before_anyone_answers_times_out_without_a_cancel(world: World, alice: Phone) -> None:
    """9.1."""
    world.peer("nobody", "127.0.0.9")
    session = alice.call("nobody", 0.0)
    world.at(1.0, session.cancel)
    world.settle()
    assert world.told() == ["alice>nobody INVITE"] * 7
    assert (session.state, alice.heard) == (ENDED, [])


def test_a_refusal_that_comes_before_the_cancel_could_be_sent_ends_the_call(
    world: World, alice: Phone, bob: Phone
) -> None:
    bob.when_called = lambda session, now: world.at(now + 2.0, lambda later: session.refuse(404, "Not Found", later))
    session = alice.call("bob", 0.0)
    world.at(1.0, session.cancel)
    world.run_until(4.0)
    assert "alice>bob CANCEL" not in world.told()
    assert (session.state, alice.heard) == (ENDED, [])
    world.settle()


def test_an_answer_that_comes_before_the_cancel_could_be_sent_is_ended_with_bye(
    world: World, alice: Phone, bob: Phone
) -> None:
    """15: a dialog that exists is ended with BYE."""
    bob.when_called = lambda session, now: world.at(now + 2.0, lambda later: pick_up(session, later))
    session = alice.call("bob", 0.0)
    world.at(1.0, lambda now: session.cancel(now, "Q.850;cause=16"))
    world.run_until(4.0)
    assert world.told()[-3:] == ["alice>bob ACK", "alice>bob BYE", "bob>alice 200 BYE"]
    assert header(world.sent("alice>bob BYE")[0], "Reason") == "Q.850;cause=16"
    assert (alice.heard, bob.heard) == ([], ["INVITE", "ACK", "BYE"])
    world.settle()


def test_a_cancel_that_crosses_the_answer_ends_in_ack_and_bye(world: World, alice: Phone, bob: Phone) -> None:
    """9.1, 9.2: the CANCEL has no effect on an INVITE that has its final answer; the caller hangs up."""
    session = alice.call("bob", 0.0)
    world.at(3.0, session.cancel)
    world.at(3.005, lambda now: pick_up(bob.session, now))
    world.run_until(5.0)
    assert world.told()[2:] == [
        "alice>bob CANCEL",
        "bob>alice 200 INVITE",
        "bob>alice 200 CANCEL",
        "alice>bob ACK",
        "alice>bob BYE",
        "bob>alice 200 BYE",
    ]
    assert (alice.heard, bob.heard) == (["180"], ["INVITE", "ACK", "BYE"])
    assert (session.state, bob.session.state) == (ENDED, ENDED)
    world.settle()


def test_a_cancel_that_crosses_a_refusal_changes_nothing(world: World, alice: Phone, bob: Phone) -> None:
    session = alice.call("bob", 0.0)
    world.at(3.0, session.cancel)
    world.at(3.005, lambda now: bob.session.refuse(486, "Busy Here", now))
    world.run_until(5.0)
    assert world.told()[2:] == [
        "alice>bob CANCEL",
        "bob>alice 486 INVITE",
        "bob>alice 200 CANCEL",
        "alice>bob ACK",
    ]
    assert (session.state, bob.session.state) == (ENDED, ENDED)
    world.settle()


def test_cancelling_twice_sends_one_cancel(world: World, alice: Phone, bob: Phone) -> None:
    session = alice.call("bob", 0.0)
    for when in (3.0, 3.0, 3.5):
        world.at(when, session.hang_up)
    world.settle()
    assert world.told().count("alice>bob CANCEL") == 1


def test_an_invite_that_is_never_answered_although_cancelled_is_given_up(world: World, alice: Phone) -> None:
    """9.1: after 64*T1 without a final response the client transaction is destroyed."""
    silent = world.peer("silent", "127.0.0.9")
    session = alice.call("silent", 0.0)
    world.run(0.1)
    silent.send(answer(silent.received[0], 180, "Ringing"), world.local("alice"))
    world.at(3.0, session.cancel)
    world.run_until(34.9)
    assert world.told().count("alice>silent CANCEL") == 11
    assert session.state == EARLY
    world.run_until(35.1)
    assert session.state == ENDED
    world.settle()


def test_a_cancel_that_is_answered_but_has_no_effect_is_given_up(world: World, alice: Phone) -> None:
    """9.1: the 200 to the CANCEL says nothing about the INVITE."""
    lazy = world.peer("lazy", "127.0.0.9")
    lazy.answers = lambda data: [answer(data, 180 if start_line(data).startswith("INVITE") else 200, "Fine")]
    session = alice.call("lazy", 0.0)
    world.at(3.0, session.cancel)
    world.settle()
    assert session.state == ENDED


def test_a_lost_cancel_is_repeated(world: World, alice: Phone, bob: Phone) -> None:
    """17.1.2.2: the CANCEL is a transaction of its own."""
    world.lose("alice>bob CANCEL", times=2)
    session = alice.call("bob", 0.0)
    world.at(3.0, session.cancel)
    world.run_until(6.0)
    assert world.times("alice>bob CANCEL") == [3.0, 3.5, 4.5]
    assert (session.state, bob.heard) == (ENDED, ["INVITE", "CANCEL"])
    world.settle()

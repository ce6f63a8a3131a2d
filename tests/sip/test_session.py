"""Calls between two stacks: setting up, cancelling and ending, as ladders in virtual time.

Each flow ends with `settle`: after all timers have run out nothing may be left on either side.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.phone import ANSWER, OFFER, SDP, Phone, pick_up, ring, talk
from tests.wire import answer, body_of, header, headers_of, request, start_line
from tests.world import LATENCY, Packet, World
from voiceconnector.sip.session import CONFIRMED, ENDED


def test_an_answered_call(world: World, alice: Phone, bob: Phone) -> None:
    """RFC 3261 figure 1, without the proxies."""
    session = alice.call("bob", 0.0)
    world.at(2.0, lambda now: pick_up(bob.session, now))
    world.at(5.0, session.hang_up)
    world.run_until(10.0)
    assert world.told() == [
        "alice>bob INVITE",
        "bob>alice 180 INVITE",
        "bob>alice 200 INVITE",
        "alice>bob ACK",
        "alice>bob BYE",
        "bob>alice 200 BYE",
    ]
    assert alice.heard == ["180", "answered"]
    assert bob.heard == ["INVITE", "ACK", "BYE"]
    assert (bob.bodies, alice.bodies) == ([OFFER], [ANSWER])
    assert (session.state, bob.session.state) == (ENDED, ENDED)
    world.settle()


def test_the_requests_of_a_dialog_carry_its_identity(world: World, alice: Phone, bob: Phone) -> None:
    """12.2.1.1: tags, Call-ID, a CSeq that counts up, the peer's Contact as Request-URI; the ACK its INVITE's."""
    session, _ = talk(alice, bob)
    session.send("INFO", world.now)
    world.run(0.1)
    bob.session.hang_up(world.now, "Q.850;cause=16")
    world.run(0.1)
    (info,) = world.sent("alice>bob INFO")
    (bye,) = world.sent("bob>alice BYE")
    assert start_line(info) == "INFO sip:bob@127.0.0.2:5060 SIP/2.0"
    assert start_line(bye) == "BYE sip:alice@127.0.0.1:5060 SIP/2.0"
    assert header(info, "CSeq") == "2 INFO"
    assert header(info, "Call-ID") == header(bye, "Call-ID")
    assert (header(info, "From"), header(info, "To")) == (header(bye, "To"), header(bye, "From"))
    assert ";tag=" in header(info, "From")
    assert ";tag=" in header(info, "To")
    assert header(bye, "Reason") == "Q.850;cause=16"
    world.settle()


def test_a_busy_phone(world: World, alice: Phone, bob: Phone) -> None:
    """17.1.1.3: the ACK of a refusal has the INVITE's branch."""
    bob.when_called = lambda session, now: session.refuse(486, "Busy Here", now)
    session = alice.call("bob", 0.0)
    world.run(1.0)
    assert world.told() == ["alice>bob INVITE", "bob>alice 486 INVITE", "alice>bob ACK"]
    assert header(world.sent("alice>bob ACK")[0], "Via") == header(world.sent("alice>bob INVITE")[0], "Via")
    assert alice.heard == ["failed 486"]
    assert (session.state, bob.session.state) == (ENDED, ENDED)
    world.settle()


def test_a_phone_that_rings_may_still_refuse(world: World, alice: Phone, bob: Phone) -> None:
    alice.call("bob", 0.0)
    world.at(3.0, lambda now: bob.session.refuse(603, "Decline", now))
    world.run_until(5.0)
    assert alice.heard == ["180", "failed 603"]
    world.settle()


def test_a_call_to_where_nobody_answers(world: World, alice: Phone) -> None:
    """17.1.1.2 Timer B."""
    world.peer("nobody", "127.0.0.9")
    alice.call("nobody", 0.0)
    world.run(40.0)
    assert world.told() == ["alice>nobody INVITE"] * 7
    assert alice.heard == ["failed 408"]
    world.settle()


def test_a_call_to_where_nobody_listens(world: World, alice: Phone) -> None:
    """8.1.3.1: a transport error counts as 503."""
    world.peer("nobody", "127.0.0.9")
    hop = world.hop("alice", "nobody")
    alice.call("nobody", 0.0, hop=hop._replace(address=("127.0.0.9", 9)))
    world.run(1.0)
    assert alice.heard == ["failed 503"]
    world.settle()


# -- what the callee does while it waits for the ACK


def test_the_200_is_repeated_until_the_ack_is_there(world: World, alice: Phone, bob: Phone) -> None:
    """13.3.1.4: at T1, doubling up to T2."""
    bob.when_called = pick_up
    world.lose("alice>bob ACK", times=5)
    session = alice.call("bob", 0.0)
    world.run_until(20.0)
    assert world.times("bob>alice 200 INVITE") == [0.01, 0.51, 1.51, 3.51, 7.51, 11.51]
    assert world.times("alice>bob ACK") == [0.02, 0.52, 1.52, 3.52, 7.52, 11.52]
    assert (alice.heard, bob.heard) == (["answered"], ["INVITE", "ACK"])
    acks = world.sent("alice>bob ACK")
    assert acks == [acks[0]] * 6, "the same ACK is sent again: 13.2.2.4"
    session.hang_up(world.now)
    world.settle()


def test_without_an_ack_the_callee_hangs_up_after_64_t1(world: World, alice: Phone, bob: Phone) -> None:
    """13.3.1.4: the session is then ended with a BYE."""
    bob.when_called = pick_up
    world.lose("alice>bob ACK", times=100)
    alice.call("bob", 0.0)
    world.run_until(32.0)
    assert world.times("bob>alice 200 INVITE")[-1] == 31.51
    assert "bob>alice BYE" not in world.told()
    world.run_until(33.0)
    assert world.times("bob>alice BYE") == [32.01]
    assert header(world.sent("bob>alice BYE")[0], "Reason").startswith("SIP;cause=408")
    assert (alice.heard, bob.heard) == (["answered", "BYE"], ["INVITE", "lost"])
    assert (alice.session.state, bob.session.state) == (ENDED, ENDED)
    world.settle()


def test_a_lost_200_is_repeated_and_the_call_is_there(world: World, alice: Phone, bob: Phone) -> None:
    bob.when_called = pick_up
    world.lose("bob>alice 200 INVITE", times=3)
    session = alice.call("bob", 0.0)
    world.run_until(5.0)
    assert world.times("alice>bob INVITE")[:3] == [0.0, 0.5, 1.5]
    assert (session.state, alice.heard, bob.heard) == (CONFIRMED, ["answered"], ["INVITE", "ACK"])
    session.hang_up(world.now)
    world.settle()


def test_the_callee_hangs_up_only_once_the_ack_is_there(world: World, alice: Phone, bob: Phone) -> None:
    """15: the callee must not send a BYE on a confirmed dialog before it has the ACK."""
    alice.acknowledge_with = None
    session = alice.call("bob", 0.0)
    world.at(1.0, lambda now: pick_up(bob.session, now))
    world.at(1.2, lambda now: bob.session.hang_up(now, "Q.850;cause=16"))
    world.at(4.0, session.acknowledge)
    world.run_until(5.0)
    assert world.times("bob>alice BYE") == [4.01]
    assert header(world.sent("bob>alice BYE")[0], "Reason") == "Q.850;cause=16"
    assert (alice.heard, bob.heard) == (["180", "answered", "BYE"], ["INVITE"])
    world.settle()


def test_the_callee_hangs_up_without_the_ack_in_the_end(world: World, alice: Phone, bob: Phone) -> None:
    """15: … or until its server transaction times out."""
    alice.acknowledge_with = None
    alice.call("bob", 0.0)
    world.at(1.0, lambda now: pick_up(bob.session, now))
    world.at(1.2, lambda now: bob.session.hang_up(now, "Q.850;cause=16"))
    world.run_until(40.0)
    assert world.times("bob>alice BYE") == [33.0]
    assert header(world.sent("bob>alice BYE")[0], "Reason") == "Q.850;cause=16"
    world.settle()


def test_the_caller_may_hang_up_before_its_ack(world: World, alice: Phone, bob: Phone) -> None:
    """15: only the callee has to wait. The ACK is still sent first, as 13.2.2.4 wants one for each 2xx."""
    alice.acknowledge_with = None
    session = alice.call("bob", 0.0)
    world.at(1.0, lambda now: pick_up(bob.session, now))
    world.at(2.0, session.hang_up)
    world.run_until(4.0)
    assert world.told()[-3:] == ["alice>bob ACK", "alice>bob BYE", "bob>alice 200 BYE"]
    assert bob.heard == ["INVITE", "ACK", "BYE"]
    world.settle()


def test_a_bye_that_overtakes_the_ack_ends_the_call(world: World, alice: Phone, bob: Phone) -> None:
    bob.when_called = pick_up
    world.delay("alice>bob ACK", 0.2)
    session = alice.call("bob", 0.0)
    world.at(0.1, session.hang_up)
    world.run_until(3.0)
    assert bob.heard == ["INVITE", "BYE"]
    assert world.told().count("bob>alice 200 INVITE") == 1
    assert bob.session.state == ENDED
    world.settle()


def test_a_second_answer_from_the_user_is_not_sent(world: World, alice: Phone, bob: Phone) -> None:
    bob.when_called = pick_up
    alice.call("bob", 0.0)
    world.at(0.015, lambda now: bob.session.refuse(486, "Busy Here", now))
    world.at(0.015, lambda now: pick_up(bob.session, now))
    world.at(0.015, lambda now: ring(bob.session, now))
    world.run_until(1.0)
    assert world.told() == ["alice>bob INVITE", "bob>alice 200 INVITE", "alice>bob ACK"]
    alice.session.hang_up(world.now)
    world.settle()


# -- late offer


def test_a_late_offer_is_answered_in_the_ack(world: World, alice: Phone, bob: Phone) -> None:
    """13.2.1: no offer in the INVITE, so it comes in the 2xx and its answer in the ACK."""
    bob.when_called = lambda session, now: session.accept(now, SDP, OFFER)
    alice.acknowledge_with = ANSWER
    alice.call("bob", 0.0, body=b"")
    world.run(1.0)
    (ack,) = world.sent("alice>bob ACK")
    assert body_of(world.sent("alice>bob INVITE")[0]) == b""
    assert (header(ack, "Content-Type"), body_of(ack)) == ("application/sdp", ANSWER)
    assert (alice.bodies, bob.bodies) == ([OFFER], [ANSWER])
    alice.session.hang_up(world.now)
    world.settle()


def test_an_ack_that_the_user_sends_late_is_waited_for(world: World, alice: Phone, bob: Phone) -> None:
    """13.2.2.4, 13.3.1.4: the 200 is repeated meanwhile, and no other ACK leaves."""
    bob.when_called = pick_up
    alice.acknowledge_with = None
    session = alice.call("bob", 0.0)
    world.at(2.0, lambda now: session.acknowledge(now, ANSWER))
    world.run_until(4.0)
    assert world.times("alice>bob ACK") == [2.0]
    assert world.times("bob>alice 200 INVITE") == [0.01, 0.51, 1.51]
    session.hang_up(world.now)
    world.settle()


# -- forks


class Fork:
    """A proxy that has sent the INVITE on to several places: it answers with several To-tags."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.peer = world.peer("fork", "127.0.0.9")
        self.peer.answers = self._answer

    def _answer(self, data: bytes) -> list[bytes]:
        if start_line(data).startswith(("BYE", "OPTIONS")):
            return [answer(data, 200, "OK")]
        return []

    def reply(self, status_code: int, tag: str, contact: str = "sip:bob@127.0.0.9:5060") -> None:
        invite = self.peer.received[0]
        self.peer.send(
            answer(invite, status_code, "Fine", tag=tag, headers=f"Contact: <{contact}>\r\n"),
            self.world.local("alice"),
        )
        self.world.run(0.1)

    def got(self, method: str) -> list[bytes]:
        return [data for data in self.peer.received if start_line(data).startswith(method)]


def test_the_answer_of_a_second_fork_is_acknowledged_and_ended(world: World, alice: Phone) -> None:
    """13.2.2.4: each 2xx is a dialog of its own; those not wanted are ended with BYE. The first goes on."""
    fork = Fork(world)
    session = alice.call("fork", 0.0)
    world.run(0.1)
    fork.reply(180, "one")
    fork.reply(180, "two")
    fork.reply(200, "one")
    fork.reply(200, "two")
    acks, byes = fork.got("ACK"), fork.got("BYE")
    assert [header(ack, "To")[-8:] for ack in acks] == [";tag=one", ";tag=two"]
    assert [header(bye, "To")[-8:] for bye in byes] == [";tag=two"]
    assert header(acks[1], "CSeq") == "1 ACK"
    assert header(byes[0], "CSeq") == "2 BYE"
    assert (session.state, alice.heard) == (CONFIRMED, ["180", "180", "answered"])
    session.hang_up(world.now)
    world.run(0.1)
    assert header(fork.got("BYE")[-1], "To").endswith(";tag=one")
    world.settle()


def test_the_answer_of_another_fork_than_the_one_that_rang_is_the_call(world: World, alice: Phone) -> None:
    """12.1.2, 13.2.2.4: the dialog takes the tag and the target of the 2xx."""
    fork = Fork(world)
    session = alice.call("fork", 0.0)
    world.run(0.1)
    fork.reply(180, "one", "sip:one@127.0.0.9:5060")
    fork.reply(200, "two", "sip:two@127.0.0.9:5060")
    (ack,) = fork.got("ACK")
    assert start_line(ack) == "ACK sip:two@127.0.0.9:5060 SIP/2.0"
    assert header(ack, "To").endswith(";tag=two")
    session.hang_up(world.now)
    world.settle()


def test_the_requests_to_a_second_fork_go_where_that_one_is(world: World, alice: Phone) -> None:
    """12.2.1.1: each dialog has its own remote target."""
    fork = Fork(world)
    elsewhere = world.peer("elsewhere", "127.0.0.8")
    elsewhere.answers = lambda data: [answer(data)] if start_line(data).startswith("BYE") else []
    session = alice.call("fork", 0.0)
    world.run(0.1)
    fork.reply(200, "one")
    fork.reply(200, "two", "sip:bob@127.0.0.8:5060")
    assert elsewhere.told() == ["ACK", "BYE"]
    assert session.state == CONFIRMED
    session.hang_up(world.now)
    world.settle()


def test_the_answer_of_a_fork_after_the_call_is_over_is_ended_too(world: World, alice: Phone) -> None:
    """13.2.2.4, RFC 6026 7.2: for 64*T1 after the first 2xx."""
    fork = Fork(world)
    session = alice.call("fork", 0.0)
    world.run(0.1)
    fork.reply(200, "one")
    session.hang_up(world.now)
    world.run(1.0)
    fork.reply(200, "two")
    assert [header(data, "To")[-8:] for data in fork.got("BYE")] == [";tag=one", ";tag=two"]
    assert len(fork.got("ACK")) == 2
    world.settle()


# -- BYE


def test_two_byes_that_cross_are_both_answered(world: World, alice: Phone, bob: Phone) -> None:
    """15.1.2."""
    ours, theirs = talk(alice, bob)
    now = world.now
    ours.hang_up(now)
    theirs.hang_up(now)
    world.run(1.0)
    assert sorted(world.told()) == ["alice>bob 200 BYE", "alice>bob BYE", "bob>alice 200 BYE", "bob>alice BYE"]
    assert (alice.heard, bob.heard) == ([], []), "who hangs up hears no more"
    world.settle()


def test_a_bye_that_nobody_answers_ends_the_call_all_the_same(world: World, alice: Phone, bob: Phone) -> None:
    """15.1.1: session and dialog are over once the BYE is sent; its transaction times out."""
    ours, theirs = talk(alice, bob)
    world.lose("alice>bob BYE", times=100)
    ours.hang_up(world.now)
    world.run(40.0)
    assert (ours.state, theirs.state) == (ENDED, CONFIRMED)
    assert world.told().count("alice>bob BYE") == 11
    theirs.hang_up(world.now)
    world.run(1.0)
    assert world.told()[-2:] == ["bob>alice BYE", "alice>bob 481 BYE"]
    world.settle()


def test_a_bye_in_the_early_dialog_ends_the_invite_with_487(world: World, alice: Phone, bob: Phone) -> None:
    """15.1.2: the caller may end an early dialog so; the INVITE still gets its final answer."""
    caller = world.peer("caller", "127.0.0.9")
    invite = request(
        via="SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bKi", headers="Contact: <sip:alice@127.0.0.9>\r\n", body=OFFER
    )
    caller.send(invite, world.local("bob"))
    world.run(0.1)
    tagged = header(caller.received[0], "To")
    via = "SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bKb"
    caller.send(request("BYE", via=via, called=tagged, cseq="2 BYE"), world.local("bob"))
    world.run(0.1)
    assert caller.told()[:3] == ["180", "200", "487"]
    assert (bob.heard, bob.session.state) == (["INVITE", "BYE"], ENDED)
    pick_up(bob.session, world.now)
    ring(bob.session, world.now)
    world.run(0.1)
    assert (caller.told()[3:], bob.session.state) == ([], ENDED), "too late"
    world.settle()


def test_hanging_up_while_ringing_refuses_the_call(world: World, alice: Phone, bob: Phone) -> None:
    """15: a callee ends an early dialog by refusing."""
    alice.call("bob", 0.0)
    world.at(1.0, lambda now: bob.session.hang_up(now, "Q.850;cause=31"))
    world.run_until(2.0)
    assert alice.heard == ["180", "failed 480"]
    assert header(world.sent("bob>alice 480 INVITE")[0], "Reason") == "Q.850;cause=31"
    world.settle()


def test_a_call_that_has_ended_takes_no_more_orders(world: World, alice: Phone, bob: Phone) -> None:
    ours, theirs = talk(alice, bob)
    ours.hang_up(world.now)
    world.run(1.0)
    told = world.told()
    for session in (ours, theirs):
        session.hang_up(world.now)
        session.cancel(world.now)
        session.accept(world.now)
        session.refuse(486, "Busy Here", world.now)
        session.progress(180, "Ringing", world.now)
    world.run(1.0)
    assert world.told() == told
    world.settle()


# -- transport errors and other faults of the network


def test_a_caller_that_vanishes_while_the_phone_rings_is_lost(world: World, bob: Phone) -> None:
    """17.2.4: the user learns that its answer cannot be delivered; nothing stays behind."""
    gone = world.peer("gone", "127.0.0.9")
    via = "SIP/2.0/UDP 127.0.0.9:9;branch=z9hG4bKi"
    gone.send(request(via=via, headers="Contact: <sip:alice@127.0.0.9:9>\r\n"), world.local("bob"))
    world.run(1.0)
    assert bob.heard == ["INVITE", "lost"]
    assert bob.session.state == ENDED
    world.settle()


def test_a_call_whose_peer_vanishes_ends_with_the_next_request(world: World, alice: Phone) -> None:
    """12.2.1.2 with 8.1.3.1."""
    peer = Fork(world)
    session = alice.call("fork", 0.0)
    world.run(0.1)
    peer.reply(200, "one", "sip:bob@127.0.0.9:9")
    session.send("OPTIONS", world.now)
    world.run(1.0)
    assert alice.heard == ["answered", "no reply 503 OPTIONS", "lost"]
    assert session.state == ENDED
    world.settle()


def test_an_acknowledgement_that_cannot_be_sent_is_no_second_reply(world: World, alice: Phone) -> None:
    """17.1.1.2: the transport error of an ACK ends the transaction; the call had failed before."""
    fork = Fork(world)
    alice.call("fork", 0.0)
    world.run(0.1)
    fork.reply(486, "one")
    alice.stack.transport_failed(world.hop("alice", "fork"), "ICMP says: ECONNREFUSED", world.now)
    assert alice.heard == ["failed 486"]
    world.settle()


def test_late_and_doubled_messages_change_nothing(world: World, alice: Phone, bob: Phone) -> None:
    """17: every message arrives three times, late copies up to ten seconds later."""

    def thrice(_packet: Packet) -> list[float]:
        return [LATENCY, LATENCY + world.random.random(), 10 * world.random.random()]

    world.rules.append(thrice)
    session = alice.call("bob", 0.0)
    world.at(2.0, lambda now: pick_up(bob.session, now))
    world.at(5.0, session.hang_up)
    world.run_until(30.0)
    assert alice.heard == ["180", "180", "180", "answered"] or set(alice.heard) == {"180", "answered"}
    assert bob.heard == ["INVITE", "ACK", "BYE"]
    world.settle()


def test_requests_outside_a_call_are_answered_without_one(world: World, alice: Phone, bob: Phone) -> None:
    caller = world.peer("caller", "127.0.0.9")
    via = "SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bK"
    for number, method in enumerate(("OPTIONS", "REGISTER")):
        caller.send(request(method, via=f"{via}{number}", cseq=f"{number} {method}"), world.local("bob"))
    world.run(0.1)
    assert caller.told() == ["200", "405"]
    assert headers_of(caller.received[0], "Contact") == []
    world.settle()


def test_a_call_over_a_connection_says_everything_once(world: World, alice: Phone, bob: Phone) -> None:
    """17.1.1.2, 17.1.2.2, 17.2.1: no transaction repeats itself; only the 200 waits for its ACK as ever (13.3.1.4)."""
    session = alice.call("bob", 0.0, hop=world.hop("alice", "bob", "TCP"))
    world.at(40.0, lambda now: pick_up(bob.session, now))
    world.at(50.0, lambda now: session.send("INVITE", now, SDP, OFFER))
    world.at(60.0, lambda now: bob.session.hang_up(now))
    world.run_until(100.0)
    assert world.told() == [
        "alice>bob INVITE",
        "bob>alice 180 INVITE",
        "bob>alice 200 INVITE",
        "alice>bob ACK",
        "alice>bob INVITE",
        "bob>alice 200 INVITE",
        "alice>bob ACK",
        "bob>alice BYE",
        "alice>bob 200 BYE",
    ]
    assert {packet.transport for packet, _ in world.ladder} == {"TCP"}
    world.settle()


def test_a_call_over_a_connection_that_fails_leaves_nothing_at_once(world: World, alice: Phone, bob: Phone) -> None:
    """17.1.1.2, 17.2.1: Timers D and I are zero."""
    alice.call("bob", 0.0, hop=world.hop("alice", "bob", "TCP"))
    world.at(1.0, lambda now: bob.session.refuse(486, "Busy Here", now))
    world.run_until(2.0)
    assert alice.heard == ["180", "failed 486"]
    world.assert_nothing_leaks()


# -- garbage


@contextmanager
def cyclic_garbage() -> Iterator[list[str]]:
    """Names of our types that only the garbage collector would have freed."""
    found: list[str] = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found += [type(it).__name__ for it in gc.garbage if type(it).__module__.startswith("voiceconnector")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("headers", ["", "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n"])
@pytest.mark.parametrize("end", ["BYE", "486", "CANCEL", "no ACK"])
def test_a_call_is_freed_without_the_garbage_collector(
    world: World, alice: Phone, bob: Phone, headers: str, end: str
) -> None:
    """Collecting takes the longer the more calls there are, and all of them wait for it."""
    with cyclic_garbage() as garbage:
        if end == "no ACK":
            world.lose("alice>bob ACK", times=100)
        if end in ("BYE", "no ACK"):
            bob.when_called = pick_up
        alice.call("bob", 0.0, headers)
        world.run(50.0)
        if end == "486":
            bob.session.refuse(486, "Busy Here", world.now)
        alice.session.hang_up(world.now)
        world.settle()
        alice.sessions.clear()
        bob.sessions.clear()
    assert garbage == []

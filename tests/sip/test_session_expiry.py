"""Session timers in calls between two stacks, RFC 4028: who refreshes, when, and what if nobody does."""

import pytest

from tests.phone import ANSWER, NEW_OFFER, OFFER, SDP, Phone, pick_up, talk
from tests.wire import answer, body_of, header, headers_of, request, start_line
from tests.world import World
from voiceconnector.sip.message import Request
from voiceconnector.sip.session import CONFIRMED, ENDED, Session
from voiceconnector.sip.transaction import ServerTransaction

BY_CALLER = "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n"
BY_CALLEE = "Supported: timer\r\nSession-Expires: 90;refresher=uas\r\n"
UPDATES = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\n"


def moments(world: World, which: str, start: float) -> list[float]:
    return [round(when - start) for when in world.times(which)]


def test_the_caller_refreshes_with_a_reinvite_that_changes_nothing(world: World, alice: Phone, bob: Phone) -> None:
    """7.4, 10: at half the interval, with the last description, and neither user hears of it on our side."""
    ours, theirs = talk(alice, bob, BY_CALLER)
    world.run_until(200.0)
    assert moments(world, "alice>bob INVITE", 0.0) == [45, 90, 135, 180]
    refresh = world.sent("alice>bob INVITE")[0]
    assert (header(refresh, "Session-Expires"), header(refresh, "Supported")) == ("90;refresher=uac", "timer")
    assert (header(refresh, "Content-Type"), body_of(refresh)) == ("application/sdp", OFFER)
    assert header(refresh, "Contact") == "<sip:alice@127.0.0.1:5060>"
    accepted = world.sent("bob>alice 200 INVITE")[0]
    assert (header(accepted, "Session-Expires"), header(accepted, "Require")) == ("90;refresher=uac", "timer")
    assert (alice.heard, bob.heard[:2]) == ([], ["re-INVITE", "ACK"])
    assert (ours.state, theirs.state) == (CONFIRMED, CONFIRMED)
    theirs.hang_up(world.now)
    world.settle()


def test_the_callee_refreshes_where_it_is_asked_to(world: World, alice: Phone, bob: Phone) -> None:
    """9: refresher=uas; in its own request that is the uac."""
    ours, _ = talk(alice, bob, BY_CALLEE)
    world.run_until(100.0)
    assert moments(world, "bob>alice INVITE", 0.0) == [45, 90]
    refresh = world.sent("bob>alice INVITE")[0]
    assert header(refresh, "Session-Expires") == "90;refresher=uac"
    assert body_of(refresh) == ANSWER
    ours.hang_up(world.now)
    world.settle()


def test_a_refresh_is_an_update_where_the_peer_allows_that(world: World, alice: Phone, bob: Phone) -> None:
    """7.4: without a body it changes nothing for sure."""
    ours, _ = talk(alice, bob, BY_CALLEE + UPDATES)
    world.run_until(50.0)
    assert world.told() == ["bob>alice UPDATE", "alice>bob 200 UPDATE"]
    update, accepted = world.sent("bob>alice UPDATE")[0], world.sent("alice>bob 200 UPDATE")[0]
    assert (header(update, "Session-Expires"), body_of(update)) == ("90;refresher=uac", b"")
    assert (header(accepted, "Session-Expires"), header(accepted, "Require")) == ("90;refresher=uac", "timer")
    ours.hang_up(world.now)
    world.settle()


def test_the_peer_that_does_not_refresh_hangs_up_when_the_session_expires(
    world: World, alice: Phone, bob: Phone
) -> None:
    """10: the lesser of 32 s and a third of the interval before its end."""
    ours, theirs = talk(alice, bob, BY_CALLER)
    world.lose("alice>bob INVITE", times=100)
    world.run_until(62.0)
    assert moments(world, "bob>alice BYE", 0.0) == [60]
    assert header(world.sent("bob>alice BYE")[0], "Reason").startswith("SIP;cause=408")
    assert (alice.heard, bob.heard) == (["BYE"], ["lost"])
    assert (ours.state, theirs.state) == (ENDED, ENDED)
    world.settle()


def test_a_refresh_that_nobody_answers_ends_the_call(world: World, alice: Phone, bob: Phone) -> None:
    """10, 12.2.1.2 of RFC 3261. The refresh was ours, so the user hears of its end only."""
    ours, _ = talk(alice, bob, "Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n")
    world.lose("alice>bob INVITE", times=100)
    world.run_until(340.0)
    assert moments(world, "alice>bob BYE", 0.0) == [332]
    assert (alice.heard, ours.state) == (["lost"], ENDED)
    world.settle()


def test_each_refresh_puts_off_the_end(world: World, alice: Phone, bob: Phone) -> None:
    """10: the interval counts from the last 2xx, for both sides."""
    talk(alice, bob, BY_CALLER)
    world.run_until(100.0)
    world.lose("alice>bob INVITE", times=100)
    world.run_until(160.0)
    assert moments(world, "bob>alice BYE", 0.0) == [150], "refreshed at 45 and 90"
    world.settle()


def test_an_interval_below_90_seconds_is_refused_with_what_is_allowed(world: World, alice: Phone, bob: Phone) -> None:
    """6, 9."""
    alice.call("bob", 0.0, "Supported: timer\r\nSession-Expires: 60\r\n")
    world.run(1.0)
    assert alice.heard == ["failed 422"]
    assert header(world.sent("bob>alice 422 INVITE")[0], "Min-SE") == "90"
    world.settle()


def test_a_refresh_is_raised_to_what_the_peer_wants(world: World, alice: Phone, bob: Phone) -> None:
    """7.3: the next has the Min-SE of the 422, at once."""
    ours, theirs = talk(alice, bob, BY_CALLER)
    theirs.min_se = 300
    world.run_until(50.0)
    assert world.told() == [
        "alice>bob INVITE",
        "bob>alice 422 INVITE",
        "alice>bob ACK",
        "alice>bob INVITE",
        "bob>alice 200 INVITE",
        "alice>bob ACK",
    ]
    again = world.sent("alice>bob INVITE")[1]
    assert (header(again, "Session-Expires"), header(again, "Min-SE")) == ("300;refresher=uac", "300")
    world.run_until(200.0)
    assert moments(world, "alice>bob INVITE", 0.0) == [45, 45, 195]
    ours.hang_up(world.now)
    world.settle()


def test_a_peer_that_always_finds_the_interval_too_small_is_not_asked_without_end(world: World, alice: Phone) -> None:
    peer = world.peer("peer", "127.0.0.9")

    def reply(data: bytes) -> list[bytes]:
        if start_line(data).startswith("ACK"):
            return []
        headers = "Contact: <sip:p@127.0.0.9>\r\nSession-Expires: 90;refresher=uac\r\nMin-SE: 90\r\n"
        refused = header(data, "CSeq").endswith("INVITE") and header(data, "CSeq") != "1 INVITE"
        return [answer(data, 422 if refused else 200, "Fine", headers=headers)]

    peer.answers = reply
    alice.call("peer", 0.0)
    world.run_until(59.0)
    assert 1 < peer.told().count("INVITE") < 5
    world.run_until(100.0)
    assert alice.heard == ["answered", "lost"]
    world.settle()


@pytest.mark.parametrize("status_code", [405, 501])
def test_a_peer_that_allows_update_but_does_not_know_it_gets_a_reinvite(
    world: World, alice: Phone, bob: Phone, status_code: int
) -> None:
    """7.4: re-INVITE where there is no UPDATE."""
    ours, _ = talk(alice, bob, BY_CALLEE + UPDATES)

    def refuse(session: Session, transaction: ServerTransaction, asked: Request, now: float) -> None:
        if asked.method == "UPDATE":
            session.answer(transaction, status_code, "No", now)
        else:
            session.accept(now, SDP, ANSWER)

    alice.when_asked = refuse
    world.run_until(95.0)
    assert world.told() == [
        "bob>alice UPDATE",
        f"alice>bob {status_code} UPDATE",
        *(2 * ["bob>alice INVITE", "alice>bob 200 INVITE", "bob>alice ACK"]),
    ]
    ours.hang_up(world.now)
    world.settle()


@pytest.mark.parametrize("status_code", [491, 500, 488, 503])
def test_a_refused_refresh_is_tried_again_before_the_session_expires(
    world: World, alice: Phone, bob: Phone, status_code: int
) -> None:
    """14.1 of RFC 3261: after a while, the session being what it was."""
    ours, theirs = talk(alice, bob, BY_CALLER)
    bob.when_asked = lambda session, transaction, asked, now: session.refuse(status_code, "Not now", now)
    world.run_until(46.0)
    bob.when_asked = bob.agree
    world.run_until(59.0)
    assert world.told().count("alice>bob INVITE") == 2
    assert "bob>alice 200 INVITE" in world.told()
    world.run_until(99.0)
    assert (ours.state, theirs.state, alice.heard) == (CONFIRMED, CONFIRMED, [])
    ours.hang_up(world.now)
    world.settle()


def test_a_session_whose_refreshes_are_all_refused_ends_in_time(world: World, alice: Phone, bob: Phone) -> None:
    """10."""
    talk(alice, bob, BY_CALLER)
    bob.when_asked = lambda session, transaction, asked, now: session.refuse(500, "No", now)
    world.run_until(70.0)
    assert moments(world, "bob>alice BYE", 0.0) == [60]
    world.settle()


def test_a_refresh_waits_for_the_change_that_is_under_way(world: World, alice: Phone, bob: Phone) -> None:
    """14.1 of RFC 3261: no INVITE while another is in progress."""
    ours, theirs = talk(alice, bob, BY_CALLER)
    bob.when_asked = lambda session, transaction, asked, now: None
    world.at(44.5, lambda now: ours.send("INVITE", now, SDP, NEW_OFFER))
    world.at(47.0, lambda now: theirs.refuse(488, "Not Acceptable Here", now))
    world.run_until(47.5)
    bob.when_asked = bob.agree
    assert alice.heard == ["488 INVITE"]
    world.run_until(59.0)
    assert "bob>alice 200 INVITE" in world.told()
    assert (ours.state, theirs.state) == (CONFIRMED, CONFIRMED)
    ours.hang_up(world.now)
    world.settle()


def test_a_change_of_the_session_refreshes_it(world: World, alice: Phone, bob: Phone) -> None:
    """7.4: every INVITE and UPDATE of ours carries the interval, and its 2xx starts it anew."""
    ours, _ = talk(alice, bob, BY_CALLER)
    world.at(40.0, lambda now: ours.send("INVITE", now, SDP, NEW_OFFER))
    world.run_until(90.0)
    assert moments(world, "alice>bob INVITE", 0.0) == [40, 85]
    change, refresh = world.sent("alice>bob INVITE")
    assert header(change, "Session-Expires") == "90;refresher=uac"
    assert body_of(refresh) == NEW_OFFER
    bob.when_asked = lambda session, transaction, asked, now: session.refuse(488, "Not Acceptable Here", now)
    ours.send("INVITE", world.now, SDP, OFFER)
    world.run_until(100.0)
    bob.when_asked = bob.agree
    world.run_until(131.0)
    assert body_of(world.sent("alice>bob INVITE")[-1]) == NEW_OFFER, "what was refused is not in force"
    ours.hang_up(world.now)
    world.settle()


def test_a_peer_that_leaves_the_timer_out_of_a_change_keeps_it_all_the_same(world: World, bob: Phone) -> None:
    """9: a UAS may put a Session-Expires into the 2xx where the request has none; the parts stay."""
    bob.when_called = pick_up
    peer = world.peer("peer", "127.0.0.9")
    via = "SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bK"
    contact = "Contact: <sip:alice@127.0.0.9>\r\n"
    peer.send(request(via=f"{via}1", headers=contact + BY_CALLER, body=OFFER), world.local("bob"))
    world.run(0.1)
    to = header(peer.received[0], "To")
    peer.send(request("ACK", via=f"{via}2", called=to, cseq="1 ACK"), world.local("bob"))
    world.run(30.0)
    hold = request(via=f"{via}3", called=to, cseq="2 INVITE", headers=f"{contact}Supported: timer\r\n{SDP}", body=OFFER)
    peer.send(hold, world.local("bob"))
    world.run(0.1)
    peer.send(request("ACK", via=f"{via}4", called=to, cseq="2 ACK"), world.local("bob"))
    assert headers_of(peer.received[1], "Session-Expires") == ["90;refresher=uac"]
    world.run_until(89.0)
    assert bob.session.state == CONFIRMED
    world.run_until(91.0)
    assert bob.session.state == ENDED


def test_a_peer_without_session_timers_that_changes_the_session_turns_them_off(world: World, bob: Phone) -> None:
    """9 and 7.4: no Session-Expires and no Supported: timer: the session does not expire any more."""
    bob.when_called = pick_up
    peer = world.peer("peer", "127.0.0.9")
    via = "SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bK"
    contact = "Contact: <sip:alice@127.0.0.9>\r\n"
    peer.send(request(via=f"{via}1", headers=contact + BY_CALLER, body=OFFER), world.local("bob"))
    world.run(0.1)
    to = header(peer.received[0], "To")
    peer.send(request("ACK", via=f"{via}2", called=to, cseq="1 ACK"), world.local("bob"))
    peer.send(request(via=f"{via}3", called=to, cseq="2 INVITE", headers=contact, body=OFFER), world.local("bob"))
    world.run(0.1)
    peer.send(request("ACK", via=f"{via}4", called=to, cseq="2 ACK"), world.local("bob"))
    assert headers_of(peer.received[1], "Session-Expires") == []
    world.run_until(1000.0)
    assert bob.session.state == CONFIRMED


def test_a_session_expires_that_cannot_be_read_is_refused(world: World, alice: Phone, bob: Phone) -> None:
    """4."""
    alice.call("bob", 0.0, "Supported: timer\r\nSession-Expires: soon\r\n")
    world.run(1.0)
    assert alice.heard == ["failed 400"]
    world.settle()


def test_without_session_timers_a_call_lasts(world: World, alice: Phone, bob: Phone) -> None:
    ours, theirs = talk(alice, bob)
    world.run(100_000.0)
    assert (world.told(), ours.state, theirs.state) == ([], CONFIRMED, CONFIRMED)
    ours.hang_up(world.now)
    world.settle()

"""What happens within a call: re-INVITE, UPDATE and other requests, their order, and where they are sent."""

import pytest

from tests.phone import NEW_ANSWER, NEW_OFFER, OFFER, SDP, Phone, pick_up, talk
from tests.wire import answer, body_of, header, headers_of, request, start_line
from tests.world import Peer, World
from voiceconnector.sip.message import Request
from voiceconnector.sip.session import CONFIRMED, ENDED, Session
from voiceconnector.sip.transaction import ServerTransaction


def wait(_session: Session, _transaction: ServerTransaction, _request: Request, _now: float) -> None:
    """Leave a request unanswered for now."""


class Caller:
    """A peer that calls bob with what a test wants in the INVITE, and goes on in that dialog by hand."""

    def __init__(self, world: World, host: str = "127.0.0.9") -> None:
        self.world = world
        self.peer: Peer = world.peer("caller", host)
        self.host = host
        self.to = "<sip:bob@127.0.0.2>"
        self.branches = 0
        self.cseq = 0

    def send(self, method: str, headers: str = "", body: bytes = b"", cseq: int = 0) -> None:
        self.branches += 1
        self.cseq = cseq or self.cseq + (method != "ACK")
        data = request(
            method,
            via=f"SIP/2.0/UDP {self.host}:5060;branch=z9hG4bKc{self.branches}",
            called=self.to,
            cseq=f"{self.cseq} {method}",
            headers=headers,
            body=body,
        )
        self.peer.send(data, self.world.local("bob"))
        self.world.run(0.1)

    def call(self, headers: str = "", contact: str = "<sip:alice@127.0.0.9>") -> None:
        self.send("INVITE", f"Contact: {contact}\r\n{headers}", OFFER)
        self.to = header(self.peer.received[-1], "To")
        self.send("ACK")

    def got(self, what: str) -> bytes:
        return next(data for data in reversed(self.peer.received) if what in start_line(data))


@pytest.fixture
def caller(world: World, bob: Phone) -> Caller:
    bob.when_called = pick_up
    return Caller(world)


# -- re-INVITE


def test_either_side_changes_the_session(world: World, alice: Phone, bob: Phone) -> None:
    """14.1, 14.2: CSeq numbers of each side count for themselves."""
    ours, theirs = talk(alice, bob)
    ours.send("INVITE", world.now, SDP, NEW_OFFER)
    world.run(1.0)
    theirs.send("INVITE", world.now, SDP, NEW_OFFER)
    world.run(1.0)
    assert world.told() == [
        "alice>bob INVITE",
        "bob>alice 200 INVITE",
        "alice>bob ACK",
        "bob>alice INVITE",
        "alice>bob 200 INVITE",
        "bob>alice ACK",
    ]
    assert alice.heard == ["200 INVITE", "re-INVITE", "ACK"]
    assert bob.heard == ["re-INVITE", "ACK", "200 INVITE"]
    assert alice.bodies == bob.bodies[::-1] == [NEW_ANSWER, NEW_OFFER]
    assert [header(data, "CSeq") for data in world.sent("alice>bob INVITE")] == ["2 INVITE"]
    assert [header(data, "CSeq") for data in world.sent("bob>alice INVITE")] == ["1 INVITE"]
    assert [header(data, "Contact") for data in world.sent("alice>bob INVITE")] == ["<sip:alice@127.0.0.1:5060>"]
    ours.hang_up(world.now)
    world.settle()


def test_a_reinvite_without_offer_gets_one_in_its_answer(world: World, alice: Phone, bob: Phone) -> None:
    """14.2: an offer in the 2xx, the answer in the ACK."""
    ours, _ = talk(alice, bob)
    alice.acknowledge_with = NEW_ANSWER
    ours.send("INVITE", world.now)
    world.run(1.0)
    assert (alice.bodies, bob.bodies) == ([NEW_OFFER], [NEW_ANSWER])
    assert body_of(world.sent("alice>bob ACK")[0]) == NEW_ANSWER
    ours.hang_up(world.now)
    world.settle()


def test_the_200_of_a_reinvite_is_repeated_until_its_ack(world: World, alice: Phone, bob: Phone) -> None:
    """13.3.1.4 by way of 14.2."""
    ours, theirs = talk(alice, bob)
    world.lose("alice>bob ACK", times=2)
    ours.send("INVITE", world.now, SDP, NEW_OFFER)
    world.run(5.0)
    assert len(world.sent("bob>alice 200 INVITE")) == len(world.sent("alice>bob ACK")) == 3
    assert (bob.heard, theirs.state, theirs.busy) == (["re-INVITE", "ACK"], CONFIRMED, False)
    ours.hang_up(world.now)
    world.settle()


def test_a_reinvite_without_ack_ends_the_call(world: World, alice: Phone, bob: Phone) -> None:
    """14.2 with 13.3.1.4."""
    ours, theirs = talk(alice, bob)
    world.lose("alice>bob ACK", times=100)
    ours.send("INVITE", world.now, SDP, NEW_OFFER)
    world.run(40.0)
    assert (alice.heard, bob.heard) == (["200 INVITE", "BYE"], ["re-INVITE", "lost"])
    assert (ours.state, theirs.state) == (ENDED, ENDED)
    world.settle()


def test_a_refused_reinvite_changes_nothing(world: World, alice: Phone, bob: Phone) -> None:
    """14.1: the session goes on as it was."""
    ours, theirs = talk(alice, bob)
    bob.when_asked = lambda session, transaction, asked, now: session.refuse(488, "Not Acceptable Here", now)
    ours.send("INVITE", world.now, SDP, NEW_OFFER)
    world.run(1.0)
    assert world.told() == ["alice>bob INVITE", "bob>alice 488 INVITE", "alice>bob ACK"]
    assert (ours.state, theirs.state, ours.busy, theirs.busy) == (CONFIRMED, CONFIRMED, False, False)
    assert alice.heard == ["488 INVITE"]
    ours.hang_up(world.now)
    world.settle()


@pytest.mark.parametrize("status_code", [408, 481])
def test_a_reinvite_to_a_dialog_that_is_no_more_ends_the_call(
    world: World, alice: Phone, bob: Phone, status_code: int
) -> None:
    """12.2.1.2."""
    ours, theirs = talk(alice, bob)
    bob.when_asked = lambda session, transaction, asked, now: session.refuse(status_code, "Gone", now)
    ours.send("INVITE", world.now, SDP, NEW_OFFER)
    world.run(1.0)
    assert world.told()[-2:] == ["alice>bob BYE", "bob>alice 200 BYE"]
    assert (alice.heard, bob.heard) == ([f"{status_code} INVITE", "lost"], ["re-INVITE", "BYE"])
    assert (ours.state, theirs.state) == (ENDED, ENDED)
    world.settle()


def test_a_reinvite_that_nobody_answers_ends_the_call(world: World, alice: Phone, bob: Phone) -> None:
    """12.2.1.2: no answer at all counts as 408."""
    ours, theirs = talk(alice, bob)
    world.lose("alice>bob INVITE", times=100)
    ours.send("INVITE", world.now, SDP, NEW_OFFER)
    world.run(40.0)
    assert alice.heard == ["no reply 408 INVITE", "lost"]
    assert (ours.state, theirs.state) == (ENDED, ENDED)
    world.settle()


def test_a_refusal_whose_ack_cannot_be_sent_is_no_failed_reinvite(world: World, alice: Phone, bob: Phone) -> None:
    """17.1.1.2: the user has had its final response; the error of the ACK says nothing new."""
    ours, _ = talk(alice, bob)
    bob.when_asked = lambda session, transaction, asked, now: session.refuse(488, "Not Acceptable Here", now)
    ours.send("INVITE", world.now, SDP, NEW_OFFER)
    world.run(0.1)
    alice.stack.transport_failed(world.hop("alice", "bob"), "ICMP says: ECONNREFUSED", world.now)
    assert (alice.heard, ours.state) == (["488 INVITE"], CONFIRMED)
    ours.hang_up(world.now)
    world.settle()


def test_reinvites_that_cross_are_both_refused_with_491(world: World, alice: Phone, bob: Phone) -> None:
    """14.2: an INVITE of our own is under way."""
    ours, theirs = talk(alice, bob)
    now = world.now
    ours.send("INVITE", now, SDP, NEW_OFFER)
    theirs.send("INVITE", now, SDP, NEW_OFFER)
    world.run(1.0)
    assert sorted(world.told()) == [
        "alice>bob 491 INVITE",
        "alice>bob ACK",
        "alice>bob INVITE",
        "bob>alice 491 INVITE",
        "bob>alice ACK",
        "bob>alice INVITE",
    ]
    assert (alice.heard, bob.heard) == (["491 INVITE"], ["491 INVITE"])
    assert (ours.busy, theirs.busy) == (False, False)
    ours.hang_up(world.now)
    world.settle()


def test_a_reinvite_before_the_last_is_answered_is_put_off(world: World, caller: Caller, bob: Phone) -> None:
    """14.2: 500 with a Retry-After between 0 and 10 s; the first one goes on."""
    caller.call()
    bob.when_asked = wait
    caller.send("INVITE", SDP, NEW_OFFER)
    caller.send("INVITE", SDP, NEW_OFFER)
    refusal = caller.got("500")
    assert header(refusal, "CSeq") == "3 INVITE"
    assert 0 <= int(header(refusal, "Retry-After")) <= 10
    bob.session.accept(world.now, SDP, NEW_ANSWER)
    world.run(0.1)
    assert header(caller.got("200"), "CSeq") == "2 INVITE"
    caller.send("ACK", cseq=2)
    assert bob.heard[-1] == "ACK"
    bob.session.hang_up(world.now)
    world.settle()


def test_a_reinvite_before_the_ack_of_the_last_is_put_off(world: World, caller: Caller, bob: Phone) -> None:
    """14.2: until the ACK the session is still being changed."""
    caller.send("INVITE", "Contact: <sip:alice@127.0.0.9>\r\n", OFFER)
    caller.to = header(caller.peer.received[-1], "To")
    caller.send("INVITE", SDP, NEW_OFFER)
    assert header(caller.got("500"), "Retry-After").isdigit()
    caller.send("ACK", cseq=1)
    assert bob.heard == ["INVITE", "ACK"]
    bob.session.hang_up(world.now)
    world.settle()


def test_a_cancelled_reinvite_leaves_the_session_as_it_was(world: World, caller: Caller, bob: Phone) -> None:
    """9.2, 14.1."""
    caller.call()
    bob.when_asked = wait
    caller.send("INVITE", SDP, NEW_OFFER)
    caller.branches -= 1
    caller.send("CANCEL", cseq=2)
    assert [header(caller.got(code), "CSeq") for code in ("200", "487")] == ["2 CANCEL", "2 INVITE"]
    assert (bob.session.state, bob.session.busy, bob.heard[-1]) == (CONFIRMED, False, "CANCEL")
    bob.session.hang_up(world.now)
    world.settle()


def test_a_reinvite_is_withdrawn_and_the_session_goes_on(world: World, alice: Phone, bob: Phone) -> None:
    """9.1, 14.1: its 487 is an answer like any other."""
    ours, theirs = talk(alice, bob)
    bob.when_asked = lambda session, transaction, asked, now: transaction.respond(100, "Trying", now)
    ours.send("INVITE", world.now, SDP, NEW_OFFER)
    world.run(1.0)
    ours.withdraw(world.now)
    world.run(1.0)
    assert world.told()[2:] == [
        "alice>bob CANCEL",
        "bob>alice 200 CANCEL",
        "bob>alice 487 INVITE",
        "alice>bob ACK",
    ]
    assert (alice.heard, bob.heard) == (["100 INVITE", "487 INVITE"], ["re-INVITE", "CANCEL"])
    assert (ours.state, theirs.state, ours.busy, theirs.busy) == (CONFIRMED, CONFIRMED, False, False)
    ours.withdraw(world.now)
    ours.hang_up(world.now)
    world.settle()
    assert world.told().count("alice>bob CANCEL") == 1


def test_hanging_up_answers_the_reinvite_that_is_under_way(world: World, alice: Phone, bob: Phone) -> None:
    """15.1.2: it is terminated with 487, on whichever side the BYE comes from."""
    ours, theirs = talk(alice, bob)
    bob.when_asked = wait
    ours.send("INVITE", world.now, SDP, NEW_OFFER)
    world.run(0.1)
    theirs.hang_up(world.now)
    world.run(1.0)
    assert world.told() == [
        "alice>bob INVITE",
        "bob>alice 487 INVITE",
        "bob>alice BYE",
        "alice>bob ACK",
        "alice>bob 200 BYE",
    ]
    assert (ours.state, theirs.state) == (ENDED, ENDED)
    world.settle()


def test_a_bye_answers_the_reinvite_that_is_under_way(world: World, alice: Phone, bob: Phone) -> None:
    """15.1.2."""
    ours, theirs = talk(alice, bob)
    bob.when_asked = wait
    ours.send("INVITE", world.now, SDP, NEW_OFFER)
    world.run(0.1)
    ours.hang_up(world.now)
    world.run(1.0)
    assert sorted(world.told()) == [
        "alice>bob ACK",
        "alice>bob BYE",
        "alice>bob INVITE",
        "bob>alice 200 BYE",
        "bob>alice 487 INVITE",
    ]
    assert (ours.state, theirs.state) == (ENDED, ENDED)
    world.settle()


def test_a_reinvite_accepted_while_the_call_ends_still_gets_its_ack(world: World, alice: Phone, bob: Phone) -> None:
    """13.2.2.4: each 2xx does."""
    ours, _ = talk(alice, bob)
    world.delay("bob>alice 200 INVITE", 0.3)
    ours.send("INVITE", world.now, SDP, NEW_OFFER)
    world.run(0.1)
    ours.hang_up(world.now)
    world.run(1.0)
    assert world.told()[-1] == "alice>bob ACK"
    world.settle()


def test_a_reinvite_that_hangs_when_the_call_ends_is_given_up(world: World, alice: Phone) -> None:
    """A peer that said 100 and no more must not keep a transaction for ever."""
    peer = world.peer("peer", "127.0.0.9")
    session = alice.call("peer", 0.0)
    world.run(0.1)
    contact = "Contact: <sip:peer@127.0.0.9>\r\n"
    peer.send(answer(peer.received[-1], 200, "OK", headers=contact), world.local("alice"))
    world.run(0.1)
    session.send("INVITE", world.now, SDP, NEW_OFFER)
    world.run(0.1)
    peer.send(answer(peer.received[-1], 100, "Trying"), world.local("alice"))
    world.run(100.0)
    assert session.state == CONFIRMED
    session.hang_up(world.now)
    world.settle()
    assert session.state == ENDED


# -- order


def test_a_request_behind_its_time_is_refused(world: World, caller: Caller, bob: Phone) -> None:
    """12.2.2: a CSeq below the last one: 500. Gaps are allowed."""
    caller.call()
    caller.send("INFO", cseq=7)
    caller.send("INFO", cseq=5)
    assert [start_line(data)[8:11] for data in caller.peer.received[-2:]] == ["200", "500"]
    assert bob.heard == ["INVITE", "ACK", "INFO"]
    caller.send("INFO", cseq=8)
    assert bob.heard[-1] == "INFO"
    bob.session.hang_up(world.now)
    world.settle()


def test_a_bye_is_taken_whatever_its_order(world: World, caller: Caller, bob: Phone) -> None:
    """A peer that counts wrongly must still be able to hang up."""
    caller.call()
    caller.send("INFO", cseq=7)
    caller.send("BYE", cseq=3)
    assert (start_line(caller.peer.received[-1]), bob.session.state) == ("SIP/2.0 200 OK", ENDED)
    world.settle()


def test_a_repeated_request_is_told_once(world: World, caller: Caller, bob: Phone) -> None:
    """17.2.2: the transaction answers for itself."""
    caller.call()
    caller.send("INFO")
    caller.branches -= 1
    caller.send("INFO", cseq=caller.cseq)
    assert caller.peer.received[-1] == caller.peer.received[-2]
    assert bob.heard.count("INFO") == 1
    bob.session.hang_up(world.now)
    world.settle()


# -- other requests


@pytest.mark.parametrize("method", ["INFO", "OPTIONS", "UPDATE", "MESSAGE", "X-OWN"])
def test_other_requests_go_both_ways(world: World, alice: Phone, bob: Phone, method: str) -> None:
    """12.2."""
    ours, theirs = talk(alice, bob)
    ours.send(method, world.now, "Content-Type: text/plain\r\n", b"hello")
    theirs.send(method, world.now)
    world.run(1.0)
    assert (alice.heard, bob.heard) == ([method, f"200 {method}"], [method, f"200 {method}"])
    assert bob.bodies == [b"hello"]
    ours.hang_up(world.now)
    world.settle()


def test_a_request_may_be_answered_later_and_in_steps(world: World, alice: Phone, bob: Phone) -> None:
    """17.2.2."""
    ours, _ = talk(alice, bob)
    asked: list[ServerTransaction] = []
    bob.when_asked = lambda session, transaction, request, now: asked.append(transaction)
    ours.send("INFO", world.now)
    world.run(0.1)
    asked[0].respond(100, "Trying", world.now)
    world.run(1.0)
    asked[0].respond(415, "Unsupported Media Type", world.now)
    world.run(1.0)
    assert alice.heard == ["100 INFO", "100 INFO", "415 INFO"], "the second for the INFO that Timer E repeated"
    assert ours.state == CONFIRMED
    ours.hang_up(world.now)
    world.settle()


@pytest.mark.parametrize("status_code", [408, 481])
def test_a_dialog_unknown_to_the_peer_is_ended(world: World, alice: Phone, bob: Phone, status_code: int) -> None:
    """12.2.1.2: 481 or 408 to any request."""
    ours, _ = talk(alice, bob)
    bob.when_asked = lambda session, transaction, request, now: transaction.respond(status_code, "Gone", now)
    ours.send("OPTIONS", world.now)
    world.run(1.0)
    assert (alice.heard, ours.state) == ([f"{status_code} OPTIONS", "lost"], ENDED)
    assert "alice>bob BYE" in world.told()
    world.settle()


def test_requests_after_the_end_are_answered_with_481(world: World, caller: Caller, bob: Phone) -> None:
    """12.2.2. They come too late while our BYE is still on its way, and after."""
    caller.call()
    bob.session.hang_up(world.now)
    caller.send("INFO")
    caller.send("INVITE", SDP, NEW_OFFER)
    assert [start_line(data)[8:11] for data in caller.peer.received[-2:]] == ["481", "481"]
    world.settle()


# -- where requests are sent


def test_a_new_contact_is_where_the_next_request_goes(world: World, caller: Caller, bob: Phone) -> None:
    """12.2.1.2, 12.2.2: a re-INVITE refreshes the remote target."""
    caller.call()
    moved = world.peer("moved", "127.0.0.8", 5090)
    caller.send("INVITE", f"Contact: <sip:alice@127.0.0.8:5090>\r\n{SDP}", NEW_OFFER)
    caller.send("ACK")
    bob.session.hang_up(world.now)
    world.run(0.1)
    assert start_line(moved.received[0]) == "BYE sip:alice@127.0.0.8:5090 SIP/2.0"


def test_an_update_and_its_answer_move_the_target_too(world: World, alice: Phone, bob: Phone) -> None:
    """RFC 3311 5.1, 5.2."""
    ours, theirs = talk(alice, bob)
    world.peer("alice2", "127.0.0.11")
    world.peer("bob2", "127.0.0.12")
    ours._contact, theirs._contact = "sip:alice@127.0.0.11", "sip:bob@127.0.0.12"
    ours.send("UPDATE", world.now)
    world.run(0.1)
    for session in (ours, theirs):
        session.send("INFO", world.now)
    world.run(0.1)
    assert world.told()[-2:] == ["alice>bob2 INFO", "bob>alice2 INFO"]


@pytest.mark.parametrize(
    ("contact", "target"),
    [
        ("sip:alice@127.0.0.9", "sip:alice@127.0.0.9"),
        ("<sip:alice@127.0.0.9>;+sip.instance=\"<urn:uuid:1>\"", "sip:alice@127.0.0.9"),
        ('"Doe, Alice <a>" <sip:alice@127.0.0.9;x=y>;q=1', "sip:alice@127.0.0.9;x=y"),
        ("<sip:alice@127.0.0.9>, <sip:alice@127.0.0.8>", "sip:alice@127.0.0.9"),
        ("<sip:a%2Cb@127.0.0.9:5060;transport=udp>", "sip:a%2Cb@127.0.0.9:5060;transport=udp"),
    ],
)  # fmt: skip
def test_contacts_in_every_spelling(world: World, caller: Caller, bob: Phone, contact: str, target: str) -> None:
    """20.10: with and without brackets, names with commas and brackets in quotes, several values."""
    caller.call(contact=contact)
    bob.session.hang_up(world.now)
    world.run(0.1)
    assert start_line(caller.got("BYE")) == f"BYE {target} SIP/2.0"


@pytest.mark.parametrize("host", ["pbx.example.com", "pbx1", "localhost", "1.2.3"])
def test_a_contact_with_a_host_name_is_reached_where_its_messages_come_from(
    world: World, caller: Caller, bob: Phone, host: str
) -> None:
    """RFC 3263 4 would ask DNS; the name stays in the Request-URI."""
    caller.call(contact=f"<sip:alice@{host}>")
    bob.session.hang_up(world.now)
    world.run(0.1)
    assert start_line(caller.got("BYE")) == f"BYE sip:alice@{host} SIP/2.0"


def test_a_contact_over_tcp_is_reached_over_tcp(world: World, caller: Caller, bob: Phone) -> None:
    """RFC 3263 4.1: the transport parameter decides."""
    over_tcp = world.peer("over TCP", "127.0.0.9", transport="TCP")
    caller.call(contact="<sip:alice@127.0.0.9;transport=tcp>")
    bob.session.hang_up(world.now)
    world.run(0.1)
    assert header(over_tcp.received[0], "Via").startswith("SIP/2.0/TCP 127.0.0.2:5060;")


def test_a_contact_that_is_none_leaves_the_target_as_it_was(world: World, caller: Caller, bob: Phone) -> None:
    """12.2.2: only a Contact that is there replaces the remote target."""
    caller.call()
    for headers in ("", "Contact: \r\n"):
        caller.send("INVITE", headers + SDP, NEW_OFFER)
        caller.send("ACK")
    bob.session.hang_up(world.now)
    world.run(0.1)
    assert start_line(caller.got("BYE")) == "BYE sip:alice@127.0.0.9 SIP/2.0"


def test_a_caller_without_contact_is_reached_where_its_invite_came_from(
    world: World, caller: Caller, bob: Phone
) -> None:
    """RFC 2543 4.2.1 needed none; what RFC 3261 12.1.1 takes from it then comes from From."""
    caller.send("INVITE", "", OFFER)
    caller.to = header(caller.peer.received[-1], "To")
    caller.send("ACK")
    bob.session.hang_up(world.now)
    world.run(0.1)
    assert start_line(caller.got("BYE")) == "BYE sip:alice@127.0.0.1 SIP/2.0"


NAMED = '"Second, proxy" <sip:127.0.0.22;lr>;x=y'
LOOSE = f"Record-Route: <sip:127.0.0.21;lr>, {NAMED}\r\nRecord-Route: <sip:127.0.0.23;lr>\r\n"
STRICT = "Record-Route: <sip:127.0.0.21>\r\nRecord-Route: <sip:127.0.0.22;lr>\r\n"


def test_the_callee_sends_along_the_recorded_route(world: World, caller: Caller, bob: Phone) -> None:
    """12.1.1, 12.2.1.1, 16.12.1.1: in the order of the request, to the first, unchanged; answers repeat it."""
    proxy = world.peer("proxy", "127.0.0.21")
    caller.call(LOOSE)
    assert headers_of(caller.got("200"), "Record-Route") == [
        f"<sip:127.0.0.21;lr>, {NAMED}",
        "<sip:127.0.0.23;lr>",
    ]
    bob.session.hang_up(world.now)
    world.run(0.1)
    (bye,) = proxy.received
    assert start_line(bye) == "BYE sip:alice@127.0.0.9 SIP/2.0"
    assert headers_of(bye, "Route") == [
        "<sip:127.0.0.21;lr>",
        NAMED,
        "<sip:127.0.0.23;lr>",
    ]


def test_the_callee_sends_to_a_strict_router_by_its_own_uri(world: World, caller: Caller, bob: Phone) -> None:
    """16.12.1.2: the first route becomes the Request-URI, the remote target the last Route."""
    proxy = world.peer("proxy", "127.0.0.21")
    caller.call(STRICT)
    bob.session.hang_up(world.now)
    world.run(0.1)
    (bye,) = proxy.received
    assert start_line(bye) == "BYE sip:127.0.0.21 SIP/2.0"
    assert headers_of(bye, "Route") == ["<sip:127.0.0.22;lr>", "<sip:alice@127.0.0.9>"]


@pytest.mark.parametrize(
    ("recorded", "uri", "routes"),
    [
        (LOOSE, "sip:bob@127.0.0.9", ["<sip:127.0.0.23;lr>", NAMED, "<sip:127.0.0.21;lr>"]),
        (
            "Record-Route: <sip:127.0.0.22;lr>\r\nRecord-Route: <sip:127.0.0.23>\r\n",
            "sip:127.0.0.23",
            ["<sip:127.0.0.22;lr>", "<sip:bob@127.0.0.9>"],
        ),
    ],
)
def test_the_caller_sends_along_the_recorded_route_in_reverse(
    world: World, alice: Phone, recorded: str, uri: str, routes: list[str]
) -> None:
    """12.1.2, 13.2.2.4: the ACK goes there already."""
    proxy = world.peer("proxy", "127.0.0.23")
    callee = world.peer("callee", "127.0.0.9")
    session = alice.call("callee", 0.0)
    world.run(0.1)
    headers = f"{recorded}Contact: <sip:bob@127.0.0.9>\r\n"
    callee.send(answer(callee.received[0], 200, "OK", headers=headers), world.local("alice"))
    world.run(0.1)
    session.hang_up(world.now)
    world.run(0.1)
    ack, bye = proxy.received
    for data, method in ((ack, "ACK"), (bye, "BYE")):
        assert start_line(data) == f"{method} {uri} SIP/2.0"
        assert headers_of(data, "Route") == routes


def test_the_route_set_stays_when_the_target_moves(world: World, caller: Caller, bob: Phone) -> None:
    """12.2: only the target is refreshed within a dialog."""
    proxy = world.peer("proxy", "127.0.0.21")
    caller.call("Record-Route: <sip:127.0.0.21;lr>\r\n")
    caller.send("INVITE", f"Contact: <sip:alice@127.0.0.8>\r\nRecord-Route: <sip:127.0.0.99;lr>\r\n{SDP}", NEW_OFFER)
    caller.send("ACK")
    bob.session.hang_up(world.now)
    world.run(0.1)
    (bye,) = proxy.received
    assert start_line(bye) == "BYE sip:alice@127.0.0.8 SIP/2.0"
    assert headers_of(bye, "Route") == ["<sip:127.0.0.21;lr>"]

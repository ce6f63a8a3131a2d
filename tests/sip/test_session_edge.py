"""A caller behind a proxy that the same stack plays: two Vias, one Record-Route, and a route set without ourselves."""

import pytest

from tests.phone import SDP, Phone, talk
from tests.wire import answer, header, headers_of, start_line
from tests.world import World
from voiceconnector.sip.hop import Hop
from voiceconnector.sip.session import Edge, Session
from voiceconnector.sip.transaction import ServerTransaction

EDGE = Edge(
    "SIP/2.0/UDP 10.0.0.1:5060;received=10.0.0.1;rport=5060;branch=z9hG4bKinner", "sip:192.0.2.1:5060;lr;ftag=x"
)
ALICE, BOB = "192.0.2.1", "192.0.2.2"


class Scene:
    def __init__(self) -> None:
        self.world = World()
        self.alice = Phone(self.world, "alice", ALICE)
        self.bob = Phone(self.world, "bob", BOB)

    def call(self, transport: str = "UDP") -> Session:
        session = Session.outgoing(
            self.alice.stack,
            self.world.hop("alice", "bob", transport),
            f"sip:bob@{BOB}",
            "<sip:alice@10.0.0.1:5060>",
            f"<sip:bob@{BOB}>;transport=UDP",
            "sip:alice@10.0.0.1:5060",
            f"Max-Forwards: 69\r\n{SDP}",
            b"offer",
            self.alice,
            [],
            self.world.now,
            local_tag="x",
            cseq=12345678,
            edge=EDGE,
        )
        self.alice.sessions.append(session)
        self.world.run(0.1)
        return session

    def reply(self, data: bytes) -> None:
        self.world.send("bob", self.world.hop("bob", "alice"), data)
        self.world.run(0.1)


def test_the_invite_shows_both_hops() -> None:
    """RFC 3261 16.6: the proxy's Via is on top, its Record-Route names it."""
    scene = Scene()
    session = scene.call()
    (invite,) = scene.world.sent("alice>bob INVITE")
    top, inner = headers_of(invite, "Via")
    assert top.startswith(f"SIP/2.0/UDP {ALICE}:5060;branch=z9hG4bK")
    assert inner == EDGE.inner_via
    assert header(invite, "Record-Route") == f"<{EDGE.route}>"
    assert header(invite, "CSeq") == "12345678 INVITE"
    assert header(invite, "From").endswith(";tag=x")
    session.cancel(scene.world.now)
    scene.world.settle()


def test_the_dialog_goes_on_with_the_next_number_and_without_our_own_route() -> None:
    """RFC 3261 12.2.1.1, 16.4."""
    scene = Scene()
    session = scene.call()
    scene.bob.session.accept(scene.world.now, SDP, b"answer")
    scene.world.run(0.1)
    assert header(scene.world.sent("bob>alice 200 INVITE")[0], "Record-Route") == f"<{EDGE.route}>"
    (ack,) = scene.world.sent("alice>bob ACK")
    assert headers_of(ack, "Route") == []
    assert header(ack, "CSeq") == "12345678 ACK"
    session.hang_up(scene.world.now)
    scene.world.run(0.1)
    (bye,) = scene.world.sent("alice>bob BYE")
    assert header(bye, "CSeq") == "12345679 BYE"
    assert header(bye, "To").startswith(f"<sip:bob@{BOB}>;transport=UDP;tag=")
    scene.world.settle()


def test_the_callee_finds_us_by_its_route_set() -> None:
    scene = Scene()
    scene.call()
    scene.bob.session.accept(scene.world.now, SDP, b"answer")
    scene.world.run(0.1)
    scene.bob.session.hang_up(scene.world.now)
    scene.world.run(0.1)
    (bye,) = scene.world.sent("bob>alice BYE")
    assert start_line(bye) == "BYE sip:alice@10.0.0.1:5060 SIP/2.0"
    assert header(bye, "Route") == f"<{EDGE.route}>"
    assert scene.alice.heard[-1] == "BYE"
    scene.world.settle()


@pytest.mark.parametrize(
    ("record_routes", "routes"),
    [
        (["<sip:192.0.2.9;lr>", f"<{EDGE.route}>"], ["<sip:192.0.2.9;lr>"]),
        ([f"<sip:192.0.2.9;lr>, <{EDGE.route}>"], ["<sip:192.0.2.9;lr>"]),
        (["<sip:192.0.2.1;lr>"], []),
        (["<sip:192.0.2.9;lr>"], ["<sip:192.0.2.9;lr>"]),
        (["<tel:1>"], ["<tel:1>"]),
        ([], []),
    ],
)
def test_only_our_own_entry_leaves_the_route_set(record_routes: list[str], routes: list[str]) -> None:
    scene = Scene()
    scene.call()
    (invite,) = scene.world.sent("alice>bob INVITE")
    lines = "".join(f"Record-Route: {value}\r\n" for value in record_routes) + f"Contact: <sip:bob@{BOB}>\r\n"
    scene.reply(answer(invite, headers=lines))
    (ack,) = [packet.data for packet, _ in scene.world.ladder if packet.told == "ACK"]
    assert headers_of(ack, "Route") == routes
    scene.alice.session.hang_up(scene.world.now)
    scene.bob.session.refuse(486, "Busy", scene.world.now)
    scene.world.settle()


def test_a_second_device_is_released_along_its_own_route_set() -> None:
    scene = Scene()
    scene.call()
    (invite,) = scene.world.sent("alice>bob INVITE")
    scene.bob.session.accept(scene.world.now, SDP, b"answer")
    scene.world.run(0.1)
    lines = f"Record-Route: <{EDGE.route}>\r\nContact: <sip:mobile@{BOB}>\r\n"
    scene.reply(answer(invite, tag="mobile", headers=lines))
    released = scene.world.sent("alice>bob BYE")[0]
    assert start_line(released) == f"BYE sip:mobile@{BOB} SIP/2.0"
    assert headers_of(released, "Route") == []
    scene.alice.session.hang_up(scene.world.now)
    scene.world.settle()


def test_a_caller_knows_whether_it_was_heard_of() -> None:
    scene = Scene()
    scene.bob.when_called = lambda session, now: None
    session = scene.call()
    assert not session.heard_of
    scene.bob.session.progress(100, "Trying", scene.world.now)
    scene.world.run(0.1)
    assert session.heard_of
    assert scene.alice.heard == []
    session.cancel(scene.world.now)
    scene.world.settle()


# -- a connection that breaks off


@pytest.mark.parametrize("rings", [False, True])
def test_a_connection_that_breaks_off_fails_an_invite_in_any_state(rings: bool) -> None:
    """RFC 3261 8.1.3.1, 18.4: as a 503."""
    scene = Scene()
    if not rings:
        scene.bob.when_called = lambda session, now: None
    session = scene.call("TCP")
    assert session.heard_of == rings
    scene.alice.stack.connection_reset(scene.world.hop("alice", "bob", "TCP"), "reset", scene.world.now)
    assert scene.alice.heard[-1] == "failed 503"
    scene.bob.session.refuse(486, "Busy", scene.world.now)
    scene.world.settle()


def test_a_connection_that_breaks_off_leaves_other_connections_alone() -> None:
    scene = Scene()
    scene.call("TCP")
    hop = scene.world.hop("alice", "bob", "TCP")
    scene.alice.stack.connection_reset(Hop(hop.local, (BOB, 9)), "reset", scene.world.now)
    scene.alice.stack.connection_reset(scene.world.hop("alice", "bob", "UDP"), "reset", scene.world.now)
    assert scene.alice.heard == ["180"]
    scene.bob.session.refuse(486, "Busy", scene.world.now)
    scene.world.settle()


def test_a_connection_that_breaks_off_in_a_call_fails_the_request_under_way() -> None:
    world = World()
    alice, bob = Phone(world, "alice", ALICE), Phone(world, "bob", BOB)
    session, other = talk(alice, bob)
    asked: list[ServerTransaction] = []
    bob.when_asked = lambda session, transaction, request, now: asked.append(transaction)
    session.send("INFO", world.now)
    world.run(0.1)
    alice.stack.connection_reset(world.hop("alice", "bob"), "reset", world.now)
    assert alice.heard == ["no reply 503 INFO", "lost"]
    world.run(0.1)
    asked[0].respond(200, "OK", world.now)
    other.hang_up(world.now)
    world.settle()

"""The phones of the public network, called without a trunk between."""

from collections.abc import Iterator

import pytest

from tests.flows.stage import Ports, sdp
from tests.phone import SDP, Phone
from tests.wire import body_of, header, headers_of, request, start_line
from tests.world import Node, World
from voiceconnector.media.plan import Digits, Echo, MediaPlan, Tone
from voiceconnector.pstn.behaviours import Behaviour, Route, Routing, behaviour
from voiceconnector.pstn.carrier import PublicNetwork
from voiceconnector.sip.hop import Local
from voiceconnector.sip.session import Session

TRUNK, PSTN = "203.0.113.1", "203.0.113.9"
OFFER = sdp(TRUNK, 4000)


class Scene:
    """Somebody who calls the public network."""

    def __init__(self, how: Behaviour, ports: int = 4) -> None:
        self.world = World()
        self.ports = Ports(ports)
        self.network = PublicNetwork(Routing([Route("*", how)]), self.ports, PSTN, self.world.ids())
        self.world.add(Node("pstn", self.network.stack), Local("pstn", "UDP", PSTN, 5060))
        self.caller = Phone(self.world, "caller", TRUNK)

    def call(self, body: bytes = OFFER, headers: str = "") -> Session:
        return self.caller.call("pstn", self.world.now, headers, body)

    def run(self, seconds: float) -> None:
        self.world.run(seconds)

    def send(self, method: str, body: bytes = b"", headers: str = "") -> None:
        self.caller.session.send(method, self.world.now, headers or (SDP if body else ""), body)
        self.run(0.1)

    @property
    def heard(self) -> list[str]:
        return self.caller.heard

    @property
    def plan(self) -> MediaPlan:
        return self.ports.plans[min(self.ports.plans)][-1]

    def last(self, which: str) -> bytes:
        return self.world.sent(which)[-1]

    def end(self) -> None:
        for session in self.caller.sessions:
            session.hang_up(self.world.now)
        self.world.settle()
        assert self.network.active_calls == 0
        assert not self.ports.in_use


@pytest.fixture
def answered() -> Iterator[Scene]:
    scene = Scene(behaviour("answer", ring_seconds=0))
    scene.call()
    scene.run(1)
    assert scene.heard == ["answered"]
    yield scene
    scene.end()


@pytest.mark.parametrize("ring", [0.0, 0.5, 7.0])
def test_a_phone_rings_for_as_long_as_it_is_told_and_answers(ring: float) -> None:
    scene = Scene(behaviour("answer", ring_seconds=ring))
    scene.call()
    scene.run(ring - 0.1)
    assert scene.heard == (["180"] if ring else [])
    scene.run(0.3)
    assert scene.heard == (["180"] if ring else []) + ["answered"]
    assert scene.world.times("pstn>caller 200 INVITE") == [round(0.01 + ring, 3)]
    (stream,) = scene.plan.streams
    assert (stream.remote, stream.sinks, stream.sources) == ((TRUNK, 4000), (Echo(),), ())
    assert stream.no_media_seconds == 0, "phones do not complain"
    scene.end()


def test_early_media_is_a_tone_in_183_and_stays_the_same_description() -> None:
    scene = Scene(behaviour("early-media", ring_seconds=2))
    scene.call()
    scene.run(1)
    assert scene.heard == ["183"]
    assert (scene.plan.streams[0].sources, scene.plan.streams[0].sinks) == ((Tone(440),), ())
    scene.run(2)
    assert scene.heard == ["183", "answered"]
    assert body_of(scene.last("pstn>caller 183 INVITE")) == body_of(scene.last("pstn>caller 200 INVITE"))
    assert (scene.plan.streams[0].sources, scene.plan.streams[0].sinks) == ((), (Echo(),))
    scene.end()


def test_early_media_without_an_offer_is_plain_ringing() -> None:
    scene = Scene(behaviour("early-media", ring_seconds=1))
    scene.caller.acknowledge_with = OFFER
    scene.call(b"")
    scene.run(2)
    assert scene.heard == ["180", "answered"]
    assert scene.plan.streams[0].remote == (TRUNK, 4000)
    scene.end()


@pytest.mark.parametrize(
    ("name", "line"), [("busy", "486 Busy Here"), ("reject-404", "404 Not Found"), ("reject-699", "699 Rejected")]
)
@pytest.mark.parametrize("ring", [None, 2.0])
def test_a_refusal_comes_at_once_or_after_ringing(name: str, line: str, ring: float | None) -> None:
    scene = Scene(behaviour(name, ring_seconds=ring))
    scene.call()
    scene.run(1)
    if ring:
        assert scene.heard == ["180"]
        scene.run(2)
    assert scene.heard == ["180"] * bool(ring) + [f"failed {line[:3]}"]
    assert start_line(scene.last(f"pstn>caller {line[:3]} INVITE")) == f"SIP/2.0 {line}"
    assert not scene.ports.plans
    scene.end()


def test_a_phone_that_does_not_answer_rings_until_the_caller_gives_up() -> None:
    scene = Scene(behaviour("no-answer"))
    session = scene.call()
    scene.run(500)
    assert scene.heard == ["180"]
    session.cancel(scene.world.now)
    scene.run(1)
    assert scene.network.active_calls == 0
    scene.end()


@pytest.mark.parametrize("after", [0.0, 3.0])
def test_a_phone_hangs_up_by_itself(after: float) -> None:
    scene = Scene(behaviour("answer", ring_seconds=0, hang_up_after=after))
    scene.call()
    scene.run(after + 0.5)
    assert scene.heard == ["answered", "BYE"]
    assert scene.network.active_calls == 0
    scene.end()


def test_digits_and_tones_are_sent_from_the_answer_on() -> None:
    scene = Scene(behaviour("tone", ring_seconds=1, tone_hz=600, digits="12#"))
    scene.call()
    scene.run(0.5)
    assert not scene.ports.plans
    scene.run(1)
    (stream,) = scene.plan.streams
    assert stream.sources == (Digits("12#"), Tone(600))
    assert stream.event_payload_type == 101
    scene.end()


def test_a_caller_without_telephone_event_gets_none() -> None:
    scene = Scene(behaviour("answer", ring_seconds=0, digits="1"))
    scene.call(sdp(TRUNK, 4000, "8"))
    scene.run(1)
    assert scene.plan.streams[0].event_payload_type is None
    assert scene.plan.streams[0].audio_payload_type == 8
    assert b"m=audio" in body_of(scene.last("pstn>caller 200 INVITE"))
    scene.end()


def test_a_late_offer_is_made_in_the_200_and_answered_in_the_ack() -> None:
    """RFC 3261 13.2.1, 13.3.1."""
    scene = Scene(behaviour("answer", ring_seconds=0))
    scene.caller.acknowledge_with = OFFER
    scene.call(b"")
    scene.run(1)
    assert b"m=audio 20000 RTP/AVP 0 8 101" in body_of(scene.last("pstn>caller 200 INVITE"))
    assert scene.plan.streams[0].remote == (TRUNK, 4000)
    scene.end()


def test_a_late_offer_that_is_answered_with_nonsense_ends_the_call() -> None:
    scene = Scene(behaviour("answer", ring_seconds=0))
    scene.caller.acknowledge_with = b"nonsense"
    scene.call(b"")
    scene.run(1)
    assert scene.heard == ["answered", "BYE"]
    scene.end()


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_new_offer_is_answered_and_the_relay_told(answered: Scene, method: str) -> None:
    """RFC 3264 8, RFC 3311."""
    answered.send(method, sdp("192.0.2.99", 5000, direction="sendonly", version=2))
    assert answered.heard[-1] == f"200 {method}"
    assert b"a=recvonly" in answered.caller.bodies[-1]
    (stream,) = answered.plan.streams
    assert (stream.remote, stream.receive, stream.send) == (("192.0.2.99", 5000), True, False)
    answered.send(method, sdp(TRUNK, 4000, version=3))
    assert answered.plan.streams[0].send


def test_a_reinvite_without_offer_gets_one(answered: Scene) -> None:
    answered.caller.acknowledge_with = sdp(TRUNK, 7000, version=2)
    answered.send("INVITE")
    assert answered.heard[-1] == "200 INVITE"
    assert answered.plan.streams[0].remote == (TRUNK, 7000)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize(
    ("body", "headers", "status_code"),
    [
        (b"nonsense", "", 400),
        (sdp(formats="18"), "", 488),
        (b"hello", "Content-Type: text/plain\r\n", 415),
        (b"", "Require: x\r\n", 420),
    ],
)
def test_what_cannot_be_used_is_refused_and_the_call_goes_on(
    answered: Scene, method: str, body: bytes, headers: str, status_code: int
) -> None:
    before = answered.plan
    answered.send(method, body, headers)
    assert answered.heard[-1] == f"{status_code} {method}"
    assert answered.plan == before
    assert answered.network.active_calls == 1


@pytest.mark.parametrize(("method", "status_code"), [("INFO", 200), ("OPTIONS", 200), ("REFER", 405), ("JUMP", 405)])
def test_other_requests_in_a_call(answered: Scene, method: str, status_code: int) -> None:
    answered.send(method)
    assert answered.heard[-1] == f"{status_code} {method}"


def test_an_update_before_there_was_any_offer_is_pending() -> None:
    """RFC 3311 5.2."""
    scene = Scene(behaviour("answer", ring_seconds=5))
    scene.caller.acknowledge_with = OFFER
    scene.call(b"")
    scene.run(1)
    scene.send("UPDATE", OFFER)
    assert scene.heard[-1] == "491 UPDATE"
    scene.run(6)
    assert scene.heard[-1] == "answered"
    scene.end()


@pytest.mark.parametrize(
    ("body", "headers", "status_code"),
    [
        (sdp(formats="18"), "", 488),
        (b"nonsense", "", 400),
        (OFFER, "Require: 100rel\r\n", 420),
        (OFFER, "Supported: timer\r\nSession-Expires: 30\r\n", 422),
    ],
)
def test_an_invite_that_cannot_be_taken_is_refused(body: bytes, headers: str, status_code: int) -> None:
    scene = Scene(Behaviour())
    scene.call(body, headers)
    scene.run(1)
    assert scene.heard == [f"failed {status_code}"]
    scene.end()


def test_a_refusal_says_what_would_do() -> None:
    """RFC 3261 8.2.2.3, RFC 4028 6."""
    scene = Scene(Behaviour())
    scene.call(OFFER, "Require: 100rel\r\n")
    scene.call(OFFER, "Supported: timer\r\nSession-Expires: 30\r\n")
    scene.run(1)
    assert header(scene.last("pstn>caller 420 INVITE"), "Unsupported") == "100rel"
    assert header(scene.last("pstn>caller 422 INVITE"), "Min-SE") == "90"
    scene.end()


@pytest.mark.parametrize("offer", [True, False])
def test_without_a_port_the_call_is_refused(offer: bool) -> None:
    scene = Scene(behaviour("answer", ring_seconds=0), ports=0)
    scene.call(OFFER if offer else b"")
    scene.run(1)
    assert scene.heard == ["failed 503"]
    scene.end()


def test_a_record_route_that_cannot_be_read_leaves_nothing() -> None:
    scene = Scene(Behaviour())
    peer = scene.world.peer("raw", "192.0.2.1")
    data = request(
        uri=f"sip:+1@{PSTN}", via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", headers='Record-Route: "x, <sip:y>\r\n'
    )
    peer.send(data, scene.world.local("pstn"))
    scene.run(1)
    assert start_line(peer.received[-1]).startswith("SIP/2.0 400")
    scene.end()


@pytest.mark.parametrize(
    ("method", "status_code"), [("OPTIONS", 200), ("BYE", 481), ("INFO", 481), ("REGISTER", 405), ("MESSAGE", 405)]
)
def test_requests_outside_of_calls(method: str, status_code: int) -> None:
    scene = Scene(Behaviour())
    peer = scene.world.peer("raw", "192.0.2.1")
    peer.send(request(method, f"sip:{PSTN}", via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"), scene.world.local("pstn"))
    scene.run(1)
    assert start_line(peer.received[-1]).startswith(f"SIP/2.0 {status_code}")
    assert bool(headers_of(peer.received[-1], "Allow")) == (status_code != 481)
    scene.end()


def test_closing_ends_what_rings_and_what_talks() -> None:
    scene = Scene(behaviour("answer", ring_seconds=5))
    scene.call()
    scene.run(6)
    scene.call()
    scene.run(1)
    scene.network.close(scene.world.now)
    scene.run(1)
    assert scene.heard == ["180", "answered", "180", "BYE", "failed 480"]
    scene.end()


def test_a_number_may_be_escaped() -> None:
    """RFC 3261 19.1.4: %2B is +."""
    scene = Scene(Behaviour())
    scene.network.routing = Routing([Route("+1206*", behaviour("busy"))])
    peer = scene.world.peer("raw", "192.0.2.1")
    data = request(uri=f"sip:%2B12065550123@{PSTN}", via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
    peer.send(data, scene.world.local("pstn"))
    scene.run(1)
    assert start_line(peer.received[-1]) == "SIP/2.0 486 Busy Here"
    scene.end()

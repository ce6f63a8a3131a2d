"""The phones of the public network, as they call the trunk."""

import pytest

from tests.flows.stage import Ports, sdp
from tests.phone import SDP, Phone
from tests.wire import body_of, header, start_line
from tests.world import Node, World
from voiceconnector.media.plan import MediaPlan, Play, StreamPlan, Tone
from voiceconnector.pstn.behaviours import Routing
from voiceconnector.pstn.carrier import NoPort, PublicNetwork
from voiceconnector.sip.hop import Hop, Local
from voiceconnector.sip.session import Session

TRUNK, PSTN = "203.0.113.1", "203.0.113.9"
TO, FROM = "+12065550100", "+442079460123"
ANSWER = sdp(TRUNK, 4000)


class Scene:
    """A trunk that is called."""

    def __init__(self, ports: int = 4) -> None:
        self.world = World()
        self.ports = Ports(ports)
        self.network = PublicNetwork(Routing([]), self.ports, PSTN, self.world.ids())
        self.world.add(Node("pstn", self.network.stack), Local("phones", "UDP", PSTN, 5071))
        self.trunk = Phone(self.world, "trunk", TRUNK)

    def call(self, seconds: float = 5.0, play: str = "") -> str:
        hop = Hop(self.world.local("pstn"), (TRUNK, 5060))
        call_id = self.network.call(hop, TO, FROM, seconds, self.world.now, play)
        self.world.run(0.1)
        return call_id

    def answer(self, body: bytes = ANSWER) -> Session:
        self.trunk.session.accept(self.world.now, SDP if body else "", body)
        self.world.run(0.1)
        return self.trunk.session

    @property
    def stream(self) -> StreamPlan:
        plans: list[MediaPlan] = next(iter(self.ports.plans.values()))
        return plans[-1].streams[0]

    def end(self) -> None:
        for session in self.trunk.sessions:
            session.hang_up(self.world.now)
        self.world.settle()
        assert self.network.active_calls == 0
        assert not self.ports.in_use


def test_a_phone_calls_plays_a_tone_and_hangs_up() -> None:
    scene = Scene()
    call_id = scene.call(3.0)
    (invite,) = scene.world.sent("pstn>trunk INVITE")
    assert header(invite, "Call-ID") == call_id
    assert start_line(invite) == f"INVITE sip:{TO}@{TRUNK}:5060 SIP/2.0"
    assert header(invite, "From").startswith(f"<sip:{FROM}@{PSTN}>;tag=")
    assert header(invite, "To") == f"<sip:{TO}@{TRUNK}>"
    assert header(invite, "Contact") == f"<sip:{FROM}@{PSTN}:5071>"
    for line in (b"RTP/AVP 0 101\r\n", b"a=rtpmap:101 telephone-event/8000", b"a=fmtp:101 0-15", b"a=ptime:20"):
        assert line in body_of(invite)
    scene.answer()
    assert (scene.stream.remote, scene.stream.sources, scene.stream.sinks) == ((TRUNK, 4000), (Tone(440),), ())
    scene.world.run(2.8)
    assert scene.trunk.heard == ["INVITE", "ACK"]
    scene.world.run(0.3)
    assert scene.trunk.heard == ["INVITE", "ACK", "BYE"]
    scene.end()


def test_a_phone_plays_a_file() -> None:
    scene = Scene()
    scene.call(play="prompt.wav")
    scene.answer()
    assert scene.stream.sources == (Play("prompt.wav"),)
    scene.end()


def test_a_phone_that_is_refused_or_hung_up_on_is_done() -> None:
    scene = Scene()
    scene.call()
    scene.trunk.session.refuse(404, "Not Found", scene.world.now)
    scene.world.run(0.1)
    assert scene.network.active_calls == 0
    scene.call()
    scene.answer().hang_up(scene.world.now)
    scene.world.run(0.1)
    assert scene.network.active_calls == 0
    scene.end()


@pytest.mark.parametrize("body", [b"", b"nonsense", sdp(TRUNK, 4000, "9")])
def test_an_answer_that_cannot_be_used_is_acknowledged_and_ended(body: bytes) -> None:
    """RFC 3261 13.2.2.4."""
    scene = Scene()
    scene.call()
    scene.answer(body)
    assert scene.trunk.heard == ["INVITE", "ACK", "BYE"]
    scene.end()


def test_ringing_changes_nothing_and_closing_gives_up() -> None:
    scene = Scene()
    scene.call()
    scene.network.close(scene.world.now)
    scene.world.run(0.1)
    assert scene.trunk.heard == ["INVITE", "CANCEL"]
    scene.end()


def test_a_trunk_that_is_not_there_leaves_nothing() -> None:
    scene = Scene()
    del scene.world._places["UDP", TRUNK, 5060]
    scene.call()
    assert scene.network.active_calls == 0
    scene.end()


def test_without_a_port_there_is_no_call() -> None:
    scene = Scene(ports=0)
    with pytest.raises(NoPort, match=PSTN):
        scene.call()
    scene.end()

"""A whole trunk in memory: a PBX, the service, the public network, and a telephone of the test's own behind it.

    pbx 192.0.2.10 --- trunk 203.0.113.1 --- pstn 203.0.113.9 (numbers that behave)
                                        \\-- far 198.51.100.7 (numbers that begin with +44: does as the test says)

`Stage.end` is the end of every test: what happened, and that nothing of it is left.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tests.phone import SDP, Phone
from tests.world import Node, World
from voiceconnector.calls import explain, media_report
from voiceconnector.calls.events import AttemptRefused, CallAnswered, CallEnded, CallEvent, CallStarted
from voiceconnector.calls.history import CallHistory
from voiceconnector.calls.roles import PSTN as CARRIER_SIDE
from voiceconnector.calls.switch import Switch
from voiceconnector.calls.termination import NextHop
from voiceconnector.media.plan import MediaPlan, PortPair
from voiceconnector.media.relay import CallStats, RelayEvent
from voiceconnector.pstn.behaviours import Behaviour, Route, Routing
from voiceconnector.pstn.carrier import PublicNetwork
from voiceconnector.sip.digest import DigestServer
from voiceconnector.sip.hop import Hop, Local
from voiceconnector.sip.locate import Located
from voiceconnector.sip.session import Session
from voiceconnector.trunk.model import Snapshot, Termination, VoiceConnector
from voiceconnector.trunk.profile import LAB, Profile

REGION, OTHER_REGION = "us-east-1", "us-west-2"
PBX, TRUNK, PSTN, FAR = "192.0.2.10", "203.0.113.1", "203.0.113.9", "198.51.100.7"
OTHER_TRUNK = "203.0.113.65"
TERMINATION = Termination(calling_regions=("US", "GB"), cidr_allowed_list=("192.0.2.0/24",))
CONNECTOR = VoiceConnector(
    "abcdef1ghij2klmno3pqr4",
    "stage",
    REGION,
    phone_numbers=("+12065550100",),
    termination=TERMINATION,
)
CALLER, CALLED, CALLED_FAR = "+12065550100", "+12065550123", "+442079460123"
EPOCH = 1_700_000_000.0


def sdp(
    address: str = PBX, port: int = 4000, formats: str = "0 101", direction: str = "sendrecv", version: int = 1
) -> bytes:
    """A description as telephones write them."""
    lines = [
        "v=0", f"o=- 1 {version} IN IP4 {address}", "s=-", f"c=IN IP4 {address}", "t=0 0",
        f"m=audio {port} RTP/AVP {formats}", f"a={direction}",
    ]  # fmt: skip
    if "101" in formats:
        lines.append("a=rtpmap:101 telephone-event/8000")
    return "".join(f"{line}\r\n" for line in lines).encode()


FAR_SDP = sdp(FAR, 6000)


class Ports:
    """A relay without packets: hands out port pairs, keeps the plans, and wants every pair back once."""

    def __init__(self, pairs: int) -> None:
        self.free = [PortPair("", 20_000 + 2 * index) for index in range(pairs)]
        self.in_use: set[PortPair] = set()
        self.plans: dict[int, list[MediaPlan]] = {}
        self.told: list[RelayEvent] = []
        self.told_of_ends = True
        self.breaks = ""
        """A method that is broken on purpose."""

    def _break(self, method: str) -> None:
        if self.breaks == method:
            raise RuntimeError(f"{method} is broken on purpose")

    def allocate(self, media_address: str) -> PortPair | None:
        self._break("allocate")
        if not self.free:
            return None
        pair = PortPair(media_address, self.free.pop(0).rtp)
        self.in_use.add(pair)
        return pair

    def why_none(self, media_address: str) -> str:
        return f"all {len(self.in_use)} port pairs on {media_address} are in use (rtp_ports)"

    def apply(self, call: int, plan: MediaPlan) -> None:
        self._break("apply")
        for stream in plan.streams:
            assert stream.pair in self.in_use, f"{stream.pair} is not allocated"
        self.plans.setdefault(call, []).append(plan)

    def release(self, call: int, pairs: tuple[PortPair, ...]) -> None:
        self._break("release")
        for pair in pairs:
            self.in_use.remove(pair)
            self.free.append(pair)
        if call in self.plans and self.told_of_ends:
            self.told.append(CallStats(call, True, ()))

    def take_events(self) -> list[RelayEvent]:
        told, self.told = self.told, []
        return told


class Pbx(Phone):
    """The customer's PBX: calls through the trunk, with descriptions that can be negotiated."""

    offer = sdp()

    def __init__(self, world: World, name: str, host: str) -> None:
        super().__init__(world, name, host, lambda session, now: None)

    def dial(
        self,
        called: str = CALLED_FAR,
        *,
        caller: str = CALLER,
        headers: str = "",
        body: bytes | None = None,
        content_type: str = "application/sdp",
        from_: str = "",
        transport: str = "UDP",
        host: str = CONNECTOR.outbound_host_name,
    ) -> Session:
        body = self.offer if body is None else body
        typed = f"Content-Type: {content_type}\r\n" if body else ""
        if "Max-Forwards" not in headers:
            headers += "Max-Forwards: 70\r\n"
        session = Session.outgoing(
            self.stack,
            self.world.hop(self.name, "trunk", transport),
            f"sip:{called}@{host}",
            from_ or f'"Reception" <sip:{caller}@{PBX}>',
            f"<sip:{called}@{host}>",
            self.world.local(self.name, transport).uri.replace("sip:", "sip:pbx@"),
            headers + typed,
            body,
            self,
            [],
            self.world.now,
        )
        self.sessions.append(session)
        return session


class Far(Phone):
    """A telephone behind the trunk that does what the test says."""

    answer = FAR_SDP

    def __init__(self, world: World, name: str, host: str) -> None:
        super().__init__(world, name, host, lambda session, now: session.progress(100, "Trying", now))

    def ring(self) -> None:
        self.session.progress(180, "Ringing", self.world.now)

    def early_media(self, body: bytes = FAR_SDP, status_code: int = 183, reason: str = "Session Progress") -> None:
        self.session.progress(status_code, reason, self.world.now, SDP, body)

    def pick_up(self, headers: str = "", body: bytes | None = None) -> None:
        body = self.answer if body is None else body
        self.session.accept(self.world.now, headers + (SDP if body else ""), body)


class Names:
    """What host names lead to, after a while; a name that is not there does not resolve."""

    def __init__(self, world: World) -> None:
        self.seconds = 0.02
        """How long a look-up takes; 0: it is known already."""
        self.addresses: dict[str, tuple[str, ...]] = {}
        self.asked: list[str] = []
        self._world = world

    def locate(self, host: str, port: int, transport: str, done: Callable[[Located, float], None]) -> None:
        self.asked.append(host)
        targets = tuple((transport, address, port) for address in self.addresses.get(host, ()))
        located = Located(targets, "" if targets else f"{host} does not resolve (NXDOMAIN)")
        if self.seconds:
            self._world.at(self._world.now + self.seconds, lambda now: done(located, now))
        else:
            done(located, self._world.now)


class Stage:
    """All of it."""

    reachable = True
    """Whether there is a host where calls to the far telephone are sent."""

    def __init__(
        self,
        profile: Profile = LAB,
        connector: VoiceConnector = CONNECTOR,
        behaviour: Behaviour | None = None,
        ports: int = 12,
        seed: int = 1,
    ) -> None:
        self.world = world = World(seed)
        self.ports = Ports(ports)
        self.events: list[CallEvent] = []
        self.connectors = [connector]
        self.snapshot = Snapshot.of(self.connectors)
        self.health: list[tuple[str, str]] = []
        self.names = Names(world)
        self.regions_down: set[str] = set()
        self.switch = Switch(
            profile,
            lambda: self.snapshot,
            DigestServer(b"0" * 32, profile.nonce_lifetime, profile.digest_algorithms),
            self,
            self.ports,
            {REGION: TRUNK, OTHER_REGION: OTHER_TRUNK},
            self.names,
            world.ids(),
            EPOCH,
            lambda connector_id, source, _time: self.health.append((connector_id, source)),
            lambda region: region not in self.regions_down,
        )
        routes = [Route("*", behaviour)] if behaviour else []
        self.pstn = PublicNetwork(Routing(routes), self.ports, PSTN, world.ids())
        world.add(
            Node("trunk", self.switch.stack, self._settle),
            Local(REGION, "UDP", TRUNK, 5060),
            Local(REGION, "TCP", TRUNK, 5060),
            Local(CARRIER_SIDE, "UDP", TRUNK, 5070),
            Local(OTHER_REGION, "UDP", OTHER_TRUNK, 5060),
        )
        world.add(Node("pstn", self.pstn.stack), Local("pstn", "UDP", PSTN, 5060))
        self.pbx = Pbx(world, "pbx", PBX)
        self.far = Far(world, "far", FAR)

    def next_hop(self, called: str, region: str) -> NextHop:
        """The way to the public network, or to the far telephone."""
        hop = self.world.hop("trunk", "far" if called.startswith("+44") else "pstn")
        if self.snapshot.inbound(called):
            hop = Hop(hop.local, (TRUNK, 5070))
        if not self.reachable:
            hop = Hop(hop.local, ("198.51.100.99", 5060))
        return NextHop(hop, hop.address[0], TRUNK)

    def media_address(self, region: str) -> str:
        return self.switch.media_addresses[region]

    def _settle(self, now: float) -> None:
        for event in self.ports.take_events():
            media_report.take(self.switch, event, now)
        self.events += self.switch.events
        self.switch.events = []

    def configure(self, **changes: Any) -> None:
        """Change fields of the connector, as the store would."""
        self.connectors[0] = replace(self.connectors[0], **changes)
        self.snapshot = Snapshot.of(self.connectors)

    # -- running

    @property
    def now(self) -> float:
        return self.world.now

    def run(self, seconds: float = 0.1) -> None:
        self.world.run(seconds)

    def tell(self, event: RelayEvent) -> None:
        """Let the relay say something."""
        self.ports.told.append(event)
        self.run()

    def answered(
        self, headers: str = "", *, transport: str = "UDP", body: bytes | None = None
    ) -> tuple[Session, Session]:
        """A call between PBX and far telephone that is up; their sessions."""
        caller = self.pbx.dial(headers=headers, transport=transport, body=body)
        self.run()
        self.far.pick_up()
        self.run()
        assert self.pbx.heard[-1] == "answered", self.world.drawn()
        return caller, self.far.session

    # -- looking

    def sent(self, which: str) -> bytes:
        """The last message shown so: "trunk>pbx 200 INVITE"."""
        return self.world.sent(which)[-1]

    @property
    def plan(self) -> MediaPlan:
        """What the relay was last told of the trunk's latest call."""
        return self.ports.plans[max(self.ports.plans)][-1]

    @property
    def history(self) -> CallHistory:
        """Of the latest attempt."""
        return self.switch.history.all()[0]

    @property
    def notes(self) -> str:
        return "\n".join(text for _, text in self.history.notes)

    @property
    def details(self) -> dict[str, Any]:
        """The latest attempt as a JSON object."""
        return explain.details(self.history, self.switch.profile, EPOCH)

    def explained(self) -> str:
        """What `explain` says of the latest attempt."""
        return self.explained_of(self.history)

    def explained_of(self, call: CallHistory) -> str:
        """What `explain` says of a call, which has to be fit for a terminal; its JSON has to be JSON."""
        text = explain.explain(call, self.switch.profile)
        assert all(line.isprintable() for line in text.split("\n")), text
        json.dumps(explain.details(call, self.switch.profile, EPOCH))
        return text

    def ended(self) -> list[CallEnded]:
        return [event for event in self.events if isinstance(event, CallEnded)]

    def refused(self) -> list[AttemptRefused]:
        return [event for event in self.events if isinstance(event, AttemptRefused)]

    # -- the end

    def end(self, *, calls: int = 1, completed: int | None = None, explained: Sequence[str] = ()) -> None:
        """Let everything run out; then so many calls have one record each, and nothing is left of them."""
        self.world.settle()
        self.run(0)
        ladder = self.world.drawn()
        started = [event for event in self.events if isinstance(event, CallStarted)]
        answered = [event.started for event in self.events if isinstance(event, CallAnswered)]
        ended = self.ended()
        assert len(started) == calls, f"{len(started)} calls\n{ladder}"
        assert sorted(map(_identity, started)) == sorted(_identity(event.started) for event in ended), ladder
        assert len(set(map(_identity, started))) == calls, "a call has two records"
        for event in ended:
            assert (event.answer_time is not None) == (event.started in answered)
            assert "\r" not in event.status_message
            assert "\n" not in event.status_message
        if completed is not None:
            assert [event.completed for event in ended].count(True) == completed, [*ended, ladder]
        assert not self.ports.in_use, ladder
        assert self.switch.active_calls == 0
        assert self.pstn.active_calls == 0
        assert not self.switch.limits.active_calls_in_region(REGION), "admission still counts a call"
        assert not any(self.switch.history_of(key, forget=False) for key in self.ports.plans)
        assert not self.switch.history.live
        for call in self.switch.history.all():
            self.explained_of(call)
        text = self.explained() if explained else ""
        for words in explained:
            assert words in text, text


def _identity(started: CallStarted) -> str:
    return started.aws_transaction_id

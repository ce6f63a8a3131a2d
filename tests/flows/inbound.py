"""The stage for calls from the PSTN: a telephone outside, the trunk, and PBXs at the ends of its routes.

far 198.51.100.7 --- trunk 203.0.113.1 (us-east-1) and 203.0.113.65 (us-west-2) --- one, two, three
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.flows.stage import CALLER, FAR_SDP, OTHER_REGION, Far, Stage, sdp
from tests.wire import header
from tests.world import World
from voiceconnector.sip.hop import Hop
from voiceconnector.sip.session import EARLY, Session
from voiceconnector.trunk.model import (
    Origination,
    OriginationRoute,
    Snapshot,
    VoiceConnector,
    VoiceConnectorGroup,
    VoiceConnectorItem,
)
from voiceconnector.trunk.profile import AWS, LAB, Profile

ONE, TWO, THREE = "192.0.2.11", "192.0.2.12", "192.0.2.13"
NOBODY = "192.0.2.99"
"""Where no host is: ICMP says so."""
LIKE_AWS = replace(AWS, private_addresses_allowed=True)
NUMBER, OUTSIDE = CALLER, "+442079460123"
"""The number of the trunk that is called, and who calls it."""
OTHER = VoiceConnector("otheronenopqrstuvwxyz0", "other", OTHER_REGION)


def route(host: str, priority: int = 1, weight: int = 1, protocol: str = "UDP", port: int = 5060) -> OriginationRoute:
    assert protocol in ("UDP", "TCP")
    return OriginationRoute(host, port, "TCP" if protocol == "TCP" else "UDP", priority, weight)


class Target(Far):
    """A PBX at the end of a route: does nothing until the test says so, but says 100 at once."""

    silent = False
    """Whether it does not even say 100."""

    def __init__(self, world: World, name: str, host: str) -> None:
        super().__init__(world, name, host)
        self.answer = sdp(host, 7000)
        self.when_called = self._called

    def _called(self, session: Session, now: float) -> None:
        if not self.silent:
            session._server_invite.respond(100, "Trying", now)  # type: ignore[union-attr]  # it has just come

    def refuse(self, status_code: int, reason: str = "No", headers: str = "") -> None:
        self.session.refuse(status_code, reason, self.world.now, headers)


class Inbound(Stage):
    """All of it. `routes` are those of the connector that has the number."""

    def __init__(self, *routes: OriginationRoute, profile: Profile = LAB, **more: Any) -> None:
        super().__init__(profile, **more)
        self.one, self.two, self.three = (
            Target(self.world, name, host) for name, host in (("one", ONE), ("two", TWO), ("three", THREE))
        )
        self.groups: tuple[VoiceConnectorGroup, ...] = ()
        self.configure(origination=Origination(routes or (route(ONE), route(TWO, 2), route(THREE, 3))))

    def group_with(self, *others: VoiceConnector) -> None:
        """Have the number answered by the connector and these, in this order."""
        self.connectors += others
        ids = [known.voice_connector_id for known in self.connectors]
        items = tuple(VoiceConnectorItem(id_, rank) for rank, id_ in enumerate(ids, start=1))
        self.connectors[0] = replace(self.connectors[0], phone_numbers=())
        self.groups = (VoiceConnectorGroup("group" * 4 + "00", "stage", items, (NUMBER,)),)
        self.snapshot = Snapshot.of(self.connectors, self.groups)

    def ring(
        self, called: str = NUMBER, *, caller: str = OUTSIDE, headers: str = "", body: bytes = FAR_SDP, name: str = ""
    ) -> Session:
        """Let the telephone outside call."""
        far = self.far
        typed = "Content-Type: application/sdp\r\n" if body else ""
        limit = "" if "Max-Forwards" in headers else "Max-Forwards: 70\r\n"
        session = Session.outgoing(
            far.stack,
            Hop(self.world.local("far"), ("203.0.113.1", 5070)),
            f"sip:{called}@203.0.113.1:5070",
            f"{name}<sip:{caller}@198.51.100.7>",
            f"<sip:{called}@203.0.113.1>",
            "sip:far@198.51.100.7",
            headers + limit + typed,
            body,
            far,
            [],
            self.world.now,
        )
        far.sessions.append(session)
        return session

    def talking(self) -> tuple[Session, Session]:
        """A call that is up: the sessions of the telephone outside and of the first PBX."""
        caller = self.ring()
        self.run()
        self.one.pick_up()
        self.run()
        assert self.far.heard[-1] == "answered", self.world.drawn()
        return caller, self.one.session

    def invite(self, name: str = "one") -> bytes:
        """The last INVITE that a PBX got."""
        return self.sent(f"trunk>{name} INVITE")

    def outcomes(self) -> list[tuple[str, str]]:
        """What was tried, and what became of it."""
        return [(one.target or one.route.host, one.outcome) for one in self.history.tries]

    def end(self, *, calls: int = 1, completed: int | None = None, explained: Sequence[str] = ()) -> None:
        self.run(70)  # As long as anything may ring.
        assert self.switch.active_calls == 0, self.world.drawn()
        for target in (self.one, self.two, self.three):
            for session in target.sessions:
                if session.state == EARLY:  # It was left, and would ring for ever.
                    session.hang_up(self.now)
        super().end(calls=calls, completed=completed, explained=explained)
        assert not self.switch.limits.active_calls_in_region(OTHER_REGION)
        for call in self.switch.history.all():
            assert all(one.ended_at is not None and one.outcome for one in call.tries), call.tries


def dialled(data: bytes) -> str:
    """X-VoiceConnector-ID of an INVITE."""
    return header(data, "X-VoiceConnector-ID")


def answered_by_two(stage: Inbound) -> None:
    """The second PBX takes the call, and it ends well."""
    stage.two.pick_up()
    stage.run()
    assert stage.far.heard[-1] == "answered", stage.world.drawn()
    stage.far.session.hang_up(stage.now)
    stage.end(completed=1)

"""The way of a call from the PSTN to a PBX: one target after the other, until one takes the call.

A connector's routes come in `routing.in_order`; a route whose host is a name leads to one target for each of its
addresses. A target fails by silence (no answer at all within the profile's `provisional_timeout`), by an error of
the transport, or by an answer that `routing.moves_on`; then the next one is tried within the same call, and after
the connector's last the next connector of the group. Whatever a target that was left still sends is dealt with by
its session: a late answer is acknowledged and released, and the caller hears nothing of it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from voiceconnector.media.gateway import completed
from voiceconnector.media.offer_answer import NegotiationError
from voiceconnector.sip.hop import Hop, host_port, is_ip_address
from voiceconnector.sip.locate import Located
from voiceconnector.sip.message import Response
from voiceconnector.sip.session import Session
from voiceconnector.sip.timers import Timer
from voiceconnector.sip.transaction import LogEntry, ServerTransaction
from voiceconnector.trunk import routing
from voiceconnector.trunk.decisions import Decision, Outcome
from voiceconnector.trunk.model import OriginationRoute, VoiceConnector

from . import edge
from .call_media import description_of
from .events import CallMoved, RouteFailed
from .history import Try
from .passed_on import display_name, readable, refusal_lines
from .refusals import called_side_refused

if TYPE_CHECKING:
    from .call import Call
    from .switch import Switch


class Locator(Protocol):
    """Looks up host names."""

    def locate(self, host: str, port: int, transport: str, done: Callable[[Located, float], None]) -> None:
        """Find where a name leads; `done` is called with that and the time, at once or in a later turn."""


class Origination:
    """How calls find their PBX, the same for all of them."""

    def __init__(self, region_available: routing.RegionAvailable, locator: Locator, below: routing.Below) -> None:
        self.region_available = region_available
        self.locator = locator
        self.below = below


class Hunt:
    """Sends leg b to the PBX of one call."""

    __slots__ = (
        "_call", "_called", "_caller", "_connectors", "_display_name", "_hops_left", "_media_region", "_offer",
        "_origination",
        "_refusal", "_route", "_routes", "_session", "_source", "_stepping", "_switch", "_targets", "_timer", "_try",
        "_undecided",
    )  # fmt: skip

    def __init__(
        self,
        switch: "Switch",
        origination: Origination,
        connector: VoiceConnector,
        others: tuple[VoiceConnector, ...],
        caller: str,
        called: str,
    ) -> None:
        """`connector` can take the call, and counts it already; `others` are asked after it, in order."""
        self._switch = switch
        self._origination = origination
        self._connectors = [connector, *others]
        self._caller = caller
        self._called = called
        self._routes = self._routes_of(connector)
        self._media_region = connector.aws_region
        """Where the caller's media is."""
        self._route: OriginationRoute | None = None
        self._targets: list[tuple[str, str, int]] = []
        self._call: Call | None = None
        self._session: Session | None = None
        self._try: Try | None = None
        self._timer: Timer | None = None
        self._undecided = self._stepping = False
        """Whether nothing is under way and something is to be; whether that is being worked on just now."""
        self._refusal: Decision | None = None
        """Why a connector was passed over at last."""
        self._offer: bytes | None = None
        self._source: Hop | None = None
        self._display_name = ""
        self._hops_left = 0

    @property
    def log(self) -> list[LogEntry]:
        """The call's messages, by which it is known where only its log is at hand."""
        return self._call.log if self._call else []

    def _routes_of(self, connector: VoiceConnector) -> list[OriginationRoute]:
        assert connector.origination
        return list(routing.in_order(connector.origination.routes, self._origination.below))

    # -- what the call asks for

    def start(self, call: "Call", transaction: ServerTransaction, now: float) -> None:
        self._call = call
        request = transaction.request
        self._source = transaction.hop
        self._display_name = display_name(request)
        self._hops_left = request.max_forwards - 1
        try:
            offer = description_of(request)
        except NegotiationError as error:
            call.refuse_media(error, now)
            return
        self._offer = completed(offer) if offer else offer
        transaction.respond(100, "Trying", now)
        call.wait_for_answer(now)
        self._next(now)

    def failed(self, session: Session, status_code: int, reason: str, now: float) -> None:
        self._stop_timer()
        refusal = session.refusal
        if refusal is None:
            self._fail(readable(reason), now)
        elif routing.moves_on(status_code):
            self._fail(f"it answered {status_code} {readable(refusal.reason_phrase)}", now)
        else:
            self._conclude(f"it answered {status_code} {readable(refusal.reason_phrase)}", now)
            decision = called_side_refused(refusal)
            assert self._call
            self._call.refuse(decision, now, refusal_lines(refusal, as_it_is=decision.status_code == status_code))

    def answered(self, response: Response, now: float) -> None:
        self._stop_timer()
        self._conclude("it answered the call", now)

    def stop(self, now: float) -> None:
        self._stop_timer()
        self._conclude("the call was over", now)
        self._session = self._call = None  # They know each other: two that do wait for the garbage collector.

    # -- one after the other

    def _next(self, now: float) -> None:
        """Try one after the other until something is under way.

        What fails at once, be it hundreds, is left in this loop: each one from within the last would end in a
        RecursionError.
        """
        self._undecided = True
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._undecided and self._call:
                self._undecided = False
                self._step(self._call, now)
        finally:
            self._stepping = False

    def _step(self, call: "Call", now: float) -> None:
        """Try the next target, of the next route, of the next connector; refuse the call where there is none."""
        if self._targets or self._routes:
            self._look_at_region(call, now)
        if self._targets:
            self._send(*self._targets.pop(0), now)
        elif self._routes:
            self._look_up(self._routes.pop(0), now)
        elif self._move(now):
            self._undecided = True
        else:
            tried = [f"{one.target or one.route.host}: {one.outcome}" for one in call.history.tries]
            decision = routing.all_failed(tried, self._switch.profile) if tried else self._refusal
            assert decision
            call.refuse(decision, now, self._switch.lines(decision))

    def _look_at_region(self, call: "Call", now: float) -> None:
        """Leave the connector in hand where its Region has gone down meanwhile."""
        connector, available = self._connectors[0], self._origination.region_available
        if not available(connector.aws_region):
            self._targets, self._routes = [], []
            self._refusal = routing.obstacle(connector, available, self._switch.profile)
            call.note(now, f"{connector.aws_region} is down now; the other routes there are not tried.")

    def _move(self, now: float) -> bool:
        """Go on with the next connector of the group that can take the call; False where there is none."""
        call, switch = self._call, self._switch
        assert call
        while len(self._connectors) > 1:
            del self._connectors[0]
            connector = self._connectors[0]
            decision = routing.obstacle(connector, self._origination.region_available, switch.profile)
            if decision is None:
                admission = switch.admission.admit_inbound(connector, self._called, self._caller)
                decision = admission.decision
            if decision.outcome is not Outcome.ADMIT:
                self._refusal = decision
                call.note(now, f"{connector.voice_connector_id} is passed over: {decision.because}.")
                continue
            switch.admission.release(call.history.admission)
            call.history.admission = admission
            call.move(connector)
            switch.events.append(CallMoved(call.started))
            call.note(now, f"The call goes on through {connector.voice_connector_id} in {connector.aws_region}.")
            self._routes = self._routes_of(connector)
            self._move_media(call, connector.aws_region, now)
            return True
        return False

    def _move_media(self, call: "Call", region: str, now: float) -> None:
        """Have the caller's media in the Region too, unless it was already told of an address that lives."""
        caller = call.session("a")
        if not (caller and caller.body and self._origination.region_available(self._media_region)):
            self._media_region = region
            call.reserve("a", self._switch.carrier.media_address(region), now)

    # -- a route

    def _look_up(self, route: OriginationRoute, now: float) -> None:
        """Find the addresses a route leads to, and try them."""
        self._route = route
        secure = self._connectors[0].require_encryption
        transport = "TLS" if secure else route.protocol
        if is_ip_address(route.host):
            self._targets = [(transport, route.host, route.port or (5061 if secure else 5060))]
            self._next(now)
            return

        timers = self._switch.stack.timers

        def done(located: Located, now: float) -> None:
            if self._call is None or self._route is not route or self._try is not looking:
                return  # The call is over, or the answer came twice.
            before, timers.in_hand = timers.in_hand, self  # A fault in here is this call's.
            if located.targets:
                self._call.history.tries.pop()
                self._try = None
                self._targets = list(located.targets)
                addresses = ", ".join(address for _, address, _ in located.targets)
                self._call.note(now, f"{route.host} leads to {addresses} ({now - looking.started_at:.3f} s).")
                self._next(now)
            else:
                self._fail(located.because, now)
            timers.in_hand = before

        looking = self._try = self._begin("", now)
        self._origination.locator.locate(route.host, route.port, transport, done)

    def _begin(self, target: str, now: float) -> Try:
        """Write down what is tried now."""
        connector = self._connectors[0]
        assert self._call
        assert self._route
        begun = Try(connector.voice_connector_id, connector.aws_region, self._route, target, now)
        self._call.history.tries.append(begun)
        return begun

    # -- a target

    def _send(self, transport: str, address: str, port: int, now: float) -> None:
        call, switch, route = self._call, self._switch, self._route
        assert call
        assert route
        connector = self._connectors[0]
        region = connector.aws_region
        self._try = self._begin(f"{transport} {host_port(address, port)}", now)
        local = switch.stack.locals.get((region, transport))
        if local is None:
            self._fail(f"{region} has no listener for {transport}", now)
            return
        if (":" in local.host) != (":" in address):
            self._fail(f"{region} listens at {local.host}, which is of the other IP version", now)
            return
        if not call.reserve("b", switch.media_addresses[region], now):
            return
        hop = Hop(local, (address, port), None, route.host.removesuffix(".") if transport == "TLS" else "")
        try:
            body = b"" if self._offer is None else self._our_offer(self._offer, now)
        except NegotiationError as error:
            call.refuse_media(error, now)
            return
        call.history.peers.setdefault(str(hop), self._name_of_pbx())
        invite = edge.invite(
            route,
            hop,
            called=self._called,
            caller=self._caller,
            display_name=self._display_name,
            voice_connector_id=connector.voice_connector_id,
            max_forwards=self._hops_left,
            body=body,
            call_id=call.started.call_id,
            profile=switch.profile,
            ids=switch.ids,
        )
        self._session = call.place(invite, now)
        self._timer = switch.stack.timers.start(switch.profile.provisional_timeout, self, "no provisional answer", now)

    def _our_offer(self, offer: bytes, now: float) -> bytes:
        assert self._call
        assert self._source
        return self._call.media.offer(offer, "a", self._source, now)

    def _name_of_pbx(self) -> str:
        """The first is the PBX; a second one is "PBX 2"."""
        assert self._call
        known = len(self._call.history.peers)
        return "PBX" if known == 1 else f"PBX {known}"

    def on_timer(self, name: str, now: float) -> None:
        call, session = self._call, self._session
        if call is None or session is None or session.heard_of:
            return
        call.give_up_leg_b(now, 'SIP;cause=408;text="no provisional answer"')
        self._fail(f"no provisional answer within {self._switch.profile.provisional_timeout:g} s", now)

    def _fail(self, because: str, now: float) -> None:
        """The target in hand does not take the call: on to the next."""
        call, failed = self._call, self._try
        assert call
        assert failed
        self._conclude(because, now)
        call.media.withdraw()
        target = failed.target or failed.route.host
        identity, time = call.history.aws_transaction_id, now + self._switch.epoch
        seconds = now - failed.started_at
        self._switch.events.append(
            RouteFailed(identity, time, failed.voice_connector_id, target, seconds, failed.outcome)
        )
        self._next(now)

    def _conclude(self, outcome: str, now: float) -> None:
        """Write down what became of the target in hand."""
        if self._try:
            self._try.ended_at = now
            self._try.outcome = outcome
            self._try = None

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.stop()
            self._timer = None

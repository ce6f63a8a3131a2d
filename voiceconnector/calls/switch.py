"""The life of a request that belongs to no dialog, on one page, and the owner of all calls.

at a Region's listener:
OPTIONS -> is this a connector, from where it may come? 200, and its termination health
INVITE  -> can it be understood? -> admission -> 407, a refusal with its reason, or a call
REGISTER and what the profile does not accept -> 405 or 501
anything else outside a dialog -> 481
What comes to the carrier's side of the trunk, `carrier_side` takes.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Protocol

from voiceconnector.sip.digest import DigestServer, Verdict, credentials_for
from voiceconnector.sip.grammar import ParseError
from voiceconnector.sip.headers import uri_of
from voiceconnector.sip.hop import Hop
from voiceconnector.sip.ids import Ids
from voiceconnector.sip.message import Request
from voiceconnector.sip.session import Session
from voiceconnector.sip.stack import SipStack
from voiceconnector.sip.transaction import ServerTransaction, Transaction, remember
from voiceconnector.sip.uri import SipUri
from voiceconnector.trunk.admission import AdmissionControl, refuse_method
from voiceconnector.trunk.attempts import Admission, Authentication, AuthenticationResult, CallAttempt
from voiceconnector.trunk.decisions import Decision, Outcome, shown
from voiceconnector.trunk.limits import Limits
from voiceconnector.trunk.model import Snapshot, VoiceConnector
from voiceconnector.trunk.profile import Profile

from .call import Call, Placing
from .call_media import MediaRelay
from .carrier_side import CarrierSide
from .compaction import compact, forget
from .events import AttemptRefused, CallEnded, CallEvent, CallStarted
from .history import CallHistory, History
from .inspection import obstacle, obstacle_to_call
from .keeping import NAMES, NOTHING, Keeping, What
from .location import location_notes
from .origination import Hunt, Locator, Origination
from .refusals import SHUTTING_DOWN
from .roles import PSTN
from .termination import NextHop, ToPstn

BURST = 200
"""Calls, or refused attempts, after which memory is looked after."""

_AUTHENTICATION: dict[Verdict, AuthenticationResult] = {
    Verdict.OK: "ok",
    Verdict.MISSING: "missing",
    Verdict.UNKNOWN_USER: "unknown user",
    Verdict.WRONG: "wrong",
    Verdict.STALE: "stale",
    Verdict.REPLAYED: "replayed",
    Verdict.MALFORMED: "wrong",
}


class Carrier(Protocol):
    """The way to the public network."""

    def next_hop(self, called: str, region: str) -> NextHop: ...
    def media_address(self, region: str) -> str:
        """Which of the relay's addresses a caller in the public network can reach, for calls to a Region."""


class Switch:
    """All calls through the trunk; the core of the service's SIP stack."""

    def __init__(
        self,
        profile: Profile,
        snapshot: Callable[[], Snapshot],
        digest: DigestServer,
        carrier: Carrier,
        relay: MediaRelay,
        media_addresses: Mapping[str, str],
        locator: Locator,
        ids: Ids,
        epoch: float,
        record_health: Callable[[str, str, float], None] = lambda _connector, _source, _time: None,
        region_available: Callable[[str], bool] = lambda _region: True,
        keeping: Keeping = NOTHING,
    ) -> None:
        """`media_addresses` are the relay's by Region; `epoch` makes seconds since 1970 of the monotonic `now`."""
        self.profile = profile
        self.keeping = keeping
        """What is kept of the media of every call."""
        self.name = "voiceconnector"
        self.stack = SipStack(self, ids)
        self.ids = ids
        self.relay = relay
        self.media_addresses = media_addresses
        self.epoch = epoch
        self.history = History()
        self.events: list[CallEvent] = []
        """What happened in this turn; whoever turns the core takes them."""
        self.refusals: Counter[str] = Counter()
        """Refused attempts by check."""
        self.capabilities = f"Allow: {', '.join(profile.methods)}\r\nSupported: timer\r\n"
        self.snapshot = snapshot
        self.admission = AdmissionControl(profile)
        self.carrier = carrier
        self.closing = False
        self._digest = digest
        chance = Random(ids.number(64) if profile.routing_seed is None else profile.routing_seed)
        origination = Origination(
            lambda region: region in media_addresses and region_available(region), locator, chance.randrange
        )
        self._carrier_side = CarrierSide(self, origination)
        self._record_health = record_health
        self._calls: dict[int, Call] = {}
        self._awaiting_counters: dict[int, CallHistory] = {}
        self._last_key = 0

    # -- requests

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        method = request.method
        if transaction.hop.local.name == PSTN:
            self._carrier_side.on_request(transaction, request, now)
        elif method == "INVITE":
            self._receive_invite(transaction, request, now)
        elif method == "OPTIONS":
            self._receive_options(transaction, request, now)
        elif (decision := refuse_method(method, self.profile)) is not None:
            allow = f"Allow: {', '.join(self.profile.methods)}\r\n"
            self._refuse_unexamined(transaction, request, decision, allow, now)
        else:
            transaction.respond(481, "Call/Transaction Does Not Exist", now)

    def on_overload(self, request: Request, hop: Hop, now: float) -> tuple[int, str, str] | None:
        self.refusals["overload"] += 1
        retry = self.profile.retry_after
        warning = f'Warning: 399 {self.name} "more calls arrive than this machine can take"\r\n'
        return 503, "Service Unavailable: overload", f"Retry-After: {retry}\r\n{warning}"

    def _receive_options(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        found = obstacle(request)
        if found:
            self._refuse_unexamined(transaction, request, found.decision, found.lines, now)
            return
        attempt = self._facts(transaction, request)
        admission = self.admission.admit_options(attempt, self.snapshot())
        if admission.decision.outcome is Outcome.ADMIT:
            assert admission.connector
            self._record_health(admission.connector.voice_connector_id, attempt.source_address, now + self.epoch)
            capabilities = self.capabilities if self.profile.options_shows_capabilities else ""
            transaction.respond(200, "OK", now, capabilities)
        else:
            self.refuse(transaction, request, self._history(request, attempt, admission, transaction, now), now)

    def _receive_invite(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        found = obstacle_to_call(request)
        if found:
            self._refuse_unexamined(transaction, request, found.decision, found.lines, now)
            return
        if self.closing:
            self._refuse_unexamined(transaction, request, SHUTTING_DOWN, "", now)
            return
        attempt = self._facts(transaction, request)
        authenticator = _RequestAuthenticator(self._digest, request, now)
        admission = self.admission.admit(attempt, self.snapshot(), authenticator, now)
        history = self._history(request, attempt, admission, transaction, now)
        if admission.decision.outcome is Outcome.ADMIT:
            self._call_pstn(transaction, history, now)
        elif admission.decision.outcome is Outcome.CHALLENGE:
            self._challenge(transaction, request, history, now)
        else:
            self.refuse(transaction, request, history, now)

    def _facts(self, transaction: ServerTransaction, request: Request) -> CallAttempt:
        uri = request.request_uri
        local = transaction.hop.local
        caller = _user_of(request.headers["from"][0])
        asserted = _asserted_user(request) if "p-asserted-identity" in request.headers else ""
        host = uri.host.strip("[]")
        return CallAttempt(
            host,
            local.transport,  # type: ignore[arg-type]  # Local's transports are these three
            transaction.hop.address[0],
            local.name,
            uri.user,
            caller,
            asserted,
            host == local.host,
        )

    def _history(
        self,
        request: Request,
        attempt: CallAttempt,
        admission: Admission,
        transaction: ServerTransaction,
        now: float,
    ) -> CallHistory:
        """The attempt's history; it begins with the challenge that this INVITE answers, if there was one."""
        call_id, method = request.call_id, request.method
        earlier = self.history.take_challenged(call_id, attempt.source_address) if method == "INVITE" else None
        if earlier is None:
            identity = self.ids.aws_transaction_id()
            return CallHistory(identity, call_id, attempt, admission, transaction.log, now, method)
        remember(earlier.log, transaction.log[0])
        transaction.log = earlier.log
        earlier.attempt, earlier.admission = attempt, admission
        return earlier

    # -- decisions

    def _challenge(self, transaction: ServerTransaction, request: Request, history: CallHistory, now: float) -> None:
        decision = history.admission.decision
        authentication = history.admission.authentication
        connector = history.admission.connector
        assert connector
        stale = authentication is not None and authentication.result in ("stale", "replayed")
        name = "Proxy-Authenticate" if decision.status_code == 407 else "WWW-Authenticate"
        lines = "".join(
            f"{name}: {value}\r\n" for value in self._digest.challenge(connector.outbound_host_name, now, stale)
        )
        if authentication is not None and authentication.result != "missing":
            history.note(now, f"Challenged again: {decision.because}.")
            if authentication.result != "stale":
                self._count_refusal(history, now)
            lines += f"Warning: {decision.warning(self.name)}\r\n"
        transaction.respond(decision.status_code, decision.reason_phrase, now, lines)
        self.history.challenge(history)

    def _refuse_unexamined(
        self, transaction: ServerTransaction, request: Request, decision: Decision, lines: str, now: float
    ) -> None:
        """Refuse a request for what it is in itself; a stranger's is refused for being one all the same."""
        attempt = self._facts(transaction, request)
        admission = self.admission.examine_source(attempt, self.snapshot())
        outcome = admission.decision.outcome
        if outcome is Outcome.ADMIT or (outcome is Outcome.REJECT and request.method not in self.profile.methods):
            admission = replace(admission, decision=decision)
        else:
            lines = ""
        self.refuse(transaction, request, self._history(request, attempt, admission, transaction, now), now, lines)

    def refuse(
        self, transaction: ServerTransaction, request: Request, history: CallHistory, now: float, lines: str = ""
    ) -> None:
        """Refuse a request by its decision: answer, history, event, and the record if one is owed."""
        decision = history.admission.decision
        connector = history.admission.connector
        self._count_refusal(history, now)
        self.history.refuse(history)
        if request.method == "INVITE" and history.admission.owes_record and connector:
            started = self._started(history, connector, now)
            self.events += (started, CallEnded(started, None, now + self.epoch, False, decision.reason_phrase))
        if decision.outcome is not Outcome.DROP:
            transaction.respond(decision.status_code, decision.reason_phrase, now, lines + self.lines(decision))
        if not history.admission.past_source_checks:
            # Strangers are answered once (RFC 3261 8.2.7): repetitions would hit whoever's address they forge.
            transaction.abandon()

    def _count_refusal(self, history: CallHistory, now: float) -> None:
        decision, connector = history.admission.decision, history.admission.connector
        self.refusals[decision.check] += 1
        self.events.append(
            AttemptRefused(
                history.aws_transaction_id,
                now + self.epoch,
                history.call_id,
                history.attempt.source_address,
                connector.voice_connector_id if connector else "",
                decision,
            )
        )

    def refuse_method(self, transaction: ServerTransaction, request: Request, history: CallHistory, now: float) -> None:
        """Refuse a request in a call whose method the profile does not accept."""
        decision = refuse_method(request.method, self.profile)
        if decision is None:
            transaction.respond(481, "Call/Transaction Does Not Exist", now)
            return
        history.note(now, f"{shown(request.method)} was refused: {decision.because}. {decision.remedy}.")
        allow = f"Allow: {', '.join(self.profile.methods)}\r\n"
        transaction.respond(decision.status_code, decision.reason_phrase, now, allow + self.lines(decision))

    def lines(self, decision: Decision) -> str:
        """Header lines of a refusal: when to try again, and what was decided by which setting."""
        retry = f"Retry-After: {decision.retry_after}\r\n" if decision.retry_after is not None else ""
        return f"{retry}Warning: {decision.warning(self.name)}\r\n"

    # -- calls

    def _call_pstn(self, transaction: ServerTransaction, history: CallHistory, now: float) -> None:
        admission = history.admission
        assert admission.connector
        region = admission.connector.aws_region
        way = self.carrier.next_hop(admission.called, region)
        history.peers = {str(transaction.hop): "PBX", str(way.hop): "PSTN"}
        for sentence in location_notes(transaction.request, self.profile):
            history.note(now, sentence)
        placing = ToPstn(admission.caller, admission.called, way)
        media_address = self.media_addresses[transaction.hop.local.name]
        self.start_call(transaction, history, placing, admission.called, media_address, now)

    def start_call(
        self,
        transaction: ServerTransaction,
        history: CallHistory,
        placing: Placing,
        called: str,
        media_address: str,
        now: float,
    ) -> None:
        """Begin an admitted call; `media_address` is the relay's address for its caller."""
        assert history.admission.connector
        self._last_key += 1
        history.started = started = self._started(history, history.admission.connector, now)
        history.keeping = self.keeping
        call = self._calls[self._last_key] = Call(self, self._last_key, started, history, placing)
        self.history.live[history.aws_transaction_id] = history
        self.events.append(started)
        call.protect_media(history.admission.connector)
        call.start(transaction, called, media_address, now)

    def _started(self, history: CallHistory, connector: VoiceConnector, now: float) -> CallStarted:
        admission, attempt = history.admission, history.attempt
        return CallStarted(
            history.aws_transaction_id,
            history.call_id,
            connector.voice_connector_id,
            connector.aws_region,
            history.roles.direction,
            admission.caller or shown(attempt.from_user),
            admission.called or shown(attempt.called_user),
            admission.sip_auth_user,
            now + self.epoch,
        )

    def call_ended(self, call: Call, ended: CallEnded) -> None:
        """A call is over: what it held is free, and its record is owed."""
        del self._calls[call.key]
        self.admission.release(call.history.admission)
        self.history.end(call.history)
        if call.history.plan:
            call.history.counting = True
            self._awaiting_counters[call.key] = call.history
        self.events.append(ended)

    def keep(self, aws_transaction_id: str, what: What, enabled: bool, now: float) -> bool:
        """Keep something of a live call's media from now on, or no longer; False where it is not live."""
        for call in self._calls.values():
            if call.history.aws_transaction_id == aws_transaction_id:
                call.media.keep(call.history.keeping.changed(what, enabled))
                call.history.note(now, f"From here on, {NAMES[what]} are {'kept' if enabled else 'not kept any more'}.")
                return True
        return False

    @property
    def active_calls(self) -> int:
        return len(self._calls)

    @property
    def limits(self) -> Limits:
        """What admission counts: calls at a time, and those that were throttled."""
        return self.admission.limits

    def call(self, key: int) -> Call | None:
        """A live call, by what the relay knows it by."""
        return self._calls.get(key)

    def key_of(self, history: CallHistory) -> int | None:
        """What the relay knows a call by; None for one that is over."""
        return next((key for key, call in self._calls.items() if call.history is history), None)

    def history_of(self, key: int, *, forget: bool) -> CallHistory | None:
        """The history that the relay's counters of a call belong to; the final ones come after its end."""
        call = self._calls.get(key)
        if call:
            return call.history
        return self._awaiting_counters.pop(key, None) if forget else self._awaiting_counters.get(key)

    def forget_counters(self) -> None:
        """The relay's counters of calls that are over will not come any more."""
        for history in self._awaiting_counters.values():
            history.counting = False
        self._awaiting_counters.clear()

    def compact(self, now: float) -> None:
        """Let what calls have left behind take as little memory as it can, once a burst of them is over.

        Takes a tenth of a millisecond for each call that is remembered, and asks that nothing goes on.
        """
        forget()
        if self.history.added >= BURST and not (self.stack.open_transactions or self._awaiting_counters):
            self.history.added = 0
            self.limits.forget_starts(now)
            compact([*self.history.over, self._digest.used])

    def close(self, now: float) -> None:
        """Take no new calls, and end those there are."""
        self.closing = True
        for call in list(self._calls.values()):
            call.hang_up(now, "the emulator is shutting down")

    def fail(self, now: float) -> None:
        """A fault of ours: end the call it happened in, and answer the request with 500."""
        stack = self.stack
        in_hand = stack.in_hand or stack.timers.in_hand
        stack.in_hand = stack.timers.in_hand = None
        if isinstance(in_hand, Transaction | Session | Call | Hunt):
            for call in list(self._calls.values()):
                if call.log is in_hand.log:
                    call.hang_up(now, "internal error of the emulator", cause=500)
        if isinstance(in_hand, ServerTransaction):
            in_hand.respond(500, "Server Internal Error", now)


class _RequestAuthenticator:
    """Looks at the digest answer of one request."""

    __slots__ = ("_digest", "_now", "_request")

    def __init__(self, digest: DigestServer, request: Request, now: float) -> None:
        self._digest = digest
        self._request = request
        self._now = now

    def verify(self, credentials: Mapping[str, str], realm: str, /) -> Authentication:
        request = self._request
        values = request.headers.get("proxy-authorization") or request.headers.get("authorization") or ()
        try:
            given = credentials_for(values, realm)
        except ParseError:
            return Authentication("wrong")
        verification = self._digest.verify(given, "INVITE", credentials.get, realm, request.uri, self._now)
        return Authentication(_AUTHENTICATION[verification.verdict], given.username if given else "")


def _user_of(name_address: str) -> str:
    """The user part of a SIP URI, the number of a tel URI (RFC 3966); the whole URI of any other."""
    uri = uri_of(name_address)
    try:
        return SipUri.parse(uri, "From").user
    except ParseError:
        return uri[4:] if uri[:4].lower() == "tel:" else uri


def _asserted_user(request: Request) -> str:
    """The user of the first P-Asserted-Identity (RFC 3325 9.1: a sip and a tel URI may stand there)."""
    try:
        return _user_of(request.values("p-asserted-identity")[0])
    except ParseError:
        return ""

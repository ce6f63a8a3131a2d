"""Calls that come from the PSTN: the requests at the carrier's side of the trunk, on one page.

INVITE  -> can it be understood? -> whose number is it? -> who of them can take it? -> a refusal, or a call
OPTIONS -> 200
what else a call knows, outside of one -> 481; any other method -> 405 or 501
"""

from typing import TYPE_CHECKING

from voiceconnector.sip.grammar import ParseError
from voiceconnector.sip.headers import uri_of
from voiceconnector.sip.message import Request
from voiceconnector.sip.transaction import ServerTransaction
from voiceconnector.sip.uri import SipUri
from voiceconnector.trunk import routing
from voiceconnector.trunk.admission import refuse_method
from voiceconnector.trunk.attempts import Admission, CallAttempt
from voiceconnector.trunk.decisions import Decision, Outcome
from voiceconnector.trunk.model import VoiceConnector
from voiceconnector.trunk.numbers import e164

from .history import CallHistory
from .inspection import obstacle_to_call
from .origination import Hunt, Origination
from .refusals import SHUTTING_DOWN
from .roles import INBOUND

if TYPE_CHECKING:
    from .switch import Switch

ANONYMOUS = "anonymous"
"""Who calls without a number (RFC 3323 4.1.1.3)."""


class CarrierSide:
    """Takes requests from the PSTN."""

    def __init__(self, switch: "Switch", origination: Origination) -> None:
        self._switch = switch
        self._origination = origination

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """A request that belongs to no dialog."""
        switch, method = self._switch, request.method
        if method == "INVITE":
            self._receive_invite(transaction, request, now)
            return
        allow = f"Allow: {', '.join(switch.profile.methods)}\r\n"
        if method == "OPTIONS":
            transaction.respond(200, "OK", now, allow)
        elif (decision := refuse_method(method, switch.profile)) is not None:
            code = decision.status_code
            warning = f'Warning: 399 {switch.name} "here the PSTN calls numbers of the trunk, with INVITE"\r\n'
            transaction.respond(code, "Method Not Allowed" if code == 405 else "Not Implemented", now, allow + warning)
        else:
            transaction.respond(481, "Call/Transaction Does Not Exist", now)

    def _receive_invite(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        switch = self._switch
        found = obstacle_to_call(request)
        if found:
            self._refuse(transaction, request, _refused(found.decision), now, found.lines)
            return
        if switch.closing:
            self._refuse(transaction, request, _refused(SHUTTING_DOWN), now)
            return
        snapshot, profile = switch.snapshot(), switch.profile
        user = request.request_uri.user
        called, caller = e164(user), caller_of(request)
        connectors = snapshot.inbound(called)
        if not connectors:
            decision = routing.unassigned(user, snapshot, profile)
            self._refuse(transaction, request, _refused(decision, None, called, caller), now)
            return
        passed_over: list[Decision] = []
        for index, connector in enumerate(connectors):
            obstacle = routing.obstacle(connector, self._origination.region_available, profile)
            admission = (
                _refused(obstacle, connector, called, caller)
                if obstacle
                else switch.admission.admit_inbound(connector, called, caller)
            )
            if admission.decision.outcome is Outcome.ADMIT:
                self._start_call(transaction, request, admission, connectors[index:], passed_over, now)
                return
            passed_over.append(admission.decision)
        self._refuse(transaction, request, admission, now, passed_over=passed_over[:-1])

    def _start_call(
        self,
        transaction: ServerTransaction,
        request: Request,
        admission: Admission,
        connectors: tuple[VoiceConnector, ...],
        passed_over: list[Decision],
        now: float,
    ) -> None:
        switch, (connector, *others) = self._switch, connectors
        history = self._history(transaction, request, admission, passed_over, now)
        history.call_id = switch.ids.token()
        history.peers = {str(transaction.hop): "PSTN"}
        hunt = Hunt(switch, self._origination, connector, tuple(others), admission.caller, admission.called)
        media_address = switch.carrier.media_address(connector.aws_region)
        switch.start_call(transaction, history, hunt, admission.called, media_address, now)

    def _refuse(
        self,
        transaction: ServerTransaction,
        request: Request,
        admission: Admission,
        now: float,
        lines: str = "",
        passed_over: list[Decision] | None = None,
    ) -> None:
        history = self._history(transaction, request, admission, passed_over or [], now)
        self._switch.refuse(transaction, request, history, now, lines)

    def _history(
        self,
        transaction: ServerTransaction,
        request: Request,
        admission: Admission,
        passed_over: list[Decision],
        now: float,
    ) -> CallHistory:
        hop, switch = transaction.hop, self._switch
        uri = request.request_uri
        attempt = CallAttempt(
            uri.host.strip("[]"),
            hop.local.transport,  # type: ignore[arg-type]  # Local's transports are these three
            hop.address[0],
            admission.connector.aws_region if admission.connector else "",
            uri.user,
            caller_of(request),
        )
        identity = switch.ids.aws_transaction_id()
        history = CallHistory(identity, request.call_id, attempt, admission, transaction.log, now, roles=INBOUND)
        history.pstn_call_id = request.call_id
        for decision in passed_over:
            history.note(now, f"A connector of the group is passed over: {decision.because}.")
        return history


def _refused(
    decision: Decision, connector: VoiceConnector | None = None, called: str = "", caller: str = ""
) -> Admission:
    return Admission(decision, connector, None, called, caller, past_source_checks=True)


def caller_of(request: Request) -> str:
    """Who calls: an E.164 number, or another user part as it stands in From; "anonymous" where there is none."""
    try:
        user = SipUri.parse(uri_of(request.headers["from"][0]), "From").user
    except ParseError:
        user = uri_of(request.headers["from"][0]).removeprefix("tel:")
        return e164(user) or ANONYMOUS
    return e164(user) or user or ANONYMOUS

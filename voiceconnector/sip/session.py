"""One side of a call: the INVITE usage of a dialog, as caller or as callee.

RFC 3261 sections 9 (CANCEL), 13 (INVITE), 14 (re-INVITE) and 15 (BYE). A session keeps the rules of its dialog
by itself (order, glare, repeated 2xx and ACK, CANCEL crossing 200, BYE only after the ACK) and tells its user
what the call has come to. Bodies are carried as bytes; what they describe is the user's affair.

Session timers (RFC 4028) are agreed on with whoever asks for one, refreshed where that is our part, and a session
that nobody refreshes is ended with BYE: see `session_expiry`.
"""

from typing import NamedTuple, Protocol

from .dialog import Dialog
from .grammar import ParseError
from .hop import Hop, is_ip_address
from .message import Request, Response
from .session_expiry import SessionExpiry
from .session_timer import SHORTEST
from .stack import SipStack
from .timers import T1, T2, Timer
from .transaction import PROCEEDING, ClientTransaction, LogEntry, ServerTransaction, cancel_of
from .uri import SipUri

EARLY, CONFIRMED, ENDED = "early", "confirmed", "ended"


class SessionUser(Protocol):
    """Who makes or takes the call."""

    def on_progress(self, session: "Session", response: Response, now: float) -> None:
        """Caller: a 1xx above 100."""

    def on_answer(self, session: "Session", response: Response, now: float) -> None:
        """Caller: the 2xx. The user calls `acknowledge`, now or once it has the answer to an offer in it."""

    def on_failure(self, session: "Session", status_code: int, reason: str, now: float) -> None:
        """Caller: a 3xx-6xx, or none in time (408, 503). The session is over."""

    def on_ack(self, session: "Session", request: Request, now: float) -> None:
        """Callee of an INVITE or re-INVITE: the ACK of its 2xx."""

    def on_cancel(self, session: "Session", request: Request, now: float) -> None:
        """Callee: cancelled before the answer, 487 is sent. The session is over, unless it was a re-INVITE."""

    def on_request(self, session: "Session", transaction: ServerTransaction, request: Request, now: float) -> None:
        """Any other request in the dialog: re-INVITE, UPDATE, INFO, OPTIONS … The user answers it."""

    def on_reply(self, session: "Session", transaction: ClientTransaction, response: Response, now: float) -> None:
        """The answer, provisional or final, to a request made with `send`. A 2xx to a re-INVITE wants `acknowledge`."""

    def on_no_reply(
        self, session: "Session", transaction: ClientTransaction, status_code: int, why: str, now: float
    ) -> None:
        """A request made with `send` got no answer: 408 or 503. `on_lost` follows where that ends the dialog."""

    def on_bye(self, session: "Session", request: Request, now: float) -> None:
        """The peer hung up; 200 is sent. The session is over."""

    def on_lost(self, session: "Session", why: str, now: float) -> None:
        """The dialog cannot go on (no ACK, dialog unknown to the peer, …). The session is over, BYE is sent."""


class Edge(NamedTuple):
    """A proxy in front of the caller that the same stack plays: what the callee sees of it in an INVITE."""

    inner_via: str
    """The Via of the caller behind it, as the proxy completes it (18.2.1, RFC 3581)."""
    route: str
    """The URI of its Record-Route (16.6)."""


class _Nobody:
    """Who sends requests without caring how they are answered."""

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None: ...
    def on_client_failure(self, transaction: ClientTransaction, status: int, why: str, now: float) -> None: ...


class Session:
    """A call as one side sees it."""

    __slots__ = (
        "_ack", "_acked_cseq", "_awaiting_ack", "_bye_reason", "_cancel_reason", "_client_invite", "_contact",
        "_dialog_lines", "_expiry", "_give_up", "_offered", "_repeat", "_repeat_interval", "_server_invite", "body",
        "dialog", "hop", "log", "min_se", "refusal", "session_interval", "stack", "state", "user",
    )  # fmt: skip

    def __init__(
        self, stack: SipStack, dialog: Dialog, contact: str, hop: Hop, user: SessionUser, log: list[LogEntry]
    ) -> None:
        self.stack = stack
        self.dialog = dialog
        self.hop = hop
        """Where requests to the peer go."""
        self.user: SessionUser | None = user
        self.log = log
        self.state = EARLY
        self._contact = contact
        self._dialog_lines = ""
        self._server_invite: ServerTransaction | None = None
        """An INVITE of the peer's without final answer or without ACK."""
        self._client_invite: ClientTransaction | None = None
        """An INVITE of ours without final answer."""
        self._awaiting_ack = False
        self._ack: tuple[int, bytes, Hop] | None = None
        self._acked_cseq = 0
        """CSeq of our last INVITE that had a 2xx."""
        self._cancel_reason: str | None = None
        self._bye_reason: str | None = None
        self._repeat: Timer | None = None
        self._repeat_interval = T1
        self._give_up: Timer | None = None
        self.min_se = SHORTEST
        """Shortest session interval accepted, in seconds (RFC 4028 5)."""
        self.session_interval: int | None = None
        """Session interval, in seconds, given to a peer that supports session timers and asks for none."""
        self.refusal: Response | None = None
        """Caller: the 3xx-6xx to the INVITE; None where there was none in time."""
        self.body = b""
        """The description of ours that is in force, which a refresh repeats."""
        self._offered = b""
        """The description in a re-INVITE or UPDATE of ours, in force once that is accepted."""
        self._expiry: SessionExpiry | None = None
        stack.dialogs[dialog.local_tag] = self

    # -- the callee's side

    @classmethod
    def incoming(cls, stack: SipStack, transaction: ServerTransaction, contact: str, user: SessionUser) -> "Session":
        """Take an INVITE; the caller of this answers it with `progress`, `accept` or `refuse`."""
        request = transaction.request
        transaction.tag = transaction.tag or stack.ids.token()
        dialog = Dialog.of_callee(request, transaction.tag)
        session = cls(stack, dialog, contact, transaction.hop, user, transaction.log)
        if "contact" in request.headers or dialog.route_set:
            session.hop = session._hop_of(dialog)
        record_route = "".join(f"Record-Route: {value}\r\n" for value in request.headers.get("record-route", ()))
        session._dialog_lines = f"{record_route}Contact: <{contact}>\r\n"
        session._server_invite = transaction
        transaction.user = session
        return session

    def answer(
        self,
        transaction: ServerTransaction,
        status_code: int,
        reason: str,
        now: float,
        headers: str = "",
        body: bytes = b"",
    ) -> None:
        """Answer a request in the dialog that is no INVITE."""
        if transaction.method == "UPDATE" and 200 <= status_code < 300:
            self.body = body or self.body
            timer = self._expiry.agree(now) if self._expiry else ""
            headers = f"Contact: <{self._contact}>\r\n{timer}{headers}"
        transaction.respond(status_code, reason, now, headers, body)

    def progress(self, status_code: int, reason: str, now: float, headers: str = "", body: bytes = b"") -> None:
        """Send a provisional response above 100."""
        if self._server_invite and not self._awaiting_ack:
            self.body = body or self.body
            self._server_invite.respond(status_code, reason, now, self._dialog_lines + headers, body)

    def accept(self, now: float, headers: str = "", body: bytes = b"") -> None:
        """Answer an INVITE or re-INVITE with 200, and repeat that until the ACK is there (13.3.1.4)."""
        transaction = self._server_invite
        if transaction is None or self._awaiting_ack:
            return
        self.state = CONFIRMED
        self._awaiting_ack = True
        self.body = body or self.body
        lines = self._dialog_lines + headers
        if self._expiry:
            lines += self._expiry.agree(now)
        transaction.respond(200, "OK", now, lines, body)
        self._repeat_interval = T1
        self._repeat = self.stack.timers.start(T1, self, "repeat 2xx", now)
        self._give_up = self.stack.timers.start(64 * T1, self, "no ACK", now)

    def refuse(self, status_code: int, reason: str, now: float, headers: str = "") -> None:
        """Answer an INVITE or re-INVITE with 3xx-6xx; for the first INVITE the session is then over."""
        transaction = self._server_invite
        if transaction is None or self._awaiting_ack:
            return
        self._server_invite = None
        transaction.respond(status_code, reason, now, headers)
        if self.state == EARLY:
            self._end(now)

    # -- the caller's side

    @classmethod
    def outgoing(
        cls,
        stack: SipStack,
        hop: Hop,
        uri: str,
        caller: str,
        called: str,
        contact: str,
        headers: str,
        body: bytes,
        user: SessionUser,
        log: list[LogEntry],
        now: float,
        call_id: str = "",
        local_tag: str = "",
        cseq: int = 1,
        edge: Edge | None = None,
    ) -> "Session":
        """Send an INVITE. `caller` and `called` are From and To without tags; `headers` whole lines."""
        ids = stack.ids
        dialog = Dialog(call_id or ids.token(), caller, local_tag or ids.token(), called, "")
        dialog.local_cseq = cseq
        dialog.remote_target = uri
        session = cls(stack, dialog, contact, hop, user, log)
        session.body = body
        lines = (
            f"From: {caller};tag={dialog.local_tag}\r\nTo: {called}\r\nCall-ID: {dialog.call_id}\r\n"
            f"CSeq: {cseq} INVITE\r\nContact: <{contact}>\r\n{headers}"
        )
        inner_via = ""
        if edge:
            inner_via, dialog.own_route = edge
            lines = f"Record-Route: <{edge.route}>\r\n{lines}"
        session._client_invite = stack.request("INVITE", uri, lines, body, hop, session, log, now, inner_via)
        return session

    def cancel(self, now: float, reason: str = "") -> None:
        """Give up an INVITE that is not answered yet; `reason` is a Reason header's value (RFC 3326).

        Waits for a first 1xx (9.1). An answer that crosses is acknowledged and ended with BYE. The user
        hears no more of this session.
        """
        invite = self._client_invite
        if invite is None or self._cancel_reason is not None:
            return
        self.user = None
        self._cancel_reason = reason
        if invite.state == PROCEEDING:
            self._send_cancel(invite, now)

    def withdraw(self, now: float) -> None:
        """Cancel a re-INVITE (14.1), if the peer has begun to work on it. Its answer comes as ever."""
        invite = self._client_invite
        if invite is not None and invite.state == PROCEEDING:
            self.stack.cancel(invite, cancel_of(invite.data), _Nobody(), now)

    def _send_cancel(self, invite: ClientTransaction, now: float) -> None:
        reason = f"Reason: {self._cancel_reason}\r\n" if self._cancel_reason else ""
        self.stack.cancel(invite, cancel_of(invite.data, reason), _Nobody(), now)
        self._give_up = self.stack.timers.start(64 * T1, self, "no final response", now)

    def acknowledge(self, now: float, body: bytes = b"", content_type: str = "application/sdp") -> None:
        """Send the ACK of the last 2xx, for an INVITE or re-INVITE (13.2.2.4)."""
        uri, head = self.dialog.request_head("ACK", self._acked_cseq)
        self.body = body or self.body
        typed = f"Content-Type: {content_type}\r\n" if body else ""
        data = self.stack.send_ack(uri, head + typed, body, self.hop, self.log, now)
        self._ack = (self._acked_cseq, data, self.hop)

    # -- both sides

    def send(self, method: str, now: float, headers: str = "", body: bytes = b"") -> ClientTransaction:
        """Send a request in the dialog; the user gets `on_reply` or `on_no_reply`."""
        dialog = self.dialog
        dialog.local_cseq += 1
        uri, head = dialog.request_head(method, dialog.local_cseq)
        if method in ("INVITE", "UPDATE"):
            self._offered = body
            head += f"Contact: <{self._contact}>\r\n{self._expiry.ask() if self._expiry else ''}"
        transaction = self.stack.request(method, uri, head + headers, body, self.hop, self, self.log, now)
        if method == "INVITE":
            self._client_invite = transaction
        return transaction

    def hang_up(self, now: float, reason: str = "") -> None:
        """End the session in whatever state it is; the user hears no more of it.

        `reason` is a Reason header's value. As callee before the answer it refuses with 480.
        """
        self.user = None
        if self.state == ENDED:
            return
        if self.state == CONFIRMED:
            self._end_with_bye(reason, now)
        elif self._server_invite:
            self.refuse(480, "Temporarily Unavailable", now, f"Reason: {reason}\r\n" if reason else "")
        else:
            self.cancel(now, reason)

    def _end_with_bye(self, reason: str, now: float) -> None:
        if self._awaiting_ack:
            self._bye_reason = reason  # 15: no BYE before the ACK, or the end of waiting for it.
        else:
            self._send_bye(reason, now)

    def _send_bye(self, reason: str, now: float) -> None:
        if self._acked_cseq and (self._ack is None or self._ack[0] != self._acked_cseq):
            self.acknowledge(now)  # A 2xx whose offer nobody will answer any more.
        self.state = ENDED
        self._refuse_unanswered(now)
        self.send("BYE", now, f"Reason: {reason}\r\n" if reason else "")

    @property
    def heard_of(self) -> bool:
        """Caller: whether the INVITE has had any answer, 100 Trying included."""
        return self._client_invite is None or self._client_invite.state == PROCEEDING

    @property
    def busy(self) -> bool:
        """Whether an INVITE of either side is under way, so that another would be glare (14.1, 14.2)."""
        return self._client_invite is not None or self._server_invite is not None

    # -- from the stack: requests

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        if request.method == "BYE":
            self._receive_bye(transaction, request, now)
        elif self.state == ENDED or self.user is None:
            transaction.respond(481, "Call/Transaction Does Not Exist", now)
        elif not self.dialog.in_order(request):
            transaction.respond(500, "Server Internal Error: CSeq out of order", now)
        elif request.method in ("INVITE", "UPDATE") and (refusal := self.propose_timer(request)):
            transaction.respond(*refusal[:2], now, refusal[2])
        elif request.method == "INVITE":
            self._receive_reinvite(transaction, request, now)
        else:
            if request.method == "UPDATE":
                self._refresh_target(request)
            self.user.on_request(self, transaction, request, now)

    def _receive_reinvite(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        assert self.user
        if self._client_invite is not None:
            transaction.respond(491, "Request Pending", now)
        elif self._server_invite is not None:
            retry = f"Retry-After: {self.stack.ids.number(32) % 11}\r\n"  # 14.2: 0 to 10 s, at random
            transaction.respond(500, "Server Internal Error: another INVITE is not finished", now, retry)
        else:
            self._refresh_target(request)
            self._server_invite = transaction
            transaction.user = self
            self.user.on_request(self, transaction, request, now)

    def _receive_bye(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        self.dialog.in_order(request)
        transaction.respond(200, "OK", now)
        user = self.user
        self._end(now)
        if user:
            user.on_bye(self, request, now)

    def on_ack(self, request: Request, now: float) -> None:
        transaction = self._server_invite
        if transaction is None or not self._awaiting_ack or transaction.cseq != request.cseq:
            return
        self._stop_waiting_for_ack()
        if self._bye_reason is not None:
            self._send_bye(self._bye_reason, now)
        elif self.user:
            self.user.on_ack(self, request, now)

    def on_cancel(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        if transaction is not self._server_invite or self._awaiting_ack:
            return  # Crossed our final answer: 9.2, no effect.
        user = self.user
        self.refuse(487, "Request Terminated", now)
        if user:
            user.on_cancel(self, request, now)

    def on_server_failure(self, transaction: ServerTransaction, why: str, now: float) -> None:
        if transaction is self._server_invite and not self._awaiting_ack:
            self.lose(why, now)

    # -- from the stack: responses

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if transaction.method == "INVITE" and 200 <= response.status_code < 300:
            self._receive_2xx(transaction, response, now)
        elif transaction is self._client_invite and self.state == EARLY:
            self._receive_early(transaction, response, now)
        else:
            self._receive_reply(transaction, response, now)

    def _receive_early(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if response.status_code >= 300:
            user = self.user
            self._client_invite = None
            self.refusal = response
            self._end(now)
            if user:
                user.on_failure(self, response.status_code, response.reason_phrase, now)
            return
        if self._cancel_reason is not None:
            if self._give_up is None:
                self._send_cancel(transaction, now)
            return
        if response.status_code > 100:
            if response.to_tag and not self.dialog.remote_tag:
                self.dialog.establish(response)
                self.hop = self._hop_of(self.dialog)
            if self.user:
                self.user.on_progress(self, response, now)

    def _receive_2xx(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        dialog = self.dialog
        if transaction is not self._client_invite:
            self._receive_another_2xx(response, now)
            return
        self._client_invite = None
        self._acked_cseq = response.cseq
        first = self.state == EARLY
        if first:
            dialog.establish(response)
            self.state = CONFIRMED
        else:
            dialog.refresh_target(response)
            self.body = self._offered or self.body
        self.hop = self._hop_of(dialog)
        refresh = self._take_timer(transaction, response, now)
        if refresh:
            self.acknowledge(now)
        elif self._cancel_reason is not None:
            self.acknowledge(now)
            self._send_bye(self._cancel_reason, now)
        elif self.user is None:
            self.acknowledge(now)  # The dialog ended while a re-INVITE was under way.
        elif first:
            self.user.on_answer(self, response, now)
        else:
            self.user.on_reply(self, transaction, response, now)

    def _receive_another_2xx(self, response: Response, now: float) -> None:
        """A 2xx after the first: the same again (our ACK was lost), or another fork's (13.2.2.4)."""
        if response.to_tag == self.dialog.remote_tag:
            if self._ack and self._ack[0] == response.cseq:
                self.stack.send(self._ack[2], self._ack[1], self.log, now)
            return
        fork = Dialog(response.call_id, self.dialog.local, self.dialog.local_tag, "", "")
        fork.own_route = self.dialog.own_route
        fork.establish(response)
        hop = self._hop_of(fork)
        uri, head = fork.request_head("ACK", response.cseq)
        self.stack.send_ack(uri, head, b"", hop, self.log, now)
        uri, head = fork.request_head("BYE", response.cseq + 1)
        reason = 'Reason: SIP;cause=487;text="another branch answered first"\r\n'
        self.stack.request("BYE", uri, head + reason, b"", hop, _Nobody(), self.log, now)

    def _receive_reply(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        final = response.status_code >= 200
        if final and transaction is self._client_invite:
            self._client_invite = None
        if transaction.method == "BYE":
            if final:
                self._end(now)
            return
        refresh = self._take_timer(transaction, response, now)
        if transaction.method == "UPDATE" and 200 <= response.status_code < 300:
            self._refresh_target(response)
            self.body = self._offered or self.body
        if self.user and not refresh:
            self.user.on_reply(self, transaction, response, now)
        if response.status_code in (408, 481):  # 12.2.1.2
            self.lose(f"the peer answered {transaction.method} with {response.status_code}", now)

    def on_client_failure(self, transaction: ClientTransaction, status: int, why: str, now: float) -> None:
        if transaction.method == "BYE":
            self._end(now)
            return
        if transaction.method == "INVITE":
            if transaction is not self._client_invite:
                return  # It has its final response; what could not be sent is the ACK of a refusal.
            self._client_invite = None
            if self.state == EARLY:
                user = self.user
                self._end(now)
                if user:
                    user.on_failure(self, status, why, now)
                return
        if self.user and not (self._expiry and self._expiry.is_refresh(transaction)):
            self.user.on_no_reply(self, transaction, status, why, now)
        self.lose(f"{transaction.method}: {why}", now)

    # -- timers

    def on_timer(self, name: str, now: float) -> None:
        self.stack.in_hand = self
        if name == "repeat 2xx":
            assert self._server_invite
            self._server_invite.repeat_answer(now)
            self._repeat_interval = min(self._repeat_interval * 2, T2)
            self._repeat = self.stack.timers.start(self._repeat_interval, self, name, now)
        elif name == "no ACK":
            self._stop_waiting_for_ack()
            self.lose(f"no ACK for the 200 within {64 * T1:.0f} s", now)
        elif name == "no final response" and self._client_invite:
            self._client_invite.abandon()
            self._client_invite = None
            self._end(now)

    def _stop_waiting_for_ack(self) -> None:
        assert self._server_invite
        self._server_invite.let_go()
        self._server_invite = None
        self._awaiting_ack = False
        for timer in (self._repeat, self._give_up):
            if timer:
                timer.stop()

    # -- session timers

    def propose_timer(self, request: Request) -> tuple[int, str, str] | None:
        """Read what an INVITE or UPDATE asks of the session timer: status, reason and lines to refuse it, or None."""
        if self._expiry is None:
            wanted = self.session_interval is not None and "supported" in request.headers
            if "session-expires" not in request.headers and not wanted:
                return None
            self._expiry = SessionExpiry(self)
        return self._expiry.propose(request)

    def _take_timer(self, transaction: ClientTransaction, response: Response, now: float) -> bool:
        """Take what a response says of the session timer; whether it answers a refresh."""
        if self._expiry is None:
            if "session-expires" not in response.headers or self.state != CONFIRMED:
                return False
            self._expiry = SessionExpiry(self)
        expiry = self._expiry
        refresh = expiry.is_refresh(transaction)
        if self.state == CONFIRMED and response.status_code >= 200:
            if response.status_code < 300 and response.method in ("INVITE", "UPDATE"):
                expiry.take(response, now)
            if refresh:
                expiry.refreshed(response, now)
        return refresh

    # -- ends

    def lose(self, why: str, now: float) -> None:
        """End a session that cannot go on, and tell its user."""
        if self.state == ENDED:
            return
        user = self.user
        if self.state == CONFIRMED:
            self._end_with_bye(f'SIP;cause=408;text="{why}"' if self._bye_reason is None else self._bye_reason, now)
        else:
            self._end(now)
        self.user = None
        if user:
            user.on_lost(self, why, now)

    def _end(self, now: float) -> None:
        """The dialog is over. What is still under way ends by itself, in 64*T1 at most."""
        self.state = ENDED
        self.user = None
        self.body = self._offered = b""
        self._dialog_lines = ""
        if self._awaiting_ack:
            self._stop_waiting_for_ack()
        self._refuse_unanswered(now)
        if self._give_up:
            self._give_up.stop()
        if self._client_invite:
            self._give_up = self.stack.timers.start(64 * T1, self, "no final response", now)
        if self._expiry:
            self._expiry.stop()
            self._expiry = None  # It knows the session: two that know each other wait for the garbage collector.
        self.stack.dialogs.pop(self.dialog.local_tag, None)

    def _refuse_unanswered(self, now: float) -> None:
        """15.1.2: an INVITE of the peer's still gets its final response when the dialog ends."""
        if self._server_invite and not self._awaiting_ack:
            self._server_invite.respond(487, "Request Terminated", now)
            self._server_invite = None

    def _refresh_target(self, message: Request | Response) -> None:
        self.dialog.refresh_target(message)
        self.hop = self._hop_of(self.dialog)

    def _hop_of(self, dialog: Dialog) -> Hop:
        """Where the requests of a dialog go: its route set or remote target, 12.2.1.1, RFC 3263 for IP addresses.

        A host name is not looked up: such a peer is reached where its messages come from.
        """
        try:
            uri = SipUri.parse(dialog.next_uri())
        except ParseError:
            return self.hop
        host, port = uri.address
        if not is_ip_address(host):
            return self.hop
        local = self.hop.local
        if local.transport == "TLS":  # What has begun in secret goes on in secret, whatever a Contact says.
            return Hop(local, self.hop.address, (host, uri.port or 5061), self.hop.server_name)
        if uri.scheme == "sips" or (uri.parameters and uri.parameter("transport") is not None):
            local = self.stack.locals.get((local.name, uri.transport), local)
        if local.reliable and local == self.hop.local:
            return Hop(local, self.hop.address, (host, port))  # The connection there is, if it lives.
        return Hop(local, (host, port))

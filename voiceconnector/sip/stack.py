"""Matching, dispatch and the outbox: what stands between the wire and the transaction user.

Bytes and the time go in through `receive`, due timers through `fire`; what is to be sent collects in
`outbox`. Nothing here touches a socket. RFC 3261 sections 8.1.3, 8.2, 9.2, 12.2.2, 17 and 18.
"""

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from .dialog import Dialog
from .grammar import ParseError, without_controls
from .hop import Hop, Local
from .ids import Ids
from .message import MAGIC_COOKIE, BrokenRequest, Request, Response, parse
from .timers import Timers
from .transaction import (
    ClientTransaction,
    ClientUser,
    InviteClientTransaction,
    InviteServerTransaction,
    LogEntry,
    NonInviteClientTransaction,
    NonInviteServerTransaction,
    ServerTransaction,
    Transaction,
    client_key,
    remember,
    reply_head,
    reply_hop,
    server_key,
)

LONGEST_REASON = 200
"""Characters of a reason phrase that quotes what is wrong with a message."""


class DialogOwner(Protocol):
    """Who takes the requests of one dialog: a `Session`."""

    dialog: Dialog
    log: list[LogEntry]

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None: ...
    def on_ack(self, request: Request, now: float) -> None: ...


class UserAgentCore(Protocol):
    """Who takes the requests that belong to no dialog."""

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None: ...

    def on_overload(self, request: Request, hop: Hop, now: float) -> tuple[int, str, str] | None:
        """Status, reason and header lines to refuse a new INVITE with before it costs anything; or None."""


class SipStack:
    """One SIP endpoint: its transactions, its dialogs, its timers and its outbox."""

    def __init__(self, core: UserAgentCore, ids: Ids) -> None:
        self.core = core
        self.ids = ids
        self.timers = Timers()
        self.locals: dict[tuple[str, str], Local] = {}
        """Our listeners by name and transport; where there are several, the first one, from which we send."""
        self.outbox: list[tuple[Hop, bytes]] = []
        self.dialogs: dict[str, DialogOwner] = {}
        """By local tag, which is ours and unique."""
        self.dropped: Counter[str] = Counter()
        """Messages that were ignored, by reason."""
        self.overloaded = False
        """Set by the edge while more comes in than can be worked off."""
        self.in_hand: Transaction | DialogOwner | None = None
        """What is being worked on, for whoever has to clean up after a fault of ours; its `log` tells the call."""
        self._clients: dict[tuple[str, ...], ClientTransaction] = {}
        self._servers: dict[tuple[str, ...], ServerTransaction] = {}
        self._merged: dict[tuple[str, str, int, str], ServerTransaction] = {}

    def add_local(self, local: Local) -> None:
        self.locals.setdefault((local.name, local.transport), local)

    def receive(self, data: bytes, source: Hop, now: float) -> None:
        """Take one message. Never raises for what a peer can send."""
        self.in_hand = None
        try:
            message = parse(data)
            if type(message) is Request:
                self._receive_request(message, source, now)
            else:
                assert isinstance(message, Response)
                self._receive_response(message, source, now)
        except BrokenRequest as broken:
            self._refuse_broken(broken.request, broken, source)
        except ParseError as error:
            self.dropped[f"{error.where}: {error.source}"] += 1
        self.in_hand = None

    def fire(self, now: float) -> None:
        """Let the timers that are due do their work."""
        self.in_hand = None
        self.timers.fire(now)
        self.in_hand = None

    def refuse_stream(self, head: bytes, status_code: int, why: str, source: Hop) -> None:
        """A stream cannot be framed any further: answer the message it broke in, where that is possible."""
        try:
            message = parse(head)
        except BrokenRequest as broken:
            message = broken.request
        except ParseError as error:
            self.dropped[f"{error.where}: {error.source}"] += 1
            return
        if isinstance(message, Request):
            self._refuse_broken(message, ParseError(why, "stream", "RFC 3261 18.3", status_code), source)

    def request(
        self,
        method: str,
        uri: str,
        headers: str,
        body: bytes,
        hop: Hop,
        user: ClientUser,
        log: list[LogEntry],
        now: float,
        inner_via: str = "",
    ) -> ClientTransaction:
        """Send a request. `headers` are whole lines; Via and Content-Length come by themselves.

        `inner_via` is the Via of a hop behind ours that this stack plays too; answers come with both.
        """
        branch = f"{MAGIC_COOKIE}{self.ids.token()}"
        via = f"Via: SIP/2.0/{hop.local.transport} {hop.local.sent_by};branch={branch};rport\r\n"
        if inner_via:
            via += f"Via: {inner_via}\r\n"
        data = (f"{method} {uri} SIP/2.0\r\n{via}{headers}Content-Length: {len(body)}\r\n\r\n").encode(
            "latin-1", "replace"
        ) + body
        transaction = self._start_client(method, branch, data, hop, user, log, now)
        transaction.vias += bool(inner_via)
        return transaction

    def cancel(self, invite: ClientTransaction, data: bytes, user: ClientUser, now: float) -> None:
        """Send a CANCEL (`cancel_of`) with the INVITE's branch, to where that went: 9.1."""
        self._start_client("CANCEL", invite.key[0], data, invite.hop, user, invite.log, now)

    def _start_client(
        self,
        method: str,
        branch: str,
        data: bytes,
        hop: Hop,
        user: ClientUser,
        log: list[LogEntry],
        now: float,
    ) -> ClientTransaction:
        key = client_key(branch, method)
        machine = InviteClientTransaction if method == "INVITE" else NonInviteClientTransaction
        transaction = self._clients[key] = machine(self, key, hop, method, data, user, log)
        transaction.start(now)
        return transaction

    def send(self, hop: Hop, data: bytes, log: list[LogEntry], now: float) -> None:
        """Put bytes in the outbox, and in the log of what they belong to."""
        self.outbox.append((hop, data))
        remember(log, (now, hop, True, data))

    def send_ack(self, uri: str, headers: str, body: bytes, hop: Hop, log: list[LogEntry], now: float) -> bytes:
        """Send the ACK of a 2xx, which is a transaction of its own without answer (13.2.2.4); its bytes."""
        data = (
            f"ACK {uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/{hop.local.transport} {hop.local.sent_by};"
            f"branch={MAGIC_COOKIE}{self.ids.token()};rport\r\n"
            f"{headers}Content-Length: {len(body)}\r\n\r\n"
        ).encode("latin-1", "replace") + body
        self.send(hop, data, log, now)
        return data

    def forget(self, transaction: Transaction) -> None:
        """A transaction is over."""
        if isinstance(transaction, ServerTransaction):
            self._servers.pop(transaction.key, None)
            if transaction.merge_key:
                self._merged.pop(transaction.merge_key, None)
        else:
            self._clients.pop(transaction.key, None)

    def transactions(self) -> Iterator[Transaction]:
        """Every transaction that is not over."""
        return itertools.chain(self._clients.values(), self._servers.values())

    def transport_failed(self, hop: Hop, why: str, now: float) -> None:
        """A message could not be delivered, or a connection broke: tell the transactions that use it."""
        for transaction in [known for known in self.transactions() if known.hop[:2] == hop[:2]]:
            self.in_hand = transaction
            transaction.transport_error(why, now)
        self.in_hand = None

    def connection_reset(self, hop: Hop, why: str, now: float) -> None:
        """A peer broke off a connection: requests of ours that wait for an answer on it get none."""
        for transaction in [known for known in self._clients.values() if known.hop[:2] == hop[:2]]:
            self.in_hand = transaction
            transaction.reset(why, now)
        self.in_hand = None

    @property
    def open_transactions(self) -> int:
        return len(self._clients) + len(self._servers)

    def _receive_response(self, response: Response, source: Hop, now: float) -> None:
        transaction = self._clients.get(client_key(response.branch, response.method))
        if transaction is None:
            self.dropped["a response to nothing we sent: RFC 3261 18.1.2"] += 1
            return
        vias = response.headers["via"]
        if (len(vias) > 1 or "," in vias[0]) and len(response.values("via")) > transaction.vias:
            self.dropped["a response with several Vias: RFC 3261 8.1.3.3"] += 1
            return
        remember(transaction.log, (now, source, False, response.raw))
        self.in_hand = transaction
        transaction.receive(response, now)

    def _receive_request(self, request: Request, source: Hop, now: float) -> None:
        method = request.method
        if method == "ACK":
            self._receive_ack(request, source, now)
            return
        key = server_key(request, method)
        known = self._servers.get(key)
        if known is not None:
            remember(known.log, (now, source, False, request.raw))
            self.in_hand = known
            known.repeat(now)
            return
        to_tag = request.to_tag
        if self.overloaded and method == "INVITE" and not to_tag:
            refusal = self.core.on_overload(request, source, now)
            if refusal:
                self._answer_statelessly(request, source, *refusal)
                return
        if not to_tag:
            try:
                request.validate()
            except ParseError as error:
                self._refuse_broken(request, error, source)
                return
        log: list[LogEntry] = [(now, source, False, request.raw)]
        machine = InviteServerTransaction if method == "INVITE" else NonInviteServerTransaction
        transaction = self._servers[key] = machine(self, key, reply_hop(request, source), request, log)
        self.in_hand = transaction
        try:
            self._dispatch(transaction, request, now)
        except ParseError as error:  # In what only the user of the transaction reads, such as Contact.
            self.dropped[f"{error.where}: {error.source}"] += 1
            transaction.respond(error.status_code, _reason_for(error), now)

    def _dispatch(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        if request.method == "CANCEL":
            self._receive_cancel(transaction, request, now)
        elif request.to_tag:
            self._receive_in_dialog(transaction, request, now)
        elif self._is_merged(transaction, request):
            transaction.respond(482, "Loop Detected: the same request came on another path", now)
        else:
            self.core.on_request(transaction, request, now)

    def _receive_in_dialog(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        owner = self.dialogs.get(request.to_tag)
        if owner is None or not owner.dialog.accepts(request):
            transaction.respond(481, "Call/Transaction Does Not Exist", now)
            if request.method == "INVITE":
                transaction.abandon()  # To repeat it until an ACK comes would make a weapon of a forged source.
            return
        remember(owner.log, transaction.log[0])
        transaction.log = owner.log
        owner.on_request(transaction, request, now)

    def _receive_ack(self, request: Request, source: Hop, now: float) -> None:
        transaction = self._servers.get(server_key(request, "INVITE"))
        if transaction is not None:
            remember(transaction.log, (now, source, False, request.raw))
            self.in_hand = transaction
            transaction.acknowledge(request, now)
            return
        owner = self.dialogs.get(request.to_tag)
        if owner is not None and owner.dialog.accepts(request):
            remember(owner.log, (now, source, False, request.raw))
            self.in_hand = owner
            owner.on_ack(request, now)
        else:
            self.dropped["an ACK to nothing we answered: RFC 3261 17.2"] += 1

    def _receive_cancel(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """9.2: the CANCEL is answered at once; what it does to the INVITE is the user's affair."""
        invite = self._servers.get(server_key(request, "INVITE"))
        if invite is None:
            transaction.respond(481, "Call/Transaction Does Not Exist", now)
            return
        remember(invite.log, transaction.log[0])
        transaction.log = invite.log
        transaction.tag = invite.tag = invite.tag or self.ids.token()
        transaction.respond(200, "OK", now)
        if invite.user:
            invite.user.on_cancel(invite, request, now)

    def _is_merged(self, transaction: ServerTransaction, request: Request) -> bool:
        """8.2.2.2: the same request, forked on its way, reached us twice."""
        key = (request.from_tag, request.call_id, request.cseq, request.method)
        if key in self._merged:
            return True
        self._merged[key] = transaction
        transaction.merge_key = key
        return False

    def _refuse_broken(self, request: Request, error: ParseError, source: Hop) -> None:
        self.dropped[f"{error.where}: {error.source}"] += 1
        if request.method == "ACK" or not request.headers.get("from") or not request.headers.get("to"):
            return
        self._answer_statelessly(request, source, error.status_code, _reason_for(error), "")

    def _answer_statelessly(
        self, request: Request, source: Hop, status_code: int, reason_phrase: str, headers: str
    ) -> None:
        """An answer that leaves nothing behind: 8.2.7. The To-tag is the same for each repetition."""
        try:
            hop, head = reply_hop(request, source), reply_head(request, source)
        except ParseError:
            hop, head = source, "".join(f"Via: {via}\r\n" for via in request.headers["via"])
            head += f"From: {request.headers['from'][0]}\r\nCall-ID: {request.call_id}\r\n"
            head += f"CSeq: {request.headers['cseq'][0]}\r\n"
        to = request.headers["to"][0]
        if not request.to_tag:
            to = f"{to};tag={hash((request.call_id, request.headers['via'][0])) & 0xFFFFFFFF:08x}"
        text = f"SIP/2.0 {status_code} {reason_phrase}\r\n{head}To: {to}\r\n{headers}Content-Length: 0\r\n\r\n"
        self.outbox.append((hop, text.encode("latin-1", "replace")))


def _reason_for(error: ParseError) -> str:
    """The reason phrase of a refusal: what is wrong where the code does not say it, on one line of bearable length."""
    reason = f"{error.reason_phrase}: {error.sentence}" if error.status_code == 400 else error.reason_phrase
    return without_controls(reason[:LONGEST_REASON])

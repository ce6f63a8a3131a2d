"""The four transaction machines of RFC 3261 section 17, with RFC 6026's Accepted state, as tables.

Every pair of state and event stands in `TABLES`, with the next state and what is done on the way; an event
that cannot happen in a state, or has no effect there, is spelled as such. The code below only carries out
the actions that a table names. Time comes in as `now`; sending and forgetting are the stack's.

Messages from the network:  1xx 2xx 3xx-6xx · request (first or again) · ACK
From the transaction user:  send 1xx · send 2xx · send 3xx-6xx
Timers:                     A-M, by their letters in the RFC
Transport:                  transport error
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from .grammar import without_controls
from .headers import sent_by_of
from .hop import Hop
from .message import MAGIC_COOKIE, Request, Response, parse
from .timers import T1, T2, T4, Timer

if TYPE_CHECKING:
    from .stack import SipStack

CALLING, TRYING, PROCEEDING = "Calling", "Trying", "Proceeding"
COMPLETED, CONFIRMED, ACCEPTED, TERMINATED = "Completed", "Confirmed", "Accepted", "Terminated"

Cell = tuple[str, tuple[str, ...]]
"""The next state and the names of the actions on the way there, in order."""
Table = dict[str, dict[str, Cell]]

# Figure 5 of RFC 3261, as RFC 6026 section 8.4 changes it.
INVITE_CLIENT: Table = {
    CALLING: {
        "1xx": (PROCEEDING, ("stop_timers", "tell_user")),
        "2xx": (ACCEPTED, ("stop_timers", "start_timer_m", "tell_user")),
        "3xx-6xx": (COMPLETED, ("stop_timers", "send_ack", "start_timer_d", "tell_user")),
        "A": (CALLING, ("send_again", "restart_timer_a")),
        "B": (TERMINATED, ("stop_timers", "tell_user_timeout")),
        "D": (CALLING, ()),
        "M": (CALLING, ()),
        "transport error": (TERMINATED, ("stop_timers", "tell_user_transport_error")),
    },
    PROCEEDING: {
        "1xx": (PROCEEDING, ("tell_user",)),
        "2xx": (ACCEPTED, ("start_timer_m", "tell_user")),
        "3xx-6xx": (COMPLETED, ("send_ack", "start_timer_d", "tell_user")),
        "A": (PROCEEDING, ()),
        "B": (PROCEEDING, ()),
        "D": (PROCEEDING, ()),
        "M": (PROCEEDING, ()),
        # Nothing of ours is under way in this state: the error belongs to an earlier copy of the request.
        "transport error": (PROCEEDING, ()),
    },
    COMPLETED: {
        "1xx": (COMPLETED, ()),
        "2xx": (COMPLETED, ()),
        "3xx-6xx": (COMPLETED, ("send_ack_again",)),
        "A": (COMPLETED, ()),
        "B": (COMPLETED, ()),
        "D": (TERMINATED, ()),
        "M": (COMPLETED, ()),
        "transport error": (TERMINATED, ("stop_timers", "tell_user_transport_error")),
    },
    ACCEPTED: {
        "1xx": (ACCEPTED, ()),
        "2xx": (ACCEPTED, ("tell_user",)),  # Again, or from another fork: the user sends the ACK.
        "3xx-6xx": (ACCEPTED, ()),
        "A": (ACCEPTED, ()),
        "B": (ACCEPTED, ()),
        "D": (ACCEPTED, ()),
        "M": (TERMINATED, ()),
        "transport error": (ACCEPTED, ()),
    },
}

# Figure 6 of RFC 3261.
NON_INVITE_CLIENT: Table = {
    TRYING: {
        "1xx": (PROCEEDING, ("tell_user",)),
        "2xx": (COMPLETED, ("stop_timers", "start_timer_k", "tell_user")),
        "3xx-6xx": (COMPLETED, ("stop_timers", "start_timer_k", "tell_user")),
        "E": (TRYING, ("send_again", "restart_timer_e")),
        "F": (TERMINATED, ("stop_timers", "tell_user_timeout")),
        "K": (TRYING, ()),
        "transport error": (TERMINATED, ("stop_timers", "tell_user_transport_error")),
    },
    PROCEEDING: {
        "1xx": (PROCEEDING, ("tell_user",)),
        "2xx": (COMPLETED, ("stop_timers", "start_timer_k", "tell_user")),
        "3xx-6xx": (COMPLETED, ("stop_timers", "start_timer_k", "tell_user")),
        "E": (PROCEEDING, ("send_again", "restart_timer_e_at_t2")),
        "F": (TERMINATED, ("stop_timers", "tell_user_timeout")),
        "K": (PROCEEDING, ()),
        "transport error": (TERMINATED, ("stop_timers", "tell_user_transport_error")),
    },
    COMPLETED: {
        "1xx": (COMPLETED, ()),
        "2xx": (COMPLETED, ()),
        "3xx-6xx": (COMPLETED, ()),
        "E": (COMPLETED, ()),
        "F": (COMPLETED, ()),
        "K": (TERMINATED, ()),
        "transport error": (COMPLETED, ()),
    },
}

# Figure 7 of RFC 3261, as RFC 6026 section 8.5 changes it.
INVITE_SERVER: Table = {
    PROCEEDING: {
        "request": (PROCEEDING, ("send_again",)),
        "ACK": (PROCEEDING, ()),
        "send 1xx": (PROCEEDING, ("send",)),
        "send 2xx": (ACCEPTED, ("send", "start_timer_l")),
        "send 3xx-6xx": (COMPLETED, ("send", "start_timer_g", "start_timer_h")),
        "G": (PROCEEDING, ()),
        "H": (PROCEEDING, ()),
        "I": (PROCEEDING, ()),
        "L": (PROCEEDING, ()),
        "transport error": (PROCEEDING, ("tell_user_transport_error",)),
    },
    COMPLETED: {
        "request": (COMPLETED, ("send_again",)),
        "ACK": (CONFIRMED, ("stop_timers", "start_timer_i")),
        "send 1xx": (COMPLETED, ()),
        "send 2xx": (COMPLETED, ()),
        "send 3xx-6xx": (COMPLETED, ()),
        "G": (COMPLETED, ("send_again", "restart_timer_g")),
        "H": (TERMINATED, ("stop_timers", "tell_user_timeout")),
        "I": (COMPLETED, ()),
        "L": (COMPLETED, ()),
        "transport error": (COMPLETED, ("tell_user_transport_error",)),
    },
    CONFIRMED: {
        "request": (CONFIRMED, ()),
        "ACK": (CONFIRMED, ()),
        "send 1xx": (CONFIRMED, ()),
        "send 2xx": (CONFIRMED, ()),
        "send 3xx-6xx": (CONFIRMED, ()),
        "G": (CONFIRMED, ()),
        "H": (CONFIRMED, ()),
        "I": (TERMINATED, ()),
        "L": (CONFIRMED, ()),
        "transport error": (CONFIRMED, ()),
    },
    ACCEPTED: {
        "request": (ACCEPTED, ()),  # The user repeats its 2xx on a timer of its own (13.3.1.4).
        "ACK": (ACCEPTED, ("tell_user_ack",)),
        "send 1xx": (ACCEPTED, ()),
        "send 2xx": (ACCEPTED, ("send",)),
        "send 3xx-6xx": (ACCEPTED, ()),
        "G": (ACCEPTED, ()),
        "H": (ACCEPTED, ()),
        "I": (ACCEPTED, ()),
        "L": (TERMINATED, ()),
        "transport error": (ACCEPTED, ("tell_user_transport_error",)),
    },
}

# Figure 8 of RFC 3261.
NON_INVITE_SERVER: Table = {
    TRYING: {
        "request": (TRYING, ()),
        "send 1xx": (PROCEEDING, ("send",)),
        "send 2xx": (COMPLETED, ("send", "start_timer_j")),
        "send 3xx-6xx": (COMPLETED, ("send", "start_timer_j")),
        "J": (TRYING, ()),
        "transport error": (TRYING, ()),
    },
    PROCEEDING: {
        "request": (PROCEEDING, ("send_again",)),
        "send 1xx": (PROCEEDING, ("send",)),
        "send 2xx": (COMPLETED, ("send", "start_timer_j")),
        "send 3xx-6xx": (COMPLETED, ("send", "start_timer_j")),
        "J": (PROCEEDING, ()),
        "transport error": (TERMINATED, ("tell_user_transport_error",)),
    },
    COMPLETED: {
        "request": (COMPLETED, ("send_again",)),
        "send 1xx": (COMPLETED, ()),
        "send 2xx": (COMPLETED, ()),
        "send 3xx-6xx": (COMPLETED, ()),
        "J": (TERMINATED, ()),
        "transport error": (TERMINATED, ("stop_timers", "tell_user_transport_error")),
    },
}


def _terminated(table: Table) -> dict[str, Cell]:
    return dict.fromkeys(next(iter(table.values())), (TERMINATED, ()))


for _table in (INVITE_CLIENT, NON_INVITE_CLIENT, INVITE_SERVER, NON_INVITE_SERVER):
    _table[TERMINATED] = _terminated(_table)

LogEntry = tuple[float, Hop, bool, bytes]
"""When, from or to where, whether we sent it, and the bytes."""

LONGEST_LOG = 400
"""Messages kept of one call; of a longer one the beginning and the end are."""


def remember(log: list[LogEntry], entry: LogEntry) -> None:
    """Add a message to the log of what it belongs to."""
    log.append(entry)
    if len(log) > LONGEST_LOG:
        del log[LONGEST_LOG // 2 : LONGEST_LOG * 3 // 4]


class ServerUser(Protocol):
    """Who answers a request."""

    def on_ack(self, request: Request, now: float) -> None: ...
    def on_cancel(self, transaction: "ServerTransaction", request: Request, now: float) -> None: ...
    def on_server_failure(self, transaction: "ServerTransaction", why: str, now: float) -> None:
        """No ACK came for a refusal within 64*T1, or an answer could not be sent."""


class ClientUser(Protocol):
    """Who sent a request."""

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None: ...
    def on_client_failure(self, transaction: "ClientTransaction", status: int, why: str, now: float) -> None:
        """No final answer: 408 for a time-out, 503 for a transport error (RFC 3261 8.1.3.1)."""


class Transaction:
    """What the machines share: state, the last message sent, timers."""

    __slots__ = ("_end", "_interval", "_repeat", "data", "hop", "key", "log", "method", "stack", "state")

    def __init__(
        self, stack: "SipStack", key: tuple[str, ...], hop: Hop, method: str, state: str, log: list[LogEntry]
    ) -> None:
        self.stack = stack
        self.key = key
        self.method = method
        self.hop = hop
        self.state = state
        self.log = log
        self.data = b""
        self._repeat: Timer | None = None
        self._end: Timer | None = None
        self._interval = T1

    def happen(self, event: str, message: Request | Response | None, now: float, why: str = "") -> None:
        """Carry out one cell of the table."""
        self.state, actions = _MACHINES[type(self)][self.state][event]
        for action in actions:
            action(self, message, now, why)
        if self.state == TERMINATED:
            self.stack.forget(self)

    def on_timer(self, name: str, now: float) -> None:
        self.stack.in_hand = self
        self.happen(name, None, now)

    def transport_error(self, why: str, now: float) -> None:
        self.happen("transport error", None, now, why)

    def abandon(self) -> None:
        """Destroy it before its time: 64*T1 after a CANCEL (9.1), or to repeat no answer (8.2.7)."""
        self._stop_timers()
        self.state = TERMINATED
        self.stack.forget(self)

    def _send_again(self, _message: object, now: float, _why: str) -> None:
        if self.data:
            self.stack.send(self.hop, self.data, self.log, now)

    def _stop_timers(self, *_: object) -> None:
        if self._repeat:
            self._repeat.stop()
        if self._end:
            self._end.stop()

    def _repeat_after(self, name: str, now: float) -> None:
        """Retransmission timers run over unreliable transports only."""
        if not self.hop.local.reliable:
            self._repeat = self.stack.timers.start(self._interval, self, name, now)

    def _end_after(self, delay: float, name: str, now: float) -> None:
        self._end = self.stack.timers.start(delay, self, name, now)

    def _linger(self, delay: float, name: str, now: float) -> None:
        """Wait for stray copies, which a reliable transport does not make: there it is over at once."""
        if self.hop.local.reliable:
            self.happen(name, None, now)
        else:
            self._end_after(delay, name, now)


class ClientTransaction(Transaction):
    """A request of ours on its way."""

    __slots__ = ("user", "vias")

    def __init__(
        self,
        stack: "SipStack",
        key: tuple[str, ...],
        hop: Hop,
        method: str,
        data: bytes,
        user: ClientUser,
        log: list[LogEntry],
    ) -> None:
        super().__init__(stack, key, hop, method, CALLING if method == "INVITE" else TRYING, log)
        self.user: ClientUser | None = user
        self.data = data
        self.vias = 1
        """How many Vias the request has that are ours."""

    def reset(self, why: str, now: float) -> None:
        """The peer broke off the connection: an answer it has begun to work on will not come either."""
        if self.state != PROCEEDING:
            self.transport_error(why, now)
            return
        user = self.user
        self.abandon()
        if user:
            user.on_client_failure(self, 503, why, now)

    def receive(self, response: Response, now: float) -> None:
        code = response.status_code
        self.happen("1xx" if code < 200 else "2xx" if code < 300 else "3xx-6xx", response, now)

    def _tell_user(self, response: Response, now: float, _why: str) -> None:
        if self.user:
            self.user.on_response(self, response, now)

    def _tell_user_timeout(self, _message: None, now: float, _why: str) -> None:
        if self.user:
            self.user.on_client_failure(self, 408, f"no answer from {self.hop} within {64 * T1:.0f} s", now)

    def _tell_user_transport_error(self, _message: None, now: float, why: str) -> None:
        if self.user:
            self.user.on_client_failure(self, 503, why, now)


class InviteClientTransaction(ClientTransaction):
    __slots__ = ()

    def start(self, now: float) -> None:
        self._send_again(None, now, "")
        self._repeat_after("A", now)
        self._end_after(64 * T1, "B", now)

    def _restart_timer_a(self, _message: None, now: float, _why: str) -> None:
        self._interval *= 2
        self._repeat_after("A", now)

    def _start_timer_d(self, _message: Response, now: float, _why: str) -> None:
        self._linger(64 * T1, "D", now)

    def _start_timer_m(self, _message: Response, now: float, _why: str) -> None:
        self.data = b""
        self._end_after(64 * T1, "M", now)

    def _send_ack(self, response: Response, now: float, _why: str) -> None:
        self.data = ack_of_failure(self.data, response)
        self._send_again(response, now, "")

    def _send_ack_again(self, response: Response, now: float, _why: str) -> None:
        self._send_again(response, now, "")


class NonInviteClientTransaction(ClientTransaction):
    __slots__ = ()

    def start(self, now: float) -> None:
        self._send_again(None, now, "")
        self._repeat_after("E", now)
        self._end_after(64 * T1, "F", now)

    def _restart_timer_e(self, _message: None, now: float, _why: str) -> None:
        self._interval = min(self._interval * 2, T2)
        self._repeat_after("E", now)

    def _restart_timer_e_at_t2(self, _message: None, now: float, _why: str) -> None:
        self._interval = T2
        self._repeat_after("E", now)

    def _start_timer_k(self, _message: Response, now: float, _why: str) -> None:
        self.data = b""
        self._linger(T4, "K", now)


class ServerTransaction(Transaction):
    """A request of the peer's that we answer."""

    __slots__ = ("_head", "_request", "_tagged", "cseq", "merge_key", "tag", "user")

    def __init__(
        self, stack: "SipStack", key: tuple[str, ...], hop: Hop, request: Request, log: list[LogEntry]
    ) -> None:
        super().__init__(stack, key, hop, request.method, PROCEEDING if request.method == "INVITE" else TRYING, log)
        self._request: Request | None = request
        self.user: ServerUser | None = None
        self.cseq = request.cseq
        self._tagged = bool(request.to_tag)
        self.tag = request.to_tag
        """Our To-tag in the answers; made on the first answer above 100 where the request has none."""
        self.merge_key: tuple[str, str, int, str] | None = None
        self._head = ""

    @property
    def request(self) -> Request:
        """The request, until it has its final answer: what lingers after that is kept small."""
        assert self._request is not None, "the request is answered"
        return self._request

    @property
    def answered(self) -> bool:
        """Whether the request has its final answer."""
        return self._request is None

    def respond(self, status_code: int, reason_phrase: str, now: float, headers: str = "", body: bytes = b"") -> None:
        """Send a response, RFC 3261 8.2.6. After a final one there is nothing more to send, and nothing is.

        `headers` are whole lines with their CRLF; Content-Length and all that is copied from the request
        come by themselves.
        """
        if self._request is None:
            return
        if not self._head:
            self._head = reply_head(self._request, self.hop)
        if status_code == 100 and "timestamp" in self._request.headers:
            headers = f"Timestamp: {self._request.headers['timestamp'][0]}\r\n{headers}"
        to = self._request.headers["to"][0]
        if status_code > 100 and not self._tagged:
            self.tag = self.tag or self.stack.ids.token()
            to = f"{to};tag={self.tag}"
        text = (
            f"SIP/2.0 {status_code} {reason_phrase}\r\n{self._head}To: {to}\r\n"
            f"{headers}Content-Length: {len(body)}\r\n\r\n"
        )
        self.data = text.encode("latin-1", "replace") + body
        if status_code < 200:
            self.happen("send 1xx", None, now)
        else:
            self._request = None
            self._head = ""
            self.happen("send 2xx" if status_code < 300 else "send 3xx-6xx", None, now)

    def repeat_answer(self, now: float) -> None:
        """Send the 2xx again: the transaction user's task until the ACK is there (13.3.1.4)."""
        self.happen("send 2xx", None, now)

    def let_go(self) -> None:
        """The ACK of the 2xx came: nothing will be repeated, and what lingers can be small."""
        self.data = b""
        self.user = None

    def acknowledge(self, request: Request, now: float) -> None:
        """An ACK with this transaction's branch came in."""
        self.happen("ACK", request, now)

    def repeat(self, now: float) -> None:
        """The same request came in again."""
        self.happen("request", None, now)

    def _send(self, _message: None, now: float, _why: str) -> None:
        self._send_again(None, now, "")

    def _tell_user_ack(self, request: Request, now: float, _why: str) -> None:
        if self.user:
            self.user.on_ack(request, now)

    def _tell_user_timeout(self, _message: None, now: float, _why: str) -> None:
        if self.user:
            self.user.on_server_failure(self, f"no ACK from {self.hop} within {64 * T1:.0f} s", now)

    def _tell_user_transport_error(self, _message: None, now: float, why: str) -> None:
        if self.user:
            self.user.on_server_failure(self, why, now)


class InviteServerTransaction(ServerTransaction):
    __slots__ = ()

    def _start_timer_g(self, _message: None, now: float, _why: str) -> None:
        self._repeat_after("G", now)

    def _restart_timer_g(self, _message: None, now: float, _why: str) -> None:
        self._interval = min(self._interval * 2, T2)
        self._repeat_after("G", now)

    def _start_timer_h(self, _message: None, now: float, _why: str) -> None:
        self._end_after(64 * T1, "H", now)

    def _start_timer_i(self, _message: Request, now: float, _why: str) -> None:
        self._linger(T4, "I", now)

    def _start_timer_l(self, _message: None, now: float, _why: str) -> None:
        self._end_after(64 * T1, "L", now)


class NonInviteServerTransaction(ServerTransaction):
    __slots__ = ()

    def _start_timer_j(self, _message: None, now: float, _why: str) -> None:
        self._linger(64 * T1, "J", now)


TABLES: dict[type[Transaction], Table] = {
    InviteClientTransaction: INVITE_CLIENT,
    NonInviteClientTransaction: NON_INVITE_CLIENT,
    InviteServerTransaction: INVITE_SERVER,
    NonInviteServerTransaction: NON_INVITE_SERVER,
}

_MACHINES: dict[type[Transaction], dict[str, dict[str, tuple[str, tuple[Callable[..., None], ...]]]]] = {
    machine: {
        state: {
            event: (following, tuple([getattr(machine, f"_{action}") for action in actions]))
            for event, (following, actions) in row.items()
        }
        for state, row in table.items()
    }
    for machine, table in TABLES.items()
}
"""The tables with methods for the names of actions."""


def server_key(request: Request, method: str) -> tuple[str, ...]:
    """What RFC 3261 17.2.3 matches requests by; `method` is INVITE for the ACK and CANCEL of one."""
    via = request.headers["via"][0]
    branch = request.branch
    if branch.startswith(MAGIC_COOKIE) and len(branch) > len(MAGIC_COOKIE):
        return branch, via.partition(";")[0], method
    return via, request.call_id, request.from_tag, str(request.cseq), method  # RFC 2543 senders.


def client_key(branch: str, method: str) -> tuple[str, ...]:
    """What RFC 3261 17.1.3 matches responses by."""
    return branch, method


def reply_head(request: Request, hop: Hop) -> str:
    """Via, From, Call-ID and CSeq lines of every answer; the top Via as 18.2.1 and RFC 3581 complete it."""
    headers = request.headers
    vias = headers["via"]
    top, comma, others = vias[0].partition(",")
    host, port = hop.address
    start = top.find(";rport")
    if start >= 0 and top[start + 6 : start + 7] in ("", ";", " "):
        top = f"{top[:start]};received={host};rport={port}{top[start + 6 :]}"
    elif f" {host}:{port}" not in top and sent_by_of(top)[0].strip("[]") != host:
        top = f"{top};received={host}"
    lines = "".join(f"Via: {via}\r\n" for via in vias[1:])
    return (
        f"Via: {top}{comma}{others}\r\n{lines}From: {headers['from'][0]}\r\n"
        f"Call-ID: {request.call_id}\r\nCSeq: {headers['cseq'][0]}\r\n"
    )


def reply_hop(request: Request, source: Hop) -> Hop:
    """Where the answers to a request go: RFC 3261 18.2.2, RFC 3581 4.

    `maddr` is not followed: an answer sent to an address that a stranger chose is a weapon.
    """
    via = request.headers["via"][0].partition(",")[0]
    host, port = source.address
    if f" {host}:{port};" in via or (";rport" in via and not source.local.reliable):
        return source
    sent_port = sent_by_of(via)[1] or (5061 if source.local.transport == "TLS" else 5060)
    if source.local.reliable:
        return Hop(source.local, source.address, (host, sent_port))
    return Hop(source.local, (host, sent_port))


def ack_of_failure(invite: bytes, response: Response) -> bytes:
    """The ACK for a 3xx-6xx: RFC 3261 17.1.1.3."""
    return _sibling(invite, "ACK", without_controls(response.headers["to"][0]))


def cancel_of(invite: bytes, headers: str = "") -> bytes:
    """The CANCEL for an INVITE of ours: RFC 3261 9.1. `headers` are whole lines, such as a Reason."""
    return _sibling(invite, "CANCEL", None, headers)


def _sibling(invite: bytes, method: str, to: str | None, extra: str = "") -> bytes:
    request = parse(invite)
    assert isinstance(request, Request)
    headers = request.headers
    routes = "".join(f"Route: {route}\r\n" for route in headers.get("route", ()))
    return (
        f"{method} {request.uri} SIP/2.0\r\nVia: {headers['via'][0]}\r\n{routes}Max-Forwards: 70\r\n"
        f"From: {headers['from'][0]}\r\nTo: {to or headers['to'][0]}\r\nCall-ID: {request.call_id}\r\n"
        f"CSeq: {request.cseq} {method}\r\n{extra}Content-Length: 0\r\n\r\n"
    ).encode("latin-1")

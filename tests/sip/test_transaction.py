"""The four transaction machines: each cell of their tables, and their timers in virtual time.

What is expected stands here as in the figures of RFC 3261 section 17 with the changes of RFC 6026, written
down from there and not from the code.
"""

import random
from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import pytest

from tests.wire import answer, header, headers_of, request, start_line, told
from voiceconnector.sip.hop import Hop, Local
from voiceconnector.sip.ids import Ids
from voiceconnector.sip.message import Request, Response, parse
from voiceconnector.sip.stack import SipStack
from voiceconnector.sip.timers import Timer
from voiceconnector.sip.transaction import TABLES, ClientTransaction, ServerTransaction, Transaction, cancel_of

UDP, TCP = Local("here", "UDP", "127.0.0.2", 5060), Local("here", "TCP", "127.0.0.2", 5060)
PEER = ("127.0.0.1", 5060)


class Bench:
    """A stack with one transaction on it, and what its user heard."""

    def __init__(self, local: Local = UDP) -> None:
        self.stack = SipStack(self, Ids(random.Random(1)))
        self.hop = Hop(local, PEER)
        self.transaction: Transaction
        self.heard: list[str] = []
        self.now = 0.0

    def on_request(self, transaction: ServerTransaction, _request: Request, _now: float) -> None:
        self.transaction = transaction
        transaction.user = self

    def on_overload(self, _request: Request, _hop: Hop, _now: float) -> None:
        return None

    def on_response(self, _transaction: ClientTransaction, response: Response, _now: float) -> None:
        self.heard.append(str(response.status_code))

    def on_client_failure(self, _transaction: ClientTransaction, status: int, _why: str, _now: float) -> None:
        self.heard.append(f"failure {status}")

    def on_ack(self, _request: Request, _now: float) -> None:
        self.heard.append("ACK")

    def on_cancel(self, _transaction: ServerTransaction, _request: Request, _now: float) -> None:
        self.heard.append("CANCEL")

    def on_server_failure(self, _transaction: ServerTransaction, why: str, _now: float) -> None:
        self.heard.append("failure" if "ACK" not in why else "no ACK")

    @property
    def client(self) -> ClientTransaction:
        assert isinstance(self.transaction, ClientTransaction)
        return self.transaction

    @property
    def server(self) -> ServerTransaction:
        assert isinstance(self.transaction, ServerTransaction)
        return self.transaction

    def send(self, method: str) -> "Bench":
        """Start a client transaction."""
        headers = (
            "Max-Forwards: 70\r\nRoute: <sip:proxy.test;lr>\r\nFrom: <sip:alice@here.test>;tag=a\r\n"
            f"To: <sip:bob@there.test>\r\nCall-ID: 1\r\nCSeq: 7 {method}\r\n"
        )
        self.transaction = self.stack.request(method, "sip:bob@there.test", headers, b"", self.hop, self, [], self.now)
        self.sent_request = self.stack.outbox[0][1]
        return self

    def take(self, method: str) -> "Bench":
        """Start a server transaction."""
        self.stack.receive(request(method), self.hop, self.now)
        return self

    def receive(self, status_code: int) -> None:
        response = parse(answer(self.sent_request, status_code))
        assert isinstance(response, Response)
        self.client.receive(response, self.now)

    def receive_ack(self) -> None:
        ack = parse(request("ACK"))
        assert isinstance(ack, Request)
        self.server.acknowledge(ack, self.now)

    def answer(self, status_code: int) -> None:
        """What the user does; a final answer after the final one only through the machine itself."""
        before = self.server.data
        self.server.respond(status_code, "", self.now)
        if self.server.data is before:
            event = "send 1xx" if status_code < 200 else "send 2xx" if status_code < 300 else "send 3xx-6xx"
            self.server.happen(event, None, self.now)

    def expire(self, name: str) -> None:
        """Let one timer fire, whether it runs or (what must do no harm) not."""
        for timer in self.running():
            if timer.name == name:
                timer.stop()
                self.now = timer.due
        self.transaction.on_timer(name, self.now)

    def running(self) -> list[Timer]:
        return list(self.stack.timers.running())

    def take_sent(self) -> list[str]:
        sent = [told(data) for _, data in self.stack.outbox]
        self.stack.outbox.clear()
        return sent

    def play(self) -> Iterator[tuple[float, str]]:
        """All that is sent or heard as time passes until no timer runs: when, and what."""
        while True:
            yield from ((self.now, what) for what in self.take_sent() + self.heard)
            self.heard.clear()
            due = self.stack.timers.next_due()
            if due is None:
                return
            self.now = due
            self.stack.timers.fire(due)


class Row(NamedTuple):
    """state | event | next state | sent | heard by the user | timers that run then"""

    state: str
    event: str
    following: str
    sent: str
    heard: str
    timers: str


def read(table: str) -> list[Row]:
    return [Row(*(cell.strip() for cell in line.split("|"))) for line in table.strip().splitlines()]


Step = Callable[[Bench], object]

CLIENT_EVENTS: dict[str, Step] = {
    "1xx": lambda bench: bench.receive(180),
    "2xx": lambda bench: bench.receive(200),
    "3xx-6xx": lambda bench: bench.receive(486),
    "transport error": lambda bench: bench.transaction.transport_error("unreachable", bench.now),
}
SERVER_EVENTS: dict[str, Step] = {
    "request": lambda bench: bench.server.repeat(bench.now),
    "ACK": lambda bench: bench.receive_ack(),
    "send 1xx": lambda bench: bench.answer(183),
    "send 2xx": lambda bench: bench.answer(200),
    "send 3xx-6xx": lambda bench: bench.answer(486),
    "transport error": lambda bench: bench.transaction.transport_error("unreachable", bench.now),
}


def timer_event(name: str) -> Step:
    return lambda bench: bench.expire(name)


TIMER_EVENTS = {name: timer_event(name) for name in "ABDEFGHIJKLM"}

# Figure 5, and RFC 6026 8.4 for Accepted and Timer M.
INVITE_CLIENT = read("""
Calling    | 1xx             | Proceeding |        | 180         |
Calling    | 2xx             | Accepted   |        | 200         | M
Calling    | 3xx-6xx         | Completed  | ACK    | 486         | D
Calling    | A               | Calling    | INVITE |             | A B
Calling    | B               | Terminated |        | failure 408 |
Calling    | D               | Calling    |        |             | A B
Calling    | M               | Calling    |        |             | A B
Calling    | transport error | Terminated |        | failure 503 |
Proceeding | 1xx             | Proceeding |        | 180         |
Proceeding | 2xx             | Accepted   |        | 200         | M
Proceeding | 3xx-6xx         | Completed  | ACK    | 486         | D
Proceeding | A               | Proceeding |        |             |
Proceeding | B               | Proceeding |        |             |
Proceeding | D               | Proceeding |        |             |
Proceeding | M               | Proceeding |        |             |
Proceeding | transport error | Proceeding |        |             |
Completed  | 1xx             | Completed  |        |             | D
Completed  | 2xx             | Completed  |        |             | D
Completed  | 3xx-6xx         | Completed  | ACK    |             | D
Completed  | A               | Completed  |        |             | D
Completed  | B               | Completed  |        |             | D
Completed  | D               | Terminated |        |             |
Completed  | M               | Completed  |        |             | D
Completed  | transport error | Terminated |        | failure 503 |
Accepted   | 1xx             | Accepted   |        |             | M
Accepted   | 2xx             | Accepted   |        | 200         | M
Accepted   | 3xx-6xx         | Accepted   |        |             | M
Accepted   | A               | Accepted   |        |             | M
Accepted   | B               | Accepted   |        |             | M
Accepted   | D               | Accepted   |        |             | M
Accepted   | M               | Terminated |        |             |
Accepted   | transport error | Accepted   |        |             | M
""")

# Figure 6.
NON_INVITE_CLIENT = read("""
Trying     | 1xx             | Proceeding |         | 180         | E F
Trying     | 2xx             | Completed  |         | 200         | K
Trying     | 3xx-6xx         | Completed  |         | 486         | K
Trying     | E               | Trying     | OPTIONS |             | E F
Trying     | F               | Terminated |         | failure 408 |
Trying     | K               | Trying     |         |             | E F
Trying     | transport error | Terminated |         | failure 503 |
Proceeding | 1xx             | Proceeding |         | 180         | E F
Proceeding | 2xx             | Completed  |         | 200         | K
Proceeding | 3xx-6xx         | Completed  |         | 486         | K
Proceeding | E               | Proceeding | OPTIONS |             | E F
Proceeding | F               | Terminated |         | failure 408 |
Proceeding | K               | Proceeding |         |             | E F
Proceeding | transport error | Terminated |         | failure 503 |
Completed  | 1xx             | Completed  |         |             | K
Completed  | 2xx             | Completed  |         |             | K
Completed  | 3xx-6xx         | Completed  |         |             | K
Completed  | E               | Completed  |         |             | K
Completed  | F               | Completed  |         |             | K
Completed  | K               | Terminated |         |             |
Completed  | transport error | Completed  |         |             | K
""")

# Figure 7 as RFC 6026 8.5 prints it: Accepted and Timer L, the ACK of a 2xx goes to the user, and a transport
# error is told but ends nothing.
INVITE_SERVER = read("""
Proceeding | request         | Proceeding | 180 |         |
Proceeding | ACK             | Proceeding |     |         |
Proceeding | send 1xx        | Proceeding | 183 |         |
Proceeding | send 2xx        | Accepted   | 200 |         | L
Proceeding | send 3xx-6xx    | Completed  | 486 |         | G H
Proceeding | G               | Proceeding |     |         |
Proceeding | H               | Proceeding |     |         |
Proceeding | I               | Proceeding |     |         |
Proceeding | L               | Proceeding |     |         |
Proceeding | transport error | Proceeding |     | failure |
Completed  | request         | Completed  | 486 |         | G H
Completed  | ACK             | Confirmed  |     |         | I
Completed  | send 1xx        | Completed  |     |         | G H
Completed  | send 2xx        | Completed  |     |         | G H
Completed  | send 3xx-6xx    | Completed  |     |         | G H
Completed  | G               | Completed  | 486 |         | G H
Completed  | H               | Terminated |     | no ACK  |
Completed  | I               | Completed  |     |         | G H
Completed  | L               | Completed  |     |         | G H
Completed  | transport error | Completed  |     | failure | G H
Confirmed  | request         | Confirmed  |     |         | I
Confirmed  | ACK             | Confirmed  |     |         | I
Confirmed  | send 1xx        | Confirmed  |     |         | I
Confirmed  | send 2xx        | Confirmed  |     |         | I
Confirmed  | send 3xx-6xx    | Confirmed  |     |         | I
Confirmed  | G               | Confirmed  |     |         | I
Confirmed  | H               | Confirmed  |     |         | I
Confirmed  | I               | Terminated |     |         |
Confirmed  | L               | Confirmed  |     |         | I
Confirmed  | transport error | Confirmed  |     |         | I
Accepted   | request         | Accepted   |     |         | L
Accepted   | ACK             | Accepted   |     | ACK     | L
Accepted   | send 1xx        | Accepted   |     |         | L
Accepted   | send 2xx        | Accepted   | 200 |         | L
Accepted   | send 3xx-6xx    | Accepted   |     |         | L
Accepted   | G               | Accepted   |     |         | L
Accepted   | H               | Accepted   |     |         | L
Accepted   | I               | Accepted   |     |         | L
Accepted   | L               | Terminated |     |         |
Accepted   | transport error | Accepted   |     | failure | L
""")

# Figure 8.
NON_INVITE_SERVER = read("""
Trying     | request         | Trying     |     |         |
Trying     | send 1xx        | Proceeding | 183 |         |
Trying     | send 2xx        | Completed  | 200 |         | J
Trying     | send 3xx-6xx    | Completed  | 486 |         | J
Trying     | J               | Trying     |     |         |
Trying     | transport error | Trying     |     |         |
Proceeding | request         | Proceeding | 180 |         |
Proceeding | send 1xx        | Proceeding | 183 |         |
Proceeding | send 2xx        | Completed  | 200 |         | J
Proceeding | send 3xx-6xx    | Completed  | 486 |         | J
Proceeding | J               | Proceeding |     |         |
Proceeding | transport error | Terminated |     | failure |
Completed  | request         | Completed  | 486 |         | J
Completed  | send 1xx        | Completed  |     |         | J
Completed  | send 2xx        | Completed  |     |         | J
Completed  | send 3xx-6xx    | Completed  |     |         | J
Completed  | J               | Terminated |     |         |
Completed  | transport error | Terminated |     | failure |
""")

# How to get into a state, from a request that was just sent or received.
CLIENT_PATHS: dict[str, list[str]] = {
    "Calling": [], "Trying": [], "Proceeding": ["1xx"], "Completed": ["3xx-6xx"], "Accepted": ["2xx"],
}  # fmt: skip


def invite_client(state: str) -> Bench:
    bench = Bench().send("INVITE")
    for event in {**CLIENT_PATHS, "Terminated": ["2xx", "M"]}[state]:
        (CLIENT_EVENTS | TIMER_EVENTS)[event](bench)
    return bench


def non_invite_client(state: str) -> Bench:
    bench = Bench().send("OPTIONS")
    for event in {**CLIENT_PATHS, "Terminated": ["2xx", "K"]}[state]:
        (CLIENT_EVENTS | TIMER_EVENTS)[event](bench)
    return bench


def invite_server(state: str) -> Bench:
    bench = Bench().take("INVITE")
    bench.answer(180)
    paths = {
        "Proceeding": [], "Completed": ["send 3xx-6xx"], "Confirmed": ["send 3xx-6xx", "ACK"],
        "Accepted": ["send 2xx"], "Terminated": ["send 2xx", "L"],
    }  # fmt: skip
    for event in paths[state]:
        (SERVER_EVENTS | TIMER_EVENTS)[event](bench)
    return bench


def non_invite_server(state: str) -> Bench:
    bench = Bench().take("OPTIONS")
    if state == "Trying":
        return bench
    bench.answer(180)
    for event in {"Proceeding": [], "Completed": ["send 3xx-6xx"], "Terminated": ["send 3xx-6xx", "J"]}[state]:
        (SERVER_EVENTS | TIMER_EVENTS)[event](bench)
    return bench


MACHINES: dict[str, tuple[Callable[[str], Bench], list[Row], dict[str, Step]]] = {
    "InviteClientTransaction": (invite_client, INVITE_CLIENT, CLIENT_EVENTS | TIMER_EVENTS),
    "NonInviteClientTransaction": (non_invite_client, NON_INVITE_CLIENT, CLIENT_EVENTS | TIMER_EVENTS),
    "InviteServerTransaction": (invite_server, INVITE_SERVER, SERVER_EVENTS | TIMER_EVENTS),
    "NonInviteServerTransaction": (non_invite_server, NON_INVITE_SERVER, SERVER_EVENTS | TIMER_EVENTS),
}
CELLS = [(name, row) for name, (_, rows, _) in MACHINES.items() for row in rows]


@pytest.mark.parametrize("name", MACHINES)
def test_every_pair_of_state_and_event_is_decided(name: str) -> None:
    """In the table of the code, and by an expectation here."""
    table = next(table for machine, table in TABLES.items() if machine.__name__ == name)
    rows = MACHINES[name][1]
    states, events = {row.state for row in rows}, {row.event for row in rows}
    assert {(row.state, row.event) for row in rows} == set(product(states, events))
    assert {(state, event) for state in table for event in table[state]} == set(
        product(states | {"Terminated"}, events)
    )


@pytest.mark.parametrize(("name", "row"), CELLS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_cell(name: str, row: Row) -> None:
    """RFC 3261 17.1.1.2, 17.1.2.2, 17.2.1, 17.2.2, RFC 6026 7.1 and 7.2."""
    make, _, events = MACHINES[name]
    bench = make(row.state)
    assert bench.transaction.state == row.state
    bench.take_sent()
    bench.heard.clear()
    events[row.event](bench)
    seen = (bench.transaction.state, " ".join(bench.take_sent()), " ".join(bench.heard))
    assert seen == (row.following, row.sent, row.heard), row
    assert sorted(timer.name for timer in bench.running()) == row.timers.split(), row
    assert bench.stack.open_transactions == (row.following != "Terminated")


@pytest.mark.parametrize("name", MACHINES)
def test_a_terminated_transaction_is_forgotten_and_nothing_wakes_it(name: str) -> None:
    """17.1.1.2: it is destroyed the instant it is Terminated."""
    make, rows, events = MACHINES[name]
    for event in sorted({row.event for row in rows}):
        bench = make("Terminated")
        assert (bench.stack.open_transactions, bench.running()) == (0, [])
        bench.take_sent()
        bench.heard.clear()
        events[event](bench)
        assert (bench.transaction.state, bench.take_sent(), bench.heard) == ("Terminated", [], []), event
        assert bench.running() == [], event


def test_timer_a_doubles_and_timer_b_gives_up_after_64_t1() -> None:
    """17.1.1.2: an INVITE is sent seven times in 32 seconds."""
    bench = Bench().send("INVITE")
    sent = [(when, "INVITE") for when in (0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5)]
    assert list(bench.play()) == [*sent, (32.0, "failure 408")]
    assert bench.stack.open_transactions == 0


def test_timer_e_doubles_up_to_t2_and_timer_f_gives_up_after_64_t1() -> None:
    """17.1.2.2: 500 ms, 1 s, 2 s, 4 s, 4 s …"""
    bench = Bench().send("OPTIONS")
    sent = [(when, "OPTIONS") for when in (0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)]
    assert list(bench.play()) == [*sent, (32.0, "failure 408")]
    assert bench.stack.open_transactions == 0


def test_timer_e_runs_at_t2_once_there_was_a_provisional_response() -> None:
    """17.1.2.2: the timer that runs still fires; from then on it is T2. Timer F goes on."""
    bench = Bench().send("OPTIONS")
    bench.now = 0.2
    bench.receive(100)
    sent = [(when, "OPTIONS") for when in (0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5)]
    assert list(bench.play()) == [(0.2, "OPTIONS"), (0.2, "100"), *sent, (32.0, "failure 408")]


def test_a_provisional_response_stops_the_repeating_of_an_invite_for_good() -> None:
    """17.1.1.2: in Proceeding neither Timer A nor Timer B runs; how long it may ring is the user's affair."""
    bench = Bench().send("INVITE")
    bench.now = 0.2
    bench.receive(100)
    assert list(bench.play()) == [(0.2, "INVITE"), (0.2, "100")]
    assert bench.stack.open_transactions == 1


@pytest.mark.parametrize(
    ("method", "status_code", "over"),
    [("INVITE", 486, 32.0), ("INVITE", 200, 32.0), ("OPTIONS", 486, 5.0), ("OPTIONS", 200, 5.0)],
)
def test_a_client_transaction_waits_for_stray_responses(method: str, status_code: int, over: float) -> None:
    """Timer D: at least 32 s; Timer M: 64*T1; Timer K: T4."""
    bench = Bench().send(method)
    bench.receive(status_code)
    assert [timer.due for timer in bench.running()] == [over]
    bench.stack.timers.fire(over)
    assert (bench.transaction.state, bench.stack.open_transactions) == ("Terminated", 0)


def test_timer_g_doubles_up_to_t2_and_timer_h_gives_up_after_64_t1() -> None:
    """17.2.1: a refusal of an INVITE is repeated until its ACK is there."""
    bench = Bench().take("INVITE")
    bench.answer(486)
    sent = [(when, "486") for when in (0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)]
    assert list(bench.play()) == [*sent, (32.0, "no ACK")]
    assert bench.stack.open_transactions == 0


def test_timer_i_swallows_repeated_acks_for_t4() -> None:
    """17.2.1."""
    bench = Bench().take("INVITE")
    bench.answer(486)
    bench.now = 2.0
    bench.receive_ack()
    assert [(timer.name, timer.due) for timer in bench.running()] == [("I", 7.0)]


def test_timer_l_keeps_an_accepted_invite_for_64_t1() -> None:
    """RFC 6026 7.1: so that a late copy of the INVITE is no new call. The user repeats the 2xx, not we."""
    bench = Bench().take("INVITE")
    bench.answer(200)
    assert list(bench.play()) == [(0.0, "200")]
    assert (bench.now, bench.stack.open_transactions) == (32.0, 0)


def test_timer_j_keeps_an_answer_for_64_t1() -> None:
    """17.2.2."""
    bench = Bench().take("OPTIONS")
    bench.answer(200)
    assert list(bench.play()) == [(0.0, "200")]
    assert (bench.now, bench.stack.open_transactions) == (32.0, 0)


@pytest.mark.parametrize(("method", "over"), [("INVITE", 32.0), ("OPTIONS", 32.0)])
def test_over_a_reliable_transport_a_request_is_sent_once(method: str, over: float) -> None:
    """17.1.1.2, 17.1.2.2: no Timer A, no Timer E; the time-out stays."""
    assert list(Bench(TCP).send(method).play()) == [(0.0, method), (over, "failure 408")]


@pytest.mark.parametrize(("method", "status_code"), [("INVITE", 486), ("OPTIONS", 486), ("OPTIONS", 200)])
def test_over_a_reliable_transport_no_stray_response_is_waited_for(method: str, status_code: int) -> None:
    """Timers D and K are zero: Terminated at once, and the user hears the response all the same."""
    bench = Bench(TCP).send(method)
    bench.receive(status_code)
    assert (bench.transaction.state, bench.running(), bench.heard) == ("Terminated", [], [str(status_code)])
    assert bench.stack.open_transactions == 0


def test_over_a_reliable_transport_a_2xx_still_waits_for_other_forks() -> None:
    """RFC 6026 8.4: Timer M does not depend on the transport."""
    bench = Bench(TCP).send("INVITE")
    bench.receive(200)
    assert [(timer.name, timer.due) for timer in bench.running()] == [("M", 32.0)]


def test_over_a_reliable_transport_a_refusal_is_sent_once() -> None:
    """17.2.1: no Timer G; Timer H stays, Timer I is zero."""
    bench = Bench(TCP).take("INVITE")
    bench.answer(486)
    assert [timer.name for timer in bench.running()] == ["H"]
    bench.receive_ack()
    assert (bench.transaction.state, bench.running(), bench.stack.open_transactions) == ("Terminated", [], 0)


def test_over_a_reliable_transport_an_answered_request_is_over_at_once() -> None:
    """17.2.2: Timer J is zero."""
    bench = Bench(TCP).take("OPTIONS")
    bench.answer(200)
    assert (bench.transaction.state, bench.running(), bench.take_sent()) == ("Terminated", [], ["200"])


def test_over_a_reliable_transport_an_accepted_invite_is_kept() -> None:
    """RFC 6026 8.5: Timer L does not depend on the transport."""
    bench = Bench(TCP).take("INVITE")
    bench.answer(200)
    assert [(timer.name, timer.due) for timer in bench.running()] == [("L", 32.0)]


def test_the_ack_of_a_refusal_is_made_of_the_invite_and_the_to_of_the_response() -> None:
    """17.1.1.3: URI, the one top Via, From, Call-ID and CSeq number of the INVITE, its Route, To with the tag."""
    bench = Bench().send("INVITE")
    bench.receive(486)
    ack = bench.stack.outbox[-1][1]
    invite = bench.sent_request
    assert start_line(ack) == "ACK sip:bob@there.test SIP/2.0"
    for name in ("Via", "From", "Call-ID", "Route"):
        assert headers_of(ack, name) == headers_of(invite, name)
    assert header(ack, "To") == "<sip:bob@there.test>;tag=b"
    assert header(ack, "CSeq") == "7 ACK"
    assert header(ack, "Max-Forwards") == "70"
    assert header(ack, "Content-Length") == "0"


def test_a_cancel_is_made_of_the_invite() -> None:
    """9.1: URI, Call-ID, To, CSeq number, From, Route and the one Via are those of the INVITE."""
    bench = Bench().send("INVITE")
    invite = bench.sent_request
    cancel = cancel_of(invite, "Reason: SIP;cause=200\r\n")
    assert start_line(cancel) == "CANCEL sip:bob@there.test SIP/2.0"
    for name in ("Via", "From", "To", "Call-ID", "Route"):
        assert headers_of(cancel, name) == headers_of(invite, name)
    assert header(cancel, "CSeq") == "7 CANCEL"
    assert header(cancel, "Reason") == "SIP;cause=200"


def test_a_response_copies_what_belongs_to_the_request() -> None:
    """8.2.6.2: every Via in order, From, Call-ID and CSeq as they are, To with a tag of ours, always the same."""
    bench = Bench()
    asked = request(
        headers="Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\r\nVia: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKy\r\n"
    )
    bench.stack.receive(asked, bench.hop, 0.0)
    bench.server.respond(100, "Trying", 0.0)
    bench.server.respond(180, "Ringing", 0.0, "Contact: <sip:bob@127.0.0.2>\r\n")
    bench.server.respond(200, "OK", 0.0, "", b"v=0")
    trying, ringing, ok = (data for _, data in bench.stack.outbox)
    for response in (trying, ringing, ok):
        for name in ("Via", "From", "Call-ID", "CSeq"):
            assert headers_of(response, name) == headers_of(asked, name)
    assert header(trying, "To") == header(asked, "To")
    assert header(ringing, "To").startswith(header(asked, "To") + ";tag=")
    assert header(ok, "To") == header(ringing, "To")
    assert header(ringing, "Contact") == "<sip:bob@127.0.0.2>"
    assert header(ok, "Content-Length") == "3"
    assert ok.endswith(b"\r\n\r\nv=0")


def test_an_answer_after_the_final_one_is_not_sent() -> None:
    """17.2.2: any other final response must be discarded."""
    bench = Bench().take("OPTIONS")
    bench.server.respond(200, "OK", 0.0)
    bench.server.respond(500, "Server Internal Error", 0.0)
    bench.server.respond(100, "Trying", 0.0)
    assert bench.take_sent() == ["200"]

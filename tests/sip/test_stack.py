"""What stands between the wire and the user: matching, refusing, routing of answers, and what is left behind."""

import random

import pytest

from tests.wire import answer, header, headers_of, request, start_line, told
from voiceconnector.sip.hop import Hop, Local
from voiceconnector.sip.ids import Ids
from voiceconnector.sip.message import Request, Response
from voiceconnector.sip.stack import SipStack
from voiceconnector.sip.transaction import ClientTransaction, ServerTransaction

UDP, UDP6 = Local("here", "UDP", "127.0.0.2", 5060), Local("here", "UDP", "::1", 5060)
TCP, TLS = Local("here", "TCP", "127.0.0.2", 5060), Local("here", "TLS", "127.0.0.2", 5061)
PEER = Hop(UDP, ("127.0.0.1", 5060))
VIA = "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK"


class Bench:
    """A stack whose core and users only take notes."""

    def __init__(self) -> None:
        self.stack = SipStack(self, Ids(random.Random(1)))
        self.now = 0.0
        self.requests: list[tuple[ServerTransaction, Request]] = []
        self.responses: list[Response] = []
        self.acks: list[Request] = []
        self.cancels: list[Request] = []
        self.failures: list[str] = []
        self.faulty = False
        self.overload: tuple[int, str, str] | None = (503, "Service Unavailable", "Retry-After: 7\r\n")

    def on_request(self, transaction: ServerTransaction, request: Request, _now: float) -> None:
        transaction.user = self
        self.requests.append((transaction, request))

    def on_overload(self, _request: Request, _hop: Hop, _now: float) -> tuple[int, str, str] | None:
        return self.overload

    def on_response(self, _transaction: ClientTransaction, response: Response, _now: float) -> None:
        self.fail()
        self.responses.append(response)

    def on_client_failure(self, _transaction: ClientTransaction, status: int, _why: str, _now: float) -> None:
        self.failures.append(str(status))

    def on_ack(self, request: Request, _now: float) -> None:
        self.acks.append(request)

    def on_cancel(self, _transaction: ServerTransaction, request: Request, _now: float) -> None:
        self.fail()
        self.cancels.append(request)

    def on_server_failure(self, _transaction: ServerTransaction, why: str, _now: float) -> None:
        self.failures.append(why)

    def fail(self) -> None:
        if self.faulty:
            raise RuntimeError("a fault of ours")

    @property
    def transaction(self) -> ServerTransaction:
        return self.requests[-1][0]

    def receive(self, data: bytes, source: Hop = PEER) -> list[bytes]:
        """Take a message; what is sent at once."""
        self.stack.receive(data, source, self.now)
        return self.sent()

    def respond(self, status_code: int, reason: str = "") -> list[bytes]:
        self.transaction.respond(status_code, reason, self.now)
        return self.sent()

    def request(self, method: str, hop: Hop = PEER) -> bytes:
        headers = f"From: <sip:a@b>;tag=a\r\nTo: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n"
        self.stack.request(method, "sip:c@d", headers, b"", hop, self, [], self.now)
        return self.sent()[0]

    def sent(self) -> list[bytes]:
        self.hops = [hop for hop, _ in self.stack.outbox]
        sent = [data for _, data in self.stack.outbox]
        self.stack.outbox.clear()
        return sent

    def pass_time(self) -> None:
        while (due := self.stack.timers.next_due()) is not None:
            self.now = due
            self.stack.timers.fire(due)
        self.sent()

    def assert_nothing_is_left(self) -> None:
        self.pass_time()
        assert (self.stack.open_transactions, len(self.stack.timers), self.stack.dialogs) == (0, 0, {})
        assert not self.stack._merged


@pytest.fixture
def bench() -> Bench:
    return Bench()


# -- responses to requests of ours


def test_a_response_is_matched_by_branch_and_method(bench: Bench) -> None:
    """17.1.3: a CANCEL has the branch of its INVITE."""
    invite = bench.request("INVITE")
    bench.receive(answer(invite, 180, "Ringing"))
    other_method = answer(invite, 200).replace(b"1 INVITE", b"1 CANCEL")
    other_branch = answer(invite, 200).replace(b"branch=z9hG4bK", b"branch=z9hG4bKx")
    bench.receive(other_method)
    bench.receive(other_branch)
    assert [response.status_code for response in bench.responses] == [180]
    assert sum(bench.stack.dropped.values()) == 2


def test_a_branch_begins_with_the_magic_cookie_and_is_used_once(bench: Bench) -> None:
    """8.1.1.7."""
    branches = {header(bench.request("OPTIONS"), "Via").partition("branch=")[2].partition(";")[0] for _ in range(100)}
    assert len(branches) == 100
    assert all(branch.startswith("z9hG4bK") and len(branch) > 7 for branch in branches)


@pytest.mark.parametrize(
    ("hop", "via"),
    [
        (PEER, "SIP/2.0/UDP 127.0.0.2:5060;branch="),
        (Hop(UDP6, ("::1", 5070)), "SIP/2.0/UDP [::1]:5060;branch="),
        (Hop(TCP, ("127.0.0.1", 5060)), "SIP/2.0/TCP 127.0.0.2:5060;branch="),
        (Hop(TLS, ("127.0.0.1", 5061)), "SIP/2.0/TLS 127.0.0.2:5061;branch="),
    ],
)
def test_a_via_names_where_answers_are_to_come(bench: Bench, hop: Hop, via: str) -> None:
    """18.1.1, RFC 3581 3."""
    value = header(bench.request("OPTIONS", hop), "Via")
    assert value.startswith(via)
    assert value.endswith(";rport")
    assert bench.hops == [hop]


def test_a_response_that_went_astray_is_dropped(bench: Bench) -> None:
    """8.1.3.3: more than one Via: it was meant for someone behind us."""
    sent = bench.request("OPTIONS")
    second = "Via: SIP/2.0/UDP 127.0.0.9;branch=z9hG4bKother\r\n"
    bench.receive(answer(sent, headers=second))
    bench.receive(answer(sent).replace(b";rport\r\n", b";rport, SIP/2.0/UDP 127.0.0.9;branch=z9hG4bKother\r\n"))
    assert bench.responses == []
    bench.receive(answer(sent))
    assert len(bench.responses) == 1


def test_a_response_shorter_than_it_says_is_dropped(bench: Bench) -> None:
    """18.3: over UDP."""
    sent = bench.request("OPTIONS")
    bench.receive(answer(sent, body=b"0123456789")[:-1])
    assert bench.responses == []


def test_a_response_without_what_it_is_matched_by_is_dropped(bench: Bench) -> None:
    sent = bench.request("OPTIONS")
    for name in ("Via", "CSeq", "Call-ID", "From", "To"):
        lines = answer(sent).decode().split("\r\n")
        bench.receive("\r\n".join(line for line in lines if not line.startswith(name)).encode())
    assert bench.responses == []
    assert sum(bench.stack.dropped.values()) == 5


def test_what_is_no_sip_is_dropped_and_counted(bench: Bench) -> None:
    for data in (b"", b"\r\n\r\n", b"\0\0\0\0", b"GET / HTTP/1.1\r\n\r\n", b"hello", b"\xff" * 1000):
        assert bench.receive(data) == []
    assert sum(bench.stack.dropped.values()) == 6
    bench.assert_nothing_is_left()


# -- requests, first and again


def test_a_repeated_request_is_answered_by_its_transaction(bench: Bench) -> None:
    """17.2.3: the user hears of it once; the answer is the same to the letter."""
    asked = request("OPTIONS")
    assert bench.receive(asked) == []
    assert bench.receive(asked) == []
    (first,) = bench.respond(200, "OK")
    assert bench.receive(asked) == [first]
    assert len(bench.requests) == 1
    bench.pass_time()
    bench.receive(asked)
    assert len(bench.requests) == 2, "after Timer J it is a new request"
    bench.respond(200)
    bench.assert_nothing_is_left()


@pytest.mark.parametrize(
    "via",
    [f"{VIA}2", "SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK1", "SIP/2.0/UDP pbx.test;branch=z9hG4bK1"],
)
def test_another_branch_or_sent_by_is_another_transaction(bench: Bench, via: str) -> None:
    """17.2.3: two clients may have chosen the same branch."""
    bench.receive(request("OPTIONS", via=f"{VIA}1"))
    bench.receive(request("OPTIONS", via=via, call_id="2"))
    assert len(bench.requests) == 2


def test_a_parameter_added_on_the_way_makes_no_other_transaction(bench: Bench) -> None:
    """17.2.3: branch, sent-by and method only."""
    bench.receive(request("OPTIONS", via=f"{VIA}1"))
    bench.receive(request("OPTIONS", via=f"{VIA}1;rport"))
    assert len(bench.requests) == 1


def test_an_old_client_is_matched_by_its_headers(bench: Bench) -> None:
    """17.2.3: without the magic cookie, by Via, Call-ID, From-tag and CSeq, as RFC 2543 had it."""
    old = "SIP/2.0/UDP 127.0.0.1:5060"
    bench.receive(request(via=old))
    bench.receive(request(via=old))
    bench.receive(request(via=f"{old};branch=1", call_id="2"))
    bench.receive(request(via=f"{old};branch=1", call_id="2"))
    bench.receive(request(via=f"{old};branch=1", call_id="2", cseq="2 INVITE"))
    assert len(bench.requests) == 3
    (refusal,) = bench.respond(486, "Busy Here")
    assert header(refusal, "Via") == f"{old};branch=1"
    ack = request("ACK", via=f"{old};branch=1", call_id="2", cseq="2 ACK", called=header(refusal, "To"))
    bench.receive(ack)
    assert bench.transaction.state == "Confirmed"


def test_the_same_request_on_two_paths_is_refused_once(bench: Bench) -> None:
    """8.2.2.2: same From-tag, Call-ID and CSeq, another branch: 482."""
    bench.receive(request(via=f"{VIA}1"))
    (refusal,) = bench.receive(request(via=f"{VIA}2"))
    assert start_line(refusal).startswith("SIP/2.0 482 ")
    assert len(bench.requests) == 1
    bench.receive(request(via=f"{VIA}3", cseq="2 INVITE"))
    bench.receive(request("OPTIONS", via=f"{VIA}4"))
    assert len(bench.requests) == 3, "neither a later request nor another method is merged"
    for transaction, _ in bench.requests:
        transaction.respond(200, "OK", bench.now)
    bench.pass_time()
    bench.receive(request(via=f"{VIA}5"))
    assert len(bench.requests) == 4, "nor is one after the first is over"
    bench.respond(486)
    bench.assert_nothing_is_left()


# -- CANCEL


def test_a_cancel_is_answered_at_once_with_the_tag_of_its_invite(bench: Bench) -> None:
    """9.2: 200; the rest is for the INVITE's user."""
    bench.receive(request())
    (ok,) = bench.receive(request("CANCEL"))
    assert start_line(ok) == "SIP/2.0 200 OK"
    assert (header(ok, "CSeq"), header(ok, "Via")) == ("1 CANCEL", f"{VIA}1")
    assert len(bench.cancels) == 1
    (terminated,) = bench.respond(487, "Request Terminated")
    assert header(terminated, "To") == header(ok, "To")
    assert header(terminated, "CSeq") == "1 INVITE"
    assert bench.receive(request("CANCEL")) == [ok]
    assert len(bench.cancels) == 1
    bench.receive(request("ACK"))
    bench.assert_nothing_is_left()


def test_a_cancel_of_nothing_is_refused(bench: Bench) -> None:
    """9.2: 481. It may have overtaken its INVITE, which then is a request like any other."""
    (refusal,) = bench.receive(request("CANCEL"))
    assert start_line(refusal).startswith("SIP/2.0 481 ")
    bench.receive(request())
    assert (len(bench.requests), len(bench.cancels)) == (1, 0)
    bench.respond(486)
    bench.receive(request("ACK"))
    bench.assert_nothing_is_left()


@pytest.mark.parametrize("status_code", [200, 486])
def test_a_cancel_after_the_answer_is_still_answered(bench: Bench, status_code: int) -> None:
    """9.2: 200, as the transaction is there; what it means is the user's affair."""
    bench.receive(request())
    bench.respond(status_code)
    assert told(bench.receive(request("CANCEL"))[0]) == "200"
    bench.receive(request("ACK"))
    bench.assert_nothing_is_left()


def test_only_an_invite_can_be_cancelled(bench: Bench) -> None:
    """9.1: the others are answered at once anyway."""
    bench.receive(request("OPTIONS"))
    assert told(bench.receive(request("CANCEL"))[0]) == "481"
    bench.respond(200)
    bench.assert_nothing_is_left()


# -- ACK


def test_the_ack_of_a_refusal_ends_its_repeating(bench: Bench) -> None:
    """17.1.1.3, 17.2.1: it has the branch of the INVITE and is not for the user."""
    bench.receive(request())
    bench.respond(486)
    assert bench.receive(request("ACK")) == []
    assert (bench.transaction.state, bench.acks) == ("Confirmed", [])
    bench.assert_nothing_is_left()


def test_the_ack_of_a_2xx_with_the_branch_of_its_invite_reaches_the_user(bench: Bench) -> None:
    """RFC 6026 7.1, for clients that do not make a new one."""
    bench.receive(request())
    bench.respond(200)
    bench.receive(request("ACK"))
    assert len(bench.acks) == 1
    bench.assert_nothing_is_left()


def test_an_ack_is_never_answered(bench: Bench) -> None:
    """17: whatever is wrong with it."""
    for data in (
        request("ACK"),
        request("ACK", called="<sip:bob@127.0.0.2>;tag=unknown"),
        request("ACK", cseq="x ACK"),
        request("ACK", cseq="1 INVITE"),
        request("ACK", "tel:+1"),
        request("ACK").replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1),
    ):
        assert bench.receive(data) == []
    bench.assert_nothing_is_left()


# -- dialogs


@pytest.mark.parametrize("method", ["BYE", "INVITE", "INFO", "UPDATE", "OPTIONS", "PRACK", "NOTIFY", "REFER"])
def test_a_request_in_an_unknown_dialog_is_refused(bench: Bench, method: str) -> None:
    """12.2.2: 481, with the tag of the request."""
    (refusal,) = bench.receive(request(method, called="<sip:bob@127.0.0.2>;tag=unknown"))
    assert start_line(refusal) == "SIP/2.0 481 Call/Transaction Does Not Exist"
    assert header(refusal, "To") == "<sip:bob@127.0.0.2>;tag=unknown"
    assert bench.requests == []
    bench.receive(request("ACK", called="<sip:bob@127.0.0.2>;tag=unknown"))
    bench.assert_nothing_is_left()


# -- where answers go


@pytest.mark.parametrize(
    ("via", "source", "completed", "destination"),
    [
        # The address is the one in Via: nothing to add.
        ("127.0.0.1:5060;branch=z9hG4bK1", ("127.0.0.1", 5060), "127.0.0.1:5060;branch=z9hG4bK1", ("127.0.0.1", 5060)),
        ("127.0.0.1;branch=z9hG4bK1", ("127.0.0.1", 6000), "127.0.0.1;branch=z9hG4bK1", ("127.0.0.1", 5060)),
        ("127.0.0.1:5070;branch=z9hG4bK1", ("127.0.0.1", 507), "127.0.0.1:5070;branch=z9hG4bK1", ("127.0.0.1", 5070)),
        # It is not: `received`, and back to the port in Via (18.2.1, 18.2.2).
        (
            "pbx.test:5070;branch=z9hG4bK1",
            ("127.0.0.1", 6000),
            "pbx.test:5070;branch=z9hG4bK1;received=127.0.0.1",
            ("127.0.0.1", 5070),
        ),
        (
            "10.0.0.1;branch=z9hG4bK1",
            ("127.0.0.1", 6000),
            "10.0.0.1;branch=z9hG4bK1;received=127.0.0.1",
            ("127.0.0.1", 5060),
        ),
        # With rport, back to where it came from (RFC 3581 4).
        (
            "10.0.0.1:5070;rport;branch=z9hG4bK1",
            ("127.0.0.1", 6000),
            "10.0.0.1:5070;received=127.0.0.1;rport=6000;branch=z9hG4bK1",
            ("127.0.0.1", 6000),
        ),
        (
            "10.0.0.1;branch=z9hG4bK1;rport",
            ("127.0.0.1", 6000),
            "10.0.0.1;branch=z9hG4bK1;received=127.0.0.1;rport=6000",
            ("127.0.0.1", 6000),
        ),
        (
            "127.0.0.1:5060;branch=z9hG4bK1;rport",
            ("127.0.0.1", 5060),
            "127.0.0.1:5060;branch=z9hG4bK1;received=127.0.0.1;rport=5060",
            ("127.0.0.1", 5060),
        ),
        # maddr is not followed.
        (
            "127.0.0.1:5060;maddr=127.0.0.99;branch=z9hG4bK1",
            ("127.0.0.1", 5060),
            "127.0.0.1:5060;maddr=127.0.0.99;branch=z9hG4bK1",
            ("127.0.0.1", 5060),
        ),
    ],
)
def test_an_answer_goes_back_as_via_and_source_say(
    bench: Bench, via: str, source: tuple[str, int], completed: str, destination: tuple[str, int]
) -> None:
    bench.receive(request("OPTIONS", via=f"SIP/2.0/UDP {via}"), Hop(UDP, source))
    (ok,) = bench.respond(200, "OK")
    assert header(ok, "Via") == f"SIP/2.0/UDP {completed}"
    assert bench.hops == [Hop(UDP, destination)]


@pytest.mark.parametrize(
    ("via", "completed", "port"),
    [
        ("[::1]:5070;branch=z9hG4bK1", "[::1]:5070;branch=z9hG4bK1", 5070),
        ("[::1];branch=z9hG4bK1;rport", "[::1];branch=z9hG4bK1;received=::1;rport=6000", 6000),
        ("[2001:db8::9]:5070;branch=z9hG4bK1", "[2001:db8::9]:5070;branch=z9hG4bK1;received=::1", 5070),
    ],
)
def test_answers_over_ipv6(bench: Bench, via: str, completed: str, port: int) -> None:
    """18.2.1, RFC 3581; `received` is an address without brackets (25.1 via-received)."""
    bench.receive(request("OPTIONS", via=f"SIP/2.0/UDP {via}"), Hop(UDP6, ("::1", 6000)))
    (ok,) = bench.respond(200, "OK")
    assert header(ok, "Via") == f"SIP/2.0/UDP {completed}"
    assert (bench.hops[0].local, bench.hops[0].address[:2]) == (UDP6, ("::1", port))


@pytest.mark.parametrize(("local", "port"), [(TCP, 5060), (TLS, 5061)])
def test_an_answer_over_a_connection_goes_back_on_it(bench: Bench, local: Local, port: int) -> None:
    """18.2.2: the connection if it is still there, else a new one to the port in Via."""
    via = f"SIP/2.0/{local.transport} 127.0.0.1;branch=z9hG4bK1;rport"
    bench.receive(request("OPTIONS", via=via), Hop(local, ("127.0.0.1", 40_000)))
    bench.respond(200, "OK")
    assert bench.hops == [Hop(local, ("127.0.0.1", 40_000), ("127.0.0.1", port))]


def test_only_the_first_via_is_completed(bench: Bench) -> None:
    """18.2.1; whether they stand in one line or in several."""
    bench.receive(request("OPTIONS", via=f"{VIA}1;rport, SIP/2.0/TCP 10.0.0.1;branch=z9hG4bK0;rport"))
    (ok,) = bench.respond(200, "OK")
    completed = f"{VIA}1;received=127.0.0.1;rport=5060, SIP/2.0/TCP 10.0.0.1;branch=z9hG4bK0;rport"
    assert headers_of(ok, "Via") == [completed]


# -- refusing what cannot be used


def without(name: str, data: bytes) -> bytes:
    lines = data.decode("latin-1").split("\r\n")
    return "\r\n".join(line for line in lines if not line.startswith(f"{name}:")).encode("latin-1")


GOOD = request("OPTIONS", body=b"12345")


@pytest.mark.parametrize(
    ("data", "status_code"),
    [
        (GOOD.replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1), 505),
        (GOOD.replace(b"OPTIONS sip:bob@127.0.0.2", b"OPTIONS tel:+12065550100"), 416),
        (GOOD.replace(b"OPTIONS sip:bob@127.0.0.2", b"OPTIONS unknown:bob"), 416),
        (GOOD.replace(b"OPTIONS sip:bob@127.0.0.2", b"OPTIONS sip:bob@127.0.0.2:99999"), 400),
        (GOOD.replace(b"OPTIONS sip:bob@127.0.0.2", b"OPTIONS sip:bob@[::1"), 400),
        (GOOD.replace(b"OPTIONS sip:bob@127.0.0.2", b"OPTIONS  sip:bob@127.0.0.2"), 400),
        (GOOD.replace(b"OPTIONS sip:bob@127.0.0.2", b"OPTIONS <sip:bob@127.0.0.2>"), 400),
        (GOOD.replace(b"OPTIONS sip:bob@127.0.0.2", b"OPTIONS sip:bob@127.0.0.2 sip:x"), 400),
        (GOOD.replace(b"1 OPTIONS", b"1 INVITE"), 400),
        (GOOD.replace(b"1 OPTIONS", b"OPTIONS"), 400),
        (GOOD.replace(b"1 OPTIONS", b"-1 OPTIONS"), 400),
        (GOOD.replace(b"1 OPTIONS", b"2147483648 OPTIONS"), 400),
        (GOOD.replace(b"Max-Forwards: 70", b"Max-Forwards: 256"), 400),
        (GOOD.replace(b"Max-Forwards: 70", b"Max-Forwards: many"), 400),
        (GOOD.replace(b"Content-Length: 5", b"Content-Length: 6"), 400),
        (GOOD.replace(b"Content-Length: 5", b"Content-Length: -5"), 400),
        (GOOD.replace(b"Content-Length: 5", b"Content-Length: 9999999999999999999999"), 400),
        (GOOD.replace(b"CSeq:", b"CSeq: 1 OPTIONS\r\nCSeq:"), 400),
        (GOOD.replace(b"Call-ID:", b"Call-ID: 2\r\nCall-ID:"), 400),
        (GOOD.replace(b"From:", b"From: <sip:x@y>;tag=z\r\nFrom:"), 400),
        (GOOD.replace(b"From: <sip:alice@127.0.0.1>", b"From: <sip:alice@127.0.0.1"), 400),
        (GOOD.replace(b"To: <sip:bob@127.0.0.2>", b"To: \"bob <sip:bob@127.0.0.2>"), 400),
        (GOOD.replace(b";branch=", b";;branch="), 400),
    ],
)  # fmt: skip
def test_a_broken_request_is_refused_without_keeping_anything(bench: Bench, data: bytes, status_code: int) -> None:
    """8.2.2.1, 8.2.7, 18.3, 21.4.1, 21.5.6: what is wrong stands in the reason phrase."""
    answers = bench.receive(data)
    assert [told(reply) for reply in answers] == [str(status_code)]
    (reply,) = answers
    assert header(reply, "Call-ID") in ("1@127.0.0.1", "2")
    assert header(reply, "CSeq") == headers_of(data, "CSeq")[0]
    assert header(reply, "From") == headers_of(data, "From")[0]
    assert header(reply, "To").startswith(header(data, "To") + ";tag=")
    assert header(reply, "Content-Length") == "0"
    assert (bench.stack.open_transactions, len(bench.stack.timers), bench.requests) == (0, 0, [])
    assert bench.receive(data) == answers, "8.2.7: the same answer with the same tag each time"


def test_a_broken_request_in_a_dialog_is_refused_with_the_tag_it_has(bench: Bench) -> None:
    """8.2.6.2."""
    (reply,) = bench.receive(request("BYE", called="<sip:bob@127.0.0.2>;tag=b", cseq="none BYE"))
    assert (told(reply), header(reply, "To")) == ("400", "<sip:bob@127.0.0.2>;tag=b")


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_a_request_that_lacks_what_an_answer_needs_is_dropped(bench: Bench, name: str) -> None:
    """8.1.1, 8.2.6."""
    assert bench.receive(without(name, GOOD)) == []
    assert sum(bench.stack.dropped.values()) == 1
    bench.assert_nothing_is_left()


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_a_via_that_cannot_be_answered_to_is_answered_to_the_source(bench: Bench, port: str) -> None:
    """No socket can send to such a port; the peer is still told."""
    answers = bench.receive(request("OPTIONS", via=f"SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK1"))
    assert [told(reply) for reply in answers] == ["400"]
    assert bench.hops == [PEER]


def test_a_truncated_datagram_is_refused_within_a_dialog_too(bench: Bench) -> None:
    """18.3."""
    data = request("INFO", called="<sip:bob@127.0.0.2>;tag=b", body=b"0123456789")
    assert told(bench.receive(data[:-1])[0]) == "400"


def test_what_is_behind_the_body_is_ignored(bench: Bench) -> None:
    """18.3: over UDP."""
    bench.receive(GOOD + b"more")
    assert bench.requests[0][1].body == b"12345"


def test_a_stream_that_cannot_be_framed_is_answered_where_that_is_possible(bench: Bench) -> None:
    """18.3, 20.14: the edge cuts the stream and hands over the head it stopped at."""
    hop = Hop(TCP, ("127.0.0.1", 40_000))
    head = request("OPTIONS", via="SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK1").partition(b"Content-Length")[0]
    bench.stack.refuse_stream(head + b"\r\n", 400, "Content-Length is missing", hop)
    assert [told(data) for data in bench.sent()] == ["400"]
    assert bench.hops[0].address == ("127.0.0.1", 40_000)
    for rubbish in (b"\0\0\0", answer(head), request("ACK")):
        bench.stack.refuse_stream(rubbish, 400, "Content-Length is missing", hop)
    assert bench.sent() == []
    bench.assert_nothing_is_left()


# -- overload


def test_new_calls_are_refused_while_overloaded_and_cost_nothing(bench: Bench) -> None:
    """21.5.4: 503 with Retry-After, no transaction; its ACK is dropped."""
    bench.stack.overloaded = True
    answers = bench.receive(request())
    assert [start_line(reply) for reply in answers] == ["SIP/2.0 503 Service Unavailable"]
    assert header(answers[0], "Retry-After") == "7"
    assert (bench.stack.open_transactions, len(bench.stack.timers), bench.requests) == (0, 0, [])
    assert bench.receive(request()) == answers
    assert bench.receive(request("ACK", called=header(answers[0], "To"))) == []


def test_what_belongs_to_calls_in_progress_is_served_while_overloaded(bench: Bench) -> None:
    """RFC 6357 5.2: refuse new work first."""
    invite = request()
    bench.receive(invite)
    (trying,) = bench.respond(100, "Trying")
    bench.stack.overloaded = True
    assert bench.receive(invite) == [trying]
    assert told(bench.receive(request("CANCEL"))[0]) == "200"
    bench.receive(request("OPTIONS", via=f"{VIA}2"))
    assert len(bench.requests) == 2
    assert told(bench.receive(request("BYE", via=f"{VIA}3", called="<sip:b@c>;tag=x"))[0]) == "481"


def test_the_core_may_take_a_call_although_overloaded(bench: Bench) -> None:
    bench.stack.overloaded = True
    bench.overload = None
    bench.receive(request())
    assert len(bench.requests) == 1


# -- transport errors and faults


def test_a_transport_error_reaches_the_transactions_of_that_peer_and_transport_only(bench: Bench) -> None:
    """8.1.3.1, 17.1.4: UDP or TCP, one address."""
    for hop in (PEER, Hop(UDP, ("127.0.0.1", 5070)), Hop(TCP, ("127.0.0.1", 5060))):
        bench.request("OPTIONS", hop)
    bench.stack.transport_failed(PEER, "ICMP says: ECONNREFUSED", 0.0)
    assert (bench.failures, bench.stack.open_transactions) == (["503"], 2)
    bench.stack.transport_failed(PEER, "ICMP says: ECONNREFUSED", 0.0)
    assert bench.failures == ["503"]


def test_what_is_in_hand_when_a_fault_happens_is_known_for_cleaning_up(bench: Bench) -> None:
    """So that a fault of ours ends the call it happened in, and no other."""
    bench.receive(request())
    sent = bench.request("OPTIONS")
    assert bench.stack.in_hand is None
    bench.faulty = True
    with pytest.raises(RuntimeError):
        bench.receive(request("CANCEL"))
    assert isinstance(bench.stack.in_hand, ServerTransaction)
    assert bench.stack.in_hand.log is bench.transaction.log
    with pytest.raises(RuntimeError):
        bench.receive(answer(sent))
    assert isinstance(bench.stack.in_hand, ClientTransaction)
    bench.receive(request("ACK", via=f"{VIA}9", called="<sip:b@c>;tag=x"))
    assert bench.stack.in_hand is None


def test_of_two_listeners_with_a_name_and_transport_the_first_one_sends(bench: Bench) -> None:
    """18.2.2: answers leave from where the request arrived; what we begin leaves from the first."""
    first, second = Local("region", "UDP", "192.0.2.1", 5060), Local("region", "UDP", "192.0.2.2", 5060)
    bench.stack.add_local(first)
    bench.stack.add_local(second)
    assert bench.stack.locals["region", "UDP"] is first
    bench.receive(request("OPTIONS"), Hop(second, ("192.0.2.9", 5060)))
    bench.respond(200)
    assert bench.hops[0].local is second

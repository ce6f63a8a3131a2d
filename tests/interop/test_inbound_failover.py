"""Calls from the PSTN with three tiers of targets: each way in which the first two fail, and the third takes the call.

Guide p. 61, for the priorities. How each failure is told, and that its time stands in `explain`: the configuration's
`provisional_timeout`, RFC 3261 8.1.3.1 and 18.4 for what a transport says, RFC 3263 4 for names.
"""

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise

import pytest

from tests.interop.emulator import Emulator, Transport, configuration, new_place, running_emulator, wait_for
from tests.interop.inbound import OWN_PBX, THREE_TIERS, Inbound
from tests.interop.name_server import NameServer
from tests.interop.peers import program
from tests.interop.test_inbound_calls import refusal

pytestmark = pytest.mark.interop

NOBODY = "127.0.0.3"
"""A host where nobody listens."""


class ResettingServer:
    """Takes connections, and breaks each off with RST as soon as a piece of an INVITE has come."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._listener = socket.create_server(address)
        self._thread = threading.Thread(target=self._reset, daemon=True)
        self._thread.start()

    def _reset(self) -> None:
        connection, _ = self._listener.accept()
        connection.recv(100)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    def close(self) -> None:
        self._listener.close()


Start = Callable[[Inbound, int], object]


def nobody(inbound: Inbound, port: int) -> None:
    """Nobody listens."""


def silent(inbound: Inbound, port: int) -> None:
    inbound.pbx("silent", port=port, wait_ms=5000)


def refusing(inbound: Inbound, port: int) -> None:
    inbound.pbx("refuse", "-key", "answer", "SIP/2.0 503 Service Unavailable", port=port)


def resetting(inbound: Inbound, port: int) -> None:
    inbound.exit.enter_context(closing(ResettingServer(inbound.place.at("127.0.0.1", port))))


def answering(inbound: Inbound, port: int) -> None:
    inbound.pbx("answer", port=port)


@dataclass(frozen=True, slots=True)
class Failure:
    """A way in which a target fails."""

    number: str
    port: int
    """Of the first target; the second one has the next port."""
    start: Start
    outcome: str
    """What `explain` says of it, as a regular expression."""
    protocol: str = "UDP"
    host: str = "127.0.0.1"
    seconds: tuple[float, float] = (0, 0.4)
    """How long it takes at least and at most."""


FAILURES = {
    "silence": Failure("+12065550120", 6000, silent, "no provisional answer within 1 s", seconds=(1, 1.4)),
    "nobody there (ICMP)": Failure("+12065550121", 6010, nobody, "ICMP says: ECONNREFUSED"),
    "connection refused": Failure("+12065550122", 6020, nobody, "cannot connect to .*: Connection refused", "TCP"),
    "connection broken off": Failure("+12065550123", 6030, resetting, ".*broke off the connection.*", "TCP"),
    "503": Failure("+12065550124", 6040, refusing, "it answered 503 Service Unavailable"),
    "a name that is not there": Failure(
        "+12065550125", 6050, nobody, r"gone\.example does not (resolve|exist).*", host="gone.example"
    ),
}  # fmt: skip
TWO_ADDRESSES, TWO_ADDRESSES_PORT = "+12065550126", 6060
NAME_SERVER = 5300
RING_SECONDS = 3.0


def connector(number: str, *routes: tuple[str, int, str]) -> str:
    """A connector with routes in the order of their priorities."""
    text = f'\n[[voice_connectors]]\nVoiceConnectorId = "tiers{number[1:]}000000"\nPhoneNumbers = ["{number}"]\n'
    for priority, (host, port, protocol) in enumerate(routes, 1):
        text += f'[[voice_connectors.Origination.Routes]]\nHost = "{host}"\nPort = {port}\n'
        text += f'Protocol = "{protocol}"\nPriority = {priority}\n'
    return text


@pytest.fixture(scope="module")
def inbound_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulator with inbound.toml, a connector for each failure, and a name server."""
    program("sipp")
    place = new_place()
    config = configuration("sipp", "inbound.toml").replace("[overrides]", f"[overrides]\nring_timeout = {RING_SECONDS}")
    config += f'\n[dns]\nresolver = "127.0.0.1:{NAME_SERVER}"\n'
    for failure in FAILURES.values():
        failing = ((failure.host, port, failure.protocol) for port in (failure.port, failure.port + 1))
        config += connector(failure.number, *failing, ("127.0.0.1", failure.port + 2, "UDP"))
    config += connector(TWO_ADDRESSES, ("two.example", TWO_ADDRESSES_PORT, "UDP"))
    names = {"two.example": (place.at(NOBODY)[0], place.host)}
    with closing(NameServer(place.at("127.0.0.1", NAME_SERVER), names)):
        yield from running_emulator(config, place, tmp_path_factory.mktemp("failover"))


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_two_tiers_that_fail_lead_to_the_third(inbound: Inbound, failure: Failure) -> None:
    for port, start in enumerate((failure.start, failure.start, answering), failure.port):
        start(inbound, port)
    caller = inbound.caller("call", failure.number).finish()
    call = inbound.call(caller)
    assert "180 Ringing" in caller.statuses()
    assert [status for status in caller.statuses() if status[0] in "3456"] == [], "the caller hears nothing of it"
    *failed, taken = call.details()["Attempts"]
    assert [one["Priority"] for one in (*failed, taken)] == [1, 2, 3]
    assert taken["Outcome"] == "it answered the call"
    for one, following in pairwise((*failed, taken)):
        assert re.fullmatch(failure.outcome, one["Outcome"]), one
        assert failure.seconds[0] <= one["Seconds"] <= failure.seconds[1], call.explain()
        assert following["StartTime"] - one["StartTime"] == pytest.approx(one["Seconds"], abs=0.05)
        assert f"{one['Outcome']} ({one['Seconds']:.3f} s); the next one's turn" in call.explain()
    assert inbound.completed(caller)["DestinationPhoneNumber"] == failure.number


def test_the_second_address_of_a_name_is_tried_when_the_first_is_dead(inbound: Inbound) -> None:
    """RFC 3263 4.2, 4.3."""
    inbound.pbx("answer", port=TWO_ADDRESSES_PORT)
    caller = inbound.caller("call", TWO_ADDRESSES).finish()
    dead, alive = inbound.call(caller).details()["Attempts"]
    assert dead["Target"] == f"UDP {inbound.place.at(NOBODY)[0]}:{TWO_ADDRESSES_PORT}"
    assert (dead["Outcome"], dead["Host"]) == ("ICMP says: ECONNREFUSED", "two.example")
    assert (alive["Target"], alive["Priority"]) == (f"UDP {inbound.place.host}:{TWO_ADDRESSES_PORT}", 1)
    explanation = inbound.call(caller).explain()
    assert re.search(r"two\.example leads to \S+, \S+ \(\d\.\d{3} s\)", explanation)
    assert f"{dead['Target']} (two.example), priority 1" in explanation
    inbound.completed(caller)


def test_different_failures_in_one_call(inbound: Inbound) -> None:
    refusing(inbound, 5082)
    answering(inbound, 5080)
    caller = inbound.caller("call", THREE_TIERS).finish()
    assert inbound.tried(caller) == [
        ("5081", "ICMP says: ECONNREFUSED"),
        ("5082", "it answered 503 Service Unavailable"),
        ("5080", "it answered the call"),
    ]
    inbound.completed(caller)


def test_when_all_of_them_fail_the_caller_is_told_which(inbound: Inbound) -> None:
    refusing(inbound, 5082)
    caller = inbound.caller("call_refused", THREE_TIERS).finish()
    answer = refusal(caller)
    assert answer.status == "503 Service Unavailable: 3 of 3 targets failed"
    for port in (5081, 5082, 5080):
        assert f"UDP {inbound.place.host}:{port}:" in answer.header("Warning")
    assert inbound.record(caller)["Status"] == "Failed"
    assert "Look whether the PBX listens" in inbound.call(caller).explain()


@pytest.mark.parametrize(
    ("status", "told"),
    [("404 Not Found", "404"), ("486 Busy Here", "486"), ("603 Decline", "603"), ("302 Moved Temporarily", "502")],
)
def test_an_answer_that_is_no_failure_of_the_target_is_final(inbound: Inbound, status: str, told: str) -> None:
    """The next tier is not asked. RFC 3261 8.1.3.4: a trunk need not follow 302, and does not pass it on."""
    next_one = inbound.pbx("answer", port=5082)
    inbound.pbx("refuse", "-key", "answer", f"SIP/2.0 {status}", port=5081)
    caller = inbound.caller("call_refused", THREE_TIERS).finish()
    assert refusal(caller).status.startswith(told)
    assert inbound.tried(caller) == [("5081", f"it answered {status}")]
    assert not next_one.received()
    assert inbound.record(caller)["Status"] == "Failed"


def test_a_pbx_that_rings_for_too_long_is_left_and_no_other_is_tried(inbound: Inbound) -> None:
    """RFC 3261 9.1: the PBX gets a CANCEL; 21.4.18: the caller is told that nobody is available."""
    next_one = inbound.pbx("answer", port=5082)
    pbx = inbound.pbx("ring", port=5081)
    caller = inbound.caller("call_refused", THREE_TIERS).finish()
    pbx.finish()
    assert pbx.requests() == ["INVITE", "CANCEL", "ACK"]
    assert refusal(caller).status.startswith("480 ")
    assert not next_one.received()
    assert f"nobody answered within {RING_SECONDS:g} s" in inbound.call(caller).explain()
    assert inbound.record(caller)["Status"] == "Failed"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_pbx_that_nobody_hears_of_is_the_only_one(inbound: Inbound, transport: Transport) -> None:
    caller = inbound.caller("call_refused", OWN_PBX[transport], transport=transport).finish()
    assert refusal(caller).status == "503 Service Unavailable: no answer"
    assert "refused" in refusal(caller).header("Warning").lower()
    assert inbound.record(caller)["Status"] == "Failed"


def test_a_late_answer_of_a_target_that_was_left_is_acknowledged_and_released(inbound: Inbound) -> None:
    """RFC 3261 13.2.2.4; the call goes on with the other one."""
    late = inbound.pbx("answer_late", port=5081, wait_ms=1300)
    inbound.pbx("answer", port=5082)
    caller = inbound.caller("call", THREE_TIERS, talk_ms=1000).finish()
    late.finish()
    assert late.requests() == ["INVITE", "ACK", "BYE"]
    assert inbound.tried(caller) == [
        ("5081", "no provisional answer within 1 s"),
        ("5082", "it answered the call"),
    ]
    inbound.completed(caller)
    wait_for("nothing to be left open", inbound.emulator.is_idle)

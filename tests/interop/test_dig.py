"""dig and dnspython agree with what the emulator lists, over UDP and TCP, one query or thousands."""

import json
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import dns.message
import dns.query
import pytest

from tests.interop.emulator import Emulator, new_place, running_emulator, wait_for
from tests.interop.peers import program
from tests.interop.stage import DIGEST, ECHO, OPEN, Stage

pytestmark = pytest.mark.interop

CONNECTORS = {"abcdef1ghij2klmno3pqr4": "us-east-1", "0123456789abcdefghijkl": "us-west-2"}
CONFIGURATION = """
[http]
address = "127.0.0.1:8060"
[regions.us-east-1]
udp = "127.0.0.1:5060"
further_addresses = ["127.0.0.2", "127.0.0.3"]
[regions.us-west-2]
udp = "[::1]:5062"
[pstn]
address = "127.0.0.1:5070"
""" + "".join(
    f'[[voice_connectors]]\nVoiceConnectorId = "{id_}"\nName = "lab"\nAwsRegion = "{region}"\n'
    for id_, region in CONNECTORS.items()
)
RATE, SECONDS = 2_000, 2


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    yield from running_emulator(CONFIGURATION, new_place(), tmp_path_factory.mktemp("dig"))


Dig = Callable[..., str]


@pytest.fixture
def dig(emulator: Emulator) -> Dig:
    def run(*arguments: str) -> str:
        command = [program("dig"), f"@{emulator.place.host}", "-p", "8053", "+time=2", "+tries=1", *arguments]
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        assert result.returncode == 0, result.stdout
        assert "WARNING: Message parser" not in result.stdout
        return result.stdout

    return run


def host_of(connector: str) -> str:
    return f"{connector}.voiceconnector.chime.aws"


def listeners(emulator: Emulator) -> dict[str, str]:
    told: dict[str, dict[str, str]] = json.loads(emulator.text("/emulator/health"))
    return told["listeners"]


@pytest.mark.parametrize("protocol", ["+notcp", "+tcp"])
@pytest.mark.parametrize("connector", CONNECTORS)
def test_every_connector_leads_to_the_listeners_of_its_region(
    emulator: Emulator, dig: Dig, connector: str, protocol: str
) -> None:
    name = host_of(connector)
    listener = listeners(emulator)[f"{CONNECTORS[connector]} UDP"]
    address, _, port = listener.rpartition(":")
    type_ = "AAAA" if "[" in address else "A"
    assert address.strip("[]") in dig(protocol, "+short", name, type_).split()
    assert dig(protocol, "+short", f"_sip._udp.{name}", "SRV").split() == ["10", "10", port, f"{name}."]
    naptr = dig(protocol, "+short", name, "NAPTR").splitlines()
    services = [f"_sip._tcp.{name}.", f"_sip._udp.{name}.", f"_sips._tcp.{name}."]
    assert sorted(line.split()[-1] for line in naptr) == services


def test_several_addresses_take_turns(dig: Dig) -> None:
    answers = [dig("+short", host_of("abcdef1ghij2klmno3pqr4")).split() for _ in range(3)]
    assert len({answer[0] for answer in answers}) == 3
    assert len({frozenset(answer) for answer in answers}) == 1


def test_what_is_not_there_and_not_ours(dig: Dig) -> None:
    absent = dig(host_of("nosuchconnector0000000"))
    assert "status: NXDOMAIN" in absent
    assert re.search(r"\sSOA\s+ns\.voiceconnector\.chime\.aws\.", absent)
    assert "status: REFUSED" in dig("example.com")
    assert "status: NOTIMP" in dig("+opcode=notify", host_of("abcdef1ghij2klmno3pqr4"))


def test_dnspython_sees_what_dig_sees(emulator: Emulator, dig: Dig) -> None:
    for connector in CONNECTORS:
        for type_ in ("A", "AAAA", "NAPTR"):
            query = dns.message.make_query(host_of(connector), type_, use_edns=0)
            answer = dns.query.udp(query, emulator.place.host, 5, 8053)
            seen = {rdata.to_text() for rrset in answer.answer for rdata in rrset}
            assert seen == set(dig("+short", host_of(connector), type_).splitlines())


def test_every_further_address_takes_requests(emulator: Emulator, dig: Dig) -> None:
    """A PBX may use any of them: the answer comes from where the request was sent."""
    name = host_of("abcdef1ghij2klmno3pqr4")
    addresses = dig("+short", name).split()
    assert len(addresses) == 3
    for address in addresses:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as phone:
            phone.settimeout(5)
            phone.connect((address, 5060))
            phone.send(
                f"OPTIONS sip:{name} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {phone.getsockname()[0]};branch=z9hG4bK{address};rport\r\n"
                f"From: <sip:a@b>;tag=1\r\nTo: <sip:{name}>\r\nCall-ID: {address}\r\nCSeq: 1 OPTIONS\r\n"
                "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n".encode()
            )
            assert phone.recv(65_535).startswith(b"SIP/2.0 ")


def test_2000_queries_a_second_are_all_answered_beside_a_call(stage: Stage) -> None:
    """From a client that keeps the rate, while a sipp PBX talks to the PSTN; both are well."""
    caller = stage.pbx("call", ECHO, talk_ms=1000 * SECONDS)
    wait_for("the call", lambda: any(call.fields["CallId"] == caller.call_id for call in stage.emulator.calls()))
    queries = [
        dns.message.make_query(host_of(id_), type_).to_wire() for id_ in (OPEN, DIGEST) for type_ in ("A", "NAPTR")
    ]
    sent = 0
    answered: set[bytes] = set()
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        client.connect((stage.emulator.place.host, 8053))
        client.settimeout(0.001)
        started = time.monotonic()
        while len(answered) < RATE * SECONDS and time.monotonic() < started + SECONDS + 5:
            due = min(int((time.monotonic() - started) * RATE), RATE * SECONDS)
            for number in range(sent, due):
                client.send(number.to_bytes(2) + queries[number % len(queries)][2:])
            sent = max(sent, due)
            with suppress(TimeoutError):
                while True:
                    answered.add(client.recv(4096)[:2])
    assert len(answered) == RATE * SECONDS
    caller.finish()
    assert stage.record(caller)["Status"] == "Completed"

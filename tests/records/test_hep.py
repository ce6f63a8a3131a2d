"""HEP version 3, chunk by chunk, as its specification lists them."""

import socket
import struct

import pytest

from voiceconnector.records.hep import packet
from voiceconnector.records.pcapng import Frame
from voiceconnector.records.sinks import Collector

FRAME = Frame(
    1_700_000_000.25, "UDP", ("192.0.2.10", 5080), ("203.0.113.1", 5060), False, b"OPTIONS sip:b SIP/2.0\r\n\r\n"
)
FRAME6 = FRAME._replace(source=("2001:db8::1", 5080), destination=("2001:db8::2", 5061), transport="TLS")


def chunks(data: bytes) -> dict[int, bytes]:
    assert data[:4] == b"HEP3"
    assert struct.unpack_from("!H", data, 4) == (len(data),)
    found, data = {}, data[6:]
    while data:
        vendor, kind, size = struct.unpack_from("!HHH", data)
        assert vendor == 0
        found[kind] = data[6:size]
        data = data[size:]
    return found


def test_a_message_over_ipv4_has_these_chunks() -> None:
    assert chunks(packet(FRAME, 2001, "myhep", "e816ba0e-33a4")) == {
        1: b"\x02",  # IP family, AF_INET
        2: b"\x11",  # UDP
        3: bytes([192, 0, 2, 10]),
        4: bytes([203, 0, 113, 1]),
        7: (5080).to_bytes(2),
        8: (5060).to_bytes(2),
        9: (1_700_000_000).to_bytes(4),
        10: (250_000).to_bytes(4),
        11: b"\x01",  # SIP
        12: (2001).to_bytes(4),
        14: b"myhep",
        15: FRAME.data,
        17: b"e816ba0e-33a4",
    }


def test_a_message_over_tls_and_ipv6_is_told_as_tcp() -> None:
    found = chunks(packet(FRAME6, 1))
    assert (found[1], found[2]) == (b"\x0a", b"\x06")
    assert (found[5], found[6]) == (
        socket.inet_pton(socket.AF_INET6, "2001:db8::1"),
        bytes.fromhex("20010db8" + "0" * 23 + "2"),
    )
    assert not {3, 4, 14, 17} & found.keys()


def test_of_a_message_that_no_datagram_holds_the_beginning_is_sent() -> None:
    data = packet(FRAME._replace(data=b"x" * 66_000), 1, "password", "correlation")
    assert len(data) == 65_507
    assert set(chunks(data)[15]) == set(b"x")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_collector_that_is_gone_is_told_once_and_counted(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    told: list[str] = []
    with socket.socket(family, socket.SOCK_DGRAM) as listening:
        try:
            listening.bind((host, 0))
        except OSError:
            pytest.skip(f"this machine has no {host}")
        port = listening.getsockname()[1]
        collector = Collector(host, port, told.append)
        collector.send(b"one")
        assert listening.recv(100) == b"one"
    while collector.lost < 2:
        collector.send(b"nobody takes this")
    with socket.socket(family, socket.SOCK_DGRAM) as again:
        again.bind((host, port))
        collector.send(b"here it is again")
        assert again.recv(100) == b"here it is again"
    collector.close()
    assert len(told) == 1
    assert f"{host} port {port}" in told[0]
    assert "refused" in told[0]

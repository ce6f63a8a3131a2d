"""HEP version 3: a SIP message with where it came from and when, as Homer and its kin collect them.

The Extensible Encapsulation Protocol of the SIPCAPTURE project. All numbers are in network byte order.

    packet:  "HEP3" | length of it all (2) | chunks
    chunk:   vendor (2), 0 for the generic ones | type (2) | length of it all (2) | value
"""

from ipaddress import ip_address
from struct import Struct

from .pcapng import Frame

LARGEST = 65_507
"""Bytes in a UDP datagram over IPv4."""
SIP = 1
"""Protocol type of what is carried."""
_FAMILIES = {4: 2, 6: 10}
"""IP version -> Linux's AF_INET and AF_INET6, as the protocol has it."""
_TRANSPORTS = {"UDP": 17, "TCP": 6, "TLS": 6}

_head = Struct("!4sH").pack
_chunk = Struct("!HHH").pack
_facts = Struct("!HHHB HHHB HHHH HHHH HHHI HHHI HHHB HHHI").pack
"""Family, IP protocol, ports, time, protocol type and capture agent: the chunks whose length is always the same."""


def packet(frame: Frame, capture_id: int, password: str = "", correlation_id: str = "") -> bytes:
    """A SIP message for a collector. `password` is the authenticate key, which goes in clear.

    `correlation_id` is the same in all that belongs together. What a datagram has no room for is cut off.
    """
    source, destination = ip_address(frame.source[0]), ip_address(frame.destination[0])
    seconds, microseconds = divmod(round(frame.time * 1_000_000), 1_000_000)
    addresses = (3, 4) if source.version == 4 else (5, 6)
    chunks = _facts(
        0, 1, 7, _FAMILIES[source.version],
        0, 2, 7, _TRANSPORTS[frame.transport],
        0, 7, 8, frame.source[1],
        0, 8, 8, frame.destination[1],
        0, 9, 10, seconds,
        0, 10, 10, microseconds,
        0, 11, 7, SIP,
        0, 12, 10, capture_id,
    )  # fmt: skip
    for kind, value in zip(addresses, (source.packed, destination.packed), strict=True):
        chunks += _chunk(0, kind, len(value) + 6) + value
    for kind, word in ((14, password), (17, correlation_id)):
        if word:
            value = word.encode()
            chunks += _chunk(0, kind, len(value) + 6) + value
    payload = frame.data[: LARGEST - len(chunks) - 12]
    chunks += _chunk(0, 15, len(payload) + 6) + payload
    return _head(b"HEP3", len(chunks) + 6) + chunks

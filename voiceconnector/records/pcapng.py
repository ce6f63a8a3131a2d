"""A call as a file for Wireshark: pcapng, as draft-ietf-opsawg-pcapng describes it.

Takes what crossed the wire, decoded, and puts around it the headers it had there: IP with UDP or TCP, whose
checksums and sequence numbers are right, but whose handshakes and acknowledgements nobody has seen. What came
over TLS has no TCP segments that could be shown in clear: it is an exported PDU, which names its dissector.

    section header (comment) -> interfaces: IP packets, exported PDUs -> TLS secrets -> packets in order of time

    block:   type | length | body, padded to 4 bytes | length        option:   code | length | value, padded
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import ip_address
from struct import Struct
from typing import NamedTuple

from .ladder import without_secrets

SECTION_HEADER, INTERFACE, PACKET, SECRETS = 0x0A0D0D0A, 1, 6, 10
LINKTYPE_RAW, LINKTYPE_UPPER_PDU = 101, 252
"""IP without anything below it; an exported PDU."""
IP_PACKETS, EXPORTED_PDUS = 0, 1
"""Numbers of the interfaces."""
COMMENT, USER_APPLICATION, INTERFACE_NAME, FLAGS = 1, 4, 2, 2
TLS_KEY_LOG = 0x544C534B
UDP, TCP = 17, 6
PUSH_AND_ACK = 0x18
HOP_LIMIT = 64
LARGEST_SEGMENT = 65_000
"""Bytes of TCP in one packet; no IP packet has room for more than 65,535."""
LARGEST_DATAGRAM = 65_507
"""Bytes that UDP carries over IPv4. Of what was too long to be sent, the beginning is shown."""
CHUNK = 16_384
"""Bytes of the file that are handed on at a time: a millisecond's work, for which others may have to wait."""

Address = tuple[str, int]
"""IP address and port."""

_block = Struct("<II").pack
_section = Struct("<IHHq").pack
_interface = Struct("<HHI").pack
_packet = Struct("<IIIII").pack
_option = Struct("<HH").pack
_length = Struct("<I").pack
_ipv4 = Struct("!BBHHHBBH4s4s").pack
_ipv6 = Struct("!IHBB16s16s").pack
_udp = Struct("!HHHH").pack
_tcp = Struct("!HHIIBBHHH").pack
_tag = Struct("!HH").pack
_port = Struct("!I").pack


class Frame(NamedTuple):
    """A message or packet as it crossed the wire, decoded."""

    time: float
    """Seconds since the epoch."""
    transport: str
    """ "UDP", "TCP" or "TLS", which carried SIP."""
    source: Address
    destination: Address
    sent: bool
    """Whether it left the emulator; else it came to it."""
    data: bytes


def capture_file(frames: Iterable[Frame], comment: str, tls_key_log: bytes = b"") -> Iterator[bytes]:
    """The file, in pieces. `frames` in the order of their times; `tls_key_log` as NSS writes it.

    Never more of it is in memory than a piece.
    """
    piece = bytearray(_head(comment))
    if tls_key_log:
        piece += _secrets(tls_key_log)
    streams: dict[tuple[Address, Address], int] = {}
    for frame in frames:
        piece += _packets(frame, streams)
        if len(piece) >= CHUNK:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _head(comment: str) -> bytes:
    options = _options((COMMENT, comment.encode()), (USER_APPLICATION, b"voiceconnector"))
    head = _blocked(SECTION_HEADER, _section(0x1A2B3C4D, 1, 0, -1) + options)
    for link_type, name in ((LINKTYPE_RAW, b"decoded"), (LINKTYPE_UPPER_PDU, b"from TLS")):
        head += _blocked(INTERFACE, _interface(link_type, 0, 0) + _options((INTERFACE_NAME, name)))
    return head


def _secrets(tls_key_log: bytes) -> bytes:
    return _blocked(SECRETS, _block(TLS_KEY_LOG, len(tls_key_log)) + _padded(tls_key_log))


def _packets(frame: Frame, streams: dict[tuple[Address, Address], int]) -> bytes:
    """The blocks of a frame. `streams`: bytes of TCP so far from one address to another."""
    if frame.transport == "UDP":
        return _enhanced(IP_PACKETS, frame, _udp_packet(frame))
    if frame.transport == "TLS":
        return _enhanced(EXPORTED_PDUS, frame, _exported(frame), b"over TLS on the wire")
    blocks = b""
    for start in range(0, len(frame.data), LARGEST_SEGMENT):
        blocks += _enhanced(IP_PACKETS, frame, _tcp_packet(frame, frame.data[start : start + LARGEST_SEGMENT], streams))
    return blocks


def _enhanced(interface: int, frame: Frame, packet: bytes, comment: bytes = b"") -> bytes:
    """Times are in microseconds, as is the default of an interface."""
    ticks, size = round(frame.time * 1_000_000), len(packet)
    options = [(FLAGS, _length(2 if frame.sent else 1))]
    if comment:
        options.append((COMMENT, comment))
    head = _packet(interface, ticks >> 32, ticks & 0xFFFFFFFF, size, size)
    return _blocked(PACKET, head + _padded(packet) + _options(*options))


def _blocked(kind: int, body: bytes) -> bytes:
    size = len(body) + 12
    return _block(kind, size) + body + _length(size)


def _options(*options: tuple[int, bytes]) -> bytes:
    written = b"".join(_option(code, len(value)) + _padded(value) for code, value in options)
    return written + _option(0, 0)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


# What the wire had around it.


def _udp_packet(frame: Frame) -> bytes:
    """RFC 768."""
    data = frame.data[:LARGEST_DATAGRAM]
    size = len(data) + 8
    ports = frame.source[1], frame.destination[1], size
    pseudo = _pseudo_header(frame, UDP, size)
    checksum = _checksum(pseudo + _udp(*ports, 0) + data) or 0xFFFF
    return _ip_packet(frame, UDP, _udp(*ports, checksum) + data)


def _tcp_packet(frame: Frame, data: bytes, streams: dict[tuple[Address, Address], int]) -> bytes:
    """RFC 9293. Each side has acknowledged all that the other had sent before."""
    way, back = (frame.source, frame.destination), (frame.destination, frame.source)
    sequence_number, acknowledged = streams.get(way, 0), streams.get(back, 0)
    streams[way] = sequence_number + len(data)
    head = (
        frame.source[1], frame.destination[1],
        (sequence_number + 1) & 0xFFFFFFFF, (acknowledged + 1) & 0xFFFFFFFF,
        5 << 4, PUSH_AND_ACK, 0xFFFF,
    )  # fmt: skip
    pseudo = _pseudo_header(frame, TCP, len(data) + 20)
    checksum = _checksum(pseudo + _tcp(*head, 0, 0) + data)
    return _ip_packet(frame, TCP, _tcp(*head, checksum, 0) + data)


def _ip_packet(frame: Frame, protocol: int, payload: bytes) -> bytes:
    """RFC 791, RFC 8200. Not fragmented, whatever its length."""
    source, destination = _packed(frame.source[0]), _packed(frame.destination[0])
    if len(source) == 16:
        return _ipv6(6 << 28, len(payload), protocol, HOP_LIMIT, source, destination) + payload
    facts = 0x45, 0, len(payload) + 20, 0, 0x4000, HOP_LIMIT, protocol
    checksum = _checksum(_ipv4(*facts, 0, source, destination))
    return _ipv4(*facts, checksum, source, destination) + payload


def _pseudo_header(frame: Frame, protocol: int, size: int) -> bytes:
    """What the checksum covers besides: RFC 768, RFC 8200 8.1. The order of the fields does not matter to it."""
    return _packed(frame.source[0]) + _packed(frame.destination[0]) + _tag(protocol, size)


def _checksum(data: bytes) -> int:
    """RFC 1071. A sum of 16-bit words with end-around carry is the number they make, modulo 65,535."""
    total = int.from_bytes(data if len(data) % 2 == 0 else data + b"\0", "big")
    return 0xFFFF - (total % 0xFFFF or (0xFFFF if total else 0))


def _exported(frame: Frame) -> bytes:
    """Tags of Wireshark's exported PDUs: dissector, addresses, port type TCP and ports; then the message."""
    tags = b"\0\x0c" + _port(4)[2:] + b"sip\0"
    for (host, port), ipv4, ipv6, port_tag in ((frame.source, 20, 22, 25), (frame.destination, 21, 23, 26)):
        address = _packed(host)
        tags += _tag(ipv4 if len(address) == 4 else ipv6, len(address)) + address
        tags += _tag(port_tag, 4) + _port(port)
    return tags + _tag(24, 4) + _port(2) + _tag(0, 0) + frame.data


@lru_cache(maxsize=256)
def _packed(host: str) -> bytes:
    """An address in network byte order; a zone is of this machine alone (RFC 4007 11)."""
    return ip_address(host.partition("%")[0]).packed


# What is shown of a message whose call is shown decrypted.

_srtp_profile = re.compile(rb"(?m)^(m=\S+ )([0-9]+(?:/[0-9]+)? RTP/)S(AVPF?\b)").sub


def decoded(frame: Frame) -> Frame:
    """A SIP message without secrets, whose media are announced as RTP: what is told to be SRTP, nobody would decode.

    Of the same length: zeros stand in for secrets, and one before the port for the S of RTP/SAVP (RFC 4568).
    """
    data = without_secrets(frame.data, same_length=True)
    return frame._replace(data=_srtp_profile(rb"\g<1>0\2\3", data))

"""RTP packets: the fixed header read, checked and written (RFC 3550 5.1).

The relay forwards packets whole, so nothing here looks past the header except to check that what the header
promises (CSRC list, extension, padding) fits into the packet. Leaves out: SRTP, header extensions' content.
"""

from collections.abc import Iterable
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

#     0                   1                   2                   3
#     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    |V=2|P|X|  CC   |M|     PT      |       sequence number         |
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    |                           timestamp                           |
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    |                             SSRC                              |
#    +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
#    |                 CSRC list: CC identifiers, 0-15               |
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    |  if X: 16 bits by profile     | length in 32-bit words        |
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    |  payload; if P: its last octet counts the padding, itself included
FIXED_HEADER = Struct("!HHII")
"""First 16 bits as one number, sequence number, timestamp, SSRC."""
HEADER_SIZE = FIXED_HEADER.size

SSRC = slice(8, 12)

VERSION_2 = 0x8000
PADDING = 0x2000
EXTENSION = 0x1000
CSRC_COUNT = 0x0F00
MARKER = 0x0080
PAYLOAD_TYPE = 0x007F

FIRST_DYNAMIC = 96
"""Payload types from here on mean what SDP says (RFC 3551 6)."""

MALFORMED = "malformed"
WRONG_PAYLOAD_TYPE = "wrong payload type"


class RtpPacket(NamedTuple):
    """What one packet says; `payload` is without CSRC list, header extension and padding."""

    payload_type: int
    marker: bool
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes


@lru_cache(maxsize=64)
def plain_words(payload_types: tuple[int, ...]) -> frozenset[int]:
    """The first 16 bits of packets that need no check but of their length: audio, and no P, X or CSRC.

    Of the payload types, those that are static count (RFC 3551 6). Telephone-events are always dynamic.
    """
    audio = [number for number in payload_types if number < FIRST_DYNAMIC]
    return frozenset(VERSION_2 | marker | number for number in audio for marker in (0, MARKER))


def fault(packet: bytes | bytearray | memoryview, payload_types: Iterable[int]) -> str | None:
    """Why a datagram is not RTP of these payload types (RFC 3550 A.1), or None when it is.

    Returns MALFORMED (too short, version not 2, CSRC list, extension or padding beyond its end) or
    WRONG_PAYLOAD_TYPE.
    """
    if len(packet) < HEADER_SIZE:
        return MALFORMED
    word = packet[0] << 8 | packet[1]
    if word >> 14 != 2 or payload_bounds(packet) is None:
        return MALFORMED
    if word & PAYLOAD_TYPE not in payload_types:
        return WRONG_PAYLOAD_TYPE
    return None


def header_size(packet: bytes | bytearray | memoryview) -> int | None:
    """Bytes of header, CSRC list and header extension; None when they do not fit."""
    size = len(packet)
    if size < HEADER_SIZE:
        return None
    word = packet[0] << 8 | packet[1]
    start = HEADER_SIZE + 4 * ((word & CSRC_COUNT) >> 8)
    if word & EXTENSION and start + 4 <= size:
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4])
    elif word & EXTENSION:
        return None
    return start if start <= size else None


def payload_bounds(packet: bytes | bytearray | memoryview) -> tuple[int, int] | None:
    """Start and end of the payload in a packet of at least HEADER_SIZE bytes; None when they do not fit."""
    start, end = header_size(packet), len(packet)
    if start is None:
        return None
    if packet[0] << 8 & PADDING:
        if packet[-1] == 0:
            return None
        end -= packet[-1]
    return (start, end) if start <= end else None


def parse(packet: bytes | bytearray | memoryview) -> RtpPacket:
    """The packet's header and payload. Raises ValueError when it is not RTP version 2 (RFC 3550 A.1)."""
    bounds = payload_bounds(packet) if len(packet) >= HEADER_SIZE and packet[0] >> 6 == 2 else None
    if bounds is None:
        raise ValueError("not an RTP packet")
    word, sequence_number, timestamp, ssrc = FIXED_HEADER.unpack_from(packet)
    payload = bytes(packet[bounds[0] : bounds[1]])
    return RtpPacket(word & PAYLOAD_TYPE, bool(word & MARKER), sequence_number, timestamp, ssrc, payload)


def build(
    payload_type: int, sequence_number: int, timestamp: int, ssrc: int, payload: bytes, marker: bool = False
) -> bytes:
    """One packet without CSRC list, extension or padding. Numbers wrap to their width in the header."""
    word = VERSION_2 | (MARKER if marker else 0) | payload_type
    header = FIXED_HEADER.pack(word, sequence_number & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc & 0xFFFFFFFF)
    return header + payload

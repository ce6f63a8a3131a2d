"""RTCP packets: told from anything else, read and written (RFC 3550 6, A.2).

Read are SR, RR, the CNAME of SDES, and BYE; packets of other types (APP, XR, feedback) are skipped. Leaves out:
when to send and what a report means (`reports`), SRTCP.
"""

from collections.abc import Iterable
from struct import Struct
from typing import NamedTuple

#     0                   1                   2                   3
#     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    |V=2|P|  count  |      PT       | length in 32-bit words less 1 |
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    |                 SSRC of the sender, and so on                 |
_PREFIX = Struct("!BBHI")
VERSION_2 = 0x80
PADDING = 0x20
COUNT = 0x1F
SENDER_REPORT = 200
RECEIVER_REPORT = 201
SOURCE_DESCRIPTION = 202
GOODBYE = 203
_TYPES = range(SENDER_REPORT, 208)
"""What a packet may begin with: also APP, feedback (RFC 4585) and XR (RFC 3611)."""
CNAME = 1

#    |              NTP timestamp, 64 bits: seconds since 1900, and 1/2^32 of them                 |
#    | RTP timestamp | sender's packet count | sender's octet count: of payload                    |
_SENDER_INFO = Struct("!QIII")
#    | SSRC_1 | fraction lost, 8 bits; cumulative number of packets lost, 24 bits, signed          |
#    | extended highest sequence number | jitter | last SR | delay since last SR, 1/65536 s        |
_REPORT_BLOCK = Struct("!IIIIII")

UNIX_EPOCH = 2_208_988_800
"""Seconds from 1900, where NTP timestamps begin, to 1970."""


class SenderInfo(NamedTuple):
    """What the sender of an SR has sent, and the moment by two clocks."""

    ntp_timestamp: int
    rtp_timestamp: int
    packets: int
    octets: int


class ReportBlock(NamedTuple):
    """What somebody has received of the source `ssrc`."""

    ssrc: int
    fraction_lost: int
    """Of 256, since the report before."""
    cumulative_lost: int
    """Below zero where duplicates outnumber losses."""
    highest_sequence_number: int
    """With the count of cycles in the upper 16 bits."""
    jitter: int
    """In timestamp units."""
    last_sr: int
    """Middle 32 bits of the NTP timestamp of the latest SR from that source; 0: none."""
    delay_since_last_sr: int
    """In 1/65536 s."""


class Report(NamedTuple):
    """An SR, which has a `sender`, or an RR."""

    ssrc: int
    sender: SenderInfo | None
    blocks: tuple[ReportBlock, ...]


class Compound(NamedTuple):
    """What is understood of a compound packet."""

    reports: tuple[Report, ...]
    cname: str
    """Of the first source that has one; "" for none."""
    goodbyes: tuple[int, ...]
    """SSRCs that have left."""


def parse(packet: bytes | bytearray | memoryview) -> Compound | None:
    """A compound packet, or None when a datagram is not one.

    RFC 3550 A.2: version 2 throughout, the first without padding, lengths that add up to the whole, padding in the
    last packet only; and each report as long as its count says. A report need not come first: RFC 5506 lets it be,
    and baresip says goodbye without one.
    """
    size, at = len(packet), 0
    if size < 8 or packet[0] & PADDING or packet[1] not in _TYPES:
        return None
    reports: list[Report] = []
    goodbyes: list[int] = []
    cname = ""
    while at < size:
        end = _end_of(packet, at)
        if end is None:
            return None
        body = packet[at + 4 : end]
        match packet[at + 1]:
            case 200 | 201 as kind:
                report = _report(body, packet[at] & COUNT, kind == SENDER_REPORT)
                if report is None:
                    return None
                reports.append(report)
            case 202:
                cname = cname or _cname(body)
            case 203:
                last = min(4 * (packet[at] & COUNT), len(body) & ~3)
                goodbyes += [int.from_bytes(body[start : start + 4]) for start in range(0, last, 4)]
        at += 4 + 4 * int.from_bytes(packet[at + 2 : at + 4])
    return Compound(tuple(reports), cname, tuple(goodbyes))


def _end_of(packet: bytes | bytearray | memoryview, at: int) -> int | None:
    """Where the contents of the packet that begins here end, without its padding; None where it is no packet."""
    size = len(packet)
    if at + 4 > size or packet[at] >> 6 != 2:
        return None
    end = at + 4 + 4 * int.from_bytes(packet[at + 2 : at + 4])
    if end > size:
        return None
    if packet[at] & PADDING:
        padding = packet[end - 1]
        if end != size or not padding or padding % 4 or padding > end - at - 4:
            return None
        end -= padding
    return end


def _report(body: bytes | bytearray | memoryview, count: int, by_sender: bool) -> Report | None:
    start = 4 + _SENDER_INFO.size if by_sender else 4
    end = start + count * _REPORT_BLOCK.size
    if end > len(body):
        return None
    sender = SenderInfo._make(_SENDER_INFO.unpack_from(body, 4)) if by_sender else None
    blocks = tuple([_block(body, at) for at in range(start, end, _REPORT_BLOCK.size)])
    return Report(int.from_bytes(body[:4]), sender, blocks)


def _block(body: bytes | bytearray | memoryview, at: int) -> ReportBlock:
    ssrc, lost, highest, jitter, last_sr, delay = _REPORT_BLOCK.unpack_from(body, at)
    cumulative = lost & 0xFFFFFF
    return ReportBlock(ssrc, lost >> 24, cumulative - ((cumulative & 0x800000) << 1), highest, jitter, last_sr, delay)


def _cname(body: bytes | bytearray | memoryview) -> str:
    """The CNAME in the first chunk of an SDES (RFC 3550 6.5); "" where there is none, or it does not fit."""
    at = 4
    while at + 2 <= len(body) and body[at]:
        end = at + 2 + body[at + 1]
        if body[at] == CNAME and end <= len(body):
            return bytes(body[at + 2 : end]).decode("utf-8", "replace")
        at = end
    return ""


def report(ssrc: int, sender: SenderInfo | None, blocks: Iterable[ReportBlock] = ()) -> bytes:
    """An SR, or an RR where there is nothing to say as a sender (RFC 3550 6.4). At most 31 blocks."""
    told = b"".join([_REPORT_BLOCK.pack(block.ssrc, _lost(block), *block[3:]) for block in blocks])
    info = _SENDER_INFO.pack(*sender) if sender else b""
    kind = SENDER_REPORT if sender else RECEIVER_REPORT
    return _prefix(len(told) // _REPORT_BLOCK.size, kind, ssrc, len(info) + len(told)) + info + told


def _lost(block: ReportBlock) -> int:
    """Fraction and cumulative number in one word; the latter stays at the end of its range (RFC 3550 6.4.1)."""
    return block.fraction_lost << 24 | max(-0x800000, min(block.cumulative_lost, 0x7FFFFF)) & 0xFFFFFF


def source_description(ssrc: int, cname: str) -> bytes:
    """An SDES with one chunk: the CNAME, of at most 255 bytes (RFC 3550 6.5.1)."""
    name = cname.encode()
    item = bytes((CNAME, len(name))) + name
    item += bytes(4 - len(item) % 4)  # one null ends the list, more pad it to 32 bits
    return _prefix(1, SOURCE_DESCRIPTION, ssrc, len(item)) + item


def goodbye(ssrc: int) -> bytes:
    """A BYE (RFC 3550 6.6)."""
    return _prefix(1, GOODBYE, ssrc, 0)


def _prefix(count: int, kind: int, ssrc: int, size: int) -> bytes:
    """The header, and the SSRC that `size` bytes follow."""
    return _PREFIX.pack(VERSION_2 | count, kind, 1 + size // 4, ssrc)


def ntp_timestamp(unix_us: int) -> int:
    """Microseconds since 1970 as an NTP timestamp of 64 bits (RFC 3550 4), which wraps in 2036."""
    return (((unix_us + UNIX_EPOCH * 1_000_000) << 32) // 1_000_000) & 0xFFFFFFFFFFFFFFFF


def middle(ntp: int) -> int:
    """The middle 32 bits of an NTP timestamp, as a report block repeats them."""
    return ntp >> 16 & 0xFFFFFFFF

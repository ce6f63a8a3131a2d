"""RTCP packets: told from anything else, and their reports counted (RFC 3550 6, A.2).

The relay forwards compound packets whole. Leaves out: what reports say, SRTCP, reduced-size RTCP (RFC 5506).
"""

from typing import NamedTuple

#     0                   1                   2                   3
#     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    |V=2|P|  count  |      PT       | length in 32-bit words less 1 |
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    |                 SSRC of the sender, and so on                 |
SENDER_REPORT = 200
RECEIVER_REPORT = 201


class Reports(NamedTuple):
    """How many of each report a compound packet holds."""

    sender_reports: int
    receiver_reports: int


def reports(packet: bytes | bytearray | memoryview) -> Reports | None:
    """The reports in a compound packet, or None when a datagram is not one.

    RFC 3550 A.2: version 2 throughout, a report first and without padding, lengths that add up to the whole.
    """
    size, at, counts = len(packet), 0, {SENDER_REPORT: 0, RECEIVER_REPORT: 0}
    if size < 8 or packet[0] & 0x20 or packet[1] not in counts:
        return None
    while at + 4 <= size and packet[at] >> 6 == 2:
        if packet[at + 1] in counts:
            counts[packet[at + 1]] += 1
        at += 4 + 4 * int.from_bytes(packet[at + 2 : at + 4])
    return Reports(counts[SENDER_REPORT], counts[RECEIVER_REPORT]) if at == size else None

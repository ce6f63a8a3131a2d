"""RTCP told from other datagrams, with packets written by hand from the drawings of RFC 3550 6.4 and 6.5."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.media import rtcp

SENDER_INFO = bytes.fromhex("80c80006 00000001 e0000000 00000000 00000000 00000000 00000000")
RECEIVER_REPORT = bytes.fromhex("81c90007 00000001 00000002 00000000 00000000 00000000 00000000 00000000")
SDES = bytes.fromhex("81ca0003 00000001 0104") + b"name" + b"\0\0"
BYE = bytes.fromhex("81cb0001 00000001")


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (SENDER_INFO, (1, 0)),
        (SENDER_INFO + SDES, (1, 0)),
        (RECEIVER_REPORT + SDES + BYE, (0, 1)),
        (SENDER_INFO + RECEIVER_REPORT + SDES, (1, 1)),
        (bytes.fromhex("80c90001 00000001"), (0, 1)),  # an empty report: one that has nothing to tell
    ],
)
def test_reports_of_a_compound_packet_are_counted(packet: bytes, expected: tuple[int, int]) -> None:
    """RFC 3550 6.1: a report comes first, in each compound packet."""
    assert rtcp.reports(packet) == expected


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        SENDER_INFO[:4],
        SENDER_INFO[:-1],  # shorter than its length says
        SENDER_INFO + b"\0\0\0\0",  # followed by what is no packet
        SDES,  # no report first
        b"\xa0" + SENDER_INFO[1:],  # padding in the first packet
        b"\x40" + SENDER_INFO[1:],  # version 1
        bytes.fromhex("80000001 00000002 00000003"),  # RTP
        RECEIVER_REPORT + b"\x40" + BYE[1:],  # version 1 in the second
    ],
)
def test_what_fails_the_validity_checks_is_not_rtcp(packet: bytes) -> None:
    """RFC 3550 A.2."""
    assert rtcp.reports(packet) is None


@given(st.binary(max_size=120))
def test_any_bytes_are_judged_without_raising(packet: bytes) -> None:
    for first in (b"", b"\x80\xc8\x00", b"\x81\xc9\x00"):
        rtcp.reports(first + packet)

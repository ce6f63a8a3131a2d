"""RTCP packets both ways, written by hand from the drawings of RFC 3550 6.4 to 6.6."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.media import rtcp
from voiceconnector.media.rtcp import Compound, Report, ReportBlock, SenderInfo

SENDER_INFO = bytes.fromhex("80c80006 00000001 e0000000 80000000 0000a0b0 00000010 00000a00")
SENDER = Report(1, SenderInfo(0xE0000000_80000000, 0xA0B0, 16, 2560), ())
RECEIVER_REPORT = bytes.fromhex("81c90007 00000001 00000002 40000003 00012345 00000050 b44db705 00010000")
BLOCK = ReportBlock(2, 64, 3, 0x12345, 80, 0xB44DB705, 65536)
SDES = bytes.fromhex("81ca0003 00000001 0104") + b"name" + b"\0\0"
BYE = bytes.fromhex("81cb0001 00000001")
EMPTY_REPORT = bytes.fromhex("80c90001 00000001")
PADDED_BYE = bytes.fromhex("a1cb0002 00000001 00000004")
XR = bytes.fromhex("80cf0004 00000001 04000002 e0000000 80000000")  # RFC 3611 4.4


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (SENDER_INFO, Compound((SENDER,), "", ())),
        (SENDER_INFO + SDES, Compound((SENDER,), "name", ())),
        (RECEIVER_REPORT + SDES + BYE, Compound((Report(1, None, (BLOCK,)),), "name", (1,))),
        (SENDER_INFO + RECEIVER_REPORT + SDES, Compound((SENDER, Report(1, None, (BLOCK,))), "name", ())),
        (EMPTY_REPORT, Compound((Report(1, None, ()),), "", ())),
        (EMPTY_REPORT + XR + SDES, Compound((Report(1, None, ()),), "name", ())),
        (BYE + SDES, Compound((), "name", (1,))),
        (bytes.fromhex("80cc0002 00000001 74657374"), Compound((), "", ())),
        (EMPTY_REPORT + PADDED_BYE, Compound((Report(1, None, ()),), "", (1,))),
    ],
    ids=[
        "SR", "SR SDES", "RR SDES BYE", "SR RR SDES", "empty RR", "XR is skipped", "BYE first", "APP alone",
        "padding in the last",
    ],
)  # fmt: skip
def test_a_compound_packet_is_read(packet: bytes, expected: Compound) -> None:
    """RFC 3550 6.1; RFC 5506 3.4.1 for those without a report first."""
    assert rtcp.parse(packet) == expected


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        SENDER_INFO[:4],
        SENDER_INFO[:-1],  # shorter than its length says
        SENDER_INFO + b"\0\0\0\0",  # followed by what is no packet
        b"\x80\xd0" + SDES[2:],  # of a type that is none
        b"\xa0" + SENDER_INFO[1:],  # padding in the first packet
        b"\x40" + SENDER_INFO[1:],  # version 1
        bytes.fromhex("80000001 00000002 00000003"),  # RTP
        RECEIVER_REPORT + b"\x40" + BYE[1:],  # version 1 in the second
        b"\x82" + RECEIVER_REPORT[1:],  # two blocks announced, one there
        b"\x81" + SENDER_INFO[1:],
        bytes.fromhex("80c80001 00000001"),  # an SR without what a sender sends
        EMPTY_REPORT + b"\xa1" + BYE[1:] + SDES,  # padding before the last
        EMPTY_REPORT + b"\xa1" + BYE[1:-1] + b"\x0c",  # more padding than packet
    ],
)
def test_what_fails_the_validity_checks_is_not_rtcp(packet: bytes) -> None:
    """RFC 3550 A.2."""
    assert rtcp.parse(packet) is None


@pytest.mark.parametrize(
    "sdes",
    [
        bytes.fromhex("81ca0002 00000001 01ff4142"),  # longer than its packet
        bytes.fromhex("81ca0001 00000001"),  # no item
        bytes.fromhex("80ca0000"),  # no chunk
    ],
)
def test_an_sdes_that_breaks_off_names_nobody(sdes: bytes) -> None:
    compound = rtcp.parse(EMPTY_REPORT + sdes)
    assert compound
    assert compound.cname == ""


def test_the_number_of_packets_lost_may_be_negative() -> None:
    """RFC 3550 6.4.1: duplicates count as received."""
    compound = rtcp.parse(RECEIVER_REPORT.replace(b"\x40\0\0\3", b"\0\xff\xff\xfe"))
    assert compound
    assert compound.reports[0].blocks[0].cumulative_lost == -2


def test_packets_are_written_as_they_are_drawn() -> None:
    assert rtcp.report(1, SENDER.sender) == SENDER_INFO
    assert rtcp.report(1, None, [BLOCK]) == RECEIVER_REPORT
    assert rtcp.report(1, None) == EMPTY_REPORT
    assert rtcp.source_description(1, "name") == SDES
    assert rtcp.goodbye(1) == BYE


@pytest.mark.parametrize(("lost", "wire"), [(-2, "fffffe"), (1 << 30, "7fffff"), (-(1 << 30), "800000")])
def test_the_number_of_packets_lost_stays_at_the_end_of_its_range(lost: int, wire: str) -> None:
    """RFC 3550 A.3: it is clamped to 24 bits."""
    assert rtcp.report(1, None, [BLOCK._replace(cumulative_lost=lost)])[13:16] == bytes.fromhex(wire)


def test_an_ntp_timestamp_counts_from_1900() -> None:
    """RFC 5905 6: 1 January 1970 is second 2,208,988,800; the lower half counts 1/2^32 s."""
    assert rtcp.ntp_timestamp(0) == 2_208_988_800 << 32
    assert rtcp.ntp_timestamp(1_500_000) == (2_208_988_801 << 32) + (1 << 31)
    assert rtcp.middle(0xB44DB705_20000000) == 0xB7052000  # the example of RFC 3550 figure 2


@given(st.binary(max_size=160))
def test_any_bytes_are_judged_without_raising(packet: bytes) -> None:
    for first in (b"", b"\x80\xc8\x00", b"\x81\xc9\x00", EMPTY_REPORT + b"\x81\xca\x00", EMPTY_REPORT + b"\x81"):
        rtcp.parse(first + packet)

"""RTP headers, against packets written down in RFCs and by hand from the header drawing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.media import rtp

# The RTP packet that RFC 7714 section 16 encrypts, before encryption.
RFC_7714 = bytes.fromhex(
    "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e697320646976697361206e207061727465732074726573"
)


def test_the_packet_of_rfc_7714_is_read_field_by_field() -> None:
    """RFC 7714 16: payload type 64, sequence number 0xf17b, timestamp 0x8041f8d3, SSRC 0x5501a0b2."""
    packet = rtp.parse(RFC_7714)
    assert packet[:5] == (0x40, False, 0xF17B, 0x8041F8D3, 0x5501A0B2)
    assert packet.payload.startswith(b"Gallia est omnis divisa")


def test_the_packet_of_rfc_7714_is_written_from_its_fields() -> None:
    """RFC 7714 16."""
    assert rtp.build(0x40, 0xF17B, 0x8041F8D3, 0x5501A0B2, RFC_7714[12:]) == RFC_7714


def test_csrc_list_extension_and_padding_are_left_out_of_the_payload() -> None:
    """RFC 3550 5.1 and 5.3.1: P, X and CC=2 set; one word of extension; three octets of padding."""
    packet = bytes.fromhex("b280 0001 00000002 00000003 0000000a 0000000b beef0001 cafebabe") + b"audio\0\0\3"
    assert rtp.parse(packet) == rtp.RtpPacket(0, True, 1, 2, 3, b"audio")
    assert rtp.fault(packet, (0,)) is None


def test_numbers_wrap_to_their_width() -> None:
    """RFC 3550 5.1: 16 bits of sequence number, 32 of timestamp."""
    assert rtp.build(8, 65536, 1 << 32, 5, b"", marker=True) == bytes.fromhex("8088 0000 00000000 00000005")


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        ("", rtp.MALFORMED),
        ("80000001000000020000", rtp.MALFORMED),  # ten octets
        ("40000001 00000002 00000003", rtp.MALFORMED),  # version 1
        ("81000001 00000002 00000003", rtp.MALFORMED),  # one CSRC promised, none there
        ("90000001 00000002 00000003 0000", rtp.MALFORMED),  # half an extension header
        ("90000001 00000002 00000003 00000002 00000000", rtp.MALFORMED),  # extension of two words, one there
        ("a0000001 00000002 00000003 00", rtp.MALFORMED),  # padding of no octets
        ("a0000001 00000002 00000003 02", rtp.MALFORMED),  # padding longer than what there is
        ("80080001 00000002 00000003", rtp.WRONG_PAYLOAD_TYPE),
        ("80c80001 00000002 00000003", rtp.WRONG_PAYLOAD_TYPE),  # RTCP multiplexed: RFC 5761
        ("80000001 00000002 00000003", None),
        ("80650001 00000002 00000003", None),
        ("80e50001 00000002 00000003", None),  # with marker
    ],
)
def test_what_is_not_rtp_of_the_accepted_types_is_told_with_its_reason(packet: str, expected: str | None) -> None:
    """RFC 3550 A.1."""
    assert rtp.fault(bytes.fromhex(packet), (0, 101)) == expected


def test_plain_words_are_the_first_16_bits_of_audio_with_and_without_marker() -> None:
    """RFC 3550 5.1: V=2, all else zero; RFC 3551 6: 96 to 127 are dynamic."""
    assert rtp.plain_words((0, 8, 101)) == {0x8000, 0x8080, 0x8008, 0x8088}


@given(st.binary(max_size=80))
def test_any_bytes_are_judged_and_never_raise_anything_but_value_error(packet: bytes) -> None:
    if rtp.fault(packet, range(128)) is None:
        parsed = rtp.parse(packet)
        assert len(parsed.payload) <= len(packet) - 12
    else:
        with pytest.raises(ValueError, match="not an RTP packet"):
            rtp.parse(packet)

"""A capture as a reader of pcapng finds it, block by block: draft-ietf-opsawg-pcapng."""

import struct
from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.records.pcapng import CHUNK, Address, Frame, capture_file, decoded

A, B = ("192.168.0.1", 5080), ("192.168.0.199", 5060)
A6, B6 = ("2001:db8::1", 5080), ("2001:db8::2", 5060)
START = 1_700_000_000.123456
KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"


def frame(data: bytes, transport: str = "UDP", *, there: bool = True, at: float = 0, six: bool = False) -> Frame:
    near, far = (A6, B6) if six else (A, B)
    return Frame(START + at, transport, near if there else far, far if there else near, not there, data)


class Block(NamedTuple):
    kind: int
    body: bytes


class Packet(NamedTuple):
    interface: int
    time: float
    data: bytes
    options: dict[int, bytes]


def blocks(*frames: Frame, comment: str = "", tls_key_log: bytes = b"") -> list[Block]:
    """The blocks of a file; each has its length twice."""
    file, found = b"".join(capture_file(frames, comment, tls_key_log)), []
    while file:
        kind, size = struct.unpack_from("<II", file)
        assert size % 4 == 0
        assert struct.unpack_from("<I", file, size - 4) == (size,)
        found.append(Block(kind, file[8 : size - 4]))
        file = file[size:]
    return found


def options(data: bytes) -> dict[int, bytes]:
    found = {}
    while data:
        code, size = struct.unpack_from("<HH", data)
        if not code:
            assert data == b"\0\0\0\0"
            break
        found[code] = data[4 : 4 + size]
        data = data[4 + size + -size % 4 :]
    return found


def packets(*frames: Frame) -> Iterator[Packet]:
    for kind, body in blocks(*frames):
        if kind == 6:
            interface, high, low, captured, original = struct.unpack_from("<IIIII", body)
            assert captured == original
            rest = body[20 + captured + -captured % 4 :]
            yield Packet(interface, (high << 32 | low) / 1e6, body[20 : 20 + captured], options(rest))


def sums_to_all_ones(data: bytes) -> bool:
    """RFC 1071 2: over data with its checksum, the sum is 0xFFFF."""
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


def assert_checksums(packet: bytes) -> bytes:
    """The payload of an IP packet whose checksums are right."""
    if packet[0] >> 4 == 4:
        assert len(packet) == struct.unpack_from("!H", packet, 2)[0]
        assert sums_to_all_ones(packet[:20])
        addresses, protocol, payload = packet[12:20], packet[9], packet[20:]
    else:
        assert len(packet) == struct.unpack_from("!H", packet, 4)[0] + 40
        addresses, protocol, payload = packet[8:40], packet[6], packet[40:]
    assert sums_to_all_ones(addresses + struct.pack("!HH", protocol, len(payload)) + payload)
    if protocol == 17:
        assert struct.unpack_from("!H", payload, 4)[0] == len(payload)
    return payload


def test_a_file_begins_with_its_section_the_comment_and_two_interfaces() -> None:
    """Sections 4.1 and 4.2: byte order magic, version 1.0, unknown length; raw IP and exported PDUs."""
    section, ip, exported = blocks(comment="a call — one line\nand another")
    assert section.kind == 0x0A0D0D0A
    assert struct.unpack_from("<IHHq", section.body) == (0x1A2B3C4D, 1, 0, -1)
    assert options(section.body[16:])[1].decode() == "a call — one line\nand another"
    assert [block.kind for block in (ip, exported)] == [1, 1]
    assert [struct.unpack_from("<HHI", block.body) for block in (ip, exported)] == [(101, 0, 0), (252, 0, 0)]


def test_a_header_of_ip_is_the_textbook_s_byte_for_byte() -> None:
    """The worked example of an IPv4 header checksum: 115 bytes of UDP from 192.168.0.1 to 192.168.0.199."""
    (packet,) = packets(frame(bytes(87)))
    assert packet.data[:20].hex(" ", 2) == "4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7"


@given(st.binary(max_size=300), st.sampled_from(["UDP", "TCP"]), st.booleans())
def test_any_message_has_right_lengths_and_checksums(data: bytes, transport: str, six: bool) -> None:
    """RFC 768, 791, 8200, 9293; an IPv6 packet without its UDP checksum is dropped (RFC 8200 8.1)."""
    header = 8 if transport == "UDP" else 20
    for packet in packets(frame(data, transport, six=six)):
        payload = assert_checksums(packet.data)
        assert struct.unpack_from("!HH", payload) == (5080, 5060)
        assert payload[header:] == data
        if transport == "UDP":
            assert payload[6:8] != b"\0\0", "zero is no checksum"


@pytest.mark.parametrize("word", range(0, 0x10000, 0x1111))
def test_a_checksum_of_zero_is_sent_as_all_ones(word: int) -> None:
    """RFC 768: whatever the last word is, the checksum over it holds and is not zero."""
    for offset in (0, 1, 2, 0xFFFF):
        (packet,) = packets(frame(struct.pack("!HH", word, (word + offset) & 0xFFFF)))
        assert assert_checksums(packet.data)[6:8] != b"\0\0"


def test_times_are_microseconds_and_the_direction_is_told() -> None:
    """Section 4.3.1: epb_flags says inbound 1, outbound 2."""
    came, left = packets(frame(b"in"), frame(b"out", there=False, at=1.5))
    assert (came.time, left.time) == (1_700_000_000.123456, 1_700_000_001.623456)
    assert [packet.options[2] for packet in (came, left)] == [b"\1\0\0\0", b"\2\0\0\0"]


def test_tcp_counts_the_bytes_of_each_way_and_acknowledges_the_other_s() -> None:
    """RFC 9293 3.4, with streams that begin at 1."""
    frames = (
        frame(b"x" * 10, "TCP"), frame(b"y" * 7, "TCP", there=False), frame(b"z" * 5, "TCP"),
        Frame(START, "TCP", ("192.168.0.1", 9999), B, False, b"another connection"),
    )  # fmt: skip
    numbers = [struct.unpack_from("!II", packet.data, 24) for packet in packets(*frames)]
    assert numbers == [(1, 1), (1, 11), (11, 8), (1, 1)]


def test_a_message_too_long_for_one_packet_is_several_segments() -> None:
    data = bytes(range(256)) * 512
    found = list(packets(frame(data, "TCP")))
    assert len(found) == 3
    assert b"".join(assert_checksums(packet.data)[20:] for packet in found) == data
    assert [struct.unpack_from("!I", packet.data, 24)[0] for packet in found] == [1, 65_001, 130_001]


@pytest.mark.parametrize("six", [False, True])
def test_of_what_no_datagram_holds_the_beginning_is_shown(six: bool) -> None:
    """A request that came over TCP and was passed on over UDP: the log has it, the wire never had."""
    (packet,) = packets(frame(bytes(range(256)) * 257, six=six))
    assert assert_checksums(packet.data)[8:] == (bytes(range(256)) * 257)[:65_507]


@pytest.mark.parametrize("six", [False, True])
def test_what_came_over_tls_is_an_exported_pdu_for_sip_and_says_so(six: bool) -> None:
    """Tags of Wireshark's exported PDUs: 12 dissector; 20, 21, 22, 23 addresses; 24 port type TCP; 25, 26 ports."""
    (packet,) = packets(frame(b"OPTIONS sip:b SIP/2.0\r\n\r\n", "TLS", six=six))
    assert packet.interface == 1
    assert packet.options[1] == b"over TLS on the wire"
    data, tags = packet.data, {}
    while True:
        tag, size = struct.unpack_from("!HH", data)
        value, data = data[4 : 4 + size], data[4 + size :]
        if not tag:
            break
        tags[tag] = value
    near, far = (A6, B6) if six else (A, B)
    assert tags == {
        12: b"sip\0", 24: b"\0\0\0\2", 25: struct.pack("!I", near[1]), 26: struct.pack("!I", far[1]),
        22 if six else 20: ip_address(near[0]).packed, 23 if six else 21: ip_address(far[0]).packed,
    }  # fmt: skip
    assert data == b"OPTIONS sip:b SIP/2.0\r\n\r\n"


def test_the_tls_key_log_comes_before_the_packets_that_need_it() -> None:
    """Section 4.7: a decryption secrets block of type 0x544c534b."""
    log = b"CLIENT_RANDOM " + b"0" * 64 + b" " + b"1" * 96 + b"\n"
    kinds = [block.kind for block in blocks(frame(b"x"), tls_key_log=log)]
    assert kinds == [0x0A0D0D0A, 1, 1, 10, 6]
    body = blocks(tls_key_log=log)[3].body
    assert struct.unpack_from("<II", body) == (0x544C534B, len(log))
    assert body[8 : 8 + len(log)] == log
    assert 10 not in [block.kind for block in blocks(frame(b"x"))]


def test_a_long_call_is_handed_on_in_pieces() -> None:
    frames = (frame(bytes(172), at=0.02 * number) for number in range(5_000))
    sizes = [len(piece) for piece in capture_file(frames, "")]
    assert len(sizes) > 10
    assert max(sizes) < CHUNK + 1_000


def test_an_address_with_a_zone_is_the_address() -> None:
    """RFC 4007 11: the zone is of one machine alone."""
    near: Address = ("fe80::1%eth0", 5060)
    (packet,) = packets(Frame(START, "UDP", near, ("fe80::2%eth0", 5060), True, b"x"))
    assert packet.data[8:24] == ip_address("fe80::1").packed


INVITE = (
    "INVITE sip:b@example.com SIP/2.0\r\n"
    'Proxy-Authorization: Digest username="pbx", nonce="5ccc069c403ebaf9",\r\n'
    ' response="6629fae49393a05397450978507c4ef1"\r\n'
    "Authorization: Basic cGJ4OnNlY3JldA==\r\n"
    "Content-Length: 200\r\n\r\n"
    "v=0\r\nm=audio 4000 RTP/SAVP 0 101\r\n"
    f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4\r\n"
    f"a=crypto:2 AES_256_CM_HMAC_SHA1_80 inline:{KEY[:-2]}==\r\n"
    "m=image 0 udptl t38\r\n"
)


def test_what_is_decoded_has_no_secret_and_is_as_long_as_before() -> None:
    """RFC 4568 6.1: a key is 40 characters of base64; Content-Length stays right. RTP/SAVP is decoded already."""
    shown = decoded(frame(INVITE.encode(), "TLS")).data.decode()
    assert len(shown) == len(INVITE)
    for secret in (KEY, KEY[:-2], "6629fae4", "cGJ4"):
        assert secret not in shown
    assert f'response="{"0" * 32}"' in shown
    assert f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{'0' * 40}|2^20|1:4\r\n" in shown
    assert f"inline:{'0' * 38}==\r\n" in shown
    assert "m=audio 04000 RTP/AVP 0 101\r\n" in shown
    assert 'Digest username="pbx", nonce="5ccc069c403ebaf9",' in shown


@given(st.binary(max_size=400))
def test_whatever_a_message_is_decoding_keeps_its_length(data: bytes) -> None:
    for text in (data, b"Authorization: " + data, b'Authorization: Digest response="' + data, b"k=" + data):
        assert len(decoded(frame(text)).data) == len(text)


def test_rtp_that_is_no_srtp_is_announced_as_it_was() -> None:
    plain = frame(b"m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\n")
    assert decoded(plain) == plain

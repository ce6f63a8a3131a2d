"""What a reader of a ladder must be able to rely on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.records.ladder import Packet, ladder, render_messages, without_secrets

PBX, EDGE, PSTN = "127.0.0.1:5080", "127.0.0.1:5060", "127.0.0.1:5070"
NAMES = {PBX: "PBX", EDGE: "voiceconnector us-east-1", PSTN: "PSTN"}
START = 1565399625.123


def sdp(port: int, *lines: str) -> str:
    common = ("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0")
    media = (f"m=audio {port} RTP/AVP 0 101", "a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000")
    return "\r\n".join((*common, *media, *lines)) + "\r\n"


def message(first_line: str, cseq: str, *headers: str, body: str = "") -> bytes:
    head = (first_line, "Via: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bK1", f"CSeq: {cseq}", *headers)
    return "\r\n".join((*head, f"Content-Length: {len(body)}", "", body)).encode()


def request(method: str, number: int, *headers: str, body: str = "") -> bytes:
    return message(f"{method} sip:+12065550101@example.com SIP/2.0", f"{number} {method}", *headers, body=body)


def packet(offset: float, source: str, destination: str, data: bytes) -> Packet:
    return Packet(START + offset, "UDP", source, destination, data)


INVITE = request("INVITE", 1, body=sdp(20000))
CALL = [
    packet(0, PBX, EDGE, INVITE),
    packet(0.0006, EDGE, PBX, message("SIP/2.0 100 Trying", "1 INVITE")),
    packet(0.001, EDGE, PSTN, request("INVITE", 7, body=sdp(21000))),
    packet(0.5, PBX, EDGE, INVITE),
    packet(2, PSTN, EDGE, message("SIP/2.0 486 Busy Here", "7 INVITE")),
]


PICTURE = """\
2019-08-10 01:13:45.123 UTC, 5 messages in 2.000 s, 1 of them sent again

         PBX                            voiceconnector us-east-1                            PSTN
   127.0.0.1:5080                            127.0.0.1:5060                            127.0.0.1:5070
          │                                         │                                         │
   0.000  │── INVITE (SDP: 127.0.0.1:20000 PCMU) ──►│                                         │  1 INVITE
   0.001  │◄────────────── 100 Trying ──────────────│                                         │  1 INVITE
   0.001  │                                         │── INVITE (SDP: 127.0.0.1:21000 PCMU) ──►│  7 INVITE
   0.500  │┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄ INVITE ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄►│                                         │  1 INVITE again
          │                                         │                                         │
   2.000  │                                         │◄──────────── 486 Busy Here ─────────────│  7 INVITE
          │                                         │                                         │
"""

NARROW = """\
2019-08-10 01:13:45.123 UTC, 5 messages in 2.000 s, 1 of them sent
again

                       voiceconnector
         PBX              us-east-1              PSTN
   127.0.0.1:5080      127.0.0.1:5060       127.0.0.1:5070
          |                   |                    |
   0.000  |----- INVITE ----->|                    |  1 INVITE
          |  SDP:             |                    |
          |  127.0.0.1:20000  |                    |
          |  PCMU             |                    |
   0.001  |<--- 100 Trying ---|                    |  1 INVITE
   0.001  |                   |------ INVITE ----->|  7 INVITE
          |                   |  SDP:              |
          |                   |  127.0.0.1:21000   |
          |                   |  PCMU              |
   0.500  |..... INVITE .....>|                    |  1 INVITE again
          |                   |                    |
   2.000  |                   |<-- 486 Busy Here --|  7 INVITE
          |                   |                    |
"""

LIST = """\
2019-08-10 01:13:45.123 UTC, 5 messages in
2.000 s, 1 of them sent again

   0.000  INVITE (SDP: 127.0.0.1:20000
          PCMU)
          PBX ► voiceconnector us-east-1,
          1 INVITE
   0.001  100 Trying
          voiceconnector us-east-1 ► PBX,
          1 INVITE
   0.001  INVITE (SDP: 127.0.0.1:21000
          PCMU)
          voiceconnector us-east-1 ► PSTN,
          7 INVITE
   0.500  INVITE
          PBX ► voiceconnector us-east-1,
          1 INVITE again
   2.000  486 Busy Here
          PSTN ► voiceconnector us-east-1,
          7 INVITE
"""


def test_a_ladder_shows_who_sent_what_to_whom_and_when() -> None:
    assert ladder(CALL, NAMES, width=120) == PICTURE


def test_on_a_narrow_terminal_what_does_not_fit_the_arrow_stands_below_it() -> None:
    assert ladder(CALL, NAMES, width=68, ascii_only=True) == NARROW


def test_without_room_for_arrows_a_ladder_is_a_list() -> None:
    assert ladder(CALL, NAMES, width=42) == LIST


def test_no_messages_make_no_ladder() -> None:
    assert ladder([], NAMES) == "No messages.\n"


def test_an_address_without_a_name_is_a_participant_of_its_own() -> None:
    text = ladder([packet(0, "192.0.2.7:5060", EDGE, INVITE)], NAMES)
    assert "192.0.2.7:5060" in text


def test_addresses_of_one_name_are_one_participant() -> None:
    """A PBX on TCP sends from one port and listens on another."""
    names = NAMES | {"127.0.0.1:41000": "PBX"}
    other = packet(1, EDGE, "127.0.0.1:41000", request("BYE", 8))
    text = ladder([*CALL, other], names)
    assert [line.split() for line in text.splitlines()[2:5]] == [
        ["PBX"],
        ["127.0.0.1:5080", "voiceconnector", "us-east-1", "PSTN"],
        ["127.0.0.1:41000", "127.0.0.1:5060", "127.0.0.1:5070"],
    ]


def test_the_same_request_with_another_cseq_is_not_sent_again() -> None:
    """RFC 3261 22.2: the request with credentials has a new CSeq."""
    call = [packet(0, PBX, EDGE, request("INVITE", 1)), packet(1, PBX, EDGE, request("INVITE", 2))]
    assert "again" not in ladder(call, NAMES)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (sdp(20000), "SDP: 127.0.0.1:20000 PCMU"),
        (sdp(20000, "a=sendonly"), "SDP: 127.0.0.1:20000 PCMU sendonly"),
        (sdp(0), "SDP: audio declined"),
        (sdp(20000, "m=video 0 RTP/AVP 96"), "SDP: 127.0.0.1:20000 PCMU; video declined"),
        (sdp(20000).replace("RTP/AVP 0", "RTP/SAVP 0 8"), "SDP: 127.0.0.1:20000 PCMU/PCMA SRTP"),
        (sdp(20000).replace("AVP 0", "AVP 0 8 9 18"), "SDP: 127.0.0.1:20000 PCMU/PCMA/G722/..."),
        (sdp(20000, "c=IN IP4 192.0.2.9"), "SDP: 192.0.2.9:20000 PCMU"),
        (sdp(20000).replace("IP4 127.0.0.1\r\nt", "IP6 2001:db8::1\r\nt"), "SDP: [2001:db8::1]:20000 PCMU"),
        ("m=", "SDP: unreadable"),
        ("hello", ""),
    ],
)
def test_an_sdp_is_told_in_a_few_words(body: str, shown: str) -> None:
    """RFC 4566 5.7, 5.14; RFC 3551 6; RFC 3264 6: port 0 declines a stream."""
    text = ladder([packet(0, PBX, EDGE, request("INVITE", 1, body=body))], NAMES, width=160)
    assert f"INVITE ({shown}" in text if shown else " INVITE ─" in text


def test_an_sdp_is_found_in_a_multipart_body() -> None:
    """RFC 5621: SDP next to a PIDF-LO."""
    body = f"--x\r\nContent-Type: application/sdp\r\n\r\n{sdp(20000)}\r\n--x\r\n\r\n<presence/>\r\n--x--\r\n"
    assert "127.0.0.1:20000 PCMU" in ladder([packet(0, PBX, EDGE, request("INVITE", 1, body=body))], NAMES)


def test_why_a_call_was_refused_or_ended_stands_below_the_arrow() -> None:
    """RFC 3261 20.43, RFC 3326."""
    warning = 'Warning: 399 edge "192.0.2.7 is in no allowed network: Termination.CidrAllowedList"'
    call = [
        packet(0, EDGE, PBX, message("SIP/2.0 403 Forbidden", "1 INVITE", warning)),
        packet(1, PBX, EDGE, request("BYE", 2, 'Reason: SIP;cause=408;text="ACK\r\n  timeout"')),
    ]
    text = ladder(call, NAMES, width=140)
    assert "192.0.2.7 is in no allowed network:" in text
    assert 'Reason: SIP;cause=408;text="ACK timeout"' in text


def test_a_message_to_itself_is_told_in_words() -> None:
    assert "OPTIONS, to itself" in ladder([packet(0, PBX, PBX, request("OPTIONS", 1))], NAMES)


hosts = st.sampled_from([PBX, EDGE, PSTN, "[2001:db8::1]:5060", "192.0.2.1:1"])
payloads = st.one_of(
    st.binary(max_size=200),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60).map(
        lambda words: message(f"SIP/2.0 200 {words}", f"1 {words}", f'Warning: 399 x "{words}"', body=f"m={words}")
    ),
)


@given(
    st.lists(st.tuples(hosts, hosts, payloads), min_size=1, max_size=6),
    st.integers(min_value=1, max_value=150),
    st.booleans(),
)
def test_whatever_peers_send_a_ladder_keeps_its_width_and_never_steers_the_terminal(
    exchange: list[tuple[str, str, bytes]], width: int, ascii_only: bool
) -> None:
    packets = [packet(index, *sent) for index, sent in enumerate(exchange)]
    text = ladder(packets, NAMES, width=width, ascii_only=ascii_only)
    assert all(len(line) <= max(width, 40) for line in text.split("\n"))
    messages = render_messages(packets, NAMES, ascii_only=ascii_only)
    assert (text + messages).replace("\n", "").isprintable()
    assert (text + messages).isascii() or not ascii_only


def test_messages_are_shown_in_full_each_under_a_line_that_tells_where_it_went() -> None:
    size = 18 + 2 + 47 + 2 + 14 + 2 + 17 + 4
    head, *lines = render_messages(CALL[1:2], NAMES, width=110).splitlines()
    assert head.rstrip("─") == (f"── 1  +0.000 s  voiceconnector us-east-1 {EDGE} ► PBX {PBX}  UDP, {size} bytes ")
    assert len(head) == 110
    assert lines == [
        "SIP/2.0 100 Trying",
        "Via: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bK1",
        "CSeq: 1 INVITE",
        "Content-Length: 0",
    ]


# The example of RFC 2617 3.5, the same folded, and other ways to carry a credential.
RESPONSE = "6629fae49393a05397450978507c4ef1"
DIGEST = (
    'Digest username="Mufasa",\r\n realm="testrealm@host.com",\r\n'
    f' nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",\r\n response="{RESPONSE}",\r\n opaque="5ccc069c403ebaf9"'
)


@pytest.mark.parametrize(
    "header",
    [
        f"Authorization: {DIGEST}",
        f"PROXY-AUTHORIZATION : {DIGEST}",
        f"Proxy-Authorization: Digest username=Mufasa, Response = {RESPONSE}, qop=auth",
        f'Authorization: Digest response="{RESPONSE}',
        f"Authorization: Basic {RESPONSE}",
        f"Authorization: Bearer\r\n\t{RESPONSE}",
        f"Authorization: {RESPONSE}",
        f'Authentication-Info: qop=auth, rspauth="{RESPONSE}"',
    ],
)
def test_no_credential_is_ever_shown(header: str) -> None:
    """RFC 7616 3.4, RFC 7617, RFC 6750."""
    for line_end in ("\r\n", "\n"):
        data = request("INVITE", 2, header, "Subject: response=yes").replace(b"\r\n", line_end.encode())
        shown = render_messages([packet(0, PBX, EDGE, data)], NAMES)
        assert RESPONSE not in shown
        assert "(hidden)" in shown
        assert "Subject: response=yes" in shown
        assert RESPONSE not in ladder([packet(0, PBX, EDGE, data)], NAMES)


def test_what_is_no_secret_of_a_digest_stays_to_be_seen() -> None:
    shown = without_secrets(request("INVITE", 2, f"Authorization: {DIGEST}")).decode()
    assert shown == request("INVITE", 2, f"Authorization: {DIGEST}").decode().replace(RESPONSE, "(hidden)")


KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4 FEC_ORDER=FEC_SRTP",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:(hidden)|2^20|1:4 FEC_ORDER=FEC_SRTP",
        ),
        (f"a=crypto:1 F8_128 inline:{KEY}|1:4;inline:{KEY}|2:4", "inline:(hidden)|1:4;inline:(hidden)|2:4"),
        (f"a=crypto:1 F8_128 INLINE:{KEY}", "INLINE:(hidden)"),
        # Keys that do not stand where the grammar has them.
        (f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline: {KEY}", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline: (hidden)"),
        (f"a=crypto:1 AEAD_AES_128_GCM {KEY}== WSH=64", "a=crypto:1 AEAD_AES_128_GCM (hidden) WSH=64"),
        (f"a=acap:1 crypto:1 F8_128 inline:{KEY}", "a=acap:1 crypto:1 F8_128 inline:(hidden)"),
        (f"a=key-mgmt:mikey {KEY}", "a=key-mgmt:mikey (hidden)"),
        (f"k=base64:{KEY}", "k=(hidden)"),
    ],
)
def test_no_media_key_is_ever_shown(line: str, shown: str) -> None:
    """RFC 4568 9.1 and its example, RFC 4567, RFC 4566 5.12."""
    data = request("INVITE", 1, body=sdp(20000, line))
    text = render_messages([packet(0, PBX, EDGE, data)], NAMES)
    assert KEY not in text
    assert shown in text

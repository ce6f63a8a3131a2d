"""Session descriptions (RFC 8866): parse and print, and what cannot be used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.media import sdp
from voiceconnector.media.sdp import (
    INACTIVE,
    RECVONLY,
    SENDONLY,
    SENDRECV,
    Direction,
    Format,
    MediaDescription,
    SdpError,
    parse,
)

RFC_8866_EXAMPLE = b"""\
v=0
o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1
s=Call to John Smith
i=SDP Offer #1
u=http://www.jdoe.example.com/home.html
e=Jane Doe <jane@jdoe.example.com>
p=+1 617 555-6011
c=IN IP4 198.51.100.1
t=0 0
m=audio 49170 RTP/AVP 0
m=audio 49180 RTP/AVP 0
m=video 51372 RTP/AVP 99
c=IN IP6 2001:db8::2
a=rtpmap:99 h263-1998/90000
""".replace(b"\n", b"\r\n")

# The offer of a real Voice Connector, from the public sample aws-samples/amazon-chime-voice-connector-for-
# sip-trunking.
VOICE_CONNECTOR_OFFER = b"""\
v=0
o=Sonus_UAC 546642 315470 IN IP4 3.80.17.149
s=SIP Media Capabilities
c=IN IP4 3.80.17.149
t=0 0
m=audio 36488 RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=sendrecv
a=rtcp:36489
a=ptime:20
""".replace(b"\n", b"\r\n")


def with_audio(lines: str, session: str = "") -> bytes:
    """A description with an audio line of port 49170 and further lines, in CRLF."""
    top = f"v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n{session}"
    text = f"{top}m=audio 49170 RTP/AVP 0\n{lines}"
    return text.replace("\n", "\r\n").encode("latin-1")


def audio(lines: str, session: str = "") -> MediaDescription:
    return parse(with_audio(lines, session)).media[0]


def test_the_example_of_rfc_8866_is_understood() -> None:
    """RFC 8866 5: the session's c= holds for the audio lines, the video line has its own."""
    description = parse(RFC_8866_EXAMPLE)
    assert [(line.media, line.port, line.protocol, line.formats, line.address) for line in description.media] == [
        ("audio", 49170, "RTP/AVP", ("0",), "198.51.100.1"),
        ("audio", 49180, "RTP/AVP", ("0",), "198.51.100.1"),
        ("video", 51372, "RTP/AVP", ("99",), "2001:db8::2"),
    ]
    assert description.media[0].rtp_formats() == [Format(0, "PCMU", 8000)]
    assert description.media[2].rtp_formats() == [Format(99, "h263-1998", 90000)]
    assert description.anomalies() == []


def test_the_offer_of_a_real_voice_connector_is_understood() -> None:
    """RFC 8866 6, RFC 3605."""
    (line,) = parse(VOICE_CONNECTOR_OFFER).media
    assert line.rtp_formats() == [Format(0, "PCMU", 8000), Format(101, "telephone-event", 8000)]
    assert line.values["fmtp"] == "101 0-15"
    assert line.direction == SENDRECV
    assert line.below.ptime_ms == 20
    assert line.rtcp() == ("3.80.17.149", 36489)


@pytest.mark.parametrize("body", [RFC_8866_EXAMPLE, VOICE_CONNECTOR_OFFER], ids=["RFC 8866", "Voice Connector"])
@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
def test_a_description_prints_as_it_was(body: bytes, line_end: bytes) -> None:
    """RFC 8866 5: lines end in CRLF, and a parser should also take a lone LF."""
    body = body.replace(b"\r\n", line_end)
    description = parse(body)
    assert description.encode() == body
    assert description.text + "".join([line.text for line in description.media]) == body.decode("latin-1")


@pytest.mark.parametrize(
    "body",
    [
        with_audio("a=x-unknown:1\nz=0 0\ny=?\n\nnot a line\na=last"),
        with_audio("a=sendonly\n").replace(b"s=-\r\n", b"s=-\n"),
        with_audio("a=note:Gr\xfc\xdfe \xe4\n"),
        with_audio("a=two\rlines\n"),
        with_audio("a=nul:\0\n\n\n"),
    ],
    ids=["unknown lines, no last line end", "mixed line ends", "latin-1", "lone CR", "NUL, empty lines"],
)
def test_odd_descriptions_print_as_they_were(body: bytes) -> None:
    """RFC 8866 5: text is bytes of any character set."""
    assert parse(body).encode() == body


def test_attributes_keep_their_order_and_make_up_their_lines() -> None:
    """RFC 8866 5.13: an attribute is a name, or a name and a value."""
    lines = ["a=ptime:20", "a=x-flag", "a=x-empty:", "a=x-colons:1:2:3", "a=ptime:30"]
    line = audio("\n".join(lines) + "\n")
    assert [f"a={name}{colon}{value}" for name, colon, value in line.attributes] == lines
    assert line.values["x-flag"] == ""
    assert line.values["x-colons"] == "1:2:3"
    assert line.values["ptime"] == "20"
    assert "x-other" not in line.values


def test_attributes_above_the_first_line_are_the_sessions() -> None:
    """RFC 8866 5.13."""
    description = parse(with_audio("a=ptime:20\n", session="a=tool:test\na=recvonly\n"))
    assert [name for name, _, _ in description.attributes] == ["tool", "recvonly"]
    assert [name for name, _, _ in description.media[0].attributes] == ["ptime"]


@pytest.mark.parametrize(
    ("session", "lines", "expected"),
    [
        ("", "", SENDRECV),
        ("", "a=sendonly\n", SENDONLY),
        ("", "a=recvonly\n", RECVONLY),
        ("", "a=inactive\n", INACTIVE),
        ("a=sendonly\n", "", SENDONLY),
        ("a=sendonly\n", "a=sendrecv\n", SENDRECV),
        ("", "c=IN IP4 0.0.0.0\n", SENDONLY),
        ("", "c=IN IP4 0.0.0.0\na=recvonly\n", INACTIVE),
        ("", "c=IN IP4 0.0.0.0\na=inactive\n", INACTIVE),
        ("", "c=IN IP6 ::\n", SENDONLY),
    ],
)
def test_the_direction_is_the_lines_then_the_sessions(session: str, lines: str, expected: Direction) -> None:
    """RFC 8866 6.7, RFC 3264 8.4: an address of 0.0.0.0 means "send me nothing"."""
    assert audio(lines, session).direction is expected


def test_a_direction_is_what_is_sent_and_received() -> None:
    """RFC 8866 6.7."""
    for direction in (SENDRECV, SENDONLY, RECVONLY, INACTIVE):
        assert sdp.direction_of(direction.sends, direction.receives) is direction
    assert (SENDONLY.sends, SENDONLY.receives) == (True, False)
    assert (RECVONLY.sends, RECVONLY.receives) == (False, True)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", ("192.0.2.1", 49171)),
        ("a=rtcp:53020\n", ("192.0.2.1", 53020)),
        ("a=rtcp:53020 IN IP4 126.16.64.4\n", ("126.16.64.4", 53020)),
        (
            "a=rtcp:53020 IN IP6 2001:2345:6789:ABCD:EF01:2345:6789:ABCD\n",
            ("2001:2345:6789:ABCD:EF01:2345:6789:ABCD", 53020),
        ),
        ("a=rtcp:0\n", ("192.0.2.1", 49171)),
        ("a=rtcp:http\n", ("192.0.2.1", 49171)),
        ("a=rtcp:53020 IN IP4 host.example.com\n", ("192.0.2.1", 53020)),
    ],
)
def test_rtcp_goes_where_it_says_or_to_the_next_port(lines: str, expected: tuple[str, int]) -> None:
    """RFC 3605 2.1 with its three examples; RFC 3550 11."""
    assert audio(lines).rtcp() == expected


def test_there_is_no_rtcp_above_the_last_port() -> None:
    """RFC 3550 11."""
    body = with_audio("").replace(b"49170", b"65535")
    assert parse(body).media[0].rtcp() is None


@pytest.mark.parametrize(
    ("formats", "lines", "expected"),
    [
        ("0 8", "", [Format(0, "PCMU", 8000), Format(8, "PCMA", 8000)]),
        ("18 4 9", "", [Format(18, "G729", 8000), Format(4, "G723", 8000), Format(9, "G722", 8000)]),
        (
            "111 101",
            "a=rtpmap:111 opus/48000/2\na=rtpmap:101 telephone-event/8000\n",
            [Format(111, "opus", 48000, 2), Format(101, "telephone-event", 8000)],
        ),
        ("8", "a=rtpmap:8 pcma/8000/1\n", [Format(8, "pcma", 8000)]),
        ("97", "", [Format(97, "", 0)]),
        ("97", "a=rtpmap:97\n", [Format(97, "", 0)]),
        ("97", "a=rtpmap:97 L16/0x10\n", [Format(97, "", 0)]),
        ("0 128 -1 t38 0x0", "a=rtpmap:128 PCMU/8000\n", [Format(0, "PCMU", 8000)]),
    ],
)
def test_payload_types_have_names_by_rtpmap_or_by_number(formats: str, lines: str, expected: list[Format]) -> None:
    """RFC 8866 6.6, RFC 3551 table 4."""
    body = with_audio(lines).replace(b"RTP/AVP 0", f"RTP/AVP {formats}".encode())
    assert parse(body).media[0].rtp_formats() == expected


@pytest.mark.parametrize("value", ["20", " 20", "20 "])
def test_ptime_is_in_milliseconds(value: str) -> None:
    """RFC 8866 6.4."""
    assert audio(f"a=ptime:{value}\n").below.ptime_ms == 20


@pytest.mark.parametrize("lines", ["", "a=ptime:\n", "a=ptime:0\n", "a=ptime:-20\n", "a=ptime:\xb2\n"])
def test_a_ptime_that_is_no_time_is_none(lines: str) -> None:
    """RFC 8866 6.4."""
    assert audio(lines).below.ptime_ms is None


@pytest.mark.parametrize(
    ("connection", "address"),
    [
        ("IN IP4 224.2.36.42/127", "224.2.36.42"),
        ("IN IP4 233.252.0.1/127/3", "233.252.0.1"),
        ("IN IP6 ff00::db8:0:101/3", "ff00::db8:0:101"),
        ("IN IP6 ::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        ("IN IP4 host.atlanta.example.com", "host.atlanta.example.com"),
        ("IN  IP4  192.0.2.7 ", "192.0.2.7"),
    ],
)
def test_an_address_is_ip_or_a_name_without_ttl(connection: str, address: str) -> None:
    """RFC 8866 5.7 with its examples."""
    line = audio(f"c={connection}\n")
    assert line.address == address
    assert sdp.is_host_name(address) == ("example" in address)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "it does not begin with v=0: it is empty (RFC 8866 5.1)"),
        (b"\r\n", "it does not begin with v=0: line 1 is '' (RFC 8866 5.1)"),
        (b"o=- 1 1 IN IP4 192.0.2.1\r\n", "line 1 is 'o=- 1 1 IN IP4 192.0.2.1' (RFC 8866 5.1)"),
        (b"v=1\r\nm=audio 1 RTP/AVP 0\r\n", "line 1 is 'v=1' (RFC 8866 5.1)"),
        (b"v=0\r\ns=-\r\n", "it has no m= line, so it describes no media (RFC 8866 5.14)"),
        (
            b"v=0\r\ns=-\r\nm=audio 49170 RTP/AVP 0\r\n",
            "line 3 'm=audio 49170 RTP/AVP 0' has no address: no c= line stands below it or above the first "
            "m= line (RFC 8866 5.7)",
        ),
        (with_audio("c=IN IP4 192.0.2.256\n"), "line 7 'c=IN IP4 192.0.2.256' is not IN, IP4 or IP6, and"),
        (with_audio("c=IN IP4 2001:db8::1\n"), "line 7 'c=IN IP4 2001:db8::1'"),
        (with_audio("c=IN IP6 192.0.2.1\n"), "line 7 'c=IN IP6 192.0.2.1'"),
        (with_audio("c=IN IP6 fe80::1%eth0\n"), "line 7 'c=IN IP6 fe80::1%eth0'"),
        (with_audio("c=ATM NSAP 47.0091\n"), "line 7 'c=ATM NSAP 47.0091'"),
        (with_audio("c=192.0.2.1\n"), "line 7 'c=192.0.2.1'"),
        (with_audio("a=x\nm=audio 65536 RTP/AVP 0\n"), "line 8 'm=audio 65536 RTP/AVP 0' is not a"),
        (with_audio("m=audio -1 RTP/AVP 0\n"), "line 7 'm=audio -1 RTP/AVP 0'"),
        (with_audio("m=audio \xb2 RTP/AVP 0\n"), r"line 7 'm=audio \xb2 RTP/AVP 0'"),
        (with_audio("m=audio 49170 RTP/AVP\n"), "line 7 'm=audio 49170 RTP/AVP'"),
        (with_audio("m=\n"), "line 7 'm='"),
        (with_audio("m=audio " + "9" * 5000 + " RTP/AVP 0\n"), "line 7 'm=audio 99999"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_says_what_where_and_why(body: bytes, sentence: str) -> None:
    """RFC 8866 5.1, 5.7, 5.14."""
    with pytest.raises(SdpError) as caught:
        parse(body)
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 250


def test_a_line_without_port_needs_no_address() -> None:
    """RFC 3264 6: a declined line says nothing of a transport."""
    (line,) = parse(b"v=0\r\nm=audio 0 RTP/AVP 0\r\n").media
    assert (line.port, line.address, line.rtcp()) == (0, "", None)


def test_a_port_may_come_with_a_count() -> None:
    """RFC 8866 5.14: "m=video 49170/2 RTP/AVP 31"."""
    (_, video) = parse(with_audio("m=video 49170/2 RTP/AVP 31\n")).media
    assert video.port == 49170


@pytest.mark.parametrize(
    ("body", "anomalies"),
    [
        (VOICE_CONNECTOR_OFFER, []),
        (VOICE_CONNECTOR_OFFER.rstrip(), []),
        (
            VOICE_CONNECTOR_OFFER.replace(b"\r\n", b"\n"),
            ["ends lines with something else than CRLF (RFC 8866 5)"],
        ),
        (
            VOICE_CONNECTOR_OFFER.replace(b"t=0 0\r\n", b"").replace(b"s=SIP Media Capabilities\r\n", b""),
            ["lacks the s= and t= line, which is required (RFC 8866 5)"],
        ),
        (
            VOICE_CONNECTOR_OFFER + b"x=1\x07\r\n",
            [r"has a line of no known type, 'x=1\x07' (RFC 8866 5)"],
        ),
    ],
    ids=["none", "no last line end", "LF", "missing lines", "unknown line"],
)
def test_anomalies_are_told_in_words(body: bytes, anomalies: list[str]) -> None:
    """RFC 8866 5."""
    assert parse(body).anomalies() == anomalies


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_or_printed_back(body: bytes) -> None:
    """Nothing but SdpError comes out of a parse."""
    for candidate in (body, b"v=0\r\n" + body, with_audio("") + body):
        try:
            description = parse(candidate)
        except SdpError:
            continue
        assert description.encode() == candidate


LINES = st.lists(
    st.sampled_from(
        ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "c=IN IP6 ::", "c=IN", "t=0 0", "m=",
         "m=audio 49170 RTP/AVP 0 8 101", "m=audio 0 RTP/AVP", "m=image 1 udptl t38", "a=rtpmap:101 a/8000",
         "a=rtpmap:101", "a=rtpmap:8 PCMA/8000", "a=sendonly", "a=rtcp:1 IN IP4 x", "a=rtcp:",
         "a=ptime:9999999", "a=", "", " ", "x", "b=AS:64", "a=\r", "i=\0"]
    ),
    max_size=20,
)  # fmt: skip


@given(LINES, st.sampled_from(["\r\n", "\n"]))
def test_any_lines_are_refused_or_understood(lines: list[str], line_end: str) -> None:
    """Whatever was parsed answers every question, and is the sum of its sections."""
    body = line_end.join(["v=0", *lines]).encode("latin-1")
    try:
        description = parse(body)
    except SdpError:
        return
    assert description.encode() == body
    assert description.text + "".join([line.text for line in description.media]) == description.body
    description.anomalies()
    for line in description.media:
        assert line.direction in (SENDRECV, SENDONLY, RECVONLY, INACTIVE)
        assert line.address or not line.port
        assert all(0 <= one.payload_type <= 127 for one in line.rtp_formats())
        line.rtcp()
        assert line.below.ptime_ms is None or line.below.ptime_ms > 0

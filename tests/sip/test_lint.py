"""What `lint` finds unusual, edit by edit on a message that has nothing unusual."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.sip.grammar import ParseError
from voiceconnector.sip.lint import Anomaly, Level, anomalies
from voiceconnector.sip.message import Request, parse

INVITE = (
    b"INVITE sip:+12065550100@example.net SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP pbx.example.com:5060;branch=z9hG4bK776asdhds;rport\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "PBX" <sip:+12065550199@example.com>;tag=1928301774\r\n'
    b"To: <sip:+12065550100@example.net>\r\n"
    b"Call-ID: a84b4c76e66710@example.com\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b"Contact: <sip:pbx.example.com:5060>\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: 32\r\n"
    b"\r\n"
    b"v=0\r\nc=IN IP4 203.0.113.9\r\ns=-\r\n"
)
RESPONSE = (
    b"SIP/2.0 180 Ringing\r\n"
    b"Via: SIP/2.0/UDP pbx.example.com:5060;branch=z9hG4bK776asdhds;rport=5060;received=203.0.113.9\r\n"
    b"From: <sip:+12065550199@example.com>;tag=1928301774\r\n"
    b"To: <sip:+12065550100@example.net>;tag=a6c85cf\r\n"
    b"Call-ID: a84b4c76e66710@example.com\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b"Content-Length: 0\r\n"
    b"\r\n"
)
NOTE, WARNING, ERROR = Level.NOTE, Level.WARNING, Level.ERROR


def without_length(message: bytes) -> bytes:
    return message.replace(b"Content-Length: 32\r\n", b"")


@pytest.mark.parametrize("message", [INVITE, RESPONSE], ids=["INVITE", "180"])
def test_a_message_as_the_rfcs_want_it_has_no_anomaly(message: bytes) -> None:
    assert anomalies(message) == []
    assert anomalies(message, transport="UDP", source_address="203.0.113.9", initial=True) == []


# fmt: off
REQUEST_EDITS = [
    # bytes and lines
    (b"", b"\r\n", "empty lines before the start line", "start line", "RFC 3261 7.5", NOTE),
    (b"70\r\n", b"70\n", "1 of 11 lines end with a bare LF, not with CRLF", "header", "RFC 3261 7", WARNING),
    (b"\r\nMax", b"\r\n oh\r\nMax", "a header folded over several lines", "Via (line 2)", "RFC 3261 7.3.1", NOTE),
    (b"Max", b"Hello\r\nMax", "'Hello' is no header line", "line 3", "RFC 3261 7.3", WARNING),
    (b"Max", b"H llo: 1\r\nMax", "'H llo: 1' is no header line", "line 3", "RFC 3261 7.3", WARNING),
    (b"Max-Forwards:", b"Max-Forwards :", "blanks before the colon", "Max-Forwards (line 3)", "RFC 3261 7.3.1", NOTE),
    (b"Via:", b"v:", "compact header names: v", "header", "RFC 3261 7.3.3", NOTE),
    (b"PBX", b"T\xc3\xa9l", "characters beyond ASCII, as UTF-8", "line 4", "RFC 3261 7", NOTE),
    (b"PBX", b"T\xe9l", "bytes that are not UTF-8; they are read as latin-1", "line 4", "RFC 3261 7", WARNING),
    (b"PBX", b"P\x00X", "control character 0x00", "line 4", "RFC 3261 25.1", WARNING),
    (b"PBX", b"P\\\x07X", "control character 0x07", "line 4", "RFC 3261 25.1", NOTE),
    # start line
    (b"SIP/2.0\r\nVia", b"SIP/3.0\r\nVia",
     "version SIP/3.0, where only SIP/2.0 is known", "start line", "RFC 3261 21.5.6", ERROR),
    (b"SIP/2.0\r\nVia", b"sip/2.0\r\nVia",
     "sip/2.0 is to be sent in upper case", "start line", "RFC 3261 7.1", WARNING),
    (b"INVITE sip", b"INVITE  sip",
     "3 blanks, where one is before and one behind the Request-URI", "start line", "RFC 3261 7.1", ERROR),
    (b" SIP/2.0\r\nVia", b"\r\nVia",
     "'INVITE sip:+12065550100@example.net' is not method, Request-URI and SIP/2.0", "start line",
     "RFC 3261 7.1", ERROR),
    (b"INVITE sip:+12065550100@example.net SIP/2.0", b"GET / HTTP/1.1",
     "this is HTTP, not SIP", "start line", "RFC 3261 7.1", ERROR),
    (b"INVITE sip", b"invite sip",
     "method invite is another than INVITE: case matters", "start line", "RFC 3261 7.1", WARNING),
    (b"sip:+12065550100@example.net SIP", b"<sip:+12065550100@example.net> SIP",
     "the Request-URI stands in <>", "start line", "RFC 3261 7.1", ERROR),
    (b"INVITE sip", b"INVITE http",
     "scheme of 'http:+12065550100@example.net' is not sip or sips", "Request-URI", "RFC 3261 8.2.2.1", ERROR),
    (b"example.net SIP", b"example.net?Route=x SIP",
     "headers in the Request-URI", "Request-URI", "RFC 3261 19.1.1 Table 1", ERROR),
    (b"+12065550100@example.net SIP", b"2001:db8::1 SIP",
     "an IPv6 address without [ ]", "Request-URI", "RFC 3261 25.1, RFC 5118 4.2", ERROR),
    (b"+12065550100@example.net SIP", b"[2001:db8:::192.0.2.1] SIP",
     "[2001:db8:::192.0.2.1] is not an IPv6 address", "Request-URI", "RFC 3261 25.1, RFC 5118 4.10", WARNING),
    (b"sip:+12065550100@example.net SIP", b"sip:*72#@example.net SIP",
     "user '*72#' has characters that are to be escaped with %", "Request-URI", "RFC 3261 19.1.2, 25.1", WARNING),
    (b"sip:+12065550100@example.net SIP", b"sip:%zz@example.net SIP",
     "'sip:%zz@example.net' is not a SIP URI", "Request-URI", "RFC 3261 19.1.1", ERROR),
    # headers
    (b"Call-ID: a84b4c76e66710@example.com\r\n", b"", "missing", "Call-ID", "RFC 3261 8.1.1.4", ERROR),
    (b"Max-Forwards: 70\r\n", b"", "missing, read as 70", "Max-Forwards", "RFC 3261 8.1.1.6", WARNING),
    (b"Contact: <sip:pbx.example.com:5060>\r\n", b"", "missing", "Contact", "RFC 3261 8.1.1.8", WARNING),
    (b"Max-Forwards: 70", b"Max-Forwards: 70\r\nMax-Forwards: 70",
     "given 2 times", "Max-Forwards", "RFC 3261 7.3.1", ERROR),
    (b"5060>", b"5060>, <sip:pbx2.example.com>", "2 values in one line", "Contact (line 8)", "RFC 3261 7.3.1", NOTE),
    (b";branch=z9hG4bK776asdhds", b"", "no branch, as before RFC 3261", "Via (line 2)", "RFC 3261 8.1.1.7", WARNING),
    (b"z9hG4bK776asdhds", b"776asdhds",
     "a branch without z9hG4bK, as before RFC 3261", "Via (line 2)", "RFC 3261 8.1.1.7", WARNING),
    (b"z9hG4bK776asdhds", b"z9hG4bK", "a branch of nothing but z9hG4bK", "Via (line 2)", "RFC 3261 8.1.1.7", WARNING),
    (b";rport", b"",
     "no rport: answers go to the port in Via, which a NAT may not let in", "Via (line 2)", "RFC 3581 3", NOTE),
    (b";rport", b";rport;received=[2001:db8::1]", "received in [ ]", "Via (line 2)", "RFC 5118 4.5", NOTE),
    (b"pbx.example.com:5060;b", b"10.0.0.5;b",
     "10.0.0.5 is an address that only the sender's own network reaches", "Via (line 2)",
     "RFC 1918, 3927, 4193, 6598", NOTE),
    (b"<sip:pbx.example.com:5060>", b"<sip:[fd00::5]:5060>",
     "fd00::5 is an address that only the sender's own network reaches", "Contact (line 8)",
     "RFC 1918, 3927, 4193, 6598", NOTE),
    (b"SIP/2.0/UDP", b"SIP/2.0/UDP/x",
     "'SIP/2.0/UDP/x pbx.example.com:5060;branch=z9hG4bK776asdhds;rport' is not a Via", "Via (line 2)",
     "RFC 3261 20.42", ERROR),
    (b"<sip:+12065550100@example.net>\r\n", b"< sip:+12065550100@example.net>\r\n",
     "blanks within < >", "To (line 5)", "RFC 3261 25.1, RFC 4475 3.1.2.14", ERROR),
    (b'"PBX"', b"Bell, Alexander",
     "display name 'Bell, Alexander' is to be quoted", "From (line 4)", "RFC 3261 25.1", ERROR),
    (b'"PBX" ', b'"PBX"', "no blank between display name and <", "From (line 4)", "RFC 4475 3.1.1.6", NOTE),
    (b"<sip:pbx.example.com:5060>", b"<tel:+12065550199>",
     "a URI that is not SIP: 'tel:+12065550199'", "Contact (line 8)", "RFC 3261 19.1", NOTE),
    (b"199@example.com>", b"199@example.com:5060>",
     "a port, which has no meaning here", "From (line 4)", "RFC 3261 19.1.1 Table 1", NOTE),
    (b"Contact", b"Route: <sip:proxy.example.com>\r\nContact",
     "no ;lr: a strict router, as before RFC 3261", "Route (line 8)", "RFC 3261 16.4", NOTE),
    (b";tag=1928301774", b"", "no tag, as before RFC 3261", "From (line 4)", "RFC 3261 8.1.1.3", WARNING),
    (b"314159 INVITE", b"314159 OPTIONS",
     "names OPTIONS, the request is INVITE", "CSeq (line 7)", "RFC 3261 8.1.1.5", ERROR),
    (b"314159 INVITE", b"2147483648 INVITE",
     "'2147483648 INVITE' is not a number below 2**31 and a method", "CSeq (line 7)", "RFC 3261 20.16", ERROR),
    (b"a84b4c76e66710@", b"a84 b4c @", "not one word", "Call-ID (line 6)", "RFC 3261 25.1 callid", WARNING),
    (b"Max-Forwards: 70", b"Max-Forwards: 0",
     "0: no element may pass it on", "Max-Forwards (line 3)", "RFC 3261 16.3", WARNING),
    (b"Max-Forwards: 70", b"Max-Forwards: 256",
     "'256' is not a number from 0 to 255", "Max-Forwards (line 3)", "RFC 3261 20.22", ERROR),
    (b"Contact", b"Expires: soon\r\nContact",
     "'soon' is not a number of seconds below 2**32", "Expires (line 8)", "RFC 3261 25.1 delta-seconds", WARNING),
    (b"Contact", b"Date: Fri, 01 Jan 2010 16:00:00 EST\r\nContact",
     "'Fri, 01 Jan 2010 16:00:00 EST' is not a date in GMT", "Date (line 8)", "RFC 3261 20.17", WARNING),
    (b"Contact", b"x: 1800;refresher=me\r\nContact",
     "refresher 'me' is neither uac nor uas", "x (line 8)", "RFC 4028 4", WARNING),
    (b"Contact", b"Authorization: Digest realm\r\nContact",
     "no parameter can be read behind Digest", "Authorization (line 8)", "RFC 7616 3.4", WARNING),
    # size and body
    (b"Content-Length: 32\r\n", b"", "missing", "Content-Length", "RFC 3261 20.14", NOTE),
    (b"Length: 32", b"Length: 33",
     "says '33', 32 bytes of body came", "Content-Length (line 10)", "RFC 3261 18.3", ERROR),
    (b"Length: 32", b"Length: 27",
     "5 bytes behind the declared body are left out", "Content-Length (line 10)", "RFC 3261 18.3", NOTE),
    (b"Length: 32", b"Length: -1",
     "'-1' is not a number of bytes", "Content-Length (line 10)", "RFC 3261 20.14", ERROR),
    (b"Content-Type: application/sdp\r\n", b"",
     "missing, and there is a body", "Content-Type", "RFC 3261 20.15", WARNING),
    (b"203.0.113.9", b"192.168.1.9",
     "192.168.1.9 is an address that only the sender's own network reaches", "SDP c=",
     "RFC 1918, 3927, 4193, 6598", NOTE),
]
# fmt: on


@pytest.mark.parametrize(("old", "new", "what", "where", "source", "level"), REQUEST_EDITS)
def test_an_unusual_request_is_described(
    old: bytes, new: bytes, what: str, where: str, source: str, level: Level
) -> None:
    """The RFC section stands in each row."""
    assert Anomaly(what, where, source, level) in anomalies(INVITE.replace(old, new, 1))


# fmt: off
RESPONSE_EDITS = [
    (b"SIP/2.0 180", b"SIP/2.0 700", "status code '700'", "start line", "RFC 3261 7.2", ERROR),
    (b"SIP/2.0 180", b"SIP/2.1 180", "version SIP/2.1, where SIP/2.0 is known", "start line", "RFC 3261 7.2", ERROR),
    (b" Ringing", b"", "no reason phrase", "start line", "RFC 3261 7.2", NOTE),
    (b"From", b"Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom",
     "a response that still has 2 Vias", "Via", "RFC 3261 8.1.3.3", ERROR),
    (b";tag=a6c85cf", b"", "no tag, as before RFC 3261", "To (line 4)", "RFC 3261 8.2.6.2", WARNING),
    (b"From", b"Warning: 1812 h \"x\"\r\nFrom",
     "'1812 h \"x\"' has no three-digit code", "Warning (line 3)", "RFC 3261 20.43", WARNING),
]
# fmt: on


@pytest.mark.parametrize(("old", "new", "what", "where", "source", "level"), RESPONSE_EDITS)
def test_an_unusual_response_is_described(
    old: bytes, new: bytes, what: str, where: str, source: str, level: Level
) -> None:
    """The RFC section stands in each row."""
    assert Anomaly(what, where, source, level) in anomalies(RESPONSE.replace(old, new, 1))


def test_a_100_needs_no_tag() -> None:
    """RFC 3261 8.2.6.2."""
    assert anomalies(RESPONSE.replace(b"180 Ringing", b"100 Trying").replace(b";tag=a6c85cf", b"")) == []


def test_what_matters_depends_on_how_the_message_came() -> None:
    """RFC 3261 18.1.1, 18.3 and 8.1.1.2."""
    no_length = anomalies(without_length(INVITE).replace(b"/UDP", b"/TCP"), transport="tcp")
    assert no_length == [Anomaly("missing", "Content-Length", "RFC 3261 20.14", ERROR)]
    assert anomalies(INVITE, transport="TCP") == [
        Anomaly("says UDP, it came over TCP", "Via (line 2)", "RFC 3261 18.1.1", WARNING)
    ]
    long = INVITE.replace(b"Contact", b"X-Padding: " + b"x" * 1000 + b"\r\nContact")
    (size,) = anomalies(long, transport="UDP")
    assert size.what.startswith(f"{len(long)} bytes over UDP: above 1300")
    (tagged,) = anomalies(INVITE.replace(b"example.net>\r\n", b"example.net>;tag=1\r\n"), initial=True)
    assert tagged.what == "a tag in To names a dialog; a request that starts a call has none"


def test_a_private_address_is_told_only_where_the_message_came_from_another() -> None:
    message = INVITE.replace(b"pbx.example.com", b"127.0.0.1").replace(b"203.0.113.9", b"127.0.0.1")
    message = message.replace(b"Length: 32", b"Length: 30")
    assert anomalies(message, source_address="127.0.0.1") == []
    assert anomalies(message, source_address="192.168.1.7") == [], "whoever is in the lab is on its network"
    told = anomalies(message, source_address="203.0.113.9")
    assert [anomaly.where for anomaly in told] == ["Contact (line 8)", "Via (line 2)", "SDP c="]
    assert [anomaly.level for anomaly in told] == [WARNING, NOTE, NOTE], "only the Contact has to be reached"
    assert told[0].what.endswith("; the message came from 203.0.113.9")


def test_errors_come_first_and_nothing_is_told_twice() -> None:
    message = INVITE.replace(b"Via:", b"v:").replace(b"CSeq: 314159 INVITE\r\n", b"").replace(b" 70", b" 0")
    assert [anomaly.level for anomaly in anomalies(message)] == [ERROR, WARNING, NOTE]


@pytest.mark.parametrize(
    "data", [b"", b"\r\n\r\n", b"\x16\x03\x01\x01\x3a", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00" * 50]
)
def test_what_is_no_sip_at_all_is_an_error(data: bytes) -> None:
    assert anomalies(data)[0].level is ERROR


PIECES = st.sampled_from([INVITE, RESPONSE, b"\r\n", b"\n ", b":", b"Via", b"<", b">", b'"', b";tag", b"\xff", b"\x00"])


@given(st.data())
def test_whatever_the_parser_refuses_is_an_error_and_nothing_raises(data: st.DataObject) -> None:
    message = bytearray(data.draw(st.sampled_from([INVITE, RESPONSE])))
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(message)))
        end = data.draw(st.integers(start, min(len(message), start + 30)))
        message[start:end] = data.draw(PIECES | st.binary(max_size=8))
    found = anomalies(bytes(message))
    try:
        read = parse(bytes(message))
        if isinstance(read, Request):
            read.validate()
    except ParseError:
        assert found[0].level is ERROR

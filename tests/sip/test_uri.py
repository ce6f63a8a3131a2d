"""SIP URIs: the examples of RFC 3261 19.1.3 and RFC 5118, and what is none."""

import pytest
import sipmessage
from hypothesis import assume, given
from hypothesis import strategies as st

from voiceconnector.sip.grammar import ParseError
from voiceconnector.sip.uri import SipUri

VECTORS = [
    ("sip:alice@atlanta.com", SipUri("sip", "alice", "atlanta.com", None, "")),
    ("sips:alice@atlanta.com?subject=project%20x&priority=urgent",
     SipUri("sips", "alice", "atlanta.com", None, "", "subject=project%20x&priority=urgent")),
    ("sips:1212@gateway.com", SipUri("sips", "1212", "gateway.com", None, "")),
    ("sip:alice@192.0.2.4", SipUri("sip", "alice", "192.0.2.4", None, "")),
    ("sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
     SipUri("sip", "", "atlanta.com", None, ";method=REGISTER", "to=alice%40atlanta.com")),
    ("sip:alice;day=tuesday@atlanta.com", SipUri("sip", "alice;day=tuesday", "atlanta.com", None, "")),
    ("sip:+12065550100;npdi;rn=+12065550000@127.0.0.1:5080;user=phone",
     SipUri("sip", "+12065550100;npdi;rn=+12065550000", "127.0.0.1", 5080, ";user=phone")),
    ("sip:vivekg@chair-dnrc.example.com;unknownparam",
     SipUri("sip", "vivekg", "chair-dnrc.example.com", None, ";unknownparam")),
    ("sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com",
     SipUri("sip", "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*", "example.com", None, "")),
    ("sip:user%40x%00@example.com", SipUri("sip", "user%40x%00", "example.com", None, "")),
    ("sip:[2001:db8::10]", SipUri("sip", "", "[2001:db8::10]", None, "")),
    ("sip:[2001:db8::10]:5070", SipUri("sip", "", "[2001:db8::10]", 5070, "")),
    ("sip:user@[2001:db8::10:5070];lr", SipUri("sip", "user", "[2001:db8::10:5070]", None, ";lr")),
    ("sip:[::ffff:192.0.2.10]", SipUri("sip", "", "[::ffff:192.0.2.10]", None, "")),
    ("sip:abcdef1ghij2klmno3pqr4.voiceconnector.chime.aws:5061;transport=tls",
     SipUri("sip", "", "abcdef1ghij2klmno3pqr4.voiceconnector.chime.aws", 5061, ";transport=tls")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "uri"), VECTORS, ids=[text for text, _ in VECTORS])
def test_a_uri_is_read_and_printed(text: str, uri: SipUri) -> None:
    """RFC 3261 19.1.1, 19.1.3, RFC 4475 3.1.1.2, RFC 5118 4.1, 4.2."""
    assert SipUri.parse(text) == uri
    assert str(uri) == text


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("SIP:Alice@AtLanTa.CoM;Transport=TCP", "sip:Alice@atlanta.com;Transport=TCP"),
        ("sip:bob@[2001:DB8::A]", "sip:bob@[2001:db8::a]"),
    ],
)
def test_scheme_and_host_are_compared_without_case(text: str, printed: str) -> None:
    """19.1.4; user and parameters stay as they are."""
    assert str(SipUri.parse(text)) == printed


def test_a_password_is_read_over_and_never_shown() -> None:
    """19.1.1: its use is not recommended."""
    uri = SipUri.parse("sip:alice:secretword@atlanta.com;transport=tcp")
    assert uri == SipUri("sip", "alice", "atlanta.com", None, ";transport=tcp")
    assert SipUri.parse("sip:+1-212-555-1212:1234@gateway.com;user=phone").user == "+1-212-555-1212"
    assert "secretword" not in str(uri)


@pytest.mark.parametrize(
    "text",
    [
        "", "sip:", "sip:@", "sip:@host", "sips:", "sip", "alice@atlanta.com", "sip:alice@", "sip:alice@@atlanta.com",
        "sip:alice@atlanta.com:", "sip:alice@atlanta.com:0", "sip:alice@atlanta.com:65536",
        "sip:alice@atlanta.com:port", "sip:alice@[2001:db8::10", "sip:2001:db8::10", "sip:alice@2001:db8::10",
        "sip:alice@atlanta com", "sip:al ice@atlanta.com", "<sip:alice@atlanta.com>", "sip:alice@atlanta.com>",
        "sip:ali%zzce@atlanta.com", "sip:alice%4@atlanta.com", "sip:alice@-atlanta.com", "sip:alice@.com",
        "sip:alice@atlanta.com;x=\"y\"", "sip:al<ice@atlanta.com", "sip:alice@atlanta.com\t",
    ],
)  # fmt: skip
def test_what_is_no_uri_is_a_bad_request(text: str) -> None:
    """19.1.1, 25.1."""
    with pytest.raises(ParseError) as refusal:
        SipUri.parse(text)
    assert refusal.value.status_code == 400


@pytest.mark.parametrize(
    "text", ["tel:+12065550100", "mailto:a@b.c", "http://x/", "urn:service:sos", "nobodyKnowsThisScheme:x"]
)
def test_another_scheme_is_not_supported(text: str) -> None:
    """8.2.2.1: 416."""
    with pytest.raises(ParseError) as refusal:
        SipUri.parse(text, "Contact")
    assert (refusal.value.status_code, refusal.value.where) == (416, "Contact")


@pytest.mark.parametrize(
    ("text", "transport", "address"),
    [
        ("sip:127.0.0.1", "UDP", ("127.0.0.1", 5060)),
        ("sip:a@127.0.0.1:5070", "UDP", ("127.0.0.1", 5070)),
        ("sip:127.0.0.1;transport=udp", "UDP", ("127.0.0.1", 5060)),
        ("sip:127.0.0.1;Transport=TCP", "TCP", ("127.0.0.1", 5060)),
        ("sip:127.0.0.1;transport=tls", "TLS", ("127.0.0.1", 5061)),
        ("sips:127.0.0.1", "TLS", ("127.0.0.1", 5061)),
        ("sips:127.0.0.1:5060;transport=tcp", "TLS", ("127.0.0.1", 5060)),
        ("sip:[::1];lr", "UDP", ("::1", 5060)),
        ("sip:[::1]:5066;transport=tcp", "TCP", ("::1", 5066)),
    ],
)
def test_where_a_uri_leads(text: str, transport: str, address: tuple[str, int]) -> None:
    """RFC 3263 4.1, 4.2 without DNS; RFC 3261 19.1.2 for the default ports, 26.2.2 for sips over TCP."""
    uri = SipUri.parse(text)
    assert (uri.transport, uri.address) == (transport, address)


def test_parameters_are_found_without_case() -> None:
    """19.1.1, 19.1.4: a flag has no value; a name within another is not it."""
    uri = SipUri.parse("sip:a@b;Transport=TCP;LR;x=lr;notlr=1;method=INVITE")
    assert uri.parameter("transport") == "TCP"
    assert uri.parameter("lr") == ""
    assert uri.parameter("method") == "INVITE"
    assert uri.parameter("maddr") is None
    assert uri.is_loose
    assert not SipUri.parse("sip:a@b;notlr;x=lr").is_loose


def test_escapes_in_the_user_are_resolved_for_comparing() -> None:
    """19.1.4: "%61lice" is "alice"; what is no escape stays."""
    assert SipUri.parse("sip:%61lice@atlanta.com").unescaped_user == "alice"
    assert SipUri.parse("sip:%2B12065550100@b").unescaped_user == "+12065550100"
    assert SipUri.parse("sip:+1(206)555@b").unescaped_user == "+1(206)555"


USERS = st.text("abcXYZ0189-_.!~*'()&=+$,;?/", max_size=12)
HOSTS = st.sampled_from(["atlanta.com", "a-b.c", "192.0.2.4", "[2001:db8::1]", "[::1]", "x", "pbx1"])
PORTS = st.none() | st.integers(1, 65535)
PARAMETERS = st.lists(st.sampled_from([";lr", ";transport=tcp", ";user=phone", ";x=y%20z", ";maddr=[::1]"]), max_size=3)


@given(st.sampled_from(["sip", "sips"]), USERS, HOSTS, PORTS, PARAMETERS)
def test_whatever_is_printed_is_read_again(
    scheme: str, user: str, host: str, port: int | None, parameters: list[str]
) -> None:
    uri = SipUri(scheme, user, host, port, "".join(parameters))
    assert SipUri.parse(str(uri)) == uri


@given(st.sampled_from(["sip", "sips"]), st.text("abc019-_.+", min_size=1, max_size=9), HOSTS, PORTS)
def test_another_parser_reads_the_same(scheme: str, user: str, host: str, port: int | None) -> None:
    assume(host != "pbx1")  # It wants no digit there.
    text = f"{scheme}:{user}@{host}{f':{port}' if port else ''};lr;transport=tcp"
    ours, theirs = SipUri.parse(text), sipmessage.URI.parse(text)
    assert (ours.scheme, ours.user, ours.host, ours.port) == (theirs.scheme, theirs.user, theirs.host, theirs.port)
    assert (ours.parameter("lr"), ours.parameter("transport")) == ("", theirs.parameters["transport"])


@given(st.text(max_size=40) | st.text("sip:@[]<>;=?%.0a", max_size=20).map(lambda text: f"sip:{text}"))
def test_anything_is_a_uri_or_refused(text: str) -> None:
    try:
        uri = SipUri.parse(text)
    except ParseError:
        return
    assert SipUri.parse(str(uri)) == uri


@pytest.mark.parametrize("text", ["sip:a:p\0@b", "sip:a@b;x=\x7f", "sip:a@b?x=\x01"])
def test_control_characters_are_no_part_of_a_uri(text: str) -> None:
    """RFC 3261 25.1: uric and unreserved have none; what is sent back as a request URI must not either."""
    with pytest.raises(ParseError):
        SipUri.parse(text)

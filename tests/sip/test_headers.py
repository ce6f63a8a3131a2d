"""Via, addresses and CSeq: the examples of RFC 3261 section 20, what is none, and the short ways to their parts."""

import pytest
import sipmessage
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.sip.grammar import ParseError, quote, unquote
from voiceconnector.sip.headers import (
    COMPACT_FORMS,
    NameAddress,
    Via,
    branch_of,
    parse_cseq,
    sent_by_of,
    tag_of,
    uri_of,
)

VIAS = [
    ("SIP/2.0/UDP erlang.bell-telephone.com:5060;branch=z9hG4bK87asdks7",
     Via("UDP", "erlang.bell-telephone.com", 5060, {"branch": "z9hG4bK87asdks7"})),
    ("SIP/2.0/UDP 192.0.2.1:5060 ;received=192.0.2.207 ;branch=z9hG4bK77asjd",
     Via("UDP", "192.0.2.1", 5060, {"received": "192.0.2.207", "branch": "z9hG4bK77asjd"})),
    ("SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1",
     Via("UDP", "first.example.com", 4000, {"ttl": "16", "maddr": "224.2.0.1", "branch": "z9hG4bKa7c6a8dlze.1"})),
    ("SIP/2.0/TCP [2001:db8::9:1]:5060;received=[2001:db8::9:255];branch=z9hG4bK1",
     Via("TCP", "[2001:db8::9:1]", 5060, {"received": "[2001:db8::9:255]", "branch": "z9hG4bK1"})),
    ("SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;rport;branch=z9hG4bK2",
     Via("UDP", "[2001:db8::9:1]", None, {"received": "2001:db8::9:255", "rport": None, "branch": "z9hG4bK2"})),
    ("sip/2.0/udp 192.0.2.2", Via("UDP", "192.0.2.2", None, {})),
    ("SIP/2.0/TLS-SCTP Host_1.Example.COM;BRANCH=x", Via("TLS-SCTP", "host_1.example.com", None, {"branch": "x"})),
]  # fmt: skip


@pytest.mark.parametrize(("text", "via"), VIAS)
def test_a_via_is_read(text: str, via: Via) -> None:
    """RFC 3261 20.42, RFC 3581, RFC 5118 4.5."""
    assert Via.parse(text) == via
    assert sent_by_of(text) == (via.host, via.port)
    assert branch_of(text) == via.branch == via.parameters.get("branch", "")
    assert via.sent_by == (f"{via.host}:{via.port}" if via.port else via.host)


@pytest.mark.parametrize(
    "text",
    [
        "", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/2.0 192.0.2.1", "SIP/3.0/UDP 192.0.2.1", "HTTP/2.0/UDP 192.0.2.1",
        "SIP/2.0/UDP 192.0.2.1:0", "SIP/2.0/UDP 192.0.2.1:65536", "SIP/2.0/UDP 192.0.2.1:x", "SIP/2.0/UDP [::1",
        "SIP/2.0/UDP 192.0.2.1:5060 192.0.2.2", "SIP/2.0/UDP 192.0.2.1;;branch=x", "SIP/2.0/UDP 192.0.2.1;branch=",
        "SIP/2.0/UDP 192.0.2.1, SIP/2.0/UDP 192.0.2.2", "SIP/2.0/UDP 192.0.2.1;branch=1;branch=2",
    ],
)  # fmt: skip
def test_what_is_no_via_is_refused(text: str) -> None:
    with pytest.raises(ParseError) as refusal:
        Via.parse(text)
    assert (refusal.value.status_code, refusal.value.where) == (400, "Via")


@pytest.mark.parametrize(
    ("text", "branch"),
    [
        ("SIP/2.0/UDP a;branch=z9hG4bK1;rport", "z9hG4bK1"),
        ("SIP/2.0/UDP a ; Branch = z9hG4bK1 ; rport", "z9hG4bK1"),
        ("SIP/2.0/UDP a;branch= z9hG4bK1, SIP/2.0/UDP b;branch=z9hG4bK2", "z9hG4bK1"),
        ("SIP/2.0/UDP a, SIP/2.0/UDP b;branch=z9hG4bK2", ""),
        ("SIP/2.0/UDP a;xbranch=1", ""),
    ],
)
def test_the_branch_is_that_of_the_first_via(text: str, branch: str) -> None:
    """17.2.3, RFC 4475 3.1.1.1."""
    assert branch_of(text) == branch


ADDRESSES = [
    ('"A. G. Bell" <sip:agb@bell-telephone.com> ;tag=a48s',
     NameAddress('"A. G. Bell"', "sip:agb@bell-telephone.com", {"tag": "a48s"})),
    ("sip:+12125551212@server.phone2net.com;tag=887s",
     NameAddress("", "sip:+12125551212@server.phone2net.com", {"tag": "887s"})),
    ("Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8",
     NameAddress("Anonymous", "sip:c8oqz84zk7z@privacy.org", {"tag": "hyh8"})),
    ("The Operator <sip:operator@cs.columbia.edu>;tag=287447",
     NameAddress("The Operator", "sip:operator@cs.columbia.edu", {"tag": "287447"})),
    ("sip:+12125551212@server.phone2net.com", NameAddress("", "sip:+12125551212@server.phone2net.com", {})),
    ('"Mr. Watson" <sip:watson@worcester.bell-telephone.com> ;q=0.7; expires=3600',
     NameAddress('"Mr. Watson"', "sip:watson@worcester.bell-telephone.com", {"q": "0.7", "expires": "3600"})),
    ('"Mr. Watson" <mailto:watson@bell-telephone.com> ;q=0.1',
     NameAddress('"Mr. Watson"', "mailto:watson@bell-telephone.com", {"q": "0.1"})),
    ("<sips:bob@192.0.2.4>;expires=60", NameAddress("", "sips:bob@192.0.2.4", {"expires": "60"})),
    ("<sip:p2.example.com;lr>", NameAddress("", "sip:p2.example.com;lr", {})),
    ("<sip:a@b?Subject=x,y>;tag=1", NameAddress("", "sip:a@b?Subject=x,y", {"tag": "1"})),
    # RFC 4475 3.1.1.1 (unfolded), 3.1.1.6 and 3.1.1.7.
    ('"J Rosenberg \\\\\\""       <sip:jdrosen@example.com>  ;  tag = 98asjd8',
     NameAddress('"J Rosenberg \\\\\\""', "sip:jdrosen@example.com", {"tag": "98asjd8"})),
    ("sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n",
     NameAddress("", "sip:vivekg@chair-dnrc.example.com", {"tag": "1918181833n"})),
    ("caller<sip:caller@example.com>;tag=323", NameAddress("caller", "sip:caller@example.com", {"tag": "323"})),
    ('"Quoted > <sip:x@y>;tag=no" <sip:a@b>;tag=yes',
     NameAddress('"Quoted > <sip:x@y>;tag=no"', "sip:a@b", {"tag": "yes"})),
    ('<sip:a@b>;tag=1;+sip.instance="<urn:uuid:1>;tag=2"',
     NameAddress("", "sip:a@b", {"tag": "1", "+sip.instance": '"<urn:uuid:1>;tag=2"'})),
    ('sip:a@b;+sip.instance="<urn:uuid:1>"', NameAddress("", "sip:a@b", {"+sip.instance": '"<urn:uuid:1>"'})),
    ("<tel:+12065550100;phone-context=x>;Tag=UP", NameAddress("", "tel:+12065550100;phone-context=x", {"tag": "UP"})),
    ("< sip:a@b >", NameAddress("", "sip:a@b", {})),
]  # fmt: skip


@pytest.mark.parametrize(("text", "address"), ADDRESSES)
def test_an_address_is_read(text: str, address: NameAddress) -> None:
    """20.10, 20.20, 20.30, 20.34, 20.39."""
    assert NameAddress.parse(text, "From") == address
    assert tag_of(text) == address.tag == address.parameters.get("tag", "")
    assert uri_of(text) == address.uri


@pytest.mark.parametrize(
    "text",
    [
        "", "alice", "<>", "<alice>", "<sip:a@b", "sip:a@b>", '"alice <sip:a@b>', "<sip:a@b> tag=1", "<sip:a@b>;;tag=1",
        "<sip:a@b>;tag=1;tag=2", "<sip:a@b><sip:c@d>", "Bell, A. G. <sip:a@b>;tag=", "<sip:a b@c>", "sip:a b@c",
        "sip:a@b,sip:c@d", "*",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    """20.10: with a comma, question mark or semicolon in it a URI stands in brackets."""
    with pytest.raises(ParseError) as refusal:
        NameAddress.parse(text, "Contact")
    assert (refusal.value.status_code, refusal.value.where) == (400, "Contact")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4711 INVITE", (4711, "INVITE")),
        ("0 ACK", (0, "ACK")),
        ("2147483647 BYE", (2**31 - 1, "BYE")),
        ("0009  INVITE", (9, "INVITE")),
        ("1 \tINVITE", (1, "INVITE")),
        ("1\tINVITE", (1, "INVITE")),
        ("139122385 !interesting-Method0123456789_*+`.%indeed'~",
         (139122385, "!interesting-Method0123456789_*+`.%indeed'~")),
    ],
)  # fmt: skip
def test_a_cseq_is_read(text: str, value: tuple[int, str]) -> None:
    """20.16, RFC 4475 3.1.1.1, 3.1.1.2."""
    assert parse_cseq(text) == value


@pytest.mark.parametrize(
    "text",
    ["", "1", "INVITE", "INVITE 1", "-1 INVITE", "1.0 INVITE", "2147483648 INVITE", "4294967296 INVITE", "1 INV ITE",
     "1 INVITE,", "0x1 INVITE", "1INVITE", "\xb2 INVITE", "99999999999999999999999999 INVITE"],
)  # fmt: skip
def test_what_is_no_cseq_is_refused(text: str) -> None:
    """8.1.1.5: below 2**31."""
    with pytest.raises(ParseError) as refusal:
        parse_cseq(text)
    assert (refusal.value.status_code, refusal.value.where) == (400, "CSeq")


def test_the_compact_forms() -> None:
    """7.3.3, and those registered since."""
    assert {short: COMPACT_FORMS[short] for short in "icmelfstv"} == {
        "i": "call-id", "c": "content-type", "m": "contact", "e": "content-encoding", "l": "content-length",
        "f": "from", "s": "subject", "t": "to", "v": "via",
    }  # fmt: skip
    assert {short: COMPACT_FORMS[short] for short in "kruoxby"} == {
        "k": "supported", "r": "refer-to", "u": "allow-events", "o": "event", "x": "session-expires",
        "b": "referred-by", "y": "identity",
    }  # fmt: skip


NAMES = st.one_of(
    st.just(""), st.text('ab <>;,="\\', max_size=8).map(quote), st.sampled_from(["Bob", "The Operator", "A-b.c"])
)
PARAMETERS = st.dictionaries(st.sampled_from(["tag", "q", "x-y", "expires"]), st.text("abc.0-", min_size=1, max_size=5))


@given(NAMES, st.sampled_from(["sip:a@b", "sips:x;y=z@[::1]:5061;lr", "tel:+1", "sip:a@b?c=d,e"]), PARAMETERS)
def test_an_address_put_together_is_read_as_its_parts(name: str, uri: str, parameters: dict[str, str]) -> None:
    text = f"{name} <{uri}>" + "".join(f";{key}={value}" for key, value in parameters.items())
    address = NameAddress.parse(text.strip(), "To")
    assert (address.display_name, address.uri, address.parameters) == (name, uri, parameters)
    assert (tag_of(text), uri_of(text)) == (address.tag, uri)


@given(st.text('ab<>;,="', max_size=8), st.sampled_from(["sip:a@b.c", "sip:a@[::1]:5061;lr"]), PARAMETERS)
def test_another_parser_reads_the_same_address(name: str, uri: str, parameters: dict[str, str]) -> None:
    text = f"{quote(name)} <{uri}>" + "".join(f";{key}={value}" for key, value in parameters.items())
    ours, theirs = NameAddress.parse(text, "To"), sipmessage.Address.parse(text)
    assert (unquote(ours.display_name), ours.uri) == (theirs.name, str(theirs.uri))
    assert ours.parameters == dict(theirs.parameters)


PIECES = [
    "<sip:a@b>", "sip:a@b", ";tag=1", ";tag = 2", ";x=y", ";", '"', "<", ">", "\\", " ", "Bob", '"B <b>;tag=3"',
    ';x="<c>;tag=4"',
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
def test_the_short_ways_agree_with_the_whole_reading(text: str) -> None:
    try:
        address = NameAddress.parse(text, "To")
    except ParseError:
        return
    assert (tag_of(text), uri_of(text)) == (address.tag, address.uri)

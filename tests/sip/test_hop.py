"""Addresses as Via, Contact and URIs spell them."""

import pytest

from voiceconnector.sip.hop import Hop, Local, host_port, is_ip_address
from voiceconnector.sip.uri import SipUri


@pytest.mark.parametrize(
    ("local", "sent_by", "uri", "reliable"),
    [
        (Local("x", "UDP", "127.0.0.1", 5060), "127.0.0.1:5060", "sip:127.0.0.1:5060", False),
        (Local("x", "TCP", "127.0.0.1", 5061), "127.0.0.1:5061", "sip:127.0.0.1:5061;transport=tcp", True),
        (Local("x", "TLS", "::1", 5061), "[::1]:5061", "sip:[::1]:5061;transport=tls", True),
    ],
)
def test_a_listener_names_itself(local: Local, sent_by: str, uri: str, reliable: bool) -> None:
    """RFC 3261 18.1.1, 19.1.1: IPv6 in brackets, the transport where it is not UDP."""
    assert (local.sent_by, local.uri, local.reliable) == (sent_by, uri, reliable)
    assert SipUri.parse(local.uri).address == (local.host, local.port)
    assert SipUri.parse(local.uri).transport == local.transport


def test_a_hop_is_shown_with_its_transport() -> None:
    local = Local("x", "TCP", "::1", 5060)
    assert str(Hop(local, ("::1", 6000))) == "TCP [::1]:6000"
    assert host_port("127.0.0.1", 1) == "127.0.0.1:1"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "2001:db8::1", "::ffff:192.0.2.1"])
def test_an_ip_address_can_be_sent_to(host: str) -> None:
    assert is_ip_address(host)


@pytest.mark.parametrize("host", ["", "localhost", "pbx1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "[::1]", ":", "1.2.3.4 "])
def test_a_name_would_have_to_be_looked_up(host: str) -> None:
    assert not is_ip_address(host)

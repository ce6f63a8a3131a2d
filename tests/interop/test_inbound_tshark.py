"""tshark looks at calls from the PSTN: at the INVITE that a PBX gets, and at what the PBX sends back."""

import pytest

from tests.interop.emulator import Transport
from tests.interop.inbound import OWN_PBX, Inbound
from tests.interop.peers import Message, Sipp
from tests.interop.test_tshark import WARNING

pytestmark = pytest.mark.interop

SIP_PORTS = [5060, 5070, 5080]


def invite_of(pbx: Sipp) -> Message:
    return next(message for message in pbx.received() if message.method == "INVITE")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_invite_is_well_formed_and_the_pbx_follows_its_route_set(inbound: Inbound, transport: Transport) -> None:
    """RFC 3261 12.2.1.1: the Contact is the request URI, the Record-Route the Route, and its host the next hop."""
    capture = inbound.capture()
    pbx = inbound.pbx("answer_and_hang_up", transport=transport, wait_ms=500)
    caller = inbound.caller("call_hung_up", OWN_PBX[transport], transport=transport).finish()
    pbx.finish()
    capture.stop()
    inbound.completed(caller)

    ours = "(sip or sdp or rtp or rtcp)"
    faults = capture.dissect(
        f"{ours} && (_ws.malformed || _ws.expert.severity >= {WARNING})",
        "frame.number", "frame.protocols", "_ws.expert.message", sip_ports=SIP_PORTS,
    )  # fmt: skip
    assert not faults

    here = f"{transport}.dstport == 5080"
    ((vias, record_route, contact),) = capture.dissect(
        f'sip.Method == "INVITE" && {here}', "sip.Via", "sip.Record-Route", "sip.contact.uri", sip_ports=SIP_PORTS
    )
    edge, inner = invite_of(pbx).text.split("\nVia: ")[1:]
    place = inbound.place.host
    assert edge.startswith(f"SIP/2.0/{transport.upper()} {place}:5060;branch=")
    assert inner.startswith("SIP/2.0/UDP 10.")
    assert vias.count("SIP/2.0/") == 2
    assert contact.startswith(f"sip:{caller.number}@10.")
    assert record_route.startswith(f"<sip:{place}:5060;")
    assert invite_of(pbx).header("X-VoiceConnector-ID") == f"inbound{transport}trunk0000000"

    within = capture.dissect(
        f"sip.Request-Line && {transport}.srcport == 5080",
        "sip.Method", "sip.r-uri", "sip.Route", "ip.dst", sip_ports=SIP_PORTS,
    )  # fmt: skip
    assert [method for method, *_ in within] == ["INVITE", "ACK", "BYE"]
    for _, uri, route, host in within:
        assert uri == contact
        assert route == record_route
        assert host == place

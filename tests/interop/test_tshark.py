"""tshark takes what goes over the wire in whole calls, and finds nothing wrong with it."""

from collections import Counter

import pytest

from tests.interop.emulator import Transport
from tests.interop.stage import DIGEST, ECHO, OWN_CALLEE, Stage

pytestmark = pytest.mark.interop

WARNING = 0x600000
"""Severity of tshark's expert information from which on something is wrong."""


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_every_packet_is_well_formed_and_the_audio_is_found_by_its_sdp(stage: Stage, transport: Transport) -> None:
    """A call with audio, a hold, a refusal and a challenge; RFC 3261, 4566, 3550."""
    sip_ports = [5060, 5070, 5090]
    capture = stage.capture()
    callee = stage.pstn("answer", transport=transport)
    callers = [stage.pbx("hold", OWN_CALLEE[transport], transport=transport, talk_ms=500).finish()]
    callee.finish()
    password = ("-au", "pbx", "-ap", "secret")
    callers.append(stage.pbx("call_authenticated", ECHO, *password, trunk=DIGEST, transport=transport).finish())
    callers.append(stage.pbx("refused", "+14165550199", transport=transport).finish())
    callers.append(stage.pbx("options", transport=transport).finish())
    capture.stop()

    ours = "(sip or sdp or rtp or rtcp)"
    faults = capture.dissect(
        f"{ours} && (_ws.malformed || _ws.expert.severity >= {WARNING})",
        "frame.number", "frame.protocols", "_ws.expert.message", sip_ports=sip_ports,
    )  # fmt: skip
    assert not faults
    messages = capture.dissect("sip", "sip.Call-ID", "sip.Status-Code", sip_ports=sip_ports)
    answers = Counter(call_id for call_id, status in messages if status)
    for caller in callers:
        assert answers[caller.call_id] >= len(caller.statuses())
    sizes = capture.dissect("rtp.p_type == 0", "udp.length", sip_ports=sip_ports)
    assert len(sizes) > 50
    assert set(map(tuple, sizes)) == {("180",)}, "20 ms of G.711: 8 bytes of UDP, 12 of RTP, 160 of audio"

"""What baresip reports of a call by RTCP, what we report to it, and what tshark makes of that."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.emulator import Emulator, configuration, new_place, running_emulator
from tests.interop.peers import Baresip, Capture, program

pytestmark = pytest.mark.interop

ACCOUNT = "sip:+12065550100@opentrunk0000000000000.voiceconnector.chime.aws"
WARNING = 0x600000
"""Severity of tshark's expert information from which on something is wrong."""
OUR_PORTS = range(20_000, 20_100)
"""rtp_ports of sbc_configs/baresip/emulator.toml."""
REPORTS = 4
"""Times that baresip's three seconds of speech are said: it reports every five seconds."""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulator with the configuration of sbc_configs/baresip."""
    program("baresip")
    yield from running_emulator(configuration("baresip"), new_place(), tmp_path_factory.mktemp("quality"))


def test_baresip_and_the_trunk_tell_each_other_how_the_call_sounds(emulator: Emulator, tmp_path: Path) -> None:
    """RFC 3550 6.4: round trip and loss by an independent implementation's reports; ours as tshark reads them."""
    with (
        Capture(emulator.place, tmp_path) as capture,
        Baresip(emulator, tmp_path, ACCOUNT, "+12065550199", repeated=REPORTS) as baresip,
    ):
        baresip.finish()
        (call,) = emulator.calls()
        media = call.counters()
        capture.stop()

    assert media["cust2vc"]["rtcp_packets"] >= 3
    assert media["cust2vc"]["malformed"] == 0
    assert media["vc2cust"]["rtcp_packets"] >= 2
    for direction in ("cust2vc", "vc2cust", "rem2vc", "vc2rem"):
        assert media[direction]["lost"] == 0, direction
        assert media[direction]["mos"] >= 4.2, direction
    assert 0 <= media["vc2cust"]["rtt_us"] < 100_000
    assert media["vc2cust"]["jitter_us"] is not None
    details = call.details()
    assert details["MediaVerdict"].startswith("Audio went both ways, MOS 4.")
    assert emulator.command("calls").stdout.count("both ways, 4.") == 1
    metrics = emulator.text("/metrics")
    assert 'MOSBetweenVcAndCustomer{Region="us-east-1"' in metrics
    check_packets(capture)


def check_packets(capture: Capture) -> None:
    """Every RTCP packet is as tshark wants it, and ours say what they should."""
    faults = capture.dissect(
        f"rtcp && (_ws.malformed || _ws.expert.severity >= {WARNING})", "frame.number", "_ws.expert.message",
        sip_ports=[],
    )  # fmt: skip
    assert not faults
    packets = capture.dissect("rtcp", "udp.srcport", "rtcp.pt", sip_ports=[])
    kinds = [kinds.split(",") for port, kinds in packets if int(port) in OUR_PORTS]
    assert {"200", "202", "203"} <= {kind for compound in kinds for kind in compound}
    assert all(compound[0] in ("200", "201") and "202" in compound for compound in kinds)
    sources = {fields[0] for fields in capture.dissect("rtp", "rtp.ssrc", sip_ports=[])}
    reporters = {fields[0] for fields in capture.dissect("rtcp.pt == 200", "rtcp.senderssrc", sip_ports=[])}
    assert {int(source.split(",")[0], 16) for source in reporters} <= {int(source, 16) for source in sources}

"""baresip as the PBX that a call from the PSTN reaches: it answers by itself, speaks, hears and hangs up."""

import re
import wave
from array import array
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.emulator import Emulator, Transport, configuration, new_place, running_emulator
from tests.interop.peers import Baresip, Capture, program
from tests.interop.test_baresip import WINDOW, find, same
from tests.interop.test_inbound_failover import NOBODY, connector

pytestmark = pytest.mark.interop

NUMBERS: dict[Transport, str] = {"udp": "+12065550100", "tcp": "+12065550101"}
SIP_PORTS = [5060, 5070, 5080]
THIRD_CHOICE = "+12065550102"
"""Its first two routes lead to nobody, its third to baresip."""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulator with the configuration of sbc_configs/baresip."""
    program("baresip")
    routes = ((NOBODY, 6000, "UDP"), (NOBODY, 6001, "TCP"), ("127.0.0.1", 5080, "UDP"))
    text = configuration("baresip") + connector(THIRD_CHOICE, *routes)
    yield from running_emulator(text, new_place(), tmp_path_factory.mktemp("baresip-inbound"))


def write_wav(path: Path, sound: list[int]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(array("h", sound).tobytes())


def audio(capture: Capture) -> dict[tuple[str, str], list[str]]:
    """The payloads of the RTP packets from each UDP port to each other, in order."""
    flows: dict[tuple[str, str], list[str]] = defaultdict(list)
    fields = ("udp.srcport", "udp.dstport", "rtp.payload")
    for source, destination, payload in capture.dissect("rtp.p_type == 0", *fields, sip_ports=SIP_PORTS):
        flows[source, destination].append(payload)
    return flows


def test_baresip_takes_the_call_that_two_targets_did_not(emulator: Emulator, tmp_path: Path) -> None:
    """Guide p. 61: the next priority is used when the routes before it have failed."""
    account = f"<sip:{THIRD_CHOICE}@127.0.0.1>;regint=0;answermode=auto;audio_codecs=PCMU/8000/1\n"
    with Baresip(emulator, tmp_path, more_accounts=account) as baresip:
        baresip.listens(5080, "udp")
        done = emulator.command("call", "--to", THIRD_CHOICE, "--duration", "2")
        assert done.returncode == 0, done.stdout + done.stderr
    assert "Audio went both ways" in done.stdout
    call = next(call for call in emulator.calls() if call.fields["To"] == THIRD_CHOICE)
    tried = re.findall(r"(UDP|TCP) \S+:\d+, priority (\d)", call.explain())
    assert tried == [("UDP", "1"), ("TCP", "2"), ("UDP", "3")]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_baresip_is_called_and_each_side_hears_the_other(
    emulator: Emulator, tmp_path: Path, transport: Transport
) -> None:
    """What baresip heard is what `--play` played, sample for sample; what it said reached the PSTN, byte for byte."""
    with Capture(emulator.place, tmp_path) as capture, Baresip(emulator, tmp_path) as baresip:
        played = baresip.said()[::-1]
        write_wav(tmp_path / "played.wav", played)
        baresip.listens(5080, transport)
        order = ("--to", NUMBERS[transport], "--duration", "20", "--play", str(tmp_path / "played.wav"))
        done = emulator.command("call", *order)
        assert done.returncode == 0, done.stdout + done.stderr
        baresip.finish()
        capture.stop()
    assert "Audio went both ways" in done.stdout
    assert "The called side hung up." in done.stdout

    heard = baresip.heard()
    for start in range(4000, len(played) - 8000, 4000):
        offset = find(played[start : start + WINDOW // 4], heard)
        pairs = zip(played[start : start + WINDOW], heard[offset : offset + WINDOW], strict=True)
        assert sum(same(*pair) for pair in pairs) >= WINDOW * 0.95, f"not heard: what was played at {start / 8000} s"

    call = next(call for call in emulator.calls() if call.fields["To"] == NUMBERS[transport])
    explanation = call.explain()
    pstn = re.search(r"the PSTN side was told to send to \S+; it is at \S+:(\d+) by its SDP", explanation)
    pbx = re.search(r"the PBX was told to send to \S+:(\d+); it is at \S+:(\d+) by its SDP", explanation)
    assert pstn
    assert pbx
    flows = audio(capture)
    said = flows[pbx[2], pbx[1]]
    (reached,) = (payloads for (_, destination), payloads in flows.items() if destination == pstn[1])
    assert len(reached) > 100
    assert reached == said[-len(reached) :]
    assert "The PBX and the route set" not in explanation
    record = emulator.record(call.fields["CallId"])
    assert (record["Direction"], record["Status"], record["StatusMessage"]) == ("Inbound", "Completed", "OK")

"""A call's capture.pcapng and its recording, opened by Wireshark's tools, sox and sngrep as a user would."""

import re
import signal
import subprocess
import wave
from array import array
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from tests.interop.emulator import (
    Call,
    Emulator,
    Fields,
    configuration,
    needs_ipv6,
    new_place,
    running_emulator,
    wait_for,
)
from tests.interop.peers import is_bound, program
from tests.interop.stage import ECHO, OPEN, SIX, Stage
from tests.interop.test_tshark import WARNING

pytestmark = pytest.mark.interop

COLLECTOR_PORT = 9060
KEPT = f"""
[media]
capture = true
record = true
[hep]
address = "127.0.0.1:{COLLECTOR_PORT}"
password = "myhep"
"""
DIRECTIONS = ("cust2vc", "vc2cust", "rem2vc", "vc2rem")
CHECKED = [part for layer in ("ip", "udp", "tcp") for part in ("-o", f"{layer}.check_checksum:TRUE")]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulator with the configuration of sbc_configs/sipp, and everything is kept."""
    program("sipp")
    yield from running_emulator(configuration("sipp") + KEPT, new_place(), tmp_path_factory.mktemp("kept"))


@pytest.fixture
def kept(emulator: Emulator, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(emulator, tmp_path)
    yield stage
    stage.close()
    print(f"The emulator's log:\n{emulator.log()}")


def tshark(file: Path, *arguments: str) -> str:
    """What tshark says of a file, without being told what is in it."""
    command = [program("tshark"), "-n", "-r", str(file), *CHECKED, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def fields(file: Path, display_filter: str, *names: str) -> list[list[str]]:
    asked = [part for name in names for part in ("-e", name)]
    return [line.split("\t") for line in tshark(file, "-Y", display_filter, "-T", "fields", *asked).splitlines()]


def capture_of(call: Call, folder: Path) -> Path:
    """The file that `voiceconnector capture` saves."""
    file = folder / "call.pcapng"
    done = call.emulator.command("capture", str(call.fields["TransactionId"]), "-o", str(file))
    assert done.returncode == 0, done.stderr
    return file


def rtp_streams(file: Path) -> list[tuple[int, int]]:
    """Packets and lost packets of each RTP stream that Wireshark finds."""
    table = tshark(file, "-q", "-z", "rtp,streams")
    return [(int(found[1]), int(found[2])) for found in re.finditer(r"g711U\s+(\d+)\s+(-?\d+) \(", table)]


def final_counters(call: Call) -> Fields:
    wait_for("the end of the call", lambda: call.details()["EndTime"])
    return call.counters()


@pytest.mark.parametrize(
    ("trunk", "transport"),
    [(OPEN, "udp"), (OPEN, "tcp"), pytest.param(SIX, "udp", marks=needs_ipv6)],
    ids=["UDP", "TCP", "IPv6"],
)
def test_wireshark_finds_the_dialogs_and_the_audio_of_a_call(
    kept: Stage, tmp_path: Path, trunk: str, transport: str
) -> None:
    """RFC 3261, 4566, 3550: nothing malformed, every checksum right, each stream as long as the call counted."""
    caller = kept.pbx(
        "call", ECHO, trunk=trunk, transport="tcp" if transport == "tcp" else "udp", talk_ms=1000
    ).finish()
    call = kept.call(caller)
    counted = final_counters(call)
    file = capture_of(call, tmp_path)

    faults = fields(file, f"_ws.malformed || _ws.expert.severity >= {WARNING}", "frame.number", "_ws.expert.message")
    assert not faults
    assert re.search(rf"\b{len(fields(file, 'sip', 'frame.number'))} messages in", call.ladder())
    dialogs = {call_id for (call_id,) in fields(file, "sip", "sip.Call-ID")}
    assert len(dialogs) == 2
    assert caller.call_id in dialogs
    streams = rtp_streams(file)
    assert sorted(packets for packets, _ in streams) == sorted(counted[way]["packets"] for way in DIRECTIONS)
    assert all(lost == 0 for _, lost in streams)
    assert not fields(file, "!sip && !rtp && !rtcp", "frame.protocols")

    told = subprocess.run([program("capinfos"), str(file)], capture_output=True, text=True, check=True).stdout
    assert re.search(r"Strict time order:\s+True", told)
    for words in (str(call.fields["TransactionId"]), trunk, "Audio went both ways"):
        assert words in told


def test_a_refused_call_has_a_capture_of_its_sip(kept: Stage, tmp_path: Path) -> None:
    caller = kept.pbx("refused", "+14165550199").finish()
    file = capture_of(kept.call(caller), tmp_path)
    statuses = [status for (status,) in fields(file, "sip.Status-Code", "sip.Status-Code")]
    assert statuses == ["403"]


def test_the_recording_has_the_pbx_left_and_its_echo_right(kept: Stage, tmp_path: Path) -> None:
    """The emulated PSTN sends back what it gets, so that both sides are the same, one a moment later."""
    caller = kept.pbx("call", ECHO, talk_ms=1500).finish()
    call = kept.call(caller)
    final_counters(call)
    file = tmp_path / "call.wav"

    def recorded() -> bool:
        call.emulator.command("record", str(call.fields["TransactionId"]), "-o", str(file))
        return file.exists()

    wait_for("the recording", recorded)
    with wave.open(BytesIO(file.read_bytes())) as recording:
        assert (recording.getnchannels(), recording.getframerate(), recording.getsampwidth()) == (2, 8000, 2)
        both = array("h", recording.readframes(recording.getnframes()))
    left, right = both[0::2], both[1::2]
    assert 1.0 <= len(left) / 8000 <= 4.0
    window = left[8000:8800]
    offset = min(range(7200, 8800), key=lambda at: sum(abs(a - b) for a, b in zip(window, right[at:], strict=False)))
    assert right[offset : offset + 800] == window
    assert 0 <= offset - 8000 <= 400, "the echo is some milliseconds late"

    sox = subprocess.run([program("sox"), "--info", str(file)], capture_output=True, text=True, check=True).stdout
    assert "Channels       : 2" in sox
    assert "16-bit Signed Integer PCM" in sox


def test_sngrep_understands_what_a_collector_gets(kept: Stage, tmp_path: Path) -> None:
    """HEP version 3, decoded by another program, which writes what was in it to a capture of its own."""
    host, file = kept.place.host, tmp_path / "hep.pcap"
    command = [program("sngrep"), "-F", "-N", "-q", "-L", f"udp:{host}:{COLLECTOR_PORT}", "-O", str(file)]
    collector = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        wait_for("sngrep to listen", lambda: is_bound(host, COLLECTOR_PORT, "udp"))
        caller = kept.pbx("call", ECHO).finish()
        found = re.search(r"(\d+) messages in", kept.call(caller).ladder())
        assert found
        wait_for("sngrep to have all", lambda: file.exists() and len(fields(file, "sip", "ip.src")) >= int(found[1]))
        collector.send_signal(signal.SIGTERM)
        collector.wait(timeout=60)
    finally:
        collector.kill()
        collector.wait()
    messages = fields(file, "sip", "ip.src", "udp.srcport", "ip.dst", "udp.dstport", "sip.Call-ID")
    assert len(messages) == int(found[1])
    assert {source for source, *_ in messages} == {host}
    assert caller.call_id in {call_id for *_, call_id in messages}

"""The stage of the sipp tests: scenarios of sbc_configs/sipp on both sides of one emulator."""

import uuid
from contextlib import ExitStack
from pathlib import Path

from tests.interop.emulator import Call, Emulator, Fields, Transport, wait_for
from tests.interop.peers import Capture, Sipp, is_bound
from voiceconnector.sip.hop import host_port

OPEN, DIGEST = "opentrunk0000000000000", "digesttrunk00000000000"
SLOW, ELSEWHERE, SIX = "slowtrunk0000000000000", "elsewheretrunk00000000", "sixtrunk00000000000000"
OWNED = {
    OPEN: "+12065550100",
    DIGEST: "+12065550101",
    SLOW: "+12065550102",
    ELSEWHERE: "+12065550103",
    SIX: "+12065550104",
}
"""The trunks of sbc_configs/sipp/emulator.toml and their numbers."""

ECHO = "+12065550199"
"""A number at which the emulated PSTN answers by itself."""
OWN_CALLEE: dict[Transport, str] = {"udp": "+14255550123", "tcp": "+13605550123"}
"""Numbers that are routed to a callee of ours, by transport."""


class Peers:
    """Peers of one emulator, each started in a folder of its own and ended with the stage."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator = emulator
        self.place = emulator.place
        self.folder = folder
        self.exit = ExitStack()

    def close(self) -> None:
        """End every peer that still runs."""
        self.exit.close()

    def capture(self) -> Capture:
        """Take every packet to and from the emulator from now on."""
        capture = Capture(self.place, self.folder)
        self.exit.callback(capture.close)
        return capture

    def sipp(
        self,
        scenario: str,
        host: str,
        port: int,
        transport: Transport,
        *arguments: str,
        call_id: str = "",
    ) -> Sipp:
        """Play a scenario of sbc_configs/sipp at an address of this place."""
        folder = self.folder / uuid.uuid4().hex
        folder.mkdir()
        where = ["-i", host, "-p", str(port), "-mi", host, "-mp", str(self.place.peer_port(host))]
        options = [*where, "-t", "u1" if transport == "udp" else "t1", *arguments]
        sipp = Sipp(scenario, options, folder, call_id)
        self.exit.callback(sipp.close)
        return sipp


class Stage(Peers):
    """sipp on both sides of the emulator."""

    def pbx(
        self,
        scenario: str,
        called: str = ECHO,
        *arguments: str,
        trunk: str = OPEN,
        caller: str = "",
        transport: Transport = "udp",
        talk_ms: int = 300,
    ) -> Sipp:
        """A scenario of pbx/, calling out through a trunk."""
        call_id = uuid.uuid4().hex
        host, trunk_port = self.place.at(*(("::1", 5062) if trunk == SIX else ("127.0.0.1", 5060)))
        return self.sipp(
            f"pbx/{scenario}", host, self.place.peer_port(host), transport,
            "-s", called, "-key", "vc", trunk, "-key", "from", caller or OWNED[trunk], "-cid_str", call_id,
            "-d", str(talk_ms), *arguments, host_port(host, trunk_port), call_id=call_id,
        )  # fmt: skip

    def pstn(self, scenario: str, *arguments: str, transport: Transport = "udp", talk_ms: int = 300) -> Sipp:
        """A scenario of pstn/, at the numbers of `OWN_CALLEE`; it listens when this returns."""
        host, port = self.place.host, 5090
        sipp = self.sipp(f"pstn/{scenario}", host, port, transport, "-rtp_echo", "-d", str(talk_ms), *arguments)
        wait_for(f"{scenario} to listen", lambda: is_bound(host, port, transport))
        return sipp

    def call(self, caller: Sipp) -> Call:
        """The caller's call, as the emulator tells of it."""
        return self.emulator.call(caller.call_id)

    def record(self, caller: Sipp) -> Fields:
        """The one record of the caller's call."""
        return self.emulator.record(caller.call_id)

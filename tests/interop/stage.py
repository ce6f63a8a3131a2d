"""The stage of the sipp tests: scenarios of sbc_configs/sipp on both sides of one emulator."""

import uuid
from contextlib import ExitStack
from pathlib import Path

from tests.interop.emulator import Call, Emulator, Fields, Transport, free_ipv6_port, wait_for
from tests.interop.peers import Capture, Sipp, is_bound

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


class Stage:
    """sipp on both sides of the emulator."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator = emulator
        self._place = emulator.place
        self._folder = folder
        self._exit = ExitStack()

    def close(self) -> None:
        """End every sipp that still runs."""
        self._exit.close()

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
        host, trunk_at = self._place.host, f"{self._place.host}:5060"
        port, media_port = self._place.peer_port(), self._place.peer_port()
        if trunk == SIX:
            host, trunk_at = "::1", f"[::1]:{self._place.ipv6_port}"
            port, media_port = free_ipv6_port(), free_ipv6_port()
        return self._start(
            f"pbx/{scenario}", host, transport, port, media_port, call_id,
            "-s", called, "-key", "vc", trunk, "-key", "from", caller or OWNED[trunk], "-cid_str", call_id,
            "-d", str(talk_ms), *arguments, trunk_at,
        )  # fmt: skip

    def pstn(self, scenario: str, *arguments: str, transport: Transport = "udp", talk_ms: int = 300) -> Sipp:
        """A scenario of pstn/, at the numbers of `OWN_CALLEE`; it listens when this returns."""
        host, port = self._place.host, 5090
        sipp = self._start(
            f"pstn/{scenario}", host, transport, port, self._place.peer_port(), "",
            "-rtp_echo", "-d", str(talk_ms), *arguments,
        )  # fmt: skip
        wait_for(f"{scenario} to listen", lambda: is_bound(host, port, transport))
        return sipp

    def capture(self) -> Capture:
        """Take every packet to and from the emulator from now on."""
        capture = Capture(self._place, self._folder)
        self._exit.callback(capture.close)
        return capture

    def _start(
        self,
        scenario: str,
        host: str,
        transport: Transport,
        port: int,
        media_port: int,
        call_id: str,
        *arguments: str,
    ) -> Sipp:
        folder = self._folder / uuid.uuid4().hex
        folder.mkdir()
        where = ["-i", host, "-p", str(port), "-mi", host, "-mp", str(media_port)]
        options = [*where, "-t", "u1" if transport == "udp" else "t1", *arguments]
        sipp = Sipp(scenario, options, folder, call_id)
        self._exit.callback(sipp.close)
        return sipp

    def call(self, caller: Sipp) -> Call:
        """The caller's call, as the emulator tells of it."""
        return self.emulator.call(caller.call_id)

    def record(self, caller: Sipp) -> Fields:
        """The one record of the caller's call."""
        return self.emulator.record(caller.call_id)

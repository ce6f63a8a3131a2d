"""The stage of calls from the PSTN: sipp outside of the trunk, and sipp as the PBX that is called."""

import itertools
from pathlib import Path

from tests.interop.emulator import Call, Emulator, Fields, Transport, wait_for
from tests.interop.peers import Sipp, is_bound
from tests.interop.stage import Peers
from voiceconnector.sip.hop import host_port

OWN_PBX: dict[Transport, str] = {"udp": "+12065550110", "tcp": "+12065550111"}
"""Numbers of a PBX at port 5080, by transport."""
THREE_TIERS, SIX, TWO_REGIONS = "+12065550112", "+12065550113", "+12065550114"
"""Numbers with PBXs at 5081, 5082 and 5080; with one over IPv6; with one for each of two Regions."""
FIRST_REGION = "ca-central-1"
"""The Region that takes the calls of TWO_REGIONS, to a PBX at 5083; us-east-1 has one at 5084."""


class Inbound(Peers):
    """sipp on both sides of the emulator, and the calls go in."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        super().__init__(emulator, folder)
        self._callers = itertools.count(len(emulator.calls()))

    def pbx(
        self,
        scenario: str,
        *arguments: str,
        host: str = "127.0.0.1",
        port: int = 5080,
        transport: Transport = "udp",
        wait_ms: int = 100,
    ) -> Sipp:
        """A scenario of pbx/ that is called, at an address of the configuration; it listens when this returns."""
        host, port = self.place.at(host, port)
        sipp = self.sipp(f"pbx/{scenario}", host, port, transport, "-rtp_echo", "-d", str(wait_ms), *arguments)
        wait_for(f"{scenario} to listen", lambda: is_bound(host, port, transport))
        return sipp

    def caller(
        self, scenario: str, called: str, *arguments: str, transport: Transport = "udp", talk_ms: int = 300
    ) -> Sipp:
        """A scenario of pstn/ that calls a number of the trunk. Each caller has a number of his own."""
        host, port = self.place.at("127.0.0.1", 5070)
        number = f"+1312555{next(self._callers):04d}"
        sipp = self.sipp(
            f"pstn/{scenario}", host, self.place.peer_port(host), transport,
            "-s", called, "-key", "from", number, "-d", str(talk_ms), *arguments, host_port(host, port),
        )  # fmt: skip
        sipp.number = number
        return sipp

    def call(self, caller: Sipp) -> Call:
        """The caller's call, as the emulator tells of it."""
        found = [call for call in self.emulator.calls() if call.fields["From"] == caller.number]
        assert len(found) == 1, f"{len(found)} calls are from {caller.number}"
        return found[0]

    def record(self, caller: Sipp) -> Fields:
        """The one record of the caller's call."""
        return self.emulator.record(self.call(caller).fields["CallId"])

    def completed(self, caller: Sipp) -> Fields:
        """The record of a call that must be recorded as completed."""
        record = self.record(caller)
        assert (record["Direction"], record["Status"], record["StatusMessage"]) == ("Inbound", "Completed", "OK")
        return record

    def tried(self, caller: Sipp) -> list[tuple[str, str]]:
        """The port of each target of the caller's call, or its host where that led nowhere, and its outcome."""
        attempts = self.call(caller).details()["Attempts"]
        return [((one["Target"] or one["Host"]).rpartition(":")[2], one["Outcome"]) for one in attempts]

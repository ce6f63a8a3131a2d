"""The demo: a built-in PBX and the emulated PSTN call each other through the trunk, with real sockets and real RTP.

The PBX calls out; then the PSTN calls in, where the first origination route leads to nobody and the second to the
PBX. The PBX is made of the same phones as the PSTN, with a stack and a relay of its own.
"""

import asyncio
import json
import random
import tempfile
import textwrap
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from .app import Emulator
from .calls.explain import wrapped
from .config import Config, load
from .control.call_orders import CALLER, CallOrder
from .media.quality import StreamStats
from .media.relay import CallStats, Relay
from .pstn.behaviours import Route, Routing, behaviour
from .pstn.carrier import PublicNetwork
from .sip.hop import Hop
from .sip.ids import Ids
from .sip.transport import Transport, free_port

CONNECTOR = "abcdef1ghij2klmno3pqr4"
HOST = "127.0.0.1"
OURS, OUTSIDE = "+12065550100", "+12065550123"
RING_SECONDS = 0.5
TIMEOUT = 20.0
"""How long a call may take, in seconds."""
ENOUGH = 0.8
"""The share of what was sent that has to arrive everywhere."""
LEAST_PER_SECOND = 5
"""RTP packets that have to be sent: a tenth of all, as a machine that stalls leaves out those that come too late."""
WIDEST = 120
CONFIGURATION = """
[http]
address = "127.0.0.1:0"
[dns]
address = "127.0.0.1:0"
[regions.us-east-1]
udp = "127.0.0.1:0"
tcp = "127.0.0.1:0"
[regions.us-west-2]
udp = "127.0.0.2:0"
tcp = "127.0.0.2:0"
[pstn]
address = "127.0.0.1:0"
[[pstn.routes]]
match = "*"
ring_seconds = {ring_seconds}
[[voice_connectors]]
VoiceConnectorId = "{connector}"
Name = "demo"
PhoneNumbers = ["{number}"]
[voice_connectors.Termination]
CpsLimit = 1
CallingRegions = ["US"]
CidrAllowedList = ["127.0.0.0/8"]
[[voice_connectors.Origination.Routes]]
Host = "127.0.0.1"
Port = {nobody}
Priority = 1
[[voice_connectors.Origination.Routes]]
Host = "127.0.0.1"
Port = {pbx}
Priority = 2
"""


class Pbx:
    """The phones behind the trunk: they answer and echo, or call and play a tone, and count what they hear."""

    def __init__(self) -> None:
        self.counted: list[StreamStats] = []
        """What was sent to the trunk and came from it, for each call in the order they ended."""
        self.relay = Relay({HOST: (40_000, 40_100)})
        answering = Routing([Route("*", behaviour("answer", ring_seconds=RING_SECONDS))])
        self._phones = PublicNetwork(answering, self.relay, HOST, Ids(random.SystemRandom()))
        self._transport = Transport(self._phones.stack, settle=lambda _now: self.relay.flush())

    async def open(self) -> None:
        """Listen, at a free port."""
        self.relay.start()
        asyncio.get_running_loop().add_reader(self.relay.fileno(), self._read_relay)
        self.local = self._transport.open_udp("pbx", HOST, 0)
        while self.relay.opening:
            await asyncio.sleep(0.002)

    async def close(self) -> None:
        await self._transport.close()
        asyncio.get_running_loop().remove_reader(self.relay.fileno())
        self.relay.close()

    def call(self, number: str, trunk: tuple[str, int], seconds: float) -> None:
        host = f"{CONNECTOR}.voiceconnector.chime.aws"
        hop = Hop(self.local, trunk)
        self._transport.turn(lambda now: self._phones.call(hop, number, OURS, seconds, now, host=host))

    def _read_relay(self) -> None:
        for event in self.relay.read_events():
            if isinstance(event, CallStats) and event.final:
                self.counted.append(event.streams[0])


async def run_demo(seconds: float) -> bool:
    """Place both calls and print what came of them; True if audio went both ways in each."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="voiceconnector-demo-") as name:
        folder = Path(name)
        async with _running(folder) as (pbx, emulator):
            with console.status(f"{OURS}, a phone of the PBX, calls {OUTSIDE} for {seconds:g} s …"):
                edge = emulator.switch.stack.locals["us-east-1", "UDP"]
                pbx.call(OUTSIDE, (edge.host, edge.port), seconds)
                outbound = await _ended(emulator, pbx, 1)
            carried = _show("Out: the PBX calls the PSTN", emulator, outbound, pbx, seconds, console)
            with console.status(f"{CALLER}, a phone of the PSTN, calls {OURS} for {seconds:g} s …"):
                await emulator.desk.place_call(CallOrder(OURS, CALLER, seconds, ""))
                inbound = await _ended(emulator, pbx, 2)
            title = "In: the PSTN calls the PBX, and the first route is dead"
            carried = _show(title, emulator, inbound, pbx, seconds, console) and carried
        records = _records(folder / "var")
    good = carried and len(records) == 2
    _print_title("The call detail records", console)
    for record in records:
        console.print(_compact(record, min(console.width, WIDEST)), markup=False, soft_wrap=True)
        console.print()
    if good:
        console.print(
            "[green]Both calls carried audio both ways[/], and each left its record. "
            "Now with a PBX of yours: voiceconnector serve --help",
        )
    return good


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[tuple[Pbx, Emulator]]:
    """A PBX and the trunk that has a route to it."""
    pbx = Pbx()
    await pbx.open()
    try:
        emulator = Emulator(_configuration(folder, pbx.local.port))
        await emulator.start()
        try:
            yield pbx, emulator
        finally:
            await emulator.stop()
    finally:
        await pbx.close()


def _configuration(folder: Path, pbx_port: int) -> Config:
    file = folder / "demo.toml"
    file.write_text(
        CONFIGURATION.format(
            connector=CONNECTOR, number=OURS, nobody=free_port(HOST), pbx=pbx_port, ring_seconds=RING_SECONDS
        )
    )
    return load(file, [f"data_dir={folder / 'var'}"])


async def _ended(emulator: Emulator, pbx: Pbx, count: int) -> dict[str, Any]:
    """The latest of so many calls, once it is over and counted on both sides; as it is, when that takes too long."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        found = [await emulator.desk.call(str(call["TransactionId"])) for call in emulator.desk.calls()]
        latest = found[0] if len(found) == count else None
        over = latest and latest["EndTime"] and latest["Media"] and len(pbx.counted) == count
        if over or time.monotonic() > deadline:
            return latest or {}
        await asyncio.sleep(0.02)


def _show(title: str, emulator: Emulator, call: dict[str, Any], pbx: Pbx, seconds: float, console: Console) -> bool:
    """Print a call; whether it carried audio both ways."""
    _print_title(title, console)
    identity, width = str(call.get("TransactionId")), min(console.width, WIDEST)
    for text in (
        wrapped(emulator.desk.in_brief(identity) or "The trunk has seen no call.\n", width),
        emulator.desk.ladder(identity, width=width) or "",
    ):
        console.print(text, markup=False, soft_wrap=True)
    counted = pbx.counted[-1] if pbx.counted else StreamStats("a")
    carried = audio_went_round(call.get("Media", {}), counted, seconds)
    verdict = call.get("MediaVerdict") or "No audio was seen."
    colour = "green" if carried else "red"
    console.print(f"[{colour}]{verdict}[/] The PBX heard {counted.packets} of the trunk's.\n", width=width)
    return carried


def audio_went_round(media: dict[str, dict[str, int]], pbx: StreamStats, seconds: float) -> bool:
    """Whether nearly all that the caller played came round: to the trunk from either side, and to the PBX.

    The other side echoes what it hears, so the caller is who sent more. The PBX has counted what it sent; the sequence
    numbers that the trunk saw tell what the PSTN did (RFC 3550 A.3). `media` are the trunk's counters by direction.
    """
    from_pbx, from_pstn = (media.get(direction, {}) for direction in ("cust2vc", "rem2vc"))
    played = max(pbx.sent_packets, from_pstn.get("packets", 0) + from_pstn.get("lost", 0))
    received = min(from_pbx.get("packets", 0), from_pstn.get("packets", 0), pbx.packets)
    return played >= seconds * LEAST_PER_SECOND and received >= played * ENOUGH


def _print_title(title: str, console: Console) -> None:
    console.rule(f"[bold]{title}", align="left", style="dim")


def _records(data_dir: Path) -> list[dict[str, object]]:
    folder = data_dir / "buckets"
    found = [json.loads(file.read_text()) for file in folder.rglob("*") if file.is_file()]
    return sorted(found, key=lambda record: int(record["StartTimeEpochSeconds"]))


def _compact(record: dict[str, object], width: int) -> str:
    """A record as JSON, in lines that are broken between its members only."""
    members = [f"{json.dumps(key)}: {json.dumps(value)}".replace(" ", "\xa0") for key, value in record.items()]
    return textwrap.fill(f"{{{', '.join(members)}}}", width, break_on_hyphens=False).replace("\xa0", " ")

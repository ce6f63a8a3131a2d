"""The demo: a built-in PBX calls through the trunk, over real sockets and with real RTP."""

import asyncio
import json
import random
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from .app import Emulator
from .config import Config, load
from .media.endpoint import Endpoint
from .media.offer_answer import LegAddress
from .media.plan import MediaPlan, PortPair, StreamPlan, Tone
from .media.quality import StreamStats
from .media.relay import CallStats, Relay
from .sip.hop import Hop
from .sip.ids import Ids
from .sip.message import Request, Response
from .sip.session import Session
from .sip.stack import SipStack
from .sip.transaction import ClientTransaction, LogEntry
from .sip.transport import Transport

CONNECTOR = "abcdef1ghij2klmno3pqr4"
CALLER, CALLED = "+12065550100", "+12065550123"
TONE_HZ = 440
TIMEOUT = 8.0
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
ring_seconds = 0.5
[[voice_connectors]]
VoiceConnectorId = "{connector}"
Name = "demo"
PhoneNumbers = ["{caller}"]
[voice_connectors.Termination]
CpsLimit = 1
CallingRegions = ["US"]
CidrAllowedList = ["127.0.0.0/8"]
"""


def _configuration(folder: Path) -> Config:
    file = folder / "demo.toml"
    file.write_text(CONFIGURATION.format(connector=CONNECTOR, caller=CALLER))
    return load(file, [f"data_dir={folder / 'var'}"])


@dataclass
class Pbx:
    """One phone behind a PBX: places a call, sends a tone, counts what comes back."""

    relay: Relay
    seconds: float
    over: asyncio.Event = field(default_factory=asyncio.Event)
    outcome: str = "no answer"
    counters: StreamStats | None = None

    def __post_init__(self) -> None:
        self.stack = SipStack(self, Ids(random.SystemRandom()))
        self.log: list[LogEntry] = []
        self._pair: PortPair | None = None

    def call(self, hop: Hop, now: float) -> None:
        self._pair = self.relay.allocate("127.0.0.1")
        assert self._pair, self.relay.why_none("127.0.0.1")
        ours = LegAddress(self._pair.address, self._pair.rtp)
        self._endpoint = Endpoint(("PCMU",), ours, self.stack.ids.number(61))
        body = self._endpoint.offer()
        host = f"{CONNECTOR}.voiceconnector.chime.aws"
        lines = "Max-Forwards: 70\r\nContent-Type: application/sdp\r\n"
        Session.outgoing(
            self.stack, hop, f"sip:{CALLED}@{host}", f'"Reception" <sip:{CALLER}@{hop.local.host}>',
            f"<sip:{CALLED}@{host}>", f"sip:{CALLER}@{hop.local.sent_by}", lines, body, self, self.log, now,
        )  # fmt: skip

    def on_answer(self, session: Session, response: Response, now: float) -> None:
        session.acknowledge(now)
        stream = self._endpoint.accept(response.body)
        assert self._pair
        self.outcome = "answered"
        self.relay.apply(
            1,
            MediaPlan(
                (StreamPlan("a", self._pair, stream.remote_rtp, stream.payload_types, sources=(Tone(TONE_HZ),)),)
            ),
        )
        self._session = session
        self.stack.timers.start(self.seconds, self, "hang up", now)

    def on_timer(self, name: str, now: float) -> None:
        self._session.hang_up(now)
        assert self._pair
        self.relay.release(1, (self._pair,))

    def read_relay(self) -> None:
        for event in self.relay.read_events():
            if isinstance(event, CallStats) and event.final:
                self.counters = event.streams[0]
                self.over.set()

    def on_failure(self, session: Session, status_code: int, reason: str, now: float) -> None:
        self.outcome = f"{status_code} {reason}"
        self.over.set()

    def on_lost(self, session: Session, why: str, now: float) -> None:
        self.outcome = why
        self.over.set()

    def on_bye(self, session: Session, request: Request, now: float) -> None:
        self.over.set()

    def on_request(self, *_: object) -> None: ...
    def on_overload(self, *_: object) -> None: ...
    def on_progress(self, session: Session, response: Response, now: float) -> None: ...
    def on_ack(self, session: Session, request: Request, now: float) -> None: ...
    def on_cancel(self, session: Session, request: Request, now: float) -> None: ...
    def on_reply(self, session: Session, transaction: ClientTransaction, response: Response, now: float) -> None: ...
    def on_no_reply(
        self, session: Session, transaction: ClientTransaction, status_code: int, why: str, now: float
    ) -> None: ...


async def run_demo(seconds: float) -> bool:
    """Place the call and print what came of it; True if audio went both ways."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="voiceconnector-demo-") as name:
        folder = Path(name)
        emulator = Emulator(_configuration(folder))
        await emulator.start()
        try:
            pbx = await _place_call(emulator, seconds, console)
            call = emulator.calls()[0]
            identity = str(call["TransactionId"])
            details = emulator.call(identity) or {}
            _print_section(console, "Ladder", emulator.ladder(identity) or "")
            _print_section(console, "Explained (voiceconnector explain)", emulator.explain(identity) or "")
        finally:
            await emulator.stop()
        records = _records(folder / "var")
    for record in records:
        _print_section(console, "Call detail record", json.dumps(record, indent=2) + "\n")
    carried = _print_verdict(pbx, details, console)
    return carried and len(records) == 1


async def _place_call(emulator: Emulator, seconds: float, console: Console) -> Pbx:
    relay = Relay({"127.0.0.1": (40_000, 40_100)})
    relay.start()
    loop = asyncio.get_running_loop()
    pbx = Pbx(relay, seconds)
    transport = Transport(pbx.stack, settle=lambda _now: relay.flush())
    loop.add_reader(relay.fileno(), pbx.read_relay)
    try:
        local = transport.open_udp("pbx", "127.0.0.1", 0)
        edge = emulator.switch.stack.locals["us-east-1", "UDP"]
        while relay.opening:
            await asyncio.sleep(0.002)
        with console.status(f"{CALLER} calls {CALLED} through the trunk, for {seconds:g} s …"):
            transport.turn(lambda now: pbx.call(Hop(local, (edge.host, edge.port)), now))
            await asyncio.wait_for(pbx.over.wait(), TIMEOUT)
            await asyncio.sleep(0.2)  # The BYE's answer, and the trunk's own counters.
    finally:
        await transport.close()
        loop.remove_reader(relay.fileno())
        relay.close()
    return pbx


def _print_section(console: Console, title: str, text: str) -> None:
    console.rule(f"[bold]{title}", align="left", style="dim")
    console.print(text, markup=False, soft_wrap=True)


def _records(data_dir: Path) -> list[dict[str, object]]:
    folder = data_dir / "buckets"
    return [json.loads(file.read_text()) for file in sorted(folder.rglob("*")) if file.is_file()]


def _print_verdict(pbx: Pbx, details: dict[str, object], console: Console) -> bool:
    media = details.get("Media")
    sent = media.get("cust2vc", {}).get("packets", 0) if isinstance(media, dict) else 0
    returned = pbx.counters.packets if pbx.counters else 0
    expected = int(pbx.seconds * 50 * 0.8)
    carried = pbx.outcome == "answered" and sent >= expected and returned >= expected
    words = f"the trunk received {sent} RTP packets from the PBX, the PBX {returned} of its own back from the PSTN"
    if carried:
        console.print(f"[green]Audio went both ways[/]: {words}.", soft_wrap=True)
    else:
        console.print(f"[red]The call did not carry audio both ways[/] ({pbx.outcome}): {words}.", soft_wrap=True)
    return carried

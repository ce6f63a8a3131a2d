"""The emulator put together: the only file that knows every part.

One event loop turns two SIP stacks (the service's, with a listener per Region, and the public network's), reads
the relay's events and serves HTTP. `Emulator.start` raises `StartError` with one line for a person; `stop`
drains: no new calls, BYE to open ones, records written.
"""

import asyncio
import ctypes
import gc
import logging
import os
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address

from .calls import explain, media_report
from .calls.events import CallEvent
from .calls.history import CallHistory
from .calls.keeping import Keeping, What
from .calls.roles import PSTN
from .calls.switch import Switch
from .captures import Captures, Copies, frame_of
from .config import Address, Config, wav_file
from .control import server
from .control.call_orders import CallOrder, CannotCall
from .dns import Resolver, Server, Upstream, system_servers
from .encryption import Encryption
from .faults import Condition, Regions
from .listeners import StartError, is_ipv6, open_pair, open_region
from .media.outage import MutableRelay
from .media.relay import Relay
from .pstn.carrier import NoPort, PublicNetwork
from .records import cdr, ladder
from .records.ladder import Packet, render_messages
from .records.metrics import Metrics
from .records.sinks import Collector, InUse, Sink
from .sip.digest import DigestServer
from .sip.hop import Hop, host_port
from .sip.ids import Ids
from .sip.transport import Transport
from .trunk.numbers import country_of
from .trunk.routing import unassigned
from .trunk.store import Conflict, Store, StoreError
from .trunk.zone import Answers, Edge
from .way import Way, outward, routing_of

log = logging.getLogger(__name__)

PHONES = "phones"
"""Name of the listeners of the public network's own phones."""
PSTN_RTP_PORTS = range(30_000, 40_000)
"""Where the public network has an address of its own; on a Region's media address it shares that one's ports."""
DRAIN_SECONDS = 5.0
"""How long `stop` waits for BYEs to be answered."""
FLUSH_SECONDS = 1.0
COLLECT_SECONDS = 600.0
"""How often cyclic garbage, as HTTP leaves some, is looked for when calls never pause."""
ROOM_SECONDS = 60.0
"""How often old captures and recordings are looked for."""
ACCEPT_SECONDS = 5.0
"""How long a call that is to be placed may be on its way to the trunk."""
COUNTING_SECONDS = 0.2
"""How long somebody who looks at a call waits for its counters; those of before are shown then."""
RELAY_SECONDS = 10.0
RELAY_PAUSE = 0.005
"""Seconds between batches of commands to the relay."""


class Emulator:
    """Everything that runs, from `start` to `stop`."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.epoch = time.time() - time.monotonic()
        self.transports: list[Transport] = []
        self.watchers: set[Callable[[str, dict[str, object]], None]] = set()
        self._opened: list[Callable[[], Awaitable[None]]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._relay_flushed = 0.0
        self._flush_planned = False

    # -- start

    async def start(self) -> None:
        """Open everything, or close what was opened and raise StartError."""
        try:
            await self._open()
        except (StoreError, Conflict, InUse) as error:
            await self._close_opened()
            raise StartError(str(error)) from error
        except StartError:
            await self._close_opened()
            raise
        # Calls make no cycles, and looking for some among all that lives costs them a sixth of their time and
        # pauses of a tenth of a second: it is done when nothing goes on, or has not been for long.
        gc.collect()
        gc.freeze()
        gc.disable()

    async def _open(self) -> None:
        config = self.config
        self._open_store()
        await self._open_relay()
        edges = self._prepare_dns()
        ids = Ids(random.SystemRandom())
        routing = routing_of(config.pstn_routes)
        media = {region.name: region.media_address for region in config.regions.values()}
        further = {outward(region): config.pstn_address.host for region in config.regions}
        way = Way(routing, media | further, lambda: self.store.snapshot)
        profile = config.profile
        self.media = MutableRelay(self.relay)
        self.switch = Switch(
            profile,
            lambda: self.store.snapshot,
            DigestServer(secrets.token_bytes(32), profile.nonce_lifetime, profile.digest_algorithms),
            way,
            self.media,
            media,
            self.resolver,
            ids,
            self.epoch,
            lambda connector, source, _time: self.store.record_termination_health(connector, source),
            self.region_available,
            Keeping(str(config.data_dir.resolve()), config.media.capture, config.media.record),
        )
        self.captures = Captures(config.data_dir, config.media.keep_bytes, self.epoch, config.tls.key_log)
        self._open_collector()
        self.network = PublicNetwork(routing, self.relay, config.pstn_address.host, ids)
        observer = self.copies.take if self.copies else None
        service = self._transport(
            Transport(self.switch.stack, settle=self._settle, on_fault=self._fault, observer=observer)
        )
        self._open_encryption(service)
        self._regions = Regions(config.regions, self._apply_condition)
        for region in config.regions.values():
            edges[region.name] = await open_region(service, region)
            if is_ipv6(region.udp.host) != is_ipv6(config.pstn_address.host):
                free = Address(config.pstn_address.host, 0)
                await open_pair(service, "pstn.address", outward(region.name), free, free)
        await open_pair(service, "pstn.address", PSTN, config.pstn_address, config.pstn_address)
        way.locals = self.switch.stack.locals
        outside = self._transport(Transport(self.network.stack, settle=self._flush_relay))
        free = Address(config.pstn_address.host, 0)
        way.phones = await open_pair(outside, "pstn.address", PHONES, free, free)
        await self._open_dns()
        await self._open_http()
        self._tasks.append(asyncio.create_task(self._keep_house()))

    def _open_store(self) -> None:
        config = self.config
        self.store = Store(config.data_dir)
        self._opened.append(_asynchronous(self.store.close))
        created = self.store.create_absent(config.voice_connectors)
        groups = self.store.create_groups_absent(config.voice_connector_groups)
        for number in config.deletion_queue:
            self.store.delete_phone_number(number)
        kept = len(config.voice_connectors) - len(created) + len(config.voice_connector_groups) - len(groups)
        if kept:
            log.info(
                "%d of the configured Voice Connectors and groups were there already and are left as they are", kept
            )
        account = cdr.Account(config.account_id, country_of)
        self.sink = Sink(config.data_dir, account, log.warning)
        self.metrics = Metrics(self._region_of)
        self._opened.append(_asynchronous(self.sink.close))

    def _open_encryption(self, service: Transport) -> None:
        self.encryption = Encryption(self.config, service.connections)
        try:
            self.encryption.renew(datetime.now(UTC))
        except ValueError as error:
            raise StartError(str(error)) from error

    def _open_collector(self) -> None:
        self.collector: Collector | None = None
        self.copies: Copies | None = None
        wanted = self.config.hep
        if wanted:
            try:
                self.collector = Collector(*wanted.address, log.warning)
            except OSError as error:
                raise StartError(f"hep.address = {wanted.address}: cannot send there: {error.strerror}") from error
            self._opened.append(_asynchronous(self.collector.close))
            self.copies = Copies(wanted, self.collector.send, self.switch.history.live, self.epoch)

    async def _open_relay(self) -> None:
        config = self.config
        ranges = {config.pstn_address.host: (PSTN_RTP_PORTS.start, PSTN_RTP_PORTS.stop - 1)}
        for region in config.regions.values():
            ranges[region.media_address] = (region.rtp_ports.start, region.rtp_ports.stop - 1)
        self.relay = Relay(ranges)
        self.relay.start()
        loop = asyncio.get_running_loop()
        loop.add_reader(self.relay.fileno(), self._relay_readable)

        async def close() -> None:
            loop.remove_reader(self.relay.fileno())
            self.relay.close()

        self._opened.append(close)
        deadline = time.monotonic() + RELAY_SECONDS
        while self.relay.opening and time.monotonic() < deadline:
            await asyncio.sleep(0.002)
        if self.relay.opening:
            raise StartError(f"the media relay did not start within {RELAY_SECONDS:g} s")

    def _transport(self, transport: Transport) -> Transport:
        self.transports.append(transport)
        self._opened.append(transport.close)
        return transport

    def _prepare_dns(self) -> dict[str, Edge]:
        """The zone and the resolver; the zone has the Regions that are put into the mapping."""
        config = self.config
        edges: dict[str, Edge] = {}
        host = config.dns_address.host
        self.answers = Answers(
            lambda: self.store.snapshot,
            edges,
            config.profile,
            () if ip_address(host).is_unspecified else (host,),
            self.region_available,
            int(time.time()),
        )
        self._upstream = Upstream((config.dns_resolver,) if config.dns_resolver else system_servers())
        self.resolver = Resolver(
            self._upstream.ask,
            lambda change: self.transports[0].turn(change),
            self.answers.respond,
            random.SystemRandom(),
        )
        return edges

    async def _open_dns(self) -> None:
        address = self.config.dns_address
        self.dns = Server(self.answers.respond, self.config.dns_forward)
        try:
            await self.dns.open(*address)
        except OSError as error:
            raise StartError(f"dns.address = {address}: cannot listen there: {error.strerror}") from error
        self._opened += [self._upstream.close, self.dns.close]

    async def _open_http(self) -> None:
        self.http = server.HttpServer(server.application(self))
        try:
            await self.http.open(*self.config.http_address)
        except OSError as error:
            raise StartError(
                f"http.address = {self.config.http_address}: cannot listen there: {error.strerror}"
            ) from error
        self._opened.append(self.http.close)

    # -- turning

    def _settle(self, now: float) -> None:
        """What has happened is written down before the turn's messages leave."""
        events = self.switch.events
        if events:
            self.switch.events = []
            self.sink.append(events)
            self.metrics.take(events)
            if self.watchers:
                self._tell_watchers(events)
        if self.copies:
            self.copies.settle(events)
        self._flush_relay(now)

    def _flush_relay(self, now: float) -> None:
        """Send the relay its commands: at once when it has been quiet, else all of some milliseconds together.

        Each batch wakes another process, which on a busy machine costs more than what is in it.
        """
        if now >= self._relay_flushed + RELAY_PAUSE:
            self._relay_flushed = now
            self.relay.flush()
        elif not self._flush_planned:
            self._flush_planned = True
            asyncio.get_running_loop().call_later(RELAY_PAUSE, self._flush_relay_later)

    def _flush_relay_later(self) -> None:
        self._flush_planned = False
        self._relay_flushed = time.monotonic()
        self.relay.flush()

    def _tell_watchers(self, events: list[CallEvent]) -> None:
        for event in events:
            fields = server.event_fields(event)
            for watcher in tuple(self.watchers):
                watcher(type(event).__name__, fields)

    def _fault(self, fault: Exception, now: float) -> None:
        self.switch.fail(now)

    def _relay_readable(self) -> None:
        events = self.relay.read_events()

        def change(now: float) -> None:
            for event in events:
                media_report.take(self.switch, event, now)

        if events:
            self.transports[0].turn(change)

    async def _keep_house(self) -> None:
        """Each second: write down what is owed; when calls are over, give back their memory."""
        busy = False
        collected = made_room = time.monotonic()
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            idle = not self.switch.stack.open_transactions
            now = time.monotonic()
            if (busy and idle) or now > collected + COLLECT_SECONDS:
                _return_memory()
                collected = now
            busy = not idle
            self.sink.append()
            if self.encryption.is_due(datetime.now(UTC)):
                self.reload_certificates()
            try:
                self.store.flush()
            except StoreError as error:
                log.warning("%s", error)
            if now > made_room + ROOM_SECONDS:
                made_room = now
                deleted = await asyncio.to_thread(self.captures.make_room, frozenset(self.switch.history.live))
                if deleted:
                    log.info("Of %d older calls, captures or recordings made room (media.keep_bytes)", deleted)

    # -- TLS

    def reload_certificates(self) -> None:
        """Begin TLS connections with the files there are now; those that are open go on with what they have."""
        self.encryption.reload(datetime.now(UTC))

    # -- Regions

    def region_available(self, name: str) -> bool:
        """Whether calls can go through a Region; a slow one is available."""
        return self._regions.available(name)

    def set_region(self, name: str, wanted: object) -> dict[str, object]:
        """Put a Region into a condition, as `faults.Regions.set`; how it is then."""
        self._regions.set(name, wanted)
        return self.regions()[name]

    def regions(self) -> dict[str, dict[str, object]]:
        """Every Region by name: its state, its delay, and how many packets it has dropped."""
        dropped = self.transports[0].reach.dropped
        return self._regions.shown({name: dropped[name] + dropped[outward(name)] for name in self.config.regions})

    def _apply_condition(self, name: str, condition: Condition) -> None:
        for listener in (name, outward(name)):
            self.transports[0].impede(listener, condition.delay)
        self.media.mute(self.config.regions[name].media_address, condition.state == "down")
        self._flush_relay(time.monotonic())
        for call in self.switch.history.live.values():
            if call.started and call.started.region == name:
                call.note(time.monotonic(), f"From here on, Region {name} is {condition.described}.")
        for watcher in tuple(self.watchers):
            watcher("RegionChanged", {"Name": name, "State": condition.state, "DelaySeconds": condition.delay_seconds})

    # -- stop

    async def stop(self) -> None:
        """No new calls, BYE to open ones, records written."""
        service, outside = self.transports
        service.turn(self.switch.close)
        deadline = time.monotonic() + DRAIN_SECONDS
        while (self.switch.stack.dialogs or self.network.active_calls) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        outside.turn(self.network.close)
        await self._close_opened()

    async def _close_opened(self) -> None:
        for task in self._tasks:
            task.cancel()
        while self._opened:
            await self._opened.pop()()

    # -- what HTTP shows

    def listeners(self) -> dict[str, str]:
        """Where everything listens: "us-east-1 UDP" -> "127.0.0.1:5060"."""
        stacks = (self.switch.stack, self.network.stack)
        sip = {f"{local.name} {local.transport}": local.sent_by for stack in stacks for local in stack.locals.values()}
        return sip | {"DNS": host_port(*self.dns.address)}

    def state(self) -> dict[str, object]:
        """Counts of everything that is open, all zero on an idle emulator; and where it listens."""
        media = {region.media_address for region in self.config.regions.values()} | {self.config.pstn_address.host}
        return {
            "calls": self.switch.active_calls,
            "dialogs": len(self.switch.stack.dialogs) + len(self.network.stack.dialogs),
            "transactions": self.switch.stack.open_transactions + self.network.stack.open_transactions,
            "timers": len(self.switch.stack.timers) + len(self.network.stack.timers),
            "look_ups": self.resolver.looking_up,
            "port_pairs": sum(self.relay.pairs_in_use(address) for address in media),
            "refusals": dict(self.switch.refusals),
            "dropped": dict(self.switch.stack.dropped),
            "listeners": self.listeners(),
            "regions": self.regions(),
            "collector": {"sent": self.collector.sent, "lost": self.collector.lost} if self.collector else None,
            "processes": [os.getpid(), self.relay.process_id, self.sink.process_id],
        }

    def metrics_text(self) -> str:
        """What Prometheus is told."""
        return self.metrics.text()

    def _region_of(self, voice_connector_id: str) -> str:
        connector = self.store.snapshot.by_id.get(voice_connector_id)
        return connector.aws_region if connector else ""

    def calls(self) -> list[dict[str, object]]:
        return [explain.summary(call, self.epoch) for call in self.switch.history.all()]

    async def call(self, aws_transaction_id: str) -> dict[str, object] | None:
        """A call, with its media counters of this moment."""
        call = self.switch.history.find(aws_transaction_id)
        if call:
            await self._count(call)
        return explain.details(call, self.config.profile, self.epoch) if call else None

    async def _count(self, call: CallHistory) -> None:
        """Have the relay tell a live call's counters; a relay that does not answer at once is not waited for."""
        key = self.switch.key_of(call)
        if key is None or call.plan is None:
            return
        counted, deadline = call.counted, time.monotonic() + COUNTING_SECONDS
        self.relay.query(key)
        self.relay.flush()
        while call.counted == counted and time.monotonic() < deadline:
            await asyncio.sleep(0.002)

    async def place_call(self, order: CallOrder) -> str:
        """Have a phone of the public network call a number of the trunk; the call's TransactionId.

        Raises CannotCall.
        """
        snapshot = self.store.snapshot
        if not snapshot.inbound(order.to):
            decision = unassigned(order.to, snapshot, self.config.profile)
            raise CannotCall(404, f"{decision.because}. {decision.remedy}.")
        try:
            play = str(wav_file(order.play)) if order.play else ""
        except ValueError as error:
            raise CannotCall(400, f"Play = '{order.play}': {error}") from None
        trunk, phones = self.switch.stack.locals[PSTN, "UDP"], self.network.stack.locals[PHONES, "UDP"]
        hop = Hop(phones, (trunk.host, trunk.port))
        call_id = problem = ""

        def dial(now: float) -> None:
            nonlocal call_id, problem
            try:
                call_id = self.network.call(hop, order.to, order.from_, order.duration, now, play)
            except NoPort as error:
                problem = str(error)

        self.transports[1].turn(dial)
        deadline = time.monotonic() + ACCEPT_SECONDS
        while call_id and time.monotonic() < deadline:
            history = self.switch.history.from_pstn(call_id)
            if history:
                return history.aws_transaction_id
            await asyncio.sleep(0.002)
        raise CannotCall(503, problem or f"the trunk has not taken the INVITE for {ACCEPT_SECONDS:g} s")

    async def hang_up(self, aws_transaction_id: str) -> dict[str, object] | None:
        """Have the phone that placed a call hang up; the call. One that is over stays as it is. Raises CannotCall."""
        call = self.switch.history.live.get(aws_transaction_id)
        hung_up = call is None

        def change(now: float) -> None:
            nonlocal hung_up
            assert call
            hung_up = self.network.hang_up(call.pstn_call_id, now)

        if call:
            self.transports[1].turn(change)
        if not hung_up:
            raise CannotCall(409, "the call was placed by no phone of the emulated PSTN, so let its caller hang up")
        return await self.call(aws_transaction_id)

    async def explain(self, aws_transaction_id: str) -> str | None:
        call = self.switch.history.find(aws_transaction_id)
        if call:
            await self._count(call)
        return explain.explain(call, self.config.profile) if call else None

    def in_brief(self, aws_transaction_id: str) -> str | None:
        call = self.switch.history.find(aws_transaction_id)
        return explain.in_brief(call, self.config.profile) if call else None

    def ladder(self, aws_transaction_id: str, *, messages: bool = False, width: int = 110) -> str | None:
        """The ladder as text; with `messages`, the messages in full behind it."""
        call = self.switch.history.find(aws_transaction_id)
        if call is None:
            return None
        frames = [frame_of(entry, self.epoch) for entry in call.log]
        packets = [
            Packet(frame.time, frame.transport, host_port(*frame.source), host_port(*frame.destination), frame.data)
            for frame in frames
        ]
        names = {address.partition(" ")[2]: who for address, who in call.peers.items()} | _our_names(call)
        text = ladder.ladder(packets, names, width=width)
        return f"{text}\n{render_messages(packets, names, width=width)}" if messages else text

    async def keep(self, aws_transaction_id: str, what: What, enabled: bool) -> dict[str, object] | None:
        """Keep packets or recordings of a live call from now on, or no longer; the call. Raises CannotCall."""
        kept = False

        def change(now: float) -> None:
            nonlocal kept
            kept = self.switch.keep(aws_transaction_id, what, enabled, now)

        self.transports[0].turn(change)
        call = await self.call(aws_transaction_id)
        if call and not kept:
            raise CannotCall(409, f"the call is over, so there is nothing to {what} any more")
        return call

    def capture(self, aws_transaction_id: str, *, as_sent: bool) -> Iterator[bytes] | None:
        """The packets of a call as a pcapng file."""
        call = self.switch.history.find(aws_transaction_id)
        if call is None:
            return None
        verdict = explain.details(call, self.config.profile, self.epoch)["MediaVerdict"] or "No audio was seen."
        comment = f"{aws_transaction_id}\n{explain.in_brief(call, self.config.profile)}\n{verdict}"
        return self.captures.pcapng(call, comment, as_sent=as_sent)

    def recording(self, aws_transaction_id: str) -> Iterator[bytes] | None:
        """Both sides of a call as a stereo WAV file. Raises LookupError where nothing of it was recorded."""
        call = self.switch.history.find(aws_transaction_id)
        return self.captures.recording(call) if call else None


def _our_names(call: CallHistory) -> dict[str, str]:
    """What the trunk's addresses in a call are called: by their Region, also the PSTN's side where there is but one."""
    ours = {hop.local for _, hop, _, _ in call.log}
    regions = {local.name for local in ours} - {PSTN}
    only = next(iter(regions)) if len(regions) == 1 else PSTN
    return {local.sent_by: f"voiceconnector {only if local.name == PSTN else local.name}" for local in ours}


def _return_memory() -> None:
    """Give back to the system what a burst of calls needed: glibc keeps freed memory unless it is asked."""
    gc.collect()
    with suppress(AttributeError):  # Another libc, which does as it likes.
        ctypes.CDLL(None).malloc_trim(0)


def _asynchronous(close: Callable[[], object]) -> Callable[[], Awaitable[None]]:
    async def closing() -> None:
        close()

    return closing


async def run(config: Config, ready: Callable[[Emulator], None], stopping: asyncio.Event) -> None:
    """Start, tell `ready`, wait for `stopping`, stop."""
    emulator = Emulator(config)
    await emulator.start()
    ready(emulator)
    try:
        await stopping.wait()
    finally:
        await emulator.stop()


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()

"""The emulator put together: the only file that knows every part.

One event loop turns two SIP stacks (the service's, with a listener per Region, and the public network's), reads
the relay's events and serves HTTP. `Emulator.start` raises `StartError` with one line for a person; `stop`
drains: no new calls, BYE to open ones, records written.
"""

import asyncio
import ctypes
import gc
import json
import logging
import os
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address

from .calls import media_report
from .calls.events import CallEvent
from .calls.keeping import Keeping
from .calls.roles import PSTN
from .calls.switch import Switch
from .captures import Captures, Copies
from .config import Address, Config
from .control import server
from .control.api import Api, Call, Outcome
from .control.audit import FOLDER as CLOUDTRAIL
from .control.audit import event as cloudtrail_event
from .control.context import Control
from .control.iam import Guard
from .control.service import Service
from .control.service_linked_role import delete_service_linked_role, get_service_linked_role
from .desk import Desk
from .dns import Resolver, Server, Upstream, system_servers, texts
from .encryption import Encryption
from .faults import Condition, Regions
from .listeners import StartError, is_ipv6, open_pair, open_region
from .media.outage import MutableRelay
from .media.relay import Relay
from .pstn.carrier import PublicNetwork
from .records import cdr
from .records.day_files import DayFiles
from .records.metrics import Metrics
from .records.sinks import Collector, InUse, Sink
from .sip.digest import DigestServer
from .sip.hop import host_port
from .sip.ids import Ids
from .sip.transport import Transport
from .trunk.document import exported
from .trunk.global_settings import cdr_bucket
from .trunk.importing import import_document
from .trunk.inventory import configured
from .trunk.model import PhoneNumber, identity
from .trunk.numbers import country_of
from .trunk.orders import due
from .trunk.roles import role_owed, streaming
from .trunk.store import Conflict, Store, StoreError
from .trunk.zone import Answers, Edge
from .way import PHONES, Way, outward, routing_of

log = logging.getLogger(__name__)

PSTN_RTP_PORTS = range(30_000, 40_000)
"""Where the public network has an address of its own; on a Region's media address it shares that one's ports."""
DRAIN_SECONDS = 5.0
"""How long `stop` waits for BYEs to be answered."""
FLUSH_SECONDS = 1.0
COLLECT_SECONDS = 600.0
"""How often cyclic garbage, as HTTP leaves some, is looked for when calls never pause."""
ROOM_SECONDS = 60.0
"""How often old captures and recordings are looked for."""
RELAY_SECONDS = 60.0
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
        self.desk = Desk(
            self.switch,
            service,
            self.network,
            outside,
            self.relay,
            self.captures,
            lambda: self.store.snapshot,
            self.epoch,
        )
        await self._open_dns()
        await self._open_http()
        self._tasks.append(asyncio.create_task(self._keep_house()))

    def _open_store(self) -> None:
        config = self.config
        self.store = Store(config.data_dir, time.time)
        self._opened.append(_asynchronous(self.store.close))
        resources, deletion_queue = config.content
        kept = sum(identity(resource) in self.store.snapshot.all(type(resource)) for resource in resources)
        self.store.commit(*configured(self.store.snapshot, resources, deletion_queue, time.time()))
        if streaming(self.store.snapshot):
            self.store.commit(*role_owed(self.store.snapshot))
        if kept:
            log.info("%d of the configured resources were there already and are left as they are", kept)
        account = cdr.Account(config.account_id, country_of, self._name_of)
        self.sink = Sink(config.data_dir, account, log.warning, lambda: cdr_bucket(self.store.snapshot, config.profile))
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
        while self.relay.opening and self.relay.process_id and time.monotonic() < deadline:
            await asyncio.sleep(0.002)
        if not self.relay.process_id:
            raise StartError("the media relay ended as soon as it was started")
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
        config = self.config
        chance = random.SystemRandom()
        control = Control(self.store, config.profile, config.account_id, tuple(config.regions), chance, time.time)
        self._control = control
        guard = Guard(config.access, control)
        events = DayFiles(config.data_dir / CLOUDTRAIL, "Events of the API", log.warning)
        self._opened.append(_asynchronous(events.close))

        def audit(call: Call, outcome: Outcome) -> None:
            caller = guard.caller(call, outcome.error)
            found = cloudtrail_event(call, outcome, caller, config.account_id, control.new_uuid())
            events.append(call.time, json.dumps(found, separators=(",", ":")))

        api = Api(control, Service.load(), guard.authorize, audit)
        chime = server.chime_routes(control, partial(texts, self._upstream.ask), audit)
        self.http = server.HttpServer(
            server.application(self, self.desk, api, (*chime, *server.number_routes(control)))
        )
        try:
            await self.http.open(*config.http_address)
        except OSError as error:
            raise StartError(f"http.address = {config.http_address}: cannot listen there: {error.strerror}") from error
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
        attempts = Attempts()
        busy = False
        collected = made_room = time.monotonic()
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            idle = not self.switch.stack.open_transactions
            now = time.monotonic()
            if (busy and idle) or now > collected + COLLECT_SECONDS:
                collected = now
                with attempts.to("give back memory"):
                    self._return_memory(now)
            busy = not idle
            with attempts.to("write records"):
                self.sink.append()
            with attempts.to("renew certificates"):
                if self.encryption.is_due(datetime.now(UTC)):
                    self.reload_certificates()
            with attempts.to("write the store"):
                self._flush_store()
            if now > made_room + ROOM_SECONDS:
                made_room = now
                with attempts.to("make room for captures and recordings"):
                    await self._make_room()

    def _flush_store(self) -> None:
        try:
            self._take_what_is_due()
            self.store.flush()
        except StoreError as error:
            log.warning("%s", error)

    async def _make_room(self) -> None:
        deleted = await asyncio.to_thread(self.captures.make_room, frozenset(self.switch.history.live))
        if deleted:
            log.info("Of %d older calls, captures or recordings made room (media.keep_bytes)", deleted)

    def _take_what_is_due(self) -> None:
        """Numbers come into service and leave the deletion queue by the clock."""
        change = due(self.store.snapshot, time.time())
        if change.put or change.remove:
            self.store.commit(*change.put, remove=change.remove)

    def _return_memory(self, now: float) -> None:
        """Give back to the system what a burst of calls needed: glibc keeps freed memory unless it is asked."""
        self.switch.compact(now)
        gc.collect()
        with suppress(AttributeError):  # Another libc, which does as it likes.
            ctypes.CDLL(None).malloc_trim(0)

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

    # -- the service-linked role

    def service_linked_role(self) -> dict[str, object]:
        """The role as IAM has it. Raises LookupError where it is not there."""
        return get_service_linked_role(self._control)

    def delete_service_linked_role(self) -> None:
        """Raises LookupError where it is not there, ValueError while something streams."""
        delete_service_linked_role(self._control)

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

    # -- what HTTP shows, besides the desk

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

    def configuration(self, *, secrets: bool) -> dict[str, object]:
        """Everything that is configured, as a document."""
        return exported(self.store.snapshot, secrets=secrets)

    def configure(self, document: object, *, replace: bool) -> dict[str, int]:
        """Make everything what a document says, as `import_document`; how much that was."""
        regions, profile = tuple(self.config.regions), self.config.profile
        counts = import_document(self.store, document, regions, profile, time.time(), replace=replace)
        return {name.capitalize(): count for name, count in counts._asdict().items()}

    def metrics_text(self) -> str:
        """What Prometheus is told."""
        return self.metrics.text()

    def _name_of(self, number: str) -> str:
        known = self.store.snapshot.all(PhoneNumber).get(number)
        return known.name if known else ""

    def _region_of(self, voice_connector_id: str) -> str:
        connector = self.store.snapshot.by_id.get(voice_connector_id)
        return connector.aws_region if connector else ""


class Attempts:
    """At what is done again and again: one that fails by a mistake of ours keeps nothing else from being done."""

    def __init__(self) -> None:
        self._told: set[tuple[str, type[Exception]]] = set()

    @contextmanager
    def to(self, what: str) -> Iterator[None]:
        """An exception ends here and is logged with its traceback, once for each kind."""
        try:
            yield
        except Exception as error:
            kind = what, type(error)
            if kind not in self._told:
                self._told.add(kind)
                log.exception("Could not %s, which will be tried again; this is said once", what)


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

"""DNS at the edge: the server for the outbound host names, and the resolver for the hosts of origination routes.

`Server` has the sockets (UDP drained in a loop, TCP with many queries on a connection, RFC 7766); what it says is
decided in `trunk.zone`. Names outside the zone are refused, or forwarded to another server as they are. `Resolver`
runs the procedure of RFC 3263 over a cache that keeps answers for their TTL and no longer, those that say that
something is not there too (RFC 2308); `Upstream` asks the servers it is given. Left out: recursion of our own, and
the hosts file.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random, SystemRandom
from typing import NamedTuple, cast

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from .sip.hop import host_port, is_ip_address
from .sip.locate import Answer, Located, Naptr, Procedure, Question, Record, Srv, locate
from .sip.transport import free_port
from .trunk.model import HOST_NAME_SUFFIX
from .trunk.zone import PAYLOAD, refusal

log = logging.getLogger(__name__)

PORT = 53
BATCH = 64
"""Queries taken at a time, so that calls are never far behind."""
BUFFER = 1024 * 1024
"""Bytes of socket buffer asked for."""
CONNECTIONS = 100
"""TCP connections of clients at most; more are closed at the door."""
IDLE_SECONDS = 10.0
"""How long a connection may go without a whole query (RFC 7766 6.2.3)."""
UNREAD = 256 * 1024
"""Bytes of answers that may wait for a client that does not read."""
FORWARDED = 500
"""Queries under way to another server at most; more are answered with SERVFAIL."""
TRY_SECONDS = 2.0
TRIES = 2
FAILURE_SECONDS = 1.0
"""How long a look-up that failed is not repeated (RFC 9520 3.2)."""
LONGEST_SECONDS = 86_400.0
"""How long an answer is kept at most, whatever its TTL says (RFC 8767 4 thinks of days)."""
KEPT = 10_000
"""Answers kept at most."""

RESOLV_CONF = Path("/etc/resolv.conf")

_TC = 0x02
_WITHOUT_QUESTION = (Rcode.FORMERR, Rcode.SERVFAIL, Rcode.NOTIMP, Rcode.REFUSED)
"""What a server may say without repeating the question."""
_CHANCE = SystemRandom()

Address = tuple[str, int]
"""IP address and port."""
Turn = Callable[[Callable[[float], object]], object]
"""Runs a function of the time in a turn of the core."""
Ask = Callable[[bytes, Callable[[bytes, str], None]], None]
"""Asks another server. What is given is called later, with its answer, or with b"" and why there is none."""
Done = Callable[[Located, float], None]


# Serving


class Server:
    """The listener for the zone."""

    def __init__(
        self,
        respond: Callable[[bytes, bool], bytes | None],
        forward: Address | None = None,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """`respond` takes a message and whether it came over TCP; what it refuses goes to `forward`, if given."""
        self._respond = respond
        self._forward = forward
        self._idle_seconds = idle_seconds
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._listener: asyncio.Server | None = None
        self._streams: set[_Stream] = set()
        self._forwarding: set[asyncio.Task[None]] = set()
        self.address: Address = ("", 0)
        """Where it listens, once it is open."""

    async def open(self, host: str, port: int) -> None:
        """Listen on UDP and TCP; port 0 takes one that is free for both. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.address = (host, port or free_port(host))
        datagrams = self._socket = socket.socket(family, socket.SOCK_DGRAM)
        datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        datagrams.setblocking(False)
        streams = socket.socket(family, socket.SOCK_STREAM)
        try:
            datagrams.bind(self.address)
            streams.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            streams.bind(self.address)
            self._listener = await self._loop.create_server(
                lambda: _Stream(self, self._idle_seconds), sock=streams, backlog=CONNECTIONS
            )
        except OSError:
            datagrams.close()
            streams.close()
            raise
        self._loop.add_reader(datagrams.fileno(), self._drain, datagrams)

    async def close(self) -> None:
        if self._socket and self._listener:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._listener.close()
        for task in self._forwarding:
            task.cancel()
        for stream in list(self._streams):
            stream.cut()
        await asyncio.sleep(0)

    def _drain(self, datagrams: socket.socket) -> None:
        for _ in range(BATCH):
            try:
                query, client = datagrams.recvfrom(0xFFFF)
            except BlockingIOError:
                return
            except OSError:
                continue
            answer = self._answer(query, False)
            if answer is None:
                continue
            if self._goes_on(answer):
                self._pass_on(query, False, partial(self._send, client))
            else:
                self._send(client, answer)

    def _send(self, client: Address, answer: bytes) -> None:
        """An answer that cannot be sent is a lost packet: the client asks again."""
        try:
            if self._socket:
                self._socket.sendto(answer, client)
        except OSError as error:
            log.debug("DNS: cannot answer %s: %s", client, error)

    def _answer(self, query: bytes, over_tcp: bool) -> bytes | None:
        """A fault of ours is one answer, not the server."""
        try:
            return self._respond(query, over_tcp)
        except Exception:
            log.exception("DNS: a fault of the emulator; the query is answered with SERVFAIL")
            return refusal(query, Rcode.SERVFAIL)

    # -- connections

    def opened(self, stream: "_Stream") -> bool:
        if len(self._streams) >= CONNECTIONS:
            return False
        self._streams.add(stream)
        return True

    def closed(self, stream: "_Stream") -> None:
        self._streams.discard(stream)

    def take(self, stream: "_Stream", query: bytes) -> None:
        """One query from a connection."""
        answer = self._answer(query, True)
        if answer is None:
            return
        if self._goes_on(answer):
            self._pass_on(query, True, stream.write)
        else:
            stream.write(answer)

    # -- forwarding

    def _goes_on(self, answer: bytes) -> bool:
        """Whether the query is another server's: the zone refuses nothing else."""
        return self._forward is not None and answer[3] & 0x0F == Rcode.REFUSED

    def _pass_on(self, query: bytes, over_tcp: bool, send: Callable[[bytes], None]) -> None:
        if len(self._forwarding) >= FORWARDED:
            send(refusal(query, Rcode.SERVFAIL))
            return
        task = self._loop.create_task(self._forwarded(query, over_tcp, send))
        self._forwarding.add(task)
        task.add_done_callback(self._forwarding.discard)

    async def _forwarded(self, query: bytes, over_tcp: bool, send: Callable[[bytes], None]) -> None:
        """Under an id of our own, so that nobody who knows the client's can answer in the other server's place."""
        assert self._forward
        sent = _CHANCE.randbytes(2) + query[2:]
        try:
            answer = await (_over_tcp if over_tcp else _over_udp)(sent, self._forward)
        except (OSError, EOFError, TimeoutError) as error:
            log.info("DNS: %s does not answer: %s", host_port(*self._forward), _reason(error))
            answer = refusal(query, Rcode.SERVFAIL)
        send(query[:2] + answer[2:])


class _Stream(asyncio.Protocol):
    """A client's TCP connection: each message behind its length in two bytes (RFC 1035 4.2.2)."""

    def __init__(self, server: Server, idle_seconds: float) -> None:
        self._server = server
        self._idle_seconds = idle_seconds
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance.
        if self._server.opened(self):
            self._wait()
        else:
            self.cut()

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        taken = 0
        while len(received) >= taken + 2:
            end = taken + 2 + int.from_bytes(received[taken : taken + 2])
            if len(received) < end:
                break
            self._server.take(self, bytes(received[taken + 2 : end]))
            taken = end
        if taken:
            del received[:taken]
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._idle:
            self._idle.cancel()
        self._server.closed(self)

    def write(self, answer: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(len(answer).to_bytes(2) + answer)
        if transport.get_write_buffer_size() > UNREAD:
            self.cut()

    def cut(self) -> None:
        if self._transport:
            self._transport.abort()

    def _wait(self) -> None:
        """Close unless a whole query comes in time."""
        if self._idle:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(self._idle_seconds, self.cut)


# Asking other servers


def system_servers(resolv_conf: Path = RESOLV_CONF) -> tuple[Address, ...]:
    """The name servers of the system; without any, the one on this machine (resolv.conf(5))."""
    try:
        lines = resolv_conf.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    words = [line.split() for line in lines]
    named = (word[1] for word in words if word[:1] == ["nameserver"] and len(word) > 1)
    servers = tuple((address, PORT) for address in named if is_ip_address(address))
    return servers or (("127.0.0.1", PORT),)


class Upstream:
    """Asks the servers it is given in turn: two tries of two seconds, over TCP what was too long for UDP."""

    def __init__(self, servers: tuple[Address, ...], try_seconds: float = TRY_SECONDS) -> None:
        self._servers = servers
        self._try_seconds = try_seconds
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, query: bytes, done: Callable[[bytes, str], None]) -> None:
        """See `Ask`."""
        task = asyncio.get_running_loop().create_task(self._ask(query, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.sleep(0)

    async def _ask(self, query: bytes, done: Callable[[bytes, str], None]) -> None:
        reasons: list[str] = []
        for attempt in range(TRIES):
            server = self._servers[attempt % len(self._servers)]
            try:
                answer = await _over_udp(query, server, self._try_seconds)
                if answer[2] & _TC:
                    answer = await _over_tcp(query, server, self._try_seconds)
            except (OSError, EOFError, TimeoutError) as error:
                reasons.append(f"{host_port(*server)} does not answer: {_reason(error)}")
                continue
            rcode = Rcode.make(answer[3] & 0x0F)
            if rcode in (Rcode.NOERROR, Rcode.NXDOMAIN):
                done(answer, "")
                return
            reasons.append(f"{host_port(*server)} answers {dns.rcode.to_text(rcode)}")
        done(b"", "; ".join(dict.fromkeys(reasons)))


async def _over_udp(query: bytes, server: Address, seconds: float = TRY_SECONDS) -> bytes:
    """Raises OSError, TimeoutError."""
    loop = asyncio.get_running_loop()
    transport, exchange = await loop.create_datagram_endpoint(lambda: _Exchange(query), remote_addr=server)
    try:
        async with asyncio.timeout(seconds):
            return await exchange.answer
    finally:
        transport.close()


class _Exchange(asyncio.DatagramProtocol):
    """One query over a UDP socket of its own, whose port nobody else can guess (RFC 5452)."""

    def __init__(self, query: bytes) -> None:
        self._query = query
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.DatagramTransport, transport).sendto(self._query)

    def datagram_received(self, data: bytes, addr: object) -> None:
        if _answers(data, self._query) and not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def _over_tcp(query: bytes, server: Address, seconds: float = TRY_SECONDS) -> bytes:
    """Raises OSError, EOFError, TimeoutError."""
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection(*server)
        try:
            writer.write(len(query).to_bytes(2) + query)
            answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        finally:
            writer.close()
    if not _answers(answer, query):
        raise OSError("what it sends is no answer")
    return answer


def _answers(data: bytes, query: bytes) -> bool:
    """Whether this is an answer to the query, by its id and its question (RFC 5452 9.1)."""
    if len(data) < 12 or data[:2] != query[:2] or not data[2] & 0x80:
        return False
    if not data[4:6].strip(b"\0"):
        return data[3] & 0x0F in _WITHOUT_QUESTION
    asked = query[12 : _end_of_question(query)].lower()
    return data[12 : 12 + len(asked)].lower() == asked


def _end_of_question(query: bytes) -> int:
    """Where the question of a query that can be read ends: a name without compression, type and class."""
    end = 12
    while end < len(query) and query[end]:
        end += 1 + query[end]
    return end + 5


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error)


async def texts(ask: Ask, name: str) -> tuple[str, ...]:
    """The TXT records of a host name as they are now, the strings of each joined (RFC 1035 3.3.14).

    None where the name has none; raises LookupError, with why, where the name is not there or no server says.
    """
    query = dns.message.make_query(name, RdataType.TXT, use_edns=0, payload=PAYLOAD)
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def done(wire: bytes, because: str) -> None:
        if not answered.done():  # It may have been given up.
            answered.set_result(_read(query, wire).answer if wire else Answer(because=because))

    ask(query.to_wire(), done)
    answer = await answered
    if answer.because:
        raise LookupError(answer.because)
    return tuple(map(str, answer.records))


# Resolving


class _Kept(NamedTuple):
    answer: Answer
    until: float
    """Monotonic seconds."""


class Resolver:
    """Where SIP hosts are, by RFC 3263. It does no I/O of its own: `ask` does, and `turn` leads back to the core."""

    def __init__(
        self,
        ask: Ask,
        turn: Turn,
        own: Callable[[bytes, bool], bytes | None],
        chance: Random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`own` answers for the outbound host names; `chance` decides among SRV records."""
        self._ask = ask
        self._turn = turn
        self._own = own
        self._chance = chance
        self._clock = clock
        self._kept: dict[Question, _Kept] = {}
        self._waiting: dict[Question, list[Callable[[Answer, float], None]]] = {}

    @property
    def looking_up(self) -> int:
        """Questions that wait for their answer."""
        return len(self._waiting)

    def locate(self, host: str, port: int, transport: str, done: Done) -> None:
        """Find where to send what is for `host`; the arguments are those of `sip.locate.locate`.

        `done` is called with the outcome and the time: at once if all is known, else later in a turn.
        """
        self._advance(locate(host.lower(), port, transport, self._chance), None, done, self._clock())

    def _advance(self, procedure: Procedure, answers: tuple[Answer, ...] | None, done: Done, now: float) -> None:
        """Give the procedure its answers and look up what it asks for next."""
        try:
            questions = next(procedure) if answers is None else procedure.send(answers)
        except StopIteration as end:
            located: Located = end.value
        else:
            known: dict[Question, Answer] = {}

            def learn(question: Question, answer: Answer, now: float) -> None:
                known[question] = answer
                if len(known) == len(questions):
                    self._advance(procedure, tuple(known[each] for each in questions), done, now)

            for question in questions:
                self._look_up(question, partial(learn, question), now)
            return
        done(located, now)

    def _look_up(self, question: Question, then: Callable[[Answer, float], None], now: float) -> None:
        kept = self._kept.get(question)
        if kept and now < kept.until:
            then(kept.answer, now)
            return
        waiting = self._waiting.get(question)
        if waiting is not None:
            waiting.append(then)
            return
        try:
            query = dns.message.make_query(question.name, question.type, use_edns=0, payload=PAYLOAD)
            wire = query.to_wire()
        except (dns.exception.DNSException, ValueError) as error:
            then(Answer(because=f"{question.name} is no host name: {error}"), now)
            return
        if question.name.endswith(HOST_NAME_SUFFIX):
            then(_read(query, self._own(wire, True) or b"").answer, now)
            return
        self._waiting[question] = [then]
        self._ask(wire, partial(self._answered, question, query))

    def _answered(self, question: Question, query: dns.message.Message, wire: bytes, because: str) -> None:
        """An answer, or b"" and why there is none."""
        answer, lifetime = _read(query, wire) if wire else _Read(Answer(because=because), FAILURE_SECONDS)
        now = self._clock()
        if len(self._kept) >= KEPT:
            self._kept = {known: kept for known, kept in self._kept.items() if now < kept.until}
            if len(self._kept) >= KEPT:
                self._kept.clear()
        self._kept[question] = _Kept(answer, now + min(lifetime, LONGEST_SECONDS))
        for then in self._waiting.pop(question, ()):
            self._turn(partial(then, answer))


class _Read(NamedTuple):
    answer: Answer
    lifetime: float
    """Seconds it may be kept."""


def _read(query: dns.message.Message, wire: bytes) -> _Read:
    """What a message says to a question of ours, and for how long (RFC 2308 5 where it says that there is nothing)."""
    question = query.question[0]
    name = question.name.to_text(omit_final_dot=True)
    try:
        response = dns.message.from_wire(wire, keyring=False, ignore_trailing=True)
        if not isinstance(response, dns.message.QueryMessage) or not query.is_response(response):
            raise ValueError("it is about something else")
        chain = response.resolve_chaining()
    except (dns.exception.DNSException, ValueError) as error:
        why = " ".join(str(error).split())  # dnspython writes in paragraphs.
        return _Read(Answer(because=f"the answer for {name} cannot be read: {why}"), FAILURE_SECONDS)
    if chain.answer is not None:
        return _Read(Answer(tuple(_records(chain.answer))), chain.minimum_ttl)
    stated = any(records.rdtype == RdataType.SOA for records in response.authority)
    absent = f"{chain.canonical_name.to_text(omit_final_dot=True)} does not exist (NXDOMAIN)"
    because = absent if response.rcode() == Rcode.NXDOMAIN else ""
    return _Read(Answer(because=because), chain.minimum_ttl if stated else 0.0)


def _records(rrset: dns.rrset.RRset) -> list[Record]:
    """As `sip.locate` has them, in the order of the message."""
    match rrset.rdtype:
        case RdataType.SRV:
            return [Srv(each.priority, each.weight, each.port, _name(each.target)) for each in rrset]
        case RdataType.NAPTR:
            return [
                Naptr(each.order, each.preference, _text(each.flags), _text(each.service), _name(each.replacement))
                for each in rrset
            ]
        case RdataType.TXT:
            return [_text(b"".join(each.strings)) for each in rrset]
    return [each.address for each in rrset]


def _name(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _text(characters: bytes) -> str:
    return characters.decode("latin-1")

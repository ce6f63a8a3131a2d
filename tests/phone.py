"""A telephone for tests: it rings, does what it is told, and writes down all it hears."""

from collections.abc import Callable

from tests.world import World
from voiceconnector.sip.hop import Hop
from voiceconnector.sip.message import Request, Response
from voiceconnector.sip.session import CONFIRMED, Session
from voiceconnector.sip.transaction import ClientTransaction, ServerTransaction

OFFER, ANSWER, NEW_OFFER, NEW_ANSWER = b"offer", b"answer", b"new offer", b"new answer"
SDP = "Content-Type: application/sdp\r\n"


def ring(session: Session, now: float) -> None:
    session.progress(180, "Ringing", now)


def pick_up(session: Session, now: float) -> None:
    session.accept(now, SDP, ANSWER)


class Phone:
    """The user of its sessions. `when_called` is what it does with a call, `when_asked` with a request in one."""

    def __init__(
        self, world: World, name: str, host: str, when_called: Callable[[Session, float], None] = ring
    ) -> None:
        self.world = world
        self.name = name
        self.stack = world.stack(name, Line(self), host)
        self.sessions: list[Session] = []
        self.heard: list[str] = []
        self.bodies: list[bytes] = []
        """Bodies heard, in order."""
        self.when_called = when_called
        self.when_asked: Callable[[Session, ServerTransaction, Request, float], None] = self.agree
        self.acknowledge_with: bytes | None = b""
        """Body of the ACK of a 2xx; None: no ACK until the test sends it."""

    @property
    def session(self) -> Session:
        return self.sessions[-1]

    @property
    def contact(self) -> str:
        return f"sip:{self.name}@{self.world.local(self.name).sent_by}"

    def call(self, other: str, now: float, headers: str = "", body: bytes = OFFER, hop: Hop | None = None) -> Session:
        """INVITE another node; `hop` where the way leads elsewhere first."""
        hop = hop or self.world.hop(self.name, other)
        headers = f"Max-Forwards: 70\r\n{SDP if body else ''}{headers}"
        session = Session.outgoing(
            self.stack,
            hop,
            f"sip:{other}@{hop.address[0]}",
            f"<sip:{self.name}@test>",
            f"<sip:{other}@test>",
            self.contact,
            headers,
            body,
            self,
            [],
            now,
        )
        self.sessions.append(session)
        return session

    def take_call(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        session = Session.incoming(self.stack, transaction, self.contact, self)
        self.sessions.append(session)
        self._hear("INVITE", request)
        refusal = session.propose_timer(request)
        if refusal:
            session.refuse(*refusal[:2], now, refusal[2])
        else:
            self.when_called(session, now)

    def agree(self, session: Session, transaction: ServerTransaction, request: Request, now: float) -> None:
        if request.method == "INVITE":
            session.accept(now, SDP, NEW_ANSWER if request.body else NEW_OFFER)
        else:
            session.answer(transaction, 200, "OK", now)

    # -- as the user of a session

    def on_progress(self, session: Session, response: Response, now: float) -> None:
        self._hear(str(response.status_code), response)

    def on_answer(self, session: Session, response: Response, now: float) -> None:
        self._hear("answered", response)
        if self.acknowledge_with is not None:
            session.acknowledge(now, self.acknowledge_with)

    def on_failure(self, session: Session, status_code: int, reason: str, now: float) -> None:
        self.heard.append(f"failed {status_code}")

    def on_ack(self, session: Session, request: Request, now: float) -> None:
        self._hear("ACK", request)

    def on_cancel(self, session: Session, request: Request, now: float) -> None:
        self._hear("CANCEL", request)

    def on_request(self, session: Session, transaction: ServerTransaction, request: Request, now: float) -> None:
        self._hear(f"re-{request.method}" if request.method == "INVITE" else request.method, request)
        self.when_asked(session, transaction, request, now)

    def on_reply(self, session: Session, transaction: ClientTransaction, response: Response, now: float) -> None:
        self._hear(f"{response.status_code} {response.method}", response)
        if response.method == "INVITE" and 200 <= response.status_code < 300 and self.acknowledge_with is not None:
            session.acknowledge(now, self.acknowledge_with)

    def on_no_reply(
        self, session: Session, transaction: ClientTransaction, status_code: int, why: str, now: float
    ) -> None:
        self.heard.append(f"no reply {status_code} {transaction.method}")

    def on_bye(self, session: Session, request: Request, now: float) -> None:
        self._hear("BYE", request)

    def on_lost(self, session: Session, why: str, now: float) -> None:
        self.heard.append("lost")

    def _hear(self, what: str, message: Request | Response) -> None:
        self.heard.append(what)
        if message.body:
            self.bodies.append(message.body)


class Line:
    """The phone's stack hands new requests to it."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        if request.method == "INVITE":
            self._phone.take_call(transaction, request, now)
        elif request.method == "OPTIONS":
            transaction.respond(200, "OK", now)
        else:
            transaction.respond(405, "Method Not Allowed", now)

    def on_overload(self, request: Request, hop: Hop, now: float) -> tuple[int, str, str] | None:
        return 503, "Service Unavailable", "Retry-After: 1\r\n"


def talk(alice: Phone, bob: Phone, headers: str = "") -> tuple[Session, Session]:
    """Set up a call at once, and forget how it came to be."""
    bob.when_called = pick_up
    session = alice.call(bob.name, alice.world.now, headers)
    alice.world.run(0.1)
    assert (session.state, bob.session.state) == (CONFIRMED, CONFIRMED)
    alice.world.ladder.clear()
    for phone in (alice, bob):
        phone.heard.clear()
        phone.bodies.clear()
    return session, bob.session

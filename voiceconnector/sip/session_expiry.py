"""The session timer of one dialog: agreeing on it, refreshing the session, ending what nobody refreshes.

RFC 4028, with `session_timer` for what its headers and tables say. Refreshes go as UPDATE where the peer
allows that, else as re-INVITE with the description we sent last. A refresh that is refused is tried again until
the session expires.
"""

from typing import TYPE_CHECKING

from .grammar import ParseError
from .message import Request, Response
from .session_timer import (
    Accepted,
    SessionExpires,
    SessionTimer,
    TooSmall,
    decide_as_uac,
    decide_as_uas,
    parse_min_se,
    raise_to,
)
from .timers import Timer
from .transaction import ClientTransaction

if TYPE_CHECKING:
    from .session import Session


class SessionExpiry:
    """Made when either side first speaks of a session timer; `Session` asks it along the way."""

    __slots__ = ("_answer", "_asked", "_min_se", "_refresh", "_running", "_session", "_timer", "peer_updates")

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._timer: SessionTimer | None = None
        """What is agreed on, None while the session does not expire."""
        self._running: tuple[Timer, ...] = ()
        self._answer = Accepted()
        """What the next 2xx of ours says."""
        self._asked: SessionExpires | None = None
        """What our last INVITE or UPDATE said."""
        self._min_se = 0
        """Shortest interval the peer has told us, in seconds."""
        self._refresh: ClientTransaction | None = None
        self.peer_updates = False
        """Whether the peer's Allow has UPDATE."""

    def note_allow(self, message: Request | Response) -> None:
        if "allow" in message.headers:
            self.peer_updates = "update" in message.tokens("allow")

    # -- as the UAS of an INVITE or UPDATE

    def propose(self, request: Request) -> tuple[int, str, str] | None:
        """Decide how a 2xx would answer the request; status, reason and lines to refuse it with, or None."""
        self.note_allow(request)
        running = self._timer
        try:
            value, minimum = request.header("session-expires"), request.header("min-se")
            answer = decide_as_uas(
                "timer" in request.tokens("supported") | request.tokens("require"),
                SessionExpires.parse(value) if value else None,
                parse_min_se(minimum) if minimum else None,
                shortest=self._session.min_se,
                wanted=running.interval if running else self._session.session_interval,
                we_refresh=running is not None and running.we_refresh,
            )
        except ParseError as error:
            return error.status_code, error.reason_phrase, ""
        if isinstance(answer, TooSmall):
            return 422, "Session Interval Too Small", f"Min-SE: {answer.min_se}\r\n"
        self._answer = answer
        return None

    def agree(self, now: float) -> str:
        """A 2xx to that request goes out: start the timer; the header lines that say so."""
        answer = self._answer
        self._run(answer.timer, now)
        require = "Require: timer\r\n" if answer.require_timer else ""
        return f"{require}Session-Expires: {answer.session_expires}\r\n" if answer.session_expires else ""

    # -- as the UAC

    def ask(self) -> str:
        """Header lines for an INVITE or UPDATE of ours, so that what is agreed on stays (7.4)."""
        self._asked = raise_to(self._timer.offer(), self._min_se) if self._timer else None
        if self._asked is None:
            return ""
        minimum = f"Min-SE: {self._min_se}\r\n" if self._min_se else ""
        return f"Supported: timer\r\nSession-Expires: {self._asked}\r\n{minimum}"

    def take(self, response: Response, now: float) -> None:
        """A 2xx to an INVITE or UPDATE of ours says what is agreed on: 7.2."""
        self.note_allow(response)
        value = response.header("session-expires")
        try:
            answered = SessionExpires.parse(value) if value else None
        except ParseError:
            answered = None
        self._run(decide_as_uac(self._asked, answered), now)

    def is_refresh(self, transaction: ClientTransaction) -> bool:
        return transaction is self._refresh

    def refreshed(self, response: Response, now: float) -> None:
        """The final response to a refresh. A 2xx has been given to `take`."""
        self._refresh = None
        if response.status_code < 300 or self._timer is None:
            return
        if response.status_code in (405, 501) and response.method == "UPDATE":
            self.peer_updates = False
            self._send_refresh(now)
        elif response.status_code == 422 and self._is_raised_by(response):
            self._send_refresh(now)
        else:
            self._try_again(now)

    def _is_raised_by(self, response: Response) -> bool:
        """Note the Min-SE of a 422: 7.3. False where it asks for no more than we did."""
        try:
            self._min_se = parse_min_se(response.headers["min-se"][0])
        except (KeyError, ParseError):
            return False
        return self._asked is not None and self._asked.interval < self._min_se

    # -- time

    def on_timer(self, name: str, now: float) -> None:
        assert self._timer
        self._session.stack.in_hand = self._session
        if name == "session expired":
            self._session.lose(f"no refresh of the session within its {self._timer.interval} s", now)
        elif self._session.busy or self._refresh:
            self._try_again(now)
        else:
            self._send_refresh(now)

    def stop(self) -> None:
        for timer in self._running:
            timer.stop()
        self._running = ()

    def _run(self, timer: SessionTimer | None, now: float) -> None:
        self.stop()
        self._timer = timer
        if timer:
            start = self._session.stack.timers.start
            self._running = (start(timer.expires_at(0.0), self, "session expired", now),)
            if timer.we_refresh:
                self._running += (start(timer.refresh_at(0.0), self, "refresh session", now),)

    def _send_refresh(self, now: float) -> None:
        session = self._session
        if self.peer_updates:
            self._refresh = session.send("UPDATE", now)
        else:
            typed = "Content-Type: application/sdp\r\n" if session.body else ""
            self._refresh = session.send("INVITE", now, typed, session.body)

    def _try_again(self, now: float) -> None:
        """Glare, or a peer that would not: there is time until the session expires. 14.1 wants chance in it."""
        assert self._timer
        delay = 2.1 + self._session.stack.ids.number(32) % 190 / 100 + self._timer.interval / 16
        self._running += (self._session.stack.timers.start(delay, self, "refresh session", now),)

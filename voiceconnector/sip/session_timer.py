"""Session timers, RFC 4028: what the headers say, what either side decides, when to refresh and to end.

Pure functions over plain values; the owner of the dialog keeps the clock. Intervals are in seconds. The
proxy's part (section 8) is left out: both legs of a call end here, in a UAS and a UAC.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from .grammar import ParseError, parse_parameters, read_number

SHORTEST = 90
"""No Session-Expires or Min-SE may be below this: RFC 4028 4 and 5."""

_DELTA = re.compile(r"(\d+)[ \t]*(;.*)?", re.DOTALL)
_LONGEST = 2**32 - 1


class Refresher(StrEnum):
    """Who refreshes, named by its part in the request that the header belongs to."""

    UAC = "uac"
    UAS = "uas"


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """RFC 4028 4. `str` gives the header value."""

    interval: int
    refresher: Refresher | None = None

    @classmethod
    def parse(cls, value: str) -> "SessionExpires":
        """Raises ParseError (400). Intervals that no clock will see become the longest of RFC 3261 25.1."""
        interval, parameters = _read_delta(value, "Session-Expires")
        named = parameters.get("refresher")
        if named is None:
            return cls(interval)
        try:
            return cls(interval, Refresher(named.lower()))
        except ValueError:
            raise ParseError(f"refresher {named!r} is neither uac nor uas", "Session-Expires", "RFC 4028 4") from None

    def __str__(self) -> str:
        return f"{self.interval};refresher={self.refresher}" if self.refresher else str(self.interval)


def parse_min_se(value: str) -> int:
    """RFC 4028 5. Raises ParseError (400)."""
    return _read_delta(value, "Min-SE")[0]


@dataclass(frozen=True, slots=True)
class SessionTimer:
    """An agreed session interval, as one side of the dialog sees it: RFC 4028 10."""

    interval: int
    we_refresh: bool

    def refresh_at(self, agreed: float) -> float:
        """When the refresher sends its next re-INVITE or UPDATE, for a 2xx sent or received at `agreed`."""
        return agreed + self.interval / 2

    def expires_at(self, agreed: float) -> float:
        """When to send BYE unless a refresh has succeeded since: the lesser of 32 s and a third early."""
        return agreed + self.interval - min(32, self.interval / 3)

    def offer(self) -> SessionExpires:
        """What our refresh request carries, so that the parts stay as they are: RFC 4028 7.4."""
        return SessionExpires(self.interval, Refresher.UAC if self.we_refresh else Refresher.UAS)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a 2xx carries, and the timer that starts with it. All empty: no session timer."""

    session_expires: SessionExpires | None = None
    require_timer: bool = False
    timer: SessionTimer | None = None


@dataclass(frozen=True, slots=True)
class TooSmall:
    """Answer 422 Session Interval Too Small with this Min-SE: RFC 4028 6."""

    min_se: int


def decide_as_uas(
    supported: bool,
    asked: SessionExpires | None,
    min_se: int | None = None,
    *,
    shortest: int = SHORTEST,
    wanted: int | None = None,
    we_refresh: bool = False,
) -> Accepted | TooSmall:
    """How to answer a session refresh request, RFC 4028 9 with its Table 2.

    `supported`: whether the request's Supported (or Require) has `timer`; `asked`, `min_se`: its headers.
    Ours: `shortest`, the least interval we let a peer set; `wanted`, the interval asked for where the
    request names none, None for none; `we_refresh`, who refreshes where the choice is ours.
    """
    if asked is None:
        if wanted is None or not supported:
            return Accepted()
        interval = max(wanted, min_se or 0, SHORTEST)
        return _accept(interval, Refresher.UAS if we_refresh else Refresher.UAC, supported)
    if asked.interval < max(shortest, SHORTEST):
        # 422 is only for peers that know it; others never asked, a proxy on the path did (8.1).
        return TooSmall(max(shortest, SHORTEST)) if supported else Accepted()
    if not supported:
        return _accept(asked.interval, Refresher.UAS, supported)
    ours = Refresher.UAS if we_refresh else Refresher.UAC
    return _accept(asked.interval, asked.refresher or ours, supported)


def decide_as_uac(asked: SessionExpires | None, answered: SessionExpires | None) -> SessionTimer | None:
    """The timer that a 2xx starts, from the Session-Expires of the request and of the 2xx: RFC 4028 7.2.

    None: the session does not expire, even if it did so far. A peer that does not know session timers
    leaves the refreshing to us; so does one that forgets to say who refreshes.
    """
    agreed = answered or asked
    if agreed is None:
        return None
    return SessionTimer(max(agreed.interval, SHORTEST), answered is None or answered.refresher != Refresher.UAS)


def raise_to(asked: SessionExpires, min_se: int) -> SessionExpires:
    """What to ask for after a 422 with this Min-SE (which the next request repeats): RFC 4028 7.3."""
    return SessionExpires(max(asked.interval, min_se), asked.refresher)


def _accept(interval: int, refresher: Refresher, supported: bool) -> Accepted:
    # Require where the peer has a part to play: it refreshes, or it ends what nobody refreshes (9).
    return Accepted(SessionExpires(interval, refresher), supported, SessionTimer(interval, refresher is Refresher.UAS))


def _read_delta(value: str, where: str) -> tuple[int, dict[str, str | None]]:
    match = _DELTA.fullmatch(value.strip())
    seconds = read_number(match[1]) if match else None
    if match is None or seconds is None:
        raise ParseError(f"{value[:40]!r} does not begin with seconds", where, "RFC 4028 4")
    return min(seconds, _LONGEST), parse_parameters(match[2] or "", where)

"""A call attempt as plain facts, and what was decided on it: what goes into admission and what comes out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from .decisions import Decision, Outcome
from .model import VoiceConnector

Transport = Literal["UDP", "TCP", "TLS"]
AuthenticationResult = Literal["ok", "missing", "wrong", "unknown user", "stale", "replayed"]


@dataclass(frozen=True, slots=True)
class CallAttempt:
    """The facts of an initial request that the checks look at, taken from SIP."""

    host: str
    """Host of the Request-URI, without port or brackets."""
    transport: Transport
    source_address: str
    """IP address the request came from, without brackets or zone."""
    region: str
    """AWS Region of the listener it came to."""
    called_user: str = ""
    """User part of the Request-URI, as it was sent."""
    from_user: str = ""
    """User part of the From URI, as it was sent."""
    asserted_user: str = ""
    """User part of the first P-Asserted-Identity (RFC 3325); empty without that header."""
    addressed_to_listener: bool = False
    """Whether the host of the Request-URI is the listener's own address."""


@dataclass(frozen=True, slots=True)
class Authentication:
    """What came of looking at a request's digest answer."""

    result: AuthenticationResult
    username: str = ""
    """The user name that the request gave, known or not."""


class Authenticator(Protocol):
    """Looks at the digest answer of the one request that it was made for."""

    def verify(self, credentials: Mapping[str, str], realm: str, /) -> Authentication:
        """Check the answer against these users, user name to password, of a realm (RFC 7616 3.3)."""


@dataclass(frozen=True, slots=True)
class Admission:
    """What was decided, and everything the call needs that was found out on the way there.

    What later checks would have found out about a refused call is empty.
    """

    decision: Decision
    connector: VoiceConnector | None = None
    """As it was configured at that moment; None where the request named none."""
    authentication: Authentication | None = None
    """None where digest was not asked for."""
    called: str = ""
    """E.164 number to call."""
    caller: str = ""
    """E.164 number to present to the called party."""
    destination_country: str = ""
    """ISO 3166-1 alpha-2; empty for a number that belongs to no country."""
    past_source_checks: bool = False
    """Whether the request was for a connector, and came from where its calls may come from."""
    counts: bool = True
    """Whether an admitted call is among the active ones until it ends."""

    @property
    def sip_auth_user(self) -> str:
        """The user name that digest proved; empty without one."""
        proved = self.authentication is not None and self.authentication.result == "ok"
        return self.authentication.username if self.authentication is not None and proved else ""

    @property
    def owes_record(self) -> bool:
        """Whether the attempt gets a call record: a challenge waits for its answer."""
        return self.past_source_checks and self.decision.outcome is not Outcome.CHALLENGE

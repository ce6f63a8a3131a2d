"""A decision as a value that explains itself.

The same value makes the SIP answer, the log line, the record's StatusMessage and the `explain` page, so a
user never reads four different accounts of one refusal.
"""

import re
from dataclasses import dataclass
from enum import Enum

WARNING_TEXT_MAX = 300
"""Characters of a warning text: a refusal stays well below the 1300 bytes of a UDP message."""

_not_in_reason_phrase = re.compile(r'["<>\[\]\\^`{|}]')


class Outcome(Enum):
    """What is done with a call attempt."""

    ADMIT = "admitted"
    CHALLENGE = "challenged"
    REJECT = "rejected"
    DROP = "dropped"
    """Not answered at all, where the profile says so."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided on a call attempt, by which check, and why."""

    outcome: Outcome
    check: str
    """Name of the check, as `explain` lists it: "source address"."""
    because: str
    """One plain sentence with the facts: "192.0.2.7 is in none of the allowed networks (10.0.0.0/8)"."""
    setting: str
    """The setting that governs the check: "Termination.CidrAllowedList", or "profile.<key>"."""
    source: str
    """Where the rule comes from: "guide p. 61", "RFC 3261 8.2.2.1", or "profile" where nothing is public."""
    remedy: str = ""
    """What to change, on the PBX or on the connector, for the call to pass."""
    status_code: int = 0
    """SIP status code of the answer; 0 when admitted or dropped."""
    reason_phrase: str = ""
    """SIP reason phrase; also the record's StatusMessage."""
    retry_after: int | None = None
    """Seconds for a Retry-After header, where the answer carries one."""

    def warning(self, host: str) -> str:
        """The value of a Warning header that says what was decided, and by which setting.

        `host` is the agent that warns; 399 is the code for any other warning (RFC 3261 20.43).
        """
        text = f"{self.because} ({self.setting})" if self.setting else self.because
        if len(text) > WARNING_TEXT_MAX:
            text = text[: WARNING_TEXT_MAX - 1] + "…"
        text = _printable(text).replace("\\", "\\\\").replace('"', '\\"')
        return f'399 {host} "{text}"'


def shown(text: str, limit: int = 64) -> str:
    """What a peer sent, cut to `limit` characters and fit for a reason phrase (RFC 3261 25.1)."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return _printable(_not_in_reason_phrase.sub("?", text))


def listed(items: tuple[str, ...], limit: int = 5) -> str:
    """Items for a sentence, those beyond `limit` only counted: "10.0.0.0/8, 192.0.2.7 and 3 more"."""
    if len(items) <= limit:
        return ", ".join(items)
    return f"{', '.join(items[:limit])} and {len(items) - limit} more"


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)

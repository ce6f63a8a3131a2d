"""What is asked for under `/emulator/calls`: a call from the PSTN to a number of the trunk, and what to keep of one."""

from typing import NamedTuple

from voiceconnector.trunk.shapes import phone_number
from voiceconnector.trunk.tables import Table, boolean, number, text

CALLER = "+13125550199"
"""Who calls where nobody is named; a number of fiction."""
DURATION = 5.0
"""Seconds."""


class CallOrder(NamedTuple):
    """A call to be placed."""

    to: str
    """E.164 number of the trunk."""
    from_: str
    """E.164 number that calls."""
    duration: float
    """Seconds from the answer to the end."""
    play: str
    """Path of a WAV file to be played; "" for a tone."""


class CannotCall(Exception):
    """A call cannot be placed; the text says why and what to do."""

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code
        """HTTP status code: 400 for the order, 404 for its number, 503 for the emulator."""


def call_order(entries: object) -> CallOrder:
    """Read an order from JSON. Raises ShapeError."""
    table = Table(entries, "", ("To", "From", "DurationSeconds", "Play"))
    return CallOrder(
        table.required("To", phone_number),
        table.get("From", phone_number, CALLER),
        table.get("DurationSeconds", number(0, 86400), DURATION),
        table.get("Play", text, ""),
    )


def keep_order(entries: object) -> bool:
    """Whether something is to be kept of a call, from JSON. Raises ShapeError."""
    return Table(entries, "", ("Enabled",)).get("Enabled", boolean, True)

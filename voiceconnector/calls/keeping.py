"""What is kept of a call's media: packets for its packet capture, and a recording of each leg.

Files lie in a folder of the call, `captures/<TransactionId>/` and `recordings/<TransactionId>/`, one for each
side of the trunk: `customer` and `remote`, as in AWS's names of the directions. Packets that are kept again after
a pause go on in the same file; a recording that begins again has another, `customer-2`.
"""

from typing import Literal, NamedTuple

from voiceconnector.media.negotiation import Leg
from voiceconnector.media.plan import Capture, Record, Sink

from .roles import Roles

What = Literal["capture", "record"]
NAMES: dict[str, str] = {"capture": "packets", "record": "recordings of each side"}
CAPTURES, RECORDINGS = "captures", "recordings"
"""Folders in the data directory."""
PACKETS, AUDIO = "rtp", "wav"
"""Suffixes of the files: `media.capture`'s format, and WAV."""


class Keeping(NamedTuple):
    """What is to be kept of a call from now on."""

    folder: str
    """The data directory; absolute, as the relay is another process."""
    capture: bool = False
    record: bool = False
    recordings: int = 1
    """How often recording has begun, or would have; each has files of its own."""

    def changed(self, what: What, enabled: bool) -> "Keeping":
        """The same, but for this."""
        if what == "capture":
            return self._replace(capture=enabled)
        begins_again = self.record and not enabled
        return self._replace(record=enabled, recordings=self.recordings + begins_again)

    def sinks(self, aws_transaction_id: str, roles: Roles, leg: Leg) -> tuple[Sink, ...]:
        """The sinks of a leg's stream that keep it."""
        side = side_of(leg, roles)
        sinks: tuple[Sink, ...] = ()
        if self.capture:
            sinks += (Capture(f"{self.folder}/{CAPTURES}/{aws_transaction_id}/{side}.{PACKETS}"),)
        if self.record:
            sinks += (
                Record(f"{self.folder}/{RECORDINGS}/{aws_transaction_id}/{side}{part_of(self.recordings)}.{AUDIO}"),
            )
        return sinks


NOTHING = Keeping("")


def part_of(recording: int) -> str:
    """What the names of a recording's files end in: "", "-2", "-3" and so on."""
    return "" if recording == 1 else f"-{recording}"


def side_of(leg: Leg, roles: Roles) -> str:
    """Who is on a leg, as its files are called."""
    return "customer" if leg == roles.customer else "remote"

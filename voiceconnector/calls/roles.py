"""Who is who in a call: leg a called and leg b was called; one of them is the customer's PBX, the other the PSTN."""

from typing import Literal, NamedTuple

from voiceconnector.media.negotiation import Leg

PSTN = "pstn"
"""Name of the listeners at the carrier's side of the trunk; all others are a Region's, and a customer's."""
PARTY: dict[Leg, str] = {"a": "The caller", "b": "The called side"}
"""The legs as sentences begin with them, whatever the direction."""


class Roles(NamedTuple):
    """The two sides of a call of one direction."""

    direction: Literal["Outbound", "Inbound"]
    """Outbound: customer to PSTN."""
    customer: Leg
    pstn: Leg
    party: dict[str, str]
    """Who is on a leg, in the middle of a sentence."""
    counters: dict[str, tuple[str, str]]
    """AWS's names of the directions of media, from a leg's party and to it."""


_PBX, _PSTN = "the PBX", "the PSTN side"
_PBX_COUNTERS, _PSTN_COUNTERS = ("cust2vc", "vc2cust"), ("rem2vc", "vc2rem")

OUTBOUND = Roles("Outbound", "a", "b", {"a": _PBX, "b": _PSTN}, {"a": _PBX_COUNTERS, "b": _PSTN_COUNTERS})
INBOUND = Roles("Inbound", "b", "a", {"a": _PSTN, "b": _PBX}, {"a": _PSTN_COUNTERS, "b": _PBX_COUNTERS})

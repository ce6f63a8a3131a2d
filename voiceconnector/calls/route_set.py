"""Whether a PBX keeps to the route set of an inbound call, in sentences, read from the messages of the call.

The INVITE has a Record-Route of the edge and, on the real service, a Contact that only the edge can reach. A PBX
that sends its ACK or BYE to the Contact (RFC 3261 12.1.1, 12.2.1.1) is never heard: what one sees of it is a call
that stays up after the PBX has hung up, or falls after 32 s. Pure functions; nothing here costs a call anything.
"""

from collections.abc import Iterator

from voiceconnector.sip.grammar import ParseError
from voiceconnector.sip.hop import Hop
from voiceconnector.sip.message import Request, Response, parse
from voiceconnector.trunk.decisions import shown
from voiceconnector.trunk.profile import Profile

from .history import CallHistory
from .roles import INBOUND, PSTN

_REMEDY = (
    "Let the PBX use the route set (Record-Route of the INVITE), not the Contact; on an SBC, look for a setting "
    'that ignores Record-Route, or rewrites Contact for NAT ("fix contact", "nat=yes")'
)


def departures(call: CallHistory, profile: Profile) -> list[str]:
    """Where the PBX left the route set, and what that does; empty for a PBX that keeps to it."""
    if call.roles is not INBOUND:
        return []
    found = [*_seen(call, profile), *_inferred(call, profile)]
    return [*found, f"{_REMEDY}."] if found else []


def _seen(call: CallHistory, profile: Profile) -> Iterator[str]:
    """What the messages of the PBX show."""
    told: set[str] = set()
    for hop, message in _received(call):
        if isinstance(message, Response):
            answer = message.method == "INVITE" and 200 <= message.status_code < 300
            if answer and "record-route" not in message.headers and "answer" not in told:
                told.add("answer")
                yield (
                    f"The PBX at {hop} answered without the Record-Route of the INVITE, which it has to copy into its "
                    f"200 (RFC 3261 12.1.1): its ACK and BYE will go to the Contact, {_where(profile)}."
                )
        elif message.to_tag and "route" not in message.headers and message.method not in {"CANCEL", *told}:
            told.add(message.method)
            yield (
                f"The PBX at {hop} sent {shown(message.method, 20)} without Route, straight to the Contact (RFC 3261 "
                "12.2.1.1): it arrived here, and would not at the real service, whose Contact is private."
            )


def _inferred(call: CallHistory, profile: Profile) -> Iterator[str]:
    """What can only have happened out of our sight."""
    if not profile.private_contact:
        return
    if any("no ACK for" in sentence for _, sentence in call.notes):
        yield (
            "No ACK of the PBX came for 32 s: it has probably sent it to the private Contact of the trunk, "
            f"{_where(profile)}, where it was lost."
        )
    for hop, message in _received(call):
        if isinstance(message, Response) and message.status_code == 481 and message.method in ("BYE", "OPTIONS"):
            yield (
                f"The PBX at {hop} did not know the call any more when {message.method} came (481): it had hung up "
                f"before, and its BYE probably went to the private Contact, {_where(profile)}, where it was lost."
            )
            return


def _where(profile: Profile) -> str:
    if profile.private_contact:
        return f"the private address {profile.private_hop} that nothing reaches"
    return "which can be reached in this profile only, and is private at the real service"


def _received(call: CallHistory) -> Iterator[tuple[Hop, Request | Response]]:
    """Messages that came from the PBXs, by whatever connection."""
    for _, hop, sent, data in call.log:
        if not sent and hop.local.name != PSTN:
            try:
                yield hop, parse(data)
            except ParseError:
                continue

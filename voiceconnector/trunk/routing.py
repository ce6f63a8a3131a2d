"""Where a call from the PSTN goes: which Voice Connectors serve a number, and their routes in the order of being tried.

Guide p. 61: routes are tried in priority order, 1 first; routes of one priority share the calls by weight. When
all of one priority have failed, the next one's turn comes, and after the last the next connector of the group.
What a failure is, the guide does not say: `moves_on` has the emulator's answer. Pure functions; randomness is an
argument. Looking up host names and sending are not done here.
"""

from collections.abc import Callable, Iterable, Sequence

from .admission import Finding
from .attempts import Admission
from .decisions import Decision, Outcome, listed, shown
from .model import OriginationRoute, PhoneNumber, Snapshot, VoiceConnector
from .numbers import e164, why_not_e164
from .profile import Profile

Below = Callable[[int], int]
"""A random whole number from 0 up to its argument, without that."""
RegionAvailable = Callable[[str], bool]

GUIDE = "guide p. 61"
REPORTED_TARGETS = 3
"""Targets named in the reason of a call that none of them took; `explain` has all."""

_FINAL_5XX = {501, 505}
"""5xx answers that say something of the request and not of the server."""


def in_order(routes: Iterable[OriginationRoute], below: Below) -> tuple[OriginationRoute, ...]:
    """All routes in the order of being tried.

    Within a priority each place goes to one of those left with a probability in proportion to its weight, as
    RFC 2782 does it for SRV records.
    """
    tiers: dict[int, list[OriginationRoute]] = {}
    for route in routes:
        tiers.setdefault(route.priority, []).append(route)
    ordered: list[OriginationRoute] = []
    for priority in sorted(tiers):
        tier = tiers[priority]
        while len(tier) > 1:
            ordered.append(tier.pop(_picked(tier, below)))
        ordered += tier
    return tuple(ordered)


def _picked(tier: Sequence[OriginationRoute], below: Below) -> int:
    """The index of the route whose part of the sum of weights a random number falls into."""
    number = below(sum(route.weight for route in tier))
    for index, route in enumerate(tier):
        number -= route.weight
        if number < 0:
            return index
    raise AssertionError("the number is below the sum")


def moves_on(status_code: int) -> bool:
    """Whether a final answer of one route makes the call try the next."""
    return status_code == 408 or (500 <= status_code < 600 and status_code not in _FINAL_5XX)


# -- why a call from the PSTN reaches nobody


def unassigned(user: str, snapshot: Snapshot, profile: Profile) -> Decision:
    """The called number belongs to no connector: it is none, was deleted, or is just not assigned."""
    number = e164(user)
    if number in snapshot.deletion_queue:
        return _refusal(
            "number",
            profile.deleted_number_status,
            f"{number} Is in the Deletion Queue",
            because=f"{number} was deleted, and waits in the deletion queue, where it takes no calls",
            setting="profile.deleted_number_status",
            remedy="Restore the phone number and associate it with a Voice Connector",
            source="guide p. 59",
        )
    if number in snapshot.expected:
        return _refusal(
            "number",
            profile.unassigned_number_status,
            "Not Found: the number is not in service yet",
            because=f"{number} is {snapshot.all(PhoneNumber)[number].progress}, so it is not in service yet",
            setting="PhoneNumberOrder.Status",
            remedy="Wait until its order is fulfilled; GetPhoneNumber shows that",
            source="guide p. 54",
        )
    if not number:
        because = f'the called number "{shown(user)}" {why_not_e164(user)}'
    else:
        because = f"{number} is a number of no Voice Connector; there are {listed(tuple(snapshot.by_phone_number), 3)}"
        because = because if snapshot.by_phone_number else f"no Voice Connector has a phone number, so not {number}"
    return _refusal(
        "number",
        profile.unassigned_number_status,
        "Not Found: the number is not assigned",
        because=because,
        setting="PhoneNumbers",
        remedy="Associate the number with a Voice Connector, or call one of its numbers, as +E.164",
        source="guide p. 63",
    )


def obstacle(connector: VoiceConnector, region_available: RegionAvailable, profile: Profile) -> Decision | None:
    """What keeps a connector from taking any call from the PSTN; None: it may try its routes."""
    origination, id_ = connector.origination, connector.voice_connector_id
    if origination is None or origination.disabled or not origination.routes:
        if origination is None:
            because, remedy = (
                f"origination of {id_} was never configured",
                "Configure an Origination with a route to the PBX",
            )
        elif origination.disabled:
            because, remedy = f"origination of {id_} is disabled", "Set Origination.Disabled to false"
        else:
            because, remedy = f"origination of {id_} has no route", "Add a route with the address of the PBX"
        return _refusal(
            "origination",
            profile.origination_disabled_status,
            "Temporarily Unavailable: no origination",
            because=because,
            setting="Origination",
            remedy=remedy,
            source=GUIDE,
        )
    if not region_available(connector.aws_region):
        return _refusal(
            "Region",
            profile.region_down_status,
            f"Service Unavailable: {connector.aws_region} is down",
            because=f"{connector.aws_region}, the Region of {id_}, is down",
            setting="profile.region_down_status",
            remedy="Bring the Region up again, or put the number into a group with a connector of another Region",
            source="guide p. 66",
        )
    return None


def all_failed(tried: Sequence[str], profile: Profile) -> Decision:
    """No route took the call. `tried`: each target and what became of it, in words, in order."""
    count = len(tried)
    which = f"the only route of the number failed: {tried[0]}" if count == 1 else f"all {count} targets failed"
    if count > 1:
        which += f": {'; '.join(tried[:REPORTED_TARGETS])}"
        which += f"; and {count - REPORTED_TARGETS} more" if count > REPORTED_TARGETS else ""
    return _refusal(
        "routes",
        profile.routes_failed_status,
        f"Service Unavailable: {count} of {count} targets failed" if count > 1 else "Service Unavailable: no answer",
        because=which,
        setting="Origination.Routes",
        remedy="Look whether the PBX listens at the address, port and protocol of each route, and lets the trunk in",
        source=GUIDE,
    )


def _refusal(
    check: str, status_code: int, reason_phrase: str, *, because: str, setting: str, remedy: str, source: str
) -> Decision:
    return Decision(Outcome.REJECT, check, because, setting, source, remedy, status_code, reason_phrase)


# -- the same in sentences afterwards


def explain_inbound(admission: Admission) -> list[Finding]:
    """What was looked at for a call from the PSTN, in order, up to what decided."""
    decision = admission.decision
    findings: list[Finding] = []
    for check, sentence in _passed(admission):
        if check == decision.check:
            break
        findings.append(Finding(check, "passed", sentence))
    if decision.outcome is not Outcome.ADMIT:
        findings.append(Finding(decision.check, decision.outcome.value, decision.because))
    return findings


def _passed(admission: Admission) -> list[tuple[str, str]]:
    connector = admission.connector
    if connector is None:
        return []
    routes = len(connector.origination.routes) if connector.origination else 0
    return [
        ("number", f'{admission.called} leads to Voice Connector {connector.voice_connector_id} ("{connector.name}")'),
        ("origination", f"origination is enabled, with {routes} route{'s' * (routes != 1)}"),
        ("Region", f"{connector.aws_region} is up"),
        (
            "active calls",
            "the quota of active calls was not reached" if admission.counts else "it does not count as active",
        ),
    ]

"""Media of Regions that are out of reach: a relay in front of the relay that keeps their packets from getting through.

Plans of calls on a muted media address are applied without receiving, sending, sinks and sources, and as they
are once the address is heard again. Packets that come meanwhile are counted by the relay and go nowhere, RTCP
too. Regions that share a media address are muted together.
"""

from typing import Protocol

from .plan import MediaPlan, PortPair


class PlanRunner(Protocol):
    """The relay behind it."""

    def allocate(self, media_address: str) -> PortPair | None: ...
    def why_none(self, media_address: str) -> str: ...
    def apply(self, call: int, plan: MediaPlan) -> None: ...
    def release(self, call: int, pairs: tuple[PortPair, ...]) -> None: ...


class MutableRelay:
    """A relay whose media addresses can be muted."""

    def __init__(self, relay: PlanRunner) -> None:
        self._relay = relay
        self._plans: dict[int, MediaPlan] = {}
        self._muted: set[str] = set()

    def allocate(self, media_address: str) -> PortPair | None:
        return self._relay.allocate(media_address)

    def why_none(self, media_address: str) -> str:
        return self._relay.why_none(media_address)

    def apply(self, call: int, plan: MediaPlan) -> None:
        self._plans[call] = plan
        self._relay.apply(call, self._heard(plan) if self._muted else plan)

    def release(self, call: int, pairs: tuple[PortPair, ...]) -> None:
        self._plans.pop(call, None)
        self._relay.release(call, pairs)

    def mute(self, media_address: str, muted: bool) -> None:
        """Let no packet through a media address from now on, or let them through again."""
        (self._muted.add if muted else self._muted.discard)(media_address)
        for call, plan in self._plans.items():
            if _is_on(plan, {media_address}):
                self._relay.apply(call, self._heard(plan))

    def _heard(self, plan: MediaPlan) -> MediaPlan:
        """The plan as it is to be run now."""
        return plan.silent() if _is_on(plan, self._muted) else plan


def _is_on(plan: MediaPlan, media_addresses: set[str]) -> bool:
    return any(stream.pair.address in media_addresses for stream in plan.streams)

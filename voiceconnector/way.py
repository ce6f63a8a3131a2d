"""The way from the service to the emulated public network, and which listener of a Region can take it."""

from collections.abc import Callable, Iterable, Mapping

from .calls.roles import PSTN
from .calls.termination import NextHop
from .config import PstnRoute
from .listeners import is_ipv6
from .pstn.behaviours import Route, Routing, behaviour
from .sip.hop import Hop, Local, host_port
from .sip.uri import SipUri
from .trunk.model import Snapshot

PHONES = "phones"
"""Name of the listeners of the public network's own phones."""


class Way:
    """The way to the public network: its phones, a SIP peer of the user's, or back in to a number of the trunk."""

    def __init__(self, routing: Routing, media_addresses: Mapping[str, str], snapshot: Callable[[], Snapshot]) -> None:
        self._routing = routing
        self._media_addresses = media_addresses
        self._snapshot = snapshot
        self.locals: Mapping[tuple[str, str], Local] = {}
        """The service's listeners."""
        self.phones: Local | None = None
        """The public network's."""

    def next_hop(self, called: str, region: str) -> NextHop:
        assert self.phones
        transport, address = "UDP", (self.phones.host, self.phones.port)
        if self._snapshot().inbound(called):
            local = self.locals[PSTN, "UDP"]
            address = (local.host, local.port)
        elif (target := self._routing.route(called).target) is not None:
            transport, address = target.transport, target.address
        name = self._listener(region, address[0])
        return NextHop(Hop(self.locals[name, transport], address), host_port(*address), self._media_addresses[name])

    def media_address(self, region: str) -> str:
        return self._media_addresses[self._listener(region, self.locals[PSTN, "UDP"].host)]

    def _listener(self, region: str, far_host: str) -> str:
        """The name of the Region's listener that can reach a host outside."""
        return region if is_ipv6(far_host) == is_ipv6(self.locals[region, "UDP"].host) else outward(region)


def outward(region: str) -> str:
    """The name of the listener for the far side where that is of the other IP version than the Region's."""
    return f"{region} to PSTN"


def routing_of(routes: Iterable[PstnRoute]) -> Routing:
    """What becomes of calls to the public network, as it is configured."""
    return Routing([_route(route) for route in routes])


def _route(route: PstnRoute) -> Route:
    named = behaviour(
        route.behaviour,
        ring_seconds=route.ring_seconds,
        hang_up_after=route.hangup_after_seconds,
        play=str(route.play) if route.play else None,
        tone_hz=int(route.tone_hz) if route.behaviour == "tone" else None,
        digits=route.digits or None,
    )
    return Route(route.match, named, SipUri.parse(route.target) if route.target else None)

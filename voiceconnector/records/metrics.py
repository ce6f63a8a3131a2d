"""Metrics of the service (guide p. 22-27), counted from events, as Prometheus reads them.

The guide's names stand as they are, with its dimensions VoiceConnectorId and Region as labels; next to them what
only the emulator knows, under names of its own. Left out: codes of SIP responses and figures of media.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric, UntypedMetricFamily
from prometheus_client.registry import Collector

from voiceconnector.calls.events import (
    AttemptRefused,
    CallAnswered,
    CallEnded,
    CallEvent,
    CallMoved,
    CallStarted,
    RouteFailed,
)

COUNTS = {
    f"{direction}Call{what}": f"{direction} calls {meaning}, since start"
    for direction in ("Inbound", "Outbound")
    for what, meaning in (("Attempts", "attempted"), ("Failures", "that failed"), ("sAnswered", "answered"))
} | {"Throttles": "calls beyond a limit of the account, since start"}
"""The guide's counts, and what they mean."""

THROTTLING_CHECKS = ("calls per second", "active calls")
ROUTES_KEPT = 1_000
"""Different targets whose failures are told apart; names may lead to ever new addresses."""

Place = tuple[str, str]
"""VoiceConnectorId and Region."""


class Metrics(Collector):
    """Counts what happens. `region_of` tells the Region of a Voice Connector, "" where it is gone."""

    def __init__(self, region_of: Callable[[str], str]) -> None:
        self._region_of = region_of
        self._counts: Counter[tuple[str, Place]] = Counter()
        self._under_way: dict[str, tuple[str, Place]] = {}
        """Direction and place of each call, by TransactionId."""
        self._route_failures: Counter[tuple[Place, str]] = Counter()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def take(self, events: Iterable[CallEvent]) -> None:
        """Count what has happened."""
        for event in events:
            if isinstance(event, CallStarted):
                self._start(event)
            elif isinstance(event, CallAnswered):
                self._count("CallsAnswered", self._under_way.get(event.started.aws_transaction_id))
            elif isinstance(event, CallEnded):
                found = self._under_way.pop(event.started.aws_transaction_id, None)
                if not event.completed:
                    self._count("CallFailures", found)
            elif isinstance(event, CallMoved):
                self._count("CallFailures", self._under_way.get(event.started.aws_transaction_id))
                self._start(event.started)
            elif isinstance(event, RouteFailed):
                self._count_route_failure(event)
            elif isinstance(event, AttemptRefused) and event.decision.check in THROTTLING_CHECKS:
                self._counts["Throttles", self._place(event.voice_connector_id)] += 1

    def _start(self, started: CallStarted) -> None:
        place = started.voice_connector_id, started.region
        self._under_way[started.aws_transaction_id] = started.direction, place
        self._count("CallAttempts", (started.direction, place))

    def _count(self, what: str, found: tuple[str, Place] | None) -> None:
        if found:
            direction, place = found
            self._counts[direction + what, place] += 1

    def _count_route_failure(self, event: RouteFailed) -> None:
        key = self._place(event.voice_connector_id), event.target
        if key in self._route_failures or len(self._route_failures) < ROUTES_KEPT:
            self._route_failures[key] += 1

    def _place(self, voice_connector_id: str) -> Place:
        return voice_connector_id, self._region_of(voice_connector_id)

    def collect(self) -> Iterator[Metric]:
        """What there is to tell, for the registry."""
        for name, meaning in COUNTS.items():
            family = UntypedMetricFamily(name, meaning, labels=("VoiceConnectorId", "Region"))
            _fill(family, ((place, count) for (known, place), count in self._counts.items() if known == name))
            yield family
        under_way = Counter(self._under_way.values())
        for direction in ("Inbound", "Outbound"):
            active = GaugeMetricFamily(
                f"{direction}CallsActive", f"{direction} calls under way", labels=("VoiceConnectorId", "Region")
            )
            _fill(active, ((place, count) for (known, place), count in under_way.items() if known == direction))
            yield active
        routes = UntypedMetricFamily(
            "voiceconnector_route_failures",
            "targets of origination routes that did not take a call, since start",
            labels=("VoiceConnectorId", "Region", "Target"),
        )
        _fill(routes, (((*place, target), count) for (place, target), count in self._route_failures.items()))
        yield routes

    def text(self) -> str:
        """Everything in Prometheus's text format, with the figures of our own process."""
        return generate_latest(self._registry).decode()


def _fill(family: UntypedMetricFamily | GaugeMetricFamily, samples: Iterable[tuple[Sequence[str], int]]) -> None:
    for labels, value in samples:
        family.add_metric(labels, value)

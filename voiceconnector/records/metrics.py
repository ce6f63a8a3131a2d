"""Metrics of the service (guide p. 22-27), counted from events, as Prometheus reads them.

The guide's names stand as they are, with its dimensions VoiceConnectorId and Region as labels; next to them what
only the emulator knows, under names of its own. Counts go on from the start of the emulator. Of jitter, round trip
and MOS there is the average over the calls under way, each by its latest minute, and after them the last one known.
Left out: codes of SIP responses.
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
    DirectionQuality,
    MediaQuality,
    RouteFailed,
)

COUNTS = {
    f"{direction}Call{what}": f"{direction} calls {meaning}, since start"
    for direction in ("Inbound", "Outbound")
    for what, meaning in (("Attempts", "attempted"), ("Failures", "that failed"), ("sAnswered", "answered"))
} | {"Throttles": "calls beyond a limit of the account, since start"}
"""The guide's counts, and what they mean."""

SIDES = {"Customer": ("cust2vc", "vc2cust", "cust"), "Remote": ("rem2vc", "vc2rem", "rem")}
"""The guide's name of each side -> the events' names of its directions, and of the side."""
MEDIA_COUNTS = {
    "RtpPackets": ("rtp_packets", "RTP packets"),
    "RtpBytes": ("rtp_bytes", "bytes of RTP"),
    "RtcpPackets": ("rtcp_packets", "RTCP packets"),
    "RtcpBytes": ("rtcp_bytes", "bytes of RTCP"),
    "PacketsLost": ("packets_lost", "RTP packets lost"),
}
"""End of the guide's name -> name in `DirectionQuality`, and what it is."""
GAUGES = {
    **{f"{side}ToVcJitter": f"jitter from the {side.lower()} side, us" for side in SIDES},
    **{f"VcTo{side}Jitter": f"jitter to the {side.lower()} side as that reports it, us" for side in SIDES},
    **{f"RTTBetweenVcAnd{side}": f"round trip to the {side.lower()} side, us" for side in SIDES},
    **{f"MOSBetweenVcAnd{side}": f"MOS, 1.0 to 4.4, on the {side.lower()} side" for side in SIDES},
}
"""The guide's averages of media, and what they mean."""

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
        self._gauges: dict[str, tuple[Place, dict[str, float]]] = {}
        """Of each call under way by its latest minute, by TransactionId."""
        self._last_gauges: dict[Place, dict[str, float]] = {}
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
                self._gauges.pop(event.started.aws_transaction_id, None)
                if not event.completed:
                    self._count("CallFailures", found)
            elif isinstance(event, CallMoved):
                self._count("CallFailures", self._under_way.get(event.started.aws_transaction_id))
                self._start(event.started)
            elif isinstance(event, RouteFailed):
                self._count_route_failure(event)
            elif isinstance(event, MediaQuality):
                self._take_quality(event)
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

    def _take_quality(self, event: MediaQuality) -> None:
        place = event.started.voice_connector_id, event.started.region
        for side, (inward, outward, _) in SIDES.items():
            for name, direction in ((f"{side}ToVc", inward), (f"VcTo{side}", outward)):
                quality: DirectionQuality = getattr(event, direction)
                for end, (attribute, _) in MEDIA_COUNTS.items():
                    self._counts[name + end, place] += getattr(quality, attribute) or 0
        gauges = self._last_gauges[place] = _gauges(event)
        identity = event.started.aws_transaction_id
        if identity in self._under_way:
            self._gauges[identity] = place, gauges

    def _count_route_failure(self, event: RouteFailed) -> None:
        key = self._place(event.voice_connector_id), event.target
        if key in self._route_failures or len(self._route_failures) < ROUTES_KEPT:
            self._route_failures[key] += 1

    def _place(self, voice_connector_id: str) -> Place:
        return voice_connector_id, self._region_of(voice_connector_id)

    def collect(self) -> Iterator[Metric]:
        """What there is to tell, for the registry."""
        for name, meaning in (COUNTS | _media_counts()).items():
            family = UntypedMetricFamily(name, meaning, labels=("VoiceConnectorId", "Region"))
            _fill(family, ((place, count) for (known, place), count in self._counts.items() if known == name))
            yield family
        yield from self._averages()
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

    def _averages(self) -> Iterator[Metric]:
        live = list(self._gauges.values())
        for name, meaning in GAUGES.items():
            family = GaugeMetricFamily(name, meaning, labels=("VoiceConnectorId", "Region"))
            for place, last in self._last_gauges.items():
                values = [gauges[name] for at, gauges in live if at == place and name in gauges]
                if values or name in last:
                    family.add_metric(place, sum(values) / len(values) if values else last[name])
            yield family

    def text(self) -> str:
        """Everything in Prometheus's text format, with the figures of our own process."""
        return generate_latest(self._registry).decode()


def _fill(family: UntypedMetricFamily | GaugeMetricFamily, samples: Iterable[tuple[Sequence[str], int]]) -> None:
    for labels, value in samples:
        family.add_metric(labels, value)


def _media_counts() -> dict[str, str]:
    """The guide's counts of media, and what they mean."""
    return {
        name + end: f"{what} {way} the {side.lower()} side, since start"
        for side in SIDES
        for name, way in ((f"{side}ToVc", "from"), (f"VcTo{side}", "to"))
        for end, (_, what) in MEDIA_COUNTS.items()
    }


def _gauges(event: MediaQuality) -> dict[str, float]:
    """What is known of a call's averages."""
    known: dict[str, float | None] = {}
    for side, (inward, outward, short) in SIDES.items():
        known[f"{side}ToVcJitter"] = getattr(event, inward).jitter_us if getattr(event, inward).rtp_packets else None
        known[f"VcTo{side}Jitter"] = getattr(event, outward).jitter_us
        known[f"RTTBetweenVcAnd{side}"] = getattr(event, f"rtt_btwn_vc_and_{short}")
        known[f"MOSBetweenVcAnd{side}"] = getattr(event, f"mos_btwn_vc_and_{short}")
    return {name: value for name, value in known.items() if value is not None}

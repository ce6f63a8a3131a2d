"""How good a call's media was, by the relay's counters: figures for the user, and each minute a `MediaQuality`.

A direction towards a party is judged by that party's RTCP reports; without any, only what was sent is known. The
score is the E-model's (`mos`): loss of that direction, half the round trip, a jitter buffer. Fax has none.
"""

from voiceconnector.media.mos import mos, mouth_to_ear_ms
from voiceconnector.media.quality import StreamStats
from voiceconnector.trunk.profile import Profile

from .events import CallStarted, DirectionQuality, MediaQuality
from .roles import Roles


class LegQuality:
    """One leg's media between two moments, `before` and `after`, or since the beginning."""

    def __init__(self, after: StreamStats, profile: Profile, before: StreamStats | None = None) -> None:
        before = before or StreamStats(after.leg)
        self._profile = profile
        self.rtt_us = _average(
            after.rtt_total_us - before.rtt_total_us, after.rtt_samples - before.rtt_samples, after.rtt_us
        )
        self.received = self._received(before, after)
        self.sent = self._sent(before, after)
        scores = [score for score in (self.received.mos, self.sent.mos) if score is not None]
        self.mos = min(scores) if scores else None
        """The worse of both directions."""

    def _received(self, before: StreamStats, after: StreamStats) -> DirectionQuality:
        packets = after.packets - before.packets
        lost = max(0, after.lost - before.lost)
        samples = after.jitter_samples - before.jitter_samples
        jitter = _average(after.jitter_total_us - before.jitter_total_us, samples, after.jitter_us) or 0
        return DirectionQuality(
            packets,
            after.bytes - before.bytes,
            after.rtcp_packets - before.rtcp_packets,
            after.rtcp_bytes - before.rtcp_bytes,
            lost,
            jitter,
            self._mos(packets + lost, lost, jitter) if packets and samples else None,
        )

    def _sent(self, before: StreamStats, after: StreamStats) -> DirectionQuality:
        packets = after.sent_packets - before.sent_packets
        lost = jitter = None
        reports = after.remote_reports - before.remote_reports
        if reports > 0:
            lost = min(max(0, (after.remote_lost or 0) - (before.remote_lost or 0)), packets)
            jitter = round((after.remote_jitter_total_us - before.remote_jitter_total_us) / reports)
        return DirectionQuality(
            packets,
            after.sent_bytes - before.sent_bytes,
            after.rtcp_sent_packets - before.rtcp_sent_packets,
            after.rtcp_sent_bytes - before.rtcp_sent_bytes,
            lost,
            jitter,
            None if lost is None or not packets else self._mos(packets, lost, jitter or 0),
        )

    def _mos(self, packets: int, lost: int, jitter_us: int) -> float:
        profile = self._profile
        delay_ms = mouth_to_ear_ms(self.rtt_us or 0, jitter_us, profile.jitter_buffer_ms)
        return round(mos(delay_ms, lost / packets, profile.packet_loss_robustness), 2)


def _average(total: int, samples: int, latest: int | None) -> int | None:
    """Of the samples between two moments; where there are none, the latest that is known."""
    return round(total / samples) if samples > 0 else latest


def media_quality(
    started: CallStarted, roles: Roles, legs: dict[str, LegQuality], time: float, seconds: float
) -> MediaQuality:
    """What is told of a call's latest minute, or of what came after it."""
    customer, remote = legs[roles.customer], legs[roles.pstn]
    return MediaQuality(
        started,
        time,
        seconds,
        customer.received,
        customer.sent,
        remote.received,
        remote.sent,
        customer.rtt_us,
        customer.mos,
        remote.rtt_us,
        remote.mos,
    )

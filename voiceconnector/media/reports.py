"""What one leg tells its remote about its media by RTCP, and what it learns so: RFC 3550 6.

A leg is an RTP session of two: this end, and the remote. With two members the interval between reports is always
the least, 5 s, randomised (6.2, 6.3.1), and a BYE may be sent at once (6.3.7). The SSRC is that of the stream
sent, whoever made it; before anything is sent, one of our own. Leaves out: APP, feedback, XR.
"""

from collections import deque
from math import e
from random import Random
from typing import NamedTuple

from voiceconnector.media import rtcp
from voiceconnector.media.quality import TICK_US, Reception, StreamStats

LEAST_INTERVAL_US = 5_000_000
"""Tmin (RFC 3550 6.2); half of it before the first report."""
COMPENSATION = e - 1.5
"""By which the interval is divided, as reconsideration would lengthen it (RFC 3550 6.3.1)."""
REPORTS_REMEMBERED = 8
"""Sender reports that a remote may refer to: more than a minute's worth would be stale anyway."""
EARLY_US = 10_000
"""A round trip may come out below zero by so much, as delays are rounded; what is further off is a lie."""

MOST_JITTER_US = 10_000_000
"""A remote that claims more does not spoil an average."""


class Sent(NamedTuple):
    """The stream that is sent to the remote, as it is at one moment."""

    ssrc: int
    timestamp: int
    """RTP timestamp of that moment, going on from the latest packet."""
    packets: int
    octets: int
    """Of payload; as `packets`, of the leg's whole life."""


class Reporter:
    """The RTCP of one end of one leg: makes its packets, and understands the remote's. Sends nothing itself."""

    __slots__ = (
        "_base", "_chance", "_cname", "_counted", "_counted_before", "_epoch_us", "_last_sr", "_last_sr_us",
        "_lost_before", "_prior", "_remembered", "_remote_jitter_total_us", "_remote_reports", "_reported",
        "_rtt_samples", "_rtt_total_us", "_ssrc", "due_us", "remote_jitter_us", "remote_lost", "rtt_us",
    )  # fmt: skip

    def __init__(self, chance: Random, epoch_us: int, now_us: int) -> None:
        """`epoch_us` makes microseconds since 1970 of `now_us`."""
        self.due_us = now_us + _interval_us(chance, LEAST_INTERVAL_US // 2)
        """When the next report is to be sent."""
        self.rtt_us: int | None = None
        """The latest round trip; None before the remote has answered one of our sender reports."""
        self._rtt_total_us = self._rtt_samples = 0
        self.remote_lost: int | None = None
        """What the remote has lost of what we sent, by its reports; None without one."""
        self.remote_jitter_us: int | None = None
        self._remote_jitter_total_us = self._remote_reports = 0
        self._chance = chance
        self._epoch_us = epoch_us
        self._ssrc = chance.getrandbits(32)
        self._cname = f"{chance.getrandbits(96):024x}"  # RFC 7022 4.2: random, for this call only
        self._counted = (0, 0)  # packets and octets sent until the latest report
        self._counted_before = 0  # packets until the one before it
        self._base = (0, 0)  # packets and octets sent before the present SSRC
        self._lost_before = 0  # by the remote, of earlier SSRCs
        self._prior = (-1, 0, 0)  # SSRC, expected and received at the latest report
        self._remembered: deque[tuple[int, int]] = deque(maxlen=REPORTS_REMEMBERED)
        self._last_sr = self._last_sr_us = 0
        self._reported = False

    def compound(self, sent: Sent | None, heard: Reception, now_us: int) -> bytes:
        """The report that is due, with SDES; and the time of the next. `sent` is None before anything was sent."""
        self.due_us = now_us + _interval_us(self._chance, LEAST_INTERVAL_US)
        self._reported = True
        self._adopt(sent)
        block = self._block(heard, now_us)
        report = rtcp.report(self._ssrc, self._sender_info(sent, now_us), (block,) if block else ())
        return report + rtcp.source_description(self._ssrc, self._cname)

    def farewell(self, sent: Sent | None, heard: Reception, now_us: int) -> bytes:
        """The last report, with BYE; nothing from one who never sent RTP or RTCP (RFC 3550 6.3.7)."""
        if sent is None and not self._reported:
            return b""
        return self.compound(sent, heard, now_us) + rtcp.goodbye(self._ssrc)

    def take(self, packet: rtcp.Compound, now_us: int) -> None:
        """What the remote says."""
        for report in packet.reports:
            if report.sender:
                self._last_sr, self._last_sr_us = rtcp.middle(report.sender.ntp_timestamp), now_us
            for block in report.blocks:
                if block.ssrc == self._ssrc:
                    self._take_block(block, now_us)

    def completed(self, stats: StreamStats) -> StreamStats:
        """The counters, with what is known from the remote."""
        return stats._replace(
            rtt_us=self.rtt_us,
            rtt_total_us=self._rtt_total_us,
            rtt_samples=self._rtt_samples,
            remote_lost=self.remote_lost,
            remote_jitter_us=self.remote_jitter_us,
            remote_jitter_total_us=self._remote_jitter_total_us,
            remote_reports=self._remote_reports,
        )

    def _adopt(self, sent: Sent | None) -> None:
        """Takes the SSRC of the stream that is sent; its counts begin with it (RFC 3550 6.4.1)."""
        if sent and sent.ssrc != self._ssrc:
            self._ssrc = sent.ssrc
            self._base = self._counted
            self._lost_before = self.remote_lost or 0

    def _sender_info(self, sent: Sent | None, now_us: int) -> rtcp.SenderInfo | None:
        """What is sent, if anything was since the report before the latest (RFC 3550 6.4)."""
        if sent is None:
            return None
        idle = sent.packets == self._counted_before
        self._counted_before, self._counted = self._counted[0], (sent.packets, sent.octets)
        if idle:
            return None
        ntp = rtcp.ntp_timestamp(now_us + self._epoch_us)
        self._remembered.append((rtcp.middle(ntp), now_us))
        packets, octets = sent.packets - self._base[0], sent.octets - self._base[1]
        return rtcp.SenderInfo(ntp, sent.timestamp, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF)

    def _block(self, heard: Reception, now_us: int) -> rtcp.ReportBlock | None:
        """On the remote's stream, if anything of it came since the latest report (RFC 3550 6.4, A.3)."""
        source = heard.source
        if source is None:
            return None
        ssrc, expected, received = self._prior if self._prior[0] == source.ssrc else (source.ssrc, 0, 0)
        if source.received == received:
            return None
        self._prior = (ssrc, source.expected, source.received)
        expected, received = source.expected - expected, source.received - received
        fraction = max(0, (expected - received) * 256 // expected) if expected > 0 else 0
        delay = (now_us - self._last_sr_us) * 65536 // 1_000_000 if self._last_sr_us else 0
        return rtcp.ReportBlock(
            ssrc,
            min(fraction, 255),
            source.expected - source.received,
            source.highest,
            source.jitter_us // TICK_US & 0xFFFFFFFF,
            self._last_sr,
            min(delay, 0xFFFFFFFF),
        )

    def _take_block(self, block: rtcp.ReportBlock, now_us: int) -> None:
        self.remote_lost = self._lost_before + max(0, block.cumulative_lost)
        self.remote_jitter_us = min(block.jitter * TICK_US, MOST_JITTER_US)
        self._remote_jitter_total_us += self.remote_jitter_us
        self._remote_reports += 1
        sent_us = next((at_us for middle, at_us in self._remembered if middle == block.last_sr), None)
        if sent_us is None:
            return
        rtt_us = now_us - sent_us - block.delay_since_last_sr * 1_000_000 // 65536
        if rtt_us > -EARLY_US:
            self.rtt_us = max(0, rtt_us)
            self._rtt_total_us += self.rtt_us
            self._rtt_samples += 1


def _interval_us(chance: Random, interval_us: int) -> int:
    """Between half and one and a half of it, as RFC 3550 6.3.1 spreads reports."""
    return int(interval_us * (0.5 + chance.random()) / COMPENSATION)

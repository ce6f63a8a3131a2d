"""What a receiver can tell of a stream: counts, loss, order and jitter (RFC 3550 6.4.1, A.1, A.3, A.8).

Runs once for every packet, so it is one method, and it keeps integers only. Leaves out: what the remote reports
(`reports`), how good that sounds (`mos`).
"""

from typing import NamedTuple

MAX_DROPOUT = 3000
MAX_MISORDER = 100
"""How far a sequence number may leap forward or fall back before it is another sequence (RFC 3550 A.1)."""
TICK_US = 125
"""One timestamp unit of G.711 and its telephone-event: the clock rate is 8,000 Hz."""
DISCONTINUITY_US = 1_000_000
"""A step of the transit time beyond this is a timestamp that wrapped or began anew, not jitter."""
NO_TRANSIT = -1 << 62
"""The transit time before the first packet: any step from it is a discontinuity."""


class StreamStats(NamedTuple):
    """The counters of one leg's stream. Times are integer microseconds of the clock of `time.monotonic()`."""

    leg: str
    packets: int = 0
    """RTP accepted from the remote; with `bytes`, which count whole RTP packets."""
    bytes: int = 0
    lost: int = 0
    """RFC 3550 A.3, never below zero, over all the sources the remote used."""
    jitter_us: int = 0
    out_of_order: int = 0
    """Packets that came after a later one, or twice."""
    wrong_payload_type: int = 0
    wrong_source: int = 0
    """From elsewhere than the remote, where such packets can be seen."""
    malformed: int = 0
    """Not RTP on the RTP port, not RTCP on the RTCP port."""
    rtcp_packets: int = 0
    rtcp_bytes: int = 0
    sent_packets: int = 0
    """RTP sent to the remote, relayed and made here."""
    send_failed: int = 0
    """Packets that the system did not send, or that the remote's host refused (ICMP), where that is seen."""
    first_packet_us: int = 0
    """0: none came. As `last_packet_us`."""
    last_packet_us: int = 0
    source: tuple[str, int] | None = None
    """Where the packets come from."""
    sent_bytes: int = 0
    """Of whole RTP packets."""
    rtcp_sent_packets: int = 0
    rtcp_sent_bytes: int = 0
    jitter_total_us: int = 0
    """Sum of the jitter at each of `jitter_samples` moments, about two a second while packets came."""
    jitter_samples: int = 0
    rtt_us: int | None = None
    """Round trip to the remote by its latest report; None while there is none."""
    rtt_total_us: int = 0
    rtt_samples: int = 0
    remote_lost: int | None = None
    """Packets sent that the remote has lost, by its reports; None while there is none. As `remote_jitter_us`."""
    remote_jitter_us: int | None = None
    remote_jitter_total_us: int = 0
    remote_reports: int = 0
    drift_ppm: int | None = None
    """How much faster the remote's audio clock runs than ours; None while that cannot be told."""
    srtp_auth_failed: int = 0
    """SRTP and SRTCP that the remote's key did not fit (RFC 3711 3.3), and so none of it."""
    srtp_replayed: int = 0
    """SRTP and SRTCP that came before, or too late to tell (RFC 3711 3.3.2)."""
    srtp_truncated: int = 0
    """Too short for what its suite adds."""
    srtp_unencrypted: int = 0
    """Plain RTP where SRTP was agreed."""
    tap_dropped: int = 0
    """Copies that a tap's listener was too slow for."""


class Source(NamedTuple):
    """What a report block says of the stream that is received (RFC 3550 6.4.1, A.3)."""

    ssrc: int
    expected: int
    received: int
    """Also more than expected, by packets that came twice."""
    highest: int
    """Extended highest sequence number, 32 bits."""
    jitter_us: int


class Reception:
    """The receiver's state of one stream at 8,000 Hz. No probation: a source is believed by its address.

    `update` takes any packet. `advance` takes the next one of audio, which is nearly every packet. What costs
    there is to reach memory more than to run instructions, so it changes only three numbers; how many packets
    and bytes there were follows from the first.
    """

    __slots__ = (
        "_bad_sequence", "_base", "_highest", "_jitter_16", "_lost_before", "_offset", "_other_bytes",
        "_size", "_ssrc", "_timestamp", "_transit", "_uncounted", "first_us", "last_us", "out_of_order",
    )  # fmt: skip

    def __init__(self) -> None:
        self.first_us = self.last_us = self.out_of_order = 0
        self._ssrc = self._timestamp = self._bad_sequence = self._size = -1
        self._base = self._highest = 0  # extended sequence numbers: cycles * 65536 + number
        self._offset = 0  # packets less the highest sequence number
        self._other_bytes = 0  # bytes less packets times size
        self._uncounted = 0  # packets before the present sequence, or outside it
        self._lost_before = 0
        self._transit = NO_TRANSIT
        self._jitter_16 = 0  # sixteen times the jitter, as in A.8's integer form

    def advance(self, size: int, sequence_number: int, timestamp: int, now_us: int) -> bool:
        """Takes account of a packet of audio if it is the next in order and as long as the one before.

        Otherwise returns False: it is for `update`. The SSRC is not looked at: another source begins with any
        number, and if that fits by chance it is not worse than its predecessor going on.
        """
        following = self._highest + 1
        if size != self._size or following & 0xFFFF != sequence_number:
            return False
        self._highest = following
        self.last_us = now_us
        transit = now_us - timestamp * TICK_US  # as in `_clock`, without the price of a call
        step = transit - self._transit
        self._transit = transit
        if step < 0:
            step = -step
        if step < DISCONTINUITY_US:
            self._jitter_16 += step - (self._jitter_16 + 8 >> 4)
        return True

    def update(self, size: int, sequence_number: int, timestamp: int, ssrc: int, now_us: int) -> None:
        """Takes account of any one packet of `size` bytes that arrived at `now_us`."""
        if size != self._size:
            self._other_bytes, self._size = self.bytes - self.packets * size, size
        self._resequence(sequence_number, ssrc, now_us)
        if timestamp == self._timestamp:  # the packets of one RFC 4733 event share theirs
            self.last_us = now_us
        else:
            self._timestamp = timestamp
            self._clock(timestamp, now_us)

    def count(self, size: int, now_us: int) -> None:
        """Takes account of a datagram that is not RTP: how many, how long, when."""
        if size != self._size:
            self._other_bytes, self._size = self.bytes - self.packets * size, size
        self._offset += 1
        self._uncounted += 1
        self.first_us = self.first_us or now_us
        self.last_us = now_us

    def _clock(self, timestamp: int, now_us: int) -> None:
        """A.8, in microseconds."""
        self.last_us = now_us
        transit = now_us - timestamp * TICK_US
        step = transit - self._transit
        self._transit = transit
        if step < 0:
            step = -step
        if step < DISCONTINUITY_US:
            self._jitter_16 += step - (self._jitter_16 + 8 >> 4)

    def _resequence(self, sequence_number: int, ssrc: int, now_us: int) -> None:
        """A.1's update_seq; one packet more."""
        ahead = sequence_number - self._highest & 0xFFFF
        if ssrc != self._ssrc:
            self.first_us = self.first_us or now_us
            self._begin(sequence_number, ssrc)
        elif 0 < ahead < MAX_DROPOUT:
            self._highest += ahead
            self._offset += 1 - ahead
        elif 0 < ahead <= 0x10000 - MAX_MISORDER:
            if sequence_number == self._bad_sequence:
                self._begin(sequence_number, ssrc)
            else:
                self._bad_sequence = sequence_number + 1 & 0xFFFF
                self._offset += 1
                self._uncounted += 1
        else:
            self._offset += 1
            self.out_of_order += 1

    def _begin(self, sequence_number: int, ssrc: int) -> None:
        """A.1's init_seq, when the remote starts or changes its source; what was lost before stays lost."""
        self._lost_before = self.lost
        self._uncounted = self.packets
        self._ssrc = ssrc
        self._base = self._highest = sequence_number
        self._offset = self._uncounted + 1 - sequence_number
        self._bad_sequence = self._timestamp = -1
        self._transit = NO_TRANSIT

    @property
    def packets(self) -> int:
        """Packets so far, late and doubled ones included."""
        return self._highest + self._offset

    @property
    def bytes(self) -> int:
        """Bytes of all these packets."""
        return self.packets * self._size + self._other_bytes

    @property
    def lost(self) -> int:
        """Packets lost so far (A.3): expected less received; duplicates do not make it negative."""
        if self._ssrc == -1:
            return 0
        expected = self._highest - self._base + 1
        return self._lost_before + max(0, expected - (self.packets - self._uncounted))

    @property
    def jitter_us(self) -> int:
        """Interarrival jitter in microseconds (A.8)."""
        return self._jitter_16 >> 4

    @property
    def transit_us(self) -> int | None:
        """Arrival less timestamp of the latest packet: an unknown constant, and delay; None before the first."""
        return None if self._transit == NO_TRANSIT else self._transit

    @property
    def source(self) -> Source | None:
        """The stream as it is now; None before its first packet."""
        if self._ssrc == -1:
            return None
        expected, received = self._highest - self._base + 1, self.packets - self._uncounted
        return Source(self._ssrc, expected, received, self._highest & 0xFFFFFFFF, self.jitter_us)

    def timestamp_at(self, now_us: int) -> int:
        """The RTP timestamp of this moment, going on from the latest packet's."""
        return (now_us - self._transit) // TICK_US & 0xFFFFFFFF

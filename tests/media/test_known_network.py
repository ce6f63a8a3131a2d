"""Known loss, delay and jitter over real sockets, in real time: the relay's figures are those of the network."""

import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from statistics import mean

import pytest

from tests.media.test_relay import DEADLINE_SECONDS, HOST, applied, free_range, opened, packet, udp
from voiceconnector.media.plan import Echo, Impairment, MediaPlan, StreamPlan
from voiceconnector.media.quality import StreamStats
from voiceconnector.media.relay import Relay

PACKETS, PTIME = 150, 0.02
"""3 s of audio at 50 packets a second."""
LOSS = 0.2
DELAY_IN_MS, JITTER_IN_MS, DELAY_OUT_MS = 50.0, 18.0, 40.0
"""Less jitter than there is between two packets, which keeps their order."""
REMOTE_LOST = 7
DEVIATIONS = 4
"""Standard deviations that chance is allowed; the impairments have seeds, so it is drawn once."""


class Phone:
    """A telephone that hears its own packets again, over a network that is known."""

    def __init__(self, relay: Relay, call: int, exit_: ExitStack, came: Impairment, went: Impairment) -> None:
        pair = relay.allocate(HOST)
        assert pair
        self.call, self.pair = call, pair
        self.rtp, self.rtcp = exit_.enter_context(udp()), exit_.enter_context(udp())
        self.sent: list[float] = []
        self.heard: dict[int, float] = {}
        """When each packet came back, by its number."""
        self.reported = (0.0, 0.0)
        """When the relay says that it sent its sender report, and how long it waited for our answer."""
        plan = StreamPlan("a", pair, self.rtp.getsockname(), (0,), sinks=(Echo(),), impair_received=came)
        plan = plan._replace(remote_rtcp=self.rtcp.getsockname(), impair_sent=went)
        relay.apply(call, MediaPlan((plan,)))
        self.stats = applied(relay, call).streams[0]

    def speak(self) -> None:
        self.rtp.sendto(packet(len(self.sent), self.call), self.pair)
        self.sent.append(time.monotonic())

    def listen(self, ready: socket.socket) -> None:
        data = ready.recv(2048)
        if ready is self.rtp:
            self.heard[int.from_bytes(data[2:4])] = time.monotonic()
        elif data[1] == 200:
            self._answer(data, time.time())

    def _answer(self, report: bytes, came: float) -> None:
        """RFC 3550 6.4.2: a receiver report on the stream that the sender report is of."""
        seconds, fraction = struct.unpack_from("!II", report, 8)
        sent = seconds - 2_208_988_800 + fraction / 2**32
        waited = time.time() - came
        block = report[4:8] + struct.pack("!B3s", 0, REMOTE_LOST.to_bytes(3)) + bytes(8) + report[10:14]
        head = struct.pack("!BBHI", 0x81, 201, 7, self.call)
        self.rtcp.sendto(head + block + struct.pack("!I", int(waited * 65536)), (HOST, self.pair.rtcp))
        self.reported = sent, waited

    def round_trips(self) -> list[float]:
        """Seconds, of each packet that came back."""
        return [came - self.sent[number] for number, came in self.heard.items()]


class Phones:
    """All four at once."""

    def __init__(self, relay: Relay, exit_: ExitStack) -> None:
        self.relay = relay
        good, lossy = Impairment(), Impairment(loss=LOSS, seed=1)
        late = Impairment(delay_ms=DELAY_IN_MS, jitter_ms=JITTER_IN_MS, seed=2)
        self.good = Phone(relay, 1, exit_, good, good)
        self.lossy_in = Phone(relay, 2, exit_, lossy, good)
        self.lossy_out = Phone(relay, 3, exit_, good, lossy)
        self.late = Phone(relay, 4, exit_, late, Impairment(delay_ms=DELAY_OUT_MS))
        self.all = (self.good, self.lossy_in, self.lossy_out, self.late)
        self.observed = 0.0
        """When the round trip was seen among the counters."""

    def talk(self) -> None:
        begin = time.monotonic()
        for number in range(PACKETS):
            self._listen_until(begin + number * PTIME)
            for phone in self.all[1:]:
                phone.speak()
            self.good.speak()

    def wait(self) -> None:
        """Until nothing is under way any more: what is late came, and with it the round trip."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(self.good.heard) + len(self.late.heard) < 2 * PACKETS or self.late.stats.rtt_us is None:
            assert time.monotonic() < deadline, [phone.stats for phone in self.all]
            self._listen_until(time.monotonic() + PTIME)
            for phone in self.all:
                phone.stats = applied(self.relay, phone.call).streams[0]
            self.observed = time.time()
        self._listen_until(time.monotonic() + PTIME)

    def _listen_until(self, end: float) -> None:
        phones = {each: phone for phone in self.all for each in (phone.rtp, phone.rtcp)}
        while True:
            ready, _, _ = select.select(list(phones), [], [], max(0.0, end - time.monotonic()))
            for each in ready:
                phones[each].listen(each)
            if not ready:
                return


@pytest.fixture(scope="module")
def phones() -> Iterator[Phones]:
    """The telephones, when they have talked."""
    with ExitStack() as exit_:
        relay = exit_.enter_context(closing(Relay({HOST: free_range(4)})))
        phones = Phones(opened(relay), exit_)
        phones.talk()
        phones.wait()
        yield phones


def gaps(heard: dict[int, float]) -> int:
    """How many of the numbers from the first to the last are missing: RFC 3550 A.3."""
    return max(heard) - min(heard) + 1 - len(heard)


def assert_loss(heard: int) -> None:
    """As many as a binomial distribution lets through."""
    assert abs(heard - PACKETS * (1 - LOSS)) <= DEVIATIONS * (PACKETS * LOSS * (1 - LOSS)) ** 0.5


def counted(stats: StreamStats) -> tuple[int, int, int]:
    return stats.packets, stats.lost, stats.sent_packets


def test_a_good_network_loses_nothing(phones: Phones) -> None:
    assert counted(phones.good.stats) == (PACKETS, 0, PACKETS)
    assert sorted(phones.good.heard) == list(range(PACKETS))


def test_what_is_lost_on_the_way_in_is_counted_to_the_packet(phones: Phones) -> None:
    """RFC 3550 A.3; what was not received is not sent on."""
    heard = phones.lossy_in.heard
    assert counted(phones.lossy_in.stats) == (len(heard), gaps(heard), len(heard))
    assert_loss(len(heard))


def test_what_is_lost_on_the_way_out_was_sent_and_does_not_arrive(phones: Phones) -> None:
    assert counted(phones.lossy_out.stats) == (PACKETS, 0, PACKETS)
    assert_loss(len(phones.lossy_out.heard))


def test_every_packet_is_late_by_the_delay_of_both_ways(phones: Phones) -> None:
    """A slow machine makes packets later, never earlier, so there is no upper bound here."""
    trips = phones.late.round_trips()
    least = (DELAY_IN_MS + DELAY_OUT_MS) / 1000
    spread = JITTER_IN_MS / 1000
    assert mean(trips) >= least + spread / 2 - DEVIATIONS * spread / (12 * PACKETS) ** 0.5
    assert min(trips) >= least
    assert counted(phones.late.stats) == (PACKETS, 0, PACKETS)


def test_jitter_is_what_rfc_3550_makes_of_it(phones: Phones) -> None:
    """RFC 3550 A.8: the mean of |D|, a third of the width for uniform delays, smoothed over some 31 packets.

    The jitter of a slow machine comes on top, so there is no upper bound here.
    """
    deviation = JITTER_IN_MS / 18**0.5 / 31**0.5
    assert phones.late.stats.jitter_us / 1000 >= JITTER_IN_MS / 3 - DEVIATIONS * deviation


def test_the_round_trip_is_the_delay_of_both_ways(phones: Phones) -> None:
    """RFC 3550 6.4.1: arrival less LSR less DLSR; it cannot be longer than there was time until it was seen."""
    sent, waited = phones.late.reported
    rtt_us = phones.late.stats.rtt_us
    assert rtt_us
    assert (DELAY_IN_MS + DELAY_OUT_MS) / 1000 - 0.001 <= rtt_us / 1_000_000 <= phones.observed - sent - waited + 0.01
    assert phones.late.stats.remote_lost == REMOTE_LOST

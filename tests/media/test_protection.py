"""SRTP on one leg of a call, RTP on the other: what is relayed, what is refused, what is told."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.media.bench import REPORT, SECOND, Bench, packet, waiting
from voiceconnector.media.lane import BUFFER_SIZE, Buffer
from voiceconnector.media.plan import AUTHENTICATION, UNENCRYPTED, Echo, Forward, Srtp, StreamPlan, Tone
from voiceconnector.media.quality import StreamStats
from voiceconnector.media.sources import Player
from voiceconnector.media.srtp import MOST_SSRCS, SUITES, Receiver, Sender

SUITE = "AES_CM_128_HMAC_SHA1_80"


def keys(suite: str = SUITE, first: int = 0) -> Srtp:
    size = SUITES[suite].key_size
    return Srtp(suite, bytes(range(first, first + size)), bytes(range(first + 100, first + 100 + size)))


class Device:
    """The remote of a leg as another implementation of the same keys."""

    def __init__(self, protection: Srtp) -> None:
        self.buffer = Buffer()
        self.receiver = Receiver(protection.suite, protection.local_key, self.buffer)
        self.sender = Sender(protection.suite, protection.remote_key, Buffer())
        self._sent: list[bytes] = []

    def protect(self, plain: bytes) -> bytes:
        def keep(data: bytes | memoryview) -> int:
            self._sent.append(bytes(data))
            return len(data)

        self.sender.rtp(keep)(plain)
        return self._sent.pop()

    def protect_rtcp(self, plain: bytes) -> bytes:
        return bytes(self.sender.rtcp(plain) or b"")

    def unprotect(self, data: bytes, rtcp: bool = False) -> bytes:
        self.buffer.data[: len(data)] = data
        size, why = self.receiver.rtcp(len(data)) if rtcp else self.receiver.rtp(len(data))
        assert not why
        return bytes(self.buffer.views[size])


class SecureBench(Bench):
    """Leg a has SRTP."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1")
        self.keys = keys()
        self.device = Device(self.keys)
        self.secure()

    def secure(self, **leg_a: Any) -> None:
        self.run(self.plan(**{"srtp": self.keys, **leg_a}))

    def say(self, number: int, **of_packet: Any) -> None:
        self.send(self.a.rtp, self.device.protect(packet(number, **of_packet)), "a")

    def heard_by_a(self) -> list[bytes]:
        return [self.device.unprotect(data) for data in waiting(self.a.rtp)]

    def stats(self) -> StreamStats:
        return self.streams["a"].stats()

    def failures(self) -> list[Any]:
        return [event for event in self.events if event[0] == "ProtectionFailed"]


@pytest.fixture
def bench() -> Iterator[SecureBench]:
    made = SecureBench()
    yield made
    made.close()


@pytest.mark.parametrize("suite", SUITES)
def test_one_leg_is_encrypted_and_the_other_plain(bench: SecureBench, suite: str) -> None:
    """Each way, before and after latching, over the rollover of the sequence number (RFC 3711 3.3.1)."""
    bench.keys = keys(suite)
    bench.device = Device(bench.keys)
    bench.secure()
    numbers = range(65530, 65545)
    for number in numbers:
        bench.say(number)
        bench.send(bench.b.rtp, packet(number, ssrc=2), "b")
    assert waiting(bench.b.rtp) == [packet(number) for number in numbers]
    assert bench.heard_by_a() == [packet(number, ssrc=2) for number in numbers]
    stats = bench.stats()
    assert (stats.packets, stats.bytes, stats.lost, stats.sent_packets) == (15, 15 * 172, 0, 15)


def test_both_legs_can_be_encrypted_each_with_its_own_keys(bench: SecureBench) -> None:
    theirs = keys("AEAD_AES_256_GCM", 50)
    far = Device(theirs)
    plan = bench.plan(srtp=bench.keys)
    bench.run(plan._replace(streams=(plan.streams[0], plan.streams[1]._replace(srtp=theirs))))
    for number in range(3):
        bench.say(number)
        bench.send(bench.b.rtp, far.protect(packet(number, ssrc=2)), "b")
    assert [far.unprotect(data) for data in waiting(bench.b.rtp)] == [packet(number) for number in range(3)]
    assert bench.heard_by_a() == [packet(number, ssrc=2) for number in range(3)]


def test_a_packet_that_comes_twice_is_encrypted_once(bench: SecureBench) -> None:
    """RFC 3711 9.1: no keystream is used twice; what was refused does not leave in plain either."""
    for number in (1, 2, 3, 3, 2, 4):
        bench.send(bench.b.rtp, packet(number), "b")
    assert bench.heard_by_a() == [packet(number) for number in (1, 2, 3, 4)]
    assert bench.stats().send_failed == 2


def test_the_longest_packet_is_encrypted_whole(bench: SecureBench) -> None:
    """There is room for the tag after it."""
    longest = [packet(number) + bytes(BUFFER_SIZE - 1 - len(packet(number))) for number in range(3)]
    for sent in longest:
        bench.send(bench.b.rtp, sent, "b")
    bench.send(bench.b.rtp, longest[0] + b"-", "b")
    assert bench.heard_by_a() == longest
    assert bench.streams["b"].stats().malformed == 1


def test_an_echo_goes_back_encrypted(bench: SecureBench) -> None:
    bench.secure(sinks=(Echo(), Forward("b")))
    for number in range(3):
        bench.say(number)
    assert bench.heard_by_a() == waiting(bench.b.rtp) == [packet(number) for number in range(3)]


def test_sources_are_sent_encrypted(bench: SecureBench) -> None:
    bench.secure(sources=(Tone(440),))
    stream = bench.streams["a"]
    stream.play(Player(lambda path: pytest.fail(path), 9, 65535, 0), bench.now_us)
    for _ in range(3):
        stream.tick(bench.now_us, bench.now_us)
    assert [data[2:4].hex() for data in bench.heard_by_a()] == ["ffff", "0000", "0001"]


def test_rtcp_is_encrypted_on_that_leg_only(bench: SecureBench) -> None:
    """RFC 3711 3.4."""
    for _ in range(3):
        bench.send(bench.a.rtcp, bench.device.protect_rtcp(REPORT), "a", rtcp=True)
        for stream in bench.streams.values():
            stream.rtcp.send(REPORT)
    assert waiting(bench.b.rtcp) == [REPORT] * 3
    assert [bench.device.unprotect(data, rtcp=True) for data in waiting(bench.a.rtcp)] == [REPORT] * 3
    assert (bench.stats().rtcp_packets, bench.stats().rtcp_bytes) == (3, 3 * len(REPORT))


@pytest.mark.parametrize("latched", [False, True])
def test_packets_under_another_key_are_counted_and_told_once_and_never_relayed(
    bench: SecureBench, latched: bool
) -> None:
    if latched:
        bench.say(0)
    wrong = Device(keys(first=60))
    for number in range(1, 5):
        bench.send(bench.a.rtp, wrong.protect(packet(number)), "a")
    assert waiting(bench.b.rtp) == [packet(0)] * latched
    assert (bench.stats().srtp_auth_failed, bench.stats().packets) == (4, latched)
    assert bench.failures() == [("ProtectionFailed", 1, "a", bench.a.address, AUTHENTICATION)]


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM"])
@pytest.mark.parametrize("latched", [False, True])
def test_plain_rtp_where_srtp_was_agreed_is_told_as_such(bench: SecureBench, suite: str, latched: bool) -> None:
    bench.keys = keys(suite)
    bench.device = Device(bench.keys)
    bench.secure()
    if latched:
        bench.say(0)
    for number in range(1, 4):
        bench.send(bench.a.rtp, packet(number), "a")
    assert waiting(bench.b.rtp) == [packet(0)] * latched
    assert (bench.stats().srtp_unencrypted, bench.stats().srtp_auth_failed) == (3, 0)
    assert bench.failures() == [("ProtectionFailed", 1, "a", bench.a.address, UNENCRYPTED)]


def test_a_stranger_without_the_key_is_not_latched_to(bench: SecureBench) -> None:
    bench.send(bench.stranger.rtp, Device(keys(first=60)).protect(packet(1)), "a")
    bench.send(bench.stranger.rtp, packet(1), "a")
    bench.send(bench.b.rtp, packet(0, ssrc=2), "b")
    assert waiting(bench.stranger.rtp) == []
    assert bench.heard_by_a() == [packet(0, ssrc=2)]
    assert bench.stats().source is None


def test_a_device_behind_nat_is_latched_to_by_its_key(bench: SecureBench) -> None:
    bench.send(bench.stranger.rtp, bench.device.protect(packet(1)), "a")
    bench.send(bench.b.rtp, packet(0, ssrc=2), "b")
    assert [bench.device.unprotect(data) for data in waiting(bench.stranger.rtp)] == [packet(0, ssrc=2)]


@pytest.mark.parametrize("latched", [False, True])
def test_replayed_packets_are_counted_and_not_relayed(bench: SecureBench, latched: bool) -> None:
    """RFC 3711 3.3.2. Duplicates are everyday, so nothing is told."""
    if latched:
        bench.say(0)
    wire = bench.device.protect(packet(1))
    for _ in range(3):
        bench.send(bench.a.rtp if latched else bench.stranger.rtp, wire, "a")
    assert waiting(bench.b.rtp) == [packet(number) for number in range(1 - latched, 2)]
    assert bench.stats().srtp_replayed == 2
    assert bench.failures() == []


def test_replayed_truncated_and_plain_reports_are_counted_and_not_believed(bench: SecureBench) -> None:
    wire = bench.device.protect_rtcp(REPORT)
    for data in (wire, wire, wire[:-1], b"\x80\xc9" + bytes(40), REPORT, b"", wire[:9]):
        bench.send(bench.a.rtcp, data, "a", rtcp=True)
    stats = bench.stats()
    assert (stats.srtp_replayed, stats.rtcp_packets) == (1, 1)
    assert stats.srtp_auth_failed + stats.srtp_truncated == 5


@pytest.mark.parametrize("latched", [False, True])
def test_truncated_packets_are_counted_and_not_relayed(bench: SecureBench, latched: bool) -> None:
    if latched:
        bench.say(0)
    wire = bench.device.protect(packet(1))
    for size in range(len(wire)):
        bench.send(bench.a.rtp, wire[:size], "a")
    assert waiting(bench.b.rtp) == [packet(0)] * latched
    stats = bench.stats()
    assert stats.srtp_truncated >= 12
    # One of these lengths is by chance that of plain audio.
    assert stats.srtp_truncated + stats.srtp_auth_failed + stats.srtp_unencrypted == len(wire)


def test_a_plan_with_the_same_keys_goes_on_with_their_rollover_counter(bench: SecureBench) -> None:
    """A re-INVITE that repeats its keys (RFC 4568 7.1.4) is no new beginning; hold and resume neither."""
    for number in (65534, 65535, 65536):
        bench.say(number)
    bench.secure(receive=False, send=False)
    bench.say(65537)
    bench.secure()
    wire = bench.device.protect(packet(65538))
    for data in (wire, wire):
        bench.send(bench.a.rtp, data, "a")
    assert waiting(bench.b.rtp) == [packet(number) for number in (65534, 65535, 65536, 65538)]
    assert bench.stats().srtp_replayed == 1


def test_a_changed_key_is_used_at_once_and_the_old_one_until_the_new_one_is_heard(bench: SecureBench) -> None:
    """The device may send under its old key until it has our answer."""
    bench.say(0)
    old, bench.keys = bench.device, keys("AEAD_AES_128_GCM", 40)
    bench.secure()
    bench.device = Device(bench.keys)
    bench.send(bench.a.rtp, old.protect(packet(1)), "a")
    bench.send(bench.b.rtp, packet(0, ssrc=2), "b")
    assert bench.heard_by_a() == [packet(0, ssrc=2)]
    bench.say(2)
    for number in (3, 4):
        bench.send(bench.a.rtp, old.protect(packet(number)), "a")
    bench.say(5)
    assert waiting(bench.b.rtp) == [packet(number) for number in (0, 1, 2, 5)]
    assert bench.stats().srtp_auth_failed == 2


def test_only_the_direction_whose_key_changed_begins_anew(bench: SecureBench) -> None:
    bench.send(bench.b.rtp, packet(65535, ssrc=2), "b")
    bench.send(bench.b.rtp, packet(65536, ssrc=2), "b")
    bench.keys = bench.keys._replace(remote_key=keys(first=70).remote_key)
    bench.secure()
    bench.send(bench.b.rtp, packet(65537, ssrc=2), "b")
    assert len(bench.heard_by_a()) == 3  # the device's context was not changed either


def test_a_leg_may_become_encrypted_and_plain_again_and_keeps_its_counts(bench: SecureBench) -> None:
    bench.send(bench.a.rtp, packet(0), "a")
    bench.secure(srtp=None)
    bench.send(bench.a.rtp, packet(1), "a")
    bench.send(bench.b.rtp, packet(1, ssrc=2), "b")
    bench.secure()
    bench.say(2)
    assert waiting(bench.b.rtp) == [packet(1), packet(2)]
    assert waiting(bench.a.rtp) == [packet(1, ssrc=2)]
    assert bench.stats().srtp_unencrypted == 1


@pytest.mark.parametrize("protection", [Srtp("F8_128_HMAC_SHA1_80", bytes(30), bytes(30)), Srtp(SUITE, b"k", b"l")])
def test_a_key_that_can_not_be_used_stops_the_media_and_is_told(bench: SecureBench, protection: Srtp) -> None:
    bench.secure(srtp=protection)
    bench.send(bench.a.rtp, packet(1), "a")
    bench.send(bench.b.rtp, packet(1), "b")
    bench.send(bench.b.rtcp, REPORT, "b", rtcp=True)
    assert waiting(bench.a.rtp) == waiting(bench.b.rtp) == waiting(bench.a.rtcp) == []
    ((_, _, _, source, why),) = bench.failures()
    assert source is None
    assert protection.suite in why


def test_two_sources_at_once_under_one_key_are_both_relayed_each_with_its_own_state(bench: SecureBench) -> None:
    """RFC 3711 3.2.3, RFC 3550 8.2."""
    for number in (65535, 65536, 65537):
        for ssrc in (1, 2):
            bench.say(number, ssrc=ssrc)
    assert waiting(bench.b.rtp) == [packet(number, ssrc=s) for number in (65535, 65536, 65537) for s in (1, 2)]


def test_sources_without_end_cost_no_memory_without_end(bench: SecureBench) -> None:
    """The next sequence number each time, so that it looks like one stream."""
    for number in range(4 * MOST_SSRCS):
        bench.say(number, ssrc=number + 1)
        bench.send(bench.b.rtp, packet(number, ssrc=number + 1), "b")
    protection = bench.streams["a"]._protection
    assert protection
    assert protection.receiver
    assert protection.sender
    assert len(protection.receiver._ssrcs) == len(protection.sender._ssrcs) == MOST_SSRCS
    assert len(waiting(bench.b.rtp)) == 4 * MOST_SSRCS


def test_a_day_of_one_call_leaves_no_trace_but_its_counters(bench: SecureBench) -> None:
    """24 h at 50 packets/s, of which every 20,000th is sent: rollovers are crossed as they would be by all."""
    last = 24 * 3600 * 50
    bench.say(0)
    bench.send(bench.b.rtp, packet(0, ssrc=2), "b")
    for number in range(20_000, last, 20_000):
        bench.now_us = 10 * SECOND + number * 20_000
        bench.say(number)
        bench.send(bench.b.rtp, packet(number, ssrc=2), "b")
        bench.sweep(0.5)
    assert len(waiting(bench.b.rtp)) == len(bench.heard_by_a()) == last // 20_000
    assert bench.stats().srtp_auth_failed == bench.stats().malformed == 0
    assert bench.failures() == []


def test_a_plan_that_shows_itself_does_not_show_its_keys() -> None:
    plan = StreamPlan("a", ("127.0.0.1", 2), None, (0,), srtp=Srtp(SUITE, b"SECRET" * 5, b"SECRET" * 5))  # type: ignore[arg-type]
    assert "SECRET" not in repr(plan)

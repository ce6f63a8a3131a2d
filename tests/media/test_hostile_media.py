"""Hostile media against the relay as it runs: the real process, real sockets. Nothing passes that should not."""

import os
import select
import signal
import socket
import time
import wave
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.media.test_protection import Device, keys
from tests.media.test_relay import DEADLINE_SECONDS, HOST, free_range, packet, udp
from voiceconnector.media.capture import read
from voiceconnector.media.plan import AUTHENTICATION, UNENCRYPTED, Capture, Forward, MediaPlan, Record, StreamPlan
from voiceconnector.media.quality import StreamStats
from voiceconnector.media.relay import CallStats, FirstPacket, ProtectionFailed, Relay, RelayEvent

FLOOD = 4_000
MALFORMED_RTCP = [
    b"",
    b"\x80",
    b"\x80\xc8",
    bytes.fromhex("80c8ffff 00000001"),  # longer than it is
    bytes.fromhex("9fc90001 00000001"),  # 31 blocks, and none there
    bytes.fromhex("a0c90001 00000001"),  # padding in the first packet
    bytes.fromhex("00c90001 00000001"),  # version 0
    bytes.fromhex("80d00001 00000001"),  # of a type that RTCP has not
    bytes.fromhex("80c90001 00000001 81ca0001 00000001 ff"),
    b"\x80\xc9" + bytes(1400),
]


class Attacked:
    """A relay with one call between two devices; leg a with SRTP when there are keys."""

    def __init__(self) -> None:
        self.relay = Relay({HOST: free_range(8)})
        self.relay.start()
        self.events: list[RelayEvent] = []
        self.until(lambda: not self.relay.opening)
        self.a, self.b, self.stranger = udp(), udp(), udp()
        self.pairs = {leg: self.relay.allocate(HOST) for leg in "ab"}

    def connect(self, **leg_a: Any) -> None:
        legs = []
        for leg, remote, other in (("a", self.a, "b"), ("b", self.b, "a")):
            pair = self.pairs[leg]
            assert pair
            legs.append(StreamPlan(leg, pair, remote.getsockname(), (0, 101), sinks=(Forward(other),)))
        legs[0] = legs[0]._replace(sinks=(Forward("b"), *leg_a.pop("sinks", ())), **leg_a)
        self.relay.apply(1, MediaPlan(tuple(legs)))
        self.stats()

    def until(self, done: Any) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not done():
            assert time.monotonic() < deadline, self.events
            self.relay.flush()
            select.select([self.relay], [], [], 0.002)
            self.events += self.relay.read_events()

    def breathe(self) -> None:
        """Two milliseconds for the relay, which shares this core."""
        select.select([], [], [], 0.002)
        self.events += self.relay.read_events()

    def stats(self) -> StreamStats:
        """Leg a's, once all that was sent before has been served."""
        before = len(self.told(CallStats))
        self.relay.query(1)
        self.until(lambda: len(self.told(CallStats)) > before)
        streams: tuple[StreamStats, ...] = self.told(CallStats)[-1].streams
        return streams[0] if streams else StreamStats("a")

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def send(self, data: bytes, source: socket.socket | None = None, rtcp: bool = False) -> None:
        pair = self.pairs["a"]
        assert pair
        (source or self.a).sendto(data, (HOST, pair.rtcp if rtcp else pair.rtp))

    def taken(self, count: int) -> None:
        """Waits until leg a has taken so many packets."""
        self.until(lambda: self.stats().packets >= count)

    def heard(self) -> list[bytes]:
        """What has come to b."""
        self.b.setblocking(False)
        packets = []
        try:
            while True:
                packets.append(self.b.recv(2048))
        except BlockingIOError:
            return packets

    def close(self) -> None:
        self.relay.close()
        for end in (self.a, self.b, self.stranger):
            end.close()


@pytest.fixture
def attacked() -> Iterator[Attacked]:
    made = Attacked()
    yield made
    made.close()


def test_a_stranger_is_not_heard_while_the_device_talks(attacked: Attacked) -> None:
    attacked.connect()
    attacked.send(packet(0))
    attacked.taken(1)
    for number in range(1, 20):
        attacked.send(packet(number, ssrc=9), attacked.stranger)
        attacked.send(packet(number, ssrc=1))
    attacked.taken(20)
    assert attacked.heard() == [packet(number) for number in range(20)]


def test_a_stranger_with_srtp_of_its_own_is_neither_heard_nor_sent_to(attacked: Attacked) -> None:
    attacked.connect(srtp=keys())
    wrong, right = Device(keys(first=60)), Device(keys())
    for number in range(5):
        attacked.send(wrong.protect(packet(number)), attacked.stranger)
        attacked.send(packet(number), attacked.stranger)
    attacked.send(right.protect(packet(7)))
    attacked.taken(1)
    stats = attacked.stats()
    assert (stats.srtp_auth_failed, stats.srtp_unencrypted, stats.packets) == (5, 5, 1)
    assert stats.source == attacked.a.getsockname()
    assert attacked.heard() == [packet(7)]
    failures = [(event.source, event.why) for event in attacked.told(ProtectionFailed)]
    stranger = attacked.stranger.getsockname()
    assert failures == [(stranger, AUTHENTICATION), (stranger, UNENCRYPTED)]


def test_replayed_truncated_and_changed_srtp_is_not_heard(attacked: Attacked) -> None:
    attacked.connect(srtp=keys())
    device = Device(keys())
    wires = [device.protect(packet(number)) for number in range(3)]
    for wire in wires:
        attacked.send(wire)
        attacked.send(wire)
        attacked.send(wire[:-1])
        attacked.send(wire[:20])
        attacked.send(wire[:-1] + bytes([wire[-1] ^ 1]))
    for wire in wires:
        attacked.send(wire)
    attacked.taken(3)
    attacked.send(device.protect(packet(3)))
    attacked.taken(4)
    assert attacked.heard() == [packet(number) for number in range(4)]
    stats = attacked.stats()
    assert refused(stats) == 15  # a changed copy of what came already is a replay first (RFC 3711 3.3 step 2)
    assert stats.srtp_replayed >= 6


@pytest.mark.parametrize("protection", [None, keys()])
def test_malformed_rtcp_is_counted_and_the_call_goes_on(attacked: Attacked, protection: Any) -> None:
    attacked.connect(srtp=protection)
    device = Device(keys())
    for data in MALFORMED_RTCP:
        attacked.send(data, rtcp=True)
        if protection:
            attacked.send(device.protect_rtcp(data) if len(data) >= 8 else data, rtcp=True)
    attacked.send(device.protect(packet(0)) if protection else packet(0))
    attacked.taken(1)
    assert attacked.heard() == [packet(0)]
    sent = len(MALFORMED_RTCP) * (2 if protection else 1)
    attacked.until(lambda: refused(attacked.stats()) == sent)
    assert attacked.stats().rtcp_packets == 0


def refused(stats: StreamStats) -> int:
    return stats.malformed + stats.srtp_auth_failed + stats.srtp_truncated + stats.srtp_replayed


def test_two_sources_from_one_device_are_relayed_as_they_are(attacked: Attacked) -> None:
    """RFC 3550 8.2: a collision is for the ends to resolve; the relay changes no SSRC."""
    attacked.connect()
    sent = [packet(number, ssrc=1 + number % 2) for number in range(20)]
    for data in sent:
        attacked.send(data)
    attacked.taken(20)
    assert attacked.heard() == sent


def test_packets_to_ports_without_a_call_go_nowhere(attacked: Attacked) -> None:
    pair = attacked.relay.allocate(HOST)
    assert pair
    attacked.connect()
    for number in range(200):
        attacked.stranger.sendto(packet(number), (HOST, pair.rtp))
        attacked.stranger.sendto(packet(number), (HOST, pair.rtcp))
        attacked.stranger.sendto(packet(number), (HOST, 9))
    attacked.send(packet(0))
    attacked.taken(1)
    assert attacked.heard() == [packet(0)]
    assert len(attacked.told(FirstPacket)) == 1
    attacked.stranger.setblocking(False)
    with pytest.raises((BlockingIOError, ConnectionRefusedError)):
        attacked.stranger.recv(2048)


@pytest.mark.parametrize("protection", [None, keys()])
def test_another_call_goes_on_under_a_flood(attacked: Attacked, protection: Any) -> None:
    attacked.connect(srtp=protection)
    device = Device(keys())
    for start in range(0, FLOOD, 20):
        for number in range(start, start + 20):
            attacked.send(device.protect(packet(number)) if protection else packet(number))
        attacked.breathe()
    ours, far = (attacked.relay.allocate(HOST) for _ in "ab")
    assert ours
    assert far
    with udp() as c, udp() as d:
        plans = (
            StreamPlan("a", ours, c.getsockname(), (0,), sinks=(Forward("b"),)),
            StreamPlan("b", far, d.getsockname(), (0,), sinks=(Forward("a"),)),
        )
        attacked.relay.apply(2, MediaPlan(plans))
        attacked.relay.flush()
        for number in range(20):
            attacked.send(packet(number))
            c.sendto(packet(number), (HOST, ours.rtp))
            assert d.recv(2048) == packet(number)


def test_a_killed_relay_leaves_files_that_can_be_read(attacked: Attacked, tmp_path: Path) -> None:
    """kill -9, between two of its writes."""
    wav, capture = tmp_path / "deep" / "a.wav", tmp_path / "a.capture"
    attacked.connect(sinks=(Record(str(wav)), Capture(str(capture))))
    for number in range(200):
        attacked.send(packet(number))
    attacked.taken(200)
    attacked.until(lambda: wav.exists() and wav.stat().st_size > 50_000 and capture.stat().st_size > 40_000)
    assert attacked.relay.process_id
    os.kill(attacked.relay.process_id, signal.SIGKILL)
    with wave.open(str(wav)) as file:
        assert (file.getframerate(), file.getsampwidth()) == (8000, 2)
        assert len(file.readframes(file.getnframes())) > 50_000
    captured = [one.data for one in read(BytesIO(capture.read_bytes()))]
    assert captured == [packet(number) for number in range(200)]

"""The relay as signalling uses it: the real process, real sockets, real time."""

import os
import random
import resource
import select
import signal
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest

from voiceconnector.media import rtp
from voiceconnector.media.plan import Digits, Echo, Forward, MediaPlan, Play, PortPair, StreamPlan, Tone
from voiceconnector.media.relay import (
    CallStats,
    FirstPacket,
    MediaStopped,
    NoMedia,
    PortUnavailable,
    Relay,
    RelayDied,
    RelayEvent,
    SourceFinished,
)

HOST = f"127.{random.randrange(2, 250)}.{random.randrange(250)}.{random.randrange(2, 250)}"
"""A loopback address that no other program has, as far as chance goes: nobody else's packets come here."""
DEADLINE_SECONDS = 60.0
REPORT = bytes.fromhex("80c90001 00000001")

Told = TypeVar("Told", bound=RelayEvent)


def packet(number: int, ssrc: int = 1) -> bytes:
    return rtp.build(0, number, number * 160, ssrc, b"\xff" * 160)


def udp(port: int = 0, host: str = HOST) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(DEADLINE_SECONDS)
    try:
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


def free_range(pairs: int, host: str = HOST) -> tuple[int, int]:
    """First and last RTP port of a range in which nothing is bound."""
    for low in random.sample(range(20000, 32000, 2), k=100):
        try:
            for port in range(low, low + 2 * pairs):
                udp(port, host).close()
        except OSError:
            continue
        return low, low + 2 * pairs - 2
    raise AssertionError(f"no {pairs} pairs of free ports")


def opened(relay: Relay) -> Relay:
    """The relay, started, once it has opened the ports it was told to."""
    relay.start()
    deadline = time.monotonic() + DEADLINE_SECONDS
    while relay.opening:
        assert time.monotonic() < deadline
        select.select([relay], [], [], 0.1)
        relay.read_events()
    return relay


def wait_for(relay: Relay, kind: type[Told]) -> Told:
    """The next event of a kind; those that came with it are passed over."""
    relay.flush()
    deadline = time.monotonic() + DEADLINE_SECONDS
    seen: list[RelayEvent] = []
    while time.monotonic() < deadline:
        select.select([relay], [], [], 0.1)
        events = relay.read_events()
        seen += events
        for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"no {kind.__name__} among {seen}")


def applied(relay: Relay, call: int) -> CallStats:
    """Waits until the process has run all commands before this, and tells the call's counters."""
    relay.query(call)
    return wait_for(relay, CallStats)


@pytest.fixture
def relay() -> Iterator[Relay]:
    with closing(Relay({HOST: free_range(16)})) as made:
        yield opened(made)


class Call:
    """A call between two sockets."""

    def __init__(self, relay: Relay, number: int) -> None:
        self.relay, self.number = relay, number
        self.a, self.b = udp(), udp()
        pair_a, pair_b = relay.allocate(HOST), relay.allocate(HOST)
        assert pair_a
        assert pair_b
        self.pairs = [pair_a, pair_b]
        self.plan = MediaPlan(
            (
                StreamPlan("a", pair_a, self.a.getsockname(), (0, 101), sinks=(Forward("b"),)),
                StreamPlan("b", pair_b, self.b.getsockname(), (0, 101), sinks=(Forward("a"),)),
            )
        )

    def __enter__(self) -> "Call":
        self.relay.apply(self.number, self.plan)
        applied(self.relay, self.number)
        return self

    def __exit__(self, *_: object) -> None:
        self.a.close()
        self.b.close()

    def exchange(self, number: int) -> None:
        """One packet each way."""
        self.a.sendto(packet(number, 1), self.pairs[0])
        assert self.b.recvfrom(2048) == (packet(number, 1), tuple(self.pairs[1]))
        self.b.sendto(packet(number, 2), self.pairs[1])
        assert self.a.recvfrom(2048) == (packet(number, 2), tuple(self.pairs[0]))

    def release(self) -> None:
        self.relay.release(self.number, self.pairs)


def test_a_call_is_relayed_both_ways_and_its_last_counters_are_told(relay: Relay) -> None:
    """RFC 3550 11, 6.4.1."""
    with Call(relay, 1) as call:
        for number in range(10):
            call.exchange(number)
        call.release()
        stats = wait_for(relay, CallStats)
    assert (stats.call, stats.final, [stream.leg for stream in stats.streams]) == (1, True, ["a", "b"])
    for stream, end in zip(stats.streams, (call.a, call.b)):
        assert (stream.packets, stream.bytes, stream.sent_packets, stream.lost) == (10, 1720, 10, 0)
        assert 0 < stream.first_packet_us <= stream.last_packet_us <= time.monotonic() * 1_000_000
        assert end.fileno() == -1
        assert stream.source is not None
    assert relay.pairs_in_use(HOST) == 0


def test_the_first_packet_of_each_leg_is_told(relay: Relay) -> None:
    with Call(relay, 7) as call:
        for end, pair in zip((call.a, call.b), call.pairs):
            end.sendto(packet(0), pair)
            end.sendto(packet(1), pair)
            leg = "a" if end is call.a else "b"
            assert wait_for(relay, FirstPacket) == FirstPacket(7, leg, end.getsockname(), end.getsockname())


def test_counters_can_be_asked_for_while_the_call_goes_on(relay: Relay) -> None:
    with Call(relay, 1) as call:
        call.exchange(0)
        stats = applied(relay, 1)
        assert (stats.final, [stream.packets for stream in stats.streams]) == (False, [1, 1])
        assert applied(relay, 99) == CallStats(99, False, ())


def test_a_second_source_is_not_heard_after_the_remote(relay: Relay) -> None:
    with Call(relay, 1) as call, udp() as stranger:
        call.exchange(0)
        stranger.sendto(packet(500, 9), call.pairs[0])
        call.exchange(1)


def test_rtcp_goes_over_the_next_port(relay: Relay) -> None:
    """RFC 3550 11."""
    with Call(relay, 1) as call, udp() as reporter:
        reporter.sendto(REPORT, (HOST, call.pairs[0].rtcp))
        deadline = time.monotonic() + DEADLINE_SECONDS
        while applied(relay, 1).streams[0].rtcp_packets == 0:
            assert time.monotonic() < deadline


def test_no_media_and_media_that_stops_are_told(relay: Relay) -> None:
    with Call(relay, 1) as call:
        call.exchange(0)
        legs = [leg._replace(no_media_seconds=0.1, vanish_seconds=0.1) for leg in call.plan.streams]
        relay.apply(1, MediaPlan((legs[0],)))
        assert wait_for(relay, MediaStopped) == MediaStopped(1, "a", 0.1)
        relay.apply(2, MediaPlan((legs[1],)))
        assert wait_for(relay, NoMedia) == NoMedia(2, "b", 0.1)


def test_the_same_plan_again_is_not_sent_again(relay: Relay) -> None:
    with Call(relay, 1) as call:
        before = cpu_ticks(relay)
        for _ in range(1000):
            relay.apply(1, MediaPlan(call.plan.streams))
            relay.flush()
        call.exchange(0)
        assert cpu_ticks(relay) - before <= 2


def cpu_ticks(relay: Relay) -> int:
    fields = Path(f"/proc/{relay.process_id}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.parametrize("frequency", [440, 1000])
def test_a_tone_comes_every_20_ms(relay: Relay, frequency: int) -> None:
    """RFC 3551 4.2: 20 ms packets; RFC 3550 5.1: numbers and timestamps count on."""
    pair = relay.allocate(HOST)
    assert pair
    with udp() as listener:
        leg = StreamPlan("b", pair, listener.getsockname(), (0,), sources=(Tone(frequency),))
        relay.apply(1, MediaPlan((leg,)))
        relay.flush()
        packets = [rtp.parse(listener.recv(2048)) for _ in range(15)]
    assert [p.sequence_number - packets[0].sequence_number & 0xFFFF for p in packets] == list(range(15))
    assert [p.timestamp - packets[0].timestamp & 0xFFFFFFFF for p in packets] == list(range(0, 15 * 160, 160))
    stats = applied(relay, 1).streams[0]
    assert stats.sent_packets >= 15


def test_a_file_is_played_and_then_digits_and_both_ends_are_told(relay: Relay, tmp_path: Path) -> None:
    audio = bytes(range(256)) + bytes(64)
    header = struct.pack("<HHIIHH", 7, 1, 8000, 8000, 1, 8)
    file = tmp_path / "greeting.wav"
    file.write_bytes(b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + header + b"data" + struct.pack("<I", len(audio)) + audio)
    pair = relay.allocate(HOST)
    assert pair
    with udp() as listener:
        leg = StreamPlan(
            "b",
            pair,
            listener.getsockname(),
            (0, 101),
            sources=(Play(str(file)), Digits("42", duration_ms=60, pause_ms=40)),
            event_payload_type=101,
        )
        relay.apply(3, MediaPlan((leg,)))
        assert wait_for(relay, SourceFinished) == SourceFinished(3, "b", "Play", "")
        assert wait_for(relay, SourceFinished) == SourceFinished(3, "b", "Digits", "")
        packets = [rtp.parse(listener.recv(2048)) for _ in range(12)]
    assert b"".join(p.payload for p in packets if p.payload_type == 0) == audio
    ends = [p.payload[0] for p in packets if p.payload_type == 101 and p.payload[1] & 0x80]
    assert ends == [4, 4, 4, 2, 2, 2]


def test_an_echo_returns_what_comes(relay: Relay) -> None:
    pair = relay.allocate(HOST)
    assert pair
    with udp() as caller:
        relay.apply(1, MediaPlan((StreamPlan("b", pair, None, (0,), sinks=(Echo(),)),)))
        applied(relay, 1)
        for number in range(5):
            caller.sendto(packet(number), pair)
            assert caller.recv(2048) == packet(number)


def test_ports_are_handed_out_even_to_the_last_and_then_the_reason_is_a_sentence(relay: Relay) -> None:
    """RFC 3550 11: RTP on even ports."""
    pairs = [relay.allocate(HOST) for _ in range(16)]
    assert None not in pairs
    assert len({pair.rtp for pair in pairs if pair}) == 16
    assert all(pair.rtp % 2 == 0 for pair in pairs if pair)
    assert relay.allocate(HOST) is None
    assert relay.why_none(HOST).startswith(f"all 16 RTP port pairs of {HOST} ports ")
    relay.release(1, [pair for pair in pairs[:1] if pair])
    assert relay.allocate(HOST) == pairs[0]


def test_a_released_port_is_the_last_to_be_used_again(relay: Relay) -> None:
    first = relay.allocate(HOST)
    assert first
    relay.release(1, [first])
    again = [relay.allocate(HOST) for _ in range(16)]
    assert again[-1] == first


def test_ports_that_were_never_used_are_released_without_a_word_to_the_process(relay: Relay) -> None:
    before = cpu_ticks(relay)
    for call in range(5000):
        pair = relay.allocate(HOST)
        assert pair
        relay.release(call, [pair])
        relay.flush()
    applied(relay, 0)
    assert cpu_ticks(relay) - before <= 2
    assert relay.pairs_in_use(HOST) == 0


def test_ports_are_opened_ahead_of_demand_until_the_range_is_used_up() -> None:
    with closing(Relay({HOST: free_range(300)})) as made:
        relay = opened(made)
        assert relay.pairs_open(HOST) == 128
        taken = 0
        deadline = time.monotonic() + DEADLINE_SECONDS
        while taken < 300:
            assert time.monotonic() < deadline
            if relay.allocate(HOST):
                taken += 1
                continue
            relay.flush()
            assert "being opened" in relay.why_none(HOST)
            select.select([relay], [], [], 0.1)
            relay.read_events()
        assert relay.allocate(HOST) is None
        assert "all 300 RTP port pairs" in relay.why_none(HOST)


def test_a_port_of_another_program_is_left_out_and_tried_again_when_all_others_are_in_use() -> None:
    low, high = free_range(4)
    with closing(Relay({HOST: (low, high)})) as made:
        with udp(low + 3):
            relay = opened(made)
            assert [relay.allocate(HOST) for _ in range(4)].count(None) == 1
            assert relay.why_none(HOST).startswith("all 3 RTP port pairs")
            assert relay.why_none(HOST).endswith("1 more could not be opened: Address already in use")
        relay.flush()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (pair := relay.allocate(HOST)) is None:
            assert time.monotonic() < deadline
            relay.flush()
            select.select([relay], [], [], 0.1)
            relay.read_events()
        assert pair == PortPair(HOST, low + 2)


def test_an_address_that_is_not_there_or_not_configured_is_said_to_be_so() -> None:
    with closing(Relay({"192.0.2.1": (20000, 20006)})) as made:
        relay = opened(made)
        assert relay.allocate("192.0.2.1") is None
        assert "Cannot assign requested address" in relay.why_none("192.0.2.1")
        assert relay.allocate("192.0.2.2") is None
        assert relay.why_none("192.0.2.2") == "no RTP ports are configured for 192.0.2.2"


def test_several_media_addresses_have_their_own_ports() -> None:
    addresses = [HOST, "127.0.0.2", "::1"]
    with closing(Relay({address: free_range(2, address) for address in addresses})) as made:
        relay = opened(made)
        pairs = [relay.allocate(address) for address in addresses]
        assert [pair.address for pair in pairs if pair] == addresses


def test_a_killed_process_is_noticed_named_and_replaced_and_its_calls_can_be_released(relay: Relay) -> None:
    with Call(relay, 1) as first, Call(relay, 2) as second:
        first.exchange(0)
        kept = relay.allocate(HOST)
        assert kept
        descriptor, killed = relay.fileno(), relay.process_id
        assert killed
        os.kill(killed, signal.SIGKILL)
        died = wait_for(relay, RelayDied)
        assert sorted(died.calls) == [1, 2]
        assert relay.fileno() == descriptor
        assert relay.process_id not in (None, killed)
        first.release()
        second.release()
        relay.release(3, [kept])
        assert relay.pairs_in_use(HOST) == 0
    with Call(relay, 4) as call:
        call.exchange(0)
    assert relay.pairs_open(HOST) == 16


@pytest.mark.parametrize("flushed", [True, False])
def test_a_call_set_up_in_the_very_turn_in_which_the_process_dies_is_named(relay: Relay, flushed: bool) -> None:
    """Signalling goes on: nothing blocks or raises, and the next process has no part in that call."""
    assert relay.process_id
    pair = relay.allocate(HOST)
    assert pair
    os.kill(relay.process_id, signal.SIGKILL)
    with udp() as a:
        plan = MediaPlan((StreamPlan("a", pair, a.getsockname(), (0,), sinks=(Echo(),)),))
        relay.apply(5, plan)
        if flushed:
            relay.flush()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (events := relay.read_events()):
            assert time.monotonic() < deadline
            select.select([relay], [], [], 0.1)
        assert events == [RelayDied((5,))]
        relay.release(5, [])
        assert applied(relay, 5).streams == ()
        relay.apply(6, plan)
        applied(relay, 6)
        a.sendto(packet(0), pair)
        assert a.recv(2048) == packet(0)


def test_a_port_lost_while_the_process_was_gone_is_told_to_its_call(relay: Relay) -> None:
    pair = relay.allocate(HOST)
    assert pair
    assert relay.process_id
    os.kill(relay.process_id, signal.SIGKILL)
    wait_for_exit(relay.process_id)
    with udp(pair.rtp):
        wait_for(relay, RelayDied)
        relay.apply(1, MediaPlan((StreamPlan("a", pair, None, (0,)),)))
        assert wait_for(relay, PortUnavailable) == PortUnavailable(1, "a", pair, "Address already in use")
    relay.release(1, [pair])
    assert pair not in [relay.allocate(HOST) for _ in range(15)]


def test_signalling_does_not_wait_for_a_process_that_does_not_read(relay: Relay) -> None:
    """What the socket does not take is kept, and sent when `fileno` says that it can be."""
    assert relay.process_id
    pair = relay.allocate(HOST)
    assert pair
    leg = StreamPlan("a", pair, None, (0,), sources=(Play("/nowhere/" + "x" * 2000),), no_media_seconds=0)
    os.kill(relay.process_id, signal.SIGSTOP)
    start = time.process_time()
    for call in range(1000):
        relay.apply(call, MediaPlan((leg,)))
        relay.release(call, [])
        relay.flush()
        assert relay.read_events() == []
    assert time.process_time() - start < 2
    os.kill(relay.process_id, signal.SIGCONT)
    told: set[int] = set()
    deadline = time.monotonic() + DEADLINE_SECONDS
    while len(told) < 1000:
        assert time.monotonic() < deadline
        select.select([relay], [], [], 0.1)
        told |= {event.call for event in relay.read_events() if isinstance(event, CallStats)}


def wait_for_exit(process_id: int) -> None:
    os.waitid(os.P_PID, process_id, os.WEXITED | os.WNOWAIT)


def test_a_process_that_can_not_start_is_not_started_over_and_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Relay({HOST: free_range(2)})) as relay:
        monkeypatch.setattr("sys.executable", "/bin/false")
        relay.start()
        wait_for(relay, RelayDied)
        assert relay.process_id is None
        assert relay.allocate(HOST) is None
        assert relay.why_none(HOST) == "the media relay is not running; it has died 1 times"
        monkeypatch.setattr("sys.executable", "/nowhere/python")
        relay.flush()
        assert relay.read_events() == []


def test_hostile_packets_do_not_disturb_a_call(relay: Relay) -> None:
    chance = random.Random(3550)
    with Call(relay, 1) as call, udp() as stranger:
        call.exchange(0)
        for number in range(1, 300):
            noise = chance.randbytes(chance.randrange(0, 3000))
            for sender, pair in ((stranger, call.pairs[0]), (call.a, call.pairs[0])):
                sender.sendto(noise, (HOST, pair.rtcp))
                if rtp.fault(noise, (0, 101)):
                    sender.sendto(noise, pair)
            call.exchange(number)
        stats = applied(relay, 1).streams[0]
    assert stats.packets == 300
    assert stats.malformed + stats.wrong_payload_type > 0


def test_after_many_calls_all_ports_are_free_and_the_process_has_not_grown(relay: Relay) -> None:
    sizes, files = [], []
    for _ in range(3):
        for number in range(150):
            with Call(relay, number) as call:
                call.exchange(0)
                call.release()
        applied(relay, 0)
        status = Path(f"/proc/{relay.process_id}/status").read_text()
        sizes.append(int(status.partition("VmRSS:")[2].split()[0]))
        files.append(len(os.listdir(f"/proc/{relay.process_id}/fd")))
    assert relay.pairs_in_use(HOST) == 0
    assert files[0] == files[2]
    assert sizes[2] - sizes[0] < 500, "KB"


def test_the_process_is_small_and_may_open_as_many_files_as_the_system_lets_it(relay: Relay) -> None:
    limits = Path(f"/proc/{relay.process_id}/limits").read_text()
    soft, hard = limits.partition("Max open files")[2].split()[:2]
    assert soft == hard == str(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    status = Path(f"/proc/{relay.process_id}/status").read_text()
    assert int(status.partition("VmRSS:")[2].split()[0]) < 24_000, "KB"


def test_the_process_ends_with_the_one_that_started_it_and_not_with_the_terminal(relay: Relay) -> None:
    """Ctrl-C reaches the whole process group; calls are then drained, for which the relay is needed."""
    assert relay.process_id
    os.kill(relay.process_id, signal.SIGINT)
    os.kill(relay.process_id, signal.SIGTERM)
    with Call(relay, 1) as call:
        call.exchange(0)
    process_id = relay.process_id
    relay.close()
    assert not Path(f"/proc/{process_id}").exists()

"""One leg's packets over real sockets, in virtual time: latching, counting, forwarding, silence, floods."""

import socket
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.media.bench import REPORT, Bench, Remote, free_pair, packet, waiting
from voiceconnector.media import rtcp, rtp
from voiceconnector.media.plan import Address, Echo, Forward
from voiceconnector.media.relay_process import OpenPort
from voiceconnector.media.reports import Reporter


@pytest.fixture(params=["127.0.0.1", "::1"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(request.param)
    yield made
    made.close()


def test_packets_go_both_ways_and_come_from_the_port_that_was_announced(bench: Bench) -> None:
    """RFC 3550 11, RFC 4961: symmetric RTP; what a relay changes in a packet is nothing."""
    for number in range(3):
        bench.send(bench.a.rtp, packet(number), "a")
        bench.send(bench.b.rtp, packet(number, ssrc=2), "b")
    assert waiting(bench.a.rtp) == [packet(number, ssrc=2) for number in range(3)]
    data, source = None, None
    bench.send(bench.a.rtp, packet(3), "a")
    for _ in range(4):
        data, source = bench.b.rtp.recvfrom(4096)
    assert data == packet(3)
    assert source is not None
    assert source[:2] == tuple(bench.ports["b"].pair)
    stats = bench.streams["a"].stats()
    assert (stats.packets, stats.bytes, stats.sent_packets, stats.source) == (4, 4 * 172, 3, bench.a.address)


def test_media_flows_to_the_signalled_address_before_that_has_sent_anything(bench: Bench) -> None:
    """RFC 3264 5.1: early media to one that is still listening."""
    bench.send(bench.b.rtp, packet(0), "b")
    assert waiting(bench.a.rtp) == [packet(0)]


def test_the_first_source_is_told_once_with_what_was_signalled(bench: Bench) -> None:
    for number in range(3):
        bench.send(bench.stranger.rtp, packet(number), "a")
    assert bench.events == [("FirstPacket", 1, "a", bench.stranger.address, bench.a.address)]


def test_a_guessed_source_gets_the_media_until_the_signalled_one_takes_over(bench: Bench) -> None:
    bench.send(bench.stranger.rtp, packet(0), "a")
    bench.send(bench.b.rtp, packet(0), "b")
    assert waiting(bench.stranger.rtp) == [packet(0)]
    bench.send(bench.a.rtp, packet(1), "a")
    bench.send(bench.b.rtp, packet(1), "b")
    assert waiting(bench.a.rtp) == [packet(1)]
    bench.send(bench.stranger.rtp, packet(2), "a")
    bench.send(bench.b.rtp, packet(2), "b")
    assert waiting(bench.stranger.rtp) == []
    assert waiting(bench.b.rtp) == [packet(0), packet(1)]


def test_a_second_source_is_never_relayed_and_told_once(bench: Bench) -> None:
    bench.send(bench.stranger.rtp, packet(0), "a")
    third = Remote(bench.a.address[0])
    for number in range(1, 4):
        bench.send(third.rtp, packet(number), "a")
    assert waiting(bench.b.rtp) == [packet(0)]
    assert bench.events[1:] == [("WrongSource", 1, "a", third.address, bench.stranger.address)]
    assert bench.streams["a"].stats().wrong_source == 3
    third.rtp.close()
    third.rtcp.close()


def test_what_strangers_sent_before_the_remote_is_not_relayed_once_it_is_known(bench: Bench) -> None:
    """Packets already queued when the socket is connected are looked at one by one."""
    pair = bench.ports["a"].pair
    bench.a.rtp.sendto(packet(0), pair)
    for number in range(1, 4):
        bench.stranger.rtp.sendto(packet(number, ssrc=9), pair)
    bench.a.rtp.sendto(packet(1), pair)
    bench.serve()
    assert waiting(bench.b.rtp) == [packet(0), packet(1)]
    assert bench.streams["a"].stats().wrong_source == 3


class Flooded:
    """A socket where the next packet of its remote has come before the one before is done with."""

    def __init__(self, flooded: socket.socket, source: Address) -> None:
        self.connect, self.fileno, self.close = flooded.connect, flooded.fileno, flooded.close
        self.setsockopt, self.send = flooded.setsockopt, flooded.send
        self.source, self.taken = source, 0

    def recvfrom_into(self, buffer: bytearray) -> tuple[int, Address]:
        self.taken += 1
        assert self.taken < 100_000, "it is taken from for ever"
        data = packet(self.taken)
        buffer[: len(data)] = data
        return len(data), self.source

    recv_into = recvfrom_into


def test_a_flood_from_the_beginning_leaves_time_for_other_calls(bench: Bench) -> None:
    flooded = Flooded(bench.ports["a"].rtp, bench.a.address)
    bench.ports["a"].rtp = flooded  # type: ignore[assignment]
    bench.streams["a"].receive(bench.now_us)
    assert bench.streams["a"].stats().packets == flooded.taken


def test_a_changed_address_in_a_new_plan_is_followed(bench: Bench) -> None:
    """RFC 3264 8.3.1: a re-INVITE moves the media; the old address has no part in it any more."""
    bench.send(bench.a.rtp, packet(0), "a")
    moved = Remote(bench.a.address[0])
    bench.run(bench.plan(remote=moved.address))
    bench.send(bench.b.rtp, packet(0), "b")
    assert waiting(moved.rtp) == [packet(0)]
    bench.send(moved.rtp, packet(1), "a")
    bench.send(bench.a.rtp, packet(2), "a")
    assert waiting(bench.b.rtp) == [packet(0), packet(1)]
    assert bench.streams["a"].stats().packets == 2
    moved.rtp.close()
    moved.rtcp.close()


def test_after_silence_another_source_is_seen_and_refused_and_the_remote_may_come_back(bench: Bench) -> None:
    bench.send(bench.a.rtp, packet(0), "a")
    bench.sweep(2.5)
    bench.send(bench.stranger.rtp, packet(1), "a")
    bench.send(bench.a.rtp, packet(2), "a")
    bench.send(bench.a.rtp, packet(3), "a")
    assert waiting(bench.b.rtp) == [packet(0), packet(2), packet(3)]
    assert bench.events[-1] == ("WrongSource", 1, "a", bench.stranger.address, bench.a.address)


@pytest.mark.parametrize(
    ("leg_a", "a_is_heard", "a_hears"),
    [
        ({"receive": False}, False, True),
        ({"send": False}, True, False),
        ({"receive": False, "send": False}, False, False),
        ({"sinks": ()}, False, True),
    ],
)
def test_hold_stops_the_directions_it_names_and_counting_goes_on(
    bench: Bench, leg_a: dict[str, Any], a_is_heard: bool, a_hears: bool
) -> None:
    """RFC 3264 8.4: sendonly, recvonly, inactive."""
    bench.run(bench.plan(**leg_a))
    bench.send(bench.a.rtp, packet(0), "a")
    bench.send(bench.b.rtp, packet(0), "b")
    assert bool(waiting(bench.b.rtp)) == a_is_heard
    assert bool(waiting(bench.a.rtp)) == a_hears
    assert [stream.stats().packets for stream in bench.streams.values()] == [1, 1]


def test_an_echo_returns_packets_to_their_source_alone(bench: Bench) -> None:
    bench.run(bench.plan(sinks=(Echo(),)))
    bench.send(bench.a.rtp, packet(0), "a")
    assert waiting(bench.a.rtp) == [packet(0)]
    assert waiting(bench.b.rtp) == []


def test_an_echo_and_a_forward_both_get_the_packet(bench: Bench) -> None:
    bench.run(bench.plan(sinks=(Echo(), Forward("b"))))
    bench.send(bench.a.rtp, packet(0), "a")
    assert (waiting(bench.a.rtp), waiting(bench.b.rtp)) == ([packet(0)], [packet(0)])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (packet(1, payload_type=8), "wrong_payload_type"),
        (b"", "malformed"),
        (b"hello", "malformed"),
        (REPORT, "malformed"),
        (packet(1) + b"\0" * 4000, "malformed"),
        (b"\x90" + packet(1)[1:14], "malformed"),
    ],
)
def test_what_is_not_accepted_rtp_is_dropped_and_counted_before_and_after_latching(
    bench: Bench, data: bytes, reason: str
) -> None:
    """RFC 3550 A.1. Such packets do not latch either."""
    bench.send(bench.stranger.rtp, data, "a")
    bench.send(bench.a.rtp, packet(0), "a")
    bench.send(bench.a.rtp, data, "a")
    bench.send(bench.a.rtp, packet(1), "a")
    assert waiting(bench.b.rtp) == [packet(0), packet(1)]
    stats = bench.streams["a"].stats()
    assert getattr(stats, reason) == 2
    assert (stats.packets, stats.wrong_source) == (2, 0)


def test_packets_with_csrc_extension_or_padding_are_relayed_whole(bench: Bench) -> None:
    """RFC 3550 5.1."""
    marked = bytes.fromhex("b280 0001 00000002 00000003 0000000a 0000000b beef0001 cafebabe") + b"audio\0\0\3"
    bench.send(bench.a.rtp, marked, "a")
    bench.send(bench.a.rtp, marked, "a")
    assert waiting(bench.b.rtp) == [marked, marked]


def test_rtcp_ends_here_comes_to_its_own_port_and_is_counted_apart(bench: Bench) -> None:
    """RFC 3550 11; RFC 3605: a=rtcp names another port than the next."""
    bench.send(bench.a.rtcp, REPORT, "a", rtcp=True)
    bench.send(bench.a.rtcp, packet(0), "a", rtcp=True)
    bench.send(bench.stranger.rtcp, REPORT, "a", rtcp=True)
    assert (waiting(bench.a.rtcp), waiting(bench.b.rtcp)) == ([], [])
    stats = bench.streams["a"].stats()
    assert (stats.packets, stats.rtcp_packets, stats.rtcp_bytes) == (0, 1, len(REPORT))
    assert (stats.malformed, stats.wrong_source) == (1, 1)


def test_reports_are_sent_to_where_the_description_says(bench: Bench) -> None:
    """RFC 3605, RFC 4961 4: from the port that takes the remote's."""
    reporter = bench.streams["a"].rtcp.reporter = Reporter(Random(1), 0, bench.now_us)
    bench.sweep(4)
    data, source = bench.a.rtcp.recvfrom(2048)
    assert rtcp.parse(data)
    assert source[:2] == (bench.ports["a"].pair.address, bench.ports["a"].pair.rtcp)
    assert reporter.due_us > bench.now_us


def test_no_media_is_told_once_after_its_time(bench: Bench) -> None:
    bench.run(bench.plan(no_media_seconds=3.0))
    bench.sweep(2.5)
    assert bench.events == []
    bench.sweep(10)
    assert [event for event in bench.events if event[2] == "a"] == [("NoMedia", 1, "a", 3.0)]


def test_time_for_media_to_come_starts_with_the_plan_that_wants_it(bench: Bench) -> None:
    bench.run(bench.plan(receive=False))
    bench.sweep(10)
    assert [event for event in bench.events if event[2] == "a"] == []
    bench.run(bench.plan())
    bench.sweep(4.5)
    assert [event for event in bench.events if event[2] == "a"] == []
    bench.sweep(1)
    assert [event for event in bench.events if event[2] == "a"] == [("NoMedia", 1, "a", 5.0)]


def test_media_that_stops_is_told_each_time_it_does(bench: Bench) -> None:
    bench.run(bench.plan(vanish_seconds=1.0))
    for number in range(2):
        bench.send(bench.a.rtp, packet(number), "a")
        bench.sweep(0.5)
        bench.sweep(3)
    stopped = [event for event in bench.events if event[0] == "MediaStopped"]
    assert stopped == [("MediaStopped", 1, "a", 1.0)] * 2


def test_a_flood_is_told_and_cut_off_until_it_ends(bench: Bench) -> None:
    bench.sweep(0.5)
    for number in range(1100):
        bench.send(bench.a.rtp, packet(number), "a")
        waiting(bench.b.rtp)
    bench.sweep(0.5)
    bench.send(bench.a.rtp, packet(1100), "a")
    assert waiting(bench.b.rtp) == []
    assert bench.events[-1] == ("Flooded", 1, "a", 2200)
    for number in range(1101, 1300):  # A relay that is short of time takes but a part of what comes.
        bench.send(bench.a.rtp, packet(number), "a")
    bench.sweep(0.5)
    bench.send(bench.a.rtp, packet(1300), "a")
    assert waiting(bench.b.rtp) == []
    bench.sweep(0.5)
    bench.send(bench.a.rtp, packet(1301), "a")
    assert waiting(bench.b.rtp) == [packet(1301)]


def test_a_port_that_another_call_takes_hears_its_new_remote_and_not_the_old(bench: Bench) -> None:
    bench.send(bench.a.rtp, packet(0), "a")
    for stream in bench.streams.values():
        stream.close()
    bench.streams.clear()
    bench.send(bench.a.rtp, packet(1), "a")
    newcomer = Remote(bench.a.address[0])
    bench.run(bench.plan(remote=newcomer.address))
    bench.send(newcomer.rtp, packet(7), "a")
    bench.send(bench.a.rtp, packet(2), "a")
    assert waiting(bench.b.rtp) == [packet(0), packet(7)]
    assert bench.streams["a"].stats().packets == 1
    newcomer.rtp.close()
    newcomer.rtcp.close()


def test_a_stream_can_move_to_another_port_and_keeps_its_counters(bench: Bench) -> None:
    bench.send(bench.a.rtp, packet(0), "a")
    old, bench.ports["a"] = bench.ports["a"], OpenPort(free_pair(bench.a.address[0]), bench.watch, bench.wake)
    bench.run(bench.plan())
    bench.send(bench.a.rtp, packet(1), "a")
    assert waiting(bench.b.rtp) == [packet(0), packet(1)]
    assert bench.streams["a"].stats().packets == 2
    old.close()


def test_a_remote_that_does_not_listen_costs_nothing_but_the_packets(bench: Bench) -> None:
    """RFC 1122 4.1.3.3: port unreachable reaches the sender as an error on its socket."""
    bench.send(bench.a.rtp, packet(0), "a")
    bench.send(bench.b.rtp, packet(0), "b")
    bench.b.rtp.close()
    for number in range(1, 5):
        bench.send(bench.a.rtp, packet(number), "a")
    assert bench.streams["a"].stats().packets == 5
    assert bench.streams["b"].stats().send_failed > 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=60) | st.binary(max_size=60).map(lambda tail: b"\x80\x00" + tail), max_size=8))
def test_random_datagrams_are_relayed_only_if_they_are_rtp(bench: Bench, datagrams: list[bytes]) -> None:
    for data in datagrams:
        bench.send(bench.a.rtp, data, "a")
        bench.send(bench.a.rtcp, data, "a", rtcp=True)
    assert waiting(bench.b.rtp) == [data for data in datagrams if rtp.fault(data, (0, 101)) is None]
    assert waiting(bench.b.rtcp) == []

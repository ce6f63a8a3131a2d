"""What else a leg's packets do: recordings, captures, taps, fax, a bad network; over real sockets and files."""

import socket
import wave
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.media.bench import REPORT, SECOND, Bench, packet, waiting
from tests.media.test_protection import Device, keys
from voiceconnector.media.capture import CapturedPacket, read
from voiceconnector.media.g711 import PCMU, expand
from voiceconnector.media.plan import Capture, Forward, Impairment, Record, Srtp, Tap
from voiceconnector.media.tap import HEADER

UDPTL = bytes.fromhex("0000 0106 c001 0180 0000 00ff")
SILENCE = expand(b"\xff" * 160, PCMU)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench("127.0.0.1")
    yield made
    made.close()


def with_sinks(bench: Bench, *sinks: Any, **leg_a: Any) -> None:
    bench.run(bench.plan(sinks=(Forward("b"), *sinks), **leg_a))


def failures(bench: Bench) -> list[Any]:
    return [event for event in bench.events if event[0] == "SinkFailed"]


def samples(path: Path) -> bytes:
    with wave.open(str(path)) as wav:
        heard: bytes = wav.readframes(wav.getnframes())
        return heard


@pytest.mark.parametrize("protection", [None, keys()])
def test_a_recording_has_what_came_in_and_the_call_goes_on(
    bench: Bench, tmp_path: Path, protection: Srtp | None
) -> None:
    path = tmp_path / "a.wav"
    with_sinks(bench, Record(str(path)), srtp=protection)
    device = Device(protection) if protection else None
    for number in range(50):
        data = packet(number)
        bench.send(bench.a.rtp, device.protect(data) if device else data, "a")
        bench.now_us += 20_000
        bench.send(bench.b.rtp, packet(number, ssrc=2), "b")
    assert len(waiting(bench.b.rtp)) == len(waiting(bench.a.rtp)) == 50
    bench.sweep(0.5)
    assert samples(path) == SILENCE * 37 + SILENCE[:160]  # a quarter of a second is kept back for late packets
    bench.streams.pop("a").close()
    assert samples(path) == SILENCE * 50


def test_nothing_is_recorded_on_hold_and_the_recording_goes_on_after_it(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    for receive, number in ((True, 0), (False, 1), (True, 2)):
        with_sinks(bench, Record(str(path)), receive=receive)
        bench.send(bench.a.rtp, packet(number), "a")
        bench.now_us += 20_000
    bench.run(bench.plan())
    assert len(samples(path)) == 3 * 320


@pytest.mark.parametrize("sink", [Record, Capture])
def test_a_file_that_can_not_be_written_is_told_once_and_the_call_goes_on(
    bench: Bench, tmp_path: Path, sink: type[Record | Capture]
) -> None:
    path = str(tmp_path / "none" / "file")
    with_sinks(bench, sink(path))
    bench.sweep(2)
    with_sinks(bench, sink(path))
    bench.send(bench.a.rtp, packet(0), "a")
    assert waiting(bench.b.rtp) == [packet(0)]
    assert failures(bench) == [("SinkFailed", 1, "a", sink.__name__, path, "No such file or directory")]


@pytest.mark.parametrize("sink", [Record, Capture])
def test_a_full_disk_is_told_once_and_the_call_goes_on(bench: Bench, sink: type[Record | Capture]) -> None:
    """/dev/full is a disk without room."""
    with_sinks(bench, sink("/dev/full"))
    for number in range(50):
        bench.send(bench.a.rtp, packet(number), "a")
    bench.sweep(2)
    bench.send(bench.a.rtp, packet(50), "a")
    assert len(waiting(bench.b.rtp)) == 51
    assert failures(bench) == [("SinkFailed", 1, "a", sink.__name__, "/dev/full", "No space left on device")]


def test_a_capture_has_both_directions_of_rtp_and_rtcp_as_plain_text_with_their_times(
    bench: Bench, tmp_path: Path
) -> None:
    path = tmp_path / "a.capture"
    device = Device(keys())
    with_sinks(bench, Capture(str(path)), srtp=keys())
    pair = bench.ports["a"].pair
    expected = []
    for number in range(3):
        bench.now_us += 20_000
        bench.send(bench.a.rtp, device.protect(packet(number)), "a")
        bench.send(bench.b.rtp, packet(number, ssrc=2), "b")
        time_us = bench.now_us + bench.wall_us
        local = (pair.address, pair.rtp)
        expected.append(CapturedPacket(time_us, False, False, local, bench.a.address, packet(number)))
        expected.append(CapturedPacket(time_us, True, False, local, bench.a.address, packet(number, ssrc=2)))
    bench.send(bench.a.rtcp, device.protect_rtcp(REPORT), "a", rtcp=True)
    bench.streams["a"].rtcp.send(REPORT)
    reports = (pair.address, pair.rtcp), bench.a.rtcp_address
    expected += [CapturedPacket(time_us, sent, True, *reports, REPORT) for sent in (False, True)]
    bench.sweep(0.5)
    assert list(read(BytesIO(path.read_bytes()))) == expected


def test_a_capture_begun_again_goes_on_in_the_same_file(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "a.capture"
    for number in range(3):
        with_sinks(bench, Capture(str(path)))
        bench.send(bench.a.rtp, packet(number), "a")
        bench.run(bench.plan())
        bench.send(bench.a.rtp, packet(99), "a")
    assert [captured.data for captured in read(BytesIO(path.read_bytes()))] == [packet(number) for number in range(3)]


def test_a_tap_gets_what_comes_in_with_call_leg_and_time(bench: Bench, tmp_path: Path) -> None:
    path = str(tmp_path / "tap")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        with_sinks(bench, Tap(path))
        for number in range(2):
            bench.send(bench.a.rtp, packet(number), "a")
            bench.send(bench.b.rtp, packet(number), "b")
        time_us = bench.now_us + bench.wall_us
        assert waiting(listener) == [HEADER.pack(1, time_us, b"a") + packet(number) for number in range(2)]


def test_a_slow_listener_costs_copies_that_are_counted_and_no_audio(bench: Bench, tmp_path: Path) -> None:
    path = str(tmp_path / "tap")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        with_sinks(bench, Tap(path))
        for number in range(600):
            bench.send(bench.a.rtp, packet(number), "a")
        relayed = len(waiting(bench.b.rtp))
        copies = len(waiting(listener))
        assert copies < 600
        assert bench.streams["a"].stats().tap_dropped == 600 - copies
        assert relayed > copies


def test_a_listener_may_come_late_and_go_and_come_again(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "tap"
    with_sinks(bench, Tap(str(path)))
    bench.send(bench.a.rtp, packet(0), "a")
    for number in (1, 3):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(str(path))
            bench.sweep(0.5)
            bench.send(bench.a.rtp, packet(number), "a")
            assert [copy[HEADER.size :] for copy in waiting(listener)] == [packet(number)]
        path.unlink()
        bench.send(bench.a.rtp, packet(number + 1), "a")
        bench.sweep(0.5)
    assert len(waiting(bench.b.rtp)) == 5
    assert failures(bench) == [("SinkFailed", 1, "a", "Tap", str(path), "No such file or directory")]


def test_fax_goes_both_ways_as_it_is(bench: Bench) -> None:
    """T.38 over UDPTL (RFC 3362): not RTP, and whatever its first bytes are."""
    plan = bench.plan(protocol="UDPTL")
    bench.run(plan._replace(streams=tuple(leg._replace(protocol="UDPTL") for leg in plan.streams)))
    frames = [UDPTL, b"\x00\x01\x02", b"\x80", packet(1), b"\xff" * 1400]
    for frame in frames:
        bench.send(bench.a.rtp, frame, "a")
        bench.send(bench.b.rtp, frame, "b")
    assert waiting(bench.a.rtp) == waiting(bench.b.rtp) == frames
    stats = bench.streams["a"].stats()
    assert (stats.packets, stats.bytes, stats.lost) == (5, sum(map(len, frames)), 0)
    assert (stats.malformed, stats.wrong_payload_type, stats.sent_packets) == (0, 0, 5)


def test_fax_from_a_stranger_is_not_relayed(bench: Bench) -> None:
    bench.run(bench.plan(protocol="UDPTL"))
    bench.send(bench.a.rtp, UDPTL, "a")
    bench.send(bench.stranger.rtp, UDPTL, "a")
    bench.send(bench.a.rtp, b"", "a")
    assert waiting(bench.b.rtp) == [UDPTL]
    stats = bench.streams["a"].stats()
    assert (stats.packets, stats.malformed) == (1, 1)


def test_a_call_may_become_a_fax_and_a_call_again(bench: Bench) -> None:
    """T.38 annex D: a re-INVITE each way, on the same ports."""
    bench.send(bench.a.rtp, packet(0), "a")
    bench.send(bench.a.rtp, UDPTL, "a")
    bench.run(bench.plan(protocol="UDPTL"))
    bench.send(bench.a.rtp, UDPTL, "a")
    bench.run(bench.plan())
    bench.send(bench.a.rtp, UDPTL, "a")
    bench.send(bench.a.rtp, packet(1), "a")
    assert waiting(bench.b.rtp) == [packet(0), UDPTL, packet(1)]
    assert bench.streams["a"].stats().malformed == 2


def test_received_packets_are_delayed_before_they_are_counted(bench: Bench) -> None:
    bench.run(bench.plan(impair_received=Impairment(delay_ms=50.0)))
    for number in range(3):
        bench.send(bench.a.rtp, packet(number), "a")
        bench.send(bench.a.rtcp, REPORT, "a", rtcp=True)
    bench.wait(49)
    assert bench.streams["a"].stats().packets == bench.streams["a"].stats().rtcp_packets == 0
    bench.wait(2)
    assert waiting(bench.b.rtp) == [packet(number) for number in range(3)]
    assert bench.streams["a"].stats().packets == bench.streams["a"].stats().rtcp_packets == 3


def test_sent_packets_are_delayed_on_their_way(bench: Bench) -> None:
    bench.run(bench.plan(impair_sent=Impairment(delay_ms=50.0), srtp=keys()))
    device = Device(keys())
    bench.send(bench.b.rtp, packet(0), "b")
    bench.streams["a"].rtcp.send(REPORT)
    assert waiting(bench.a.rtp) == waiting(bench.a.rtcp) == []
    bench.wait(51)
    assert [device.unprotect(data) for data in waiting(bench.a.rtp)] == [packet(0)]
    assert [device.unprotect(data, rtcp=True) for data in waiting(bench.a.rtcp)] == [REPORT]


def test_planned_loss_and_jitter_are_what_is_counted(bench: Bench) -> None:
    """Within four standard deviations; RFC 3550 6.4.1's jitter of uniform delays 0 to J tends to J / 3."""
    bench.run(bench.plan(impair_received=Impairment(loss=0.05, jitter_ms=15.0)))
    for number in range(3000):
        bench.send(bench.a.rtp, packet(number), "a")
        bench.wait(20)
        if number % 100 == 0:
            waiting(bench.b.rtp)
    stats = bench.streams["a"].stats()
    assert abs(stats.lost - 150) < 4 * (3000 * 0.05 * 0.95) ** 0.5
    assert abs(stats.jitter_us - 5000) < 2500  # sixteen packets' worth of averaging is all there is
    assert stats.out_of_order == 0


def test_a_network_that_got_well_again_delivers_what_is_still_under_way(bench: Bench) -> None:
    bench.run(bench.plan(impair_received=Impairment(delay_ms=50.0)))
    bench.send(bench.a.rtp, packet(0), "a")
    bench.run(bench.plan())
    bench.send(bench.a.rtp, packet(1), "a")
    bench.wait(60)
    assert waiting(bench.b.rtp) == [packet(1), packet(0)]


def test_what_is_under_way_when_the_call_ends_goes_nowhere(bench: Bench) -> None:
    bad = Impairment(delay_ms=50.0)
    bench.run(bench.plan(impair_received=bad, impair_sent=bad))
    bench.send(bench.a.rtp, packet(0), "a")
    bench.send(bench.b.rtp, packet(0), "b")
    bench.streams.pop("a").close()
    bench.wait(SECOND // 1000)
    assert waiting(bench.a.rtp) == waiting(bench.b.rtp) == []

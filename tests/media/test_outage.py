"""Muted media addresses: what the relay behind is told, and that the real one lets nothing through."""

import pytest

from tests.media.test_relay import HOST, REPORT, Call, applied, packet
from tests.media.test_relay import relay as relay  # a fixture
from voiceconnector.media.outage import MutableRelay
from voiceconnector.media.plan import Forward, MediaPlan, PortPair, StreamPlan, Tone
from voiceconnector.media.relay import Relay

EAST, WEST = "192.0.2.1", "192.0.2.2"


class Recorder:
    """A relay that only remembers the plans it runs."""

    def __init__(self) -> None:
        self.running: dict[int, MediaPlan] = {}
        self.given_back: list[PortPair] = []

    def allocate(self, media_address: str) -> PortPair | None:
        return PortPair(media_address, 20_000)

    def why_none(self, media_address: str) -> str:
        return f"none on {media_address}"

    def apply(self, call: int, plan: MediaPlan) -> None:
        self.running[call] = plan

    def release(self, call: int, pairs: tuple[PortPair, ...]) -> None:
        self.running.pop(call, None)
        self.given_back += pairs


def plan(address: str) -> MediaPlan:
    remote = ("198.51.100.7", 4000)
    return MediaPlan(
        (
            StreamPlan("a", PortPair(address, 20_000), remote, (0,), sinks=(Forward("b"),)),
            StreamPlan("b", PortPair(address, 20_002), remote, (0,), sinks=(Forward("a"),), sources=(Tone(440),)),
        )
    )


def test_a_silent_plan_has_the_same_ports_and_lets_nothing_through() -> None:
    silent = plan(EAST).silent()
    assert is_silent(silent)
    assert [stream.pair for stream in silent.streams] == [stream.pair for stream in plan(EAST).streams]
    assert silent.silent() == silent


def is_silent(running: MediaPlan) -> bool:
    return not any(stream.receive or stream.send or stream.sinks or stream.sources for stream in running.streams)


def test_without_an_outage_plans_pass_as_they_are() -> None:
    recorder = Recorder()
    relay = MutableRelay(recorder)
    assert relay.allocate(EAST) == PortPair(EAST, 20_000)
    assert relay.why_none(EAST) == "none on 192.0.2.1"
    relay.apply(1, plan(EAST))
    assert recorder.running == {1: plan(EAST)}
    relay.release(1, (PortPair(EAST, 20_000),))
    assert (recorder.running, recorder.given_back) == ({}, [PortPair(EAST, 20_000)])


def test_a_muted_address_silences_its_calls_until_it_is_heard_again() -> None:
    recorder = Recorder()
    relay = MutableRelay(recorder)
    relay.apply(1, plan(EAST))
    relay.apply(2, plan(WEST))
    relay.mute(EAST, True)
    assert is_silent(recorder.running[1])
    assert [stream.pair.rtp for stream in recorder.running[1].streams] == [20_000, 20_002]
    assert recorder.running[2] == plan(WEST)
    relay.mute(EAST, False)
    assert recorder.running == {1: plan(EAST), 2: plan(WEST)}


def test_calls_that_begin_change_and_end_in_an_outage_stay_silent() -> None:
    recorder = Recorder()
    relay = MutableRelay(recorder)
    relay.mute(EAST, True)
    relay.apply(1, plan(EAST))
    assert is_silent(recorder.running[1])
    relay.apply(1, plan(EAST))
    assert is_silent(recorder.running[1])
    relay.release(1, ())
    relay.mute(EAST, False)
    assert recorder.running == {}


def test_the_relay_counts_what_comes_in_an_outage_and_passes_none_of_it_on(relay: Relay) -> None:
    mutable = MutableRelay(relay)
    with Call(relay, 1) as call:
        mutable.apply(1, call.plan)
        call.exchange(1)
        mutable.mute(HOST, True)
        applied(relay, 1)
        for sender, pair in ((call.a, call.pairs[0]), (call.b, call.pairs[1])):
            sender.sendto(packet(2), pair)
            sender.sendto(REPORT, (HOST, pair.rtcp))
        stats = applied(relay, 1)
        while [stream.packets for stream in stats.streams] != [2, 2]:
            stats = applied(relay, 1)
        mutable.mute(HOST, False)
        applied(relay, 1)
        call.exchange(3)  # The first packet that arrives is this one.
        assert [stream.sent_packets for stream in applied(relay, 1).streams] == [2, 2]
        for end in (call.a, call.b):
            end.setblocking(False)
            with pytest.raises(BlockingIOError):
                end.recv(2048)
        mutable.release(1, tuple(call.pairs))

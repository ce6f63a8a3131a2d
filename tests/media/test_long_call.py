"""A call of a day, in virtual time: numbers wrap, reports go on, and nothing grows."""

import gc
import sys

import pytest

from tests.flows.stage import Stage
from tests.media.line import SECOND, Line
from voiceconnector.calls.events import MediaQuality
from voiceconnector.media import rtcp, rtp
from voiceconnector.media.relay import CallStats, MinuteStats
from voiceconnector.media.relay_process import MINUTE_US, Call
from voiceconnector.media.reports import COMPENSATION

HOURS = 24
INTERVAL_US = 1_500_000
"""Packets, and looks at the call, are as few as can be without the stream counting as silent."""
SAMPLES = INTERVAL_US // 125
PACKETS = HOURS * 3600 * SECOND // INTERVAL_US
SEQUENCE_NUMBER, TIMESTAMP = 60_000, 0xFFFFFFFF - 8000 * 3600
"""Both wrap within the day."""


def test_a_call_of_a_day_is_reported_each_minute_and_holds_no_more_than_at_first() -> None:
    """RFC 3550 A.1: sequence numbers wrap every 22 minutes of audio; SR and RR go on."""
    line, stage, minutes = Line(sweep_us=INTERVAL_US), Stage(), Call()
    stage.answered()
    minutes.minute_us = line.now_us + MINUTE_US
    sent = dict.fromkeys("ab", 0)

    def talk() -> None:
        for number, leg in enumerate("ab"):
            count = sent[leg]
            packet = rtp.build(0, SEQUENCE_NUMBER + count, TIMESTAMP + SAMPLES * count, 5 + number, b"\x80" * 160)
            line.send(packet, line.ports[f"phone {leg}"].rtp.address, line.ports[leg].rtp.address)
            sent[leg] += 1

    def look() -> None:
        line.networks["a"].carried[:-20] = []
        if minutes.minute_over(line.now_us):
            streams = tuple(line.stats(leg) for leg in "ab")
            stage.tell(MinuteStats(1, streams))

    line.phones.clear()
    for leg in "ab":
        line.ports[f"phone {leg}"].free()
    line.every(INTERVAL_US, talk)
    line.every(INTERVAL_US, look)
    sizes, reports = [], 0
    for hour in range(HOURS):
        line.networks["a"].carried.clear()
        line.networks["b"].carried.clear()
        line.run(3600)
        reports += len(line.networks["b"].carried)
        if hour in (1, HOURS - 1):
            sizes.append(held(line))
    last = rtcp.parse(line.networks["b"].carried[-1][2])
    assert last
    sender, (block,) = last.reports[0].sender, last.reports[0].blocks
    assert sender
    assert sender.packets == pytest.approx(PACKETS, abs=5)
    assert sender.rtp_timestamp == pytest.approx((TIMESTAMP + SAMPLES * PACKETS) & 0xFFFFFFFF, abs=8000 * 6)
    assert block.highest_sequence_number == pytest.approx(SEQUENCE_NUMBER + PACKETS, abs=5)
    assert block.cumulative_lost == 0
    for leg in "ab":
        stats = line.stats(leg)
        assert (stats.packets, stats.lost, stats.out_of_order, stats.jitter_us) == (sent[leg], 0, 0, 0)
        assert stats.drift_ppm == 0
    assert reports == pytest.approx(HOURS * 3600 / (5 / COMPENSATION + 0.75), rel=0.02)
    told = [event for event in stage.events if isinstance(event, MediaQuality)]
    assert len(told) == HOURS * 60
    assert {event.cust2vc.rtp_packets for event in told[1:]} == {40}
    assert {event.cust2vc.packets_lost for event in told} == {0}
    assert sizes[1] <= sizes[0] * 1.02


def held(line: Line) -> int:
    """Bytes of all that the two legs lead to, besides the line and each other's sockets."""
    gc.collect()
    seen, bytes_held = {id(line), id(line.events)}, 0
    waiting: list[object] = [line.legs[leg] for leg in "ab"]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, type | Line) or callable(thing):
            continue
        seen.add(id(thing))
        bytes_held += sys.getsizeof(thing)
        waiting += gc.get_referents(thing)
    return bytes_held


def test_a_call_that_ends_on_the_minute_is_told_of_it_once() -> None:
    stage, line = Stage(), Line()
    stage.answered()
    line.converse()
    line.run(60)
    streams = tuple(line.stats(leg) for leg in "ab")
    stage.ports.told_of_ends = False
    stage.tell(MinuteStats(1, streams))
    stage.pbx.session.hang_up(stage.now)
    stage.run()
    stage.tell(CallStats(1, True, streams))
    assert len([event for event in stage.events if isinstance(event, MediaQuality)]) == 1

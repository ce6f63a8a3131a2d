"""A call of a day, in virtual time, as signalling sees it: refreshed without end, told each minute, recorded once."""

import gc
import sys
from dataclasses import replace

import pytest

from tests.flows.stage import FAR, Stage, sdp
from tests.flows.test_in_call import answering
from tests.world import LATENCY
from voiceconnector.calls.events import MediaQuality
from voiceconnector.media.quality import StreamStats
from voiceconnector.media.relay import MinuteStats
from voiceconnector.records import cdr
from voiceconnector.sip.transaction import LONGEST_LOG
from voiceconnector.trunk.profile import LAB

HOURS = 24
INTERVAL = 90
"""Seconds: the shortest session there is (RFC 4028 4), so that there are as many refreshes as there can be."""
REFRESHES = HOURS * 3600 * 2 // INTERVAL
PACKETS_A_MINUTE = 3000
WITH_UPDATE, WITHOUT_UPDATE = "INVITE, ACK, BYE, CANCEL, UPDATE", "INVITE, ACK, BYE, CANCEL"
WAYS = {
    "the PBX, by UPDATE": ("uac", WITH_UPDATE, "pbx>trunk UPDATE"),
    "the trunk, by UPDATE": ("uas", WITH_UPDATE, "trunk>pbx UPDATE"),
    "the trunk, by re-INVITE": ("uas", WITHOUT_UPDATE, "trunk>pbx INVITE"),
}
"""Who refreshes, what the PBX allows, and the refresh as the ladder shows it."""


class Day:
    """A call with a session timer on either side, and what it was seen to hold and to send by the hour."""

    def __init__(self, refresher: str, allow: str) -> None:
        self.stage = stage = Stage(replace(LAB, maximum_call_duration=float(HOURS * 3600 + 60)))
        stage.pbx.when_asked = answering(sdp())
        stage.far.when_asked = answering(sdp(FAR, 6000))
        timer = f"Session-Expires: {INTERVAL};refresher={refresher}\r\n"
        stage.pbx.dial(headers=f"Allow: {allow}\r\nSupported: timer\r\n{timer}")
        stage.run()
        stage.far.pick_up(f"Require: timer\r\nAllow: {allow}\r\nSession-Expires: {INTERVAL};refresher=uac\r\n")
        stage.run()
        assert stage.pbx.heard[-1] == "answered", stage.world.drawn()
        assert stage.history.answered_at
        self.answered_at = stage.history.answered_at
        self.minutes = 0
        self.messages: list[str] = []

    def hour(self) -> None:
        """An hour of it, which ends when a message to the trunk has yet to arrive."""
        for _ in range(60):
            self.minutes += 1
            self.stage.world.run_until(self.answered_at + 60 * self.minutes - LATENCY)
            packets = PACKETS_A_MINUTE * self.minutes
            stats = [StreamStats(leg, packets, packets * 172, sent_packets=packets) for leg in "ab"]
            self.stage.ports.told.append(MinuteStats(1, tuple(stats)))
            self.stage.run(0)
        self.messages += self.stage.world.told()
        self.stage.world.ladder.clear()

    def held(self) -> dict[str, int]:
        """What the trunk holds: things by their number, and bytes of all that it leads to but the message log."""
        stack, history = self.stage.switch.stack, self.stage.history
        return {
            "dialogs": len(stack.dialogs),
            "transactions": len(list(stack.transactions())),
            "timers": len(stack.timers),
            "notes": len(history.notes),
            "facts": len(history.media_facts),
            "bytes": self._bytes(),
        }

    def _bytes(self) -> int:
        gc.collect()
        stage = self.stage
        stage.switch.events = []
        ours = (stage, stage.world, stage.ports, stage.names, stage.history.log)
        seen, total = {id(thing) for thing in ours}, 0
        waiting: list[object] = [stage.switch]
        while waiting:
            thing = waiting.pop()
            if id(thing) in seen or isinstance(thing, type) or callable(thing):
                continue
            seen.add(id(thing))
            total += sys.getsizeof(thing)
            waiting += gc.get_referents(thing)
        return total


@pytest.mark.parametrize(("refresher", "allow", "refresh"), WAYS.values(), ids=WAYS)
def test_a_call_of_a_day_is_refreshed_and_told_of_and_recorded_once(refresher: str, allow: str, refresh: str) -> None:
    """RFC 4028 7.4, 10: refreshed at half of the interval on both sides; guide p. 76: one record, of a day."""
    day = Day(refresher, allow)
    stage, held = day.stage, []
    for hour in range(HOURS):
        day.hour()
        assert not stage.ended(), f"ended in hour {hour}: {stage.notes}"
        assert len(stage.history.log) <= LONGEST_LOG
        if hour in (1, HOURS - 1):
            held.append(day.held())
    assert day.messages.count(refresh) == pytest.approx(REFRESHES, rel=0.01)
    assert len([what for what in day.messages if what.startswith("trunk>far")]) >= REFRESHES * 0.99
    assert_steady(*held)

    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1, explained=["The caller hung up.", "Answered, 86400.0 s long."])
    (ended,) = stage.ended()
    assert cdr.billable_seconds(ended) == HOURS * 3600
    quality = [event for event in stage.events if isinstance(event, MediaQuality)]
    assert len(quality) == HOURS * 60
    assert {(event.cust2vc.rtp_packets, event.rem2vc.rtp_packets) for event in quality} == {
        (PACKETS_A_MINUTE, PACKETS_A_MINUTE)
    }
    assert {event.seconds for event in quality[1:]} == {60.0}


def assert_steady(early: dict[str, int], late: dict[str, int]) -> None:
    """Nothing has become more but what a refresh on each side has under way, which ends by itself."""
    assert early["dialogs"] == late["dialogs"] == 2
    assert max(early["transactions"], late["transactions"]) <= 2
    assert early["timers"] - early["transactions"] == late["timers"] - late["transactions"]
    assert (early["notes"], early["facts"]) == (late["notes"], late["facts"])
    assert late["bytes"] <= early["bytes"] * 1.1

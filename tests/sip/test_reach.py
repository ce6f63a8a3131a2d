"""What is between a listener and the world: nothing, a delay, or a wall."""

from voiceconnector.sip.hop import Local
from voiceconnector.sip.reach import LOST, Reach

EAST, WEST = Local("us-east-1", "UDP", "192.0.2.1", 5060), Local("us-west-2", "UDP", "192.0.2.2", 5060)


def test_packets_travel_at_once_where_nothing_is_said() -> None:
    reach = Reach()
    assert not reach.delays
    assert reach.delay(EAST) == 0
    assert reach.dropped == {}


def test_what_is_cut_off_loses_packets_and_counts_them() -> None:
    reach = Reach()
    reach.set("us-east-1", LOST)
    assert [reach.delay(local) for local in (EAST, WEST, EAST)] == [LOST, 0, LOST]
    assert (reach.is_cut_off("us-east-1"), reach.is_cut_off("us-west-2")) == (True, False)
    assert reach.dropped == {"us-east-1": 2}


def test_a_delay_goes_and_nothing_is_left_of_it() -> None:
    reach = Reach()
    reach.set("us-east-1", 2.0)
    assert reach.delay(EAST) == 2.0
    assert not reach.is_cut_off("us-east-1")
    reach.set("us-east-1", 0)
    reach.set("us-west-2", 0)
    assert not reach.delays
    assert reach.dropped == {}

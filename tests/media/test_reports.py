"""What legs and their remotes tell each other by RTCP, over networks whose faults are known."""

from itertools import pairwise
from random import Random

import pytest

from tests.media.line import EPOCH_US, PAIRS, SECOND, Line
from voiceconnector.media import rtcp, rtp
from voiceconnector.media.plan import Impairment, Tone
from voiceconnector.media.quality import Reception
from voiceconnector.media.reports import COMPENSATION, Reporter, Sent


@pytest.fixture
def line() -> Line:
    line = Line()
    line.converse()
    return line


def sent_by(line: Line, name: str) -> list[tuple[int, rtcp.Compound]]:
    """The RTCP of one end, all of it well-formed, with the times it was sent."""
    found = [(at_us, rtcp.parse(packet)) for at_us, _, packet in line.networks[name].carried]
    good = [(at_us, compound) for at_us, compound in found if compound]
    assert len(good) == len(found)
    return good


def test_each_leg_reports_as_a_sender_with_a_name_and_its_own_numbers(line: Line) -> None:
    """RFC 3550 6.1: each compound packet has a report and a CNAME; 6.4.1: what an SR says."""
    line.run(60)
    at_us, compound = sent_by(line, "b")[-1]
    (report,) = compound.reports
    assert compound.cname
    assert compound.cname != sent_by(line, "a")[-1][1].cname
    assert line.phones["phone a"].player
    assert line.phones["phone b"].player
    assert report.ssrc == line.phones["phone a"].player.ssrc, "the SSRC of the stream that is forwarded"
    assert report.sender
    assert report.sender.ntp_timestamp == rtcp.ntp_timestamp(at_us + EPOCH_US - 1000 * SECOND)
    assert abs(report.sender.packets - 50 * (at_us - 1000 * SECOND) // SECOND) <= 1
    assert report.sender.octets == 160 * report.sender.packets
    (block,) = report.blocks
    assert block.ssrc == line.phones["phone b"].player.ssrc
    assert (block.fraction_lost, block.cumulative_lost) == (0, 0)


def test_an_sr_s_two_clocks_show_the_same_moment(line: Line) -> None:
    """RFC 3550 6.4.1: the RTP timestamp corresponds to the same time as the NTP timestamp."""
    line.run(60)
    senders = [compound.reports[0].sender for _, compound in sent_by(line, "b")]
    pairs = [(first, second) for first, second in pairwise(senders) if first and second]
    assert len(pairs) > 5
    for first, second in pairs:
        ntp_seconds = (second.ntp_timestamp - first.ntp_timestamp) / (1 << 32)
        rtp_seconds = (second.rtp_timestamp - first.rtp_timestamp & 0xFFFFFFFF) / 8000
        assert rtp_seconds == pytest.approx(ntp_seconds, abs=0.000_3)


def test_reports_come_at_random_intervals_about_the_least_and_the_first_after_half(line: Line) -> None:
    """RFC 3550 6.2, 6.3.1: Tmin 5 s, halved at first, times 0.5 to 1.5, divided by e - 3/2; we look twice a second."""
    line.run(600)
    for name in "ab":
        times = [at_us for at_us, _ in sent_by(line, name)]
        intervals = [later - earlier for earlier, later in pairwise(times)]
        assert times[0] - 1000 * SECOND <= 2.5 * 1.5 / COMPENSATION * SECOND + SECOND / 2
        assert min(intervals) >= 2.5 / COMPENSATION * SECOND
        assert max(intervals) <= 7.5 / COMPENSATION * SECOND + SECOND / 2
        assert len({interval // (SECOND // 2) for interval in intervals}) > 4
        assert 4 * SECOND < sum(intervals) / len(intervals) < 5 * SECOND


def test_the_round_trip_is_that_of_the_network(line: Line) -> None:
    """RFC 3550 6.4.1: A - LSR - DLSR."""
    line.networks["phone a"].delay_us, line.networks["a"].delay_us = 40_000, 25_000
    line.run(60)
    assert line.stats("a").rtt_us == pytest.approx(65_000, abs=50)
    assert line.stats("b").rtt_us == pytest.approx(0, abs=50)


def test_loss_in_either_direction_is_what_the_network_dropped(line: Line) -> None:
    line.networks["phone a"].loss, line.networks["a"].loss = 0.05, 0.02
    line.run(120)
    for network in line.networks.values():
        network.loss = 0
    line.run(10)
    stats = line.stats("a")
    assert line.networks["phone a"].dropped > 250
    assert stats.lost == line.networks["phone a"].dropped
    assert stats.remote_lost == line.networks["a"].dropped
    assert line.stats("b").remote_lost == stats.lost, "what did not come cannot be sent on"


def test_jitter_in_either_direction_is_the_network_s(line: Line) -> None:
    """RFC 3550 A.8 estimates the mean step of the transit time: a third of what is added uniformly."""
    line.networks["phone a"].jitter_us, line.networks["a"].jitter_us = 18_000, 9_000
    line.run(120)
    stats = line.stats("a")
    assert stats.jitter_total_us / stats.jitter_samples == pytest.approx(6_000, rel=0.1)
    assert stats.remote_jitter_total_us / stats.remote_reports == pytest.approx(3_000, rel=0.25)


def test_the_plan_s_own_bad_network_gives_the_figures_it_should(line: Line) -> None:
    """`StreamPlan.impair_received` and `impair_sent`: loss within three sigma, jitter a third, delay both ways."""
    received = Impairment(loss=0.05, delay_ms=40, jitter_ms=12, seed=3)
    line.replan("a", impair_received=received, impair_sent=Impairment(loss=0.02, delay_ms=30, seed=4))
    line.run(240)
    stats, packets = line.stats("a"), 240 * 50
    assert stats.lost / packets == pytest.approx(0.05, abs=3 * (0.05 * 0.95 / packets) ** 0.5)
    assert stats.remote_lost
    assert stats.remote_lost / packets == pytest.approx(0.02, abs=3 * (0.02 * 0.98 / packets) ** 0.5)
    assert stats.jitter_total_us / stats.jitter_samples == pytest.approx(4_000, rel=0.15)
    assert stats.rtt_samples
    assert stats.rtt_total_us / stats.rtt_samples == pytest.approx(76_000, abs=3_000)


def test_reports_go_on_while_media_is_on_hold_without_anything_sent(line: Line) -> None:
    """RFC 3264 5.1, 8.4: RTCP is sent whatever the direction; RFC 3550 6.4: then by RR."""
    line.run(20)
    for leg in "ab":
        line.replan(leg, receive=False, send=False)
    line.run(30)
    line.networks["b"].carried.clear()
    line.run(30)
    compounds = sent_by(line, "b")
    assert len(compounds) >= 4
    assert all(compound.reports[0].sender is None for _, compound in compounds)


def test_a_plan_that_leads_nowhere_sends_no_report(line: Line) -> None:
    line.run(20)
    for leg in "ab":
        line.replan(leg, receive=False, send=False, sinks=())
    line.networks["b"].carried.clear()
    line.run(30)
    line.hang_up()
    assert not line.networks["b"].carried


def test_the_end_of_a_call_is_said(line: Line) -> None:
    """RFC 3550 6.6: BYE, after a last report."""
    line.run(20)
    line.hang_up()
    _, compound = sent_by(line, "a")[-1]
    assert compound.goodbyes == (compound.reports[0].ssrc,)
    assert compound.cname


def test_one_who_never_sent_anything_leaves_without_a_word() -> None:
    """RFC 3550 6.3.7."""
    assert Reporter(Random(1), 0, 0).farewell(None, Reception(), SECOND) == b""


def test_a_new_stream_counts_from_its_beginning(line: Line) -> None:
    """RFC 3550 6.4.1: the counts are reset if the sender changes its SSRC."""
    line.run(30)
    line.phones["phone a"].player = None
    line.talk("phone a", Tone(500))
    line.networks["b"].carried.clear()
    line.run(10)
    senders = [compound.reports[0].sender for _, compound in sent_by(line, "b")]
    assert senders[-1]
    assert senders[-1].packets <= 15 * 50


def reporter_and_ssrc() -> tuple[Reporter, int, int]:
    """One that has sent an SR at one second; its SSRC, and the middle of its NTP timestamp."""
    reporter = Reporter(Random(1), 0, 0)
    compound = rtcp.parse(reporter.compound(Sent(7, 0, 100, 16_000), Reception(), SECOND))
    assert compound
    assert compound.reports[0].sender
    return reporter, 7, rtcp.middle(compound.reports[0].sender.ntp_timestamp)


def told(reporter: Reporter, at_us: int, **fields: int) -> None:
    block = rtcp.ReportBlock(7, 0, 0, 0, 0, 0, 0)._replace(**fields)
    compound = rtcp.parse(rtcp.report(9, None, [block]))
    assert compound
    reporter.take(compound, at_us)


def test_a_round_trip_is_only_believed_of_a_report_that_was_sent() -> None:
    reporter, _, last_sr = reporter_and_ssrc()
    told(reporter, 2 * SECOND, last_sr=last_sr - 1, delay_since_last_sr=0)
    told(reporter, 2 * SECOND, last_sr=0)
    told(reporter, 2 * SECOND, last_sr=last_sr, delay_since_last_sr=2 << 16)  # it cannot have waited so long
    assert reporter.rtt_us is None
    told(reporter, 2 * SECOND, last_sr=last_sr, delay_since_last_sr=0xE666)
    assert reporter.rtt_us == pytest.approx(100_000, abs=20)


def test_reports_on_streams_of_others_are_not_ours() -> None:
    reporter, _, _ = reporter_and_ssrc()
    told(reporter, 2 * SECOND, ssrc=8, cumulative_lost=50)
    assert reporter.remote_lost is None
    told(reporter, 2 * SECOND, cumulative_lost=50, jitter=80)
    assert reporter.remote_lost == 50
    assert reporter.remote_jitter_us == 10_000


def test_claims_beyond_reason_do_not_spoil_the_figures() -> None:
    reporter, _, _ = reporter_and_ssrc()
    told(reporter, 2 * SECOND, cumulative_lost=-5, jitter=0xFFFFFFFF)
    assert reporter.remote_lost == 0
    assert reporter.remote_jitter_us == 10 * SECOND


def test_a_flood_of_reports_is_counted_and_not_read(line: Line) -> None:
    line.run(2)
    port, before = line.ports["a"], line.stats("a")
    source = (PAIRS["phone a"].address, PAIRS["phone a"].rtcp)
    for _ in range(100):
        port.rtcp.waiting.append((rtcp.report(1, None), source))
        port.handlers[port.rtcp.address[1]](line.now_us)
    stats = line.stats("a")
    assert stats.rtcp_packets - before.rtcp_packets <= 8
    assert stats.malformed >= 90
    line.run(60)
    assert line.stats("a").rtcp_packets > stats.rtcp_packets


def test_what_is_sent_is_counted_in_bytes_too(line: Line) -> None:
    line.run(10)
    stats = line.stats("b")
    assert stats.sent_bytes == stats.sent_packets * (rtp.HEADER_SIZE + 160)
    assert stats.rtcp_sent_packets == len(line.networks["b"].carried)
    assert stats.rtcp_sent_bytes == sum(len(packet) for _, _, packet in line.networks["b"].carried)

"""The relay's events, in words and numbers."""

from typing import Any

import pytest

from tests.flows.stage import EPOCH, FAR, PBX, Stage
from voiceconnector.calls import explain, media_verdict
from voiceconnector.calls.events import DirectionQuality, MediaFinding, MediaQuality
from voiceconnector.calls.history import DIGITS, MediaFact
from voiceconnector.media.plan import AUTHENTICATION, UNENCRYPTED
from voiceconnector.media.quality import StreamStats
from voiceconnector.media.relay import (
    AudioHeard,
    CallStats,
    ClockDrift,
    DigitReceived,
    FirstPacket,
    MediaStopped,
    MinuteStats,
    NoMedia,
    ProtectionFailed,
    RelayEvent,
    SilentAudio,
    SinkFailed,
    Told,
    ToneDigit,
    WrongPayloadType,
    WrongSource,
)
from voiceconnector.trunk.profile import LAB

COUNTED = StreamStats("a", 100, 17200, 2, 500, 1, 3, 4, 5, 6, 700, 99, 8, 1, 2, (PBX, 4000))._replace(
    srtp_auth_failed=9, srtp_replayed=10, srtp_truncated=11, srtp_unencrypted=12
)


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.answered()
    return stage


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (FirstPacket(1, "a", (PBX, 4000), (PBX, 4000)), f"First RTP from the PBX, from {PBX}:4000."),
        (FirstPacket(1, "a", (PBX, 4000), None), f"First RTP from the PBX, from {PBX}:4000."),
        (
            FirstPacket(1, "b", ("2001:db8::1", 4), (FAR, 6000)),
            f"First RTP from the PSTN side comes from [2001:db8::1]:4, while its SDP says {FAR}:6000; "
            "audio is sent back to where it comes from. Look at the address its SDP names, and at NAT on the way.",
        ),
        (
            ProtectionFailed(1, "a", (PBX, 4000), AUTHENTICATION),
            f"Packets come from {PBX}:4000 but cannot be authenticated with the key in the SDP of the PBX; they are "
            "not relayed. Look whether the device sends with the key and suite of its own a=crypto line whose tag was "
            "agreed on, and goes on doing so after a re-INVITE.",
        ),
        (
            ProtectionFailed(1, "b", (FAR, 6000), UNENCRYPTED),
            f"RTP from the PSTN side, from {FAR}:6000, is not encrypted, though SRTP was agreed on; it is not "
            "relayed. Have the device send what its SDP says (RTP/SAVP), or agree on RTP/AVP.",
        ),
        (
            ProtectionFailed(1, "a", None, "F8 is not a suite that the relay has"),
            "No media for the PBX: the keys agreed on can not be used, F8 is not a suite that the relay has.",
        ),
        (
            SinkFailed(1, "a", "Record", "/a.wav", "No space left on device"),
            "Record of the PBX to /a.wav: No space left on device. The call goes on without it.",
        ),
        (
            WrongSource(1, "a", ("192.0.2.66", 9), None),
            "RTP came from 192.0.2.66:9 too, which is not the PBX (no address yet); it is not relayed.",
        ),
    ],
)
def test_an_event_is_a_sentence(stage: Stage, event: RelayEvent, sentence: str) -> None:
    stage.tell(event)
    assert stage.history.notes[-1][1] == sentence
    (finding,) = [told for told in stage.events if isinstance(told, MediaFinding)]
    assert finding.text == sentence
    assert finding.aws_transaction_id == stage.history.aws_transaction_id


@pytest.mark.parametrize(("leg", "party"), [("a", "the PBX"), ("b", "the PSTN side")])
def test_silence_names_where_the_party_was_told_to_send(stage: Stage, leg: str, party: str) -> None:
    told = stage.plan.streams["ab".index(leg)].pair
    stage.tell(NoMedia(1, leg, 5.0))
    assert stage.notes.startswith(f"No RTP from {party} for 5 s; it was told to send to {told.address}:{told.rtp}.")
    assert "firewall or NAT" in stage.notes


def test_the_counters_of_a_leg_are_two_directions(stage: Stage) -> None:
    stage.tell(CallStats(1, False, (COUNTED,)))
    assert stage.history.media["cust2vc"] == {
        "packets": 100,
        "bytes": 17200,
        "lost": 2,
        "jitter_us": 500,
        "out_of_order": 1,
        "wrong_payload_type": 3,
        "wrong_source": 4,
        "malformed": 5,
        "srtp_auth_failed": 9,
        "srtp_replayed": 10,
        "srtp_truncated": 11,
        "srtp_unencrypted": 12,
        "rtcp_packets": 6,
        "rtcp_bytes": 700,
        "rtt_us": None,
        "mos": None,
        "clock_drift_ppm": None,
        "source": f"{PBX}:4000",
    }
    assert stage.history.media["vc2cust"] == {
        "packets": 99,
        "bytes": 0,
        "lost": None,
        "jitter_us": None,
        "rtcp_packets": 0,
        "rtcp_bytes": 0,
        "rtt_us": None,
        "mos": None,
        "send_failed": 8,
    }


def test_counters_come_after_the_end_too(stage: Stage) -> None:
    stage.ports.told_of_ends = False
    stage.pbx.session.hang_up(stage.now)
    stage.run()
    stage.tell(CallStats(1, True, (COUNTED,)))
    assert stage.history.media["cust2vc"]["packets"] == 100
    assert stage.switch.history_of(1, forget=False) is None


def test_events_of_calls_that_are_not_ours_are_left_alone(stage: Stage) -> None:
    for event in (NoMedia(-1, "a", 5.0), MediaStopped(7, "b", 5.0), CallStats(-1, True, (COUNTED,))):
        stage.tell(event)
    assert not stage.history.notes
    assert not stage.history.media


# -- facts


def facts(stage: Stage) -> dict[str, MediaFact]:
    return {fact.kind: fact for fact in media_verdict.facts(stage.history)}


@pytest.mark.parametrize(
    ("event", "kind", "severity", "words"),
    [
        (NoMedia(1, "a", 5.0), "no audio", "problem", "No RTP from the PBX for 5 s"),
        (SilentAudio(1, "b", 5.0), "silent audio", "warning", "The PSTN side sends audio without any sound"),
        (
            WrongPayloadType(1, "a", 9), "wrong payload type", "problem",
            "The PBX sends payload type 9 (G722), which was not agreed (0 (PCMU), 101); it is not relayed.",
        ),
        (ClockDrift(1, "a", 250), "clock drift", "warning", "runs 250 ppm fast: a packet too many every 80 s."),
        (ClockDrift(1, "a", -1000), "clock drift", "warning", "runs 1000 ppm slow: a packet too few every 20 s."),
        (
            ToneDigit(1, "a", "5"), "tones", "warning",
            "The PBX sends digits as tones in the audio, although telephone-event was agreed: 5.",
        ),
        (FirstPacket(1, "a", (PBX, 4444), (PBX, 4000)), "other port", "info", f"comes from {PBX}:4444, while its SDP"),
        (FirstPacket(1, "a", ("203.0.113.7", 4), ("10.0.0.5", 4)), "private address", "warning", "10.0.0.5:4"),
        (FirstPacket(1, "a", ("203.0.113.7", 4), ("192.0.2.10", 4)), "other address", "warning", "203.0.113.7:4"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_audio_is_a_fact_an_event_and_a_line(
    stage: Stage, event: Told, kind: str, severity: str, words: str
) -> None:
    stage.tell(event)
    leg = event[1]
    fact = facts(stage)[kind]
    assert (fact.severity, fact.leg) == (severity, leg)
    assert words in fact.text
    (told,) = [told for told in stage.events if isinstance(told, MediaFinding)]
    assert (told.kind, told.severity) == (kind, severity)
    assert words in stage.explained()
    (shown,) = explain.details(stage.history, LAB, EPOCH)["MediaFindings"]
    assert (shown["Kind"], shown["Side"]) == (kind, "customer" if leg == "a" else "remote")
    assert words in shown["Text"]


def test_a_fact_that_ended_says_so_and_one_that_lasts_is_told_once(stage: Stage) -> None:
    stage.tell(NoMedia(1, "a", 5.0))
    stage.tell(NoMedia(1, "a", 5.0))
    assert len([told for told in stage.events if isinstance(told, MediaFinding)]) == 1
    since = facts(stage)["no audio"].since
    stage.tell(FirstPacket(1, "a", (PBX, 4000), (PBX, 4000)))
    fact = facts(stage)["no audio"]
    assert fact.until
    assert fact.until > since
    stage.tell(SilentAudio(1, "a", 5.0))
    assert facts(stage)["silent audio"].until is None
    stage.tell(AudioHeard(1, "a", 8.0))
    silence = facts(stage)["silent audio"]
    assert silence.until == silence.since + 8.0


def test_digits_are_told_each_and_listed_together(stage: Stage) -> None:
    for digit in "12#":
        stage.tell(DigitReceived(1, "a", digit, 100))
    assert explain.details(stage.history, LAB, EPOCH)["Digits"] == {"customer": "12#", "remote": ""}
    assert "The PBX sent the digits 12# as events (RFC 4733), 100 ms each." in stage.explained()
    told = [told.text for told in stage.events if isinstance(told, MediaFinding)]
    assert told[2] == "The PBX sent the digit # as an event, 100 ms long."


def test_digits_without_end_do_not_fill_the_memory(stage: Stage) -> None:
    for _ in range(DIGITS + 50):
        stage.tell(DigitReceived(1, "a", "1", 100))
        stage.tell(ToneDigit(1, "a", "1"))
    assert len(stage.history.digits["a"]) == DIGITS
    assert len(stage.history.tones["a"]) == DIGITS
    assert len(stage.history.notes) < 5


GOOD = StreamStats(
    "a", 3000, 3000 * 172, 0, 800, rtcp_packets=12, rtcp_bytes=1200, sent_packets=3000, first_packet_us=1,
    last_packet_us=2, sent_bytes=3000 * 172, rtcp_sent_packets=13, rtcp_sent_bytes=1300, jitter_total_us=96_000,
    jitter_samples=120, rtt_us=2_000, rtt_total_us=24_000, rtt_samples=12, remote_lost=0, remote_jitter_us=125,
    remote_jitter_total_us=1_500, remote_reports=12,
)  # fmt: skip


def test_a_good_call_s_verdict_is_that_audio_went_both_ways_and_how_well(stage: Stage) -> None:
    stage.tell(CallStats(1, False, (GOOD, GOOD._replace(leg="b"))))
    assert media_verdict.verdict(stage.history).startswith("Audio went both ways, MOS 4.4: ")
    assert media_verdict.in_brief(stage.history) == "both ways, 4.4"
    assert facts(stage) == {}


@pytest.mark.parametrize(
    ("changed", "kind", "severity", "words"),
    [
        ({"lost": 90}, "loss", "warning", "2.9% of what the PBX sent was lost on its way here: 90 of 3090 packets."),
        ({"lost": 300}, "loss", "problem", "9.1% of what the PBX sent"),
        (
            {"remote_lost": 60}, "loss there", "warning",
            "2.0% of what it was sent was lost, the PBX reports: 60 of 3000 packets.",
        ),
        ({"jitter_total_us": 120 * 45_000}, "jitter", "warning", "a jitter of 45 ms, where 30 ms are too much."),
        ({"remote_jitter_total_us": 12 * 50_000}, "jitter there", "warning", "the PBX reports: a jitter of 50 ms"),
        ({"rtt_total_us": 12 * 400_000}, "delay", "warning", "The way to the PBX and back takes 400 ms"),
    ],
)  # fmt: skip
def test_counters_beyond_what_is_good_are_facts(
    stage: Stage, changed: dict[str, Any], kind: str, severity: str, words: str
) -> None:
    stage.tell(CallStats(1, False, (GOOD._replace(**changed), GOOD._replace(leg="b"))))
    ((found, fact),) = facts(stage).items()
    assert (found, fact.severity) == (kind, severity)
    assert words in fact.text


def test_a_bad_minute_is_over_when_the_next_is_good(stage: Stage) -> None:
    bad = GOOD._replace(lost=300)
    stage.tell(MinuteStats(1, (bad, GOOD._replace(leg="b"))))
    assert facts(stage)["loss"].until is None
    stage.tell(MinuteStats(1, (twice(bad)._replace(lost=300), twice(GOOD._replace(leg="b")))))
    assert facts(stage)["loss"].until == stage.now - 0.1


def twice(stats: StreamStats) -> StreamStats:
    """A minute later, which was as the one before."""
    return StreamStats(*[2 * value if isinstance(value, int) else value for value in stats])  # type: ignore[arg-type]


def test_each_minute_is_told_by_what_came_in_it(stage: Stage) -> None:
    """Guide p. 27-30: the figures of the media quality log."""
    other = GOOD._replace(leg="b", lost=30)
    stage.tell(MinuteStats(1, (GOOD, other)))
    stage.run(60)
    stage.tell(MinuteStats(1, (twice(GOOD), twice(other)._replace(remote_reports=12))))
    first, second = [event for event in stage.events if isinstance(event, MediaQuality)]
    assert first.started == stage.history.started
    assert first.cust2vc == DirectionQuality(3000, 516_000, 12, 1200, 0, 800, 4.37)
    assert first.vc2cust == DirectionQuality(3000, 516_000, 13, 1300, 0, 125, 4.37)
    assert (first.rtt_btwn_vc_and_cust, first.mos_btwn_vc_and_cust) == (2000, 4.37)
    assert first.rem2vc.packets_lost == 30
    assert second.cust2vc == first.cust2vc
    assert second.seconds == pytest.approx(60, abs=0.5)
    assert (second.vc2rem.packets_lost, second.vc2rem.mos) == (None, None)
    assert first.mos_btwn_vc_and_rem == second.mos_btwn_vc_and_rem == second.rem2vc.mos
    assert first.mos_btwn_vc_and_rem
    assert first.mos_btwn_vc_and_rem < 4.37


def test_the_end_tells_the_rest_of_the_last_minute_and_a_side_that_never_sent(stage: Stage) -> None:
    stage.ports.told_of_ends = False
    stage.tell(MinuteStats(1, (GOOD, StreamStats("b"))))
    stage.pbx.session.hang_up(stage.now)
    stage.run()
    stage.tell(CallStats(1, True, (twice(GOOD)._replace(packets=4000), StreamStats("b"))))
    told = [event for event in stage.events if isinstance(event, MediaQuality)]
    assert [event.cust2vc.rtp_packets for event in told] == [3000, 1000]
    assert facts(stage)["no audio"].text.startswith("No RTP came from the PSTN side in the whole call; it was told")
    assert media_verdict.in_brief(stage.history) == "one-way: none from PSTN"


def test_an_end_right_after_a_minute_tells_nothing_more(stage: Stage) -> None:
    stage.ports.told_of_ends = False
    counters = (GOOD, GOOD._replace(leg="b"))
    stage.tell(MinuteStats(1, counters))
    stage.pbx.session.hang_up(stage.now)
    stage.run()
    stage.tell(CallStats(1, True, counters))
    assert len([event for event in stage.events if isinstance(event, MediaQuality)]) == 1


def test_a_fax_has_no_score(stage: Stage) -> None:
    """T.38 is no audio: its packets have no clock, and no RTCP tells of them (RFC 3362)."""
    fax = StreamStats("a", 500, 50_000, sent_packets=500, sent_bytes=50_000)
    stage.tell(CallStats(1, False, (fax, fax._replace(leg="b"))))
    assert {counters["mos"] for counters in stage.history.media.values()} == {None}
    assert media_verdict.verdict(stage.history).startswith("Audio went both ways: ")

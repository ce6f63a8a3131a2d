"""The relay's events, in words and numbers."""

import pytest

from tests.flows.stage import FAR, PBX, Stage
from voiceconnector.calls.events import MediaFinding
from voiceconnector.media.plan import AUTHENTICATION, UNENCRYPTED
from voiceconnector.media.quality import StreamStats
from voiceconnector.media.relay import (
    CallStats,
    FirstPacket,
    MediaStopped,
    NoMedia,
    ProtectionFailed,
    RelayEvent,
    SinkFailed,
    WrongSource,
)

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
            "audio is sent back to where it comes from.",
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
        "source": f"{PBX}:4000",
    }
    assert stage.history.media["vc2cust"] == {"packets": 99, "send_failed": 8}


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

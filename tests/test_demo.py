"""When the demo says that audio went both ways."""

from voiceconnector.demo import audio_went_round
from voiceconnector.media.quality import StreamStats

SECONDS = 3.0
"""That is 150 packets of 20 ms (RFC 3551 4.2)."""


def test_what_was_played_came_round() -> None:
    media = {"cust2vc": {"packets": 150, "lost": 0}, "rem2vc": {"packets": 150, "lost": 0}}
    assert audio_went_round(media, StreamStats("a", packets=150, sent_packets=150), SECONDS)


def test_what_a_stalled_machine_did_not_play_is_not_missed() -> None:
    media = {"cust2vc": {"packets": 60, "lost": 0}, "rem2vc": {"packets": 60, "lost": 0}}
    assert audio_went_round(media, StreamStats("a", packets=60, sent_packets=60), SECONDS)


def test_what_the_pbx_played_and_did_not_hear_is_missed() -> None:
    media = {"cust2vc": {"packets": 150, "lost": 0}, "rem2vc": {"packets": 150, "lost": 0}}
    assert not audio_went_round(media, StreamStats("a", packets=100, sent_packets=150), SECONDS)


def test_what_the_trunk_did_not_receive_is_missed() -> None:
    for lame in ("cust2vc", "rem2vc"):
        media = {"cust2vc": {"packets": 150, "lost": 0}, "rem2vc": {"packets": 150, "lost": 0}}
        media[lame] = {"packets": 100, "lost": 50}
        assert not audio_went_round(media, StreamStats("a", packets=150, sent_packets=150), SECONDS)


def test_what_was_lost_on_the_way_from_the_pstn_is_missed() -> None:
    """The called PBX echoes, and can echo only what came."""
    media = {"cust2vc": {"packets": 100, "lost": 0}, "rem2vc": {"packets": 100, "lost": 50}}
    assert not audio_went_round(media, StreamStats("a", packets=100, sent_packets=100), SECONDS)


def test_hardly_any_audio_is_none() -> None:
    media = {"cust2vc": {"packets": 2, "lost": 0}, "rem2vc": {"packets": 2, "lost": 0}}
    assert not audio_went_round(media, StreamStats("a", packets=2, sent_packets=2), SECONDS)
    assert not audio_went_round({}, StreamStats("a"), SECONDS)

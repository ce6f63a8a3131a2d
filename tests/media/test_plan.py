"""Plans as values, and their way to the relay process."""

import marshal

from voiceconnector.media.plan import (
    Capture,
    Digits,
    Echo,
    Forward,
    Impairment,
    MediaPlan,
    Play,
    PortPair,
    Record,
    Silence,
    Srtp,
    StreamPlan,
    Tap,
    Tone,
)

PLAN = MediaPlan(
    (
        StreamPlan("a", PortPair("127.0.0.1", 20000), ("192.0.2.1", 4000), (0, 101), sinks=(Forward("b"),)),
        StreamPlan(
            "b",
            PortPair("::1", 20002),
            None,
            (8,),
            receive=False,
            send=False,
            sinks=(Echo(), Forward("a"), Record("/r/b.wav"), Capture("/c/b"), Tap("/t/b")),
            sources=(Silence(500), Play("/a/b.wav", loop=True), Digits("12#", pause_ms=60), Tone(440, -3.0)),
            audio_payload_type=8,
            event_payload_type=96,
            remote_rtcp=("2001:db8::1", 4007),
            no_media_seconds=0,
            vanish_seconds=30.5,
            protocol="UDPTL",
            srtp=Srtp("AES_CM_128_HMAC_SHA1_80", bytes(range(30)), bytes(range(30, 60))),
            impair_received=Impairment(loss=0.1),
            impair_sent=Impairment(delay_ms=20, seed=3),
        ),
    )
)


def test_a_plan_comes_out_of_the_wire_as_it_went_in() -> None:
    received = MediaPlan.from_wire(marshal.loads(marshal.dumps(PLAN.to_wire())))
    assert received == PLAN
    assert [type(part) for part in received.streams[1].sources] == [Silence, Play, Digits, Tone]
    assert [type(part) for part in received.streams[1].sinks] == [Echo, Forward, Record, Capture, Tap]


def test_rtcp_is_on_the_port_after_rtp() -> None:
    """RFC 3550 11: RTP even, RTCP the next higher odd port."""
    assert PortPair("127.0.0.1", 20000).rtcp == 20001


def test_keys_are_not_in_what_a_log_would_say_of_a_plan() -> None:
    assert "secret" not in repr(Srtp("AES_CM_128_HMAC_SHA1_80", b"secret" * 5, b"secret" * 5))


def test_a_silent_plan_keeps_its_ports_and_its_files_open() -> None:
    """Else a recording would begin anew when the stream is heard again."""
    forwarding, echoing = PLAN.silent().streams
    assert (forwarding.pair, forwarding.sinks) == (PLAN.streams[0].pair, ())
    assert echoing.sinks == (Record("/r/b.wav"), Capture("/c/b"))
    assert not any(stream.receive or stream.send or stream.sources for stream in (forwarding, echoing))

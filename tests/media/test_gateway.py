"""What a gateway of the PSTN adds to an offer (RFC 4733, RFC 8866)."""

import pytest

from voiceconnector.media import sdp
from voiceconnector.media.gateway import completed

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"


def offer(*lines: str) -> bytes:
    return (HEAD + "".join(f"{line}\r\n" for line in lines)).encode()


def test_an_offer_of_a_codec_alone_gets_events_and_packet_time() -> None:
    assert completed(offer("m=audio 4000 RTP/AVP 0", "a=sendrecv")) == offer(
        "m=audio 4000 RTP/AVP 0 101",
        "a=sendrecv",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
    )


def test_an_offer_that_has_both_stays_as_it_is() -> None:
    full = offer("m=audio 4000 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/8000", "a=fmtp:96 0-11", "a=ptime:30")
    assert completed(full) is full


def test_only_what_is_missing_is_added() -> None:
    assert completed(offer("m=audio 4000 RTP/AVP 0 96", "a=rtpmap:96 TELEPHONE-EVENT/8000", "a=ptime:30")) == offer(
        "m=audio 4000 RTP/AVP 0 96", "a=rtpmap:96 TELEPHONE-EVENT/8000", "a=ptime:30", "a=fmtp:96 0-15"
    )


def test_a_payload_type_that_is_taken_is_not_taken_again() -> None:
    found = sdp.parse(completed(offer("m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 opus/48000/2"))).media[0]
    assert [(one.payload_type, one.encoding_name) for one in found.rtp_formats()] == [
        (0, "PCMU"),
        (101, "opus"),
        (102, "telephone-event"),
    ]


def test_other_lines_keep_their_places() -> None:
    text = completed(offer("m=video 0 RTP/AVP 96", "m=audio 4000 RTP/AVP 8", "m=image 5000 udptl t38", "a=x")).decode()
    assert [line for line in text.split("\r\n") if line.startswith("m=")] == [
        "m=video 0 RTP/AVP 96",
        "m=audio 4000 RTP/AVP 8 101",
        "m=image 5000 udptl t38",
    ]
    assert text.index("a=ptime:20") < text.index("m=image")


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", offer("m=audio 0 RTP/AVP 0"), offer("m=audio 4000 RTP/SAVP 0"), b"\xff\xfe\x00m=audio"]
)
def test_what_has_no_audio_to_complete_comes_back_as_it_is(body: bytes) -> None:
    assert completed(body) is body


def test_an_offer_without_a_last_line_end_gets_one() -> None:
    assert completed(offer("m=audio 4000 RTP/AVP 0").rstrip()) == completed(offer("m=audio 4000 RTP/AVP 0"))


@pytest.mark.parametrize("written", ["\xb2", "9" * 5_000, "-1", "x"])
def test_what_is_no_payload_type_is_left_to_whoever_reads_the_offer(written: str) -> None:
    """RFC 3551 6: a payload type is a number of seven bits."""
    for lines in ([f"m=audio 4000 RTP/AVP 0 {written}"],
                  ["m=audio 4000 RTP/AVP 0", f"a=rtpmap:{written} telephone-event/8000"]):  # fmt: skip
        text = "".join(f"{line}\r\n" for line in (HEAD + lines[0], *lines[1:]))
        assert b"a=rtpmap:101 telephone-event/8000" in completed(text.encode("latin-1"))

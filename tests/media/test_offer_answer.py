"""The rules of offer and answer: payload types, refusals in words, and what is odd but bearable."""

import pytest

from tests.media.descriptions import (
    PLAIN,
    TO_A,
    TO_B,
    answer,
    crlf,
    established,
    offer,
    plain_to_b,
    session,
    to_a,
    to_b,
)
from voiceconnector.media.offer_answer import NegotiationError
from voiceconnector.media.sdp import Format

PCMU = Format(0, "PCMU", 8000)
PCMA = Format(8, "PCMA", 8000)
EVENT = Format(101, "telephone-event", 8000)

# --- payload types (RFC 3264 5.1, 6.1) ---


def test_an_answerer_may_want_other_numbers() -> None:
    """RFC 3264 6.1: each side is sent its own numbers; we let both pass, as many peers mirror the offer's."""
    call = session()
    call.relay_offer(offer("m=audio 49170 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\na=ptime:30\n"), "a", TO_B)
    relayed = call.relay_answer(answer("m=audio 49172 RTP/AVP 96 0\na=rtpmap:96 TELEPHONE-EVENT/8000\n"), "b", TO_A)
    assert relayed.body == to_a(
        "m=audio 20000 RTP/AVP 96 0\na=rtpmap:96 TELEPHONE-EVENT/8000\na=sendrecv\na=rtcp:20001\n"
    )
    a, b = relayed.streams
    assert a.payload_types == (96, 0, 101)
    assert b.payload_types == (0, 101, 96)
    assert (a.telephone_event, b.telephone_event) == (101, 96)
    assert a.codec == b.codec == PCMU
    assert (a.ptime_ms, b.ptime_ms) == (30, 20)


def test_only_what_was_answered_may_come() -> None:
    """RFC 3264 6.1: with PCMA alone in the answer, PCMU is no longer agreed, nor are events."""
    call = session("PCMU", "PCMA")
    call.relay_offer(offer("m=audio 1024 RTP/AVP 0 8 101\na=rtpmap:101 telephone-event/8000\n"), "a", TO_B)
    a, b = call.relay_answer(answer("m=audio 1024 RTP/AVP 8\n"), "b", TO_A).streams
    assert a.declared == a.accepted == b.declared == b.accepted == (PCMA,)
    assert a.telephone_event is None


def test_an_answer_without_rtpmap_means_the_offered_number() -> None:
    """RFC 3264 6.1: the same number should mean the same."""
    call = session()
    call.relay_offer(offer("m=audio 1024 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n"), "a", TO_B)
    relayed = call.relay_answer(answer("m=audio 1024 RTP/AVP 0 101\n"), "b", TO_A)
    assert relayed.streams.b.declared == (PCMU, EVENT)
    assert call.findings == [
        "The called side answers payload type 101 without rtpmap; taken for telephone-event as offered (RFC 3264 6.1)."
    ]


def test_an_answer_with_codecs_of_its_own_is_passed_on_without_them() -> None:
    """RFC 3264 6.1: a codec that was not offered cannot be sent to the offerer."""
    call = session("PCMU", "PCMA")
    call.relay_offer(offer("m=audio 1024 RTP/AVP 0\n"), "a", TO_B)
    relayed = call.relay_answer(answer("m=audio 1024 RTP/AVP 8 9 0\n"), "b", TO_A)
    assert relayed.body == to_a("m=audio 20000 RTP/AVP 0\na=sendrecv\na=rtcp:20001\n")
    assert call.findings[-2:] == [
        "The called side answers PCMA, which was not offered; not passed on.",
        "The called side answers G722, which was not offered; not passed on.",
    ]


# --- refusals ---


@pytest.mark.parametrize(
    ("offered", "status_code", "warn_code", "reason_phrase", "because"),
    [
        (
            offer(
                "m=audio 1024 RTP/AVP 111 9 8 101\na=rtpmap:111 opus/48000/2\n"
                "a=rtpmap:101 telephone-event/8000\n"
            ),
            488, 305, "No Acceptable Codec",
            "The caller offers opus/48000, G722, PCMA, telephone-event; profile.codecs allows PCMU.",
        ),
        (
            offer("m=audio 1024 RTP/AVP 97\n"), 488, 305, "No Acceptable Codec",
            "The caller offers payload type 97 without rtpmap; profile.codecs allows PCMU.",
        ),
        (
            offer("m=audio 1024 RTP/AVP 0\na=rtpmap:0 PCMU/16000\n"), 488, 305, "No Acceptable Codec",
            "The caller offers PCMU/16000; profile.codecs allows PCMU.",
        ),
        (
            offer("m=audio 1024 RTP/SAVP 0\n"), 488, 302, "Only RTP/AVP Available",
            "The caller offers audio over RTP/SAVP; only RTP/AVP is carried.",
        ),
        (
            offer("m=audio 1024 UDP/TLS/RTP/SAVPF 0\n"), 488, 302, "Only RTP/AVP Available",
            "The caller offers audio over UDP/TLS/RTP/SAVPF; only RTP/AVP is carried.",
        ),
        (
            offer("m=image 4000 tcp t38\nm=audio 0 RTP/AVP 0\n"), 488, 304, "No Audio Offered",
            "The caller offers no audio line with a port, only image over tcp with port 4000, audio over RTP/AVP with "
            "port 0.",
        ),
        (
            offer(PLAIN, address="pbx.example.com"), 488, 301, "Host Name In SDP",
            "The caller's SDP names the host pbx.example.com; media can only be sent to an IP address.",
        ),
        (
            offer(PLAIN, address="224.2.17.12/127"), 488, 330, "Multicast Not Available",
            "The caller's SDP names the multicast address 224.2.17.12.",
        ),
        (
            b"not sdp", 400, 399, "Bad SDP",
            "The caller's SDP cannot be used: it does not begin with v=0: line 1 is 'not sdp' "
            "(RFC 8866 5.1).",
        ),
        (
            crlf("v=0\ns=-\n" + PLAIN), 400, 399, "Bad SDP",
            "The caller's SDP cannot be used: line 3 'm=audio 49170 RTP/AVP 0' has no address: no c= line "
            "stands below it or above the first m= line (RFC 8866 5.7).",
        ),
    ],
    ids=["codecs", "no rtpmap", "clock rate", "SAVP", "DTLS", "fax", "host", "multicast", "not SDP", "no c="],
)  # fmt: skip
def test_an_offer_that_cannot_be_taken_up_is_refused_in_words(
    offered: bytes, status_code: int, warn_code: int, reason_phrase: str, because: str
) -> None:
    """RFC 3261 20.43, 21.4.1, 21.4.26."""
    call = session()
    with pytest.raises(NegotiationError) as caught:
        call.relay_offer(offered, "a", TO_B)
    error = caught.value
    assert (error.status_code, error.warn_code, error.reason_phrase) == (
        status_code,
        warn_code,
        reason_phrase,
    )
    assert error.because == str(error) == because
    assert call.offerer is None
    assert call.relay_offer(offer(PLAIN), "a", TO_B) == to_b(plain_to_b())


@pytest.mark.parametrize(
    ("answered", "status_code", "reason_phrase", "because"),
    [
        (
            answer("m=audio 1024 RTP/AVP 9\n"), 488, "No Common Codec",
            "The called side answers G722, but was offered PCMU.",
        ),
        (
            answer("m=audio 0 RTP/AVP 0\n"), 488, "Audio Declined",
            "The called side answers without taking up the audio: there is no audio line with a port.",
        ),
        (
            answer("m=image 4000 udptl t38\n"), 488, "Audio Declined",
            "The called side answers without taking up the audio: there is no audio line with a port.",
        ),
        (
            answer("m=audio 1024 RTP/SAVP 0\n"), 488, "Only RTP/AVP Available",
            "The called side answers audio over RTP/SAVP; only RTP/AVP is carried.",
        ),
        (
            b"", 502, "Bad SDP",
            "The called side's SDP cannot be used: it does not begin with v=0: it is empty (RFC 8866 5.1).",
        ),
    ],
    ids=["codec", "port 0", "no audio", "SAVP", "empty"],
)  # fmt: skip
def test_an_answer_that_cannot_be_used_is_refused_in_words(
    answered: bytes, status_code: int, reason_phrase: str, because: str
) -> None:
    """RFC 3264 7: the offer stays open, so that it can be abandoned."""
    call = established()
    before = call.streams
    call.relay_offer(offer(PLAIN), "a", TO_B)
    with pytest.raises(NegotiationError) as caught:
        call.relay_answer(answered, "b", TO_A)
    assert (caught.value.status_code, caught.value.reason_phrase) == (status_code, reason_phrase)
    assert str(caught.value) == because
    assert call.offerer == "a"
    assert call.abandon() == before


def test_an_answer_with_other_lines_is_used_where_its_audio_can_be_found() -> None:
    """RFC 3264 6: the answer must have as many lines as the offer; some peers lose count."""
    call = established()
    call.relay_offer(answer("m=image 4000 udptl t38\n" + PLAIN), "b", TO_A)
    call.relay_answer(offer(PLAIN), "a", TO_B)
    call.relay_offer(offer(PLAIN), "a", TO_B)
    relayed = call.relay_answer(answer("m=audio 7000 RTP/AVP 0\n"), "b", TO_A)
    assert relayed.streams.b.remote_rtp == ("198.51.100.2", 7000)
    assert call.findings[-1] == (
        "The called side answers 1 m= lines to an offer of 2; there must be as many (RFC 3264 6)."
    )


# --- findings ---


@pytest.mark.parametrize(
    ("address", "set_aside"),
    [
        ("10.0.0.141", "RFC 1918"),
        ("172.16.0.1", "RFC 1918"),
        ("172.31.255.255", "RFC 1918"),
        ("192.168.1.5", "RFC 1918"),
        ("100.64.0.1", "RFC 6598"),
        ("169.254.7.7", "RFC 3927"),
    ],
)
def test_a_private_address_is_told_once(address: str, set_aside: str) -> None:
    """RFC 6890 lists the ranges."""
    call = session()
    for _ in range(2):
        call.relay_offer(offer(PLAIN, address=address), "a", TO_B, source_address="198.51.100.9")
    finding = (
        f"The caller's SDP asks for audio at {address}, a private address ({set_aside}) that the real "
        "service cannot reach, while its SIP came from 198.51.100.9."
    )
    assert call.findings.count(finding) == 1


@pytest.mark.parametrize("address", ["11.0.0.1", "172.15.0.1", "172.32.0.1", "192.169.0.1", "100.63.0.1", "127.0.0.1"])
def test_other_addresses_are_not_private(address: str) -> None:
    """RFC 1918 3; loopback is what everybody means who tries things on one machine."""
    call = session()
    call.relay_offer(offer(PLAIN, address=address), "a", TO_B)
    assert not [finding for finding in call.findings if "private" in finding]


def test_odd_but_usable_descriptions_are_told() -> None:
    """RFC 8866 5, RFC 5761 5.1.1."""
    call = session()
    call.relay_offer(
        b"v=0\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 1024 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\na=rtcp-mux\n",
        "a",
        TO_B,
    )
    assert call.findings == [
        "The caller's SDP lacks the o= and s= line, which is required (RFC 8866 5).",
        "The caller's SDP ends lines with something else than CRLF (RFC 8866 5).",
        "The caller would take RTCP on the RTP port (rtcp-mux); declined, it has its own port.",
    ]


def test_findings_come_to_an_end() -> None:
    """A peer with a new oddity in every re-INVITE must not fill the memory."""
    call = session()
    for number in range(200):
        call.relay_offer(offer(PLAIN + f"x={number}\n"), "a", TO_B)
    assert len(call.findings) == 50


def test_findings_are_fit_to_be_printed() -> None:
    """What a peer writes must not control a terminal, nor fill a log."""
    call = session()
    call.relay_offer(offer(PLAIN + "m=\x1b[2Jvideo 5000 RTP/AVP " + "x" * 10 + "\n"), "a", TO_B)
    assert call.findings[-1].startswith("The caller also offers ?[2Jvideo over RTP/AVP; declined")
    with pytest.raises(NegotiationError) as caught:
        call.relay_offer(offer("m=audio 1024 " + "P" * 9000 + " 0\n"), "a", TO_B)
    assert len(str(caught.value)) < 600

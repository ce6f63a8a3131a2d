"""Offer and answer of a plain user agent, as the emulated PSTN is one."""

import pytest

from tests.media.descriptions import PLAIN, answer, crlf, octets, offer
from voiceconnector.media.endpoint import Endpoint
from voiceconnector.media.negotiation import MediaSession
from voiceconnector.media.offer_answer import LegAddress, NegotiationError
from voiceconnector.media.sdp import INACTIVE, RECVONLY, SENDONLY, SENDRECV, Direction, Format, parse

OURS = LegAddress("203.0.113.7", 40000)
PCMU = Format(0, "PCMU", 8000)
PCMA = Format(8, "PCMA", 8000)
EVENT = Format(101, "telephone-event", 8000)


def endpoint(*codecs: str) -> Endpoint:
    return Endpoint(codecs or ("PCMU", "PCMA"), OURS, 77)


def ours(media: str, version: int = 1) -> bytes:
    return crlf(f"v=0\no=- 77 {version} IN IP4 203.0.113.7\ns=-\nc=IN IP4 203.0.113.7\nt=0 0\n{media}")


def test_it_offers_its_codecs_in_its_order() -> None:
    """RFC 3264 5.1, RFC 3551 table 4, RFC 4733 2.5.1.1; the form is a real Voice Connector's."""
    assert endpoint("PCMA", "PCMU").offer() == ours("""\
m=audio 40000 RTP/AVP 8 0 101
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=sendrecv
a=rtcp:40001
a=ptime:20
""")


def test_it_answers_with_the_first_codec_it_knows_and_the_offered_numbers() -> None:
    """RFC 3264 6.1: the numbers of the offer; RFC 4317 2.1: one codec of several."""
    agent = endpoint()
    offered = offer(
        "m=audio 49170 RTP/AVP 111 8 0 96\na=rtpmap:111 opus/48000/2\na=rtpmap:96 telephone-event/8000\n"
        "a=ptime:30\nm=video 51372 RTP/AVP 31\n"
    )
    body, stream = agent.answer(offered)
    assert body == ours("""\
m=audio 40000 RTP/AVP 8 96
a=rtpmap:8 PCMA/8000
a=rtpmap:96 telephone-event/8000
a=fmtp:96 0-15
a=sendrecv
a=rtcp:40001
a=ptime:20
m=video 0 RTP/AVP 31
""")
    assert (stream.remote_rtp, stream.remote_rtcp) == (("192.0.2.1", 49170), ("192.0.2.1", 49171))
    assert stream.codec == PCMA
    assert stream.telephone_event == 96
    assert stream.payload_types == (8, 96)
    assert (stream.may_send, stream.may_receive, stream.ptime_ms) == (True, True, 30)


def test_it_leaves_events_out_where_none_were_offered() -> None:
    """RFC 3264 6.1."""
    body, stream = endpoint().answer(offer(PLAIN))
    assert parse(body).media[0].formats == ("0",)
    assert stream.telephone_event is None


@pytest.mark.parametrize(
    ("offered", "wanted", "answered"),
    [
        ("sendrecv", SENDRECV, SENDRECV),
        ("sendonly", SENDRECV, RECVONLY),
        ("recvonly", SENDRECV, SENDONLY),
        ("inactive", SENDRECV, INACTIVE),
        ("sendrecv", SENDONLY, SENDONLY),
        ("sendonly", SENDONLY, INACTIVE),
    ],
)
def test_it_answers_a_hold_with_its_reverse(offered: str, wanted: Direction, answered: Direction) -> None:
    """RFC 3264 6.1, 8.4."""
    body, stream = endpoint().answer(offer(PLAIN + f"a={offered}\n"), wanted)
    assert parse(body).media[0].direction is answered
    assert (stream.may_send, stream.may_receive) == (answered.receives, answered.sends)


def test_it_takes_an_answer_to_its_offer() -> None:
    """RFC 3264 7: what is sent goes by the answer, under the answer's numbers."""
    agent = endpoint()
    agent.offer()
    stream = agent.accept(answer("m=audio 7000 RTP/AVP 8 96\na=rtpmap:96 telephone-event/8000\na=sendonly\n"))
    assert stream.remote_rtp == ("198.51.100.2", 7000)
    assert stream.codec == PCMA
    assert stream.telephone_event == 96
    assert stream.payload_types == (8, 101, 96)
    assert (stream.may_send, stream.may_receive) == (True, False)


def test_versions_and_lines_last_over_exchanges() -> None:
    """RFC 3264 8: hold is a new version, a refresh is not, and the declined line stays."""
    agent = endpoint("PCMU")
    two_lines = offer("m=image 4000 udptl t38\n" + PLAIN)
    first = agent.answer(two_lines).body
    assert agent.answer(two_lines).body == first
    held = parse(agent.offer(SENDONLY))
    assert [(line.media, line.port) for line in held.media] == [("image", 0), ("audio", 40000)]
    assert held.media[1].direction is SENDONLY
    assert "o=- 77 2 IN" in held.text
    agent.accept(answer("m=image 0 udptl t38\n" + PLAIN + "a=recvonly\n"))
    agent.ours = LegAddress("203.0.113.8", 50000)
    moved = parse(agent.offer())
    assert "o=- 77 3 IN IP4 203.0.113.7" in moved.text
    assert (moved.media[1].address, moved.media[1].port) == ("203.0.113.8", 50000)


@pytest.mark.parametrize(
    ("offered", "status_code"), [(offer("m=audio 5000 RTP/AVP 9\n"), 488), (b"", 400), (b"v=0\r\n", 400)]
)
def test_it_refuses_what_it_cannot_speak(offered: bytes, status_code: int) -> None:
    """RFC 3261 21.4.26."""
    with pytest.raises(NegotiationError) as caught:
        endpoint().answer(offered)
    assert caught.value.status_code == status_code
    assert str(caught.value).startswith("The other side")


def test_two_endpoints_agree_through_a_call() -> None:
    """RFC 3264: caller, the two legs between, called side."""
    caller, called = endpoint("PCMU", "PCMA"), Endpoint(("PCMA",), LegAddress("203.0.113.8", 50000), 78)
    call = MediaSession(("PCMU", "PCMA"), 5, octets)
    offered = call.relay_offer(caller.offer(), "a", LegAddress("192.0.2.10", 30000))
    answered, heard_by_called = called.answer(offered)
    relayed = call.relay_answer(answered, "b", LegAddress("192.0.2.10", 20000))
    heard_by_caller = caller.accept(relayed.body)
    assert heard_by_called.remote_rtp == ("192.0.2.10", 30000)
    assert heard_by_caller.remote_rtp == ("192.0.2.10", 20000)
    assert heard_by_called.codec == heard_by_caller.codec == PCMA
    assert relayed.streams.a.accepted == relayed.streams.b.accepted == (PCMA, EVENT)
    assert relayed.streams.a.remote_rtp == ("203.0.113.7", 40000)
    assert relayed.streams.b.remote_rtp == ("203.0.113.8", 50000)


# -- fax (RFC 3362)

FAX_LINES = """\
m=image 40000 udptl t38
a=T38FaxVersion:0
a=T38MaxBitRate:14400
a=T38FaxRateManagement:transferredTCF
a=T38FaxMaxDatagram:400
a=T38FaxUdpEC:t38UDPRedundancy
"""
FAX = "m=image 49190 udptl t38\na=T38FaxVersion:0\n"


def fax_machine() -> Endpoint:
    machine = Endpoint(("PCMU",), OURS, 77, fax=True)
    machine.answer(offer(PLAIN))
    return machine


def test_a_fax_machine_turns_its_audio_line_into_fax() -> None:
    """RFC 3264 8.3.3."""
    machine = fax_machine()
    assert machine.offer_fax() == ours(FAX_LINES, version=2)
    stream = machine.accept(answer(FAX))
    assert (stream.is_fax, stream.remote_rtp, stream.remote_rtcp) == (True, ("198.51.100.2", 49190), None)


def test_a_fax_machine_takes_up_fax_and_audio_again() -> None:
    machine = fax_machine()
    body, stream = machine.answer(offer(FAX))
    assert body == ours(FAX_LINES, version=2)
    assert stream.is_fax
    assert not machine.answer(offer(PLAIN)).stream.is_fax


def test_a_telephone_refuses_fax() -> None:
    """RFC 3264 6: 488, and audio goes on."""
    with pytest.raises(NegotiationError) as caught:
        endpoint().answer(offer(FAX))
    assert caught.value.status_code == 488

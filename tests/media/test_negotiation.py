"""Offer and answer between the legs of a call: descriptions before and after."""

import pytest

from tests.media.descriptions import (
    PLAIN,
    TO_A,
    TO_B,
    answer,
    crlf,
    established,
    offer,
    plain_to_a,
    plain_to_b,
    session,
    to_a,
    to_b,
)
from voiceconnector.media import sdp
from voiceconnector.media.offer_answer import LegAddress
from voiceconnector.media.sdp import DIRECTIONS, Format, direction_of

PCMU = Format(0, "PCMU", 8000)
PCMA = Format(8, "PCMA", 8000)
EVENT = Format(101, "telephone-event", 8000)

# --- one exchange: before and after ---

ASTERISK_OFFER = crlf("""\
v=0
o=- 1270113147 1270113147 IN IP4 44.205.172.204
s=Asterisk
c=IN IP4 198.51.100.204
t=0 0
m=audio 25388 RTP/AVP 0 101
a=ice-ufrag:62a994f0387b370a01fd6db86aa272a5
a=ice-pwd:5013deae0dfe51a06340484f367ea602
a=candidate:Ha00008d 1 UDP 2130706431 10.0.0.141 25388 typ host
a=candidate:S2ccdaccc 1 UDP 1694498815 198.51.100.204 25388 typ srflx raddr 10.0.0.141 rport 25388
a=candidate:Ha00008d 2 UDP 2130706430 10.0.0.141 25389 typ host
a=candidate:S2ccdaccc 2 UDP 1694498814 198.51.100.204 25389 typ srflx raddr 10.0.0.141 rport 25389
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=maxptime:150
a=sendrecv
""")

VOICE_CONNECTOR_ANSWER = crlf("""\
v=0
o=Sonus_UAC 546642 315470 IN IP4 3.80.17.149
s=SIP Media Capabilities
c=IN IP4 3.80.17.149
t=0 0
m=audio 36488 RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=sendrecv
a=rtcp:36489
a=ptime:20
""")


def test_a_real_offer_and_a_real_answer_are_passed_on_at_our_addresses() -> None:
    """RFC 3264 5, 6: from the public sample aws-samples/amazon-chime-voice-connector-for-sip-trunking."""
    call = session()
    assert call.relay_offer(ASTERISK_OFFER, "a", TO_B) == to_b("""\
m=audio 30000 RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=maxptime:150
a=sendrecv
a=rtcp:30001
""")
    relayed = call.relay_answer(VOICE_CONNECTOR_ANSWER, "b", TO_A)
    assert relayed.body == to_a("""\
m=audio 20000 RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv
a=rtcp:20001
""")
    a, b = relayed.streams
    assert (a.remote_rtp, a.remote_rtcp) == (("198.51.100.204", 25388), ("198.51.100.204", 25389))
    assert (b.remote_rtp, b.remote_rtcp) == (("3.80.17.149", 36488), ("3.80.17.149", 36489))
    for stream in (a, b):
        assert stream.declared == stream.accepted == (PCMU, EVENT)
        assert stream.payload_types == (0, 101)
        assert stream.codec == PCMU
        assert stream.telephone_event == 101
        assert (stream.may_send, stream.may_receive, stream.ptime_ms) == (True, True, 20)
    assert call.findings == ["The caller gives ICE candidates; ignored, media goes to the address in c= and m=."]


def test_only_allowed_codecs_are_passed_on_with_all_that_is_theirs() -> None:
    """RFC 3264 6.1; static types need no rtpmap, and order is the offerer's."""
    call = session("PCMU", "PCMA")
    offered = offer("""\
m=audio 49170 RTP/AVP 111 9 8 0 18 96 101 13
i=speech
b=AS:80
b=TIAS:64000
a=rtpmap:111 opus/48000/2
a=fmtp:111 useinbandfec=1
a=rtcp-fb:111 transport-cc
a=rtcp-fb:* nack
a=rtpmap:96 telephone-event/48000
a=fmtp:96 0-16
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=fmtp:18 annexb=no
a=label:1
a=x-vendor:kept as it is; even "this" \xe9
a=silenceSupp:off - - - -
a=ptime:30
""")
    assert call.relay_offer(offered, "a", TO_B) == to_b("""\
m=audio 30000 RTP/AVP 8 0 101
i=speech
b=AS:80
b=TIAS:64000
a=rtcp-fb:* nack
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=label:1
a=x-vendor:kept as it is; even "this" \xe9
a=silenceSupp:off - - - -
a=ptime:30
a=sendrecv
a=rtcp:30001
""")
    assert call.findings == [
        "The caller also offers opus/48000, G722, G729, telephone-event/48000, CN; not passed on, as "
        "profile.codecs allows PCMU and PCMA."
    ]


def test_what_belongs_to_one_transport_is_not_passed_on() -> None:
    """RFC 8839, RFC 5761, RFC 9143, RFC 4568, RFC 8122, RFC 5576, RFC 3605, RFC 5939."""
    offered = crlf("""\
v=0
o=- 7614219274584779017 2 IN IP4 127.0.0.1
s=Browser
i=Somebody's call
u=http://example.com/
e=somebody@example.com
p=+1 617 555-6011
b=CT:1024
t=0 0
k=clear:secret
a=tool:kept
a=sendonly
a=group:BUNDLE audio
a=msid-semantic: WMS stream
a=ice-lite
a=ice-options:trickle
a=fingerprint:sha-256 19:E2:1C:3B
m=audio 54278 RTP/AVP 0
c=IN IP4 198.51.100.77
k=prompt
a=rtcp:51472 IN IP4 198.51.100.78
a=candidate:1467250027 1 udp 2122260223 192.168.0.196 46243 typ host generation 0
a=end-of-candidates
a=ice-ufrag:Oyef7uvBlwafI3hT
a=ice-pwd:T0teqPLNQQOf+5W+ls+P2p16
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz
a=setup:actpass
a=mid:audio
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=rtcp-mux
a=rtcp-rsize
a=ssrc:3570614608 cname:4TOk42mSjXCkVIa6
a=tcap:1 RTP/SAVP
a=pcfg:1 t=1
""")
    assert session().relay_offer(offered, "a", TO_B) == crlf("""\
v=0
o=- 4712 1 IN IP4 203.0.113.1
s=-
c=IN IP4 203.0.113.1
b=CT:1024
t=0 0
a=tool:kept
m=audio 30000 RTP/AVP 0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=rtcp-rsize
a=sendonly
a=rtcp:30001
""")


def test_a_line_cannot_be_smuggled_in() -> None:
    """RFC 8866 9: values hold no CR, LF or NUL; a lenient peer might take a lone CR for a line end."""
    call = session()
    written = call.relay_offer(
        offer(PLAIN + "a=x:1\rm=audio 1 RTP/AVP 0\na=y:\0z\nb=AS:1\rc=IN IP4 192.0.2.9\n"), "a", TO_B
    )
    assert written == to_b(
        "m=audio 30000 RTP/AVP 0\nb=AS:1\na=rtpmap:0 PCMU/8000\na=x:1\na=y:\na=sendrecv\na=rtcp:30001\n"
    )


def test_each_leg_has_an_address_family_of_its_own() -> None:
    """RFC 8866 5.2, 5.7."""
    call = session()
    written = call.relay_offer(
        crlf("v=0\no=- 1 1 IN IP6 2001:db8::5\ns=-\nt=0 0\nm=audio 5004 RTP/AVP 0\nc=IN IP6 2001:db8::5\n"),
        "a",
        TO_B,
    )
    assert written == to_b("m=audio 30000 RTP/AVP 0\na=sendrecv\na=rtcp:30001\n")
    body, streams = call.relay_answer(answer(PLAIN), "b", LegAddress("2001:db8::1", 20000))
    assert body == crlf("""\
v=0
o=- 4711 1 IN IP6 2001:db8::1
s=-
c=IN IP6 2001:db8::1
t=0 0
m=audio 20000 RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=sendrecv
a=rtcp:20001
""")
    assert streams.a.remote_rtp == ("2001:db8::5", 5004)
    assert streams.b.remote_rtp == ("198.51.100.2", 49170)


# --- RFC 3264 10 and RFC 4317, at IP addresses in place of host names ---


def test_the_basic_exchange_of_rfc_3264() -> None:
    """RFC 3264 10.1: of one audio and two video lines the audio is carried; the answer keeps all three."""
    call = session()
    videos = "m=video 51372 RTP/AVP 31\na=rtpmap:31 H261/90000\nm=video 53000 RTP/AVP 32\na=rtpmap:32 MPV/90000\n"
    assert call.relay_offer(offer(PLAIN + videos), "a", TO_B) == to_b(plain_to_b())
    relayed = call.relay_answer(answer("m=audio 49920 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n"), "b", TO_A)
    assert relayed.body == to_a(plain_to_a() + "m=video 0 RTP/AVP 31\nm=video 0 RTP/AVP 32\n")
    assert relayed.streams.b.remote_rtp == ("198.51.100.2", 49920)
    assert call.findings == [
        "The caller offers no telephone-event at 8000 Hz: digits can only come as tones or in INFO.",
        "The caller also offers video over RTP/AVP; declined, as one line is carried.",
    ]


def test_one_of_n_codecs_is_selected_by_a_second_offer() -> None:
    """RFC 3264 10.2: all codecs inactive first, then the one that is there, active."""
    call = session("PCMU", "PCMA")
    codecs = "a=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\n"
    written = call.relay_offer(offer(f"m=audio 62986 RTP/AVP 0 8\n{codecs}a=inactive\n"), "a", TO_B)
    assert written == to_b(f"m=audio 30000 RTP/AVP 0 8\n{codecs}a=inactive\na=rtcp:30001\n")
    first = call.relay_answer(answer(f"m=audio 54344 RTP/AVP 0 8\n{codecs}a=inactive\n"), "b", TO_A)
    assert first.body == to_a(f"m=audio 20000 RTP/AVP 0 8\n{codecs}a=inactive\na=rtcp:20001\n")
    assert [(stream.may_send, stream.may_receive) for stream in first.streams] == [(False, False)] * 2
    written = call.relay_offer(
        offer("m=audio 62986 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=sendrecv\n", "alice 2890844526 2890844527"),
        "a",
        TO_B,
    )
    assert written == to_b("m=audio 30000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=sendrecv\na=rtcp:30001\n", version=2)
    second = call.relay_answer(
        answer("m=audio 54344 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=sendrecv\n", 2808844565), "b", TO_A
    )
    assert second.body == to_a("m=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=sendrecv\na=rtcp:20001\n", version=2)
    assert second.streams.a.accepted == (PCMA,)


def test_a_declined_line_stays_declined_in_the_second_exchange() -> None:
    """RFC 4317 2.2: the video line with port 0 is still there, and both versions have grown."""
    call = session("PCMU", "PCMA")
    audio = "a=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\n"
    call.relay_offer(
        offer(
            f"m=audio 49170 RTP/AVP 0 8 97\n{audio}a=rtpmap:97 iLBC/8000\n"
            "m=video 51372 RTP/AVP 31 32\na=rtpmap:31 H261/90000\na=rtpmap:32 MPV/90000\n"
        ),
        "a",
        TO_B,
    )
    first = call.relay_answer(answer(f"m=audio 49172 RTP/AVP 0 8\n{audio}"), "b", TO_A)
    assert first.body == to_a(f"m=audio 20000 RTP/AVP 0 8\n{audio}a=sendrecv\na=rtcp:20001\nm=video 0 RTP/AVP 31 32\n")
    second_offer = offer(
        "m=audio 51372 RTP/AVP 0\na=rtpmap:0 PCMU/8000\nm=video 0 RTP/AVP 31\na=rtpmap:31 H261/90000\n",
        "alice 2890844526 2890844527",
    )
    assert call.relay_offer(second_offer, "a", TO_B) == to_b(plain_to_b(), version=2)
    second = call.relay_answer(answer("m=audio 49172 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n", 2808844565), "b", TO_A)
    assert second.body == to_a(plain_to_a() + "m=video 0 RTP/AVP 31\n", version=2)
    assert second.streams.a.remote_rtp == ("192.0.2.1", 51372)


def test_a_new_address_of_one_side_is_nothing_new_to_the_other() -> None:
    """RFC 4317 2.5: Bob moves; Alice's answer, and what she is shown of it, keep their versions."""
    call = session()
    call.relay_offer(offer(PLAIN), "a", TO_B)
    first = call.relay_answer(answer("m=audio 49174 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n"), "b", TO_A)
    moved = answer("m=audio 49178 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n", 2808844565, address="198.51.100.3")
    assert call.relay_offer(moved, "b", TO_A) == first.body == to_a(plain_to_a())
    second = call.relay_answer(offer(PLAIN), "a", TO_B)
    assert second.body == to_b(plain_to_b())
    assert second.streams.b.remote_rtp == ("198.51.100.3", 49178)
    assert second.streams.a.remote_rtp == ("192.0.2.1", 49170)


def test_hold_and_unhold() -> None:
    """RFC 4317 3.1: Bob answers on hold, then takes Alice off hold; she changes her port."""
    call = session()
    assert call.relay_offer(offer(PLAIN), "a", TO_B) == to_b(plain_to_b())
    held = call.relay_answer(answer(PLAIN + "a=sendonly\n"), "b", TO_A)
    assert held.body == to_a(plain_to_a("sendonly"))
    assert [(stream.may_send, stream.may_receive) for stream in held.streams] == [
        (False, True),
        (True, False),
    ]
    assert call.relay_offer(answer(PLAIN, 2808844565), "b", TO_A) == to_a(plain_to_a(), version=2)
    resumed = call.relay_answer(offer(PLAIN.replace("49170", "49178"), "alice 2890844526 2890844527"), "a", TO_B)
    assert resumed.body == to_b(plain_to_b())
    assert [(stream.may_send, stream.may_receive) for stream in resumed.streams] == [
        (True, True),
        (True, True),
    ]
    assert resumed.streams.a.remote_rtp == ("192.0.2.1", 49178)


def test_an_added_video_line_is_declined_and_not_shown_to_the_other_side() -> None:
    """RFC 4317 4.2, declined as RFC 3264 6 has it; a refresh of the other side has no such line."""
    call = established()
    with_video = PLAIN + "m=video 49172 RTP/AVP 31\na=rtpmap:31 H261/90000\n"
    assert call.relay_offer(offer(with_video), "a", TO_B) == to_b(plain_to_b())
    second = call.relay_answer(answer(PLAIN), "b", TO_A)
    assert second.body == to_a(plain_to_a() + "m=video 0 RTP/AVP 31\n", version=2)
    # The called side refreshes with its one line; the caller is shown both of its own.
    assert call.relay_offer(answer(PLAIN), "b", TO_A) == second.body
    third = call.relay_answer(offer(PLAIN + "m=video 0 RTP/AVP 31\n"), "a", TO_B)
    assert third.body == to_b(plain_to_b())


# --- m= lines of two legs (RFC 3264 8) ---


def test_lines_of_the_called_side_stay_with_it() -> None:
    """RFC 3264 8: none may go; each leg counts its own."""
    call = established()
    three = "m=image 4000 udptl t38\n" + PLAIN + "m=application 5000 TCP/BFCP *\n"
    assert call.relay_offer(answer(three), "b", TO_A) == to_a(plain_to_a())
    relayed = call.relay_answer(offer(PLAIN), "a", TO_B)
    assert relayed.body == to_b("m=image 0 udptl t38\n" + plain_to_b() + "m=application 0 TCP/BFCP *\n", version=2)
    # From now on our own offers to the called side have three lines too, the audio in its place.
    assert call.relay_offer(offer(PLAIN + "a=sendonly\n"), "a", TO_B) == to_b(
        "m=image 0 udptl t38\n" + plain_to_b("sendonly") + "m=application 0 TCP/BFCP *\n", version=3
    )
    held = call.relay_answer(
        answer("m=image 0 udptl t38\n" + PLAIN + "a=recvonly\nm=application 0 TCP/BFCP *\n"), "b", TO_A
    )
    assert held.body == to_a(plain_to_a("recvonly"), version=2)


def test_the_first_line_that_can_be_carried_is() -> None:
    """RFC 3264 6: lines are taken up or declined one by one. Here a secure and a foreign line come first."""
    call = session()
    offered = offer(
        "m=audio 4000 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\n"
        "m=audio 4002 RTP/AVP 9\n" + PLAIN + "m=audio 4006 RTP/AVP 0\n"
    )
    assert call.relay_offer(offered, "a", TO_B) == to_b(plain_to_b())
    relayed = call.relay_answer(answer(PLAIN), "b", TO_A)
    assert relayed.body == to_a("m=audio 0 RTP/SAVP 0\nm=audio 0 RTP/AVP 9\n" + plain_to_a() + "m=audio 0 RTP/AVP 0\n")
    assert relayed.streams.a.remote_rtp == ("192.0.2.1", 49170)


def test_the_audio_may_move_to_another_line() -> None:
    """RFC 3264 8.1, 8.2: the old line is disabled, a new one added."""
    call = established()
    assert call.relay_offer(offer("m=audio 0 RTP/AVP 0\n" + PLAIN), "a", TO_B) == to_b(plain_to_b())
    relayed = call.relay_answer(answer(PLAIN), "b", TO_A)
    assert relayed.body == to_a("m=audio 0 RTP/AVP 0\n" + plain_to_a(), version=2)


def test_a_line_that_was_taken_away_is_told() -> None:
    """RFC 3264 8."""
    call = session()
    call.relay_offer(offer(PLAIN + "m=video 5000 RTP/AVP 31\n"), "a", TO_B)
    call.relay_answer(answer(PLAIN), "b", TO_A)
    call.relay_offer(offer(PLAIN), "a", TO_B)
    assert call.relay_answer(answer(PLAIN), "b", TO_A).body == to_a(plain_to_a(), version=2)
    assert call.findings[-1] == "The caller offers 1 m= lines after 2; none may go (RFC 3264 8)."


# --- direction (RFC 3264 6.1) ---


@pytest.mark.parametrize("offered", DIRECTIONS)
@pytest.mark.parametrize("answered", DIRECTIONS)
def test_an_answer_says_no_more_than_the_offer_permits(offered: str, answered: str) -> None:
    """RFC 3264 6.1: who only sends is not sent to, who only receives is not asked to."""
    legal = {
        "sendrecv": {"sendrecv", "sendonly", "recvonly", "inactive"},
        "sendonly": {"recvonly", "inactive"},
        "recvonly": {"sendonly", "inactive"},
        "inactive": {"inactive"},
    }
    call = session()
    assert call.relay_offer(offer(PLAIN + f"a={offered}\n"), "a", TO_B) == to_b(plain_to_b(offered))
    findings = len(call.findings)
    relayed = call.relay_answer(answer(PLAIN + f"a={answered}\n"), "b", TO_A)
    taken = sdp.parse(relayed.body).media[0].direction
    assert taken.name in legal[offered]
    a, b = relayed.streams
    assert direction_of(b.may_send, b.may_receive) == taken
    assert (a.may_send, a.may_receive) == (b.may_receive, b.may_send)
    if answered in legal[offered]:
        assert taken.name == answered
        assert len(call.findings) == findings
    else:
        assert call.findings[-1].startswith(f"The called side answers {answered} to an offer of {offered}; taken")


def test_hold_by_an_address_of_zero_is_passed_on_as_a_direction() -> None:
    """RFC 3264 8.4: c=0.0.0.0 was the hold of RFC 2543; neither RTP nor RTCP is sent there."""
    call = established()
    held = offer(PLAIN.replace("RTP/AVP 0\n", "RTP/AVP 0\nc=IN IP4 0.0.0.0\n"))
    assert call.relay_offer(held, "a", TO_B) == to_b(plain_to_b("sendonly"), version=2)
    relayed = call.relay_answer(answer(PLAIN + "a=recvonly\n"), "b", TO_A)
    assert relayed.body == to_a(plain_to_a("recvonly"), version=2)
    assert (relayed.streams.a.remote_rtp, relayed.streams.a.remote_rtcp) == (None, None)
    assert (relayed.streams.a.may_send, relayed.streams.a.may_receive) == (True, False)
    assert relayed.streams.b.remote_rtp == ("198.51.100.2", 49170)
    assert call.findings[-1] == "The caller's SDP holds the call with the address 0.0.0.0 (RFC 3264 8.4)."
    assert call.relay_offer(offer(PLAIN), "a", TO_B) == to_b(plain_to_b(), version=3)
    resumed = call.relay_answer(answer(PLAIN), "b", TO_A)
    assert resumed.streams.a.remote_rtp == ("192.0.2.1", 49170)

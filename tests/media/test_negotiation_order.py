"""Offer and answer between the legs of a call: who offers when, and sessions of many exchanges."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from voiceconnector.media.negotiation import Leg
from voiceconnector.media.offer_answer import LegAddress, NegotiationError

# --- who offers when (RFC 3261 13.2.1, 14; RFC 6337) ---


def test_a_late_offer_goes_the_other_way() -> None:
    """RFC 3261 13.2.1: the 200 offers, the ACK answers."""
    call = session()
    assert call.offerer is None
    assert call.relay_offer(answer(PLAIN), "b", TO_A) == to_a(plain_to_a())
    assert call.offerer == "b"
    relayed = call.relay_answer(offer(PLAIN), "a", TO_B)
    assert relayed.body == to_b(plain_to_b())
    assert relayed.streams.a.remote_rtp == ("192.0.2.1", 49170)
    assert relayed.streams.b.remote_rtp == ("198.51.100.2", 49170)
    assert call.offerer is None


def test_the_offer_of_a_200_may_repeat_that_of_its_183() -> None:
    """RFC 6337 2.2: an unreliable 183 may show the offer before the 200 makes it."""
    call = session()
    assert call.relay_offer(answer(PLAIN), "b", TO_A) == to_a(plain_to_a())
    assert call.relay_offer(answer(PLAIN), "b", TO_A) == to_a(plain_to_a())
    assert call.relay_offer(answer(PLAIN + "a=ptime:30\n"), "b", TO_A) == to_a(
        "m=audio 20000 RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=ptime:30\na=sendrecv\na=rtcp:20001\n", version=2
    )
    assert call.relay_answer(offer(PLAIN), "a", TO_B).body == to_b(plain_to_b())


def test_early_answers_may_be_repeated_in_the_200() -> None:
    """RFC 6337 3.1.1: the 183 shows the answer that the 200 gives; nothing has changed, no version grows."""
    call = session()
    call.relay_offer(offer(PLAIN), "a", TO_B)
    early = call.relay_answer(answer(PLAIN), "b", TO_A, provisional=True)
    assert call.streams == early.streams
    assert call.offerer == "a"
    final = call.relay_answer(answer(PLAIN), "b", TO_A)
    assert final == early
    assert call.offerer is None
    assert not [finding for finding in call.findings if "twice" in finding]


def test_a_final_answer_may_differ_from_the_early_one() -> None:
    """RFC 3261 13.2.1 forbids it; gateways do it, and the last answer is the one that counts."""
    call = session("PCMU", "PCMA")
    call.relay_offer(offer("m=audio 49170 RTP/AVP 0 8\n"), "a", TO_B)
    call.relay_answer(answer("m=audio 7000 RTP/AVP 8\n"), "b", TO_A, provisional=True)
    final = call.relay_answer(answer("m=audio 7002 RTP/AVP 0\n", address="198.51.100.9"), "b", TO_A)
    assert final.body == to_a("m=audio 20000 RTP/AVP 0\na=sendrecv\na=rtcp:20001\n", version=2)
    assert final.streams.b.remote_rtp == ("198.51.100.9", 7002)
    assert call.findings[-1] == (
        "The called side answers one offer twice and not the same; a peer that keeps to RFC 3261 13.2.1 goes "
        "by the first answer."
    )


def test_a_200_without_sdp_settles_the_early_answer() -> None:
    """RFC 6337 3.1.1: after an answer in a 18x some peers leave it out of the 200."""
    call = session()
    call.relay_offer(offer(PLAIN), "a", TO_B)
    early = call.relay_answer(answer(PLAIN), "b", TO_A, provisional=True)
    call.settle()
    assert call.offerer is None
    assert call.abandon() == early.streams


def test_a_200_without_any_answer_is_told() -> None:
    """RFC 3261 13.2.1."""
    call = session()
    call.relay_offer(offer(PLAIN), "a", TO_B)
    with pytest.raises(NegotiationError) as caught:
        call.settle()
    assert caught.value.status_code == 502
    assert str(caught.value) == "The called side accepts an offer without ever answering it with SDP."


def test_another_far_side_gets_the_same_offer() -> None:
    """One route answered early and failed; the next is offered what the first was."""
    call = session()
    call.relay_offer(offer(PLAIN), "a", TO_B)
    call.relay_answer(answer(PLAIN), "b", TO_A, provisional=True)
    assert call.abandon() is None
    assert call.relay_offer(offer(PLAIN), "a", TO_B) == to_b(plain_to_b())
    assert call.relay_answer(answer(PLAIN), "b", TO_A).body == to_a(plain_to_a())


def test_a_refused_offer_leaves_the_session_as_it_was() -> None:
    """RFC 3261 14.1: after a 488 the session goes on as if there had been no re-INVITE."""
    call = established()
    before = call.streams
    with_video = PLAIN + "a=sendonly\nm=video 5000 RTP/AVP 31\n"
    assert call.relay_offer(offer(with_video), "a", TO_B) == to_b(plain_to_b("sendonly"), version=2)
    call.relay_answer(answer(PLAIN + "a=recvonly\n"), "b", TO_A, provisional=True)
    assert call.streams != before
    assert call.abandon() == before
    assert call.streams == before
    # The called side has seen version 2 with other words.
    assert call.relay_offer(offer(PLAIN), "a", TO_B) == to_b(plain_to_b(), version=3)
    assert call.relay_answer(answer(PLAIN), "b", TO_A).body == to_a(plain_to_a(), version=3)


def test_abandoning_nothing_changes_nothing() -> None:
    """A re-INVITE that was refused at once opened no exchange."""
    call = established()
    before = call.streams
    with pytest.raises(NegotiationError):
        call.relay_offer(offer("m=audio 49170 RTP/AVP 9\n"), "a", TO_B)
    assert call.abandon() == before
    assert call.relay_offer(offer(PLAIN), "a", TO_B) == to_b(plain_to_b())


def test_offers_that_cross_are_told_apart() -> None:
    """RFC 3264 4, RFC 3261 14.2: 491 while the other's offer is unanswered."""
    call = established()
    call.relay_offer(offer(PLAIN + "a=sendonly\n"), "a", TO_B)
    with pytest.raises(NegotiationError) as caught:
        call.relay_offer(answer(PLAIN), "b", TO_A)
    assert (caught.value.status_code, caught.value.reason_phrase) == (491, "Request Pending")
    assert call.relay_answer(answer(PLAIN + "a=recvonly\n"), "b", TO_A).body == to_a(plain_to_a("recvonly"), version=2)


def test_a_refresh_says_the_same_in_the_same_version() -> None:
    """RFC 4028 7.4, RFC 3264 8: an offer without change keeps its version, whoever makes it."""
    call = established()
    for _ in range(3):
        assert call.relay_offer(offer(PLAIN), "a", TO_B) == to_b(plain_to_b())
        assert call.relay_answer(answer(PLAIN), "b", TO_A).body == to_a(plain_to_a())
        assert call.relay_offer(answer(PLAIN), "b", TO_A) == to_a(plain_to_a())
        assert call.relay_answer(offer(PLAIN), "a", TO_B).body == to_b(plain_to_b())


def test_our_own_move_keeps_the_origin() -> None:
    """RFC 3264 8: all of o= but the version stays."""
    call = established()
    moved = call.relay_offer(offer(PLAIN), "a", LegAddress("203.0.113.9", 40000))
    assert moved == crlf("""\
v=0
o=- 4712 2 IN IP4 203.0.113.1
s=-
c=IN IP4 203.0.113.9
t=0 0
m=audio 40000 RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=sendrecv
a=rtcp:40001
""")


# --- any exchanges at all ---


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_are_refused_or_passed_on(offered: bytes, answered: bytes) -> None:
    """Nothing but NegotiationError comes out, and what comes out of us can be parsed."""
    call = session()
    try:
        written = call.relay_offer(offer(PLAIN) + offered, "a", TO_B)
        assert sdp.parse(written).anomalies() == []
        assert sdp.parse(call.relay_answer(answer(PLAIN) + answered, "b", TO_A).body).anomalies() == []
    except NegotiationError:
        pass


MEDIA = st.lists(
    st.sampled_from(
        [
            PLAIN,
            PLAIN + "a=sendonly\n",
            PLAIN + "a=inactive\n",
            "m=audio 0 RTP/AVP 0\n",
            "m=audio 5000 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\n",
            "m=audio 5000 RTP/SAVP 0\n",
            "m=audio 5000 RTP/AVP 9\n",
            "m=video 5000 RTP/AVP 31\n",
            "m=image 5000 udptl t38\n",
        ]
    ),
    min_size=1,
    max_size=4,
).map("".join)
EXCHANGES = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), MEDIA, MEDIA, st.sampled_from(["final", "early", "none"])),
    max_size=8,
)


@given(EXCHANGES)
def test_lines_and_versions_follow_the_rules_in_any_session(
    exchanges: list[tuple[Leg, str, str, str]],
) -> None:
    """RFC 3264 6, 8: an answer has its offer's lines, an offer all lines so far; versions grow by one."""
    call = session("PCMU", "PCMA")
    ours: dict[Leg, LegAddress] = {"a": TO_A, "b": TO_B}
    other: dict[Leg, Leg] = {"a": "b", "b": "a"}
    written: dict[Leg, list[bytes]] = {"a": [], "b": []}
    lines: dict[Leg, int] = {"a": 1, "b": 1}
    for leg, offered, answered, how in exchanges:
        far = other[leg]
        before = call.streams
        try:
            ours_on_far = call.relay_offer(offer(offered), leg, ours[far])
            written[far].append(ours_on_far)
            assert len(sdp.parse(ours_on_far).media) == lines[far]
            if how != "none":
                relayed = call.relay_answer(answer(answered), far, ours[leg], provisional=how == "early")
                written[leg].append(relayed.body)
                assert call.streams == relayed.streams
                assert len(sdp.parse(relayed.body).media) == offered.count("m=")
        except NegotiationError:
            pass
        if how == "final" and call.streams is not before:
            lines[leg] = offered.count("m=")
        else:
            assert call.abandon() == before
    for leg, bodies in written.items():
        for body in bodies:
            description = sdp.parse(body)
            assert [line.media for line in description.media if line.port] in (["audio"], ["image"])
            assert description.anomalies() == []
        for earlier, later in pairwise(bodies):
            grown = version(later) - version(earlier)
            assert grown == (0 if earlier == later else 1), leg


def version(body: bytes) -> int:
    match = re.search(rb"\r\no=- \d+ (\d+) IN", body)
    assert match is not None
    return int(match[1])

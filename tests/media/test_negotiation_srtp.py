"""Secure RTP on one leg, plain RTP on the other: descriptions before and after, and the keys the relay is given."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media.descriptions import (
    AES_256,
    OPTIONAL,
    PLAIN,
    REQUIRED,
    SECURE,
    SHA1_32,
    SHA1_80,
    THEIR_OTHER,
    THEIRS,
    TO_A,
    TO_B,
    Octets,
    answer,
    crypto,
    encrypted,
    offer,
    plain_to_b,
    secured,
    to_a,
    to_b,
)
from tests.media.test_sdes import KEY, LINES
from voiceconnector.media import sdp
from voiceconnector.media.negotiation import MediaSession
from voiceconnector.media.offer_answer import NegotiationError
from voiceconnector.media.plan import Srtp
from voiceconnector.media.sdes import PLAIN as PLAIN_ONLY
from voiceconnector.media.sdes import SUITES, Protection

TWO_SUITES = REQUIRED._replace(offered=(AES_256, SHA1_80))


def secure_to_a(key: bytes, *, tag: int = 1, suite: str = SHA1_80, direction: str = "sendrecv") -> str:
    """What we write on leg a: the key comes last."""
    plain = f"m=audio 20000 RTP/SAVP 0\na=rtpmap:0 PCMU/8000\na={direction}\na=rtcp:20001\n"
    return plain + crypto(tag, key, suite)


def secure_to_b(*lines: str) -> str:
    return plain_to_b().replace("RTP/AVP", "RTP/SAVP") + "".join(lines)


def srtp(call: MediaSession) -> tuple[Srtp | None, Srtp | None]:
    assert call.streams
    return call.streams.a.srtp, call.streams.b.srtp


# -- the customer offers


@pytest.mark.parametrize("protection", [REQUIRED, OPTIONAL])
def test_keys_end_with_the_leg_they_are_for(protection: Protection) -> None:
    """RFC 4568 5.1.2: our offer on the other leg is plain; the answer has the tag, the suite and a key of ours."""
    call = secured("a", protection)
    assert call.relay_offer(offer(SECURE + crypto(1, THEIRS)), "a", TO_B) == to_b(plain_to_b())
    relayed = call.relay_answer(answer(PLAIN), "b", TO_A)
    assert relayed.body == to_a(secure_to_a(Octets.key(1)))
    assert srtp(call) == (Srtp(SHA1_80, THEIRS, Octets.key(1)), None)


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_is_answered_under_its_tag(suite: str) -> None:
    """RFC 4568 6.2, RFC 6188 7, RFC 7714 14.2."""
    theirs = bytes(range(SUITES[suite]))
    call = secured("a", REQUIRED)
    call.relay_offer(offer(SECURE + crypto(7, theirs, suite)), "a", TO_B)
    ours = Octets.key(1, SUITES[suite])
    assert call.relay_answer(answer(PLAIN), "b", TO_A).body == to_a(secure_to_a(ours, tag=7, suite=suite))
    assert srtp(call)[0] == Srtp(suite, theirs, ours)


def test_the_answer_spells_the_suite_as_the_offer_does() -> None:
    """RFC 4568 5.1.2; Amazon's documentation spells AES_256_CM otherwise."""
    call = secured("a", REQUIRED)
    call.relay_offer(offer(SECURE + crypto(1, bytes(46), "AES_CM_256_HMAC_SHA1_80")), "a", TO_B)
    body = call.relay_answer(answer(PLAIN), "b", TO_A).body
    assert b"a=crypto:1 AES_CM_256_HMAC_SHA1_80 inline:" in body
    streams = call.streams
    assert streams
    assert streams.a.srtp
    assert streams.a.srtp.suite == AES_256


def test_the_first_usable_of_several_lines_is_answered() -> None:
    """RFC 4568 5.1.2: exactly one line."""
    call = secured("a", REQUIRED)
    lines = (
        crypto(1, THEIRS, "F8_128_HMAC_SHA1_80")
        + crypto(2, THEIRS, more="|2^20|1:4")
        + crypto(3, THEIRS, SHA1_32, "|2^31")
        + crypto(4, THEIRS)
    )
    call.relay_offer(offer(SECURE + lines), "a", TO_B)
    relayed = call.relay_answer(answer(PLAIN), "b", TO_A)
    assert relayed.body == to_a(secure_to_a(Octets.key(1), tag=3, suite=SHA1_32))


def test_of_a_secure_and_a_plain_line_the_first_that_may_be_is_taken() -> None:
    """RFC 3264 6: the other is declined, in its place."""
    both = PLAIN + SECURE.replace("49170", "49180") + crypto(1, THEIRS)
    call = secured("a", REQUIRED)
    call.relay_offer(offer(both), "a", TO_B)
    assert call.relay_answer(answer(PLAIN), "b", TO_A).body == to_a(
        "m=audio 0 RTP/AVP 0\n" + secure_to_a(Octets.key(1))
    )
    call = secured("a", OPTIONAL)
    call.relay_offer(offer(both), "a", TO_B)
    body = call.relay_answer(answer(PLAIN), "b", TO_A).body
    assert [line.port for line in sdp.parse(body).media] == [20000, 0]
    assert srtp(call) == (None, None)


def test_best_effort_keys_under_plain_rtp_are_told_and_ignored() -> None:
    """RFC 4568: a=crypto belongs to a secure transport."""
    call = secured("a", OPTIONAL)
    call.relay_offer(offer(PLAIN + crypto(1, THEIRS)), "a", TO_B)
    assert b"crypto" not in call.relay_answer(answer(PLAIN), "b", TO_A).body
    assert "gives keys (a=crypto) under RTP/AVP, as best effort; ignored" in call.findings[0]


@pytest.mark.parametrize(
    ("protection", "media", "warn_code", "reason_phrase", "because"),
    [
        (
            REQUIRED, PLAIN, 302, "SRTP Required",
            "The caller offers audio over RTP/AVP, and the Voice Connector requires encryption, which is RTP/SAVP.",
        ),
        (
            REQUIRED, PLAIN + crypto(1, THEIRS), 302, "SRTP Required",
            "The caller offers audio over RTP/AVP, and the Voice Connector requires encryption, which is RTP/SAVP; "
            "its a=crypto lines count under RTP/SAVP only.",
        ),
        (
            REQUIRED, SECURE, 306, "No Usable Key for SRTP",
            "The caller offers audio over RTP/SAVP without a key that can be used, as it has no a=crypto line.",
        ),
        (
            REQUIRED, SECURE + crypto(1, THEIRS, "F8_128_HMAC_SHA1_80") + crypto(2, THEIRS, more="|1:4"), 306,
            "No Usable Key for SRTP",
            "The caller offers audio over RTP/SAVP without a key that can be used, as of its a=crypto lines, in line 1 "
            "F8_128_HMAC_SHA1_80 is not known here; in line 2 it has a master key identifier (MKI), which is not "
            "supported.",
        ),
        (
            REQUIRED, SECURE + "a=fingerprint:sha-256 19:E2\na=setup:actpass\n", 302, "DTLS-SRTP Not Available",
            "The caller offers audio over RTP/SAVP with a fingerprint: DTLS-SRTP is not supported, use SDES.",
        ),
        (
            OPTIONAL, SECURE.replace("RTP/SAVP", "UDP/TLS/RTP/SAVPF") + "a=fingerprint:sha-256 19:E2\n", 302,
            "DTLS-SRTP Not Available",
            "The caller offers audio over UDP/TLS/RTP/SAVPF with a fingerprint: DTLS-SRTP is not supported, use SDES.",
        ),
        (
            REQUIRED, SECURE.replace("SAVP", "SAVPF") + crypto(1, THEIRS), 302, "Only RTP/SAVP Available",
            "The caller offers audio over RTP/SAVPF; only RTP/SAVP is carried.",
        ),
        (
            OPTIONAL, PLAIN.replace("AVP", "AVPF"), 302, "Only RTP/AVP and RTP/SAVP Available",
            "The caller offers audio over RTP/AVPF; only RTP/AVP and RTP/SAVP are carried.",
        ),
        (
            PLAIN_ONLY, SECURE + crypto(1, THEIRS), 302, "Only RTP/AVP Available",
            "The caller offers audio over RTP/SAVP; only RTP/AVP is carried.",
        ),
    ],
    ids=["plain", "best effort", "no key", "no usable key", "DTLS", "DTLS by name", "SAVPF", "AVPF", "not allowed"],
)  # fmt: skip
def test_an_offer_without_usable_protection_is_refused_in_words(
    protection: Protection, media: str, warn_code: int, reason_phrase: str, because: str
) -> None:
    """RFC 4568 5.1.2, RFC 3261 21.4.26; the way out is told, and no key."""
    call = secured("a", protection)
    with pytest.raises(NegotiationError) as caught:
        call.relay_offer(offer(media), "a", TO_B)
    error = caught.value
    assert (error.status_code, error.warn_code, error.reason_phrase) == (488, warn_code, reason_phrase)
    assert error.because == because
    assert error.remedy
    assert KEY not in repr(error)


# -- we offer


def test_our_offer_lists_the_suites_in_order_with_a_key_each() -> None:
    """RFC 4568 5.1.1, 5.1.3."""
    call = secured("b", TWO_SUITES)
    proposed = crypto(1, Octets.key(1, 46), AES_256) + crypto(2, Octets.key(2))
    assert call.relay_offer(offer(PLAIN), "a", TO_B) == to_b(secure_to_b(proposed))
    relayed = call.relay_answer(answer(SECURE + crypto(2, THEIRS)), "b", TO_A)
    assert b"RTP/AVP 0\r\n" in relayed.body
    assert b"crypto" not in relayed.body
    assert srtp(call) == (None, Srtp(SHA1_80, THEIRS, Octets.key(2)))


@pytest.mark.parametrize(
    ("media", "reason_phrase", "because"),
    [
        (PLAIN, "Only RTP/SAVP Available", "The called side answers audio over RTP/AVP; only RTP/SAVP is carried."),
        (
            SECURE, "No Usable Key for SRTP",
            "The called side answers audio over RTP/SAVP without a key that can be used, as it has no a=crypto line.",
        ),
        (
            SECURE + crypto(3, THEIRS), "No Usable Key for SRTP",
            "The called side answers audio over RTP/SAVP without a key that can be used, as tag 3 was not offered.",
        ),
        (
            SECURE + crypto(1, THEIRS) + crypto(2, THEIRS), "No Usable Key for SRTP",
            "The called side answers audio over RTP/SAVP without a key that can be used, as it has 2 a=crypto lines, "
            "where one has to be chosen.",
        ),
    ],
)  # fmt: skip
def test_an_answer_without_the_key_asked_for_is_refused_in_words(media: str, reason_phrase: str, because: str) -> None:
    """RFC 4568 5.1.3: the offer stays open, so that it can be abandoned."""
    call = secured("b", TWO_SUITES)
    call.relay_offer(offer(PLAIN), "a", TO_B)
    with pytest.raises(NegotiationError) as caught:
        call.relay_answer(answer(media), "b", TO_A)
    assert (caught.value.status_code, caught.value.reason_phrase, str(caught.value)) == (488, reason_phrase, because)
    assert call.offerer == "a"


def test_another_target_is_offered_other_keys() -> None:
    """Who had the first offer knows the keys in it."""
    call = secured("b", REQUIRED)
    call.relay_offer(offer(PLAIN), "a", TO_B)
    call.relay_answer(answer(SECURE + crypto(1, THEIRS)), "b", TO_A, provisional=True)
    assert call.abandon() is None
    second = call.relay_offer(offer(PLAIN), "a", TO_B)
    assert second == to_b(secure_to_b(crypto(1, Octets.key(2))), version=2)
    call.relay_answer(answer(SECURE + crypto(1, THEIR_OTHER)), "b", TO_A)
    assert srtp(call)[1] == Srtp(SHA1_80, THEIR_OTHER, Octets.key(2))


def test_an_early_answer_and_the_final_one_may_choose_differently() -> None:
    """RFC 4568 7.3: two devices behind one offer. All keys proposed stand until the final answer."""
    call = secured("b", TWO_SUITES)
    call.relay_offer(offer(PLAIN), "a", TO_B)
    early = call.relay_answer(answer(SECURE + crypto(2, THEIRS)), "b", TO_A, provisional=True)
    assert early.streams.b.srtp == Srtp(SHA1_80, THEIRS, Octets.key(2))
    final = call.relay_answer(answer(SECURE + crypto(1, bytes(46), AES_256)), "b", TO_A)
    assert final.streams.b.srtp == Srtp(AES_256, bytes(46), Octets.key(1, 46))


def test_a_late_offer_is_made_and_answered_under_protection() -> None:
    """RFC 3261 13.2.1: the called side offers in its 200, and the caller's answer with its key is in the ACK."""
    call = secured("a", REQUIRED)
    assert call.relay_offer(answer(PLAIN), "b", TO_A) == to_a(secure_to_a(Octets.key(1)))
    call.relay_answer(offer(SECURE + crypto(1, THEIRS)), "a", TO_B)
    assert srtp(call) == (Srtp(SHA1_80, THEIRS, Octets.key(1)), None)


# -- in the call


def test_a_new_key_of_theirs_leaves_ours_as_it_is() -> None:
    """RFC 4568 7.1.4: each side's key is its own to change."""
    call = encrypted()
    before = to_a(secure_to_a(Octets.key(1)))
    assert call.relay_offer(offer(SECURE + crypto(1, THEIR_OTHER)), "a", TO_B) == to_b(plain_to_b())
    assert call.relay_answer(answer(PLAIN), "b", TO_A).body == before
    assert srtp(call)[0] == Srtp(SHA1_80, THEIR_OTHER, Octets.key(1))


def test_a_new_suite_has_a_new_key() -> None:
    """RFC 4568 7.1.4; and what was used before does not come back with the old suite."""
    call = encrypted()
    call.relay_offer(offer(SECURE + crypto(1, THEIRS, SHA1_32)), "a", TO_B)
    body = call.relay_answer(answer(PLAIN), "b", TO_A).body
    assert body == to_a(secure_to_a(Octets.key(2), suite=SHA1_32), version=2)
    call.relay_offer(offer(SECURE + crypto(1, THEIRS)), "a", TO_B)
    call.relay_answer(answer(PLAIN), "b", TO_A)
    assert srtp(call)[0] == Srtp(SHA1_80, THEIRS, Octets.key(3))


def test_a_refresh_says_the_same_in_the_same_version() -> None:
    """RFC 3264 8, RFC 4028 7.4: from either side, any number of times."""
    call = encrypted()
    streams, shown = call.streams, to_a(secure_to_a(Octets.key(1)))
    for _ in range(3):
        assert call.relay_offer(offer(SECURE + crypto(1, THEIRS)), "a", TO_B) == to_b(plain_to_b())
        assert call.relay_answer(answer(PLAIN), "b", TO_A).body == shown
        assert call.relay_offer(answer(PLAIN), "b", TO_A) == shown
        call.relay_answer(offer(SECURE + crypto(1, THEIRS)), "a", TO_B)
        assert call.streams == streams


def test_of_several_lines_offered_the_one_taken_up_is_offered_again() -> None:
    """RFC 3264 8: our next offer on that leg is for the suite in use, under its tag and with its key."""
    call = secured("b", TWO_SUITES)
    call.relay_offer(offer(PLAIN), "a", TO_B)
    call.relay_answer(answer(SECURE + crypto(2, THEIRS)), "b", TO_A)
    again = call.relay_offer(offer(PLAIN), "a", TO_B)
    assert again == to_b(secure_to_b(crypto(2, Octets.key(2))), version=2)


@pytest.mark.parametrize("holder", ["a", "b"])
def test_hold_keeps_the_keys(holder: str) -> None:
    """RFC 3264 8.4."""
    call = encrypted()
    if holder == "a":
        call.relay_offer(offer(SECURE + "a=sendonly\n" + crypto(1, THEIRS)), "a", TO_B)
        body = call.relay_answer(answer(PLAIN + "a=recvonly\n"), "b", TO_A).body
        assert body == to_a(secure_to_a(Octets.key(1), direction="recvonly"), version=2)
    else:
        body = call.relay_offer(answer(PLAIN + "a=sendonly\n"), "b", TO_A)
        assert body == to_a(secure_to_a(Octets.key(1), direction="sendonly"), version=2)
        call.relay_answer(offer(SECURE + "a=recvonly\n" + crypto(1, THEIRS)), "a", TO_B)
    assert srtp(call)[0] == Srtp(SHA1_80, THEIRS, Octets.key(1))


def test_a_refused_key_change_changes_nothing() -> None:
    """RFC 3261 14.1."""
    call = encrypted()
    before = call.streams
    call.relay_offer(offer(SECURE + crypto(1, THEIR_OTHER, SHA1_32)), "a", TO_B)
    assert call.abandon() == before
    assert call.relay_offer(answer(PLAIN), "b", TO_A) == to_a(secure_to_a(Octets.key(1)))


def test_a_customer_may_go_back_to_plain_rtp_where_encryption_is_not_required() -> None:
    call = encrypted(OPTIONAL)
    call.relay_offer(offer(PLAIN), "a", TO_B)
    assert b"RTP/AVP" in call.relay_answer(answer(PLAIN), "b", TO_A).body
    assert srtp(call) == (None, None)
    call = encrypted()
    with pytest.raises(NegotiationError, match="requires encryption"):
        call.relay_offer(offer(PLAIN), "a", TO_B)
    assert srtp(call)[0] == Srtp(SHA1_80, THEIRS, Octets.key(1))


def test_no_key_is_told() -> None:
    """A line of no known type, for one, is quoted to the user."""
    call = secured("a", OPTIONAL)
    call.relay_offer(offer(SECURE + crypto(1, THEIRS) + f"A=crypto:1 {SHA1_80} inline:{KEY}\n"), "a", TO_B)
    call.relay_answer(answer(PLAIN), "b", TO_A)
    assert "(hidden)" in " ".join(call.findings)
    assert KEY not in " ".join(call.findings)
    assert "tttt" not in repr(call.streams)


OFFERS = st.sampled_from(
    [
        SECURE + crypto(1, THEIRS), SECURE + crypto(4, THEIR_OTHER), SECURE + crypto(1, THEIRS, SHA1_32),
        SECURE + crypto(2, bytes(46), AES_256) + crypto(3, THEIRS), SECURE, PLAIN, "m=image 5000 udptl t38\n",
        PLAIN + "m=image 5000 udptl t38\n", SECURE + crypto(1, THEIRS) + "m=image 5000 udptl t38\n",
    ]
)  # fmt: skip


@given(st.lists(st.tuples(st.booleans(), OFFERS, OFFERS, st.sampled_from(["final", "early", "none"])), max_size=8))
def test_descriptions_and_keys_agree_in_any_session(exchanges: list[tuple[bool, str, str, str]]) -> None:
    """RFC 4568 4, 5.1: keys stand under RTP/SAVP and nowhere else; the relay has the key last written on a leg.

    And no key is ever used for two suites.
    """
    call = secured("a", OPTIONAL)
    suites: dict[bytes, str] = {}
    for from_a, offered, answered, how in exchanges:
        leg, far = ("a", "b") if from_a else ("b", "a")
        before, written = call.streams, {}
        try:
            written[far] = call.relay_offer(offer(offered), leg, TO_B)  # type: ignore[arg-type]
            if how != "none":
                relayed = call.relay_answer(answer(answered), far, TO_A, provisional=how == "early")  # type: ignore[arg-type]
                written[leg] = relayed.body
        except NegotiationError:
            pass
        for body in written.values():
            for line in sdp.parse(body).media:
                assert (line.protocol == "RTP/SAVP" and line.port > 0) == ("crypto" in line.values)
        if len(written) == 2 and call.streams:
            assert call.streams.b.srtp is None
            used = call.streams.a.srtp
            assert (b"RTP/SAVP" in written["a"] and b"inline:" in written["a"]) == (used is not None)
            if used:
                assert b64encode(used.local_key) in written["a"]
                assert suites.setdefault(used.local_key, used.suite) == used.suite
        if how != "final" or len(written) < 2:
            assert call.abandon() == before


@given(st.lists(LINES, max_size=3), st.lists(LINES, max_size=3))
def test_any_crypto_lines_are_refused_or_agreed(offered: list[str], answered: list[str]) -> None:
    """Nothing but NegotiationError comes out, and without the key in it."""
    call, said = secured("a", REQUIRED), ""
    call.protect("b", TWO_SUITES)
    try:
        call.relay_offer(offer(SECURE + "".join(f"a=crypto:{line}\n" for line in offered)), "a", TO_B)
        call.relay_answer(answer(SECURE + "".join(f"a=crypto:{line}\n" for line in answered)), "b", TO_A)
        assert None not in srtp(call)
    except NegotiationError as error:
        said = f"{error} {error.remedy}"
    assert KEY not in " ".join([said, *call.findings])

"""Fax by T.38 over UDPTL (RFC 3362): audio turns into fax and back on both legs, by an offer of either side."""

from typing import NamedTuple

import pytest

from tests.media.descriptions import (
    OPTIONAL,
    PLAIN,
    REQUIRED,
    SECURE,
    THEIRS,
    TO_A,
    TO_B,
    Octets,
    answer,
    crypto,
    encrypted,
    established,
    offer,
    plain_to_a,
    plain_to_b,
    session,
    to_a,
    to_b,
)
from voiceconnector.media.negotiation import Leg, MediaSession
from voiceconnector.media.offer_answer import NegotiationError

# ITU-T T.38 D.2.4 has such lines; the case of their names differs between makers, and is theirs.
T38 = """\
a=T38FaxVersion:0
a=T38MaxBitRate:14400
a=t38FaxFillBitRemoval:0
a=T38FaxRateManagement:transferredTCF
a=T38FaxMaxBuffer:262
a=T38FaxMaxDatagram:90
a=T38FaxUdpEC:t38UDPRedundancy
"""
FAX = "m=image 49190 udptl t38\n" + T38
FAX_ANSWER = "m=image 49192 udptl t38\n" + T38.replace("90", "176")
NO_AUDIO = "m=audio 0 RTP/AVP 0\n"


def fax_to_a(attributes: str = T38) -> str:
    return "m=image 20000 udptl t38\n" + attributes


def fax_to_b(attributes: str = T38) -> str:
    return "m=image 30000 udptl t38\n" + attributes


class Fax(NamedTuple):
    """What the relay has to know of a leg with fax."""

    remote: tuple[str, int] | None
    remote_rtcp: tuple[str, int] | None
    payload_types: tuple[int, ...]
    both_ways: bool


def fax_of(call: MediaSession) -> tuple[Fax, Fax]:
    assert call.streams
    a, b = (
        Fax(one.remote_rtp, one.remote_rtcp, one.payload_types, one.may_send and one.may_receive)
        for one in call.streams
        if one.is_fax and one.encoding_name == "T.38" and one.srtp is None
    )
    return a, b


def test_the_caller_turns_audio_into_fax_in_the_same_line() -> None:
    """RFC 3264 8.3.3, RFC 3362: all attributes pass as they are, and there is no RTCP."""
    call = established()
    assert call.relay_offer(offer(FAX), "a", TO_B) == to_b(fax_to_b(), version=2)
    relayed = call.relay_answer(answer(FAX_ANSWER), "b", TO_A)
    assert relayed.body == to_a(fax_to_a(T38.replace("90", "176")), version=2)
    assert fax_of(call) == (
        Fax(("192.0.2.1", 49190), None, (), True),
        Fax(("198.51.100.2", 49192), None, (), True),
    )


def test_the_called_side_turns_audio_into_fax_and_back() -> None:
    call = established()
    assert call.relay_offer(answer(FAX_ANSWER), "b", TO_A) == to_a(fax_to_a(T38.replace("90", "176")), version=2)
    assert call.relay_answer(offer(FAX), "a", TO_B).body == to_b(fax_to_b(), version=2)
    fax_of(call)
    assert call.relay_offer(answer(PLAIN), "b", TO_A) == to_a(plain_to_a(), version=3)
    relayed = call.relay_answer(offer(PLAIN), "a", TO_B)
    assert relayed.body == to_b(plain_to_b(), version=3)
    assert (relayed.streams.a.is_fax, relayed.streams.a.payload_types) == (False, (0,))


def test_a_fax_line_of_its_own_beside_the_audio_at_port_0_stays_on_its_leg() -> None:
    """RFC 3264 8.1, 8.2: the caller's second line; for the called side it is the same line as ever."""
    call = established()
    assert call.relay_offer(offer(NO_AUDIO + FAX), "a", TO_B) == to_b(fax_to_b(), version=2)
    relayed = call.relay_answer(answer(FAX), "b", TO_A)
    assert relayed.body == to_a(NO_AUDIO + fax_to_a(), version=2)
    # The called side goes back to audio, which on the caller's leg has its own line.
    assert call.relay_offer(answer(PLAIN), "b", TO_A) == to_a(plain_to_a() + "m=image 0 udptl t38\n", version=3)
    relayed = call.relay_answer(offer(PLAIN + "m=image 0 udptl t38\n"), "a", TO_B)
    assert relayed.body == to_b(plain_to_b(), version=3)
    # And to fax again.
    assert call.relay_offer(answer(FAX), "b", TO_A) == to_a(NO_AUDIO + fax_to_a(), version=4)


def test_of_audio_and_fax_together_the_one_that_is_new_is_meant() -> None:
    """A fax line added to a call asks for fax; a refresh of the same two lines does not ask again."""
    call = established()
    both = PLAIN + FAX
    assert call.relay_offer(offer(both), "a", TO_B) == to_b(fax_to_b(), version=2)
    assert call.relay_answer(answer(FAX), "b", TO_A).body == to_a(NO_AUDIO + fax_to_a(), version=2)
    assert call.relay_offer(offer(both), "a", TO_B) == to_b(fax_to_b(), version=2)
    call.relay_answer(answer(FAX), "b", TO_A)
    assert call.relay_offer(offer(PLAIN + "m=image 0 udptl t38\n"), "a", TO_B) == to_b(plain_to_b(), version=3)


def test_a_fax_line_beside_the_audio_of_the_first_offer_is_declined_until_audio_ends() -> None:
    """A gateway that says what it could do speaks first all the same."""
    call = session()
    assert call.relay_offer(offer(PLAIN + FAX), "a", TO_B) == to_b(plain_to_b())
    assert call.relay_answer(answer(PLAIN), "b", TO_A).body == to_a(plain_to_a() + "m=image 0 udptl t38\n")
    assert call.findings[-1] == "The caller also offers image over udptl; declined, as one line is carried."
    assert call.relay_offer(offer(PLAIN + FAX), "a", TO_B) == to_b(plain_to_b())
    call.relay_answer(answer(PLAIN), "b", TO_A)
    assert call.relay_offer(offer(NO_AUDIO + FAX), "a", TO_B) == to_b(fax_to_b(), version=2)


def test_a_call_may_begin_as_fax() -> None:
    """RFC 3362 6: some fax servers never send audio."""
    call = session()
    assert call.relay_offer(offer(FAX), "a", TO_B) == to_b(fax_to_b())
    assert call.relay_answer(answer(FAX), "b", TO_A).body == to_a(fax_to_a())
    assert call.findings == []


@pytest.mark.parametrize("line", ["m=image 49190 UDPTL t38\n", "m=image 49190 udptl T38\n"])
def test_each_leg_sees_the_words_of_the_offer(line: str) -> None:
    """RFC 3264 6: the transport of an answer is that of the offer, to the letter."""
    call = established()
    words = line.split(" ", 2)[2].strip()
    assert call.relay_offer(offer(line), "a", TO_B) == to_b(f"m=image 30000 {words}\n", version=2)
    body = call.relay_answer(answer("m=image 49192 udptl t38\n"), "b", TO_A).body
    assert body == to_a(f"m=image 20000 {words.partition(' ')[0]} t38\n", version=2)


def test_a_refused_fax_leaves_the_audio_as_it_was() -> None:
    """RFC 3261 14.1."""
    call = established()
    before = call.streams
    call.relay_offer(offer(FAX), "a", TO_B)
    assert call.abandon() == before
    assert call.relay_offer(offer(PLAIN), "a", TO_B) == to_b(plain_to_b(), version=3)
    assert call.relay_answer(answer(PLAIN), "b", TO_A).streams == before


@pytest.mark.parametrize(
    ("answered", "reason_phrase"),
    [
        (PLAIN, "Fax Declined"),
        ("m=image 49192 tcp t38\n", "Only T.38 over UDPTL Available"),
    ],
)
def test_an_answer_that_is_no_fax_is_refused(answered: str, reason_phrase: str) -> None:
    """RFC 3264 6."""
    call = established()
    call.relay_offer(offer(FAX), "a", TO_B)
    with pytest.raises(NegotiationError) as caught:
        call.relay_answer(answer(answered), "b", TO_A)
    assert (caught.value.status_code, caught.value.reason_phrase) == (488, reason_phrase)


def test_a_fax_declined_with_port_0_is_passed_on_and_audio_can_come_back() -> None:
    """RFC 3264 6: the answerer has changed over too, so both sides are without media until the next offer."""
    call = established()
    call.relay_offer(offer(FAX), "a", TO_B)
    relayed = call.relay_answer(answer("m=image 0 udptl t38\n"), "b", TO_A)
    assert relayed.body == to_a("m=image 0 udptl t38\n", version=2)
    assert [one.may_send or one.may_receive for one in relayed.streams] == [False, False]
    assert relayed.streams.b.remote_rtp is None
    assert call.findings[-1].startswith("The called side declines the fax with port 0")
    assert call.relay_offer(offer(PLAIN), "a", TO_B) == to_b(plain_to_b(), version=3)
    assert call.relay_answer(answer(PLAIN), "b", TO_A).body == to_a(plain_to_a(), version=3)


# -- where fax is not allowed


def test_fax_is_the_profiles_to_allow() -> None:
    call = MediaSession(("PCMU",), 4711, Octets(), fax_allowed=False)
    with pytest.raises(NegotiationError, match="offers fax over UDPTL, which profile") as caught:
        call.relay_offer(offer(FAX), "a", TO_B)
    assert (caught.value.status_code, caught.value.warn_code, caught.value.setting) == (488, 304, "profile.t38")
    assert call.relay_offer(offer(PLAIN + FAX), "a", TO_B) == to_b(plain_to_b())


@pytest.mark.parametrize("side", ["a", "b"])
def test_fax_cannot_pass_where_encryption_is_required(side: str) -> None:
    """RFC 7345 would need DTLS. Audio beside it is taken up as ever."""
    call = encrypted(REQUIRED)
    leg: Leg = "a" if side == "a" else "b"
    with pytest.raises(NegotiationError, match="which is not encrypted, and the Voice Connector requires") as caught:
        call.relay_offer(offer(FAX), leg, TO_A)
    assert (caught.value.status_code, caught.value.setting) == (488, "RequireEncryption")
    assert call.relay_offer(offer(SECURE + crypto(1, THEIRS) + FAX), "a", TO_B) == to_b(plain_to_b())


def test_audio_after_a_fax_is_encrypted_with_another_key() -> None:
    """RFC 3711 9.1: a stream that begins anew with the old key would repeat its key stream."""
    call = encrypted(OPTIONAL)
    call.relay_offer(answer(FAX), "b", TO_A)
    call.relay_answer(offer(FAX), "a", TO_B)
    fax_of(call)
    secure_to_a = plain_to_a().replace("RTP/AVP", "RTP/SAVP") + crypto(1, Octets.key(2))
    assert call.relay_offer(answer(PLAIN), "b", TO_A) == to_a(secure_to_a, version=3)
    call.relay_answer(offer(SECURE + crypto(1, THEIRS)), "a", TO_B)
    assert call.streams
    assert call.streams.a.srtp
    assert call.streams.a.srtp.local_key == Octets.key(2)

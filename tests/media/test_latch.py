"""Which source of RTP is listened to: complete cases of symmetric RTP with its guard."""

from voiceconnector.media.latch import Latch

SIGNALLED = ("192.0.2.1", 4000)
NAT = ("198.51.100.9", 61000)
STRANGER = ("203.0.113.66", 4000)


def test_before_the_first_packet_anyone_is_accepted_and_media_goes_to_the_signalled_address() -> None:
    """RFC 4961 3: symmetric RTP."""
    latch = Latch(SIGNALLED)
    assert latch.accepts(NAT)
    assert latch.accepts(SIGNALLED)
    assert (latch.destination, latch.source, latch.settled) == (SIGNALLED, None, False)


def test_media_goes_back_to_the_first_source_and_a_second_one_is_refused() -> None:
    latch = Latch(SIGNALLED)
    latch.take(NAT)
    assert (latch.destination, latch.source, latch.settled) == (NAT, NAT, False)
    assert latch.accepts(NAT)
    assert not latch.accepts(STRANGER)


def test_the_signalled_address_takes_over_from_a_guess_and_then_no_other_is_accepted() -> None:
    latch = Latch(SIGNALLED)
    latch.take(STRANGER)
    assert latch.accepts(SIGNALLED)
    latch.take(SIGNALLED)
    assert latch.settled
    assert latch.destination == SIGNALLED
    assert not latch.accepts(STRANGER)
    assert not latch.accepts(NAT)


def test_without_a_signalled_address_the_first_source_is_all_there_is() -> None:
    """RFC 3264 5.1 and 8.4: an offer, or a hold, may name no address."""
    latch = Latch(None)
    assert latch.destination is None
    latch.take(NAT)
    assert latch.destination == NAT
    assert not latch.accepts(STRANGER)


def test_a_changed_signalled_address_starts_again() -> None:
    """RFC 3264 8.3.1: a re-INVITE moves the media."""
    latch = Latch(SIGNALLED)
    latch.take(SIGNALLED)
    latch.rearm(("192.0.2.2", 5000))
    assert (latch.source, latch.destination, latch.settled) == (None, ("192.0.2.2", 5000), False)
    assert latch.accepts(NAT)


def test_the_same_signalled_address_changes_nothing_once_it_is_the_source() -> None:
    """RFC 4028 7.4: session refreshes repeat the session description."""
    latch = Latch(SIGNALLED)
    latch.take(SIGNALLED)
    latch.rearm(SIGNALLED)
    assert latch.settled
    assert not latch.accepts(STRANGER)


def test_the_same_signalled_address_lets_a_guessed_source_move_and_sends_to_it_meanwhile() -> None:
    latch = Latch(SIGNALLED)
    latch.take(NAT)
    latch.rearm(SIGNALLED)
    assert latch.destination == NAT
    moved = (NAT[0], 61001)
    assert latch.accepts(moved)
    latch.take(moved)
    assert not latch.accepts(NAT)


def test_a_hold_without_address_keeps_the_source() -> None:
    """RFC 3264 8.4: c=0.0.0.0 says where not to send, not who will."""
    latch = Latch(SIGNALLED)
    latch.take(SIGNALLED)
    latch.rearm(None)
    assert latch.settled
    assert not latch.accepts(STRANGER)


def test_the_source_that_is_signalled_later_is_settled() -> None:
    latch = Latch(SIGNALLED)
    latch.take(NAT)
    latch.rearm(NAT)
    assert latch.settled
    assert not latch.accepts(SIGNALLED)

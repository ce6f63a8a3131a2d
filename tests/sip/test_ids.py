"""Identifiers: long enough, unlike each other, and the same again from the same seed."""

import random
import re
import uuid

from voiceconnector.sip.ids import Ids


def test_a_token_has_64_bits_and_none_comes_twice() -> None:
    """RFC 3261 19.3 wants 32 bits of randomness for a tag; a branch and a Call-ID must be unique (8.1.1.7, 8.1.1.4)."""
    ids = Ids(random.SystemRandom())
    tokens = [ids.token() for _ in range(1000)]
    assert len(set(tokens)) == 1000
    assert all(re.fullmatch("[0-9a-f]{16}", token) for token in tokens)


def test_every_bit_of_a_token_varies() -> None:
    ids = Ids(random.Random(1))
    values = [int(ids.token(), 16) for _ in range(200)]
    for bit in range(64):
        assert {value >> bit & 1 for value in values} == {0, 1}


def test_the_same_seed_gives_the_same_identifiers() -> None:
    first, second = Ids(random.Random(7)), Ids(random.Random(7))
    assert [first.token() for _ in range(300)] == [second.token() for _ in range(300)]
    assert first.number(32) == second.number(32)


def test_numbers_have_no_more_bits_than_asked_for() -> None:
    ids = Ids(random.Random(1))
    assert all(0 <= ids.number(4) < 16 for _ in range(100))
    assert {ids.number(1) for _ in range(100)} == {0, 1}


def test_octets_are_as_many_as_asked_for() -> None:
    ids = Ids(random.Random(1))
    keys = [ids.octets(30) for _ in range(50)]
    assert {len(key) for key in keys} == {30}
    assert len(set(keys)) == 50


def test_an_aws_transaction_id_is_a_random_uuid() -> None:
    """RFC 9562 5.4: version 4, variant 10."""
    ids = Ids(random.Random(1))
    texts = [ids.aws_transaction_id() for _ in range(200)]
    assert len(set(texts)) == 200
    for text in texts:
        value = uuid.UUID(text)
        assert (str(value), value.version, value.variant) == (text, 4, uuid.RFC_4122)

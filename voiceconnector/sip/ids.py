"""Identifiers, from an injected source of randomness, so that tests can repeat a call to the letter."""

import random

_STOCK = 128


class Ids:
    """Tags, branches, Call-IDs and Amazon's TransactionIds.

    Give `random.SystemRandom()` in production: RFC 3261 19.3 wants tags that cannot be guessed.
    """

    __slots__ = ("_bits", "_stock", "_used")

    def __init__(self, randomness: random.Random) -> None:
        self._bits = randomness.getrandbits
        self._stock = ""
        self._used = 0

    def token(self) -> str:
        """64 random bits as 16 hexadecimal digits: a tag, or part of a branch or Call-ID."""
        start = self._used
        if start == len(self._stock):  # Randomness is fetched for many at once: each time is a system call.
            self._stock = f"{self._bits(64 * _STOCK):0{16 * _STOCK}x}"
            start = 0
        self._used = start + 16
        return self._stock[start : start + 16]

    def number(self, bits: int) -> int:
        return self._bits(bits)

    def octets(self, count: int) -> bytes:
        """Random octets: a key, where the randomness is the system's."""
        return self._bits(8 * count).to_bytes(count, "big")

    def aws_transaction_id(self) -> str:
        """A version 4 UUID (RFC 9562 5.4) as text."""
        digits = f"{self._bits(128):032x}"
        variant = "89ab"[int(digits[16], 16) & 3]
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"

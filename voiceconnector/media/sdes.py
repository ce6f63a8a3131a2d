"""Keys of secure RTP in a session description: the a=crypto lines of RFC 4568 ("SDES").

    a=crypto:<tag> <suite> inline:<key and salt in base64>[|<lifetime>][|<MKI>:<its length>] [<session parameters>]

A lifetime is read and not counted: it obliges whoever owns the key to replace it in time, and the trunk's own
key, which states none, is good for the 2**48 packets of RFC 3711 9.2. WSH is a hint, and a parameter that begins
with "-" may be ignored (RFC 4568 6.3.6, 6.3.7).

Left out, so that a line which asks for it is not chosen: master key identifiers and with them several keys of one
line, key derivation rates, forward error correction, and to leave out encryption or authentication.
No text that is made here holds a key.
"""

import re
from base64 import b64encode
from binascii import Error, a2b_base64
from collections.abc import Callable, Iterable
from typing import NamedTuple

SUITES = {
    # RFC 4568 6.2
    "AES_CM_128_HMAC_SHA1_80": 30, "AES_CM_128_HMAC_SHA1_32": 30,
    # RFC 6188 4
    "AES_192_CM_HMAC_SHA1_80": 38, "AES_192_CM_HMAC_SHA1_32": 38,
    "AES_256_CM_HMAC_SHA1_80": 46, "AES_256_CM_HMAC_SHA1_32": 46,
    # RFC 7714 14.2
    "AEAD_AES_128_GCM": 28, "AEAD_AES_256_GCM": 44,
}  # fmt: skip
"""Suites, and the octets of master key and salt together."""

# Amazon's documentation turns the names of RFC 6188 round; who copied them from there is understood.
_SPELLINGS = {suite: suite for suite in SUITES} | {
    re.sub(r"AES_(\d+)_CM", r"AES_CM_\1", suite): suite for suite in SUITES
}

_SUITE = re.compile(r"(?=.{1,40}$)[A-Z0-9]+(?:_[A-Z0-9]+)+", re.ASCII)
_LIFETIME = re.compile(r"(?:2\^)?\d{1,18}", re.ASCII)
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,31}", re.ASCII)
_KNOWN_PARAMETERS = (
    "KDR", "UNENCRYPTED_SRTP", "UNENCRYPTED_SRTCP", "UNAUTHENTICATED_SRTP", "FEC_ORDER", "FEC_KEY",
)  # fmt: skip
_INLINE = re.compile(r"(inline:)[^\s;'\"]+", re.IGNORECASE)


class CryptoError(ValueError):
    """Why a=crypto lines cannot be used, in words that go on from "…, as "; without keys."""


class Crypto(NamedTuple):
    """One a=crypto line."""

    tag: str
    """As written: the answer repeats it."""
    suite: str
    """A name of `SUITES`."""
    spelling: str
    """The suite as written."""
    key: bytes
    """Master key and salt of what the writer of the line sends."""

    def __repr__(self) -> str:
        return f"Crypto({self.tag!r}, {self.suite!r})"  # keys never reach a log

    @property
    def line(self) -> str:
        """The line, without its end."""
        return f"a=crypto:{self.tag} {self.spelling} inline:{b64encode(self.key).decode('ascii')}"


class Protection(NamedTuple):
    """How the audio of one leg may be, or must be, protected."""

    required: bool = False
    """Whether plain RTP is refused."""
    accepted: tuple[str, ...] = ()
    """Suites that an offer to us may propose; none: secure RTP is refused."""
    offered: tuple[str, ...] = ()
    """Suites that our own offers propose, in order; none: they are for plain RTP."""
    setting: str = ""
    """What decides so."""


PLAIN = Protection()
"""Plain RTP only."""


def read(value: str) -> Crypto:
    """Reads what follows "a=crypto:" (RFC 4568 9.1). Raises CryptoError for what cannot be chosen."""
    tag, spelling, key_params, session_params = _fields(value)
    suite = _SPELLINGS.get(spelling)
    if suite is None:
        raise CryptoError(f"{spelling if _SUITE.fullmatch(spelling) else 'its suite'} is not known here")
    key = _key(key_params, suite)
    for parameter in session_params:
        _check_parameter(parameter)
    return Crypto(tag, suite, spelling, key)


def choose(values: Iterable[str], accepted: tuple[str, ...]) -> Crypto:
    """The offerer's first line that can be used (RFC 4568 5.1.2). Raises CryptoError, which says of each why not."""
    reasons: list[str] = []
    tags: set[int] = set()
    for number, value in enumerate(values, start=1):
        try:
            crypto = read(value)
            if int(crypto.tag) in tags:
                raise CryptoError(f"the tag {crypto.tag} has been used before")
            tags.add(int(crypto.tag))
            if crypto.suite in accepted:
                return crypto
            raise CryptoError(f"{crypto.spelling} is not among {', '.join(accepted)}")
        except CryptoError as error:
            reasons.append(f"in line {number} {error}")
    raise CryptoError(f"of its a=crypto lines, {'; '.join(reasons)}")


def answering(values: list[str], offered: tuple[Crypto, ...]) -> Crypto:
    """The line of an answer to those lines (RFC 4568 5.1.3). Raises CryptoError."""
    if len(values) != 1:
        raise CryptoError(f"it has {len(values)} a=crypto lines, where one has to be chosen")
    crypto = read(values[0])
    for ours in offered:
        if int(ours.tag) == int(crypto.tag):
            if ours.suite == crypto.suite:
                return crypto
            raise CryptoError(f"tag {ours.tag} was offered for {ours.suite}, and is answered for {crypto.spelling}")
    raise CryptoError(f"tag {crypto.tag} was not offered")


def proposed(suites: tuple[str, ...], octets: Callable[[int], bytes]) -> tuple[Crypto, ...]:
    """Lines for an offer, each with a key of its own. `octets` gives so many random ones, fit for keys."""
    return tuple([fresh(Crypto(str(tag), suite, suite, b""), octets) for tag, suite in enumerate(suites, start=1)])


def fresh(crypto: Crypto, octets: Callable[[int], bytes]) -> Crypto:
    """The same line with a new key."""
    return crypto._replace(key=octets(SUITES[crypto.suite]))


def without_keys(sentence: str) -> str:
    """A sentence that quotes a peer, without what may be a key."""
    return _INLINE.sub(r"\1(hidden)", sentence) if "nline:" in sentence or "NLINE:" in sentence else sentence


def _fields(value: str) -> tuple[str, str, str, list[str]]:
    words = value.split()
    if len(words) < 3 or not words[0].isdecimal() or len(words[0]) > 9:
        raise CryptoError("it is not a tag of up to nine digits, a suite and a key")
    return words[0], words[1], words[2], words[3:]


def _key(key_params: str, suite: str) -> bytes:
    """Master key and salt of "inline:…"."""
    if ";" in key_params:
        raise CryptoError("it has several keys, which only master key identifiers (MKI) would tell apart")
    method, _, info = key_params.partition(":")
    if method.lower() != "inline":
        raise CryptoError("its key is not given inline")
    encoded, *rest = info.split("|")
    if rest and ":" in rest[-1]:
        raise CryptoError("it has a master key identifier (MKI), which is not supported")
    if len(rest) > 1 or (rest and not _LIFETIME.fullmatch(rest[0])):
        raise CryptoError("the lifetime of its key is neither a number nor a power of two")
    try:
        key = a2b_base64(encoded + "=" * (-len(encoded) % 4), strict_mode=True)
    except (Error, ValueError):
        raise CryptoError("its key is not base64") from None
    if len(key) != SUITES[suite]:
        raise CryptoError(f"its key and salt have {len(key)} octets, and {suite} has {SUITES[suite]}")
    return key


def _check_parameter(parameter: str) -> None:
    """A session parameter that cannot be ignored makes the line one that is not chosen (RFC 4568 6.3)."""
    name = parameter.partition("=")[0]
    if name.startswith("-") or name == "WSH":
        return
    if name in _KNOWN_PARAMETERS:
        raise CryptoError(f"it asks for {name}, which is not supported")
    raise CryptoError(f"it requires {name if _NAME.fullmatch(name) else 'a parameter'}, which is not known here")

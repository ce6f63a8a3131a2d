"""Descriptions for the tests of offer and answer: theirs in the form of RFC 4317's examples, and ours."""

from base64 import b64encode

from voiceconnector.media.negotiation import Leg, MediaSession
from voiceconnector.media.offer_answer import LegAddress
from voiceconnector.media.sdes import SUITES, Protection

TO_A = LegAddress("203.0.113.1", 20000)
TO_B = LegAddress("203.0.113.1", 30000)


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode("latin-1")


def octets(count: int) -> bytes:
    """No key is to be made: most sessions of the tests are for plain RTP."""
    raise AssertionError(f"a key of {count} octets was asked for")


def session(*codecs: str) -> MediaSession:
    return MediaSession(codecs or ("PCMU",), 4711, octets)


def offer(media: str, origin: str = "alice 2890844526 2890844526", address: str = "192.0.2.1") -> bytes:
    """A description in the form of RFC 4317's, at an IP address in place of its host names."""
    return crlf(f"v=0\no={origin} IN IP4 {address}\ns= \nc=IN IP4 {address}\nt=0 0\n{media}")


def answer(media: str, version: int = 2808844564, address: str = "198.51.100.2") -> bytes:
    """The same from RFC 4317's answerer."""
    return offer(media, f"bob 2808844564 {version}", address)


def to_a(media: str, version: int = 1) -> bytes:
    """What we write on leg a."""
    return crlf(f"v=0\no=- 4711 {version} IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\n{media}")


def to_b(media: str, version: int = 1) -> bytes:
    """What we write on leg b."""
    return to_a(media, version).replace(b"o=- 4711 ", b"o=- 4712 ")


PLAIN = "m=audio 49170 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n"


def plain_to_a(direction: str = "sendrecv") -> str:
    return f"m=audio 20000 RTP/AVP 0\na=rtpmap:0 PCMU/8000\na={direction}\na=rtcp:20001\n"


def plain_to_b(direction: str = "sendrecv") -> str:
    return f"m=audio 30000 RTP/AVP 0\na=rtpmap:0 PCMU/8000\na={direction}\na=rtcp:30001\n"


def established(*codecs: str) -> MediaSession:
    """A call after one plain exchange, offered by the caller."""
    call = session(*codecs)
    call.relay_offer(offer(PLAIN), "a", TO_B)
    call.relay_answer(answer(PLAIN), "b", TO_A)
    return call


class Octets:
    """Keys for the tests of secure RTP: the first is all 1, the second all 2, and so on."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, count: int) -> bytes:
        self.made += 1
        return self.key(self.made, count)

    @staticmethod
    def key(number: int, count: int = 30) -> bytes:
        return bytes([number]) * count


def secured(leg: Leg, protection: Protection, *codecs: str) -> MediaSession:
    """A call whose leg may or must be encrypted."""
    call = MediaSession(codecs or ("PCMU",), 4711, Octets())
    call.protect(leg, protection)
    return call


SHA1_80, SHA1_32, AES_256 = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AES_256_CM_HMAC_SHA1_80"
REQUIRED = Protection(True, tuple(SUITES), (SHA1_80,), "RequireEncryption")
OPTIONAL = Protection(False, tuple(SUITES), (), "profile.srtp_optional")
SECURE = PLAIN.replace("RTP/AVP", "RTP/SAVP")
THEIRS, THEIR_OTHER = b"t" * 30, b"o" * 30


def encrypted(protection: Protection = REQUIRED) -> MediaSession:
    """A call up whose caller offered secure RTP; our key there is the first."""
    call = secured("a", protection)
    call.relay_offer(offer(SECURE + crypto(1, THEIRS)), "a", TO_B)
    call.relay_answer(answer(PLAIN), "b", TO_A)
    return call


def crypto(tag: int, key: bytes, suite: str = SHA1_80, more: str = "") -> str:
    """An a=crypto line."""
    return f"a=crypto:{tag} {suite} inline:{b64encode(key).decode()}{more}\n"

"""Descriptions for the tests of offer and answer: theirs in the form of RFC 4317's examples, and ours."""

from voiceconnector.media.negotiation import MediaSession
from voiceconnector.media.offer_answer import LegAddress

TO_A = LegAddress("203.0.113.1", 20000)
TO_B = LegAddress("203.0.113.1", 30000)


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode("latin-1")


def session(*codecs: str) -> MediaSession:
    return MediaSession(codecs or ("PCMU",), 4711)


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

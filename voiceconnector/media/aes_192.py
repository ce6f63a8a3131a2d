"""SRTP with AES-192 in counter mode and HMAC-SHA1, as RFC 3711 and 6188 write it.

libsrtp up to 2.7.0, which pylibsrtp brings along, derives the session keys of these suites with AES-256 (its issue
763), so that nobody but the same libsrtp understands it. This stands in for it, with the same states and statuses,
on the AES of `cryptography`. It is several times as slow; hardly anybody agrees on these suites.
"""

import hmac
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from pylibsrtp._binding import ffi  # type: ignore[import-not-found]

from voiceconnector.media import rtp
from voiceconnector.media.lane import Actions

OK, AUTH_FAIL, REPLAY_FAIL, NO_CONTEXT, CANT_CHECK, PARSE_ERROR = 0, 7, 9, 13, 14, 21
"""Of libsrtp's `srtp_err_status_t`."""
WINDOW = 128
"""Packets; at least 64 (RFC 3711 3.3.2)."""

_SALT_SIZE = 14
_AUTHENTICATION_KEY_SIZE = 20
_RTCP_TAG_SIZE = 10  # in every suite: RFC 4568 6.2.2
_RTCP_HEADER_SIZE = 8
_ENCRYPTED = 1 << 31
_RTCP_SSRC = slice(4, 8)


class SessionKeys:
    """The keys for RTP or for RTCP that a master key stands for (RFC 3711 4.3), without key derivation rate."""

    def __init__(self, master: bytes, first_label: int) -> None:
        """`first_label` is 0 for RTP, 3 for RTCP."""
        self._master_key = master[:-_SALT_SIZE]
        self._master_salt = int.from_bytes(master[-_SALT_SIZE:])
        self._cipher = algorithms.AES(self._derive(first_label, len(self._master_key)))
        self._authentication = self._derive(first_label + 1, _AUTHENTICATION_KEY_SIZE)
        self._salt = int.from_bytes(self._derive(first_label + 2, _SALT_SIZE))

    def _derive(self, label: int, size: int) -> bytes:
        """RFC 3711 4.3.3."""
        iv = (self._master_salt ^ label << 48) << 16
        return _counter_mode(algorithms.AES(self._master_key), iv, bytes(size))

    def crypt(self, ssrc: int, index: int, data: bytes) -> bytes:
        """Encrypts, or decrypts (RFC 3711 4.1.1)."""
        return _counter_mode(self._cipher, self._salt << 16 ^ ssrc << 64 ^ index << 16, data)

    def tag(self, data: bytes, size: int) -> bytes:
        """RFC 3711 4.2.1."""
        return hmac.digest(self._authentication, data, "sha1")[:size]


def _counter_mode(cipher: algorithms.AES, iv: int, data: bytes) -> bytes:
    return Cipher(cipher, modes.CTR(iv.to_bytes(16))).encryptor().update(data)


class Indices:
    """Which packets of one source there have been (RFC 3711 3.3.1 and 3.3.2)."""

    __slots__ = ("_seen", "highest")

    def __init__(self) -> None:
        self.highest = -1
        self._seen = 0  # bit n: the packet n before the highest

    def estimate(self, sequence_number: int) -> int:
        """The index that a sequence number most likely stands for; negative: before the first."""
        if self.highest < 0:
            return sequence_number
        ahead = (sequence_number - self.highest + 0x8000 & 0xFFFF) - 0x8000
        return self.highest + ahead

    def has(self, index: int) -> bool:
        """Whether it came before, or too late to tell."""
        behind = self.highest - index
        return index < 0 or (behind >= 0 and (behind >= WINDOW or bool(self._seen >> behind & 1)))

    def add(self, index: int) -> None:
        ahead = index - self.highest
        if ahead > 0:
            self._seen = (self._seen << min(ahead, WINDOW) | 1) & (1 << WINDOW) - 1
            self.highest = index
        else:
            self._seen |= 1 << -ahead


class Context:
    """A cryptographic context. Packets are in `memory`, their size is `length`'s only element; all return a status."""

    def __init__(self, master: bytes, tag_size: int) -> None:
        self._rtp, self._rtcp = SessionKeys(master, 0), SessionKeys(master, 3)
        self._tag_size = tag_size
        self._sources: dict[int, tuple[Indices, Indices]] = {}

    @property
    def actions(self) -> Actions:
        return ACTIONS

    @property
    def handle(self) -> "Context":
        return self

    def add(self, ssrc: int) -> None:
        """Packets of this source may be sent from now on."""
        self._sources[ssrc] = Indices(), Indices()

    def forget(self, ssrc: int) -> None:
        self._sources.pop(ssrc, None)

    def protect(self, memory: Any, length: Any) -> int:
        """RFC 3711 3.3, for the sender."""
        packet = _packet(memory, length)
        ssrc = int.from_bytes(packet[rtp.SSRC])
        if ssrc not in self._sources:
            return NO_CONTEXT
        indices, _ = self._sources[ssrc]
        start, index = rtp.header_size(packet), indices.estimate(int.from_bytes(packet[2:4]))
        if start is None or indices.has(index):
            return PARSE_ERROR if start is None else REPLAY_FAIL
        indices.add(index)
        body = packet[:start] + self._rtp.crypt(ssrc, index, packet[start:])
        _put(memory, length, body + self._rtp.tag(body + _roc(index), self._tag_size))
        return OK

    def unprotect(self, memory: Any, length: Any) -> int:
        """RFC 3711 3.3, for the receiver."""
        packet = _packet(memory, length)
        start, end = rtp.header_size(packet), len(packet) - self._tag_size
        if start is None or start > end:
            return PARSE_ERROR
        ssrc = int.from_bytes(packet[rtp.SSRC])
        source = self._sources.get(ssrc) or (Indices(), Indices())
        index = source[0].estimate(int.from_bytes(packet[2:4]))
        if source[0].has(index):
            return REPLAY_FAIL
        if not hmac.compare_digest(self._rtp.tag(packet[:end] + _roc(index), self._tag_size), packet[end:]):
            return AUTH_FAIL
        source[0].add(index)
        self._sources[ssrc] = source
        _put(memory, length, packet[:start] + self._rtp.crypt(ssrc, index, packet[start:end]))
        return OK

    def protect_rtcp(self, memory: Any, length: Any) -> int:
        """RFC 3711 3.4, for the sender; the first index is 0."""
        packet = _packet(memory, length)
        ssrc = int.from_bytes(packet[_RTCP_SSRC])
        if ssrc not in self._sources:
            return NO_CONTEXT
        _, indices = self._sources[ssrc]
        index = indices.highest + 1
        indices.add(index)
        body = packet[:_RTCP_HEADER_SIZE] + self._rtcp.crypt(ssrc, index, packet[_RTCP_HEADER_SIZE:])
        body += (_ENCRYPTED | index).to_bytes(4)
        _put(memory, length, body + self._rtcp.tag(body, _RTCP_TAG_SIZE))
        return OK

    def unprotect_rtcp(self, memory: Any, length: Any) -> int:
        """RFC 3711 3.4, for the receiver."""
        packet = _packet(memory, length)
        end = len(packet) - _RTCP_TAG_SIZE
        if end - 4 < _RTCP_HEADER_SIZE:
            return PARSE_ERROR
        ssrc, word = int.from_bytes(packet[_RTCP_SSRC]), int.from_bytes(packet[end - 4 : end])
        if not word & _ENCRYPTED:
            return CANT_CHECK
        source = self._sources.get(ssrc) or (Indices(), Indices())
        index = word ^ _ENCRYPTED
        if source[1].has(index):
            return REPLAY_FAIL
        if not hmac.compare_digest(self._rtcp.tag(packet[:end], _RTCP_TAG_SIZE), packet[end:]):
            return AUTH_FAIL
        source[1].add(index)
        self._sources[ssrc] = source
        encrypted = packet[_RTCP_HEADER_SIZE : end - 4]
        _put(memory, length, packet[:_RTCP_HEADER_SIZE] + self._rtcp.crypt(ssrc, index, encrypted))
        return OK


ACTIONS = Actions(Context.protect, Context.unprotect, Context.protect_rtcp, Context.unprotect_rtcp)


def _packet(memory: Any, length: Any) -> bytes:
    packet: bytes = ffi.buffer(memory, length[0])[:]
    return packet


def _put(memory: Any, length: Any, packet: bytes) -> None:
    ffi.memmove(memory, packet, len(packet))
    length[0] = len(packet)


def _roc(index: int) -> bytes:
    """The rollover counter, which is authenticated as if it stood after the packet."""
    return (index >> 16).to_bytes(4)

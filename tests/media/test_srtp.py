"""SRTP contexts against the RFCs' vectors, and against the RFCs' algorithms written out once more."""

import gc
import hmac
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.media import rtp
from voiceconnector.media.lane import Buffer
from voiceconnector.media.plan import AUTHENTICATION
from voiceconnector.media.srtp import MOST_SSRCS, REPLAYED, SUITES, TRUNCATED, Receiver, Sender

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpora" / "rfc7714"
REPORT = bytes.fromhex("80c80006 cafebabe 83aa7e80 00000000 00000000 00000001 000000a0")
COUNTER_MODE = [name for name in SUITES if "_CM_" in name]


def key_of(suite: str, first: int = 0) -> bytes:
    return bytes((first + n) & 0xFF for n in range(SUITES[suite].key_size))


def packet(number: int, ssrc: int = 7, payload: bytes = b"\xd5" * 160) -> bytes:
    return rtp.build(0, number, number * 160, ssrc, payload)


class Context:
    """Both ends of one direction, in memory of their own."""

    def __init__(self, suite: str, sent_with: bytes | None = None, received_with: bytes | None = None) -> None:
        self.sender = Sender(suite, sent_with or key_of(suite), Buffer())
        self.buffer = Buffer()
        self.receiver = Receiver(suite, received_with or key_of(suite), self.buffer)
        self._wire: list[bytes] = []
        self._send = self.sender.rtp(self._keep)

    def _keep(self, data: bytes | memoryview) -> int:
        self._wire.append(bytes(data))
        return len(data)

    def protect(self, plain: bytes) -> bytes:
        self._send(plain)
        return self._wire.pop()

    def protect_rtcp(self, plain: bytes) -> bytes:
        protected = self.sender.rtcp(plain)
        assert protected is not None
        return bytes(protected)

    def unprotect(self, wire: bytes) -> bytes | str:
        self.buffer.data[: len(wire)] = wire
        size, why = self.receiver.rtp(len(wire))
        return why or bytes(self.buffer.views[size])

    def unprotect_rtcp(self, wire: bytes) -> bytes | str:
        self.buffer.data[: len(wire)] = wire
        size, why = self.receiver.rtcp(len(wire))
        return why or bytes(self.buffer.views[size])


# RFC 3711 and 6188 as they are written, for AES in counter mode with HMAC-SHA1.


class SessionKeys(NamedTuple):
    cipher: bytes
    salt: bytes
    authentication: bytes


def keystream(key: bytes, iv: int, size: int) -> bytes:
    """RFC 3711 4.1.1."""
    encryptor = Cipher(algorithms.AES(key), modes.CTR(iv.to_bytes(16))).encryptor()
    return encryptor.update(bytes(size))


def derive(master: bytes, first_label: int) -> SessionKeys:
    """RFC 3711 4.3.1, with a key derivation rate of 0."""
    key, salt = master[:-14], int.from_bytes(master[-14:])

    def one(label: int, size: int) -> bytes:
        return keystream(key, (salt ^ label << 48) << 16, size)

    return SessionKeys(one(first_label, len(key)), one(first_label + 2, 14), one(first_label + 1, 20))


def xor(data: bytes, stream: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(data, stream, strict=True))


def counter_mode(keys: SessionKeys, ssrc: int, index: int, data: bytes) -> bytes:
    iv = int.from_bytes(keys.salt) << 16 ^ ssrc << 64 ^ index << 16
    return xor(data, keystream(keys.cipher, iv, len(data)))


def rfc_srtp(master: bytes, plain: bytes, roc: int, tag_size: int) -> bytes:
    """RFC 3711 3.3, 4.2."""
    keys = derive(master, 0)
    index = roc << 16 | int.from_bytes(plain[2:4])
    body = plain[:12] + counter_mode(keys, int.from_bytes(plain[8:12]), index, plain[12:])
    return body + hmac.digest(keys.authentication, body + roc.to_bytes(4), "sha1")[:tag_size]


def rfc_srtcp(master: bytes, plain: bytes, index: int) -> bytes:
    """RFC 3711 3.4; RFC 4568 6.2.2: the tag has 80 bits in every suite."""
    keys = derive(master, 3)
    body = plain[:8] + counter_mode(keys, int.from_bytes(plain[4:8]), index, plain[8:])
    body += (1 << 31 | index).to_bytes(4)
    return body + hmac.digest(keys.authentication, body, "sha1")[:10]


def test_the_algorithms_written_out_here_give_the_vectors_of_rfc_3711() -> None:
    """RFC 3711 B.2 and B.3."""
    stream = keystream(
        bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C"), int("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000", 16), 48
    )
    assert stream.hex().upper() == (
        "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0"
    )
    keys = derive(bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6"), 0)
    assert keys.cipher.hex().upper() == "C61E7A93744F39EE10734AFE3FF7A087"
    assert keys.salt.hex().upper() == "30CBBC08863D8C85D49DB34A9AE1"
    assert keys.authentication.hex().upper() == "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"


@pytest.mark.parametrize(
    ("master", "cipher", "salt", "authentication"),
    [
        (
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6 3b04803de51ee7c96423ab5b78d2",
            "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
            "fa31791685ca444a9e07c6c64e93",
            "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05",
        ),
        (
            "73edc66c4fa15776fb57f9505c17136550ffda71f3e8e5f1 c8522f3acd4ce86d5add78edbb11",
            "31874736a8f1143870c26e4857d8a5b2c4a354407faadabb",
            "2372b82d639b6d8503a47adc0a6c",
            "355b10973cd95b9eacf4061c7e1a7151e7cfbfcb",
        ),
    ],
)
def test_the_algorithms_written_out_here_give_the_vectors_of_rfc_6188(
    master: str, cipher: str, salt: str, authentication: str
) -> None:
    """RFC 6188 7.2 and 7.4."""
    keys = derive(bytes.fromhex(master), 0)
    assert (keys.cipher.hex(), keys.salt.hex(), keys.authentication.hex()) == (cipher, salt, authentication)


@pytest.mark.parametrize("suite", COUNTER_MODE)
def test_rtp_of_the_counter_mode_suites_is_as_the_rfc_writes_it(suite: str) -> None:
    """RFC 3711 3.1, RFC 6188 3 and 4, RFC 4568 6.2."""
    tag_size = 10 if suite.endswith("80") else 4
    context = Context(suite)
    for number in range(65534, 65538):
        wire = rfc_srtp(key_of(suite), packet(number), number >> 16, tag_size)
        assert context.protect(packet(number)) == wire
        assert context.unprotect(wire) == packet(number)


@pytest.mark.parametrize("suite", COUNTER_MODE)
def test_rtcp_of_the_counter_mode_suites_is_as_the_rfc_writes_it(suite: str) -> None:
    """RFC 3711 3.4, from index 0 on, or 1 in libsrtp; RFC 4568 6.2.2."""
    context = Context(suite)
    first = 0 if "192" in suite else 1
    for index in range(first, first + 3):
        wire = rfc_srtcp(key_of(suite), REPORT, index)
        assert context.protect_rtcp(REPORT) == wire
        assert context.unprotect_rtcp(wire) == REPORT


@pytest.mark.parametrize(("suite", "bits"), [("AEAD_AES_128_GCM", 128), ("AEAD_AES_256_GCM", 256)])
def test_packets_of_the_gcm_suites_are_as_the_rfc_writes_them(suite: str, bits: int) -> None:
    """RFC 7714 8.1, 9.1, 11; the session keys come from AES-CM with the salt filled up to 14 octets (RFC 7714 11)."""
    master = key_of(suite) + b"\0\0"
    context = Context(suite)
    keys = derive(master, 0)
    plain = packet(9)
    iv = bytes(2) + plain[8:12] + bytes(4) + plain[2:4]
    wire = plain[:12] + AESGCM(keys.cipher).encrypt(xor(iv, keys.salt[:12]), plain[12:], plain[:12])
    assert len(keys.cipher) * 8 == bits
    assert context.protect(plain) == wire
    assert context.unprotect(wire) == plain
    keys = derive(master, 3)
    word = (1 << 31 | 1).to_bytes(4)
    iv = bytes(2) + REPORT[4:8] + bytes(2) + (1).to_bytes(4)
    sealed = AESGCM(keys.cipher).encrypt(xor(iv, keys.salt[:12]), REPORT[8:], REPORT[:8] + word)
    assert context.protect_rtcp(REPORT) == REPORT[:8] + sealed + word
    assert context.unprotect_rtcp(REPORT[:8] + sealed + word) == REPORT


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of RFC 7714's vectors is not on this machine")
@pytest.mark.parametrize("bits", [128, 256])
def test_gcm_as_written_out_above_gives_the_vectors_of_rfc_7714(bits: int) -> None:
    """RFC 7714 16.1.1 and 16.2.1, which begin with session keys, so that they can not go through a context."""
    text = (CORPUS / "rtp-vectors.txt").read_text()
    section = text.split(f"SRTP AEAD_AES_{bits}_GCM Encryption")[1].split("Decryption")[0]
    found = re.search(r"Cipher with tag\n((?:\s+[0-9a-f ]+\n)+)", section)
    assert found
    sealed = bytes.fromhex(found[1].replace("\n", " "))
    plain = bytes.fromhex("8040f17b8041f8d35501a0b2") + b"Gallia est omnis divisa in partes tres"
    iv = bytes(2) + plain[8:12] + bytes(4) + plain[2:4]
    assert AESGCM(bytes(range(bits // 8))).encrypt(xor(iv, b"Quid pro quo"), plain[12:], plain[:12]) == sealed


@pytest.mark.parametrize("suite", SUITES)
def test_a_packet_is_taken_once(suite: str) -> None:
    """RFC 3711 3.3.2."""
    context = Context(suite)
    wires = [context.protect(packet(number)) for number in range(200)]
    assert context.unprotect(wires[199]) == packet(199)
    assert context.unprotect(wires[199]) == REPLAYED
    assert context.unprotect(wires[100]) == packet(100)  # late, within the window
    assert context.unprotect(wires[100]) == REPLAYED
    assert context.unprotect(wires[60]) == REPLAYED  # older than the window
    report = context.protect_rtcp(REPORT)
    assert context.unprotect_rtcp(report) == REPORT
    assert context.unprotect_rtcp(report) == REPLAYED


@pytest.mark.parametrize("suite", SUITES)
def test_nothing_changed_or_under_another_key_is_taken(suite: str) -> None:
    """RFC 3711 3.3: the index is authenticated too."""
    context = Context(suite, sent_with=key_of(suite, 1))
    assert context.unprotect(context.protect(packet(1))) == AUTHENTICATION
    assert context.unprotect_rtcp(context.protect_rtcp(REPORT)) == AUTHENTICATION
    context = Context(suite)
    wire = context.protect(packet(1))
    for at in (1, 5, 11, 12, 100, len(wire) - 1):
        changed = bytearray(wire)
        changed[at] ^= 1
        assert context.unprotect(bytes(changed)) == AUTHENTICATION
    assert context.unprotect(wire) == packet(1)


@pytest.mark.parametrize("suite", SUITES)
def test_truncated_packets_are_not_taken(suite: str) -> None:
    context = Context(suite)
    wire, report = context.protect(packet(1)), context.protect_rtcp(REPORT)
    for size in range(len(wire)):
        assert context.unprotect(wire[:size]) in {TRUNCATED, AUTHENTICATION}
    for size in range(len(report)):
        assert context.unprotect_rtcp(report[:size]) in {TRUNCATED, AUTHENTICATION}
    assert context.unprotect(wire[:11]) == TRUNCATED
    assert context.unprotect(wire) == packet(1)


@given(st.sampled_from(list(SUITES)), st.binary(max_size=200))
def test_garbage_is_never_taken(suite: str, data: bytes) -> None:
    context = Context(suite)
    for garbage in (data, b"\x80\x00" + data, b"\xbf\x00" + data, b"\x80\xc8" + data):
        assert context.unprotect(garbage) in {TRUNCATED, AUTHENTICATION}
        assert context.unprotect_rtcp(garbage) in {TRUNCATED, AUTHENTICATION}


@pytest.mark.parametrize("suite", SUITES)
def test_a_day_of_packets_rolls_over_sixty_six_times_on_both_sides(suite: str) -> None:
    """RFC 3711 3.3.1. 4,320,000 packets, of which every 20,000th is sent: less than half of the number space apart."""
    context = Context(suite)
    for number in range(65000, 65000 + 4_320_000, 20_000):
        assert context.unprotect(context.protect(packet(number))) == packet(number)
    if suite in COUNTER_MODE:
        number = 65000 + 4_320_000
        tag_size = 10 if suite.endswith("80") else 4
        assert context.protect(packet(number)) == rfc_srtp(key_of(suite), packet(number), 66, tag_size)
        assert number >> 16 == 66


def test_packets_that_cross_the_rollover_out_of_order_are_taken() -> None:
    """RFC 3711 3.3.1 and appendix A."""
    context = Context("AES_CM_128_HMAC_SHA1_80")
    wires = {number: context.protect(packet(number)) for number in range(65530, 65545)}
    order = [65530, 65531, 65536, 65535, 65533, 65538, 65534, 65532, 65537]
    assert [context.unprotect(wires[number]) for number in order] == [packet(number) for number in order]


def test_each_source_has_its_own_rollover_and_replay_state() -> None:
    """RFC 3711 3.2.3: a context is known by its SSRC."""
    context = Context("AEAD_AES_128_GCM")
    for number in (65535, 65536):
        for ssrc in (1, 2):
            assert context.unprotect(context.protect(packet(number, ssrc))) == packet(number, ssrc)


def test_a_sequence_number_is_not_sent_twice() -> None:
    """RFC 3711 9.1: a second packet under the same keystream would give both away."""
    context = Context("AES_CM_128_HMAC_SHA1_80")
    context.protect(packet(1))
    with pytest.raises(OSError, match="could not be protected"):
        context.protect(packet(1, payload=b"\x00" * 160))


def test_sources_without_end_take_no_memory_without_end() -> None:
    context = Context("AES_CM_128_HMAC_SHA1_80")
    for ssrc in range(1, 20 * MOST_SSRCS):
        assert context.unprotect(context.protect(packet(1, ssrc))) == packet(1, ssrc)
        context.receiver.note(ssrc)
    assert len(context.sender._ssrcs) == len(context.receiver._ssrcs) == MOST_SSRCS


@pytest.mark.parametrize(("suite", "size"), [("AES_CM_128_HMAC_SHA1_80", 29), ("AEAD_AES_128_GCM", 30), ("F8", 30)])
def test_a_key_of_another_size_or_an_unknown_suite_is_refused_without_showing_the_key(suite: str, size: int) -> None:
    for end in (Sender, Receiver):
        with pytest.raises(ValueError, match=suite) as refused:
            end(suite, b"k" * size, Buffer())
        assert "kkk" not in str(refused.value)


@pytest.mark.parametrize("suite", SUITES)
def test_what_unprotects_outlives_its_receiver(suite: str) -> None:
    """libsrtp frees a session's memory with it: no path may be left with a pointer to that."""
    context = Context(suite)
    buffer = Buffer()
    receiver = Receiver(suite, key_of(suite), buffer)
    handle, unprotect = receiver.context.handle, receiver.context.actions.unprotect
    del receiver
    gc.collect()
    for number in range(100):
        wire = context.protect(packet(number))
        buffer.data[: len(wire)] = wire
        buffer.length[0] = len(wire)
        assert unprotect(handle, buffer.memory, buffer.length) == 0
        assert bytes(buffer.views[buffer.length[0]]) == packet(number)

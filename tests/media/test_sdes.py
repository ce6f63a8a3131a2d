"""a=crypto lines: RFC 4568's grammar and rules, and the suites of RFC 6188 and RFC 7714."""

from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.media.sdes import (
    SUITES,
    Crypto,
    CryptoError,
    answering,
    choose,
    fresh,
    proposed,
    read,
    without_keys,
)

SHA1_80, SHA1_32 = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"
ALL = tuple(SUITES)
# Keys of the examples in RFC 4568 4 and 7.
KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
OTHER_KEY = "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR"


def encoded(octets: int) -> str:
    return b64encode(bytes(range(octets))).decode()


def why_not(value: str) -> str:
    with pytest.raises(CryptoError) as caught:
        read(value)
    return str(caught.value)


# -- one line


@pytest.mark.parametrize(
    ("suite", "octets"),
    [
        ("AES_CM_128_HMAC_SHA1_80", 16 + 14),
        ("AES_CM_128_HMAC_SHA1_32", 16 + 14),
        ("AES_192_CM_HMAC_SHA1_80", 24 + 14),
        ("AES_192_CM_HMAC_SHA1_32", 24 + 14),
        ("AES_256_CM_HMAC_SHA1_80", 32 + 14),
        ("AES_256_CM_HMAC_SHA1_32", 32 + 14),
        ("AEAD_AES_128_GCM", 16 + 12),
        ("AEAD_AES_256_GCM", 32 + 12),
    ],
)
def test_a_key_has_exactly_the_octets_of_its_suite(suite: str, octets: int) -> None:
    """RFC 4568 6.2, RFC 6188 2 and 7, RFC 7714 12 and 14.2: master key, and salt of 112 or 96 bits."""
    assert read(f"1 {suite} inline:{encoded(octets)}") == Crypto("1", suite, suite, bytes(range(octets)))
    for wrong in (octets - 1, octets + 1, 0):
        assert why_not(f"1 {suite} inline:{encoded(wrong)}") == (
            f"its key and salt have {wrong} octets, and {suite} has {octets}"
        )


@pytest.mark.parametrize(
    ("spelling", "suite"),
    [
        ("AES_CM_192_HMAC_SHA1_80", "AES_192_CM_HMAC_SHA1_80"),
        ("AES_CM_192_HMAC_SHA1_32", "AES_192_CM_HMAC_SHA1_32"),
        ("AES_CM_256_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_80"),
        ("AES_CM_256_HMAC_SHA1_32", "AES_256_CM_HMAC_SHA1_32"),
    ],
)
def test_the_spelling_of_amazons_documentation_is_understood_and_kept(spelling: str, suite: str) -> None:
    """The names of RFC 6188, turned round."""
    crypto = read(f"1 {spelling} inline:{encoded(SUITES[suite])}")
    assert (crypto.suite, crypto.spelling) == (suite, spelling)
    assert crypto.line.startswith(f"a=crypto:1 {spelling} inline:")


@pytest.mark.parametrize("lifetime", ["", "|2^20", "|2^48", "|1048576", "|4"])
def test_a_lifetime_is_read_and_not_counted(lifetime: str) -> None:
    """RFC 4568 6.1."""
    assert read(f"1 {SHA1_80} inline:{KEY}{lifetime}").key == b64decode(KEY)


@pytest.mark.parametrize("parameters", ["WSH=128", "-EXTENSION", "-NEW=1 WSH=64", "-KDR=3"])
def test_hints_and_optional_parameters_are_left_alone(parameters: str) -> None:
    """RFC 4568 6.3.6, 6.3.7."""
    assert read(f"1 {SHA1_80} inline:{KEY} {parameters}").suite == SHA1_80


def test_blanks_and_padding_may_be_unusual() -> None:
    """RFC 4568 4.1 has 1*WSP; some devices leave the padding of base64 out."""
    assert read(f" 000000007\t{SHA1_80}   INLINE:{KEY} ").tag == "000000007"
    suite = "AES_256_CM_HMAC_SHA1_80"
    assert read(f"1 {suite} inline:{encoded(46).rstrip('=')}").key == bytes(range(46))


@pytest.mark.parametrize(
    ("value", "because"),
    [
        # RFC 4568 4, the three lines of its first example
        (f"1 {SHA1_80} inline:{KEY}|2^20|1:4 FEC_ORDER=FEC_SRTP", "it has a master key identifier (MKI), which is"),
        (
            "2 F8_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm|2^20|1:4;"
            "inline:QUJjZGVmMTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5|2^20|2:4 FEC_ORDER=FEC_SRTP",
            "F8_128_HMAC_SHA1_80 is not known here",
        ),
        (f"1 {SHA1_80} inline:YUJDZGVmZ2hpSktMbW9QUXJzVHVWd3l6MTIzNDU2|1066:4", "it has a master key identifier (MKI)"),
        (f"1 {SHA1_80} inline:{KEY}|2^20|1:4;inline:{OTHER_KEY}|2^20|2:4", "it has several keys, which only master"),
        # RFC 4568 6.3
        (f"1 {SHA1_80} inline:{KEY} KDR=0", "it asks for KDR, which is not supported"),
        (f"1 {SHA1_80} inline:{KEY} UNENCRYPTED_SRTP", "it asks for UNENCRYPTED_SRTP, which is not supported"),
        (f"1 {SHA1_80} inline:{KEY} UNENCRYPTED_SRTCP", "it asks for UNENCRYPTED_SRTCP, which is not supported"),
        (f"1 {SHA1_80} inline:{KEY} UNAUTHENTICATED_SRTP", "it asks for UNAUTHENTICATED_SRTP, which is"),
        (f"1 {SHA1_80} inline:{KEY} FEC_ORDER=SRTP_FEC", "it asks for FEC_ORDER, which is not supported"),
        (f"1 {SHA1_80} inline:{KEY} FEC_KEY=inline:{OTHER_KEY}", "it asks for FEC_KEY, which is not supported"),
        (f"1 {SHA1_80} inline:{KEY} WSH=64 NEW=1", "it requires NEW, which is not known here"),
        (f"1 {SHA1_80} inline:{KEY} {OTHER_KEY}", "it requires a parameter, which is not known here"),
        # RFC 4568 9.1
        ("", "it is not a tag of up to nine digits, a suite and a key"),
        (f"1 {SHA1_80}", "it is not a tag of up to nine digits"),
        (f"1234567890 {SHA1_80} inline:{KEY}", "it is not a tag of up to nine digits"),
        (f"-1 {SHA1_80} inline:{KEY}", "it is not a tag of up to nine digits"),
        (f"\xb2 {SHA1_80} inline:{KEY}", "it is not a tag of up to nine digits"),
        (f"1 {SHA1_80} {KEY}", "its key is not given inline"),
        (f"1 {SHA1_80} uri:{KEY}", "its key is not given inline"),
        (f"1 inline:{KEY} {SHA1_80}", "its suite is not known here"),
        (f"1 {SHA1_80} inline:{KEY[:-1]}!", "its key is not base64"),
        (f"1 {SHA1_80} inline:\xe9{KEY}", "its key is not base64"),
        (f"1 {SHA1_80} inline:{KEY}|2^20|2^20", "the lifetime of its key is neither a number nor a power of two"),
        (f"1 {SHA1_80} inline:{KEY}|3^20", "the lifetime of its key is neither a number nor a power of two"),
        (f"1 {SHA1_80} inline:{KEY}|", "the lifetime of its key is neither a number nor a power of two"),
    ],
)  # fmt: skip
def test_what_cannot_be_chosen_says_why_and_never_the_key(value: str, because: str) -> None:
    said = why_not(value)
    assert said.startswith(because)
    assert KEY not in said
    assert OTHER_KEY not in said


# -- choosing


def test_the_offerers_first_line_that_can_be_used_is_chosen() -> None:
    """RFC 4568 5.1.2: the order is the offerer's preference."""
    lines = [
        f"1 F8_128_HMAC_SHA1_80 inline:{KEY}",
        f"3 {SHA1_32} inline:{KEY}|2^20|1:4",
        f"7 {SHA1_32} inline:{OTHER_KEY}",
        f"2 {SHA1_80} inline:{KEY}",
    ]
    assert choose(lines, ALL) == Crypto("7", SHA1_32, SHA1_32, b64decode(OTHER_KEY))
    assert choose(lines, (SHA1_80,)).tag == "2"


def test_why_none_can_be_chosen_is_told_line_by_line() -> None:
    lines = [f"1 {SHA1_32} inline:{KEY}", f"1 {SHA1_80} inline:{KEY}", f"2 {SHA1_80} inline:{KEY} KDR=1"]
    with pytest.raises(CryptoError) as caught:
        choose(lines, ("AEAD_AES_128_GCM",))
    assert str(caught.value) == (
        f"of its a=crypto lines, in line 1 {SHA1_32} is not among AEAD_AES_128_GCM; "
        "in line 2 the tag 1 has been used before; in line 3 it asks for KDR, which is not supported"
    )


def test_an_answer_takes_up_one_of_the_lines_offered() -> None:
    """RFC 4568 5.1.3: the same tag and suite, with a key of its own."""
    offered = proposed((SHA1_80, SHA1_32), bytes)
    assert answering([f"02 {SHA1_32} inline:{KEY}"], offered).key == b64decode(KEY)


@pytest.mark.parametrize(
    ("lines", "because"),
    [
        ([f"3 {SHA1_80} inline:{KEY}"], "tag 3 was not offered"),
        ([f"1 {SHA1_32} inline:{KEY}"], f"tag 1 was offered for {SHA1_80}, and is answered for {SHA1_32}"),
        ([f"1 {SHA1_80} inline:{KEY}", f"2 {SHA1_32} inline:{KEY}"], "it has 2 a=crypto lines, where one has to be"),
        ([f"1 {SHA1_80} inline:{KEY}|1:4"], "it has a master key identifier"),
    ],
)
def test_an_answer_that_does_not_is_told(lines: list[str], because: str) -> None:
    """RFC 4568 5.1.3, 7.1.3."""
    with pytest.raises(CryptoError, match=because):
        answering(lines, proposed((SHA1_80, SHA1_32), bytes))


# -- our own


def test_our_lines_have_keys_of_their_own_and_tags_in_order() -> None:
    """RFC 4568 5.1.1; the keys are what the source of randomness gave."""
    numbers = iter(range(256))
    lines = proposed(("AEAD_AES_256_GCM", SHA1_80), lambda count: bytes([next(numbers)]) * count)
    assert [line.line for line in lines] == [
        f"a=crypto:1 AEAD_AES_256_GCM inline:{b64encode(bytes(44)).decode()}",
        f"a=crypto:2 {SHA1_80} inline:{b64encode(b'{:c}'.replace(b'{:c}', bytes([1])) * 30).decode()}",
    ]
    assert [read(line.line.removeprefix("a=crypto:")) for line in lines] == list(lines)
    assert fresh(lines[1], lambda count: b"z" * count).key == b"z" * 30


def test_no_key_shows_when_a_line_is_printed() -> None:
    shown = repr(read(f"1 {SHA1_80} inline:{KEY}"))
    assert shown == f"Crypto('1', '{SHA1_80}')"


@pytest.mark.parametrize("quoted", [f"A=crypto:1 X inline:{KEY}|2^20", f"INLINE:{KEY}", f"'inline:{KEY}'"])
def test_a_quoted_key_is_hidden(quoted: str) -> None:
    hidden = without_keys(f"The SDP has {quoted}.")
    assert KEY not in hidden
    assert "(hidden)" in hidden


def test_a_sentence_without_key_stays_as_it_is() -> None:
    assert without_keys("Nothing to hide.") == "Nothing to hide."


# -- anything at all

PIECES = st.sampled_from(
    ["1", "2", "999999999", "1234567890", SHA1_80, "AES_CM_256_HMAC_SHA1_32", "F8_128_HMAC_SHA1_80", "inline:", KEY,
     f"inline:{KEY}", f"inline:{KEY}|2^20", "|1:4", "|", ";", "KDR=1", "WSH=64", "-X", " ", "\t", "\xa0", "=", "\xb2"]
)  # fmt: skip
LINES = st.one_of(
    st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=80),
    st.lists(PIECES, max_size=8).map("".join),
    st.lists(PIECES, max_size=8).map(" ".join),
)


@given(st.lists(LINES, max_size=4))
def test_any_lines_are_chosen_from_or_refused(lines: list[str]) -> None:
    """What is chosen can be written and read again; what is refused is refused by a CryptoError without the key."""
    choices: list[Callable[[], Crypto]] = [
        lambda: choose(lines, ALL),
        lambda: answering(lines, proposed(ALL, bytes)),
    ]
    for choice in choices:
        said = ""
        try:
            crypto = choice()
            assert read(crypto.line.removeprefix("a=crypto:")) == crypto
        except CryptoError as error:
            said = str(error)
        assert KEY not in said

"""Digest authentication against the examples of RFC 2069, 2617 and 7616, and against itself both ways."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.sip.digest import (
    DigestCredentials,
    DigestServer,
    Verdict,
    Verification,
    answer,
    choose_challenge,
    credentials_for,
)
from voiceconnector.sip.grammar import ParseError

REALM = "abcdef1ghij2klmno3pqr4.voiceconnector.chime.aws"
URI = f"sip:+12065550100@{REALM}"
USERS = {"pbx": "secret"}


@dataclass(frozen=True)
class Example:
    """An exchange printed in a specification."""

    source: str
    username: str
    password: str
    challenge: str
    credentials: str
    cnonce: str
    response: str
    uri: str = "/dir/index.html"


RFC_7616_CHALLENGE = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
RFC_7616_CREDENTIALS = (
    'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
    'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="{}", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
RFC_7616_MD5 = "8ca523f5e9506fed4657c9700eebdbec"
RFC_7616_SHA_256 = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"

EXAMPLES = [
    Example(
        "RFC 7616 3.9.1, MD5",
        "Mufasa",
        "Circle of Life",
        RFC_7616_CHALLENGE.format("MD5"),
        RFC_7616_CREDENTIALS.format("MD5", RFC_7616_MD5),
        "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        RFC_7616_MD5,
    ),
    Example(
        "RFC 7616 3.9.1, SHA-256",
        "Mufasa",
        "Circle of Life",
        RFC_7616_CHALLENGE.format("SHA-256"),
        RFC_7616_CREDENTIALS.format("SHA-256", RFC_7616_SHA_256),
        "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        RFC_7616_SHA_256,
    ),
    Example(
        "RFC 7616 3.9.2 as corrected by erratum 4897, without userhash",
        "Jäsøn Doe",
        "Secret, or not?",
        'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, '
        'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", '
        'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true',
        'Digest username="J\u00c3\u00a4s\u00c3\u00b8n Doe", realm="api@example.org", uri="/doe.json", '
        'algorithm=SHA-512-256, nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", nc=00000001, '
        'cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v", qop=auth, '
        'response="3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"',
        "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
        "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5",
        "/doe.json",
    ),
    Example(
        "RFC 2617 3.5",
        "Mufasa",
        "Circle Of Life",
        'Digest realm="testrealm@host.com", qop="auth,auth-int", '
        'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"',
        'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", '
        'response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"',
        "0a4f113b",
        "6629fae49393a05397450978507c4ef1",
    ),
    Example(
        "RFC 2069 2.4 as corrected by erratum 749",
        "Mufasa",
        "CircleOfLife",
        'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"',
        'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'uri="/dir/index.html", response="1949323746fe6a43ef61f9606e7febea", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"',
        "",
        "1949323746fe6a43ef61f9606e7febea",
    ),
]
EACH_EXAMPLE = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example.source))


def a_server(lifetime: float = 60.0, capacity: int = 100, allow_rfc2069: bool = False) -> DigestServer:
    return DigestServer(b"k" * 32, lifetime, ("SHA-256", "MD5"), allow_rfc2069=allow_rfc2069, capacity=capacity)


def check(
    server: DigestServer,
    value: str,
    now: float,
    *,
    method: str = "INVITE",
    uri: str = URI,
    users: Mapping[str, str] = USERS,
) -> Verification:
    return server.verify(DigestCredentials.parse(value), method, users.get, REALM, uri, now)


def credentials(challenge: str, nc: int = 1, password: str = "secret", username: str = "pbx") -> str:
    return answer(challenge, "INVITE", URI, username, password, nc, "0a4f113b")


@EACH_EXAMPLE
def test_the_client_answers_as_the_specification_prints(example: Example) -> None:
    value = answer(example.challenge, "GET", example.uri, example.username, example.password, 1, example.cnonce)
    assert DigestCredentials.parse(value) == DigestCredentials.parse(example.credentials)
    assert f'response="{example.response}"' in value


@EACH_EXAMPLE
def test_the_server_recognises_the_printed_digest_and_calls_its_foreign_nonce_stale(example: Example) -> None:
    """RFC 7616 3.3: stale only for an invalid nonce with a valid digest for that nonce."""
    server = DigestServer(b"k" * 32, 60.0, ("MD5", "SHA-256", "SHA-512-256"), allow_rfc2069=True)
    printed = DigestCredentials.parse(example.credentials)
    for password, verdict in ((example.password, Verdict.STALE), ("guess", Verdict.WRONG)):
        passwords = {example.username: password}
        verification = server.verify(printed, "GET", passwords.get, printed.realm, example.uri, 1000.0)
        assert verification.verdict is verdict
    assert server.nonces_in_use == 0


def test_a_challenge_names_each_algorithm_preferred_first_and_shares_one_nonce() -> None:
    """RFC 8760 2.3, RFC 7616 3.7."""
    values = a_server().challenge(REALM, 1000.0)
    nonces = {value.partition('nonce="')[2].partition('"')[0] for value in values}
    assert len(nonces) == 1
    nonce = nonces.pop()
    assert values == [
        f'Digest realm="{REALM}", nonce="{nonce}", qop="auth", algorithm={algorithm}'
        for algorithm in ("SHA-256", "MD5")
    ]


@pytest.mark.parametrize("position", [0, 1], ids=["SHA-256", "MD5"])
def test_the_right_password_is_admitted_for_each_algorithm(position: int) -> None:
    server = a_server()
    value = credentials(server.challenge(REALM, 1000.0)[position])
    assert check(server, value, 1001.0) == Verification(Verdict.OK)


def test_another_method_password_or_user_is_not_admitted() -> None:
    server = a_server()
    challenge = server.challenge(REALM, 1000.0)[0]
    assert check(server, credentials(challenge), 1001.0, method="BYE").verdict is Verdict.WRONG
    assert check(server, credentials(challenge, password="Secret"), 1001.0).verdict is Verdict.WRONG
    assert check(server, credentials(challenge, username="pbx2"), 1001.0).verdict is Verdict.UNKNOWN_USER


def test_a_changed_password_counts_at_once() -> None:
    server = a_server()
    challenge = server.challenge(REALM, 1000.0)[0]
    assert check(server, credentials(challenge, 1), 1001.0).verdict is Verdict.OK
    assert check(server, credentials(challenge, 2), 1001.0, users={"pbx": "new"}).verdict is Verdict.WRONG
    value = credentials(challenge, 2, "new")
    assert check(server, value, 1001.0, users={"pbx": "new"}).verdict is Verdict.OK


def test_no_credentials_and_those_of_another_realm_are_missing() -> None:
    """RFC 3261 22.3: a request may carry credentials for other proxies on its path."""
    server = a_server()
    for_another = answer('Digest realm="other.example", nonce="1", qop="auth"', "INVITE", URI, "pbx", "secret", 1, "c")
    assert server.verify(None, "INVITE", USERS.get, REALM, URI, 1.0).verdict is Verdict.MISSING
    assert check(server, for_another, 1.0).verdict is Verdict.MISSING


def test_ours_are_found_among_the_credentials_of_a_request() -> None:
    """RFC 3261 22.3; RFC 4475 3.3.7: an unknown scheme is as good as none."""
    ours = credentials(a_server().challenge(REALM, 1000.0)[0])
    for_another = answer('Digest realm="other.example", nonce="1", qop="auth"', "INVITE", URI, "a", "b", 1, "c")
    unknown = "NoOneKnowsThisScheme opaque-data=here"
    assert credentials_for([unknown, for_another, ours], REALM) == DigestCredentials.parse(ours)
    assert credentials_for([unknown, for_another], REALM) is None
    with pytest.raises(ParseError, match="response is missing"):
        credentials_for(["digest\trealm=x"], REALM)


def test_a_nonce_count_must_rise() -> None:
    """RFC 7616 3.4: the same nonce count twice is a replay."""
    server = a_server()
    challenge = server.challenge(REALM, 1000.0)[0]
    verdicts = [check(server, credentials(challenge, nc), 1001.0).verdict for nc in (1, 2, 2, 1, 7, 6, 8)]
    assert verdicts == [
        Verdict.OK, Verdict.OK, Verdict.REPLAYED, Verdict.REPLAYED, Verdict.OK, Verdict.REPLAYED, Verdict.OK,
    ]  # fmt: skip
    assert server.nonces_in_use == 1


def test_nonces_issued_in_the_same_instant_do_not_share_a_count() -> None:
    server = a_server()
    challenges = [server.challenge(REALM, 1000.0)[0] for _ in range(3)]
    assert [check(server, credentials(value), 1000.0).verdict for value in challenges] == [Verdict.OK] * 3


def test_a_nonce_expires_and_the_right_digest_is_told_so() -> None:
    """RFC 7616 3.3 stale."""
    server = a_server(lifetime=60.0)
    challenge = server.challenge(REALM, 1000.0)[0]
    assert check(server, credentials(challenge, 1), 1059.9).verdict is Verdict.OK
    assert check(server, credentials(challenge, 2), 1060.0).verdict is Verdict.STALE
    assert check(server, credentials(challenge, 2, "guess"), 1060.0).verdict is Verdict.WRONG
    assert all(value.endswith(", stale=true") for value in server.challenge(REALM, 1060.0, stale=True))


def test_a_nonce_that_was_never_issued_is_stale() -> None:
    server = a_server()
    challenge = server.challenge(REALM, 1000.0)[0]
    nonce = DigestCredentials.parse(credentials(challenge)).nonce
    for forged in ("f" + nonce[1:], nonce[:-1], "0", "\xe4" + nonce, nonce.upper()):
        value = credentials(challenge.replace(nonce, forged))
        assert check(server, value, 1001.0).verdict is Verdict.STALE


def test_unauthenticated_floods_leave_nothing_behind() -> None:
    server = a_server()
    for moment in range(1000):
        challenge = server.challenge(REALM, 1000.0 + moment)[0]
        check(server, credentials(challenge, password="guess"), 1000.0 + moment)
        check(server, credentials(challenge, username=f"user{moment}"), 1000.0 + moment)
    assert server.nonces_in_use == 0


def test_used_nonces_are_forgotten_once_they_have_expired() -> None:
    server = a_server(lifetime=60.0)
    for moment in range(1000, 2000):
        challenge = server.challenge(REALM, float(moment))[0]
        assert check(server, credentials(challenge), float(moment)).verdict is Verdict.OK
    assert server.nonces_in_use <= 61


def test_a_full_table_lets_no_replay_through() -> None:
    server = a_server(capacity=3)
    challenges = [server.challenge(REALM, 1000.0 + moment)[0] for moment in range(10)]
    assert all(check(server, credentials(value), 1010.0).verdict is Verdict.OK for value in challenges)
    assert server.nonces_in_use == 3
    verdicts = [check(server, credentials(value), 1010.0).verdict for value in challenges]
    assert verdicts == [Verdict.STALE] * 7 + [Verdict.REPLAYED] * 3


def test_an_rfc_2069_client_is_admitted_only_where_allowed_and_once_for_each_nonce() -> None:
    strict, lenient = a_server(), a_server(allow_rfc2069=True)
    challenge = strict.challenge(REALM, 1000.0)[1].replace(' qop="auth",', "")
    value = credentials(challenge)
    assert "qop" not in value
    assert "nc=" not in value
    assert check(strict, value, 1001.0) == Verification(Verdict.MALFORMED, "qop=auth is missing")
    assert check(lenient, value, 1001.0).verdict is Verdict.OK
    assert check(lenient, value, 1001.0).verdict is Verdict.REPLAYED


def test_what_was_not_offered_is_refused_with_a_reason() -> None:
    server = a_server()
    value = credentials(server.challenge(REALM, 1000.0)[1])
    for change, detail in (
        (("algorithm=MD5", "algorithm=MD5-sess"), "algorithm 'MD5-sess' was not offered"),
        (("algorithm=MD5", "algorithm=SHA-512-256"), "algorithm 'SHA-512-256' was not offered"),
        (("qop=auth", "qop=auth-int"), "qop 'auth-int' was not offered"),
    ):
        assert check(server, value.replace(*change), 1001.0) == Verification(Verdict.MALFORMED, detail)


def test_a_digest_for_another_request_uri_is_admitted_and_told() -> None:
    """RFC 7616 3.4.6: proxies may have changed the Request-URI on the way."""
    server = a_server()
    value = credentials(server.challenge(REALM, 1000.0)[0])
    verification = check(server, value, 1001.0, uri="sip:+12065550100@192.0.2.1:5060")
    assert verification.verdict is Verdict.OK
    assert verification.detail == f"digest made for '{URI}', not for 'sip:+12065550100@192.0.2.1:5060'"


def test_quotes_case_and_spacing_that_real_phones_send_are_read() -> None:
    value = (
        'DIGEST  username="a\\"b\\\\c" ,REALM="r",nonce="n"  ,  uri="sip:x" , response="'
        + "AB" * 16
        + '",algorithm="md5" , qop="AUTH", nc="0000000A" , cnonce=abc== ,, unknown=1,'
    )
    assert DigestCredentials.parse(value) == DigestCredentials(
        'a"b\\c', "r", "n", "sip:x", "ab" * 16, "MD5", "abc==", "0000000A", "auth"
    )


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("Basic cGJ4OnNlY3JldA==", "the scheme is not Digest"),
        ("Digest", "the scheme is not Digest"),
        ("Digest ", "no parameter can be read behind Digest"),
        ('Digest username="pbx, realm="r"', "no parameter can be read behind Digest"),
        ('Digest username="pbx" realm="r"', "no parameter can be read behind Digest"),
        ('Digest username="pbx", username="pbx"', "a parameter is given twice"),
        ('Digest username="pbx", realm', "no parameter can be read behind parameter username"),
        (
            'Digest realm="r", nonce="n", uri="u", response="' + "0" * 32 + '"',
            "parameter username is missing",
        ),
        ('Digest username="pbx", realm="r", nonce="n", uri="u"', "parameter response is missing"),
        (
            'Digest username="p", realm="r", nonce="n", uri="u", response="xyz"',
            "response is not 32 to 64 hex",
        ),
        ('Digest username="p", qop=auth, nc=00000001', "qop is given, cnonce is missing"),
        ('Digest username="p", qop=auth, cnonce=a', "qop is given, nc is not 8 hexadecimal digits"),
        ('Digest username="p", qop=auth, cnonce=a, nc=1', "qop is given, nc is not 8 hexadecimal digits"),
    ],
)
def test_credentials_that_cannot_be_read_say_why(value: str, sentence: str) -> None:
    with pytest.raises(ParseError) as refusal:
        DigestCredentials.parse(value)
    assert sentence in refusal.value.sentence
    assert refusal.value.status_code == 400


def test_the_client_takes_the_first_challenge_it_can_answer() -> None:
    """RFC 8760 2.4."""
    values = [
        "Bearer realm=x",
        'Digest realm="r", nonce="n", algorithm=MD5-sess, qop="auth"',
        'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth-int"',
        'Digest realm="r", nonce="n", algorithm=sha-256, qop="auth-int, auth"',
        'Digest realm="r", nonce="n", qop="auth"',
    ]
    assert choose_challenge(values) == values[3]
    with pytest.raises(ParseError, match="no challenge has"):
        choose_challenge(values[:3])
    with pytest.raises(ParseError, match="realm is missing"):
        answer('Digest nonce="n"', "INVITE", URI, "pbx", "secret", 1, "c")


def test_neither_passwords_nor_digests_are_shown() -> None:
    server = a_server()
    parsed = DigestCredentials.parse(credentials(server.challenge(REALM, 1000.0)[0]))
    shown = f"{parsed!r} {parsed} {server!r} {check(server, credentials(server.challenge(REALM, 1.0)[0]), 1.0)}"
    assert parsed.response not in shown
    assert "secret" not in shown
    with pytest.raises(ParseError) as refusal:
        DigestCredentials.parse('Digest username="p", realm="r", nonce="n", uri="u", response="0123456789"')
    assert "0123456789" not in str(refusal.value)


A_TEXT = st.text('aZ019 "\\,=:@ä€日😀')


@given(A_TEXT, A_TEXT, st.integers(1, 2**32 - 1), st.text("0123456789abcdef+/", min_size=1))
def test_whatever_the_user_name_and_password_the_server_admits_what_the_client_answers(
    username: str, password: str, nc: int, cnonce: str
) -> None:
    server = a_server()
    challenge = server.challenge(REALM, 1000.0)[0]
    value = answer(challenge, "INVITE", URI, username, password, nc, cnonce)
    assert check(server, value, 1000.0, users={username: password}).verdict is Verdict.OK


@given(st.binary().map(lambda data: "Digest " + data.decode("latin-1")))
def test_any_bytes_are_read_or_refused(value: str) -> None:
    with suppress(ParseError):
        DigestCredentials.parse(value)


@given(st.data())
def test_mutated_credentials_are_read_or_refused_and_never_admitted_as_another(data: st.DataObject) -> None:
    server = a_server()
    value = credentials(server.challenge(REALM, 1000.0)[0])
    position = data.draw(st.integers(0, len(value) - 1))
    changed = value[:position] + chr(data.draw(st.integers(0, 255))) + value[position + 1 :]
    try:
        read = DigestCredentials.parse(changed)
    except ParseError:
        return
    if server.verify(read, "INVITE", USERS.get, REALM, URI, 1000.0).verdict is Verdict.OK:
        assert read == DigestCredentials.parse(value)

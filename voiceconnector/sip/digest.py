"""Digest authentication: RFC 7616 as RFC 8760 and RFC 3261 22 take it into SIP; RFC 2617 and 2069 peers too.

Server: challenge, verify. Client: answer. qop=auth only: auth-int would bind bodies that every NAT-helping
router rewrites, and nobody sends it. The -sess variants, userhash and nextnonce are neither offered nor
answered. Texts from the wire are latin-1 (see `grammar`); passwords are hashed as UTF-8.

A nonce is stateless until it is first used with the right password: it carries the microsecond it was
issued and a keyed hash of that, so a flood of unauthenticated requests allocates nothing.

    nonce = 16 hex digits: microsecond of issue, unique | 24 hex digits: BLAKE2s(secret, those 16)
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import partial
from hashlib import blake2s, md5, new, sha256
from hmac import compare_digest
from typing import NamedTuple, Protocol

from .grammar import TOKEN, ParseError, display, quote


class _Hash(Protocol):
    def hexdigest(self) -> str: ...


ALGORITHMS: Mapping[str, Callable[[bytes], _Hash]] = {
    "MD5": partial(md5, usedforsecurity=False),
    "SHA-256": sha256,
    "SHA-512-256": partial(new, "sha512_256"),
}
"""RFC 8760 2.1: names and hash functions."""

_SCHEME = re.compile(r"[ \t]*digest[ \t]+", re.IGNORECASE)
_BLANK = r" \t\r\n"
# Unrolled so that a value costs one step: this runs for each call. What is no parameter is caught whole.
_PARAMETER = re.compile(
    rf"[{_BLANK},]*(?:({TOKEN})[{_BLANK}]*=[{_BLANK}]*"
    rf'(?:"([^"\\]*(?:\\.[^"\\]*)*)"|([^{_BLANK},"=]+={{0,2}}))[{_BLANK}]*(?:,|$)|([^{_BLANK},].*))',
    re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NONCE_COUNT = re.compile(r"[0-9A-Fa-f]{8}")
_RESPONSE = re.compile(r"[0-9a-f]{32,64}")
_TIME_DIGITS = 16
_MAC_BYTES = 12


class Verdict(Enum):
    """What came of verifying credentials. Only OK admits; all others but MALFORMED deserve a challenge."""

    OK = "the digest is right"
    MISSING = "no credentials for this realm"
    UNKNOWN_USER = "no such user"
    WRONG = "the digest does not match the password"
    STALE = "the digest is right, its nonce has expired: challenge again with stale=true"
    REPLAYED = "the digest is right, its nonce count was used before: challenge again with stale=true"
    MALFORMED = "the credentials break a rule of RFC 7616"


class Verification(NamedTuple):
    """A verdict, and in `detail` what a person should know of it; never a password or a digest."""

    verdict: Verdict
    detail: str = ""


class DigestCredentials(NamedTuple):
    """An Authorization or Proxy-Authorization value, RFC 7616 3.4. Quotes and escapes are resolved."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    """In lower case."""
    algorithm: str = "MD5"
    """A name of `ALGORITHMS` in its spelling there, or any other as sent."""
    cnonce: str = ""
    nc: str = ""
    """8 hexadecimal digits as sent, or "" where qop is absent."""
    qop: str = ""
    """In lower case; "" from an RFC 2069 client."""

    def __repr__(self) -> str:
        """Without the response, so that no log can hold it."""
        return f"DigestCredentials(username={self.username!r}, realm={self.realm!r}, uri={self.uri!r}, …)"

    @classmethod
    def parse(cls, value: str) -> "DigestCredentials":
        """Read `Digest username="…", …`. Raises ParseError (400) that says which parameter is wrong."""
        parameters = _read_parameters(value)
        qop = parameters.get("qop", "").lower()
        cnonce = parameters.get("cnonce", "")
        nonce_count = parameters.get("nc", "") if qop else ""
        if qop and not cnonce:
            raise _bad("qop is given, cnonce is missing")
        if qop and not _NONCE_COUNT.fullmatch(nonce_count):
            raise _bad("qop is given, nc is not 8 hexadecimal digits")
        try:
            response = parameters["response"].lower()
            if not _RESPONSE.fullmatch(response):
                raise _bad("response is not 32 to 64 hexadecimal digits")
            return cls(
                parameters["username"], parameters["realm"], parameters["nonce"], parameters["uri"], response,
                _algorithm(parameters), cnonce, nonce_count, qop,
            )  # fmt: skip
        except KeyError as missing:
            raise _bad(f"parameter {missing.args[0]} is missing") from None


def credentials_for(values: Iterable[str], realm: str) -> DigestCredentials | None:
    """The Digest credentials for our realm among the values of a header, None where there are none.

    RFC 3261 22.3: others belong to other proxies on the path; schemes other than Digest are passed over
    (RFC 4475 3.3.7). Raises ParseError for Digest credentials that cannot be read.
    """
    for value in values:
        if _SCHEME.match(value):
            credentials = DigestCredentials.parse(value)
            if credentials.realm == realm:
                return credentials
    return None


class DigestServer:
    """Challenges and verifies. One for all realms of a process.

    `secret`: 16 to 32 random bytes, fresh for each process. `lifetime`: seconds that a nonce is good for.
    `algorithms`: names of `ALGORITHMS`, preferred first. `allow_rfc2069`: whether credentials without qop
    are taken, once for each nonce. `capacity`: nonces in use that are remembered; when there are more, the
    oldest are forgotten and count as expired, so that no replay gets through.
    """

    def __init__(
        self,
        secret: bytes,
        lifetime: float = 60.0,
        algorithms: tuple[str, ...] = ("MD5",),
        *,
        allow_rfc2069: bool = False,
        capacity: int = 100_000,
    ) -> None:
        assert all(algorithm in ALGORITHMS for algorithm in algorithms)
        self._mac = blake2s(key=secret, digest_size=_MAC_BYTES)
        self._lifetime = int(lifetime * 1_000_000)
        self._algorithms = algorithms
        self._allow_rfc2069 = allow_rfc2069
        self._capacity = capacity
        self._last_issued = 0
        self.used: OrderedDict[int, int] = OrderedDict()
        """Microsecond of issue: highest nonce count seen. Only nonces that were used rightly."""
        # Nonces issued up to here have been forgotten, and are refused as expired.
        self._forgotten = -1
        # (username, realm, algorithm): the password it was made of, and H(A1).
        self._keys: dict[tuple[str, str, str], tuple[str, str]] = {}

    @property
    def nonces_in_use(self) -> int:
        return len(self.used)

    def challenge(self, realm: str, now: float, stale: bool = False) -> list[str]:
        """Values for WWW-Authenticate or Proxy-Authenticate, one for each algorithm, preferred first.

        RFC 8760 2.3; all share one nonce. `stale` tells the client to retry without asking its user.
        """
        self._last_issued = issued = max(int(now * 1_000_000), self._last_issued + 1)
        time = f"{issued:0{_TIME_DIGITS}x}"
        nonce = time + self._mac_of(time)
        tail = ", stale=true" if stale else ""
        return [
            f'Digest realm={quote(realm)}, nonce="{nonce}", qop="auth", algorithm={algorithm}{tail}'
            for algorithm in self._algorithms
        ]

    def verify(
        self,
        credentials: DigestCredentials | None,
        method: str,
        password_of: Callable[[str], str | None],
        realm: str,
        uri: str,
        now: float,
    ) -> Verification:
        """Whether the request may pass, RFC 7616 3.4.6.

        `password_of` gives a user's password, None for no such user; what is derived from it is kept until
        it changes. `uri` is the Request-URI: a digest made for another one is admitted and `detail` says so,
        as proxies and PBXs behind NAT rewrite it. UNKNOWN_USER and WRONG must get the same answer.
        """
        if credentials is None or credentials.realm != realm:
            return Verification(Verdict.MISSING)
        if objection := self._objection(credentials):
            return Verification(Verdict.MALFORMED, objection)
        username = credentials.username
        password = password_of(username if username.isascii() else display(username))
        if password is None:
            return Verification(Verdict.UNKNOWN_USER, f"user {display(username)!r}")
        expected = _response(credentials, method, self._key(credentials, password))
        if not compare_digest(expected, credentials.response):
            return Verification(Verdict.WRONG, f"user {display(username)!r}")
        issued = self._issued(credentials.nonce)
        age = int(now * 1_000_000) - issued
        if issued <= self._forgotten or not -1_000_000 <= age < self._lifetime:
            return Verification(Verdict.STALE)
        if not self._count(issued, int(credentials.nc, 16) if credentials.nc else 1, now):
            return Verification(Verdict.REPLAYED, f"nonce count {credentials.nc or 'absent'}")
        if credentials.uri == uri:
            return _ADMITTED
        return Verification(Verdict.OK, f"digest made for {credentials.uri!r}, not for {uri!r}")

    def _objection(self, credentials: DigestCredentials) -> str:
        if credentials.algorithm not in self._algorithms:
            return f"algorithm {credentials.algorithm!r} was not offered"
        if credentials.qop == "auth" or (not credentials.qop and self._allow_rfc2069):
            return ""
        return f"qop {credentials.qop!r} was not offered" if credentials.qop else "qop=auth is missing"

    def _key(self, credentials: DigestCredentials, password: str) -> str:
        who = (credentials.username, credentials.realm, credentials.algorithm)
        known = self._keys.get(who)
        if known is None or known[0] != password:
            if len(self._keys) >= self._capacity:
                self._keys.clear()
            known = self._keys[who] = (password, _key(*who, password))
        return known[1]

    def _issued(self, nonce: str) -> int:
        """The microsecond of a nonce of ours; -1 where it is not ours, as after a restart."""
        if not nonce.isascii():
            return -1
        time = nonce[:_TIME_DIGITS]
        return int(time, 16) if compare_digest(self._mac_of(time), nonce[_TIME_DIGITS:]) else -1

    def _mac_of(self, time: str) -> str:
        mac = self._mac.copy()  # Keyed once: a third of the cost.
        mac.update(time.encode())
        return mac.hexdigest()

    def _count(self, issued: int, nonce_count: int, now: float) -> bool:
        """Whether the nonce count has risen; remembers it, and forgets nonces that have expired."""
        if nonce_count <= self.used.get(issued, 0):
            return False
        self.used[issued] = nonce_count
        expired = int(now * 1_000_000) - self._lifetime
        while (oldest := next(iter(self.used))) < expired or len(self.used) > self._capacity:
            self._forgotten = max(self._forgotten, oldest)
            del self.used[oldest]
        return True


def choose_challenge(values: Iterable[str]) -> str:
    """The first challenge that `answer` can answer: RFC 8760 2.4 has the server put the preferred first.

    Raises ParseError where there is none.
    """
    for value in values:
        try:
            parameters = _read_parameters(value)
        except ParseError:
            continue
        if _algorithm(parameters) in ALGORITHMS and _offers_auth(parameters):
            return value
    raise _bad("no challenge has an algorithm and a qop that are supported")


def answer(challenge_value: str, method: str, uri: str, username: str, password: str, nc: int, cnonce: str) -> str:
    """The Authorization or Proxy-Authorization value for a challenge, RFC 7616 3.4.

    `uri` is the Request-URI of the request that carries it; `nc` counts from 1 for each nonce. Without qop
    in the challenge the answer is RFC 2069's. Raises ParseError for a challenge that cannot be answered.
    """
    challenge = _read_parameters(choose_challenge([challenge_value]))
    for name in ("realm", "nonce"):
        if name not in challenge:
            raise _bad(f"parameter {name} is missing")
    algorithm = _algorithm(challenge)
    with_qop = "qop" in challenge
    username = username.encode().decode("latin-1")
    credentials = DigestCredentials(
        username, challenge["realm"], challenge["nonce"], uri, "", algorithm,
        cnonce if with_qop else "", f"{nc:08x}" if with_qop else "", "auth" if with_qop else "",
    )  # fmt: skip
    key = _key(username, credentials.realm, algorithm, password)
    pieces = [
        f"Digest username={quote(username)}, realm={quote(credentials.realm)}",
        f'nonce={quote(credentials.nonce)}, uri="{uri}", response="{_response(credentials, method, key)}"',
        f"algorithm={algorithm}",
    ]
    if with_qop:
        pieces.append(f"cnonce={quote(cnonce)}, qop=auth, nc={credentials.nc}")
    if "opaque" in challenge:
        pieces.append(f"opaque={quote(challenge['opaque'])}")
    return ", ".join(pieces)


_ADMITTED = Verification(Verdict.OK)


def _key(username: str, realm: str, algorithm: str, password: str) -> str:
    """H(A1) of RFC 7616 3.4.2."""
    secret = f"{username}:{realm}:".encode("latin-1") + password.encode()
    return ALGORITHMS[algorithm](secret).hexdigest()


def _response(credentials: DigestCredentials, method: str, key: str) -> str:
    """RFC 7616 3.4.1; without qop the form of RFC 2069 2.1.2."""
    digest = ALGORITHMS[credentials.algorithm]
    request = digest(f"{method}:{credentials.uri}".encode("latin-1")).hexdigest()
    nonce = credentials.nonce
    if credentials.qop:
        nonce = f"{nonce}:{credentials.nc}:{credentials.cnonce}:{credentials.qop}"
    return digest(f"{key}:{nonce}:{request}".encode("latin-1")).hexdigest()


def _read_parameters(value: str) -> dict[str, str]:
    """The parameters behind `Digest`, unquoted, by name in lower case."""
    scheme = _SCHEME.match(value)
    if not scheme:
        raise _bad("the scheme is not Digest")
    # Without separators at the end, each run of them has something behind it and is read once.
    found = _PARAMETER.findall(value.rstrip(", \t\r\n"), scheme.end())
    if not found or found[-1][3]:
        behind = f"parameter {found[-2][0]}" if len(found) > 1 else "Digest"
        raise _bad(f"no parameter can be read behind {behind}")
    parameters = {name.lower(): quoted or token for name, quoted, token, _ in found}
    if len(parameters) < len(found):
        raise _bad("a parameter is given twice")
    if "\\" in value:
        return {name: _ESCAPED.sub(r"\1", content) for name, content in parameters.items()}
    return parameters


def _algorithm(parameters: dict[str, str]) -> str:
    """MD5 where it is absent (RFC 7616 3.3); tokens are compared without case."""
    named = parameters.get("algorithm", "MD5")
    return named.upper() if named.upper() in ALGORITHMS else named


def _offers_auth(challenge: dict[str, str]) -> bool:
    return "auth" in challenge.get("qop", "auth").replace(",", " ").lower().split()


def _bad(sentence: str) -> ParseError:
    return ParseError(sentence, "Digest parameters", "RFC 7616 3.4")

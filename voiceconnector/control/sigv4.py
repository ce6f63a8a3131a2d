"""AWS Signature Version 4: whether a request was signed with the secret of an access key, and not changed since.

What is signed is worked out again from the request as it came: method, raw path and query, the headers that the
client lists, and the body ("Create a signed AWS API request", IAM User Guide). The checks come in the order of
AWS's front ends, and say no in their words; what we add stands behind them.

Left out: signatures in the query ("presigned"), which are refused in words; SigV4a; signed chunks. One port serves
every Region, so that any Region may stand in the credential scope.
"""

import hmac
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from .access_keys import AccessKey
from .api import ApiRequest
from .errors import ApiError

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICES = ("chime", "kinesisvideo")
"""The names that clients of the services served here sign for."""
SKEW_MINUTES = 15
"""How far the clocks of client and service may differ."""

_TERMINATOR = "aws4_request"
_INSTANT = "%Y%m%dT%H%M%SZ"


class Authorization(NamedTuple):
    """The header of that name."""

    access_key_id: str
    date: str
    """yyyymmdd"""
    region: str
    service: str
    terminator: str
    signed_headers: tuple[str, ...]
    """In lower case."""
    signature: str

    @property
    def scope(self) -> str:
        """What the signing key is good for."""
        return f"{self.date}/{self.region}/{self.service}/{self.terminator}"


def verify(request: ApiRequest, keys: Mapping[str, AccessKey], now: float) -> AccessKey:
    """The access key that signed the request. `now` is Unix time.

    Raises ApiError with AWS's words where it is unsigned, signed wrongly, too old, or by a key that is not in `keys`.
    """
    given = authorization(request)
    instant = _instant(request)
    _check_skew(instant, now)
    _check_signed_headers(request, given)
    _check_scope(given, instant)
    key = keys.get(given.access_key_id)
    if key is None:
        raise _unrecognized("no [[http.access_keys]] has this AccessKeyId")
    canonical = canonical_request(request, given.signed_headers)
    to_sign = string_to_sign(canonical, instant, given.scope)
    if not _same(signature(key.secret_access_key, given, to_sign), given.signature):
        raise _mismatch(request, canonical, to_sign)
    _check_body(request)
    _check_session_token(request, key, now)
    return key


def authorization(request: ApiRequest) -> Authorization:
    """What the Authorization header says. Raises ApiError where it says nothing that can be verified."""
    header = request.header("authorization")
    if not header:
        if "X-Amz-Signature=" in request.query:
            raise ApiError(
                "IncompleteSignatureException",
                "Authorization header requires 'Signature' parameter. Presigned URLs are not accepted here: "
                "sign in the Authorization header, as every AWS SDK does for this service.",
            )
        raise ApiError(
            "MissingAuthenticationTokenException",
            'Missing Authentication Token. This emulator verifies signatures (http.auth is not "open"): '
            "sign with one of [[http.access_keys]].",
        )
    algorithm, _, rest = header.partition(" ")
    if algorithm != ALGORITHM:
        raise ApiError(
            "IncompleteSignatureException", f"Unsupported AWS 'algorithm': '{algorithm}', it must be {ALGORITHM}."
        )
    return _authorization(dict(_parameter(part.strip()) for part in rest.split(",")))


def _parameter(written: str) -> tuple[str, str]:
    name, equals, value = written.partition("=")
    if not equals:
        raise ApiError(
            "IncompleteSignatureException",
            f"'{name}' not a valid key=value pair (missing equal-sign) in Authorization header.",
        )
    return name, value


def _authorization(given: Mapping[str, str]) -> Authorization:
    missing = [name for name in ("Credential", "Signature", "SignedHeaders") if not given.get(name)]
    if missing:
        words = (f"Authorization header requires '{name}' parameter." for name in missing)
        raise ApiError("IncompleteSignatureException", " ".join(words))
    elements = given["Credential"].split("/")
    if len(elements) != 5:
        raise ApiError(
            "IncompleteSignatureException",
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{given['Credential']}'.",
        )
    access_key_id, date, region, service, terminator = elements
    signed_headers = tuple(given["SignedHeaders"].lower().split(";"))
    return Authorization(access_key_id, date, region, service, terminator, signed_headers, given["Signature"])


def _instant(request: ApiRequest) -> str:
    """When it was signed, as it was signed: yyyymmddThhmmssZ."""
    given = request.header("x-amz-date") or request.header("date")
    if not given:
        raise ApiError(
            "IncompleteSignatureException",
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
        )
    for instant in (given, _of_http_date(given)):
        with suppress(ValueError):
            _unix_time(instant)
            return instant
    raise ApiError(
        "IncompleteSignatureException",
        f"Date must be in ISO-8601 'basic format'. Got '{given}'. See http://en.wikipedia.org/wiki/ISO_8601",
    )


def _of_http_date(written: str) -> str:
    """The same instant, of a date as RFC 9110 5.6.7 has it; empty where it is none."""
    try:
        return parsedate_to_datetime(written).astimezone(UTC).strftime(_INSTANT)
    except (ValueError, OverflowError):
        return ""


def _unix_time(instant: str) -> float:
    if not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", instant):
        raise ValueError(f"{instant} is no date in ISO-8601 'basic format'")
    return datetime.fromisoformat(instant).timestamp()


def _check_skew(instant: str, now: float) -> None:
    skew = SKEW_MINUTES * 60
    signed = _unix_time(instant)
    if signed < now - skew:
        words = f"Signature expired: {instant} is now earlier than {_written(now - skew)} ({_written(now)} - "
    elif signed > now + skew:
        words = f"Signature not yet current: {instant} is still later than {_written(now + skew)} ({_written(now)} + "
    else:
        return
    raise ApiError(
        "InvalidSignatureException", f"{words}{SKEW_MINUTES} min.). Compare the clocks of the client and this machine."
    )


def _written(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime(_INSTANT)


def _check_signed_headers(request: ApiRequest, given: Authorization) -> None:
    if "host" not in given.signed_headers:
        raise ApiError(
            "InvalidSignatureException", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        )
    there = {name.decode("latin-1") for name, _ in request.headers}
    for name in given.signed_headers:
        if name not in there:
            raise ApiError(
                "InvalidSignatureException",
                f"'{name}' is named as a SignedHeader, but it does not exist in the HTTP request.",
            )


def _check_scope(given: Authorization, instant: str) -> None:
    words = []
    if given.service not in SERVICES:
        words.append(f"Credential should be scoped to correct service: '{SERVICES[0]}'.")
    if given.terminator != _TERMINATOR:
        words.append(f"Credential should be scoped with a valid terminator: '{_TERMINATOR}', not '{given.terminator}'.")
    if given.date != instant[:8]:
        words.append(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{given.date}' != '{instant[:8]}', from '{instant}'."
        )
    if words:
        raise ApiError("InvalidSignatureException", " ".join(words))


def _check_body(request: ApiRequest) -> None:
    """What the client says of the body has to be true: it may be all that it signed of it."""
    said = request.header("x-amz-content-sha256")
    if said and not _same(said, sha256(request.body).hexdigest()):
        raise ApiError(
            "InvalidSignatureException",
            "The provided 'x-amz-content-sha256' header does not match what was computed from the body.",
        )


def _check_session_token(request: ApiRequest, key: AccessKey, now: float) -> None:
    """Temporary credentials are three things, and end."""
    given = request.header("x-amz-security-token")
    if not _same(given, key.session_token):
        raise _unrecognized(
            "the request's session token is not the SessionToken of this access key"
            if given
            else "this access key has a SessionToken, and the request carries none"
        )
    if key.expiration is not None and now >= key.expiration:
        raise ApiError(
            "ExpiredTokenException",
            f"The security token included in the request is expired. Its Expiration was {_written(key.expiration)}.",
        )


def _same(one: str, other: str) -> bool:
    """Takes as long whether they are the same or not."""
    return hmac.compare_digest(one.encode(), other.encode())


def _unrecognized(why: str) -> ApiError:
    return ApiError(
        "UnrecognizedClientException", f"The security token included in the request is invalid. Here, {why}."
    )


def _mismatch(request: ApiRequest, canonical: str, to_sign: str) -> ApiError:
    """What should have been signed is for the client to compare; the paragraphs behind the first stay out of logs."""
    token = "x-amz-security-token:"
    shown = canonical.replace(f"\n{token}{_header_values(request, token[:-1])}", f"\n{token}<the session token>")
    return ApiError(
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details."
        f"\n\nThe Canonical String for this request should have been\n'{shown}'"
        f"\n\nThe String-to-Sign should have been\n'{to_sign}'",
    )


# What is signed


def canonical_request(request: ApiRequest, signed_headers: tuple[str, ...]) -> str:
    """The request in the one form that both sides sign."""
    lines = [f"{name}:{_header_values(request, name)}" for name in signed_headers]
    return "\n".join(
        (
            request.method,
            _canonical_path(request.path),
            _canonical_query(request.query),
            *lines,
            "",
            ";".join(signed_headers),
            sha256(request.body).hexdigest(),
        )
    )


def _header_values(request: ApiRequest, name: str) -> str:
    """All values of a header, in the order they came, with runs of spaces made one."""
    wanted = name.encode("latin-1")
    values = (b" ".join(value.split()) for known, value in request.headers if known == wanted)
    return b",".join(values).decode("latin-1")


def _canonical_path(raw: str) -> str:
    """The path without "", "." and "..", each segment encoded once more than it is on the wire."""
    kept: list[str] = []
    segments = raw.split("/")
    for segment in segments:
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    slash = "/" if kept and segments[-1] in ("", ".", "..") else ""
    return quote(f"/{'/'.join(kept)}{slash}".encode("latin-1"), safe="/")


def _canonical_query(raw: str) -> str:
    """The parameters, sorted as they are encoded: by name, then by value."""
    parameters = (part.partition("=") for part in raw.split("&") if part)
    encoded = sorted((_encoded(name), _encoded(value)) for name, _, value in parameters)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _encoded(raw: str) -> str:
    return quote(unquote_to_bytes(raw.encode("latin-1")), safe="")


def string_to_sign(canonical: str, instant: str, scope: str) -> str:
    """What the signature is made of: when, what for, and a hash of the request."""
    return "\n".join((ALGORITHM, instant, scope, sha256(canonical.encode("latin-1")).hexdigest()))


def signature(secret: str, given: Authorization, to_sign: str) -> str:
    """The signature by that secret for a credential scope, in hexadecimal."""
    return _hmac(_signing_key(secret, given.date, given.region, given.service, given.terminator), to_sign).hex()


@lru_cache(64)
def _signing_key(secret: str, *scope: str) -> bytes:
    """The same for all requests of a day."""
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode("latin-1"), "sha256")

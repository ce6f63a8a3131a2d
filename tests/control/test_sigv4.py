"""Signature Version 4: AWS's own test suite and examples, genuine signatures of botocore, and each way to be wrong."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import percent_encode, percent_encode_sequence
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.control.access_keys import AccessKey
from voiceconnector.control.api import ApiRequest
from voiceconnector.control.errors import ApiError
from voiceconnector.control.sigv4 import Authorization, canonical_request, signature, string_to_sign, verify

HOST = b"127.0.0.1:8060"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJHMEU=="
LASTING = AccessKey("AKIAIOSFODNN7EXAMPLE", SECRET, user_name="alice")
TEMPORARY = AccessKey("ASIAIOSFODNN7EXAMPLE", SECRET, session_token=TOKEN, role_name="Deploy", role_session_name="ci")
KEYS = {key.access_key_id: key for key in (LASTING, TEMPORARY)}


# AWS's test suite: https://github.com/awslabs/aws-c-auth/tree/main/tests/aws-signing-test-suite/v4

DATE = "20150830T123600Z"
VECTORS = {
    "post-vanilla": (
        "POST", "/", "", {}, b"",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    "get-utf8": (
        "GET", "/ሴ", "", {}, b"",
        "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
    ),
    "get-vanilla-query-order-encoded": (
        "GET", "/", "Param-3=Value3&Param=Value2&%E1%88%B4=Value1", {}, b"",
        "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    ),
    "get-vanilla-query-unreserved": (
        "GET", "/",
        "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz="
        "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        {}, b"",
        "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
    ),
    "get-header-value-trim": (
        "GET", "/", "", {"my-header1": [" value1"], "my-header2": [' "a   b   c"']}, b"",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    "get-header-key-duplicate": (
        "GET", "/", "", {"my-header1": ["value2", "value2", "value1"]}, b"",
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    ),
    "get-vanilla-with-session-token": (
        "GET", "/", "",
        {"x-amz-security-token": ["6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"]}, b"",
        "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
    ),
    "post-x-www-form-urlencoded": (
        "POST", "/", "",
        {
            "content-type": ["application/x-www-form-urlencoded"],
            "content-length": ["13"],
            "x-amz-content-sha256": ["9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"],
        },
        b"Param1=value1",
        "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
def test_the_signatures_of_the_test_suite_of_aws_are_found(name: str) -> None:
    method, path, query, headers, body, expected = VECTORS[name]
    lines = [("host", "example.amazonaws.com"), ("x-amz-date", DATE)]
    lines += [(header, value) for header, values in headers.items() for value in values]
    signed = tuple(sorted({header for header, _ in lines}))
    request = ApiRequest(
        method, _raw(path), query, [(header.encode(), value.encode()) for header, value in lines], body, "127.0.0.1"
    )
    authorization = Authorization("AKIDEXAMPLE", DATE[:8], "us-east-1", "service", "aws4_request", signed, expected)
    to_sign = string_to_sign(canonical_request(request, signed), DATE, authorization.scope)
    assert signature(SECRET, authorization, to_sign) == expected


def test_the_example_of_the_iam_user_guide_is_found_step_by_step() -> None:
    """ "Create a signed AWS API request": ListUsers."""
    signed = ("content-type", "host", "x-amz-date")
    content_type = b"application/x-www-form-urlencoded; charset=utf-8"
    headers = [(b"content-type", content_type), (b"host", b"iam.amazonaws.com"), (b"x-amz-date", DATE.encode())]
    request = ApiRequest("GET", "/", "Action=ListUsers&Version=2010-05-08", headers, b"", "127.0.0.1")
    canonical = canonical_request(request, signed)
    assert sha256(canonical.encode()).hexdigest() == "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59"
    given = Authorization("AKIDEXAMPLE", DATE[:8], "us-east-1", "iam", "aws4_request", signed, "")
    to_sign = string_to_sign(canonical, DATE, given.scope)
    expected = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    assert signature(SECRET, given, to_sign) == expected


def _raw(text: str) -> str:
    """Text as it comes from the wire, a character for each byte."""
    return text.encode().decode("latin-1")


# Genuine signatures


def now() -> float:
    return datetime.now(UTC).timestamp()


def signed(
    method: str = "POST",
    target: str = "/voice-connectors",
    body: bytes = b'{"Name":"lab"}',
    key: AccessKey = LASTING,
    *,
    service: str = "chime",
    headers: Mapping[str, str] | None = None,
) -> ApiRequest:
    """A request as botocore signs it now, and as it then arrives."""
    sent = {"Host": HOST.decode(), "Content-Type": "application/json", **(headers or {})}
    request = AWSRequest(method, f"http://{HOST.decode()}{target}", sent, body)
    credentials = Credentials(key.access_key_id, key.secret_access_key, key.session_token or None)
    SigV4Auth(credentials, service, "us-east-1").add_auth(request)
    arrived = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
    path, _, query = target.partition("?")
    return ApiRequest(method, path, query, arrived, body, "127.0.0.1")


def changed(request: ApiRequest, name: str, value: str | None) -> ApiRequest:
    """The request with a header replaced, added, or (None) taken away."""
    kept = [(known, content) for known, content in request.headers if known != name.encode()]
    return replace(request, headers=kept if value is None else [*kept, (name.encode(), value.encode())])


def refused(request: ApiRequest, time: float | None = None, keys: Mapping[str, AccessKey] = KEYS) -> ApiError:
    with pytest.raises(ApiError) as caught:
        verify(request, keys, now() if time is None else time)
    assert caught.value.status == 403
    return caught.value


@pytest.mark.parametrize(
    "target",
    [
        "/voice-connectors",
        "/phone-numbers/%2B12065550100",
        "/phone-numbers/%252B12065550100",
        "/phone-numbers/+12065550100",
        "/accounts/a%2Fb/users",
        "/phone-numbers?operation=batch-update",
        "/tags?arn=arn%3Aaws%3Achime%3Aus-east-1%3A111122223333%3Avc%2Fabc&max-results=5",
        "/accounts?name=%E5%A4%AA%E9%83%8E%20Gr%C3%BC%C3%9Fe&user-email=a%2Bb%40example.com",
        "/search?b=2&a-b=1&a=2&a=1&flag=&flag2",
    ],
)
@pytest.mark.parametrize("key", KEYS.values(), ids=["lasting", "temporary"])
def test_what_botocore_signs_is_let_in(target: str, key: AccessKey) -> None:
    assert verify(signed("POST", target, '{"Name":"Büro 太郎"}'.encode(), key), KEYS, now()) == key


def test_the_name_of_kinesis_video_streams_is_let_in_too() -> None:
    assert verify(signed(target="/getDataEndpoint", service="kinesisvideo"), KEYS, now()) == LASTING


def test_headers_that_are_not_signed_do_not_matter() -> None:
    request = changed(signed(), "x-forwarded-for", "203.0.113.7")
    assert verify(request, KEYS, now()) == LASTING


def test_a_client_that_names_the_hash_of_the_body_is_let_in() -> None:
    digest = sha256(b"{}").hexdigest()
    request = signed(body=b"{}", headers={"X-Amz-Content-SHA256": digest})
    assert verify(request, KEYS, now()) == LASTING


def test_a_date_header_serves_as_well() -> None:
    request = signed(headers={"Date": "anything"})
    assert request.header("date")
    assert verify(request, KEYS, now()) == LASTING


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    st.lists(texts.filter(lambda text: text not in (".", "..")), max_size=4),
    st.lists(st.tuples(texts, texts), max_size=4),
    st.binary(max_size=200),
)
def test_any_path_query_and_body_that_botocore_signs_is_let_in(
    method: str, segments: list[str], query: list[tuple[str, str]], body: bytes
) -> None:
    path = "".join(f"/{percent_encode(segment, safe='-._~')}" for segment in segments) or "/"
    encoded = percent_encode_sequence(query)
    target = f"{path}?{encoded}" if query else path
    assert verify(signed(method, target, body), KEYS, now()) == LASTING


# Requests that are not what was signed

MISMATCH = "The request signature we calculated does not match the signature you provided."
TARGET = "/voice-connectors/abc?operation=put&max-results=5"
TAMPERED: dict[str, dict[str, Any]] = {
    "method": {"method": "PUT"},
    "path": {"path": "/voice-connectors/abd"},
    "query value": {"query": "operation=put&max-results=6"},
    "query name": {"query": "operation=put&next-token=5"},
    "query less": {"query": "operation=put"},
    "body": {"body": b'{"Name":"Lab"}'},
    "body less": {"body": b""},
}


@pytest.mark.parametrize("part", TAMPERED)
def test_a_request_of_which_a_part_was_changed_is_refused(part: str) -> None:
    error = refused(replace(signed(target=TARGET), **TAMPERED[part]))
    assert error.name == "InvalidSignatureException"
    assert error.message.startswith(MISMATCH)


@pytest.mark.parametrize("name", ["host", "content-type", "x-amz-security-token"])
def test_a_request_of_which_a_signed_header_was_changed_is_refused(name: str) -> None:
    error = refused(changed(signed(key=TEMPORARY), name, "other"))
    assert error.name == "InvalidSignatureException"
    assert error.message.startswith(MISMATCH)


def test_a_wrong_secret_is_refused_and_what_should_have_been_signed_is_told() -> None:
    error = refused(signed("GET", "/voice-connectors", b"", replace(LASTING, secret_access_key="wrong")))
    assert error.name == "InvalidSignatureException"
    assert error.message.startswith(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details.\n\n"
        "The Canonical String for this request should have been\n'GET\n/voice-connectors\n\ncontent-type:"
    )
    assert "The String-to-Sign should have been\n'AWS4-HMAC-SHA256\n" in error.message


def test_no_secret_and_no_token_is_told() -> None:
    error = refused(signed(key=replace(TEMPORARY, secret_access_key="wrong")))
    assert TOKEN not in error.message
    assert SECRET not in error.message
    assert "x-amz-security-token:<the session token>" in error.message


def test_a_hash_of_the_body_that_is_not_true_is_refused() -> None:
    request = changed(signed(), "x-amz-content-sha256", sha256(b"other").hexdigest())
    assert "does not match what was computed" in refused(request).message


# Signatures that are incomplete


def test_a_request_without_signature_is_told_so() -> None:
    error = refused(changed(signed(), "authorization", None))
    assert error.name == "MissingAuthenticationTokenException"
    assert error.message.startswith("Missing Authentication Token")


def test_a_presigned_url_is_refused_in_words() -> None:
    request = replace(changed(signed(), "authorization", None), query="X-Amz-Signature=00")
    assert "Presigned URLs are not accepted" in refused(request).message


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("Basic YWxpY2U6c2VjcmV0", "Unsupported AWS 'algorithm': 'Basic'"),
        ("AWS4-HMAC-SHA256 Credential", "'Credential' not a valid key=value pair (missing equal-sign)"),
        ("AWS4-HMAC-SHA256 ", "'' not a valid key=value pair"),
        (
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/e",
            "Authorization header requires 'Signature' parameter. "
            "Authorization header requires 'SignedHeaders' parameter.",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/b/c/d, SignedHeaders=host, Signature=0",
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got",
        ),
    ],
)
def test_an_authorization_header_that_lacks_something_is_told_what(header: str, words: str) -> None:
    error = refused(changed(signed(), "authorization", header))
    assert error.name == "IncompleteSignatureException"
    assert error.message.startswith(words)


@pytest.mark.parametrize("date", ["yesterday", "20150830", "Mon, 32 Jan 2026 00:00:00 GMT", "\xff"])
def test_a_date_that_is_none_is_refused(date: str) -> None:
    error = refused(changed(signed(), "x-amz-date", date))
    assert error.name == "IncompleteSignatureException"
    assert error.message.startswith("Date must be in ISO-8601 'basic format'.")


def test_a_request_without_date_is_refused() -> None:
    error = refused(changed(signed(), "x-amz-date", None))
    assert error.message == "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."


def test_a_signature_that_leaves_the_host_open_is_refused() -> None:
    request = signed()
    header = request.header("authorization").replace("content-type;host;", "content-type;")
    error = refused(changed(request, "authorization", header))
    assert error.name == "InvalidSignatureException"
    assert error.message == "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."


def test_a_header_that_is_said_to_be_signed_has_to_be_there() -> None:
    error = refused(changed(signed(), "content-type", None))
    assert error.message == "'content-type' is named as a SignedHeader, but it does not exist in the HTTP request."


def test_a_signature_for_another_service_is_refused() -> None:
    error = refused(signed(service="s3"))
    assert error.name == "InvalidSignatureException"
    assert "Credential should be scoped to correct service: 'chime'." in error.message


def test_a_credential_scope_of_another_day_or_form_is_refused() -> None:
    request = signed()
    instant = request.header("x-amz-date")
    header = request.header("authorization").replace(f"/{instant[:8]}/", "/20150830/").replace("aws4_request", "v9")
    assert refused(changed(request, "authorization", header)).message == (
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'v9'. Date in Credential scope does "
        f"not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150830' != '{instant[:8]}', from '{instant}'."
    )


def test_an_access_key_that_nobody_configured_is_refused() -> None:
    error = refused(signed(), keys={})
    assert error.name == "UnrecognizedClientException"
    assert error.message.startswith("The security token included in the request is invalid.")


def test_signatures_outside_ascii_are_refused_and_do_no_harm() -> None:
    request = signed()
    header = request.header("authorization")[:-1] + "é"
    assert refused(changed(request, "authorization", header)).name == "InvalidSignatureException"


# Clocks


def instant_of(request: ApiRequest) -> float:
    return datetime.strptime(request.header("x-amz-date"), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize("late", [-900, 0, 900])
def test_clocks_may_differ_by_15_minutes(late: int) -> None:
    request = signed()
    assert verify(request, KEYS, instant_of(request) + late) == LASTING


def test_a_signature_that_is_too_old_is_expired() -> None:
    request = signed()
    time = instant_of(request) + 901
    said, then, earlier = request.header("x-amz-date"), _instant(time), _instant(time - 900)
    error = refused(request, time)
    assert error.name == "InvalidSignatureException"
    assert error.message.startswith(f"Signature expired: {said} is now earlier than {earlier} ({then} - 15 min.)")


def test_a_signature_of_the_future_is_not_yet_current() -> None:
    request = signed()
    time = instant_of(request) - 901
    said, then, later = request.header("x-amz-date"), _instant(time), _instant(time + 900)
    error = refused(request, time)
    assert error.message.startswith(f"Signature not yet current: {said} is still later than {later} ({then} + 15 min.)")


def _instant(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y%m%dT%H%M%SZ")


# Temporary credentials


def test_temporary_credentials_need_their_token() -> None:
    error = refused(signed(key=replace(TEMPORARY, session_token="")))
    assert error.name == "UnrecognizedClientException"
    assert "the request carries none" in error.message


def test_temporary_credentials_need_their_own_token() -> None:
    error = refused(signed(key=replace(TEMPORARY, session_token="other")))
    assert error.name == "UnrecognizedClientException"
    assert "is not the SessionToken of this access key" in error.message


def test_temporary_credentials_end() -> None:
    keys = {TEMPORARY.access_key_id: replace(TEMPORARY, expiration=now() - 1)}
    error = refused(signed(key=TEMPORARY), keys=keys)
    assert error.name == "ExpiredTokenException"
    assert error.message.startswith("The security token included in the request is expired")

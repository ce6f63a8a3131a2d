"""Requests to the AWS API, without HTTP: what reaches an operation, what is refused first, and who is told."""

import json
import logging
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.control.asking import SOURCE, Asking, content, header, open_asking, refusal
from tests.control.cloud import START, Servers
from voiceconnector.control.api import LONGEST_BODY, MOST_PARAMETERS, ApiResponse, Call, Outcome, Scope
from voiceconnector.control.errors import ERRORS, ApiError
from voiceconnector.control.service import MODELS

SIGNED = (
    b"authorization",
    b"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20220415/us-east-1/chime/aws4_request, "
    b"SignedHeaders=host;x-amz-date, Signature=" + b"0" * 64,
)
NAMED = b'{"Name": "lab", "RequireEncryption": false}'


@pytest.fixture
def ask(servers: Servers, tmp_path: Path) -> Iterator[Asking]:
    with open_asking(servers.service, tmp_path) as asking:
        yield asking


def created(ask: Asking) -> str:
    answer = ask("POST", "/voice-connectors", NAMED)
    assert answer.status == 201
    id_: str = content(answer)["VoiceConnector"]["VoiceConnectorId"]
    return id_


def request_id(answer: ApiResponse) -> str:
    return header(answer, b"x-amzn-requestid")


# What the models say


@pytest.mark.parametrize("service", ["chime-sdk-voice", "chime"])
def test_each_exception_of_the_models_has_its_status_and_a_code_of_theirs(service: str) -> None:
    shapes = json.loads((MODELS / f"{service}.json").read_text())["shapes"]
    declared = {name: shape["error"]["httpStatusCode"] for name, shape in shapes.items() if shape.get("exception")}
    assert declared == {name: ERRORS[name][0] for name in declared}
    assert {ERRORS[name][1] for name in declared} <= set(shapes["ErrorCode"]["enum"])


# Answers


def test_an_answer_has_a_request_id_and_json(ask: Asking) -> None:
    answer = ask("GET", "/voice-connectors")
    assert (answer.status, content(answer)) == (200, {"VoiceConnectors": []})
    assert re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", request_id(answer))


def test_no_two_requests_have_one_id(ask: Asking) -> None:
    assert len({request_id(ask("GET", "/voice-connectors")) for _ in range(100)}) == 100


def test_an_answer_with_204_is_empty_and_of_no_type(ask: Asking) -> None:
    answer = ask("DELETE", f"/voice-connectors/{created(ask)}")
    assert (answer.status, answer.body) == (204, b"")
    assert [name for name, _ in answer.headers] == [b"x-amzn-requestid"]


# Requests that reach no operation


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"), ("GET", ""), ("GET", "//"), ("GET", "/nothing"),
        ("PATCH", "/voice-connectors"), ("get", "/voice-connectors"), ("GET", "/VOICE-CONNECTORS"),
        ("POST", "/voice-connectors/a?operation=fly"), ("GET", "*"), ("GET", "/voice-connectors/../voice-connectors"),
        ("GET", "/voice-connectors%2Fabcdef1ghij2klmno3pqr4"),
    ],
)  # fmt: skip
def test_what_is_no_operation_is_said_to_be_none(ask: Asking, method: str, target: str) -> None:
    name, message = refusal(ask(method, target))
    assert (name, message) == (
        "UnknownOperationException",
        f"No operation of chime-sdk-voice or chime is {method} {target.partition('?')[0]}",
    )


def test_an_operation_that_is_not_emulated_is_forbidden_which_no_client_tries_again(ask: Asking) -> None:
    name, message = refusal(ask("GET", "/voice-profiles?voice-profile-domain-id=a"))
    assert name == "ForbiddenException"
    assert message.startswith("voiceconnector does not emulate ListVoiceProfiles;")


def test_a_body_may_be_as_long_as_1_mib_and_no_longer(ask: Asking) -> None:
    fitting = NAMED.ljust(LONGEST_BODY)
    assert ask("POST", "/voice-connectors", fitting).status == 201
    name, message = refusal(ask("POST", "/voice-connectors", fitting + b" "))
    assert (name, message) == ("BadRequestException", "The body is longer than 1048576 bytes")


def test_a_parameter_that_is_there_twice_is_refused_by_name(ask: Asking) -> None:
    name, message = refusal(ask("GET", "/voice-connectors?max-results=1&next-token=a&max-results=2"))
    assert (name, message) == ("BadRequestException", "The query has the parameter max-results more than once")


def test_parameters_that_are_unknown_are_as_good_as_absent(ask: Asking) -> None:
    assert ask("GET", "/voice-connectors?verbose&colour=red").status == 200


def test_a_query_has_so_many_parameters_and_no_more(ask: Asking) -> None:
    most = "&".join(f"p{number}=" for number in range(MOST_PARAMETERS))
    assert ask("GET", f"/voice-connectors?{most}").status == 200
    assert "more than 100 parameters" in refusal(ask("GET", f"/voice-connectors?{most}&another="))[1]


@pytest.mark.parametrize("target", ["/voice-connectors?next-token=%FF", "/voice-connectors/%FF"])
def test_what_is_not_utf_8_when_decoded_is_refused(ask: Asking, target: str) -> None:
    name, message = refusal(ask("GET", target))
    assert (name, "not UTF-8" in message) == ("BadRequestException", True)


# Ids in the path are decoded once


@pytest.mark.parametrize("written", ["a%2Fb", "a%2fb"])
def test_a_slash_in_an_id_is_part_of_it(ask: Asking, written: str) -> None:
    assert refusal(ask("GET", f"/voice-connectors/{written}"))[1] == "Could not find VoiceConnector with Id 'a/b'"


def test_an_id_is_decoded_once(ask: Asking) -> None:
    assert refusal(ask("GET", "/voice-connectors/%252F"))[1] == "Could not find VoiceConnector with Id '%2F'"


def test_a_plus_in_the_path_is_a_plus(ask: Asking) -> None:
    assert refusal(ask("GET", "/voice-connectors/a+b"))[1] == "Could not find VoiceConnector with Id 'a+b'"


def test_an_id_that_is_empty_is_refused_by_the_model(ask: Asking) -> None:
    name, message = refusal(ask("GET", "/voice-connectors/"))
    assert name == "BadRequestException"
    assert message.endswith(r"Member must satisfy regular expression pattern: .*\S.*")


# Hooks


def test_who_may_not_is_told_so_before_what_is_wrong_with_the_request(servers: Servers, tmp_path: Path) -> None:
    def authorize(call: Call) -> None:
        raise ApiError("AccessDeniedException", f"no {call.operation.name}")

    with open_asking(servers.service, tmp_path, authorize) as ask:
        assert refusal(ask("POST", "/voice-connectors", b"not JSON")) == (
            "AccessDeniedException",
            "no CreateVoiceConnector",
        )
        assert refusal(ask("GET", "/voice-profiles"))[0] == "AccessDeniedException"
        assert not ask.control.store.snapshot.by_id


def test_a_call_says_who_asks_for_what_from_where(servers: Servers, tmp_path: Path) -> None:
    calls: list[Call] = []
    with open_asking(servers.service, tmp_path, calls.append) as ask:
        body = b'{"Name": "lab", "RequireEncryption": false, "Colour": "red", "AwsRegion": null, "Tags": 7}'
        answer = ask("POST", "/voice-connectors", body, [(b"user-agent", b"Boto3/1.44"), SIGNED])
    (call,) = calls
    assert call.scope == Scope("AKIAIOSFODNN7EXAMPLE", "20220415", "us-east-1", "chime")
    assert (call.operation.name, call.user_agent, call.request.source_address) == (
        "CreateVoiceConnector",
        "Boto3/1.44",
        SOURCE,
    )
    assert call.asked == {"Name": "lab", "RequireEncryption": False}
    assert (call.time, call.request_id) == (START, request_id(answer))


@pytest.mark.parametrize("value", [b"", b"Basic cGJ4OnNlY3JldA==", b"AWS4-HMAC-SHA256 Credential=a/b/c"])
def test_who_signs_in_no_way_that_can_be_read_has_no_scope(servers: Servers, tmp_path: Path, value: bytes) -> None:
    calls: list[Call] = []
    with open_asking(servers.service, tmp_path, calls.append) as ask:
        assert ask("GET", "/voice-connectors", headers=[(b"authorization", value)]).status == 200
    assert [call.scope for call in calls] == [None]


def test_each_call_of_an_operation_is_told_with_how_it_ended(servers: Servers, tmp_path: Path) -> None:
    told: list[tuple[str, Outcome]] = []

    def audit(call: Call, outcome: Outcome) -> None:
        told.append((call.operation.name, outcome))

    with open_asking(servers.service, tmp_path, audit=audit) as ask:
        ask("GET", "/voice-connectors")
        ask("GET", "/voice-connectors/nosuch")
        ask("GET", "/voice-connectors?max-results=0")
        ask("GET", "/nothing")
    assert [(name, outcome.output, outcome.error and outcome.error.name) for name, outcome in told] == [
        ("ListVoiceConnectors", {"VoiceConnectors": [], "NextToken": None}, None),
        ("GetVoiceConnector", None, "NotFoundException"),
        ("ListVoiceConnectors", None, "BadRequestException"),
    ]


# Faults of ours


def test_a_fault_of_ours_is_500_with_the_id_under_which_the_log_has_it(
    servers: Servers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def authorize(call: Call) -> None:
        raise ZeroDivisionError("the secret of the fault")

    with open_asking(servers.service, tmp_path, authorize) as ask, caplog.at_level(logging.ERROR):
        answer = ask("GET", "/voice-connectors")
    id_ = request_id(answer)
    assert refusal(answer) == (
        "ServiceFailureException",
        f"A fault of voiceconnector; its log has it under request {id_}",
    )
    (record,) = caplog.records
    assert id_ in record.getMessage()
    assert record.exc_info
    assert record.exc_info[0] is ZeroDivisionError


@contextmanager
def a_disk_that_is_full() -> Iterator[None]:
    """No file of this process grows."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_cannot_be_kept_is_refused_with_503_and_why(ask: Asking, caplog: pytest.LogCaptureFixture) -> None:
    with a_disk_that_is_full():
        answer = ask("POST", "/voice-connectors", NAMED)
    name, message = refusal(answer)
    assert (name, str(ask.control.store.path) in message) == ("ServiceUnavailableException", True)
    assert "CreateVoiceConnector of the API was not kept" in caplog.text
    assert not ask.control.store.snapshot.by_id
    assert created(ask)

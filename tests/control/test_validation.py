"""What a request says, read and checked by the service models."""

import json
import time

import pytest

from tests.control.cloud import Servers
from voiceconnector.control.context import Fields
from voiceconnector.control.service import Operation, Service
from voiceconnector.control.validation import LONGEST_SHOWN, decode

CONNECTOR = "abcdef1ghij2klmno3pqr4"


@pytest.fixture
def service(servers: Servers) -> Service:
    return servers.service


def read(
    operation: Operation, members: object = (), query: dict[str, str] | None = None, label: str = CONNECTOR
) -> tuple[Fields, str]:
    """What is asked, and what is wrong with it; each label of the path is the same."""
    body = members if isinstance(members, bytes) else json.dumps(members).encode() if members != () else b""
    segments = [label if segment[0] == "{" else segment for segment in operation.segments]
    fields, mistake = decode(operation, segments, query or {}, body)
    assert mistake is None or mistake.name == "BadRequestException"
    return fields, mistake.message if mistake else ""


def mistake(operation: Operation, members: object, query: dict[str, str] | None = None) -> str:
    """What is wrong, where one thing is."""
    _, message = read(operation, members, query)
    prefix = "1 validation error detected: "
    assert message.startswith(prefix)
    return message.removeprefix(prefix)


# What is read


def test_members_come_from_the_path_the_query_and_the_body(service: Service) -> None:
    put = service.operations["PutVoiceConnectorLoggingConfiguration"]
    members = {"LoggingConfiguration": {"EnableSIPLogs": True}}
    assert read(put, members) == ({"VoiceConnectorId": CONNECTOR, **members}, "")
    listing = service.operations["ListVoiceConnectors"]
    assert read(listing, query={"max-results": "7", "next-token": "7"}) == ({"MaxResults": 7, "NextToken": "7"}, "")


def test_the_path_and_the_query_are_not_overruled_by_the_body(service: Service) -> None:
    update = service.operations["UpdateVoiceConnector"]
    members = {"VoiceConnectorId": "another", "Name": "lab", "RequireEncryption": True}
    assert read(update, members)[0] == {"VoiceConnectorId": CONNECTOR, "Name": "lab", "RequireEncryption": True}


def test_a_body_counts_for_nothing_where_the_operation_has_none(service: Service) -> None:
    assert read(service.operations["ListVoiceConnectors"], b"no JSON at all") == ({}, "")


def test_members_that_are_unknown_are_dropped_at_any_depth(service: Service) -> None:
    put = service.operations["PutVoiceConnectorOrigination"]
    route = {"Host": "192.0.2.7", "Port": 5060, "Protocol": "UDP", "Priority": 1, "Weight": 1}
    origination = {"Routes": [route | {"Colour": "red"}], "Disabled": False}
    asked, wrong = read(put, {"Origination": origination | {"Mood": {}}, "Owner": 7})
    assert (asked["Origination"], wrong) == ({"Routes": [route], "Disabled": False}, "")


def test_null_is_as_good_as_absent_at_any_depth(service: Service) -> None:
    put = service.operations["PutVoiceConnectorTermination"]
    termination = {"CpsLimit": None, "CallingRegions": [None, "US", None], "CidrAllowedList": None, "Disabled": False}
    asked, wrong = read(put, {"Termination": termination})
    assert (asked["Termination"], wrong) == ({"CallingRegions": ["US"], "Disabled": False}, "")


def test_null_is_no_value_where_one_is_required(service: Service) -> None:
    create = service.operations["CreateVoiceConnector"]
    wanted = "Value null at 'name' failed to satisfy constraint: Member must not be null"
    assert mistake(create, {"Name": None, "RequireEncryption": True}) == wanted
    assert mistake(create, {"RequireEncryption": True}) == wanted


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False)])
def test_a_query_says_true_and_false(service: Service, text: str, value: bool) -> None:
    get = service.operations["GetVoiceToneAnalysisTask"]
    assert read(get, query={"isCaller": text})[0]["IsCaller"] is value


@pytest.mark.parametrize("text", ["True", "1", "", "yes"])
def test_a_query_says_true_and_false_in_no_other_way(service: Service, text: str) -> None:
    get = service.operations["GetVoiceToneAnalysisTask"]
    assert "Member must be true or false, and is a string" in mistake(get, (), {"isCaller": text})


@pytest.mark.parametrize("text", ["", "x", "1.0", "1e1", "0x1", "٣", " 1", "+1", "9" * 19, "9" * 5000])
def test_a_query_has_whole_numbers_in_digits_only(service: Service, text: str) -> None:
    listing = service.operations["ListVoiceConnectors"]
    assert "Member must be a whole number, and is a string" in mistake(listing, (), {"max-results": text})


def test_the_keys_of_a_map_are_kept_as_they_are(service: Service) -> None:
    call = service.operations["UpdateSipMediaApplicationCall"]
    arguments = {"TransactionId": "of the handler's", "colour": "red"}
    assert read(call, {"Arguments": arguments})[0]["Arguments"] == arguments


# Phone numbers


@pytest.mark.parametrize("written", ["+12065550100", "12065550100", "%2B12065550100", "%2b12065550100"])
def test_the_id_of_a_number_is_known_however_it_is_written(service: Service, written: str) -> None:
    assert read(service.operations["GetPhoneNumber"], label=written)[0] == {"PhoneNumberId": "+12065550100"}
    delete = service.operations["BatchDeletePhoneNumber"]
    assert read(delete, {"PhoneNumberIds": [written]})[0] == {"PhoneNumberIds": ["+12065550100"]}


def test_a_number_may_lack_its_plus_where_the_pattern_says_so(service: Service) -> None:
    put = service.operations["PutVoiceConnectorTermination"]
    termination = {"CallingRegions": ["US"], "CidrAllowedList": [], "DefaultPhoneNumber": "12065550100"}
    assert read(put, {"Termination": termination})[0]["Termination"]["DefaultPhoneNumber"] == "+12065550100"


def test_lists_within_a_list_of_numbers_are_refused_however_deep(service: Service) -> None:
    delete = service.operations["BatchDeletePhoneNumber"]
    body = b'{"PhoneNumberIds": ' + b"[" * 900 + b"]" * 900 + b"}"
    assert "Member must be a string, and is a list" in mistake(delete, body)


# What is refused


@pytest.mark.parametrize(
    ("operation", "members", "message"),
    [
        (
            "CreateVoiceConnector",
            {"Name": "a" * 257, "RequireEncryption": True},
            f"Value '{'a' * LONGEST_SHOWN}…' at 'name' failed to satisfy constraint: "
            "Member must have length less than or equal to 256",
        ),
        (
            "CreateVoiceConnector",
            {"Name": "lab\n", "RequireEncryption": True},
            "Value 'lab�' at 'name' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z0-9 _.-]+",
        ),
        (
            "CreateVoiceConnector",
            {"Name": "lab", "RequireEncryption": "true"},
            "Value 'true' at 'requireEncryption' failed to satisfy constraint: "
            "Member must be true or false, and is a string",
        ),
        (
            "CreateVoiceConnector",
            {"Name": "lab", "RequireEncryption": True, "NetworkType": "IPV6_ONLY"},
            "Value 'IPV6_ONLY' at 'networkType' failed to satisfy constraint: "
            "Member must satisfy enum value set: [IPV4_ONLY, DUAL_STACK]",
        ),
        (
            "PutVoiceConnectorOrigination",
            {"Origination": {"Routes": [{"Port": 5060}, {"Port": 65536}]}},
            "Value '65536' at 'origination.routes.2.member.port' failed to satisfy constraint: "
            "Member must have value less than or equal to 65535",
        ),
        (
            "PutVoiceConnectorOrigination",
            {"Origination": {"Routes": [{"Port": 5060.0}]}},
            "Value '5060.0' at 'origination.routes.1.member.port' failed to satisfy constraint: "
            "Member must be a whole number, and is a number",
        ),
        (
            "PutVoiceConnectorOrigination",
            {"Origination": {"Routes": [{"Port": True}]}},
            "Value 'true' at 'origination.routes.1.member.port' failed to satisfy constraint: "
            "Member must be a whole number, and is a boolean",
        ),
        (
            "PutVoiceConnectorOrigination",
            {"Origination": {"Routes": {}}},
            "Value at 'origination.routes' failed to satisfy constraint: Member must be a list, and is an object",
        ),
        (
            "PutVoiceConnectorTermination",
            {"Termination": {"CallingRegions": ["US", 7], "CidrAllowedList": []}},
            "Value '7' at 'termination.callingRegions.2.member' failed to satisfy constraint: "
            "Member must be a string, and is a number",
        ),
        (
            "PutVoiceConnectorTermination",
            {"Termination": "all"},
            "Value 'all' at 'termination' failed to satisfy constraint: Member must be an object, and is a string",
        ),
        (
            "CreateVoiceConnector",
            {"Name": "lab", "RequireEncryption": True, "Tags": []},
            "Value at 'tags' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            "ListVoiceConnectors",
            (),
            "Value '0' at 'maxResults' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
        ),
    ],
)  # fmt: skip
def test_each_kind_of_mistake_is_told_in_aws_s_words(
    service: Service, operation: str, members: object, message: str
) -> None:
    query = {"max-results": "0"} if members == () else {}
    assert mistake(service.operations[operation], members, query) == message


def test_all_mistakes_are_told_at_once(service: Service) -> None:
    members = {"Name": "*", "NetworkType": 7}
    assert read(service.operations["CreateVoiceConnector"], members)[1] == (
        "3 validation errors detected: "
        "Value '*' at 'name' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9 _.-]+; "
        "Value null at 'requireEncryption' failed to satisfy constraint: Member must not be null; "
        "Value '7' at 'networkType' failed to satisfy constraint: Member must be a string, and is a number"
    )


def test_a_list_full_of_mistakes_makes_no_answer_without_end(service: Service) -> None:
    hosts = {"Origination": {"Routes": [{"Port": -1}] * 50_000}}
    message = read(service.operations["PutVoiceConnectorOrigination"], hosts)[1]
    assert len(message) < 20_000


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[]", "The body must be a JSON object, and is a list"),
        (b"null", "The body must be a JSON object, and is null"),
        (b'"lab"', "The body must be a JSON object, and is a string"),
        (b"7", "The body must be a JSON object, and is a number"),
        (b'{"Name": "lab"', "The body is not JSON: "),
        (b"{'Name': 'lab'}", "The body is not JSON: "),
        (b'{"Name": NaN}', "The body is not JSON: NaN is no number of JSON's"),
        (b'{"Name": -Infinity}', "The body is not JSON: -Infinity is no number of JSON's"),
        (b'{"Name": ' + b"9" * 5000 + b"}", "The body is not JSON: "),
        (b'{"Name": "\xff"}', "The body is not UTF-8: byte 10 is wrong"),
        (b'{"Name": "\xed\xa0\x80"}', "The body is not UTF-8: byte 10 is wrong"),
        (b'{"Name": ' + b"[" * 500_000, "The body is nested too deeply"),
        (b'{"Name": ' * 500_000, "The body is nested too deeply"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_json_object_is_refused(service: Service, body: bytes, message: str) -> None:
    fields, said = read(service.operations["CreateVoiceConnector"], body)
    assert (fields, said[: len(message)]) == ({}, message)


def test_half_of_a_surrogate_pair_is_no_text(service: Service) -> None:
    body = b'{"VoiceConnectorId": "a", "Termination": {"CallingRegions": ["\\ud800"], "CidrAllowedList": []}}'
    wrong = mistake(service.operations["PutVoiceConnectorTermination"], body)
    assert "half of a surrogate pair" in wrong
    wrong.encode()


# Secrets


def test_what_is_sensitive_is_never_repeated(service: Service) -> None:
    put = service.operations["PutVoiceConnectorTerminationCredentials"]
    credentials = [
        {"Username": ["hunter2"], "Password": 7355608},
        {"Username": "pbx", "Password": "p" * 9999},
    ]
    _, message = read(put, {"Credentials": credentials})
    assert "credentials.1.member.password" in message
    assert not [secret for secret in ("hunter2", "7355608", "ppp") if secret in message]


def test_what_holds_a_secret_is_not_repeated_where_something_else_belongs(service: Service) -> None:
    put = service.operations["PutVoiceConnectorTerminationCredentials"]
    assert "hunter2" not in read(put, {"Credentials": {"Password": "hunter2"}})[1]


# Hostile texts


def test_no_text_keeps_a_pattern_busy(service: Service) -> None:
    """In each text of each operation: what makes the models' patterns try everything."""
    began = time.process_time()
    for operation in service.operations.values():
        for text in ("@" * 100_000, " " * 100_000, "a" * 100_000 + "!", "@." * 50_000 + "\n"):
            decode(operation, [text] * len(operation.segments), _texts(operation, text), b"")
    assert time.process_time() - began < 60


def _texts(operation: Operation, text: str) -> dict[str, str]:
    return {member.wire_name: text for member in operation.input.members.values() if member.place == "querystring"}

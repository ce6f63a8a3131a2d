"""Termination, its digest users and its health through boto3 (guide p. 61-62; the API's texts)."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.control.cloud import START, Cloud
from voiceconnector.trunk.model import (
    Credential,
    DNISEmergencyCallingConfiguration,
    EmergencyCallingConfiguration,
    Origination,
    PhoneNumber,
    Termination,
    VoiceConnector,
)

ID = "abcdef1ghij2klmno3pqr4"
LAB = VoiceConnector(ID, "lab")
PUBLIC = {"CallingRegions": ["US", "CA"], "CidrAllowedList": ["50.35.78.96/31"]}


@pytest.fixture(autouse=True)
def connector(request: pytest.FixtureRequest) -> None:
    """There is a connector in the profile that the test uses."""
    name = "aws_cloud" if "aws_voice" in request.fixturenames else "cloud"
    request.getfixturevalue(name).commit(LAB)


def put(voice: Any, **termination: object) -> Any:
    return voice.put_voice_connector_termination(VoiceConnectorId=ID, Termination=termination)


def put_users(voice: Any, **passwords: str) -> Any:
    credentials = [{"Username": name, "Password": password} for name, password in passwords.items()]
    return voice.put_voice_connector_termination_credentials(VoiceConnectorId=ID, Credentials=credentials)


def users(voice: Any) -> list[str]:
    names: list[str] = voice.list_voice_connector_termination_credentials(VoiceConnectorId=ID)["Usernames"]
    return names


def test_a_termination_is_shown_as_it_was_put_and_read_by_the_next_call(cloud: Cloud, voice: Any) -> None:
    given = {
        "CpsLimit": 2,
        "DefaultPhoneNumber": "+12065550100",
        "CallingRegions": ["US", "GB"],
        "CidrAllowedList": ["10.1.0.0/16", "2001:db8::/32"],
        "Disabled": True,
    }
    answer = put(voice, **given)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Termination"]) == (200, given)
    answer = voice.get_voice_connector_termination(VoiceConnectorId=ID)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Termination"]) == (200, given)
    known = cloud.control.store.snapshot.for_host_name(f"{ID}.voiceconnector.chime.aws")
    assert known
    assert known.termination == Termination(
        2, "+12065550100", ("US", "GB"), ("10.1.0.0/16", "2001:db8::/32"), disabled=True
    )


def test_another_put_replaces_all_of_it(voice: Any) -> None:
    put(voice, CpsLimit=2, CallingRegions=["US"], CidrAllowedList=["10.1.0.0/16"], Disabled=True)
    assert put(voice, CallingRegions=["GB"])["Termination"] == {
        "CallingRegions": ["GB"],
        "CidrAllowedList": [],
        "Disabled": False,
    }


def test_a_number_without_its_plus_is_taken_as_e164(voice: Any) -> None:
    """The model's pattern has the + as optional."""
    assert put(voice, DefaultPhoneNumber="12065550100")["Termination"]["DefaultPhoneNumber"] == "+12065550100"


def test_the_profile_says_how_many_calls_a_second_there_are_where_none_was_set(aws_voice: Any) -> None:
    """The API's texts: "the default value is 1"."""
    assert put(aws_voice, **PUBLIC)["Termination"]["CpsLimit"] == 1
    assert aws_voice.get_voice_connector_termination(VoiceConnectorId=ID)["Termination"]["CpsLimit"] == 1


@pytest.mark.parametrize(
    ("termination", "words"),
    [
        ({"CallingRegions": ["Atlantis"]}, r"Termination\.CallingRegions\[0\] = 'Atlantis': must be an ISO 3166-1"),
        ({"CallingRegions": ["US", "UK"]}, r"Termination\.CallingRegions\[1\] = 'UK': must be an ISO 3166-1"),
        ({"CidrAllowedList": ["10.0.0.0/33"]}, r"Termination\.CidrAllowedList\[0\] = .*must be an IPv4 or IPv6"),
        ({"CidrAllowedList": ["10.0.0.1/8"]}, "has bits set after its prefix; did you mean 10.0.0.0/8"),
        ({"CidrAllowedList": ["pbx.example.com"]}, "must be an IPv4 or IPv6 network"),
        ({"DefaultPhoneNumber": "911#"}, "1 validation error detected: Value at 'termination.defaultPhoneNumber'"),
    ],
)
def test_what_is_none_is_refused_with_its_place(voice: Any, termination: dict[str, object], words: str) -> None:
    with pytest.raises(voice.exceptions.BadRequestException, match=words):
        put(voice, **termination)
    with pytest.raises(voice.exceptions.NotFoundException):
        voice.get_voice_connector_termination(VoiceConnectorId=ID)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"CidrAllowedList": ["10.24.34.0/32"]}, "takes public addresses only"),
        ({"CidrAllowedList": ["50.35.64.0/26"]}, "takes /27 to /32"),
        ({"CidrAllowedList": [f"50.35.78.{host}/32" for host in range(11)]}, "takes at most 10"),
        ({"CpsLimit": 257}, "takes at most 256"),
        ({"DefaultPhoneNumber": "+12065550100"}, "Termination.DefaultPhoneNumber is not in the inventory"),
    ],
)
def test_the_limits_of_the_service_are_the_aws_profiles(aws_voice: Any, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(aws_voice.exceptions.BadRequestException, match=words) as refused:
        put(aws_voice, **(PUBLIC | changes))
    assert "+12065550100" not in str(refused.value)
    assert put(aws_voice, **PUBLIC)


def test_profile_aws_wants_to_know_the_calling_plan(aws_voice: Any) -> None:
    """The API's texts on CallingRegions: "Required"."""
    with pytest.raises(aws_voice.exceptions.BadRequestException, match=r"Termination\.CallingRegions is missing"):
        put(aws_voice, CidrAllowedList=["50.35.78.96/31"])
    assert put(aws_voice, CallingRegions=[])


def test_the_caller_id_is_a_number_of_the_account_that_is_not_deleted(aws_cloud: Cloud, aws_voice: Any) -> None:
    aws_cloud.commit(PhoneNumber("+12065550100"), PhoneNumber("+12065550101", deletion_due=START + 1))
    assert put(aws_voice, **PUBLIC, DefaultPhoneNumber="+12065550100")
    with pytest.raises(aws_voice.exceptions.BadRequestException, match="not in the inventory"):
        put(aws_voice, **PUBLIC, DefaultPhoneNumber="+12065550101")


def test_a_deleted_termination_is_not_found_until_it_is_put_again(voice: Any) -> None:
    with pytest.raises(voice.exceptions.NotFoundException, match="has no termination; PutVoiceConnectorTermination"):
        voice.get_voice_connector_termination(VoiceConnectorId=ID)
    put(voice)
    for _ in range(2):
        answer = voice.delete_voice_connector_termination(VoiceConnectorId=ID)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert "content-type" not in answer["ResponseMetadata"]["HTTPHeaders"]
    with pytest.raises(voice.exceptions.NotFoundException):
        voice.get_voice_connector_termination(VoiceConnectorId=ID)
    assert put(voice)["Termination"]["Disabled"] is False


def test_emergency_calling_must_go_before_termination(cloud: Cloud, voice: Any) -> None:
    """The API's texts: "If emergency calling is configured …, it must be deleted prior to" this."""
    emergency = EmergencyCallingConfiguration((DNISEmergencyCallingConfiguration("+12065550911", "US"),))
    cloud.commit(
        replace(LAB, termination=Termination(), origination=Origination(), emergency_calling_configuration=emergency)
    )
    words = "emergency calling needs termination and origination, .* delete the emergency calling configuration first"
    with pytest.raises(voice.exceptions.BadRequestException, match=words):
        voice.delete_voice_connector_termination(VoiceConnectorId=ID)
    with pytest.raises(voice.exceptions.BadRequestException, match=words):
        put(voice, Disabled=True)
    voice.delete_voice_connector_emergency_calling_configuration(VoiceConnectorId=ID)
    voice.delete_voice_connector_termination(VoiceConnectorId=ID)


# Digest users


def test_users_are_added_and_their_passwords_never_shown(cloud: Cloud, voice: Any) -> None:
    answer = put_users(voice, pbx="secret-1", sbc="secret-2")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert "content-type" not in answer["ResponseMetadata"]["HTTPHeaders"]
    listed = voice.list_voice_connector_termination_credentials(VoiceConnectorId=ID)
    assert listed["Usernames"] == ["pbx", "sbc"]
    assert "secret" not in str(listed)
    assert cloud.control.store.snapshot.by_id[ID].credentials == (
        Credential("pbx", "secret-1"),
        Credential("sbc", "secret-2"),
    )


def test_a_user_that_is_put_again_has_the_new_password_and_the_others_stay(cloud: Cloud, voice: Any) -> None:
    put_users(voice, pbx="old", sbc="kept")
    put_users(voice, pbx="new", third="added")
    assert {known.username: known.password for known in cloud.control.store.snapshot.by_id[ID].credentials} == {
        "pbx": "new",
        "sbc": "kept",
        "third": "added",
    }


def test_a_removed_user_is_gone_at_once_and_the_last_one_ends_digest(cloud: Cloud, voice: Any) -> None:
    put_users(voice, pbx="1", sbc="2")
    answer = voice.delete_voice_connector_termination_credentials(VoiceConnectorId=ID, Usernames=["pbx", "nobody"])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert users(voice) == ["sbc"]
    assert cloud.control.store.snapshot.by_id[ID].credential("pbx") is None
    voice.delete_voice_connector_termination_credentials(VoiceConnectorId=ID, Usernames=["sbc"])
    assert users(voice) == []


def test_nothing_is_added_where_nobody_is_given(voice: Any) -> None:
    voice.put_voice_connector_termination_credentials(VoiceConnectorId=ID)
    assert users(voice) == []


@pytest.mark.parametrize(
    ("credentials", "words"),
    [
        ([{"Username": "pbx-7"}], r"Credentials\[0\].Password is missing"),
        ([{"Password": "hush"}], r"Credentials\[0\].Username is missing"),
        ([{"Username": "pbx-7", "Password": "húsh"}], r"Credentials\[0\].Password \(not shown\): must be .* US-ASCII"),
        ([{"Username": "pbx-7é", "Password": "hush"}], r"Credentials\[0\].Username \(not shown\): must be .* US-ASCII"),
        ([{"Username": "pbx-7", "Password": ""}], r"Credentials\[0\].Password \(not shown\)"),
        ([{"Username": "pbx-7", "Password": "hush"}] * 2, "two of them have the same Username"),
    ],
)
def test_a_refusal_shows_no_secret(voice: Any, credentials: list[dict[str, str]], words: str) -> None:
    with pytest.raises(voice.exceptions.BadRequestException, match=words) as refused:
        voice.put_voice_connector_termination_credentials(VoiceConnectorId=ID, Credentials=credentials)
    assert "pbx-7" not in str(refused.value)
    assert "sh" not in refused.value.response["Error"]["Message"].replace("shown", "")
    assert users(voice) == []


def test_profile_aws_has_ten_users_and_wants_a_termination_first(aws_voice: Any) -> None:
    """Terraform's documentation: "requires a Voice Connector Termination to be present"; at most 10."""
    with pytest.raises(aws_voice.exceptions.NotFoundException, match="has no termination"):
        put_users(aws_voice, pbx="1")
    put(aws_voice, **PUBLIC)
    put_users(aws_voice, **{f"user-{number}": "1" for number in range(10)})
    with pytest.raises(aws_voice.exceptions.BadRequestException, match="takes at most 10"):
        put_users(aws_voice, eleventh="1")
    put_users(aws_voice, **{"user-3": "another password"})
    assert len(users(aws_voice)) == 10


# Health


def test_health_is_the_last_options_of_the_pbx(cloud: Cloud, voice: Any) -> None:
    """The API's texts: Source is its IP address, Timestamp when it came."""
    with pytest.raises(voice.exceptions.NotFoundException):
        voice.get_voice_connector_termination_health(VoiceConnectorId=ID)
    put(voice)
    assert voice.get_voice_connector_termination_health(VoiceConnectorId=ID)["TerminationHealth"] == {}
    cloud.do(lambda control: control.store.record_termination_health(ID, "192.0.2.7"))
    assert voice.get_voice_connector_termination_health(VoiceConnectorId=ID)["TerminationHealth"] == {
        "Source": "192.0.2.7",
        "Timestamp": datetime.fromtimestamp(START, UTC),
    }


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("put_voice_connector_termination", {"Termination": {}}),
        ("get_voice_connector_termination", {}),
        ("delete_voice_connector_termination", {}),
        ("get_voice_connector_termination_health", {}),
        ("put_voice_connector_termination_credentials", {"Credentials": []}),
        ("list_voice_connector_termination_credentials", {}),
        ("delete_voice_connector_termination_credentials", {"Usernames": ["pbx"]}),
    ],
)
def test_an_unknown_connector_is_not_found(voice: Any, operation: str, asked: dict[str, object]) -> None:
    with pytest.raises(voice.exceptions.NotFoundException, match="Could not find VoiceConnector with Id 'nosuch'"):
        getattr(voice, operation)(VoiceConnectorId="nosuch", **asked)

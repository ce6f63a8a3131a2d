"""Origination through boto3 (guide p. 61-62; the API's texts)."""

from dataclasses import replace
from typing import Any

import pytest

from tests.control.cloud import Cloud
from voiceconnector.trunk.model import (
    DNISEmergencyCallingConfiguration,
    EmergencyCallingConfiguration,
    Origination,
    OriginationRoute,
    Termination,
    VoiceConnector,
)

ID = "abcdef1ghij2klmno3pqr4"
LAB = VoiceConnector(ID, "lab", phone_numbers=("+12065550100",))
ROUTE = {"Host": "50.35.78.96", "Port": 5080, "Protocol": "UDP", "Priority": 1, "Weight": 10}


@pytest.fixture(autouse=True)
def connector(request: pytest.FixtureRequest) -> None:
    """There is a connector in the profile that the test uses."""
    name = "aws_cloud" if "aws_voice" in request.fixturenames else "cloud"
    request.getfixturevalue(name).commit(LAB)


def put(voice: Any, **origination: object) -> Any:
    return voice.put_voice_connector_origination(VoiceConnectorId=ID, Origination=origination)


def test_an_origination_is_shown_as_it_was_put_and_read_by_the_next_call(cloud: Cloud, voice: Any) -> None:
    given = {
        "Routes": [
            {"Host": "pbx.example.com", "Port": 5080, "Protocol": "TCP", "Priority": 1, "Weight": 90},
            {"Host": "192.0.2.7", "Port": 5060, "Protocol": "UDP", "Priority": 2, "Weight": 10},
        ],
        "Disabled": False,
    }
    answer = put(voice, **given)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Origination"]) == (200, given)
    answer = voice.get_voice_connector_origination(VoiceConnectorId=ID)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Origination"]) == (200, given)
    (known,) = cloud.control.store.snapshot.inbound("+12065550100")
    assert known.origination == Origination(
        (OriginationRoute("pbx.example.com", 5080, "TCP", 1, 90), OriginationRoute("192.0.2.7", 5060, "UDP", 2, 10))
    )


def test_a_route_without_a_port_goes_to_5060(voice: Any) -> None:
    """The API's texts: "The designated origination route port. Defaults to 5060.\""""
    (route,) = put(voice, Routes=[{"Host": "192.0.2.7"}])["Origination"]["Routes"]
    assert route == {"Host": "192.0.2.7", "Port": 5060, "Protocol": "UDP", "Priority": 1, "Weight": 1}


def test_a_connector_that_requires_encryption_has_tcp_by_default_and_nothing_else(cloud: Cloud, voice: Any) -> None:
    """The API's texts: "Encryption-enabled … Voice Connectors use TCP protocol by default"; guide p. 62."""
    cloud.commit(replace(LAB, require_encryption=True))
    (route,) = put(voice, Routes=[{"Host": "192.0.2.7"}])["Origination"]["Routes"]
    assert route["Protocol"] == "TCP"
    with pytest.raises(voice.exceptions.BadRequestException, match=r"Routes\[0\].Protocol = 'UDP': must be TCP"):
        put(voice, Routes=[ROUTE])


@pytest.mark.parametrize("given", [{"Routes": [ROUTE]}, {"Routes": []}, {"Disabled": True}, {"Disabled": False}])
def test_routes_or_disabled_is_enough(voice: Any, given: dict[str, object]) -> None:
    """The API's texts: "The parameters listed below are not required, but you must use at least one.\""""
    assert put(voice, **given)["Origination"] == {"Routes": [], "Disabled": False} | given


@pytest.mark.parametrize(
    ("origination", "words"),
    [
        ({}, "must have Routes or Disabled"),
        ({"Routes": [{"Port": 5080}]}, r"Origination.Routes\[0\].Host is missing"),
        ({"Routes": [ROUTE, ROUTE | {"Host": "a b"}]}, r"Routes\[1\].Host = 'a b': must be a host name or an IP"),
        ({"Routes": [ROUTE | {"Protocol": "TLS"}]}, r"'origination.routes.1.member.protocol' failed .* \[TCP, UDP\]"),
        ({"Routes": [ROUTE | {"Priority": 101}]}, "Member must have value less than or equal to 100"),
        ({"Routes": [ROUTE | {"Weight": 101}]}, "Member must have value less than or equal to 100"),
        ({"Routes": [ROUTE | {"Port": 65536}]}, "Member must have value less than or equal to 65535"),
    ],
)
def test_what_is_none_is_refused_with_its_place(voice: Any, origination: dict[str, object], words: str) -> None:
    with pytest.raises(voice.exceptions.BadRequestException, match=words):
        put(voice, **origination)
    with pytest.raises(voice.exceptions.NotFoundException):
        voice.get_voice_connector_origination(VoiceConnectorId=ID)


def test_the_limits_of_the_service_are_the_aws_profiles(aws_voice: Any) -> None:
    """The API's texts: "Limit: Ten origination routes for each Voice Connector"; hosts are public."""
    assert len(put(aws_voice, Routes=[ROUTE] * 10)["Origination"]["Routes"]) == 10
    with pytest.raises(aws_voice.exceptions.BadRequestException, match=r"Routes = 11: .* takes at most 10"):
        put(aws_voice, Routes=[ROUTE] * 11)
    with pytest.raises(aws_voice.exceptions.BadRequestException, match="takes public addresses only"):
        put(aws_voice, Routes=[ROUTE | {"Host": "192.168.0.9"}])


def test_a_deleted_origination_is_not_found_until_it_is_put_again(voice: Any) -> None:
    with pytest.raises(voice.exceptions.NotFoundException, match="has no origination; PutVoiceConnectorOrigination"):
        voice.get_voice_connector_origination(VoiceConnectorId=ID)
    put(voice, Routes=[ROUTE])
    for _ in range(2):
        answer = voice.delete_voice_connector_origination(VoiceConnectorId=ID)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert "content-type" not in answer["ResponseMetadata"]["HTTPHeaders"]
    with pytest.raises(voice.exceptions.NotFoundException):
        voice.get_voice_connector_origination(VoiceConnectorId=ID)


def test_emergency_calling_must_go_before_origination(cloud: Cloud, voice: Any) -> None:
    """The API's texts: "If emergency calling is configured …, it must be deleted prior to" this."""
    emergency = EmergencyCallingConfiguration((DNISEmergencyCallingConfiguration("+12065550911", "US"),))
    cloud.commit(
        replace(LAB, termination=Termination(), origination=Origination(), emergency_calling_configuration=emergency)
    )
    words = "emergency calling needs termination and origination, .* delete the emergency calling configuration first"
    with pytest.raises(voice.exceptions.BadRequestException, match=words):
        voice.delete_voice_connector_origination(VoiceConnectorId=ID)
    with pytest.raises(voice.exceptions.BadRequestException, match=words):
        put(voice, Disabled=True)
    voice.delete_voice_connector_emergency_calling_configuration(VoiceConnectorId=ID)
    voice.delete_voice_connector_origination(VoiceConnectorId=ID)


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("put_voice_connector_origination", {"Origination": {"Disabled": True}}),
        ("get_voice_connector_origination", {}),
        ("delete_voice_connector_origination", {}),
    ],
)
def test_an_unknown_connector_is_not_found(voice: Any, operation: str, asked: dict[str, object]) -> None:
    with pytest.raises(voice.exceptions.NotFoundException, match="Could not find VoiceConnector with Id 'nosuch'"):
        getattr(voice, operation)(VoiceConnectorId="nosuch", **asked)

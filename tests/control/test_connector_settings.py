"""Emergency calling (guide p. 62), streaming (p. 66), logging (p. 27-30) and external systems through boto3."""

from dataclasses import replace
from typing import Any

import pytest

from tests.control.cloud import Cloud
from voiceconnector.trunk.model import (
    DNISEmergencyCallingConfiguration,
    EmergencyCallingConfiguration,
    ExternalSystemsConfiguration,
    LoggingConfiguration,
    MediaInsightsConfiguration,
    Origination,
    StreamingConfiguration,
    StreamingNotificationTarget,
    Termination,
    VoiceConnector,
)

ID = "abcdef1ghij2klmno3pqr4"
LAB = VoiceConnector(ID, "lab", termination=Termination(), origination=Origination())
INSIGHTS = "arn:aws:chime:us-east-1:111122223333:media-insights-pipeline-configuration/calls"
US = {"EmergencyPhoneNumber": "+12065550911", "TestPhoneNumber": "+12065550933", "CallingCountry": "US"}


@pytest.fixture(autouse=True)
def connector(cloud: Cloud) -> None:
    """There is a connector with termination and origination."""
    cloud.commit(LAB)


def put_emergency(voice: Any, *dnis: dict[str, str]) -> Any:
    return voice.put_voice_connector_emergency_calling_configuration(
        VoiceConnectorId=ID, EmergencyCallingConfiguration={"DNIS": list(dnis)}
    )


def put_streaming(voice: Any, **configuration: object) -> Any:
    return voice.put_voice_connector_streaming_configuration(VoiceConnectorId=ID, StreamingConfiguration=configuration)


def known(cloud: Cloud) -> VoiceConnector:
    return cloud.control.store.snapshot.by_id[ID]


def test_emergency_calling_is_shown_as_it_was_put_and_used_by_the_next_call(cloud: Cloud, voice: Any) -> None:
    given = {"DNIS": [US, {"EmergencyPhoneNumber": "+12065550912", "CallingCountry": "CA"}]}
    answer = put_emergency(voice, *given["DNIS"])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert answer["EmergencyCallingConfiguration"] == given
    shown = voice.get_voice_connector_emergency_calling_configuration(VoiceConnectorId=ID)
    assert shown["EmergencyCallingConfiguration"] == given
    assert known(cloud).emergency_calling_configuration == EmergencyCallingConfiguration(
        (
            DNISEmergencyCallingConfiguration("+12065550911", "US", "+12065550933"),
            DNISEmergencyCallingConfiguration("+12065550912", "CA"),
        )
    )


@pytest.mark.parametrize(
    ("dnis", "words"),
    [
        ([US, US], r"DNIS\[1\].CallingCountry = 'US': is there already"),
        ([US | {"CallingCountry": "UK"}], r"DNIS\[0\].CallingCountry = 'UK': must be an ISO 3166-1"),
        ([US | {"EmergencyPhoneNumber": "+442079460911"}], r"DNIS\[0\].EmergencyPhoneNumber is a number of GB"),
        (
            [US | {"TestPhoneNumber": "+442079460911"}],
            r"DNIS\[0\].TestPhoneNumber is a number of GB: must be one of US",
        ),
        ([US | {"EmergencyPhoneNumber": "0911"}], "Value at 'emergencyCallingConfiguration.dNIS.1.member.emergencyP"),
    ],
)
def test_emergency_numbers_are_of_the_us_and_one_for_each_country(
    voice: Any, dnis: list[dict[str, str]], words: str
) -> None:
    with pytest.raises(voice.exceptions.BadRequestException, match=words) as refused:
        put_emergency(voice, *dnis)
    assert "0911" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"termination": None}, "Termination is not configured"),
        ({"termination": Termination(disabled=True)}, "Termination is disabled"),
        ({"origination": None}, "Origination is not configured"),
        ({"origination": Origination(disabled=True)}, "Origination is disabled"),
    ],
)
def test_emergency_calling_needs_termination_and_origination(
    cloud: Cloud, voice: Any, changes: dict[str, Any], words: str
) -> None:
    """Guide p. 63: "Turn on and configure termination and origination settings.\""""
    cloud.commit(replace(LAB, **changes))
    with pytest.raises(voice.exceptions.BadRequestException, match=words):
        put_emergency(voice, US)


def test_streaming_is_shown_as_it_was_put(cloud: Cloud, voice: Any) -> None:
    given = {
        "DataRetentionInHours": 24,
        "Disabled": False,
        "StreamingNotificationTargets": [{"NotificationTarget": "EventBridge"}, {"NotificationTarget": "SNS"}],
        "MediaInsightsConfiguration": {"Disabled": False, "ConfigurationArn": INSIGHTS},
    }
    answer = put_streaming(voice, **given)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["StreamingConfiguration"]) == (200, given)
    shown = voice.get_voice_connector_streaming_configuration(VoiceConnectorId=ID)
    assert shown["StreamingConfiguration"] == given
    assert known(cloud).streaming_configuration == StreamingConfiguration(
        24,
        False,
        (StreamingNotificationTarget("EventBridge"), StreamingNotificationTarget("SNS")),
        MediaInsightsConfiguration(False, INSIGHTS),
    )


def test_another_put_of_streaming_replaces_all_of_it(voice: Any) -> None:
    targets = [{"NotificationTarget": "SQS"}]
    put_streaming(voice, DataRetentionInHours=1, Disabled=False, StreamingNotificationTargets=targets)
    assert put_streaming(voice, DataRetentionInHours=0, Disabled=True)["StreamingConfiguration"] == {
        "DataRetentionInHours": 0,
        "Disabled": True,
        "StreamingNotificationTargets": [],
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"StreamingNotificationTargets": [{"NotificationTarget": "Kinesis"}]}, r"\[EventBridge, SNS, SQS\]"),
        ({"StreamingNotificationTargets": [{"NotificationTarget": "SNS"}] * 4}, "length less than or equal to 3"),
        ({"StreamingNotificationTargets": [{}]}, r"StreamingNotificationTargets\[0\].NotificationTarget is missing"),
        ({"MediaInsightsConfiguration": {"ConfigurationArn": "arn:aws:chime::é"}}, "configurationArn"),
    ],
)
def test_a_wrong_streaming_configuration_is_refused(voice: Any, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(voice.exceptions.BadRequestException, match=words):
        put_streaming(voice, DataRetentionInHours=1, Disabled=False, **changes)
    with pytest.raises(voice.exceptions.NotFoundException):
        voice.get_voice_connector_streaming_configuration(VoiceConnectorId=ID)


def test_logging_is_off_until_it_is_put(cloud: Cloud, voice: Any) -> None:
    """It cannot be deleted, so there is nothing that would not be found; guide p. 62: "choose Enabled"."""
    shown = voice.get_voice_connector_logging_configuration(VoiceConnectorId=ID)["LoggingConfiguration"]
    assert shown == {"EnableSIPLogs": False, "EnableMediaMetricLogs": False}
    answer = voice.put_voice_connector_logging_configuration(
        VoiceConnectorId=ID, LoggingConfiguration={"EnableSIPLogs": True}
    )
    expected = {"EnableSIPLogs": True, "EnableMediaMetricLogs": False}
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["LoggingConfiguration"]) == (200, expected)
    assert voice.get_voice_connector_logging_configuration(VoiceConnectorId=ID)["LoggingConfiguration"] == expected
    assert known(cloud).logging_configuration == LoggingConfiguration(enable_sip_logs=True)


def test_external_systems_are_shown_as_they_were_put(cloud: Cloud, voice: Any) -> None:
    given = {
        "SessionBorderControllerTypes": ["RIBBON_SBC", "CISCO_UNIFIED_BORDER_ELEMENT"],
        "ContactCenterSystemTypes": ["GENESYS_ENGAGE_ON_PREMISES"],
    }
    answer = voice.put_voice_connector_external_systems_configuration(VoiceConnectorId=ID, **given)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["ExternalSystemsConfiguration"]) == (200, given)
    shown = voice.get_voice_connector_external_systems_configuration(VoiceConnectorId=ID)
    assert shown["ExternalSystemsConfiguration"] == given
    assert known(cloud).external_systems_configuration == ExternalSystemsConfiguration(
        ("RIBBON_SBC", "CISCO_UNIFIED_BORDER_ELEMENT"), ("GENESYS_ENGAGE_ON_PREMISES",)
    )
    with pytest.raises(voice.exceptions.BadRequestException, match="enum value set"):
        voice.put_voice_connector_external_systems_configuration(
            VoiceConnectorId=ID, SessionBorderControllerTypes=["ASTERISK"]
        )


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("emergency_calling", {"EmergencyCallingConfiguration": {"DNIS": [US]}}),
        ("streaming", {"StreamingConfiguration": {"DataRetentionInHours": 1, "Disabled": False}}),
        ("external_systems", {"SessionBorderControllerTypes": ["RIBBON_SBC"]}),
    ],
)
def test_what_was_deleted_or_never_put_is_not_found(voice: Any, name: str, asked: dict[str, object]) -> None:
    put, get, delete = (
        getattr(voice, f"{verb}_voice_connector_{name}_configuration") for verb in ("put", "get", "delete")
    )
    with pytest.raises(voice.exceptions.NotFoundException, match=r"PutVoiceConnector.* gives it one"):
        get(VoiceConnectorId=ID)
    put(VoiceConnectorId=ID, **asked)
    assert get(VoiceConnectorId=ID)
    for _ in range(2):
        answer = delete(VoiceConnectorId=ID)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert "content-type" not in answer["ResponseMetadata"]["HTTPHeaders"]
    with pytest.raises(voice.exceptions.NotFoundException):
        get(VoiceConnectorId=ID)


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("put_voice_connector_emergency_calling_configuration", {"EmergencyCallingConfiguration": {}}),
        ("get_voice_connector_emergency_calling_configuration", {}),
        ("delete_voice_connector_emergency_calling_configuration", {}),
        (
            "put_voice_connector_streaming_configuration",
            {"StreamingConfiguration": {"DataRetentionInHours": 1, "Disabled": False}},
        ),
        ("get_voice_connector_streaming_configuration", {}),
        ("delete_voice_connector_streaming_configuration", {}),
        ("put_voice_connector_logging_configuration", {"LoggingConfiguration": {}}),
        ("get_voice_connector_logging_configuration", {}),
        ("put_voice_connector_external_systems_configuration", {}),
        ("get_voice_connector_external_systems_configuration", {}),
        ("delete_voice_connector_external_systems_configuration", {}),
    ],
)
def test_an_unknown_connector_is_not_found(voice: Any, operation: str, asked: dict[str, object]) -> None:
    with pytest.raises(voice.exceptions.NotFoundException, match="Could not find VoiceConnector with Id 'nosuch'"):
        getattr(voice, operation)(VoiceConnectorId="nosuch", **asked)

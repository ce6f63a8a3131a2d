"""Voice Connectors through boto3: the operations of the guide, p. 60-64, their answers and their refusals."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.control.cloud import ACCOUNT_ID, START, Cloud
from voiceconnector.trunk.model import Origination, OriginationRoute, VoiceConnector, VoiceConnectorGroup
from voiceconnector.trunk.model import VoiceConnectorItem as Item

CREATED = datetime.fromtimestamp(START, UTC)


def create(voice: Any, name: str = "lab", **asked: object) -> Any:
    return voice.create_voice_connector(Name=name, RequireEncryption=False, **asked)["VoiceConnector"]


def test_a_created_connector_has_all_that_the_service_gives_it(voice: Any) -> None:
    answer = voice.create_voice_connector(Name="head office", AwsRegion="us-west-2", RequireEncryption=True)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    connector = answer["VoiceConnector"]
    id_ = connector["VoiceConnectorId"]
    assert re.fullmatch("[0-9a-z]{22}", id_)
    assert connector == {
        "VoiceConnectorId": id_,
        "AwsRegion": "us-west-2",
        "Name": "head office",
        "OutboundHostName": f"{id_}.voiceconnector.chime.aws",
        "RequireEncryption": True,
        "CreatedTimestamp": CREATED,
        "UpdatedTimestamp": CREATED,
        "VoiceConnectorArn": f"arn:aws:chime:us-west-2:{ACCOUNT_ID}:vc/{id_}",
        "NetworkType": "IPV4_ONLY",
    }


def test_a_connector_is_in_us_east_1_unless_another_region_is_asked_for(voice: Any) -> None:
    assert create(voice)["AwsRegion"] == "us-east-1"


def test_network_and_integration_type_are_kept(voice: Any) -> None:
    connector = create(voice, NetworkType="DUAL_STACK", IntegrationType="CONNECT_ANALYTICS_CONNECTOR")
    shown = voice.get_voice_connector(VoiceConnectorId=connector["VoiceConnectorId"])["VoiceConnector"]
    assert (shown["NetworkType"], shown["IntegrationType"]) == ("DUAL_STACK", "CONNECT_ANALYTICS_CONNECTOR")


def test_a_connector_is_shown_as_it_was_created(voice: Any) -> None:
    connector = create(voice)
    answer = voice.get_voice_connector(VoiceConnectorId=connector["VoiceConnectorId"])
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["VoiceConnector"]) == (200, connector)


def test_an_update_changes_name_encryption_and_time(cloud: Cloud, voice: Any) -> None:
    id_ = create(voice)["VoiceConnectorId"]
    cloud.clock.now += 60
    changed = voice.update_voice_connector(VoiceConnectorId=id_, Name="other", RequireEncryption=True)["VoiceConnector"]
    assert (changed["Name"], changed["RequireEncryption"]) == ("other", True)
    assert (changed["CreatedTimestamp"], changed["UpdatedTimestamp"]) == (CREATED, CREATED + timedelta(seconds=60))


def test_encryption_is_refused_while_a_route_is_over_udp(cloud: Cloud, voice: Any) -> None:
    id_ = create(voice)["VoiceConnectorId"]
    connector = cloud.control.store.snapshot.by_id[id_]
    routed = VoiceConnector(id_, connector.name, origination=Origination((OriginationRoute("192.0.2.7"),)))
    cloud.commit(routed)
    with pytest.raises(voice.exceptions.BadRequestException, match="must be over TCP"):
        voice.update_voice_connector(VoiceConnectorId=id_, Name="lab", RequireEncryption=True)


def test_a_deleted_connector_is_gone(voice: Any) -> None:
    id_ = create(voice)["VoiceConnectorId"]
    answer = voice.delete_voice_connector(VoiceConnectorId=id_)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert "content-type" not in answer["ResponseMetadata"]["HTTPHeaders"]
    with pytest.raises(voice.exceptions.NotFoundException):
        voice.get_voice_connector(VoiceConnectorId=id_)


def test_a_connector_with_numbers_is_not_deleted(cloud: Cloud, voice: Any) -> None:
    id_ = create(voice)["VoiceConnectorId"]
    cloud.commit(VoiceConnector(id_, "lab", phone_numbers=("+12065550100",)))
    with pytest.raises(voice.exceptions.ConflictException, match="has 1 phone number; disassociate"):
        voice.delete_voice_connector(VoiceConnectorId=id_)


def test_a_connector_in_a_group_is_not_deleted(cloud: Cloud, voice: Any) -> None:
    id_ = create(voice)["VoiceConnectorId"]
    cloud.commit(VoiceConnectorGroup("g" * 22, "both", (Item(id_, 1),)))
    with pytest.raises(voice.exceptions.ConflictException, match=f"is in group {'g' * 22}; take it out"):
        voice.delete_voice_connector(VoiceConnectorId=id_)


@pytest.mark.parametrize("operation", ["get_voice_connector", "delete_voice_connector"])
def test_an_unknown_connector_is_not_found(voice: Any, operation: str) -> None:
    with pytest.raises(voice.exceptions.NotFoundException) as refused:
        getattr(voice, operation)(VoiceConnectorId="nosuch")
    error = refused.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert error["Error"]["Message"] == "Could not find VoiceConnector with Id 'nosuch'"


def test_an_unknown_connector_is_not_updated(voice: Any) -> None:
    with pytest.raises(voice.exceptions.NotFoundException):
        voice.update_voice_connector(VoiceConnectorId="nosuch", Name="lab", RequireEncryption=False)


def test_all_connectors_are_listed_in_order_of_creation(voice: Any) -> None:
    created = [create(voice, f"n{number}")["VoiceConnectorId"] for number in range(3)]
    listed = voice.list_voice_connectors()
    assert [known["VoiceConnectorId"] for known in listed["VoiceConnectors"]] == created
    assert "NextToken" not in listed


def test_pages_leave_none_out_while_connectors_come_and_go(voice: Any) -> None:
    created = [create(voice, f"n{number}")["VoiceConnectorId"] for number in range(5)]
    first = voice.list_voice_connectors(MaxResults=2)
    for connector in first["VoiceConnectors"]:
        voice.delete_voice_connector(VoiceConnectorId=connector["VoiceConnectorId"])
    rest = voice.list_voice_connectors(MaxResults=100, NextToken=first["NextToken"])
    assert [known["VoiceConnectorId"] for known in rest["VoiceConnectors"]] == created[2:]


@pytest.mark.parametrize("token", ["x", "bnVsbA", "WzEsIDJd", "WyJuYW1lIiwgIm5vYm9keSJd", "é"])
def test_a_token_that_no_list_gave_is_refused(voice: Any, token: str) -> None:
    create(voice)
    with pytest.raises(voice.exceptions.BadRequestException, match="NextToken"):
        voice.list_voice_connectors(NextToken=token)


def test_the_regions_are_those_that_are_served(voice: Any) -> None:
    assert voice.list_available_voice_connector_regions()["VoiceConnectorRegions"] == ["us-east-1", "us-west-2"]


def test_a_region_that_is_not_served_is_refused_with_what_to_do(voice: Any) -> None:
    with pytest.raises(voice.exceptions.BadRequestException, match=r"\[regions.eu-west-1\] adds it"):
        create(voice, AwsRegion="eu-west-1")


def test_profile_aws_has_a_quota_for_each_region(aws_voice: Any) -> None:
    for number in range(3):
        create(aws_voice, f"n{number}")
    with pytest.raises(aws_voice.exceptions.ResourceLimitExceededException, match="allows 3"):
        create(aws_voice, "too many")
    assert create(aws_voice, "elsewhere", AwsRegion="us-west-2")


def test_names_are_checked_by_the_model_in_the_words_of_aws(voice: Any) -> None:
    with pytest.raises(ClientError) as refused:
        create(voice, "bad/name*")
    assert refused.value.response["Error"] == {
        "Code": "BadRequestException",
        "Message": "1 validation error detected: Value 'bad/name*' at 'name' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9 _.-]+",
    }

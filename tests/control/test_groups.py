"""Voice Connector groups through boto3 (guide p. 64-66)."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.control.cloud import ACCOUNT_ID, START, Cloud
from voiceconnector.trunk.model import VoiceConnector, VoiceConnectorGroup

CREATED = datetime.fromtimestamp(START, UTC)
IDS = [f"{number:022}" for number in range(4)]


@pytest.fixture(autouse=True)
def connectors(request: pytest.FixtureRequest) -> None:
    """There are four connectors in the profile that the test uses."""
    name = "aws_cloud" if "aws_voice" in request.fixturenames else "cloud"
    request.getfixturevalue(name).commit(*(VoiceConnector(id_, "lab") for id_ in IDS))


def items(*numbers: int) -> list[dict[str, object]]:
    return [{"VoiceConnectorId": IDS[number], "Priority": place} for place, number in enumerate(numbers, start=1)]


def create(voice: Any, name: str = "both", **asked: object) -> Any:
    return voice.create_voice_connector_group(Name=name, **asked)["VoiceConnectorGroup"]


def test_a_created_group_has_all_that_the_service_gives_it(voice: Any) -> None:
    answer = voice.create_voice_connector_group(Name="both coasts", VoiceConnectorItems=items(1, 0))
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    group = answer["VoiceConnectorGroup"]
    id_ = group["VoiceConnectorGroupId"]
    assert re.fullmatch("[0-9a-z]{22}", id_)
    assert group == {
        "VoiceConnectorGroupId": id_,
        "Name": "both coasts",
        "VoiceConnectorItems": [
            {"VoiceConnectorId": IDS[1], "Priority": 1},
            {"VoiceConnectorId": IDS[0], "Priority": 2},
        ],
        "CreatedTimestamp": CREATED,
        "UpdatedTimestamp": CREATED,
        "VoiceConnectorGroupArn": f"arn:aws:chime:us-east-1:{ACCOUNT_ID}:vcg/{id_}",
    }
    shown = voice.get_voice_connector_group(VoiceConnectorGroupId=id_)
    assert (shown["ResponseMetadata"]["HTTPStatusCode"], shown["VoiceConnectorGroup"]) == (200, group)


def test_a_group_may_begin_without_connectors(voice: Any) -> None:
    """As in the console, where connectors are added later (guide p. 65)."""
    assert create(voice)["VoiceConnectorItems"] == []


def test_an_update_replaces_name_and_connectors_for_the_next_call(cloud: Cloud, voice: Any) -> None:
    id_ = create(voice, VoiceConnectorItems=items(0, 1))["VoiceConnectorGroupId"]
    cloud.commit(replace(cloud.control.store.snapshot.groups[id_], phone_numbers=("+12065550100",)))
    cloud.clock.now += 60
    answer = voice.update_voice_connector_group(
        VoiceConnectorGroupId=id_, Name="other", VoiceConnectorItems=items(2, 1)
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    changed = answer["VoiceConnectorGroup"]
    assert (changed["Name"], changed["VoiceConnectorItems"]) == ("other", items(2, 1))
    assert (changed["CreatedTimestamp"], changed["UpdatedTimestamp"]) == (CREATED, CREATED + timedelta(seconds=60))
    inbound = cloud.control.store.snapshot.inbound("+12065550100")
    assert [known.voice_connector_id for known in inbound] == [IDS[2], IDS[1]]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([items(0)[0], items(0, 1)[1] | {"Priority": 1}], r"VoiceConnectorItems\[1\].Priority = 1: is there already"),
        ([items(0)[0], items(1, 0)[1]], r"VoiceConnectorItems\[1\].VoiceConnectorId = '0+': is there already"),
        ([items(0)[0] | {"Priority": 100}], "Member must have value less than or equal to 99"),
        ([items(0)[0] | {"VoiceConnectorId": "NOSUCH"}], r"VoiceConnectorItems\[0\].VoiceConnectorId = 'NOSUCH': must"),
    ],
)
def test_connectors_and_priorities_are_unique(voice: Any, given: list[dict[str, Any]], words: str) -> None:
    """Guide p. 65: "enter a different priority ranking for each"."""
    with pytest.raises(voice.exceptions.BadRequestException, match=words):
        create(voice, VoiceConnectorItems=given)
    id_ = create(voice)["VoiceConnectorGroupId"]
    with pytest.raises(voice.exceptions.BadRequestException, match=words):
        voice.update_voice_connector_group(VoiceConnectorGroupId=id_, Name="both", VoiceConnectorItems=given)
    assert (
        voice.get_voice_connector_group(VoiceConnectorGroupId=id_)["VoiceConnectorGroup"]["VoiceConnectorItems"] == []
    )


def test_a_connector_that_is_not_there_is_not_found(voice: Any) -> None:
    """CreateVoiceConnectorGroup declares no NotFoundException, UpdateVoiceConnectorGroup does."""
    nobody = [{"VoiceConnectorId": "9" * 22, "Priority": 1}]
    words = f"Could not find VoiceConnector with Id '{'9' * 22}'"
    with pytest.raises(voice.exceptions.BadRequestException, match=words):
        create(voice, VoiceConnectorItems=nobody)
    id_ = create(voice)["VoiceConnectorGroupId"]
    with pytest.raises(voice.exceptions.NotFoundException, match=words):
        voice.update_voice_connector_group(VoiceConnectorGroupId=id_, Name="both", VoiceConnectorItems=nobody)


def test_profile_aws_has_three_groups_of_three_connectors(aws_voice: Any) -> None:
    """Guide p. 65: "up to three Amazon Chime Voice Connector groups for your account"; three in each."""
    errors = aws_voice.exceptions
    with pytest.raises(errors.ResourceLimitExceededException, match=r"would have 4 .* allows 3"):
        create(aws_voice, VoiceConnectorItems=items(0, 1, 2, 3))
    created = [create(aws_voice, VoiceConnectorItems=items(0, 1, 2)) for _ in range(3)]
    with pytest.raises(errors.ResourceLimitExceededException, match="There are 3 Voice Connector groups"):
        create(aws_voice)
    with pytest.raises(errors.BadRequestException, match=r"would have 4 .* allows 3"):
        aws_voice.update_voice_connector_group(
            VoiceConnectorGroupId=created[0]["VoiceConnectorGroupId"],
            Name="both",
            VoiceConnectorItems=items(0, 1, 2, 3),
        )


def test_a_group_is_deleted_when_nothing_is_left_in_it(cloud: Cloud, voice: Any) -> None:
    """Guide p. 66: "you must unassign all Amazon Chime Voice Connectors and phone numbers from it"."""
    group = create(voice, VoiceConnectorItems=items(0))
    id_ = group["VoiceConnectorGroupId"]
    with pytest.raises(voice.exceptions.ConflictException, match="has Voice Connectors; take them out first"):
        voice.delete_voice_connector_group(VoiceConnectorGroupId=id_)
    voice.update_voice_connector_group(VoiceConnectorGroupId=id_, Name="both", VoiceConnectorItems=[])
    cloud.commit(VoiceConnectorGroup(id_, "both", phone_numbers=("+12065550100",)))
    with pytest.raises(voice.exceptions.ConflictException, match="has phone numbers; disassociate them first"):
        voice.delete_voice_connector_group(VoiceConnectorGroupId=id_)
    cloud.commit(VoiceConnectorGroup(id_, "both"))
    answer = voice.delete_voice_connector_group(VoiceConnectorGroupId=id_)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert "content-type" not in answer["ResponseMetadata"]["HTTPHeaders"]
    with pytest.raises(voice.exceptions.NotFoundException):
        voice.get_voice_connector_group(VoiceConnectorGroupId=id_)


def test_a_connector_leaves_its_group_before_it_is_deleted(voice: Any) -> None:
    id_ = create(voice, VoiceConnectorItems=items(0, 1))["VoiceConnectorGroupId"]
    with pytest.raises(voice.exceptions.ConflictException, match=f"is in group {id_}"):
        voice.delete_voice_connector(VoiceConnectorId=IDS[0])
    voice.update_voice_connector_group(VoiceConnectorGroupId=id_, Name="both", VoiceConnectorItems=items(1))
    voice.delete_voice_connector(VoiceConnectorId=IDS[0])


def test_groups_are_listed_in_pages_in_order_of_creation(voice: Any) -> None:
    created = [create(voice, f"n{number}") for number in range(5)]
    assert voice.list_voice_connector_groups()["VoiceConnectorGroups"] == created
    listed: list[Any] = []
    token: dict[str, str] = {}
    while True:
        page = voice.list_voice_connector_groups(MaxResults=2, **token)
        assert len(page["VoiceConnectorGroups"]) <= 2
        listed += page["VoiceConnectorGroups"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert listed == created
    with pytest.raises(voice.exceptions.BadRequestException, match="NextToken"):
        voice.list_voice_connector_groups(NextToken="none of ours")
    with pytest.raises(voice.exceptions.BadRequestException, match="less than or equal to 100"):
        voice.list_voice_connector_groups(MaxResults=101)


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("get_voice_connector_group", {}),
        ("update_voice_connector_group", {"Name": "both", "VoiceConnectorItems": []}),
        ("delete_voice_connector_group", {}),
    ],
)
def test_an_unknown_group_is_not_found(voice: Any, operation: str, asked: dict[str, object]) -> None:
    with pytest.raises(voice.exceptions.NotFoundException, match="Could not find VoiceConnectorGroup with Id 'nosuch'"):
        getattr(voice, operation)(VoiceConnectorGroupId="nosuch", **asked)

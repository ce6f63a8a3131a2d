"""Phone numbers through boto3: looked at, associated, changed, deleted and restored (guide p. 56-59, 63-66)."""

import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.control.cloud import START, Cloud
from voiceconnector.trunk.account_model import Account, User
from voiceconnector.trunk.model import PhoneNumber, VoiceConnector, VoiceConnectorGroup
from voiceconnector.trunk.sip_rules import (
    SipMediaApplication,
    SipMediaApplicationEndpoint,
    SipRule,
    SipRuleTargetApplication,
)

EAST, WEST, BOTH = "east" * 5 + "00", "west" * 5 + "00", "group" * 4 + "00"
NUMBER, SECOND, THIRD, STRANGE = "+12065550100", "+12065550101", "+12065550102", "+12065550199"
CREATED = datetime.fromtimestamp(START, UTC)
DAY = 86_400
RULE = "cccccccc-1111-4222-8333-444444444444"


@pytest.fixture(autouse=True)
def numbers(request: pytest.FixtureRequest) -> None:
    """Two connectors, a group and three numbers of which nobody has one."""
    for name in ("cloud", "aws_cloud"):
        if name in request.fixturenames:
            stock(request.getfixturevalue(name))


def stock(cloud: Cloud) -> None:
    cloud.commit(VoiceConnector(EAST, "east"), VoiceConnector(WEST, "west"), VoiceConnectorGroup(BOTH, "both"))
    cloud.commit(*map(PhoneNumber, (NUMBER, SECOND, THIRD)))


def associate(voice: Any, *numbers: str, to: str = EAST, **asked: object) -> dict[str, str]:
    answer = voice.associate_phone_numbers_with_voice_connector(
        VoiceConnectorId=to, E164PhoneNumbers=list(numbers), **asked
    )
    return codes(answer)


def codes(answer: Any) -> dict[str, str]:
    errors = answer["PhoneNumberErrors"]
    assert all(error["ErrorMessage"] for error in errors)
    return {error["PhoneNumberId"]: error["ErrorCode"] for error in errors}


def get(voice: Any, number: str = NUMBER) -> Any:
    return voice.get_phone_number(PhoneNumberId=number)["PhoneNumber"]


def add_sip_rule(cloud: Cloud, number: str = THIRD) -> None:
    target = SipRuleTargetApplication("a" * 8 + "-1111-4222-8333-444444444444", 1, "us-east-1")
    arn = "arn:aws:lambda:us-east-1:111122223333:function:answer"
    endpoints = (SipMediaApplicationEndpoint(arn),)
    cloud.commit(
        PhoneNumber(number, "SipMediaApplicationDialIn"),
        SipMediaApplication(target.sip_media_application_id, "answer", "us-east-1", endpoints),
        SipRule(RULE, "rule", "ToPhoneNumber", number, target_applications=(target,)),
    )


# Looked at


def test_a_number_is_shown_as_awss_examples_show_it(voice: Any) -> None:
    assert get(voice) == {
        "PhoneNumberId": "%2B12065550100",
        "E164PhoneNumber": "+12065550100",
        "Country": "US",
        "Type": "Local",
        "ProductType": "VoiceConnector",
        "Status": "Unassigned",
        "Capabilities": dict.fromkeys(
            ("InboundCall", "OutboundCall", "InboundSMS", "OutboundSMS", "InboundMMS", "OutboundMMS"), True
        ),
        "Associations": [],
        "CallingNameStatus": "Unassigned",
        "CreatedTimestamp": CREATED,
        "UpdatedTimestamp": CREATED,
    }


@pytest.mark.parametrize("id_", ["+12065550100", "%2B12065550100", "12065550100"])
def test_the_id_of_a_number_may_be_written_in_each_way(voice: Any, id_: str) -> None:
    """boto3 sends the second one as %252B12065550100."""
    assert get(voice, id_)["E164PhoneNumber"] == NUMBER
    assert voice.update_phone_number(PhoneNumberId=id_, Name="desk")["PhoneNumber"]["Name"] == "desk"


@pytest.mark.parametrize("written", ["+12065550100", "%2B12065550100", "%252B12065550100"])
def test_a_path_may_carry_the_plus_plain_or_escaped(cloud: Cloud, written: str) -> None:
    with urllib.request.urlopen(f"{cloud.url}/phone-numbers/{written}", timeout=60) as answer:
        assert b'"E164PhoneNumber":"+12065550100"' in answer.read()


def test_a_toll_free_number_and_one_of_another_country_are_told_by_their_digits(cloud: Cloud, voice: Any) -> None:
    cloud.commit(PhoneNumber("+18335550100"), PhoneNumber("+442079460123", "SipMediaApplicationDialIn"))
    assert (get(voice, "+18335550100")["Type"], get(voice, "+18335550100")["Country"]) == ("TollFree", "US")
    british = get(voice, "+442079460123")
    assert (british["Type"], british["Country"], british["Capabilities"]["InboundSMS"]) == ("Local", "GB", False)


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("get_phone_number", {}),
        ("update_phone_number", {"Name": "desk"}),
        ("delete_phone_number", {}),
        ("restore_phone_number", {}),
    ],
)
def test_an_unknown_number_is_not_found_and_not_named(voice: Any, operation: str, asked: dict[str, str]) -> None:
    for id_ in (STRANGE, "nosuch"):
        with pytest.raises(voice.exceptions.NotFoundException) as refused:
            getattr(voice, operation)(PhoneNumberId=id_, **asked)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
        assert "206555" not in str(refused.value)


# Listed


def listed(voice: Any, **asked: object) -> list[str]:
    return [known["E164PhoneNumber"] for known in voice.list_phone_numbers(**asked)["PhoneNumbers"]]


def test_numbers_are_listed_in_pages_in_order_of_creation(voice: Any) -> None:
    first = voice.list_phone_numbers(MaxResults=2)
    assert [known["E164PhoneNumber"] for known in first["PhoneNumbers"]] == [NUMBER, SECOND]
    rest = voice.list_phone_numbers(MaxResults=2, NextToken=first["NextToken"])
    assert [known["E164PhoneNumber"] for known in rest["PhoneNumbers"]] == [THIRD]
    assert "NextToken" not in rest


def test_a_list_is_filtered_by_status_product_and_association(cloud: Cloud, voice: Any) -> None:
    associate(voice, NUMBER)
    voice.associate_phone_numbers_with_voice_connector_group(VoiceConnectorGroupId=BOTH, E164PhoneNumbers=[SECOND])
    add_sip_rule(cloud)
    voice.delete_phone_number(PhoneNumberId=deleted(cloud))
    assert listed(voice, Status="Assigned") == [NUMBER, SECOND, THIRD]
    assert listed(voice, Status="DeleteInProgress") == [STRANGE]
    assert listed(voice, Status="Unassigned") == []
    assert listed(voice, ProductType="SipMediaApplicationDialIn") == [THIRD]
    assert listed(voice, FilterName="VoiceConnectorId", FilterValue=EAST) == [NUMBER]
    assert listed(voice, FilterName="VoiceConnectorId", FilterValue=WEST) == []
    assert listed(voice, FilterName="VoiceConnectorGroupId", FilterValue=BOTH) == [SECOND]
    assert listed(voice, FilterName="SipRuleId", FilterValue=RULE) == [THIRD]
    assert listed(voice, FilterName="SipRuleId", FilterValue=RULE, ProductType="VoiceConnector") == []


def deleted(cloud: Cloud) -> str:
    cloud.commit(PhoneNumber(STRANGE))
    return STRANGE


def test_filters_that_cannot_be_are_refused(voice: Any) -> None:
    for asked in ({"FilterName": "VoiceConnectorId"}, {"FilterValue": EAST}, {"Status": "Lost"}):
        with pytest.raises(voice.exceptions.BadRequestException):
            voice.list_phone_numbers(**asked)
    for name in ("VoiceConnectorId", "VoiceConnectorGroupId", "SipRuleId"):
        with pytest.raises(voice.exceptions.NotFoundException, match="Could not find"):
            voice.list_phone_numbers(FilterName=name, FilterValue="nosuch")


def test_a_number_of_a_user_is_filtered_for_by_chimes_client(cloud: Cloud, voice: Any) -> None:
    user = "dddddddd-1111-4222-8333-444444444444"
    account = "eeeeeeee-1111-4222-8333-444444444444"
    cloud.commit(Account(account, "example-account"), User(user, account, None))
    cloud.commit(PhoneNumber(THIRD, "BusinessCalling", user_id=user, associated=START))
    chime = cloud.client("chime")
    assert listed(chime, FilterName="AccountId", FilterValue=account) == [THIRD]
    assert listed(chime, FilterName="UserId", FilterValue=user, ProductType="BusinessCalling") == [THIRD]
    assert get(voice, THIRD)["Associations"] == [
        {"Name": "UserId", "Value": user, "AssociatedTimestamp": CREATED},
        {"Name": "AccountId", "Value": account, "AssociatedTimestamp": CREATED},
    ]


# Associated


def test_an_associated_number_says_with_what_and_since_when(cloud: Cloud, voice: Any) -> None:
    cloud.clock.now += 5
    assert associate(voice, NUMBER, SECOND[1:]) == {}
    number = get(voice)
    assert (number["Status"], number["UpdatedTimestamp"]) == ("Assigned", CREATED + timedelta(seconds=5))
    since = CREATED + timedelta(seconds=5)
    assert number["Associations"] == [{"Name": "VoiceConnectorId", "Value": EAST, "AssociatedTimestamp": since}]
    assert cloud.control.store.snapshot.by_id[EAST].phone_numbers == (NUMBER, SECOND)
    assert [each.name for each in cloud.control.store.snapshot.inbound(NUMBER)] == ["east"]


def test_numbers_are_associated_with_a_group_and_given_up(cloud: Cloud, voice: Any) -> None:
    asked = {"VoiceConnectorGroupId": BOTH, "E164PhoneNumbers": [NUMBER, STRANGE]}
    assert codes(voice.associate_phone_numbers_with_voice_connector_group(**asked)) == {"%2B12065550199": "NotFound"}
    assert get(voice)["Associations"][0]["Name"] == "VoiceConnectorGroupId"
    assert codes(voice.disassociate_phone_numbers_from_voice_connector_group(**asked)) == {"%2B12065550199": "NotFound"}
    assert (get(voice)["Status"], get(voice)["Associations"]) == ("Unassigned", [])


def test_only_force_takes_a_number_from_another(voice: Any) -> None:
    associate(voice, NUMBER)
    assert associate(voice, NUMBER, SECOND, to=WEST) == {"%2B12065550100": "PhoneNumberAssociationsExist"}
    assert get(voice)["Associations"][0]["Value"] == EAST
    assert associate(voice, NUMBER, to=WEST, ForceAssociate=True) == {}
    assert get(voice)["Associations"][0]["Value"] == WEST
    group = {"VoiceConnectorGroupId": BOTH, "E164PhoneNumbers": [NUMBER], "ForceAssociate": True}
    assert codes(voice.associate_phone_numbers_with_voice_connector_group(**group)) == {}
    assert get(voice)["Associations"][0]["Value"] == BOTH


def test_each_number_has_its_own_error(cloud: Cloud, voice: Any) -> None:
    add_sip_rule(cloud)
    voice.delete_phone_number(PhoneNumberId=SECOND)
    assert associate(voice, NUMBER, SECOND, THIRD, STRANGE, ForceAssociate=True) == {
        "%2B12065550101": "PreconditionFailed",
        "%2B12065550102": "BadRequest",
        "%2B12065550199": "NotFound",
    }
    assert get(voice)["Status"] == "Assigned"


def test_only_numbers_of_the_connector_are_taken_from_it(voice: Any) -> None:
    associate(voice, NUMBER)
    asked = {"VoiceConnectorId": WEST, "E164PhoneNumbers": [NUMBER]}
    assert codes(voice.disassociate_phone_numbers_from_voice_connector(**asked)) == {"%2B12065550100": "NotFound"}
    assert codes(voice.disassociate_phone_numbers_from_voice_connector(**(asked | {"VoiceConnectorId": EAST}))) == {}
    assert get(voice)["Status"] == "Unassigned"


def test_a_connector_or_a_group_that_is_not_there_is_not_found(voice: Any) -> None:
    for verb in ("associate_phone_numbers_with", "disassociate_phone_numbers_from"):
        for holder, key in (
            ("voice_connector", "VoiceConnectorId"),
            ("voice_connector_group", "VoiceConnectorGroupId"),
        ):
            with pytest.raises(voice.exceptions.NotFoundException, match=f"Could not find {key[:-2]} with Id"):
                getattr(voice, f"{verb}_{holder}")(**{key: "nosuch", "E164PhoneNumbers": [NUMBER]})


def test_what_is_no_number_is_a_bad_request(voice: Any) -> None:
    with pytest.raises(voice.exceptions.BadRequestException) as refused:
        associate(voice, "12-34")
    assert "12-34" not in str(refused.value)


# Changed


def test_a_product_type_changes_while_the_number_is_unassigned(voice: Any) -> None:
    """Guide p. 57."""
    changed = voice.update_phone_number(PhoneNumberId=NUMBER, ProductType="SipMediaApplicationDialIn")["PhoneNumber"]
    assert changed["ProductType"] == "SipMediaApplicationDialIn"
    associate(voice, SECOND)
    with pytest.raises(voice.exceptions.ConflictException, match="disassociate it before"):
        voice.update_phone_number(PhoneNumberId=SECOND, ProductType="SipMediaApplicationDialIn")


def test_a_number_outside_the_us_stays_with_sip_media_applications(cloud: Cloud, voice: Any) -> None:
    """Guide p. 56: for non-US numbers, you must use the SIP Media Application Dial-In product type."""
    cloud.commit(PhoneNumber("+442079460123", "SipMediaApplicationDialIn"))
    with pytest.raises(voice.exceptions.BadRequestException, match="outside the US"):
        voice.update_phone_number(PhoneNumberId="+442079460123", ProductType="VoiceConnector")


def test_one_thing_is_changed_at_a_time(voice: Any) -> None:
    with pytest.raises(voice.exceptions.BadRequestException, match="there is CallingName and Name"):
        voice.update_phone_number(PhoneNumberId=NUMBER, CallingName="Example", Name="desk")
    with pytest.raises(voice.exceptions.BadRequestException, match="there is none"):
        voice.update_phone_number(PhoneNumberId=NUMBER)


def test_a_name_is_kept_and_taken_away(voice: Any) -> None:
    assert voice.update_phone_number(PhoneNumberId=NUMBER, Name="front desk")["PhoneNumber"]["Name"] == "front desk"
    assert "Name" not in voice.update_phone_number(PhoneNumberId=NUMBER, Name="")["PhoneNumber"]
    with pytest.raises(voice.exceptions.BadRequestException):
        voice.update_phone_number(PhoneNumberId=NUMBER, Name="desk!")


def test_a_calling_name_takes_its_time_and_then_may_change_again(aws_cloud: Cloud, aws_voice: Any) -> None:
    """Guide p. 58: up to 15 characters, within 72 hours; after that it can be updated again."""
    changed = aws_voice.update_phone_number(PhoneNumberId=NUMBER, CallingName="Example Corp 15")["PhoneNumber"]
    assert (changed["CallingName"], changed["CallingNameStatus"]) == ("Example Corp 15", "UpdateInProgress")
    with pytest.raises(aws_voice.exceptions.ConflictException, match="in progress"):
        aws_voice.update_phone_number(PhoneNumberId=NUMBER, CallingName="Other")
    aws_cloud.clock.now += 3 * DAY
    assert get(aws_voice)["CallingNameStatus"] == "UpdateSucceeded"
    aws_voice.update_phone_number(PhoneNumberId=NUMBER, CallingName="")
    aws_cloud.clock.now += 3 * DAY
    assert get(aws_voice)["CallingNameStatus"] == "Unassigned"
    for wrong in ("x", "sixteen letters!", "sixteen letters1"):
        with pytest.raises(aws_voice.exceptions.BadRequestException):
            aws_voice.update_phone_number(PhoneNumberId=NUMBER, CallingName=wrong)


def test_several_numbers_are_changed_and_each_error_is_told(cloud: Cloud, voice: Any) -> None:
    associate(voice, SECOND)
    items = [
        {"PhoneNumberId": "%2B12065550100", "ProductType": "SipMediaApplicationDialIn"},
        {"PhoneNumberId": SECOND, "ProductType": "SipMediaApplicationDialIn"},
        {"PhoneNumberId": THIRD, "CallingName": "Example"},
        {"PhoneNumberId": STRANGE, "Name": "desk"},
    ]
    assert codes(voice.batch_update_phone_number(UpdatePhoneNumberRequestItems=items)) == {
        "%2B12065550101": "PhoneNumberAssociationsExist",
        "%2B12065550199": "NotFound",
    }
    assert get(voice)["ProductType"] == "SipMediaApplicationDialIn"
    assert get(voice, THIRD)["CallingName"] == "Example"
    again = codes(voice.batch_update_phone_number(UpdatePhoneNumberRequestItems=items[2:3]))
    assert again == {"%2B12065550102": "Conflict"}
    both = {"PhoneNumberId": NUMBER, "Name": "desk", "CallingName": "Example"}
    assert codes(voice.batch_update_phone_number(UpdatePhoneNumberRequestItems=[both])) == {
        "%2B12065550100": "BadRequest"
    }


def test_a_number_may_be_in_a_batch_once(voice: Any) -> None:
    """AWS: you cannot have a duplicate phoneNumberId in a request."""
    items = [{"PhoneNumberId": NUMBER, "Name": "a"}, {"PhoneNumberId": "%2B12065550100", "Name": "b"}]
    with pytest.raises(voice.exceptions.BadRequestException, match="twice"):
        voice.batch_update_phone_number(UpdatePhoneNumberRequestItems=items)


def test_the_default_calling_name_changes_once_in_seven_days(aws_cloud: Cloud, aws_voice: Any) -> None:
    """Guide p. 58."""
    before = aws_voice.get_phone_number_settings()
    assert "CallingName" not in before
    assert "CallingNameUpdatedTimestamp" not in before
    answer = aws_voice.update_phone_number_settings(CallingName="Example Corp")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    settings = aws_voice.get_phone_number_settings()
    assert (settings["CallingName"], settings["CallingNameUpdatedTimestamp"]) == ("Example Corp", CREATED)
    aws_cloud.clock.now += 7 * DAY - 1
    with pytest.raises(aws_voice.exceptions.BadRequestException, match="once in 7 days"):
        aws_voice.update_phone_number_settings(CallingName="Other")
    aws_cloud.clock.now += 1
    aws_voice.update_phone_number_settings(CallingName="Other")
    assert aws_voice.get_phone_number_settings()["CallingName"] == "Other"


# Deleted and restored


def test_a_deleted_number_waits_is_restored_or_goes_for_good(cloud: Cloud, voice: Any) -> None:
    """Guide p. 58-59."""
    answer = voice.delete_phone_number(PhoneNumberId=NUMBER)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    waiting = get(voice)
    assert (waiting["Status"], waiting["DeletionTimestamp"]) == ("DeleteInProgress", CREATED + timedelta(days=7))
    restored = voice.restore_phone_number(PhoneNumberId=NUMBER)["PhoneNumber"]
    assert restored["Status"] == "Unassigned"
    assert "DeletionTimestamp" not in restored
    voice.delete_phone_number(PhoneNumberId=NUMBER)
    cloud.clock.now += 7 * DAY
    with pytest.raises(voice.exceptions.NotFoundException):
        get(voice)
    assert voice.search_available_phone_numbers(AreaCode="206")["E164PhoneNumbers"][0] == NUMBER


def test_what_is_assigned_or_deleted_already_is_not_deleted(cloud: Cloud, voice: Any) -> None:
    """DeletePhoneNumber declares no ConflictException."""
    associate(voice, NUMBER)
    add_sip_rule(cloud)
    voice.delete_phone_number(PhoneNumberId=SECOND)
    for number, reason in ((NUMBER, "VoiceConnectorId"), (THIRD, "SipRuleId"), (SECOND, "deletion queue")):
        with pytest.raises(voice.exceptions.BadRequestException, match=reason):
            voice.delete_phone_number(PhoneNumberId=number)
    with pytest.raises(voice.exceptions.BadRequestException, match="not in the deletion queue"):
        voice.restore_phone_number(PhoneNumberId=NUMBER)


def test_several_numbers_are_deleted_and_each_error_is_told(voice: Any) -> None:
    associate(voice, SECOND)
    asked = ["%2B12065550100", SECOND, STRANGE]
    assert codes(voice.batch_delete_phone_number(PhoneNumberIds=asked)) == {
        "%2B12065550101": "PhoneNumberAssociationsExist",
        "%2B12065550199": "NotFound",
    }
    assert get(voice)["Status"] == "DeleteInProgress"


def test_a_deleted_number_is_not_changed_before_it_is_restored(voice: Any) -> None:
    voice.delete_phone_number(PhoneNumberId=NUMBER)
    for asked in ({"ProductType": "SipMediaApplicationDialIn"}, {"CallingName": "Example"}, {"Name": "desk"}):
        with pytest.raises(voice.exceptions.ConflictException, match="restore it first"):
            voice.update_phone_number(PhoneNumberId=NUMBER, **asked)


def test_a_number_is_not_restored_beyond_the_quota(aws_cloud: Cloud, aws_voice: Any) -> None:
    aws_voice.delete_phone_number(PhoneNumberId=NUMBER)
    aws_cloud.commit(*(PhoneNumber(f"+1206555011{digit}") for digit in range(3)))
    with pytest.raises(aws_voice.exceptions.ResourceLimitExceededException, match="beyond the 5"):
        aws_voice.restore_phone_number(PhoneNumberId=NUMBER)


def test_changes_survive_the_store_being_opened_again(cloud: Cloud, voice: Any) -> None:
    associate(voice, NUMBER)
    voice.update_phone_number(PhoneNumberId=NUMBER, CallingName="Example")
    known = cloud.control.store.snapshot.all(PhoneNumber)[NUMBER]
    assert known == replace(
        PhoneNumber(NUMBER),
        calling_name="Example",
        calling_name_due=START + cloud.control.profile.calling_name_seconds,
        associated=START,
        created_timestamp=START,
        updated_timestamp=START,
    )

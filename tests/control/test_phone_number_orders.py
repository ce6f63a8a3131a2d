"""Orders of phone numbers through boto3, and ports, which only the emulator's own pages make (guide p. 39-55)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.control.cloud import START, Cloud
from voiceconnector.control.errors import ApiError
from voiceconnector.control.porting_orders import create_porting_order, move_porting_order
from voiceconnector.trunk.model import PhoneNumber, VoiceConnector
from voiceconnector.trunk.store import Conflict, NotFound
from voiceconnector.trunk.tables import ShapeError

CREATED = datetime.fromtimestamp(START, UTC)
FIRST, SECOND = "+12065550100", "+12065550101"
COUNTRIES = {"US", "AU", "AT", "CA", "DK", "FI", "DE", "IE", "IT", "NZ", "NG", "KR", "SE", "CH", "GB"}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def search(voice: Any, **asked: object) -> list[str]:
    found: list[str] = voice.search_available_phone_numbers(**asked)["E164PhoneNumbers"]
    return found


def order(voice: Any, *numbers: str, **asked: object) -> Any:
    asked = {"ProductType": "VoiceConnector", "E164PhoneNumbers": list(numbers)} | asked
    return voice.create_phone_number_order(**asked)["PhoneNumberOrder"]


def get(voice: Any, order: Any) -> Any:
    return voice.get_phone_number_order(PhoneNumberOrderId=order["PhoneNumberOrderId"])["PhoneNumberOrder"]


def status(voice: Any, number: str) -> str:
    return str(voice.get_phone_number(PhoneNumberId=number)["PhoneNumber"]["Status"])


# Searched for


def test_what_is_found_can_be_ordered_and_is_then_found_no_more(aws_cloud: Cloud, aws_voice: Any) -> None:
    (number,) = search(aws_voice, AreaCode="206", MaxResults=1)
    placed = order(aws_voice, number)
    assert number not in search(aws_voice, AreaCode="206")
    aws_cloud.clock.now += 10
    assert get(aws_voice, placed)["Status"] == "Successful"
    assert status(aws_voice, number) == "Unassigned"


def test_a_search_comes_in_pages_and_without_anything_found_it_is_empty(voice: Any) -> None:
    first = voice.search_available_phone_numbers(AreaCode="206", MaxResults=60)
    second = voice.search_available_phone_numbers(AreaCode="206", MaxResults=60, NextToken=first["NextToken"])
    found = first["E164PhoneNumbers"] + second["E164PhoneNumbers"]
    assert found == [f"+120655501{last:02}" for last in range(100)]
    assert "NextToken" not in second
    assert search(voice, TollFreePrefix="800") == search(voice, State="WA", City="Atlantis") == []


def test_a_search_names_state_and_city_or_a_country(voice: Any) -> None:
    assert {number[:5] for number in search(voice, State="WA", City="Seattle")} == {"+1206"}
    assert {number[:5] for number in search(voice, TollFreePrefix="833")} == {"+1833"}
    assert all(number.startswith("+44") for number in search(voice, Country="GB", PhoneNumberType="Local"))


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"City": "Seattle", "AreaCode": "206"},
        {"Country": "FR", "PhoneNumberType": "Local"},
        {"Country": "fr"},
        {"TollFreePrefix": "206"},
        {"TollFreePrefix": "833", "PhoneNumberType": "Local"},
        {"AreaCode": "206", "MaxResults": 501},
        {"AreaCode": "206", "NextToken": "x"},
        {"AreaCode": "20655"},
    ],
)
def test_a_search_that_cannot_be_made_is_a_bad_request(voice: Any, asked: dict[str, Any]) -> None:
    with pytest.raises(voice.exceptions.BadRequestException):
        voice.search_available_phone_numbers(**asked)


def test_countries_are_listed_by_what_their_numbers_are_for(cloud: Cloud, voice: Any) -> None:
    """Guide p. 40-52."""

    def countries(client: Any, product_type: str) -> dict[str, list[str]]:
        listed = client.list_supported_phone_number_countries(ProductType=product_type)["PhoneNumberCountries"]
        return {each["CountryCode"]: each["SupportedPhoneNumberTypes"] for each in listed}

    both = ["Local", "TollFree"]
    assert countries(voice, "VoiceConnector") == {"US": both, "PR": both}
    dial_in = countries(voice, "SipMediaApplicationDialIn")
    assert set(dial_in) == COUNTRIES
    assert (dial_in["NG"], dial_in["KR"], dial_in["GB"]) == (["Local"], ["TollFree"], both)
    assert countries(cloud.client("chime"), "BusinessCalling") == {"US": ["Local"], "PR": ["Local"]}
    with pytest.raises(voice.exceptions.BadRequestException):
        countries(voice, "Fax")


# Ordered


def test_an_order_is_shown_as_awss_examples_show_it(aws_cloud: Cloud, aws_voice: Any) -> None:
    answer = aws_voice.create_phone_number_order(
        ProductType="VoiceConnector", E164PhoneNumbers=[FIRST, "12065550101"], Name="sales"
    )
    placed = answer["PhoneNumberOrder"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert placed == {
        "PhoneNumberOrderId": placed["PhoneNumberOrderId"],
        "ProductType": "VoiceConnector",
        "Status": "Processing",
        "OrderType": "New",
        "OrderedPhoneNumbers": [
            {"E164PhoneNumber": FIRST, "Status": "Processing"},
            {"E164PhoneNumber": SECOND, "Status": "Processing"},
        ],
        "CreatedTimestamp": CREATED,
        "UpdatedTimestamp": CREATED,
    }
    assert status(aws_voice, FIRST) == "AcquireInProgress"
    aws_cloud.clock.now += 10
    settled = get(aws_voice, placed)
    assert (settled["Status"], settled["UpdatedTimestamp"]) == ("Successful", CREATED + timedelta(seconds=10))
    number = aws_voice.get_phone_number(PhoneNumberId=FIRST)["PhoneNumber"]
    assert (number["OrderId"], number["Name"]) == (placed["PhoneNumberOrderId"], "sales")


def test_an_order_is_partial_where_somebody_has_a_number(cloud: Cloud, voice: Any) -> None:
    cloud.commit(PhoneNumber(SECOND))
    placed = order(voice, FIRST, SECOND)
    cloud.clock.now += cloud.control.profile.phone_number_order_seconds
    settled = get(voice, placed)
    assert settled["Status"] == "Partial"
    assert [each["Status"] for each in settled["OrderedPhoneNumbers"]] == ["Acquired", "Failed"]


def test_a_number_that_is_coming_is_not_used_yet(aws_cloud: Cloud, aws_voice: Any) -> None:
    aws_cloud.commit(VoiceConnector("0" * 22, "lab"))
    order(aws_voice, FIRST)
    asked = {"VoiceConnectorId": "0" * 22, "E164PhoneNumbers": [FIRST]}
    (error,) = aws_voice.associate_phone_numbers_with_voice_connector(**asked)["PhoneNumberErrors"]
    assert error["ErrorCode"] == "PreconditionFailed"
    with pytest.raises(aws_voice.exceptions.BadRequestException, match="AcquireInProgress"):
        aws_voice.delete_phone_number(PhoneNumberId=FIRST)
    aws_cloud.clock.now += 10
    assert aws_voice.associate_phone_numbers_with_voice_connector(**asked)["PhoneNumberErrors"] == []


@pytest.mark.parametrize(
    ("numbers", "asked", "message"),
    [
        ([], {}, "is empty"),
        ([FIRST, FIRST], {}, "twice"),
        (["+442079460123"], {}, "outside the US"),
        (["12-34"], {}, "validation error"),
        ([FIRST], {"ProductType": "Fax"}, "validation error"),
        ([FIRST], {"Name": "a!"}, "validation error"),
    ],
)
def test_an_order_that_breaks_a_rule_is_a_bad_request(
    voice: Any, numbers: list[str], asked: dict[str, str], message: str
) -> None:
    """Guide p. 40."""
    with pytest.raises(voice.exceptions.BadRequestException, match=message):
        order(voice, *numbers, **asked)


def test_an_order_beyond_the_quota_is_refused(aws_voice: Any) -> None:
    order(aws_voice, *search(aws_voice, AreaCode="206", MaxResults=4))
    with pytest.raises(aws_voice.exceptions.ResourceLimitExceededException, match="4 phone numbers and 2 more"):
        order(aws_voice, *search(aws_voice, AreaCode="206", MaxResults=2))


def test_a_british_number_is_ordered_for_sip_media_applications(cloud: Cloud, voice: Any) -> None:
    (number,) = search(voice, Country="GB", PhoneNumberType="TollFree", MaxResults=1)
    placed = order(voice, number, ProductType="SipMediaApplicationDialIn")
    cloud.clock.now += 60
    assert get(voice, placed)["Status"] == "Successful"
    shown = voice.get_phone_number(PhoneNumberId=number)["PhoneNumber"]
    assert (shown["Country"], shown["Type"]) == ("GB", "TollFree")


def test_orders_are_listed_in_pages_and_an_unknown_one_is_not_found(voice: Any) -> None:
    placed = [order(voice, f"+1206555010{digit}")["PhoneNumberOrderId"] for digit in range(3)]
    first = voice.list_phone_number_orders(MaxResults=2)
    rest = voice.list_phone_number_orders(NextToken=first["NextToken"])
    found = [each["PhoneNumberOrderId"] for each in first["PhoneNumberOrders"] + rest["PhoneNumberOrders"]]
    assert found == placed
    assert "NextToken" not in rest
    assert get(voice, {"PhoneNumberOrderId": placed[0].upper()})["PhoneNumberOrderId"] == placed[0]
    with pytest.raises(voice.exceptions.NotFoundException):
        get(voice, {"PhoneNumberOrderId": UNKNOWN})
    with pytest.raises(voice.exceptions.BadRequestException):
        get(voice, {"PhoneNumberOrderId": "nosuch"})


# Ported


def test_a_port_is_seen_through_the_api_from_submission_to_its_date(cloud: Cloud, voice: Any) -> None:
    """Guide p. 52-55."""
    cloud.commit(VoiceConnector("0" * 22, "lab"))
    asked = {"E164PhoneNumbers": [FIRST, "+12065551234"], "Name": "moved"}
    made = cloud.do(lambda control: create_porting_order(control, asked))
    assert (made["Status"], made["OrderType"], made["CreatedTimestamp"]) == (
        "Submitted", "Porting", "2022-04-15T05:20:00.250Z",
    )  # fmt: skip
    assert status(voice, FIRST) == "PortinInProgress"
    id_ = made["PhoneNumberOrderId"]
    for wanted in ("PendingDocuments", "Exception", "ChangeRequested", "Submitted"):
        cloud.do(lambda control, wanted=wanted: move_porting_order(control, id_, {"Status": wanted}))  # type: ignore[misc]
        assert get(voice, made)["Status"] == wanted
    agreed = {"Status": "FOC", "FocDate": "2022-04-16T08:00:00+02:00"}
    assert cloud.do(lambda control: move_porting_order(control, id_, agreed))["FocDate"] == "2022-04-16T06:00:00.000Z"
    # Some versions of botocore have FocDate as a time, and some as text.
    assert datetime.fromisoformat(str(get(voice, made)["FocDate"])) == datetime(2022, 4, 16, 6, tzinfo=UTC)
    voice.associate_phone_numbers_with_voice_connector(VoiceConnectorId="0" * 22, E164PhoneNumbers=[FIRST])
    assert status(voice, FIRST) == "PortinInProgress"
    cloud.clock.now = datetime(2022, 4, 16, 6, tzinfo=UTC).timestamp()
    settled = get(voice, made)
    assert (settled["Status"], settled["OrderedPhoneNumbers"][1]["Status"]) == ("Successful", "Acquired")
    assert (status(voice, FIRST), status(voice, "+12065551234")) == ("Assigned", "Unassigned")


def test_a_cancelled_port_leaves_its_numbers_cancelled_until_they_are_deleted(cloud: Cloud, voice: Any) -> None:
    cloud.commit(VoiceConnector("0" * 22, "lab"))
    made = cloud.do(lambda control: create_porting_order(control, {"E164PhoneNumbers": [FIRST]}))
    id_ = made["PhoneNumberOrderId"]
    cloud.do(lambda control: move_porting_order(control, id_, {"Status": "CancelRequested"}))
    assert status(voice, FIRST) == "PortinCancelRequested"
    cloud.do(lambda control: move_porting_order(control, id_, {"Status": "Cancelled"}))
    assert (get(voice, made)["Status"], status(voice, FIRST)) == ("Cancelled", "Cancelled")
    with pytest.raises(Conflict, match="stays so"):
        cloud.do(lambda control: move_porting_order(control, id_, {"Status": "Submitted"}))
    voice.delete_phone_number(PhoneNumberId=FIRST)
    with pytest.raises(voice.exceptions.NotFoundException):
        status(voice, FIRST)


def test_an_order_that_waits_for_papers_is_moved_along_too(aws_cloud: Cloud, aws_voice: Any) -> None:
    """Guide p. 40: countries with identification requirements go through support."""
    number = search(aws_voice, Country="DE", PhoneNumberType="Local", MaxResults=1)[0]
    placed = order(aws_voice, number, ProductType="SipMediaApplicationDialIn")
    assert placed["Status"] == "PendingDocuments"
    id_ = placed["PhoneNumberOrderId"]
    aws_cloud.do(lambda control: move_porting_order(control, id_, {"Status": "Successful"}))
    assert (get(aws_voice, placed)["Status"], status(aws_voice, number)) == ("Successful", "Unassigned")


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"E164PhoneNumbers": [FIRST]}, Conflict, "Create a Voice Connector before"),
        ({"E164PhoneNumbers": [FIRST], "Status": "Lost"}, ShapeError, "must be PendingDocuments"),
        ({"E164PhoneNumbers": [FIRST], "FocDate": "soon"}, ShapeError, "ISO 8601"),
        ({"E164PhoneNumbers": [FIRST], "FocDate": "9999-12-31T23:59:59-12:00"}, ShapeError, "ISO 8601"),
        ({"E164PhoneNumbers": ["206"]}, ShapeError, "E.164"),
        ({}, ApiError, "is empty"),
        ([], ShapeError, "must be a table"),
    ],
)
def test_a_port_that_cannot_be_says_why(cloud: Cloud, asked: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        cloud.do(lambda control: create_porting_order(control, asked))


def test_an_order_that_is_not_there_is_not_moved(cloud: Cloud) -> None:
    with pytest.raises(NotFound, match="Could not find PhoneNumberOrder"):
        cloud.do(lambda control: move_porting_order(control, UNKNOWN, {"Status": "Submitted"}))

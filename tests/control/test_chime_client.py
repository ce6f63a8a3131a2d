"""boto3's client `chime`: the operations that both service models have, and its own errors."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.control.cloud import Cloud

LONG_ENOUGH = 3600.0
"""Seconds, for an order to be settled."""


@pytest.fixture
def chime(cloud: Cloud) -> Any:
    return cloud.client("chime")


def ordered(cloud: Cloud, chime: Any, count: int) -> list[str]:
    """Numbers that an order has brought."""
    found: list[str] = chime.search_available_phone_numbers(AreaCode="206", MaxResults=count)["E164PhoneNumbers"]
    order = chime.create_phone_number_order(ProductType="VoiceConnector", E164PhoneNumbers=found)["PhoneNumberOrder"]
    cloud.clock.now += LONG_ENOUGH
    again = chime.get_phone_number_order(PhoneNumberOrderId=order["PhoneNumberOrderId"])["PhoneNumberOrder"]
    assert again["Status"] == "Successful"
    assert chime.list_phone_number_orders()["PhoneNumberOrders"][-1] == again
    return found


def test_both_clients_know_one_and_the_same_number(cloud: Cloud, chime: Any, voice: Any) -> None:
    (number,) = ordered(cloud, chime, 1)
    through_chime = chime.get_phone_number(PhoneNumberId=number)["PhoneNumber"]
    through_voice = voice.get_phone_number(PhoneNumberId=number)["PhoneNumber"]
    assert (through_chime["E164PhoneNumber"], through_chime["ProductType"]) == (number, "VoiceConnector")
    known_to_both = through_chime.keys() & through_voice.keys()
    assert {name: through_chime[name] for name in known_to_both} == {
        name: through_voice[name] for name in known_to_both
    }
    assert [known["E164PhoneNumber"] for known in chime.list_phone_numbers()["PhoneNumbers"]] == [number]


def test_numbers_are_changed_deleted_and_restored(cloud: Cloud, chime: Any) -> None:
    first, second = ordered(cloud, chime, 2)
    changed = chime.update_phone_number(PhoneNumberId=first, ProductType="BusinessCalling")["PhoneNumber"]
    assert changed["ProductType"] == "BusinessCalling"
    items = [{"PhoneNumberId": number, "ProductType": "BusinessCalling"} for number in (first, second)]
    assert chime.batch_update_phone_number(UpdatePhoneNumberRequestItems=items)["PhoneNumberErrors"] == []
    chime.delete_phone_number(PhoneNumberId=first)
    assert chime.batch_delete_phone_number(PhoneNumberIds=[second])["PhoneNumberErrors"] == []
    assert all("DeletionTimestamp" in known for known in chime.list_phone_numbers()["PhoneNumbers"])
    restored = chime.restore_phone_number(PhoneNumberId=second)["PhoneNumber"]
    assert (restored["E164PhoneNumber"], "DeletionTimestamp" in restored) == (second, False)


def test_countries_are_listed_for_what_only_this_client_orders(chime: Any) -> None:
    countries = chime.list_supported_phone_number_countries(ProductType="BusinessCalling")["PhoneNumberCountries"]
    assert "US" in [country["CountryCode"] for country in countries]


def test_the_account_has_a_calling_name_and_a_bucket(chime: Any, voice: Any) -> None:
    chime.update_phone_number_settings(CallingName="Head office")
    assert chime.get_phone_number_settings()["CallingName"] == "Head office"
    chime.update_global_settings(BusinessCalling={}, VoiceConnector={"CdrBucket": "records"})
    assert chime.get_global_settings()["VoiceConnector"] == {"CdrBucket": "records"}
    assert voice.get_global_settings()["VoiceConnector"] == {"CdrBucket": "records"}


def test_an_operation_that_only_the_other_model_has_is_nothing_this_client_knows(chime: Any) -> None:
    assert not hasattr(chime, "create_voice_connector")


def test_a_refusal_is_one_of_the_client_s_own_exceptions(chime: Any) -> None:
    with pytest.raises(chime.exceptions.NotFoundException) as refused:
        chime.get_phone_number(PhoneNumberId="+12065550100")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_what_is_not_emulated_is_refused_once_and_by_name(chime: Any) -> None:
    with pytest.raises(ClientError) as refused:
        chime.list_rooms(AccountId="1")
    said = refused.value.response
    assert said["Error"]["Code"] == "ForbiddenException"
    assert "ListRooms" in said["Error"]["Message"]
    assert said["ResponseMetadata"]["RetryAttempts"] == 0

"""boto3's client `chime`: the operations that both service models have, and its own errors."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.control.cloud import Cloud


@pytest.fixture
def chime(cloud: Cloud) -> Any:
    return cloud.client("chime")


def test_an_operation_that_only_the_voice_model_has_is_nothing_the_client_knows(chime: Any) -> None:
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

"""Many clients at once: each does what it is told, and no update of one is lost by another's."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

import pytest

from tests.control.cloud import ACCOUNT_ID, Cloud, Servers
from voiceconnector.control.operations import functions
from voiceconnector.trunk.model import PhoneNumber

T = TypeVar("T")
CLIENTS = 8
EACH = 5


def at_once(cloud: Cloud, what: Callable[[Any, int], T], service: str = "chime-sdk-voice") -> list[T]:
    """What as many clients return that do something at the same time, each for several numbers of its own."""
    barrier = Barrier(CLIENTS)

    def work(client: Any, first: int) -> list[T]:
        barrier.wait()
        return [what(client, number) for number in range(first, first + EACH)]

    clients = [cloud.client(service) for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        done = [pool.submit(work, client, place * EACH) for place, client in enumerate(clients)]
    return [result for one in done for result in one.result()]


def create(voice: Any, name: str = "lab") -> str:
    id_: str = voice.create_voice_connector(Name=name, RequireEncryption=False)["VoiceConnector"]["VoiceConnectorId"]
    return id_


def test_connectors_of_one_name_are_as_many_as_were_created(cloud: Cloud, voice: Any) -> None:
    ids = at_once(cloud, lambda client, _number: create(client))
    assert len(set(ids)) == CLIENTS * EACH
    listed = voice.list_voice_connectors()["VoiceConnectors"]
    assert ({known["VoiceConnectorId"] for known in listed}, {known["Name"] for known in listed}) == (set(ids), {"lab"})


def test_each_client_sees_what_it_has_done_while_others_do_the_same(cloud: Cloud) -> None:
    def work(client: Any, number: int) -> None:
        id_ = create(client, f"n{number}")
        changed = client.update_voice_connector(VoiceConnectorId=id_, Name=f"m{number}", RequireEncryption=True)
        assert client.get_voice_connector(VoiceConnectorId=id_)["VoiceConnector"] == changed["VoiceConnector"]
        client.delete_voice_connector(VoiceConnectorId=id_)
        with pytest.raises(client.exceptions.NotFoundException):
            client.get_voice_connector(VoiceConnectorId=id_)

    at_once(cloud, work)
    assert not cloud.control.store.snapshot.by_id


def test_what_one_client_names_and_another_configures_is_both_there(cloud: Cloud, voice: Any) -> None:
    id_ = create(voice)

    def work(client: Any, number: int) -> None:
        if number % 2:
            client.update_voice_connector(VoiceConnectorId=id_, Name=f"n{number}", RequireEncryption=False)
        else:
            user = {"Username": f"pbx{number}", "Password": f"secret{number}"}
            client.put_voice_connector_termination_credentials(VoiceConnectorId=id_, Credentials=[user])

    at_once(cloud, work)
    users = voice.list_voice_connector_termination_credentials(VoiceConnectorId=id_)["Usernames"]
    assert set(users) == {f"pbx{number}" for number in range(0, CLIENTS * EACH, 2)}
    assert voice.get_voice_connector(VoiceConnectorId=id_)["VoiceConnector"]["Name"] != "lab"


def test_the_last_of_many_to_delete_is_told_that_nothing_is_left(cloud: Cloud, voice: Any) -> None:
    ids = [create(voice) for _ in range(EACH)]

    def work(client: Any, number: int) -> bool:
        try:
            client.delete_voice_connector(VoiceConnectorId=ids[number % EACH])
        except client.exceptions.NotFoundException:
            return False
        return True

    assert sum(at_once(cloud, work)) == EACH


def test_tags_that_many_clients_add_are_all_kept(cloud: Cloud, voice: Any) -> None:
    arn = f"arn:aws:chime:us-east-1:{ACCOUNT_ID}:vc/{create(voice)}"
    at_once(
        cloud, lambda client, number: client.tag_resource(ResourceARN=arn, Tags=[{"Key": f"k{number}", "Value": "v"}])
    )
    tags = voice.list_tags_for_resource(ResourceARN=arn)["Tags"]
    assert {tag["Key"] for tag in tags} == {f"k{number}" for number in range(CLIENTS * EACH)}


@pytest.mark.parametrize("forced", [False, True])
def test_a_number_that_many_associate_has_one_connector(cloud: Cloud, voice: Any, forced: bool) -> None:
    """Guide p. 56, 63: with ForceAssociate the last one has it, without it the first one keeps it."""
    number = "+12065550100"
    cloud.commit(PhoneNumber(number))
    ids = [create(voice) for _ in range(CLIENTS * EACH)]

    def work(client: Any, place: int) -> list[str]:
        answer = client.associate_phone_numbers_with_voice_connector(
            VoiceConnectorId=ids[place], E164PhoneNumbers=[number], ForceAssociate=forced
        )
        return [error["ErrorCode"] for error in answer["PhoneNumberErrors"]]

    refused = [codes for codes in at_once(cloud, work) if codes]
    assert refused == [["PhoneNumberAssociationsExist"]] * (0 if forced else CLIENTS * EACH - 1)
    snapshot = cloud.control.store.snapshot
    holders = [id_ for id_, connector in snapshot.by_id.items() if connector.phone_numbers]
    (association,) = voice.get_phone_number(PhoneNumberId=number)["PhoneNumber"]["Associations"]
    assert [association["Value"]] == holders


def test_no_operation_that_is_emulated_takes_a_client_request_token(servers: Servers) -> None:
    """Rooms and the like have one; what is created here twice is there twice."""
    operations = servers.service.operations
    emulated = functions(operations)
    tokens = {name for name in emulated for member in operations[name].input.members if member.endswith("RequestToken")}
    assert not tokens

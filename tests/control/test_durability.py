"""What the AWS API has acknowledged is there after a kill: boto3 writes, and meanwhile `serve` is killed."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError

from tests.control.cloud import boto3_client
from tests.test_serve import Served

WRITERS = 2
ENOUGH = 12
"""Rounds of one writer after which the emulator is killed."""


class Writer:
    """A client that creates, changes and deletes until nobody answers any more, and remembers what was answered."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.users: dict[str, list[str]] = {}
        """Digest users of each Voice Connector."""
        self.deleted: set[str] = set()
        self.numbers: set[str] = set()

    def work(self, voice: Any, area: int, enough: Event) -> None:
        try:
            for turn in count():
                self._turn(voice, area, turn)
                if turn == ENOUGH:
                    enough.set()
        except BotoCoreError:
            assert enough.is_set(), "it went away by itself"
        finally:
            enough.set()

    def _turn(self, voice: Any, area: int, turn: int) -> None:
        name = f"{self.name} {turn}"
        id_ = voice.create_voice_connector(Name=name, RequireEncryption=False)["VoiceConnector"]["VoiceConnectorId"]
        self.users[id_] = []
        for user in ("one", "two"):
            credential = {"Username": user, "Password": name}
            voice.put_voice_connector_termination_credentials(VoiceConnectorId=id_, Credentials=[credential])
            self.users[id_].append(user)
        number = f"+1{area}555{turn:04d}"
        voice.create_phone_number_order(ProductType="VoiceConnector", E164PhoneNumbers=[number])
        self.numbers.add(number)
        if turn % 3 == 0:
            del self.users[id_]
            voice.delete_voice_connector(VoiceConnectorId=id_)
            self.deleted.add(id_)


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[tuple[list[Writer], Any]]:
    """Writers that were interrupted, and a client of the emulator that was started after that."""
    served, enough = Served(tmp_path), Event()
    writers = [Writer(f"writer {place}") for place in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as pool:
        clients = [boto3_client(served.http) for _ in writers]
        done = [
            pool.submit(writer.work, client, area, enough) for writer, client, area in zip(writers, clients, (206, 212))
        ]
        enough.wait()
        served.kill()
    for one, client in zip(done, clients):
        one.result()
        client.close()
    again = Served(tmp_path)
    with closing(boto3_client(again.http)) as voice:
        yield writers, voice
    again.kill()


def everything(ask: Callable[..., Any], key: str) -> Iterator[Any]:
    """The items of a list, of all its pages."""
    answer = ask()
    while True:
        yield from answer[key]
        if "NextToken" not in answer:
            return
        answer = ask(NextToken=answer["NextToken"])


def test_what_was_acknowledged_survives_a_kill(killed: tuple[list[Writer], Any]) -> None:
    """At most the one request in flight of each writer is there without an answer."""
    writers, voice = killed
    connectors = everything(voice.list_voice_connectors, "VoiceConnectors")
    there = {known["VoiceConnectorId"]: known["Name"] for known in connectors}
    orders = everything(voice.list_phone_number_orders, "PhoneNumberOrders")
    ordered = {number["E164PhoneNumber"] for order in orders for number in order["OrderedPhoneNumbers"]}
    for writer in writers:
        mine = {id_ for id_, name in there.items() if name.startswith(writer.name)}
        assert writer.users.keys() <= mine
        assert len(mine - writer.users.keys()) <= 1
        assert not writer.deleted & mine
        assert writer.numbers <= ordered
        for id_, users in writer.users.items():
            kept = voice.list_voice_connector_termination_credentials(VoiceConnectorId=id_)["Usernames"]
            assert kept[: len(users)] == users

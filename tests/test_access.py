"""`voiceconnector serve` asks for access keys, and keeps a trail that outlives it."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.test_serve import Served, run

KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEY = (
    f'{{AccessKeyId="{KEY_ID}", SecretAccessKey="{SECRET}", UserName="alice", ManagedPolicies=["AmazonChimeReadOnly"]}}'
)


@contextmanager
def client(served: Served) -> Iterator[Any]:
    made = botocore.session.get_session().create_client(
        "chime-sdk-voice",
        region_name="us-east-1",
        endpoint_url=served.http,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    running = Served(tmp_path, "http.auth=enforce", f"http.access_keys=[{KEY}]")
    yield running
    if running.process.poll() is None:
        running.kill()


def trail(served: Served, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run("trail", "--set", f"data_dir={served.data_dir}", *arguments)


def events(served: Served, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(trail(served, "--json", *arguments).stdout)
    return found


def call(served: Served) -> None:
    """Lists what is there, which alice may, and creates something, which she may not."""
    with client(served) as alice:
        assert [one["Name"] for one in alice.list_voice_connectors()["VoiceConnectors"]] == ["lab"]
        with pytest.raises(ClientError) as caught:
            alice.create_voice_connector(Name="other", RequireEncryption=False)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


def test_policies_are_enforced_and_every_call_is_on_the_trail(served: Served) -> None:
    call(served)
    code, output = served.stop()
    assert (code, SECRET in output) == (0, False)
    found = events(served)
    assert [(one["eventName"], one["userIdentity"]["userName"], one.get("errorCode")) for one in found] == [
        ("CreateVoiceConnector", "alice", "AccessDeniedException"),
        ("ListVoiceConnectors", "alice", None),
    ]
    assert [one["eventName"] for one in events(served, "--user", "alice", "--last", "1")] == ["CreateVoiceConnector"]
    assert "AccessDeniedException" in trail(served).stdout


def test_a_kill_leaves_the_trail_of_what_was_called(served: Served) -> None:
    call(served)
    deadline = time.monotonic() + 20
    while len(events(served)) < 2:
        assert time.monotonic() < deadline
    served.kill()
    assert len(events(served)) == 2


def test_our_own_pages_need_no_access_key(served: Served) -> None:
    health = served.get("/emulator/health")
    assert isinstance(health, dict)
    assert health["status"] == "ok"

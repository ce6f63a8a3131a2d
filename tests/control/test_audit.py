"""Each call of the API leaves an event as CloudTrail has it, without secrets; `voiceconnector trail` lists them."""

import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from tests.control.cloud import Cloud, Servers, open_cloud
from voiceconnector.control.access_keys import Access, AccessKey, Auth
from voiceconnector.control.api import Api, ApiRequest, Call, Outcome
from voiceconnector.control.audit import event
from voiceconnector.control.context import Control
from voiceconnector.control.iam import Guard
from voiceconnector.control.service import Operation, Service, members_within
from voiceconnector.trail import Trail, users_of
from voiceconnector.trunk.profile import LAB
from voiceconnector.trunk.store import Store

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
ACCOUNT = "111122223333"


class Lab:
    """An API, and the events that its calls left."""

    def __init__(self, cloud: Cloud, guard: Guard) -> None:
        self.cloud = cloud
        self.guard = guard
        self.events: list[dict[str, Any]] = []

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]


@contextmanager
def audited(servers: Servers, folder: Path, *keys: AccessKey, auth: Auth = "open") -> Iterator[Lab]:
    labs: list[Lab] = []

    def audit(call: Any, outcome: Any) -> None:
        lab = labs[0]
        caller = lab.guard.caller(call, outcome.error)
        lab.events.append(event(call, outcome, caller, ACCOUNT, lab.cloud.control.new_uuid()))

    with open_cloud(servers, folder, authorize=lambda call: labs[0].guard.authorize(call), audit=audit) as cloud:
        cloud.clock.now = time.time()
        labs.append(Lab(cloud, Guard(Access(auth, keys), cloud.control)))
        yield labs[0]


@pytest.fixture
def lab(servers: Servers, tmp_path: Path) -> Iterator[Lab]:
    """Open, with the key of `Cloud.client` known."""
    with audited(servers, tmp_path, AccessKey(KEY_ID, SECRET, user_name="Alice")) as opened:
        yield opened


def test_an_event_has_the_members_of_the_guides_example(lab: Lab) -> None:
    """Guide p. 34-35; sessionContext is of temporary credentials, errorCode and errorMessage of a refusal."""
    lab.cloud.clock.now = 1_500_919_101.9
    made = lab.cloud.client().create_voice_connector(Name="lab", RequireEncryption=True)
    id_ = made["VoiceConnector"]["VoiceConnectorId"]
    found = lab.last
    assert re.fullmatch(UUID, found.pop("eventID"))
    assert found.pop("requestID") == made["ResponseMetadata"]["RequestId"]
    assert found.pop("userAgent").startswith("Botocore/")
    answer = found.pop("responseElements")["voiceConnector"]
    assert (answer["voiceConnectorId"], answer["name"], answer["requireEncryption"]) == (id_, "lab", True)
    assert answer["createdTimestamp"] == "2017-07-24T17:58:21.900Z"
    assert re.fullmatch("AIDA[A-Z2-7]{17}", found["userIdentity"].pop("principalId"))
    assert found == {
        "eventVersion": "1.05",
        "userIdentity": {
            "type": "IAMUser",
            "arn": "arn:aws:iam::111122223333:user/Alice",
            "accountId": "111122223333",
            "accessKeyId": KEY_ID,
            "userName": "Alice",
        },
        "eventTime": "2017-07-24T17:58:21Z",
        "eventSource": "chime.amazonaws.com",
        "eventName": "CreateVoiceConnector",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "127.0.0.1",
        "requestParameters": {"name": "lab", "requireEncryption": True},
        "readOnly": False,
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
    }


def test_of_a_call_that_reads_only_the_request_is_kept(lab: Lab) -> None:
    """Guide of 2018, p. 20: "`listDomain` is read-only and you only see the request in CloudTrail"."""
    lab.cloud.client(region="us-west-2").list_voice_connectors(MaxResults=5)
    assert (lab.last["eventName"], lab.last["readOnly"], lab.last["awsRegion"]) == (
        "ListVoiceConnectors", True, "us-west-2",
    )  # fmt: skip
    assert lab.last["requestParameters"] == {"maxResults": 5}
    assert lab.last["responseElements"] is None


def test_a_call_without_parameters_has_none(lab: Lab) -> None:
    lab.cloud.client().list_voice_connectors()
    assert lab.last["requestParameters"] is None


def test_a_refusal_is_kept_with_its_error(lab: Lab) -> None:
    with pytest.raises(ClientError) as caught:
        lab.cloud.client().delete_voice_connector(VoiceConnectorId="absent")
    error = caught.value.response["Error"]
    assert lab.last["errorCode"] == error["Code"] == "NotFoundException"
    assert lab.last["errorMessage"] == error["Message"]
    assert lab.last["requestParameters"] == {"voiceConnectorId": "absent"}
    assert lab.last["responseElements"] is None


def test_no_secret_is_kept(lab: Lab) -> None:
    """What the model calls sensitive is a password, a phone number, and more (guide of 2018, p. 20)."""
    credentials = [{"Username": "pbx-of-mine", "Password": "secret-of-mine"}]
    client = lab.cloud.client()
    with suppress(ClientError):
        client.put_voice_connector_termination_credentials(VoiceConnectorId="abc", Credentials=credentials)
    with suppress(ClientError):
        client.create_phone_number_order(ProductType="VoiceConnector", E164PhoneNumbers=["+12065550100"])
    with suppress(ClientError):
        client.list_tags_for_resource(ResourceARN="arn:aws:chime:us-east-1:111122223333:vc/abc")
    kept = json.dumps(lab.events)
    assert [found["eventName"] for found in lab.events] == [
        "PutVoiceConnectorTerminationCredentials", "CreatePhoneNumberOrder", "ListTagsForResource",
    ]  # fmt: skip
    assert lab.events[0]["requestParameters"]["credentials"] == [{"username": HIDDEN, "password": HIDDEN}]
    assert lab.events[1]["requestParameters"]["e164PhoneNumbers"] == [HIDDEN]
    assert lab.events[2]["requestParameters"] == {"resourceARN": HIDDEN}
    for secret in ("pbx-of-mine", "secret-of-mine", "2065550100"):
        assert secret not in kept


def test_an_unknown_key_is_unknown_to_the_trail(servers: Servers, tmp_path: Path) -> None:
    with audited(servers, tmp_path) as lab:
        lab.cloud.client().list_voice_connectors()
        assert lab.last["userIdentity"] == {"type": "Unknown", "accountId": ACCOUNT, "accessKeyId": KEY_ID}


def test_who_could_not_prove_it_is_not_named(servers: Servers, tmp_path: Path) -> None:
    with audited(servers, tmp_path, AccessKey(KEY_ID, "another", user_name="Alice"), auth="verify") as lab:
        with pytest.raises(ClientError):
            lab.cloud.client().list_voice_connectors()
        assert lab.last["errorCode"] == "InvalidSignatureException"
        assert lab.last["userIdentity"]["type"] == "Unknown"
        assert "Canonical" not in lab.last["errorMessage"]


def test_who_may_not_is_named(servers: Servers, tmp_path: Path) -> None:
    with audited(servers, tmp_path, AccessKey(KEY_ID, SECRET, user_name="Alice"), auth="enforce") as lab:
        with pytest.raises(ClientError):
            lab.cloud.client().list_voice_connectors()
        assert lab.last["errorCode"] == "AccessDeniedException"
        assert lab.last["userIdentity"]["userName"] == "Alice"


def test_a_role_is_named_with_its_session(servers: Servers, tmp_path: Path) -> None:
    """CloudTrail User Guide, "userIdentity with temporary security credentials"."""
    key = AccessKey(KEY_ID, SECRET, session_token="t", role_name="Joe", role_session_name="ci")
    with audited(servers, tmp_path, key) as lab:
        lab.cloud.client().list_voice_connectors()
    found = lab.last["userIdentity"]
    role_id = found["sessionContext"]["sessionIssuer"]["principalId"]
    assert re.fullmatch("AROA[A-Z2-7]{17}", role_id)
    assert found == {
        "type": "AssumedRole",
        "principalId": f"{role_id}:ci",
        "arn": "arn:aws:sts::111122223333:assumed-role/Joe/ci",
        "accountId": ACCOUNT,
        "accessKeyId": KEY_ID,
        "sessionContext": {
            "attributes": {"mfaAuthenticated": "false"},
            "sessionIssuer": {
                "type": "Role",
                "principalId": role_id,
                "arn": "arn:aws:iam::111122223333:role/Joe",
                "accountId": ACCOUNT,
                "userName": "Joe",
            },
        },
    }


def test_the_root_user_is_named(servers: Servers, tmp_path: Path) -> None:
    with audited(servers, tmp_path, AccessKey(KEY_ID, SECRET)) as lab:
        lab.cloud.client().list_voice_connectors()
    assert lab.last["userIdentity"] == {
        "type": "Root",
        "principalId": ACCOUNT,
        "arn": "arn:aws:iam::111122223333:root",
        "accountId": ACCOUNT,
        "accessKeyId": KEY_ID,
    }


# voiceconnector trail


def kept(number: int, name: str = "ListVoiceConnectors", user: str = "alice", error: str = "") -> dict[str, Any]:
    return {
        "userIdentity": {"type": "IAMUser", "userName": user, "accessKeyId": f"AKIA{user}"},
        "eventTime": f"2026-01-0{1 + number // 10}T00:00:0{number % 10}Z",
        "eventName": name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "127.0.0.1",
        **({"errorCode": error} if error else {}),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two days of events, with one that was cut."""
    folder = tmp_path / "var" / "cloudtrail"
    folder.mkdir(parents=True)
    first = [kept(0), kept(1, "CreateVoiceConnector", "bob"), kept(2, "GetVoiceConnector", error="NotFoundException")]
    second = [kept(10, "DeleteVoiceConnector", "bob"), kept(11)]
    (folder / "2026-01-01.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in first) + '{"cut')
    (folder / "2026-01-02.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in second))
    return folder


def times(found: list[dict[str, Any]]) -> list[str]:
    return [one["eventTime"][8:19] for one in found]


def test_the_latest_events_come_first_over_all_days(folder: Path) -> None:
    trail = Trail(folder)
    assert times(trail.latest(30)) == ["02T00:00:01", "02T00:00:00", "01T00:00:02", "01T00:00:01", "01T00:00:00"]
    assert trail.damaged == 1
    assert times(Trail(folder).latest(2)) == ["02T00:00:01", "02T00:00:00"]


def test_events_are_chosen_by_operation_and_by_user(folder: Path) -> None:
    assert times(Trail(folder).latest(30, event_name="listVoiceConnectors")) == ["02T00:00:01", "01T00:00:00"]
    assert times(Trail(folder).latest(30, user="bob")) == ["02T00:00:00", "01T00:00:01"]
    assert times(Trail(folder).latest(30, user="AKIAbob")) == ["02T00:00:00", "01T00:00:01"]
    assert times(Trail(folder).latest(30, "GetVoiceConnector", "bob")) == []


def test_a_user_is_known_by_each_of_its_names(servers: Servers, tmp_path: Path) -> None:
    key = AccessKey(KEY_ID, SECRET, session_token="t", role_name="Joe", role_session_name="ci")
    with audited(servers, tmp_path, key) as lab:
        lab.cloud.client().list_voice_connectors()
    assert users_of(lab.last) == ("Joe", KEY_ID, "arn:aws:sts::111122223333:assumed-role/Joe/ci")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "voiceconnector", "trail", "--set", f"data_dir={folder.parent}", *arguments],
        capture_output=True, text=True, timeout=120, check=False,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


def test_the_command_prints_a_table(folder: Path) -> None:
    done = run(folder, "--last", "4")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["Time", "Event", "User", "Source", "Region", "Result"]
    assert lines[1].split() == ["2026-01-02T00:00:01Z", "ListVoiceConnectors", "alice", "127.0.0.1", "us-east-1", "ok"]
    assert lines[3].split()[-1] == "NotFoundException"
    assert (len(lines), done.returncode) == (5, 0)
    assert "1 damaged lines were passed over" in done.stderr


def test_the_command_prints_whole_events_as_json(folder: Path) -> None:
    done = run(folder, "--json", "--user", "bob", "--event-name", "DeleteVoiceConnector")
    assert json.loads(done.stdout) == [kept(10, "DeleteVoiceConnector", "bob")]


def test_the_command_says_that_there_is_nothing(tmp_path: Path) -> None:
    done = run(tmp_path / "var" / "cloudtrail")
    assert done.stdout == f"No such call of the API is kept in {tmp_path}/var/cloudtrail.\n"
    assert done.returncode == 0


def test_its_help_has_an_example(tmp_path: Path) -> None:
    assert "voiceconnector trail --last 5" in run(tmp_path, "--help").stdout


# Whatever is asked

SERVICE = Service.load()
OPERATIONS = tuple(SERVICE.operations.values())
MEMBERS = sorted({name for operation in OPERATIONS for name, _ in members_within(operation.input)})

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4),
    max_leaves=12,
)
segments = st.text("ab1+%~é", min_size=1, max_size=6)


class Direct:
    """The API without HTTP, and the events that its calls left."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._guard = Guard(Access(), control)
        self.api = Api(control, SERVICE, self._guard.authorize, self.audit)
        self.events: list[str] = []

    def audit(self, call: Call, outcome: Outcome) -> None:
        found = event(call, outcome, self._guard.caller(call, outcome.error), ACCOUNT, self._control.new_uuid())
        self.events.append(json.dumps(found))


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Direct]:
    store = Store(tmp_path_factory.mktemp("store"), time.time)
    yield Direct(Control(store, LAB, ACCOUNT, ("us-east-1",), random.Random(7), time.time))
    store.close()


@given(st.data(), st.sampled_from(OPERATIONS))
def test_every_call_leaves_an_event_that_can_be_written(
    direct: Direct, data: st.DataObject, operation: Operation
) -> None:
    path = "/".join(quote(data.draw(segments) if one[0] == "{" else one, safe="") for one in operation.segments)
    query = "&".join(f"{name}={value}" for name, value in operation.query)
    body = data.draw(st.one_of(json_values.map(json.dumps).map(str.encode), st.binary(max_size=9)))
    direct.events.clear()
    direct.api.handle(ApiRequest(operation.method, f"/{path}", query, [], body, "127.0.0.1"))
    (kept,) = direct.events
    assert json.loads(kept)["eventName"] == operation.name

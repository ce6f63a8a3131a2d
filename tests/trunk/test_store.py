"""The store: what it keeps, what it refuses, and that a kill loses nothing it has acknowledged."""

import json
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from voiceconnector.trunk.account_model import User
from voiceconnector.trunk.global_settings import BusinessCallingSettings, GlobalSettings, VoiceConnectorSettings
from voiceconnector.trunk.model import (
    Credential,
    DNISEmergencyCallingConfiguration,
    EmergencyCallingConfiguration,
    ExternalSystemsConfiguration,
    LoggingConfiguration,
    MediaInsightsConfiguration,
    Origination,
    OriginationRoute,
    PhoneNumber,
    Resource,
    StreamingConfiguration,
    StreamingNotificationTarget,
    Termination,
    TerminationHealth,
    VoiceConnector,
    VoiceConnectorGroup,
    VoiceConnectorItem,
    identity,
)
from voiceconnector.trunk.store import Conflict, Store, StoreError
from voiceconnector.trunk.tables import ShapeError
from voiceconnector.trunk.tagging import Tag, Tags

LAB_ID = "abcdef1ghij2klmno3pqr4"
OTHER_ID = "0" * 22
USER_ID = "01234567-89ab-cdef-0123-456789abcdef"
LAB = VoiceConnector(
    LAB_ID,
    "lab",
    aws_region="us-west-2",
    network_type="DUAL_STACK",
    phone_numbers=("+12065550100", "+12065550101"),
    termination=Termination(
        cps_limit=3,
        default_phone_number="+12065550100",
        calling_regions=("US", "GB"),
        cidr_allowed_list=("127.0.0.0/8", "2001:db8::/32"),
    ),
    credentials=(Credential("pbx", "secret"),),
    origination=Origination((OriginationRoute("192.0.2.7", 5080, "TCP", 2, 90),)),
)
OTHER = VoiceConnector(OTHER_ID, "other", phone_numbers=("+12065550199",))
GROUP_ID = "group" * 4 + "00"
GROUP = VoiceConnectorGroup(
    GROUP_ID,
    "both",
    (VoiceConnectorItem(OTHER_ID, 2), VoiceConnectorItem(LAB_ID, 1)),
    ("+12065550111",),
)
EMERGENCY = EmergencyCallingConfiguration((DNISEmergencyCallingConfiguration("+12065550911", "US", "+12065550933"),))


class Clock:
    """Unix time that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    opened = Store(tmp_path, clock)
    opened.commit(LAB, OTHER)
    yield opened
    opened.close()


def reopened(store: Store) -> Store:
    store.close()
    return Store(store.path.parent, time.time)


def test_a_new_store_is_empty(tmp_path: Path) -> None:
    store = Store(tmp_path / "deep" / "var", time.time)
    assert dict(store.snapshot.by_id) == {}
    store.close()


def test_everything_of_a_connector_comes_back_after_closing(store: Store, clock: Clock) -> None:
    expected = replace(LAB, created_timestamp=clock.now, updated_timestamp=clock.now)
    assert store.snapshot.by_id[LAB_ID] == expected
    again = reopened(store)
    assert again.snapshot.by_id[LAB_ID] == expected
    assert list(again.snapshot.by_id) == [LAB_ID, OTHER_ID]
    assert again.snapshot.owner("+12065550101") == expected
    again.close()


def test_a_snapshot_taken_before_a_change_stays_as_it_was(store: Store) -> None:
    before = store.snapshot
    store.commit(replace(LAB, termination=Termination(disabled=True)))
    assert before.by_id[LAB_ID].termination == LAB.termination
    assert store.snapshot.by_id[LAB_ID].termination == Termination(disabled=True)


def test_encryption_and_routes_over_udp_keep_each_other_out(store: Store) -> None:
    """Guide p. 61: encryption-enabled Voice Connectors use TLS (TCP) for all calls."""
    over_udp = Origination((OriginationRoute("192.0.2.7", 5080, "UDP"),))
    store.commit(replace(LAB, origination=over_udp))
    with pytest.raises(Conflict, match=r"the route to 192\.0\.2\.7 port 5080 is over UDP, and must be over TCP"):
        store.commit(replace(LAB, origination=over_udp, require_encryption=True))
    assert not store.snapshot.by_id[LAB_ID].require_encryption
    store.commit(replace(LAB, require_encryption=True))
    with pytest.raises(Conflict, match="requires encryption"):
        store.commit(replace(LAB, origination=over_udp, require_encryption=True))


CHANGES = {
    "name": replace(LAB, name="new", require_encryption=True),
    "termination": replace(LAB, termination=Termination(cps_limit=9)),
    "no termination": replace(LAB, termination=None),
    "credentials": replace(LAB, credentials=(Credential("pbx", "1"), Credential("b", "2"))),
    "origination": replace(LAB, origination=Origination(disabled=True)),
    "no origination": replace(LAB, origination=None),
    "phone numbers": replace(LAB, phone_numbers=("+12065550100", "+12065550102")),
    "streaming": replace(
        LAB,
        streaming_configuration=StreamingConfiguration(
            0, False, (StreamingNotificationTarget("SNS"),), MediaInsightsConfiguration(False, "arn:aws:chime::1:x/y")
        ),
    ),
    "logging": replace(LAB, logging_configuration=LoggingConfiguration(True, False)),
    "external systems": replace(LAB, external_systems_configuration=ExternalSystemsConfiguration(("RIBBON_SBC",))),
    "tags": Tags(LAB_ID, (Tag("Owner", "Jane Doe"), Tag("Stage", ""))),
    "no tags": Tags(LAB_ID),
    "global settings": GlobalSettings(
        voice_connector=VoiceConnectorSettings("cdrs"), business_calling=BusinessCallingSettings()
    ),
    "no records": GlobalSettings(voice_connector=VoiceConnectorSettings()),
    "emergency calling": replace(LAB, emergency_calling_configuration=EMERGENCY),
    "group": GROUP,
    "phone number": PhoneNumber(
        "+12065550100",
        "SipMediaApplicationDialIn",
        "front desk",
        "Example Corp",
        former_calling_name="Example",
        calling_name_due=1_700_000_001.0,
        associated=1_700_000_002.0,
        order_id="01234567-89ab-cdef-0123-456789abcdef",
        deletion_due=9_000_000_000.0,
    ),
    "phone number of a user": PhoneNumber("+12065550100", "BusinessCalling", user_id=USER_ID),
}


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen_at_once_and_after_a_restart(store: Store, clock: Clock, changed: Resource) -> None:
    if isinstance(changed, PhoneNumber):
        store.commit(replace(LAB, phone_numbers=()), User(USER_ID, None, "mary.major@example.com"))
    store.commit(replace(changed, updated_timestamp=7.0))
    created = clock.now
    clock.now += 60
    store.commit(changed)
    expected = replace(changed, created_timestamp=created, updated_timestamp=clock.now)
    assert store.snapshot.all(type(changed))[identity(changed)] == expected
    again = reopened(store)
    assert again.snapshot.all(type(changed))[identity(changed)] == expected
    assert again.snapshot == store.snapshot
    again.close()


def test_several_changes_are_made_together_or_not_at_all(store: Store) -> None:
    before = store.snapshot
    moved = replace(LAB, phone_numbers=("+12065550199",))
    with pytest.raises(Conflict, match="both have"):
        store.commit(PhoneNumber("+12065550177"), moved)
    assert store.snapshot is before
    store.commit(moved, replace(OTHER, phone_numbers=()))
    assert [known.name for known in store.snapshot.inbound("+12065550199")] == ["lab"]


def test_tags_go_with_what_they_are_on(store: Store) -> None:
    store.commit(Tags(LAB_ID, (Tag("a", "1"),)), Tags(OTHER_ID, (Tag("b", "2"),)))
    store.commit(remove=[OTHER])
    assert set(store.snapshot.all(Tags)) == {LAB_ID}
    again = reopened(store)
    assert set(again.snapshot.all(Tags)) == {LAB_ID}
    again.commit(remove=[again.snapshot.all(Tags)[LAB_ID]])
    assert not again.snapshot.all(Tags)
    again.close()


def test_what_is_removed_is_gone_after_a_restart_too(store: Store) -> None:
    store.record_termination_health(OTHER_ID, "192.0.2.7")
    store.flush()
    store.commit(remove=[OTHER])
    assert OTHER_ID not in store.snapshot.by_id
    again = reopened(store)
    assert (list(again.snapshot.by_id), set(again.snapshot.by_phone_number)) == (
        [LAB_ID],
        set(LAB.phone_numbers),
    )
    again.commit(OTHER)
    assert again.termination_health(OTHER_ID) is None
    again.close()


@pytest.mark.parametrize(
    "wrong",
    [
        replace(LAB, voice_connector_id="1" * 22, phone_numbers=("+12065550199",)),
        replace(GROUP, voice_connector_group_id="1" * 22),
        replace(GROUP, voice_connector_group_id="1" * 22, phone_numbers=("+12065550100",)),
        replace(GROUP, phone_numbers=(), voice_connector_items=(VoiceConnectorItem("9" * 22, 1),)),
        PhoneNumber("+12065550100", deletion_due=1.0),
        PhoneNumber("+12065550100", user_id=USER_ID),
        PhoneNumber("+12065550177", deletion_due=1.0, user_id=USER_ID),
    ],
    ids=["number", "number of a group", "number of a connector", "connector", "deletion queue", "user", "deleted"],
)
def test_what_is_taken_or_not_there_cannot_be_referred_to(store: Store, wrong: Resource) -> None:
    store.commit(GROUP)
    before = store.snapshot
    with pytest.raises(Conflict):
        store.commit(wrong)
    assert store.snapshot is before


def test_a_connector_in_a_group_cannot_be_removed(store: Store) -> None:
    store.commit(GROUP)
    with pytest.raises(Conflict, match=f"{GROUP_ID} has {OTHER_ID}"):
        store.commit(remove=[OTHER])


def test_what_could_not_be_read_back_is_not_written(store: Store) -> None:
    before = store.snapshot
    with pytest.raises(ShapeError, match="CallingRegions"):
        store.commit(replace(LAB, termination=Termination(calling_regions=("Atlantis",))))
    assert store.snapshot is before


def test_termination_health_is_the_last_options_and_waits_for_the_flush(store: Store, clock: Clock) -> None:
    """The API's TerminationHealth: source and timestamp of the last successful OPTIONS; one entry."""
    assert store.termination_health(LAB_ID) is None
    store.record_termination_health(LAB_ID, "192.0.2.7")
    clock.now += 30
    store.record_termination_health(LAB_ID, "192.0.2.8")
    expected = TerminationHealth("192.0.2.8", clock.now)
    assert store.termination_health(LAB_ID) == expected
    again = reopened(store)
    assert again.termination_health(LAB_ID) == expected
    again.close()


def test_an_options_does_not_touch_the_disk(store: Store) -> None:
    statements: list[str] = []
    store._database.connection.set_trace_callback(statements.append)
    store.record_termination_health(LAB_ID, "192.0.2.7")
    assert statements == []
    store.flush()
    assert any("health" in statement for statement in statements)
    statements.clear()
    store.flush()
    assert statements == []


def test_only_the_owner_may_read_the_passwords(store: Store) -> None:
    store.path.chmod(0o644)
    again = reopened(store)
    for path in again.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    again.close()


def test_a_password_that_needs_escapes_comes_back_as_it_was(store: Store) -> None:
    password = "".join(map(chr, range(0x20, 0x7F)))
    store.commit(replace(LAB, credentials=(Credential('a"b\\c:d', password),)))
    again = reopened(store)
    credential = again.snapshot.by_id[LAB_ID].credential('a"b\\c:d')
    assert credential is not None
    assert credential.password == password
    again.close()


def test_a_second_process_cannot_open_the_same_store(store: Store) -> None:
    with pytest.raises(StoreError, match="another voiceconnector is using it"):
        Store(store.path.parent, time.time)


def test_a_newer_schema_is_refused_and_left_alone(store: Store) -> None:
    store.close()
    database = sqlite3.connect(store.path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StoreError, match=r"voiceconnector\.sqlite has schema version 99, .* up to 3"):
        Store(store.path.parent, time.time)
    database = sqlite3.connect(store.path)
    assert database.execute("PRAGMA user_version").fetchone() == (99,)
    database.close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "voiceconnector.sqlite"
    path.write_bytes(b"not a database, but someone's notes\n" * 40)
    with pytest.raises(StoreError, match="is damaged") as caught:
        Store(tmp_path, time.time)
    assert "\n" not in str(caught.value)
    assert path.read_bytes().startswith(b"not a database")


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "voiceconnector.sqlite")
    database.execute("CREATE TABLE music (title TEXT)")
    database.close()
    before = (tmp_path / "voiceconnector.sqlite").read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Store(tmp_path, time.time)
    assert (tmp_path / "voiceconnector.sqlite").read_bytes() == before


def test_a_file_with_overwritten_pages_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path, time.time)
    store.commit(*(VoiceConnector(f"{number:022}", "n" * 200) for number in range(200)))
    store.close()
    content = bytearray(store.path.read_bytes())
    content[4096 * 3 : 4096 * 5] = b"\xa5" * 8192
    store.path.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged") as caught:
        Store(tmp_path, time.time)
    assert "\n" not in str(caught.value)


def test_a_row_with_a_shape_of_no_connector_is_refused_naming_it(store: Store) -> None:
    store.close()
    database = sqlite3.connect(store.path)
    with database:
        database.execute(
            "UPDATE resources SET shape = ? WHERE id = ?",
            (json.dumps({"Nam": 1}), LAB_ID),
        )
    database.close()
    with pytest.raises(StoreError, match=rf"is damaged \({LAB_ID}.Nam is an unknown key"):
        Store(store.path.parent, time.time)


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        Store(tmp_path / "var", time.time)


@pytest.mark.parametrize(
    "changed",
    [
        replace(LAB, termination=None),
        replace(LAB, termination=Termination(disabled=True)),
        replace(LAB, origination=None),
        replace(LAB, origination=Origination(disabled=True)),
        OTHER,
    ],
    ids=["no termination", "termination disabled", "no origination", "origination disabled", "neither"],
)
def test_emergency_calling_keeps_termination_and_origination_on(store: Store, changed: VoiceConnector) -> None:
    """Guide p. 62 for what it needs; the API's texts: emergency calling must be deleted first."""
    before = store.snapshot
    with pytest.raises(Conflict, match="emergency calling needs termination and origination"):
        store.commit(replace(changed, emergency_calling_configuration=EMERGENCY))
    assert store.snapshot is before


FIRST_SCHEMA = """
CREATE TABLE voice_connectors (
    position INTEGER PRIMARY KEY,
    voice_connector_id TEXT NOT NULL UNIQUE,
    shape TEXT NOT NULL,
    created_timestamp REAL NOT NULL,
    updated_timestamp REAL NOT NULL
);
CREATE TABLE termination_health (
    voice_connector_id TEXT PRIMARY KEY
        REFERENCES voice_connectors (voice_connector_id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    timestamp REAL NOT NULL
) WITHOUT ROWID;
PRAGMA application_id = 0x56436E72;
PRAGMA user_version = 1;
"""


SECOND_SCHEMA = """
CREATE TABLE voice_connector_groups (
    position INTEGER PRIMARY KEY,
    voice_connector_group_id TEXT NOT NULL UNIQUE,
    shape TEXT NOT NULL,
    created_timestamp REAL NOT NULL,
    updated_timestamp REAL NOT NULL
);
CREATE TABLE deletion_queue (
    phone_number TEXT PRIMARY KEY,
    deletion_timestamp REAL NOT NULL
) WITHOUT ROWID;
PRAGMA user_version = 2;
"""


def test_a_file_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "voiceconnector.sqlite")
    database.executescript(FIRST_SCHEMA)
    shape = {"VoiceConnectorId": LAB_ID, "Name": "old", "PhoneNumbers": ["+12065550100"]}
    with database:
        database.execute("INSERT INTO voice_connectors VALUES (1, ?, ?, 1.0, 2.0)", (LAB_ID, json.dumps(shape)))
        database.execute("INSERT INTO termination_health VALUES (?, '192.0.2.7', 3.0)", (LAB_ID,))
    database.close()
    store = Store(tmp_path, time.time)
    expected = VoiceConnector(
        LAB_ID, "old", phone_numbers=("+12065550100",), created_timestamp=1.0, updated_timestamp=2.0
    )
    assert store.snapshot.by_id[LAB_ID] == expected
    assert store.snapshot.all(PhoneNumber)["+12065550100"].created_timestamp == 1.0
    assert store.termination_health(LAB_ID) == TerminationHealth("192.0.2.7", 3.0)
    store.close()


def test_a_file_of_the_second_schema_keeps_its_groups_and_deleted_numbers(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "voiceconnector.sqlite")
    database.executescript(FIRST_SCHEMA + SECOND_SCHEMA)
    connector = {"VoiceConnectorId": LAB_ID, "Name": "old"}
    group = {
        "VoiceConnectorGroupId": GROUP_ID,
        "Name": "both",
        "VoiceConnectorItems": [{"VoiceConnectorId": LAB_ID, "Priority": 1}],
        "PhoneNumbers": ["+12065550111"],
    }
    due = 9_000_000_000.0
    with database:
        database.execute("INSERT INTO voice_connectors VALUES (1, ?, ?, 1.0, 2.0)", (LAB_ID, json.dumps(connector)))
        database.execute("INSERT INTO voice_connector_groups VALUES (1, ?, ?, 3.0, 4.0)", (GROUP_ID, json.dumps(group)))
        database.execute("INSERT INTO deletion_queue VALUES ('+12065550199', ?)", (due,))
    database.close()
    store = Store(tmp_path, time.time)
    assert [known.name for known in store.snapshot.inbound("+12065550111")] == ["old"]
    assert store.snapshot.groups[GROUP_ID].created_timestamp == 3.0
    assert dict(store.snapshot.deletion_queue) == {"+12065550199": due}
    assert set(store.snapshot.all(PhoneNumber)) == {"+12065550111", "+12065550199"}
    store.close()


WRITER = """
import sys, time
from pathlib import Path
from voiceconnector.trunk.model import PhoneNumber, VoiceConnector, VoiceConnectorGroup, VoiceConnectorItem
from voiceconnector.trunk.store import Store
store = Store(Path(sys.argv[1]), time.time)
for number in range(len(store.snapshot.by_id), 100_000):
    id_ = f"{number:022}"
    connector = VoiceConnector(id_, "written", phone_numbers=(f"+1{number:010}",))
    group = VoiceConnectorGroup(f"g{number:021}", "written", (VoiceConnectorItem(id_, 1),), (f"+2{number:010}",))
    store.commit(connector, group)
    store.commit(PhoneNumber(f"+3{number:010}"))
    store.commit(PhoneNumber(f"+3{number:010}", deletion_due=2e9))
    print(number, flush=True)
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    acknowledged: set[int] = set()
    for wanted in (1, 7, 30):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        acknowledged.update(int(process.stdout.readline()) for _ in range(wanted))
        process.send_signal(signal.SIGKILL)
        acknowledged.update(map(int, process.stdout.read().split()))
        process.stdout.close()
        assert process.wait(10) == -signal.SIGKILL
        store = Store(tmp_path, time.time)
        snapshot = store.snapshot
        store.close()
        for number in acknowledged:
            assert snapshot.inbound(f"+2{number:010}") == (snapshot.by_id[f"{number:022}"],)
            assert snapshot.awaits_deletion(f"+3{number:010}")

"""The store: what it keeps, what it refuses, and that a kill loses nothing it has acknowledged."""

import json
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from voiceconnector.trunk.model import (
    Credential,
    DNISEmergencyCallingConfiguration,
    EmergencyCallingConfiguration,
    Origination,
    OriginationRoute,
    Termination,
    TerminationHealth,
    VoiceConnector,
    VoiceConnectorGroup,
    VoiceConnectorItem,
)
from voiceconnector.trunk.store import DELETION_QUEUE_SECONDS, Conflict, NotFound, Store, StoreError
from voiceconnector.trunk.tables import ShapeError

LAB_ID = "abcdef1ghij2klmno3pqr4"
OTHER_ID = "0" * 22
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
    opened.create_voice_connector(LAB)
    opened.create_voice_connector(OTHER)
    yield opened
    opened.close()


def reopened(store: Store) -> Store:
    store.close()
    return Store(store.path.parent)


def test_a_new_store_is_empty(tmp_path: Path) -> None:
    store = Store(tmp_path / "deep" / "var")
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
    store.put_voice_connector_termination(LAB_ID, Termination(disabled=True))
    assert before.by_id[LAB_ID].termination == LAB.termination
    assert store.snapshot.by_id[LAB_ID].termination == Termination(disabled=True)


def test_encryption_and_routes_over_udp_keep_each_other_out(store: Store) -> None:
    """Guide p. 61: encryption-enabled Voice Connectors use TLS (TCP) for all calls."""
    over_udp = Origination((OriginationRoute("192.0.2.7", 5080, "UDP"),))
    store.put_voice_connector_origination(LAB_ID, over_udp)
    with pytest.raises(Conflict, match=r"the route to 192\.0\.2\.7 port 5080 is over UDP, and must be over TCP"):
        store.update_voice_connector(LAB_ID, "lab", True)
    assert not store.snapshot.by_id[LAB_ID].require_encryption
    store.put_voice_connector_origination(LAB_ID, Origination(()))
    store.update_voice_connector(LAB_ID, "lab", True)
    with pytest.raises(Conflict, match="requires encryption"):
        store.put_voice_connector_origination(LAB_ID, over_udp)


CHANGES: dict[str, tuple[Callable[[Store], object], VoiceConnector]] = {
    "update": (
        lambda s: s.update_voice_connector(LAB_ID, "new", True),
        replace(LAB, name="new", require_encryption=True),
    ),
    "put termination": (
        lambda s: s.put_voice_connector_termination(LAB_ID, Termination(cps_limit=9)),
        replace(LAB, termination=Termination(cps_limit=9)),
    ),
    "delete termination": (
        lambda s: s.delete_voice_connector_termination(LAB_ID),
        replace(LAB, termination=None),
    ),
    "put credentials": (
        lambda s: s.put_voice_connector_termination_credentials(LAB_ID, [Credential("b", "2"), Credential("pbx", "1")]),
        replace(LAB, credentials=(Credential("pbx", "1"), Credential("b", "2"))),
    ),
    "delete credentials": (
        lambda s: s.delete_voice_connector_termination_credentials(LAB_ID, ["pbx", "nobody"]),
        replace(LAB, credentials=()),
    ),
    "put origination": (
        lambda s: s.put_voice_connector_origination(LAB_ID, Origination(disabled=True)),
        replace(LAB, origination=Origination(disabled=True)),
    ),
    "delete origination": (
        lambda s: s.delete_voice_connector_origination(LAB_ID),
        replace(LAB, origination=None),
    ),
    "associate": (
        lambda s: s.associate_phone_numbers_with_voice_connector(LAB_ID, ["+12065550102", "+12065550100"]),
        replace(LAB, phone_numbers=("+12065550100", "+12065550101", "+12065550102")),
    ),
    "disassociate": (
        lambda s: s.disassociate_phone_numbers_from_voice_connector(LAB_ID, ["+12065550100"]),
        replace(LAB, phone_numbers=("+12065550101",)),
    ),
    "put emergency calling": (
        lambda s: s.put_voice_connector_emergency_calling_configuration(LAB_ID, EMERGENCY),
        replace(LAB, emergency_calling_configuration=EMERGENCY),
    ),
    "delete emergency calling": (
        lambda s: s.delete_voice_connector_emergency_calling_configuration(LAB_ID),
        LAB,
    ),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen_at_once_and_after_a_restart(
    store: Store, clock: Clock, change: Callable[[Store], object], expected: VoiceConnector
) -> None:
    created = clock.now
    clock.now += 60
    change(store)
    expected = replace(expected, created_timestamp=created, updated_timestamp=clock.now)
    assert store.snapshot.by_id[LAB_ID] == expected
    again = reopened(store)
    assert again.snapshot.by_id[LAB_ID] == expected
    again.close()


@pytest.mark.parametrize("change", [change for change, _ in CHANGES.values()], ids=CHANGES)
def test_nothing_can_be_changed_on_a_connector_that_is_not_there(
    tmp_path: Path, change: Callable[[Store], object]
) -> None:
    store = Store(tmp_path)
    with pytest.raises(NotFound, match=LAB_ID):
        change(store)
    store.close()


def test_numbers_of_another_connector_are_refused_unless_forced(store: Store) -> None:
    """The API's ForceAssociate: true removes existing associations."""
    numbers = ["+12065550199", "+12065550102"]
    assert store.associate_phone_numbers_with_voice_connector(LAB_ID, numbers) == ("+12065550199",)
    assert store.snapshot.by_id[OTHER_ID].phone_numbers == ("+12065550199",)
    assert store.associate_phone_numbers_with_voice_connector(LAB_ID, numbers, force_associate=True) == ()
    assert store.snapshot.by_id[OTHER_ID].phone_numbers == ()
    owner = store.snapshot.owner("+12065550199")
    assert owner is not None
    assert owner.voice_connector_id == LAB_ID


def test_numbers_that_were_not_associated_are_named(store: Store) -> None:
    refused = store.disassociate_phone_numbers_from_voice_connector(LAB_ID, ["+12065550101", "+12065550199"])
    assert refused == ("+12065550199",)


def test_a_connector_is_deleted_only_without_numbers(store: Store) -> None:
    """The API answers 409 with PhoneNumberAssociationsExist."""
    with pytest.raises(Conflict, match="phone numbers"):
        store.delete_voice_connector(LAB_ID)
    store.disassociate_phone_numbers_from_voice_connector(LAB_ID, LAB.phone_numbers)
    store.record_termination_health(LAB_ID, "192.0.2.7")
    store.delete_voice_connector(LAB_ID)
    assert LAB_ID not in store.snapshot.by_id
    again = reopened(store)
    assert LAB_ID not in again.snapshot.by_id
    again.close()


@pytest.mark.parametrize(
    "taken",
    [
        replace(LAB, phone_numbers=()),
        replace(LAB, voice_connector_id="1" * 22, phone_numbers=("+12065550199",)),
    ],
    ids=["id", "number"],
)
def test_a_connector_with_a_taken_id_or_number_is_not_created(store: Store, taken: VoiceConnector) -> None:
    before = store.snapshot
    with pytest.raises(Conflict):
        store.create_voice_connector(taken)
    assert store.snapshot is before


def test_what_could_not_be_read_back_is_not_written(store: Store) -> None:
    before = store.snapshot
    with pytest.raises(ShapeError, match="CallingRegions"):
        store.put_voice_connector_termination(LAB_ID, Termination(calling_regions=("Atlantis",)))
    assert store.snapshot is before


def test_configured_connectors_are_created_only_when_absent(store: Store) -> None:
    new = VoiceConnector("2" * 22, "new")
    created = store.create_absent([replace(LAB, name="changed in the file"), new])
    assert [connector.voice_connector_id for connector in created] == [new.voice_connector_id]
    assert store.snapshot.by_id[LAB_ID].name == "lab"
    assert store.create_absent([new]) == ()


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
    store._database.set_trace_callback(statements.append)
    store.record_termination_health(LAB_ID, "192.0.2.7")
    assert statements == []
    store.flush()
    assert any("termination_health" in statement for statement in statements)
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
    store.put_voice_connector_termination_credentials(LAB_ID, [Credential('a"b\\c:d', password)])
    again = reopened(store)
    credential = again.snapshot.by_id[LAB_ID].credential('a"b\\c:d')
    assert credential is not None
    assert credential.password == password
    again.close()


def test_a_second_process_cannot_open_the_same_store(store: Store) -> None:
    with pytest.raises(StoreError, match="another voiceconnector is using it"):
        Store(store.path.parent)


def test_a_newer_schema_is_refused_and_left_alone(store: Store) -> None:
    store.close()
    database = sqlite3.connect(store.path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StoreError, match=r"voiceconnector\.sqlite has schema version 99, .* up to 2"):
        Store(store.path.parent)
    database = sqlite3.connect(store.path)
    assert database.execute("PRAGMA user_version").fetchone() == (99,)
    database.close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "voiceconnector.sqlite"
    path.write_bytes(b"not a database, but someone's notes\n" * 40)
    with pytest.raises(StoreError, match="is damaged") as caught:
        Store(tmp_path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes().startswith(b"not a database")


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "voiceconnector.sqlite")
    database.execute("CREATE TABLE music (title TEXT)")
    database.close()
    before = (tmp_path / "voiceconnector.sqlite").read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Store(tmp_path)
    assert (tmp_path / "voiceconnector.sqlite").read_bytes() == before


def test_a_file_with_overwritten_pages_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number in range(200):
        store.create_voice_connector(VoiceConnector(f"{number:022}", "n" * 200))
    store.close()
    content = bytearray(store.path.read_bytes())
    content[4096 * 3 : 4096 * 5] = b"\xa5" * 8192
    store.path.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged") as caught:
        Store(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_row_with_a_shape_of_no_connector_is_refused_naming_it(store: Store) -> None:
    store.close()
    database = sqlite3.connect(store.path)
    with database:
        database.execute(
            "UPDATE voice_connectors SET shape = ? WHERE voice_connector_id = ?",
            (json.dumps({"Nam": 1}), LAB_ID),
        )
    database.close()
    with pytest.raises(StoreError, match=rf"is damaged \({LAB_ID}.Nam is an unknown key"):
        Store(store.path.parent)


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        Store(tmp_path / "var")


# -- groups, and the deletion queue


def test_a_group_is_seen_at_once_and_after_a_restart(store: Store, clock: Clock) -> None:
    store.create_voice_connector_group(GROUP)
    store.create_voice_connector_group(replace(GROUP, voice_connector_group_id="1" * 22, phone_numbers=()))
    created = clock.now
    clock.now += 60
    store.update_voice_connector_group(GROUP_ID, "new", [VoiceConnectorItem(OTHER_ID, 1)])
    store.associate_phone_numbers_with_voice_connector_group(GROUP_ID, ["+12065550112"])
    store.disassociate_phone_numbers_from_voice_connector_group(GROUP_ID, ["+12065550111"])
    expected = VoiceConnectorGroup(
        GROUP_ID, "new", (VoiceConnectorItem(OTHER_ID, 1),), ("+12065550112",), created, clock.now
    )
    assert store.snapshot.groups[GROUP_ID] == expected
    again = reopened(store)
    assert again.snapshot.groups[GROUP_ID] == expected
    assert list(again.snapshot.groups) == [GROUP_ID, "1" * 22]
    assert [known.name for known in again.snapshot.inbound("+12065550112")] == ["other"]
    again.close()


def test_numbers_move_between_connectors_and_groups_only_when_forced(store: Store) -> None:
    """Guide p. 66: Reassign takes a number from one connector or group to another."""
    store.create_voice_connector_group(GROUP)
    associate = store.associate_phone_numbers_with_voice_connector_group
    assert associate(GROUP_ID, ["+12065550199", "+12065550111"]) == ("+12065550199",)
    assert associate(GROUP_ID, ["+12065550199"], force_associate=True) == ()
    assert store.snapshot.by_id[OTHER_ID].phone_numbers == ()
    assert store.snapshot.groups[GROUP_ID].phone_numbers == ("+12065550111", "+12065550199")
    store.associate_phone_numbers_with_voice_connector(LAB_ID, ["+12065550111"], force_associate=True)
    assert store.snapshot.groups[GROUP_ID].phone_numbers == ("+12065550199",)
    assert [known.name for known in store.snapshot.inbound("+12065550111")] == ["lab"]


def test_a_group_and_what_it_has_are_deleted_only_apart(store: Store) -> None:
    """Guide p. 66: all connectors and numbers have to be taken out before; the API answers 409."""
    store.create_voice_connector_group(GROUP)
    with pytest.raises(Conflict, match="phone numbers"):
        store.delete_voice_connector_group(GROUP_ID)
    store.disassociate_phone_numbers_from_voice_connector_group(GROUP_ID, GROUP.phone_numbers)
    with pytest.raises(Conflict, match="Voice Connectors"):
        store.delete_voice_connector_group(GROUP_ID)
    store.disassociate_phone_numbers_from_voice_connector(OTHER_ID, OTHER.phone_numbers)
    with pytest.raises(Conflict, match=f"is in group {GROUP_ID}"):
        store.delete_voice_connector(OTHER_ID)
    store.update_voice_connector_group(GROUP_ID, "empty", [])
    store.delete_voice_connector(OTHER_ID)
    store.delete_voice_connector_group(GROUP_ID)
    again = reopened(store)
    assert (dict(again.snapshot.groups), list(again.snapshot.by_id)) == ({}, [LAB_ID])
    with pytest.raises(NotFound, match=GROUP_ID):
        again.delete_voice_connector_group(GROUP_ID)
    again.close()


@pytest.mark.parametrize(
    "wrong",
    [
        GROUP,
        replace(GROUP, voice_connector_group_id="1" * 22),
        replace(GROUP, voice_connector_group_id="1" * 22, phone_numbers=("+12065550100",)),
        replace(
            GROUP,
            voice_connector_group_id="1" * 22,
            phone_numbers=(),
            voice_connector_items=(VoiceConnectorItem("9" * 22, 1),),
        ),
    ],
    ids=["id", "number of a group", "number of a connector", "connector"],
)
def test_a_group_with_what_is_taken_or_not_there_is_not_created(store: Store, wrong: VoiceConnectorGroup) -> None:
    store.create_voice_connector_group(GROUP)
    before = store.snapshot
    with pytest.raises(Conflict):
        store.create_voice_connector_group(wrong)
    assert store.snapshot is before


def test_configured_groups_are_created_only_when_absent(store: Store) -> None:
    assert store.create_groups_absent([GROUP]) == (store.snapshot.groups[GROUP_ID],)
    assert store.create_groups_absent([replace(GROUP, name="changed in the file")]) == ()
    assert store.snapshot.groups[GROUP_ID].name == "both"


def test_a_deleted_number_can_be_restored_for_seven_days(store: Store, clock: Clock) -> None:
    """Guide p. 58-59."""
    assert DELETION_QUEUE_SECONDS == 604_800
    with pytest.raises(Conflict, match=LAB_ID):
        store.delete_phone_number("+12065550101")
    store.disassociate_phone_numbers_from_voice_connector(LAB_ID, ["+12065550100", "+12065550101"])
    store.delete_phone_number("+12065550100")
    clock.now += 60
    store.delete_phone_number("+12065550101")
    numbers = ["+12065550101", "+12065550102"]
    refused = store.associate_phone_numbers_with_voice_connector(LAB_ID, numbers, force_associate=True)
    assert refused == ("+12065550101",)
    again = reopened(store)
    assert again.snapshot.awaits_deletion("+12065550101")
    again.restore_phone_number("+12065550101")
    assert again.associate_phone_numbers_with_voice_connector(LAB_ID, ["+12065550101"]) == ()
    with pytest.raises(NotFound, match=r"\+12065550101 is not in the deletion queue"):
        again.restore_phone_number("+12065550101")
    again.close()


def test_a_number_leaves_the_deletion_queue_for_good_when_its_time_is_over(tmp_path: Path, clock: Clock) -> None:
    store = Store(tmp_path, clock)
    store.delete_phone_number("+12065550100")
    clock.now += DELETION_QUEUE_SECONDS - 1
    store.flush()
    assert store.snapshot.awaits_deletion("+12065550100")
    store.delete_phone_number("+12065550100")
    clock.now += 1
    store.flush()
    assert not store.snapshot.awaits_deletion("+12065550100")
    again = reopened(store)
    assert not again.snapshot.awaits_deletion("+12065550100")
    again.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.delete_voice_connector_termination(LAB_ID),
        lambda s: s.put_voice_connector_termination(LAB_ID, Termination(disabled=True)),
        lambda s: s.delete_voice_connector_origination(LAB_ID),
        lambda s: s.put_voice_connector_origination(LAB_ID, Origination(disabled=True)),
        lambda s: s.put_voice_connector_emergency_calling_configuration(OTHER_ID, EMERGENCY),
    ],
)
def test_emergency_calling_keeps_termination_and_origination_on(
    store: Store, change: Callable[[Store], object]
) -> None:
    """Guide p. 62 for what it needs; the API's texts: emergency calling must be deleted first."""
    store.put_voice_connector_emergency_calling_configuration(LAB_ID, EMERGENCY)
    before = store.snapshot
    with pytest.raises(Conflict, match="emergency calling needs termination and origination"):
        change(store)
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


def test_a_file_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "voiceconnector.sqlite")
    database.executescript(FIRST_SCHEMA)
    shape = {"VoiceConnectorId": LAB_ID, "Name": "old", "PhoneNumbers": ["+12065550100"]}
    with database:
        database.execute("INSERT INTO voice_connectors VALUES (1, ?, ?, 1.0, 2.0)", (LAB_ID, json.dumps(shape)))
        database.execute("INSERT INTO termination_health VALUES (?, '192.0.2.7', 3.0)", (LAB_ID,))
    database.close()
    store = Store(tmp_path)
    assert store.snapshot.by_id[LAB_ID].name == "old"
    assert store.termination_health(LAB_ID) == TerminationHealth("192.0.2.7", 3.0)
    store.create_voice_connector_group(replace(GROUP, voice_connector_items=(VoiceConnectorItem(LAB_ID, 1),)))
    store.delete_phone_number("+12065550199")
    again = reopened(store)
    assert [known.name for known in again.snapshot.inbound("+12065550111")] == ["old"]
    assert again.snapshot.awaits_deletion("+12065550199")
    again.close()


WRITER = """
import sys
from pathlib import Path
from voiceconnector.trunk.model import Termination, VoiceConnector, VoiceConnectorGroup, VoiceConnectorItem
from voiceconnector.trunk.store import Store
store = Store(Path(sys.argv[1]))
for number in range(len(store.snapshot.by_id), 100_000):
    id_ = f"{number:022}"
    store.create_voice_connector(VoiceConnector(id_, "written", phone_numbers=(f"+1{number:010}",)))
    store.put_voice_connector_termination(id_, Termination(cps_limit=number + 1))
    group = VoiceConnectorGroup(f"g{number:021}", "written", (VoiceConnectorItem(id_, 1),), (f"+2{number:010}",))
    store.create_voice_connector_group(group)
    store.delete_phone_number(f"+3{number:010}")
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
        store = Store(tmp_path)
        snapshot = store.snapshot
        store.close()
        for number in acknowledged:
            connector = snapshot.by_id[f"{number:022}"]
            assert connector.termination == Termination(cps_limit=number + 1)
            assert snapshot.inbound(f"+2{number:010}") == (connector,)
            assert snapshot.awaits_deletion(f"+3{number:010}")

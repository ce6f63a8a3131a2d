"""The whole configuration as a document: out of one store, into another, and back, with nothing lost or half done."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceconnector.trunk.account_model import (
    Account,
    Activity,
    Directory,
    DirectoryUser,
    Domain,
    SupportRequest,
    User,
)
from voiceconnector.trunk.calling_names import PhoneNumberSettings
from voiceconnector.trunk.document import exported
from voiceconnector.trunk.global_settings import GlobalSettings, VoiceConnectorSettings
from voiceconnector.trunk.importing import Counts, import_document
from voiceconnector.trunk.inventory import DELETION_QUEUE_SECONDS
from voiceconnector.trunk.kinds import KINDS
from voiceconnector.trunk.model import (
    AWS_REGIONS,
    Credential,
    Origination,
    OriginationRoute,
    PhoneNumber,
    Resource,
    Termination,
    VoiceConnector,
    VoiceConnectorGroup,
    VoiceConnectorItem,
)
from voiceconnector.trunk.orders import OrderedPhoneNumber, PhoneNumberOrder
from voiceconnector.trunk.profile import AWS, LAB, Profile
from voiceconnector.trunk.roles import ServiceLinkedRole
from voiceconnector.trunk.sip_rules import (
    SipMediaApplication,
    SipMediaApplicationEndpoint,
    SipMediaApplicationLoggingConfiguration,
    SipRule,
    SipRuleTargetApplication,
)
from voiceconnector.trunk.store import Conflict, Store
from voiceconnector.trunk.tables import ShapeError
from voiceconnector.trunk.tagging import Tag, Tags

NOW = 1_700_000_000.0
ID, OTHER_ID, GROUP_ID = "abcdef1ghij2klmno3pqr4", "0" * 22, "9" * 22
NUMBER, OTHER_NUMBER, GROUP_NUMBER, DIAL_IN = "+12065550100", "+12065550199", "+12065550111", "+442079460123"
APPLICATION_ID = "aaaaaaaa-1111-4222-8333-444444444444"
CONNECTOR = VoiceConnector(
    ID,
    "lab",
    phone_numbers=(NUMBER,),
    termination=Termination(calling_regions=("US",), cidr_allowed_list=("127.0.0.0/8",)),
    credentials=(Credential("pbx", "secret"),),
)
GROUP = VoiceConnectorGroup(
    GROUP_ID, "both", (VoiceConnectorItem(ID, 2), VoiceConnectorItem(OTHER_ID, 1)), (GROUP_NUMBER,)
)
ACCOUNT_ID, USER_ID = "11111111-1111-4222-8333-444444444444", "22222222-1111-4222-8333-444444444444"
APPLICATION = SipMediaApplication(
    APPLICATION_ID,
    "answer",
    "us-west-2",
    (SipMediaApplicationEndpoint("arn:aws:lambda:us-west-2:111122223333:function:answer"),),
)
RULE = SipRule(
    "cccccccc-1111-4222-8333-444444444444",
    "front desk",
    "ToPhoneNumber",
    DIAL_IN,
    target_applications=(SipRuleTargetApplication(APPLICATION_ID, 1, "us-west-2"),),
)
EVERYTHING: tuple[Resource, ...] = (
    CONNECTOR,
    VoiceConnector(OTHER_ID, "other", phone_numbers=(OTHER_NUMBER,)),
    GROUP,
    *(PhoneNumber(number, associated=NOW) for number in (NUMBER, OTHER_NUMBER, GROUP_NUMBER)),
    PhoneNumber(DIAL_IN, "SipMediaApplicationDialIn", "front desk"),
    PhoneNumber("+12065550177", deletion_due=NOW + 60),
    Directory(
        "d-0123456789", "example.com", (DirectoryUser("mary", "Mary Major", "mary@example.com", groups=("Pro",)),)
    ),
    Account(ACCOUNT_ID, "Example", "Pro", domains=(Domain("example.com", "token", NOW),), directory_id="d-0123456789"),
    User(USER_ID, ACCOUNT_ID, "mary@example.com", "Mary Major", "Pro", registered_on=NOW, personal_pin="0123456789"),
    Activity("eeeeeeee-1111-4222-8333-444444444444", ACCOUNT_ID, NOW, (USER_ID,), True),
    SupportRequest("ffffffff-1111-4222-8333-444444444444", "No audio"),
    PhoneNumberOrder(
        "99999999-1111-4222-8333-444444444444",
        "VoiceConnector",
        (OrderedPhoneNumber(NUMBER, "Acquired"),),
        "Successful",
    ),
    PhoneNumberSettings(calling_name="Front Desk", calling_name_changed=NOW),
    ServiceLinkedRole(),
    Tags(ID, (Tag("team", "voice"),)),
    GlobalSettings(voice_connector=VoiceConnectorSettings("records")),
    APPLICATION,
    RULE,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path, lambda: NOW)
    opened.commit(*EVERYTHING)
    yield opened
    opened.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "empty", lambda: NOW)
    yield opened
    opened.close()


def take(store: Store, document: object, *, replace: bool = False, profile: Profile = LAB) -> Counts:
    return import_document(store, document, AWS_REGIONS, profile, NOW, replace=replace)


def of(store: Store) -> dict[str, Any]:
    return exported(store.snapshot, secrets=True)


# Out


def test_a_document_has_a_list_for_each_kind_and_a_table_for_each_region(store: Store) -> None:
    document = of(store)
    assert {key: len(content) for key, content in document.items()} == {
        "regions": 2,
        "voice_connectors": 2,
        "voice_connector_groups": 1,
        "directories": 1,
        "accounts": 1,
        "users": 1,
        "activities": 1,
        "support_requests": 1,
        "phone_numbers": 5,
        "phone_number_orders": 1,
        "phone_number_settings": 1,
        "service_linked_roles": 1,
        "tags": 1,
        "global_settings": 1,
        "sip_media_applications": 1,
        "sip_rules": 1,
    }
    assert document["regions"] == {"us-east-1": {}, "us-west-2": {}}
    assert document["sip_rules"][0]["TriggerValue"] == DIAL_IN


def test_every_kind_is_in_a_document() -> None:
    assert {type(resource) for resource in EVERYTHING} == {kind.type for kind in KINDS}


def test_secrets_are_left_out_unless_they_are_asked_for(store: Store) -> None:
    text = json.dumps(exported(store.snapshot, secrets=False))
    assert "secret" not in text
    assert '0123456789"' not in text.replace("d-0123456789", "")
    assert of(store)["users"][0]["PersonalPIN"] == "0123456789"
    assert of(store)["voice_connectors"][0]["Credentials"] == [{"Username": "pbx", "Password": "secret"}]


def test_what_is_empty_is_an_empty_document(empty: Store) -> None:
    assert of(empty) == {}


# In


def test_a_document_makes_an_empty_store_what_the_other_one_is(store: Store, empty: Store) -> None:
    counts = take(empty, of(store))
    assert counts == (20, 0, 0, 0)
    assert empty.snapshot == store.snapshot


def test_what_is_there_already_is_left_as_it_is(store: Store) -> None:
    before = store.snapshot
    assert take(store, of(store)) == (0, 0, 0, 20)
    assert store.snapshot == before


def test_what_differs_is_changed_and_what_is_new_is_added(store: Store) -> None:
    document = of(store)
    document["voice_connectors"][0]["Name"] = "renamed"
    document["sip_media_applications"].append(
        {
            "Name": "more",
            "AwsRegion": "us-east-1",
            "Endpoints": [{"LambdaArn": "arn:aws:lambda:us-east-1:111122223333:function:more"}],
        }
    )
    assert take(store, document) == (1, 1, 0, 19)
    assert store.snapshot.by_id[ID].name == "renamed"


def test_nothing_is_removed_unless_that_is_wanted(store: Store) -> None:
    document = of(store)
    del document["sip_rules"]
    document["voice_connectors"][0]["Name"] = "renamed"
    before = store.snapshot
    with pytest.raises(Conflict, match=r"does not have sip_rules cccccccc-1111.*--replace"):
        take(store, document)
    assert store.snapshot is before
    assert take(store, document, replace=True) == (0, 1, 1, 18)
    assert not store.snapshot.all(SipRule)


def test_everything_can_be_replaced_by_something_else(store: Store) -> None:
    take(store, {"voice_connectors": [{"Name": "new", "PhoneNumbers": [NUMBER]}]}, replace=True)
    (connector,) = store.snapshot.by_id.values()
    assert (connector.name, list(store.snapshot.all(PhoneNumber))) == ("new", [NUMBER])


def test_numbers_that_somebody_has_need_no_table(empty: Store) -> None:
    document = {"voice_connectors": [{"PhoneNumbers": [NUMBER]}], "deletion_queue": [OTHER_NUMBER]}
    assert take(empty, document) == (3, 0, 0, 0)
    numbers = empty.snapshot.all(PhoneNumber)
    assert (numbers[NUMBER].associated, numbers[OTHER_NUMBER].deletion_due) == (NOW, NOW + DELETION_QUEUE_SECONDS)


def test_a_secret_that_was_left_out_stays_as_it_is(store: Store) -> None:
    document = exported(store.snapshot, secrets=False)
    document["voice_connectors"][0]["Name"] = document["users"][0]["DisplayName"] = "renamed"
    assert take(store, document) == (0, 2, 0, 18)
    assert store.snapshot.by_id[ID].credentials == (Credential("pbx", "secret"),)
    assert store.snapshot.all(User)[USER_ID].personal_pin == "0123456789"


def test_a_secret_that_was_left_out_and_is_not_known_is_refused_in_words(store: Store, empty: Store) -> None:
    document = exported(store.snapshot, secrets=False)
    words = "was left out of the export; put it here, or export with --with-secrets"
    for path in ("users[0].PersonalPIN", "voice_connectors[0].Credentials[0].Password"):
        with pytest.raises(ShapeError, match=words) as refused:
            take(empty, document)
        assert refused.value.path == path
        document["users"][0].pop("PersonalPIN", None)
    assert of(empty) == {}


@pytest.mark.parametrize(
    ("section", "change", "path"),
    [
        ("voice_connectors", {"Name": ""}, "voice_connectors[0].Name"),
        ("voice_connectors", {"VoiceConnectorId": OTHER_ID}, "voice_connectors[1].VoiceConnectorId"),
        ("voice_connectors", {"PhoneNumbers": [OTHER_NUMBER]}, "voice_connectors[1].PhoneNumbers[0]"),
        ("voice_connector_groups", {"VoiceConnectorItems": [{"VoiceConnectorId": "1" * 22, "Priority": 1}]},
         "voice_connector_groups[0].VoiceConnectorItems[0].VoiceConnectorId"),
        ("phone_numbers", {"E164PhoneNumber": OTHER_NUMBER}, "phone_numbers[1].E164PhoneNumber"),
        ("phone_numbers", {"DeletionDue": "tomorrow"}, "phone_numbers[0].DeletionDue"),
        ("sip_media_applications", {"AwsRegion": "us-east-1"}, "sip_media_applications[0].Endpoints[0].LambdaArn"),
        ("tags", {"ResourceId": RULE.name}, "tags[0].ResourceId"),
        ("tags", {"ResourceId": "unknown"}, "tags[0].ResourceId"),
        ("global_settings", {"VoiceConnector": {"CdrBucket": "../etc"}}, "global_settings[0].VoiceConnector.CdrBucket"),
        ("sip_rules", {"TriggerValue": NUMBER}, "sip_rules[0].TriggerValue"),
        ("sip_rules", {"TargetApplications": [{"SipMediaApplicationId": RULE.sip_rule_id, "AwsRegion": "us-west-2"}]},
         "sip_rules[0].TargetApplications[0].SipMediaApplicationId"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_with_its_path_and_nothing_changes(
    store: Store, section: str, change: dict[str, object], path: str
) -> None:
    document = of(store)
    document[section][0].update(change)
    document["voice_connectors"][1]["Name"] = "renamed"
    before = store.snapshot
    with pytest.raises(ShapeError) as refused:
        take(store, document)
    assert refused.value.path == path
    assert store.snapshot is before


@pytest.mark.parametrize(
    "document", [[], "lab", {"voice_connector": []}, {"voice_connectors": {}}, {"phone_numbers": [1]}]
)
def test_what_is_no_document_is_refused(store: Store, document: object) -> None:
    with pytest.raises(ShapeError):
        take(store, document)


def test_two_rules_with_one_trigger_are_refused(store: Store) -> None:
    document = of(store)
    document["sip_rules"].append({**document["sip_rules"][0], "SipRuleId": APPLICATION_ID})
    with pytest.raises(ShapeError, match=r"sip_rules\[1\].TriggerValue is that of sip_rules\[0\] already"):
        take(store, document)


def test_a_number_that_somebody_has_cannot_be_in_the_deletion_queue(store: Store) -> None:
    document = of(store)
    document["phone_numbers"][0]["DeletionDue"] = NOW
    with pytest.raises(ValueError, match="is in the deletion queue"):
        take(store, document)


def test_the_profile_s_quotas_hold_for_a_document(empty: Store) -> None:
    """The quotas of AWS: 5 numbers in the account."""
    document = {"phone_numbers": [{"E164PhoneNumber": f"+1206555010{digit}"} for digit in range(6)]}
    with pytest.raises(ShapeError, match="phone_numbers = 6: the profile aws takes at most 5"):
        take(empty, document, profile=AWS)


def test_applications_of_different_regions_may_share_a_name_and_still_need_no_id(empty: Store) -> None:
    arn = "arn:aws:lambda:{}:111122223333:function:answer"
    applications = [
        {"Name": "answer", "AwsRegion": region, "Endpoints": [{"LambdaArn": arn.format(region)}]}
        for region in ("us-east-1", "us-west-2")
    ]
    take(empty, {"sip_media_applications": applications})
    first = set(empty.snapshot.all(SipMediaApplication))
    take(empty, {"sip_media_applications": applications[::-1]})
    assert (len(first), set(empty.snapshot.all(SipMediaApplication))) == (2, first)


# What holds for any configuration

names = st.text("abcXYZ012 _.-", min_size=1, max_size=12)
ids = st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=22, max_size=22)
regions = st.sampled_from(AWS_REGIONS)
printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=20)
routes = st.builds(
    OriginationRoute,
    host=st.sampled_from(["192.0.2.7", "::1", "pbx.example.com"]),
    port=st.integers(0, 65535),
    protocol=st.sampled_from(["UDP", "TCP"]),
    priority=st.integers(1, 100),
    weight=st.integers(1, 100),
)
terminations = st.builds(
    Termination,
    cps_limit=st.none() | st.integers(1, 10**6),
    calling_regions=st.lists(st.sampled_from(["US", "GB", "DE"]), max_size=3).map(tuple),
    cidr_allowed_list=st.lists(st.sampled_from(["192.0.2.0/27", "127.0.0.1", "2001:db8::/32"]), max_size=3).map(tuple),
    disabled=st.booleans(),
)


@st.composite
def configurations(draw: st.DrawFn) -> list[Resource]:
    """Resources that go together: numbers that are in one place, groups and rules of what there is."""
    numbers = [f"+1206555{number:04d}" for number in draw(st.sets(st.integers(0, 9999), max_size=12))]
    shares = st.integers(0, len(numbers))
    connectors = [draw(_connectors(id_, _taken(numbers, draw(shares)))) for id_ in draw(st.sets(ids, max_size=3))]
    members = draw(st.permutations([connector.voice_connector_id for connector in connectors]))
    items = tuple(VoiceConnectorItem(id_, place) for place, id_ in enumerate(members, start=1))
    group = VoiceConnectorGroup(draw(ids), draw(names), items, tuple(_taken(numbers, draw(shares))))
    applications = [
        _application(region, draw(names), draw(st.booleans())) for region in draw(st.sets(regions, max_size=3))
    ]
    holders: tuple[VoiceConnector | VoiceConnectorGroup, ...] = (*connectors, group)
    held = [number for holder in holders for number in holder.phone_numbers]
    dial_in = _taken(numbers, draw(shares))
    triggers = [("ToPhoneNumber", number) for number in dial_in]
    triggers += [("RequestUriHostname", connector.outbound_host_name) for connector in connectors]
    return [
        *connectors,
        group,
        *(PhoneNumber(number, associated=draw(st.floats(0, 1e12))) for number in held),
        *(
            PhoneNumber(number, "SipMediaApplicationDialIn", draw(names.map(str.split).map(" ".join)))
            for number in dial_in
        ),
        *(PhoneNumber(number, deletion_due=draw(st.floats(0, 1e12))) for number in numbers),
        *applications,
        *(_rule(index, trigger, applications, draw(st.booleans())) for index, trigger in enumerate(triggers)),
    ]


def _taken(numbers: list[str], count: int) -> list[str]:
    """Takes up to `count` numbers from those that are left."""
    taken = numbers[:count]
    del numbers[:count]
    return taken


def _connectors(id_: str, numbers: list[str]) -> st.SearchStrategy[VoiceConnector]:
    return st.builds(
        VoiceConnector,
        st.just(id_),
        names,
        aws_region=regions,
        phone_numbers=st.just(tuple(numbers)),
        termination=st.none() | terminations,
        credentials=st.dictionaries(printable, printable, max_size=3).map(
            lambda known: tuple(Credential(username, password) for username, password in known.items())
        ),
        origination=st.none() | st.builds(Origination, st.lists(routes, max_size=3).map(tuple), st.booleans()),
        created_timestamp=st.just(0.0),
        updated_timestamp=st.just(0.0),
    )


def _application(region: str, name: str, logged: bool) -> SipMediaApplication:
    return SipMediaApplication(
        f"{AWS_REGIONS.index(region):08d}-1111-4222-8333-444444444444",
        name,
        region,
        (SipMediaApplicationEndpoint(f"arn:aws:lambda:{region}:111122223333:function:answer"),),
        SipMediaApplicationLoggingConfiguration(True) if logged else None,
    )


def _rule(index: int, trigger: tuple[Any, str], applications: list[SipMediaApplication], disabled: bool) -> SipRule:
    targets = tuple(
        SipRuleTargetApplication(application.sip_media_application_id, place, application.aws_region)
        for place, application in enumerate(applications, start=1)
    )
    return SipRule(f"{index:08d}-2222-4222-8333-444444444444", f"rule {index}", *trigger, disabled, targets)


@settings(deadline=None, max_examples=60)
@given(configurations())
def test_what_is_exported_and_imported_is_exported_again_as_it_was(resources: list[Resource]) -> None:
    with TemporaryDirectory() as folder:
        store, other = Store(Path(folder, "one"), lambda: NOW), Store(Path(folder, "other"), lambda: NOW)
        store.commit(*resources)
        document = of(store)
        text = tomli_w.dumps(document)
        take(other, tomllib.loads(text))
        again = of(other)
        assert (again, tomli_w.dumps(again)) == (document, text)
        assert json.loads(json.dumps(again)) == document
        assert other.snapshot == store.snapshot
        store.close()
        other.close()

"""Whatever is asked of the AWS API in whichever order: an oracle of the rules foretells each answer, and what is kept
never contradicts itself."""

import json
import random
import tempfile
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from itertools import chain, cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.control import oracle
from tests.control.cloud import ACCOUNT_ID, Clock
from tests.control.oracle import (
    BAD,
    CONFLICT,
    LIMIT,
    NOT_FOUND,
    NUMBERS,
    SERVED,
    UNPROCESSABLE,
    Account,
    Connector,
    Holder,
    Rule,
    broken,
    product_types,
)
from voiceconnector.control.api import Api, ApiRequest
from voiceconnector.control.context import Control
from voiceconnector.control.service import Operation, Service
from voiceconnector.trunk.kinds import KINDS
from voiceconnector.trunk.model import EMPTY, Resource, Snapshot, VoiceConnector, VoiceConnectorGroup
from voiceconnector.trunk.profile import LAB
from voiceconnector.trunk.store import Store

SERVICE = Service.load()
PROFILE = replace(
    LAB,
    voice_connectors_max=oracle.QUOTA_CONNECTORS,
    voice_connector_groups_max=oracle.QUOTA_GROUPS,
    phone_numbers_max=oracle.QUOTA_NUMBERS,
    sip_media_applications_max=oracle.QUOTA_APPLICATIONS,
    phone_number_order_seconds=oracle.ORDER_SECONDS,
)
PICK = st.integers(0, 11)
"""Which of those there are, going round; the last one is one that is not there."""
ABSENT = 11
REGIONS = st.sampled_from((*SERVED, "eu-west-1"))
PRODUCTS = st.sampled_from(("VoiceConnector", "SipMediaApplicationDialIn", "BusinessCalling"))
PICKS = st.lists(PICK, min_size=1, max_size=3, unique=True)
A_UUID = "00000000-0000-4000-8000-000000000000"
LISTS = {
    "VoiceConnectors": ("ListVoiceConnectors", "VoiceConnectorId"),
    "VoiceConnectorGroups": ("ListVoiceConnectorGroups", "VoiceConnectorGroupId"),
    "PhoneNumbers": ("ListPhoneNumbers", "E164PhoneNumber"),
    "PhoneNumberOrders": ("ListPhoneNumberOrders", "PhoneNumberOrderId"),
    "SipMediaApplications": ("ListSipMediaApplications", "SipMediaApplicationId"),
    "SipRules": ("ListSipRules", "SipRuleId"),
    "Accounts": ("ListAccounts", "AccountId"),
    "Users": ("ListUsers", "UserId"),
}


class Administration(RuleBasedStateMachine):
    """An administrator of no plan."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock, self.known = Clock(), Account()
        self.store = Store(Path(self.folder.name), self.clock)
        control = Control(self.store, PROFILE, ACCOUNT_ID, SERVED, random.Random(7), self.clock)
        self.api = Api(control, SERVICE)
        self.sizes = cycle((1, 2, 100, 3))
        """Of pages."""

    def teardown(self) -> None:
        """What was kept is what was shown."""
        shown = self.store.snapshot
        self.store.close()
        again = Store(Path(self.folder.name), self.clock)
        again.close()
        self.folder.cleanup()
        assert_same(again.snapshot, shown)

    def ask(self, name: str, errors: Iterable[str], **fields: Any) -> Any:
        """What an operation answers; None where it must be refused, with one of `errors`."""
        operation = SERVICE.operations[name]
        expected = {error if error in operation.errors else BAD for error in errors}
        answer = self.api.handle(request_of(operation, fields))
        if expected:
            said = dict(answer.headers).get(b"x-amzn-errortype", b"nothing").decode()
            assert said in expected, f"{name} {fields}: {said} {answer.body.decode()}"
            return None
        assert answer.status == operation.status, f"{name} {fields}: {answer.body.decode()}"
        return json.loads(answer.body) if answer.body else {}

    def everything(self, key: str, size: int, **fields: Any) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        name, _ = LISTS[key]
        items: list[dict[str, Any]] = []
        answer = self.ask(name, (), MaxResults=size, **fields)
        while True:
            assert len(answer[key]) <= size
            items += answer[key]
            if "NextToken" not in answer:
                return items
            assert answer[key], "a page without items has another one after it"
            answer = self.ask(name, (), MaxResults=size, NextToken=answer["NextToken"], **fields)

    # -- time

    @initialize()
    def some_things_are_there(self) -> None:
        """Most of what can go wrong needs a little of everything."""
        for region in SERVED:
            self.create_voice_connector(region, encrypted=False)
            self.create_application(region, region)
        self.create_group([0, 1])
        for number, product_type in zip(NUMBERS, ("VoiceConnector", "SipMediaApplicationDialIn", "BusinessCalling")):
            self.order([number], product_type)
        self.create_account()
        self.create_user(0)
        self.time_passes(oracle.ORDER_SECONDS)

    @rule(seconds=st.sampled_from((1.0, oracle.ORDER_SECONDS, 86_400.0, oracle.DELETION_SECONDS)))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds
        self.known.pass_time(self.clock.now)

    # -- Voice Connectors

    @rule(region=REGIONS, encrypted=st.booleans())
    def create_voice_connector(self, region: str, encrypted: bool) -> None:
        connectors = self.known.connectors
        there = sum(known.region == region for known in connectors.values())
        errors = broken({BAD: region not in SERVED, LIMIT: there >= oracle.QUOTA_CONNECTORS})
        answer = self.ask("CreateVoiceConnector", errors, Name="office", AwsRegion=region, RequireEncryption=encrypted)
        if answer:
            connectors[answer["VoiceConnector"]["VoiceConnectorId"]] = Connector(region, encrypted)

    @rule(pick=PICK, encrypted=st.booleans())
    def update_voice_connector(self, pick: int, encrypted: bool) -> None:
        id_, known = self.connector(pick)
        errors = broken({NOT_FOUND: not known, BAD: known and encrypted and known.route_protocol == "UDP"})
        fields = {"Name": "branch", "RequireEncryption": encrypted}
        if self.ask("UpdateVoiceConnector", errors, VoiceConnectorId=id_, **fields) and known:
            known.encrypted = encrypted

    @rule(pick=PICK)
    def delete_voice_connector(self, pick: int) -> None:
        id_, known = self.connector(pick)
        grouped = any(id_ in members for members in self.known.groups.values())
        used = self.known.held_by("VoiceConnectorId", id_) or grouped or self.known.host_triggers(id_)
        errors = broken({NOT_FOUND: not known, CONFLICT: used})
        if self.ask("DeleteVoiceConnector", errors, VoiceConnectorId=id_) is not None:
            del self.known.connectors[id_]

    @rule(pick=PICK, disabled=st.booleans(), network=st.sampled_from(("192.0.2.0/27", "192.0.2.1/27", "nowhere")))
    def put_termination(self, pick: int, disabled: bool, network: str) -> None:
        """192.0.2.1/27 has bits set beyond its prefix."""
        id_, known = self.connector(pick)
        emergency = known and known.emergency and disabled
        errors = broken({NOT_FOUND: not known, BAD: network != "192.0.2.0/27", CONFLICT: emergency})
        termination = {"CallingRegions": ["US"], "CidrAllowedList": [network], "Disabled": disabled}
        answer = self.ask("PutVoiceConnectorTermination", errors, VoiceConnectorId=id_, Termination=termination)
        if answer and known:
            known.termination_enabled = not disabled

    @rule(pick=PICK)
    def delete_termination(self, pick: int) -> None:
        id_, known = self.connector(pick)
        errors = broken({NOT_FOUND: not known, CONFLICT: known and known.emergency})
        answer = self.ask("DeleteVoiceConnectorTermination", errors, VoiceConnectorId=id_)
        if answer is not None and known:
            known.termination_enabled = None

    @rule(pick=PICK, protocol=st.sampled_from(("UDP", "TCP")), disabled=st.booleans(), priority=st.integers(0, 101))
    def put_origination(self, pick: int, protocol: str, disabled: bool, priority: int) -> None:
        id_, known = self.connector(pick)
        errors = broken(
            {
                NOT_FOUND: not known,
                BAD: not 1 <= priority <= 100 or (known and known.encrypted and protocol == "UDP"),
                CONFLICT: known and known.emergency and disabled,
            }
        )
        route = {"Host": "192.0.2.7", "Port": 5060, "Protocol": protocol, "Priority": priority, "Weight": 1}
        origination = {"Routes": [route], "Disabled": disabled}
        answer = self.ask("PutVoiceConnectorOrigination", errors, VoiceConnectorId=id_, Origination=origination)
        if answer and known:
            known.origination_enabled, known.route_protocol = not disabled, protocol

    @rule(pick=PICK)
    def delete_origination(self, pick: int) -> None:
        id_, known = self.connector(pick)
        errors = broken({NOT_FOUND: not known, CONFLICT: known and known.emergency})
        answer = self.ask("DeleteVoiceConnectorOrigination", errors, VoiceConnectorId=id_)
        if answer is not None and known:
            known.origination_enabled = known.route_protocol = None

    @rule(pick=PICK)
    def put_emergency_calling(self, pick: int) -> None:
        id_, known = self.connector(pick)
        errors = broken({NOT_FOUND: not known, CONFLICT: known and not known.serves_emergencies()})
        configuration = {"DNIS": [{"EmergencyPhoneNumber": "+12125550911", "CallingCountry": "US"}]}
        answer = self.ask(
            "PutVoiceConnectorEmergencyCallingConfiguration",
            errors,
            VoiceConnectorId=id_,
            EmergencyCallingConfiguration=configuration,
        )
        if answer and known:
            known.emergency = True

    @rule(pick=PICK)
    def delete_emergency_calling(self, pick: int) -> None:
        id_, known = self.connector(pick)
        name = "DeleteVoiceConnectorEmergencyCallingConfiguration"
        if self.ask(name, broken({NOT_FOUND: not known}), VoiceConnectorId=id_) is not None and known:
            known.emergency = False

    @rule(pick=PICK, keys=st.lists(st.sampled_from("abc"), min_size=1, unique=True), value=st.sampled_from("xy"))
    def tag(self, pick: int, keys: list[str], value: str) -> None:
        id_, known = self.connector(pick)
        tags = [{"Key": key, "Value": value} for key in keys]
        arn = arn_of(id_, known)
        if self.ask("TagResource", broken({NOT_FOUND: not known}), ResourceARN=arn, Tags=tags) is not None and known:
            known.tags |= dict.fromkeys(keys, value)

    @rule(pick=PICK, keys=st.lists(st.sampled_from("abc"), min_size=1, unique=True))
    def untag(self, pick: int, keys: list[str]) -> None:
        id_, known = self.connector(pick)
        errors = broken({NOT_FOUND: not known})
        answer = self.ask("UntagResource", errors, ResourceARN=arn_of(id_, known), TagKeys=keys)
        if answer is not None and known:
            known.tags = {key: value for key, value in known.tags.items() if key not in keys}

    # -- groups

    @rule(members=st.lists(PICK, max_size=3))
    def create_group(self, members: list[int]) -> None:
        ids, errors = self.members(members)
        errors |= broken({LIMIT: len(self.known.groups) >= oracle.QUOTA_GROUPS})
        answer = self.ask("CreateVoiceConnectorGroup", errors, Name="both", VoiceConnectorItems=items(ids))
        if answer:
            self.known.groups[answer["VoiceConnectorGroup"]["VoiceConnectorGroupId"]] = tuple(ids)

    @rule(pick=PICK, members=st.lists(PICK, max_size=3))
    def update_group(self, pick: int, members: list[int]) -> None:
        id_, there = picked(self.known.groups, pick, "g" * 22)
        ids, errors = self.members(members)
        errors |= broken({NOT_FOUND: not there})
        fields = {"Name": "all", "VoiceConnectorItems": items(ids)}
        if self.ask("UpdateVoiceConnectorGroup", errors, VoiceConnectorGroupId=id_, **fields):
            self.known.groups[id_] = tuple(ids)

    @rule(pick=PICK)
    def delete_group(self, pick: int) -> None:
        id_, there = picked(self.known.groups, pick, "g" * 22)
        used = self.known.groups.get(id_) or self.known.held_by("VoiceConnectorGroupId", id_)
        errors = broken({NOT_FOUND: not there, CONFLICT: used})
        if self.ask("DeleteVoiceConnectorGroup", errors, VoiceConnectorGroupId=id_) is not None:
            del self.known.groups[id_]

    # -- numbers

    @rule(numbers=st.lists(st.sampled_from(NUMBERS), max_size=3), product_type=PRODUCTS)
    def order(self, numbers: list[str], product_type: str) -> None:
        wrong = not numbers or len(set(numbers)) < len(numbers)
        unfit = any(product_type not in product_types(number) for number in numbers)
        errors = broken({BAD: wrong or unfit, LIMIT: not self.known.room_for(len(numbers))})
        answer = self.ask("CreatePhoneNumberOrder", errors, ProductType=product_type, E164PhoneNumbers=numbers)
        if answer:
            order = answer["PhoneNumberOrder"]["PhoneNumberOrderId"]
            self.known.ordered(order, numbers, product_type, self.clock.now)

    @rule(pick=PICK, picks=PICKS, force=st.booleans(), grouped=st.booleans())
    def associate(self, pick: int, picks: list[int], force: bool, grouped: bool) -> None:
        (name, id_), suffix, errors = self.holder(pick, grouped)
        numbers = self.numbers(picks)
        expected = {number: self.known.why_not_associable(number, (name, id_), force) for number in numbers}
        fields = {name: id_, "E164PhoneNumbers": numbers, "ForceAssociate": force}
        answer = self.ask(f"AssociatePhoneNumbersWithVoiceConnector{suffix}", errors, **fields)
        for number in self.done(answer, expected):
            self.known.numbers[number].holder = name, id_

    @rule(pick=PICK, picks=PICKS, grouped=st.booleans())
    def disassociate(self, pick: int, picks: list[int], grouped: bool) -> None:
        (name, id_), suffix, errors = self.holder(pick, grouped)
        numbers = self.numbers(picks)
        held = self.known.held_by(name, id_)
        expected = {number: set() if number in held else {"NotFound"} for number in numbers}
        fields = {name: id_, "E164PhoneNumbers": numbers}
        answer = self.ask(f"DisassociatePhoneNumbersFromVoiceConnector{suffix}", errors, **fields)
        for number in self.done(answer, expected):
            self.known.numbers[number].holder = None

    @rule(pick=PICK, product_type=PRODUCTS)
    def change_product_type(self, pick: int, product_type: str) -> None:
        number = self.number(pick)
        known = self.known.numbers.get(number)
        errors = broken(
            {
                NOT_FOUND: not known,
                CONFLICT: known and (known.holder or known.deletion_due is not None),
                BAD: product_type not in product_types(number),
            }
        )
        answer = self.ask("UpdatePhoneNumber", errors, PhoneNumberId=number, ProductType=product_type)
        if answer and known:
            known.product_type = product_type

    @rule(pick=PICK)
    def delete_number(self, pick: int) -> None:
        number = self.number(pick)
        errors = self.known.why_not_deletable(number)
        if self.ask("DeletePhoneNumber", errors, PhoneNumberId=number) is not None:
            self.known.numbers[number].deletion_due = self.clock.now + oracle.DELETION_SECONDS

    @rule(picks=PICKS)
    def delete_numbers(self, picks: list[int]) -> None:
        numbers = self.numbers(picks)
        codes = {CONFLICT: {"PreconditionFailed", "PhoneNumberAssociationsExist"}, NOT_FOUND: {"NotFound"}}
        why_not = self.known.why_not_deletable
        expected = {number: set().union(*(codes[name] for name in why_not(number))) for number in numbers}
        for number in self.done(self.ask("BatchDeletePhoneNumber", (), PhoneNumberIds=numbers), expected):
            self.known.numbers[number].deletion_due = self.clock.now + oracle.DELETION_SECONDS

    @rule(pick=PICK)
    def restore_number(self, pick: int) -> None:
        number = self.number(pick)
        known = self.known.numbers.get(number)
        kept = known and known.deletion_due is None
        errors = broken({NOT_FOUND: not known, BAD: kept, LIMIT: not self.known.room_for(1)})
        if self.ask("RestorePhoneNumber", errors, PhoneNumberId=number) and known:
            known.deletion_due = None

    # -- SIP media applications and SIP rules

    @rule(region=REGIONS, lambda_region=st.sampled_from(SERVED))
    def create_application(self, region: str, lambda_region: str) -> None:
        there = len(self.known.applications)
        elsewhere = region not in SERVED or lambda_region != region
        errors = broken({BAD: elsewhere, LIMIT: there >= oracle.QUOTA_APPLICATIONS})
        endpoint = {"LambdaArn": f"arn:aws:lambda:{lambda_region}:{ACCOUNT_ID}:function:answer"}
        answer = self.ask("CreateSipMediaApplication", errors, Name="ivr", AwsRegion=region, Endpoints=[endpoint])
        if answer:
            self.known.applications[answer["SipMediaApplication"]["SipMediaApplicationId"]] = region

    @rule(pick=PICK)
    def delete_application(self, pick: int) -> None:
        """Guide p. 72, 74: rules that have it as a target must be disabled, and lose it."""
        id_, there = picked(self.known.applications, pick, A_UUID)
        rules = [known for known in self.known.rules.values() if id_ in known.targets]
        errors = broken({NOT_FOUND: not there, CONFLICT: any(not known.disabled for known in rules)})
        if self.ask("DeleteSipMediaApplication", errors, SipMediaApplicationId=id_) is not None:
            del self.known.applications[id_]
            for known in rules:
                known.targets = tuple(target for target in known.targets if target != id_)

    @rule(pick=PICK, by_host=st.booleans(), application=PICK, disabled=st.booleans())
    def create_rule(self, pick: int, by_host: bool, application: int, disabled: bool) -> None:
        type_, value = "ToPhoneNumber", self.number(pick)
        if by_host:
            type_, value = "RequestUriHostname", f"{self.connector(pick)[0]}.voiceconnector.chime.aws"
        targets, errors = self.targets(application)
        fields = {"TriggerType": type_, "TriggerValue": value, "Disabled": disabled, "TargetApplications": targets}
        errors |= self.known.why_not_triggering(type_, value)
        answer = self.ask("CreateSipRule", errors, Name="menu", **fields)
        if answer:
            id_ = answer["SipRule"]["SipRuleId"]
            self.known.rules[id_] = Rule((type_, value), disabled, ids_of(targets))
            if not by_host:
                self.known.numbers[value].holder = "SipRuleId", id_

    @rule(pick=PICK, application=PICK, disabled=st.booleans())
    def update_rule(self, pick: int, application: int, disabled: bool) -> None:
        id_, there = picked(self.known.rules, pick, A_UUID)
        targets, errors = self.targets(application)
        errors |= broken({NOT_FOUND: not there})
        fields = {"Name": "menu", "Disabled": disabled, "TargetApplications": targets}
        if self.ask("UpdateSipRule", errors, SipRuleId=id_, **fields):
            known = self.known.rules[id_]
            known.disabled, known.targets = disabled, ids_of(targets)

    @rule(pick=PICK)
    def delete_rule(self, pick: int) -> None:
        """Guide p. 75: disabled first."""
        id_, there = picked(self.known.rules, pick, A_UUID)
        errors = broken({NOT_FOUND: not there, CONFLICT: there and not self.known.rules[id_].disabled})
        if self.ask("DeleteSipRule", errors, SipRuleId=id_) is not None:
            del self.known.rules[id_]
            self.known.free(("SipRuleId", id_))

    # -- Amazon Chime accounts

    @precondition(lambda self: len(self.known.chime_accounts) < 2)
    @rule()
    def create_account(self) -> None:
        self.known.chime_accounts.add(self.ask("CreateAccount", (), Name="team")["Account"]["AccountId"])

    @rule(pick=PICK)
    def delete_account(self, pick: int) -> None:
        id_, there = picked(self.known.chime_accounts, pick, A_UUID)
        errors = broken({NOT_FOUND: not there, UNPROCESSABLE: id_ in self.known.users.values()})
        if self.ask("DeleteAccount", errors, AccountId=id_) is not None:
            self.known.chime_accounts.remove(id_)

    @rule(pick=PICK)
    def create_user(self, pick: int) -> None:
        id_, there = picked(self.known.chime_accounts, pick, A_UUID)
        answer = self.ask("CreateUser", broken({NOT_FOUND: not there}), AccountId=id_, Username="somebody")
        if answer:
            self.known.users[answer["User"]["UserId"]] = id_

    @rule(pick=PICK)
    def remove_user(self, pick: int) -> None:
        """Guide of 2018, p. 12: who is suspended leaves a team account; the number stays."""
        id_, there = picked(self.known.users, pick, A_UUID)
        account = self.known.users.get(id_, A_UUID)
        errors = broken({NOT_FOUND: not there})
        if self.ask("BatchSuspendUser", errors, AccountId=account, UserIdList=[id_]):
            del self.known.users[id_]
            self.known.free(("UserId", id_))

    @rule(pick=PICK, of=PICK)
    def give_number_to_user(self, pick: int, of: int) -> None:
        id_, there = picked(self.known.users, pick, A_UUID)
        number = self.number(of)
        known = self.known.numbers.get(number)
        gone = known is None or known.deletion_due is not None
        unfit = known and (known.product_type != "BusinessCalling" or known.holder or known.coming)
        errors = broken({NOT_FOUND: not there or gone, BAD: unfit or self.known.held_by("UserId", id_)})
        account = self.known.users.get(id_, A_UUID)
        fields = {"AccountId": account, "UserId": id_, "E164PhoneNumber": number}
        if self.ask("AssociatePhoneNumberWithUser", errors, **fields) is not None and known:
            known.holder = "UserId", id_

    @rule(pick=PICK)
    def take_number_from_user(self, pick: int) -> None:
        id_, there = picked(self.known.users, pick, A_UUID)
        errors = broken({NOT_FOUND: not there, BAD: not self.known.held_by("UserId", id_)})
        account = self.known.users.get(id_, A_UUID)
        if self.ask("DisassociatePhoneNumberFromUser", errors, AccountId=account, UserId=id_) is not None:
            self.known.free(("UserId", id_))

    # -- what the rules share

    def connector(self, pick: int) -> tuple[str, Connector | None]:
        id_, _ = picked(self.known.connectors, pick, "x" * 22)
        return id_, self.known.connectors.get(id_)

    def number(self, pick: int) -> str:
        """One of the inventory, or one that is not in it."""
        return picked(self.known.numbers, pick, oracle.NEVER_ORDERED)[0]

    def associations(self, known: oracle.Number) -> set[Holder]:
        """What a number is shown to belong to; a user's account is there, too."""
        if known.holder and known.holder[0] == "UserId":
            return {known.holder, ("AccountId", self.known.users[known.holder[1]])}
        return {known.holder} if known.holder else set()

    def numbers(self, picks: list[int]) -> list[str]:
        return list(dict.fromkeys(map(self.number, picks)))

    def members(self, picks: list[int]) -> tuple[list[str], set[str]]:
        """Ids for a group, and what is wrong with them."""
        ids = [self.connector(pick)[0] for pick in picks]
        unknown = any(id_ not in self.known.connectors for id_ in ids)
        return ids, broken({NOT_FOUND: unknown, BAD: len(set(ids)) < len(ids)})

    def holder(self, pick: int, grouped: bool) -> tuple[Holder, str, set[str]]:
        """A connector or a group, the end of its operations' names, and what is wrong with it."""
        if grouped:
            id_, there = picked(self.known.groups, pick, "g" * 22)
            return ("VoiceConnectorGroupId", id_), "Group", broken({NOT_FOUND: not there})
        id_, known = self.connector(pick)
        return ("VoiceConnectorId", id_), "", broken({NOT_FOUND: not known})

    def targets(self, pick: int) -> tuple[list[dict[str, Any]], set[str]]:
        """The target of a rule, and what is wrong with it."""
        id_, there = picked(self.known.applications, pick, A_UUID)
        region = self.known.applications.get(id_, "us-east-1")
        target = {"SipMediaApplicationId": id_, "Priority": 1, "AwsRegion": region}
        return [target], broken({BAD: not there})

    def done(self, answer: Any, expected: dict[str, set[str]]) -> list[str]:
        """The numbers with which it was done, after the errors of the others were looked at."""
        if answer is None:
            return []
        said = {unquoted(error["PhoneNumberId"]): error["ErrorCode"] for error in answer["PhoneNumberErrors"]}
        assert said.keys() == {number for number, codes in expected.items() if codes}
        assert all(code in expected[number] for number, code in said.items()), (said, expected)
        return [number for number, codes in expected.items() if not codes]

    # -- what holds after each step

    @invariant()
    def lists_have_everything_once(self) -> None:
        known = self.known
        lists: dict[str, Collection[str]] = {
            "VoiceConnectors": known.connectors,
            "VoiceConnectorGroups": known.groups,
            "PhoneNumbers": known.numbers,
            "PhoneNumberOrders": known.orders,
            "SipMediaApplications": known.applications,
            "SipRules": known.rules,
            "Accounts": known.chime_accounts,
        }
        for key, wanted in lists.items():
            ids = [item[LISTS[key][1]] for item in self.everything(key, next(self.sizes))]
            assert (len(ids), set(ids)) == (len(wanted), set(wanted)), key

    @invariant()
    def a_number_is_where_it_was_put_and_nowhere_else(self) -> None:
        for shown in self.everything("PhoneNumbers", 3):
            known = self.known.numbers[shown["E164PhoneNumber"]]
            assert {(each["Name"], each["Value"]) for each in shown["Associations"]} == self.associations(known)
            assert shown["ProductType"] == known.product_type
            waiting = "AcquireInProgress" if known.coming else "Assigned" if known.holder else "Unassigned"
            assert shown["Status"] == ("DeleteInProgress" if known.deletion_due is not None else waiting)
        snapshot = self.store.snapshot
        of_connectors = (connector.phone_numbers for connector in snapshot.by_id.values())
        of_groups = (group.phone_numbers for group in snapshot.groups.values())
        assert sorted(chain(*of_connectors, *of_groups)) == sorted(snapshot.by_phone_number)
        assert not snapshot.deletion_queue.keys() & snapshot.by_phone_number.keys()

    @invariant()
    def counts_match_lists(self) -> None:
        known = self.known
        for name, ids in (
            ("VoiceConnectorId", known.connectors),
            ("VoiceConnectorGroupId", known.groups),
            ("SipRuleId", known.rules),
        ):
            for id_ in ids:
                shown = self.everything("PhoneNumbers", 2, FilterName=name, FilterValue=id_)
                assert {number["E164PhoneNumber"] for number in shown} == known.held_by(name, id_)
        for account in known.chime_accounts:
            users = {user["UserId"] for user in self.everything("Users", 2, AccountId=account)}
            assert users == {id_ for id_, of in known.users.items() if of == account}

    @invariant()
    def orders_have_come_as_far_as_their_time(self) -> None:
        shown = {order["PhoneNumberOrderId"]: order["Status"] for order in self.everything("PhoneNumberOrders", 100)}
        assert shown == {id_: order.status for id_, order in self.known.orders.items()}

    @invariant()
    def nothing_refers_to_what_is_gone(self) -> None:
        snapshot, known = self.store.snapshot, self.known
        assert {id_: group.ranked for id_, group in snapshot.groups.items()} == known.groups
        shown = {item["SipRuleId"]: ids_of(item["TargetApplications"]) for item in self.everything("SipRules", 100)}
        assert shown == {id_: rule.targets for id_, rule in known.rules.items()}
        for id_, connector in known.connectors.items():
            tags = self.ask("ListTagsForResource", (), ResourceARN=arn_of(id_, connector))["Tags"]
            assert {tag["Key"]: tag["Value"] for tag in tags} == connector.tags
        kept = {kind.name: len(snapshot.all(kind.type)) for kind in KINDS}
        assert kept["Tags"] == sum(bool(connector.tags) for connector in known.connectors.values())
        assert kept["User"] == len(known.users)

    @invariant()
    def the_snapshot_is_what_one_made_afresh_would_be(self) -> None:
        snapshot = self.store.snapshot
        assert_same(EMPTY.after(resources(snapshot)), snapshot)


def request_of(operation: Operation, fields: dict[str, Any]) -> ApiRequest:
    """What boto3 would send."""
    labels = {place: fields[name] for place, name in operation.labels}
    path = [quote(labels[place], safe="") if place in labels else text for place, text in enumerate(operation.segments)]
    members = operation.input.members
    query = [*operation.query]
    query += [
        (members[name].wire_name, str(value)) for name, value in fields.items() if members[name].place == "querystring"
    ]
    body = {name: value for name, value in fields.items() if members[name].place == "body"}
    return ApiRequest(
        operation.method, f"/{'/'.join(path)}", urlencode(query), (), json.dumps(body).encode(), "127.0.0.1"
    )


def picked(there: Iterable[str], pick: int, absent: str) -> tuple[str, bool]:
    """One of those there are, and whether it is."""
    ids = sorted(there)
    return (ids[pick % len(ids)], True) if ids and pick != ABSENT else (absent, False)


def items(ids: list[str]) -> list[dict[str, Any]]:
    return [{"VoiceConnectorId": id_, "Priority": place} for place, id_ in enumerate(ids, start=1)]


def ids_of(targets: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(target["SipMediaApplicationId"] for target in targets)


def arn_of(id_: str, connector: Connector | None) -> str:
    region = connector.region if connector else "us-east-1"
    return f"arn:aws:chime:{region}:{ACCOUNT_ID}:vc/{id_}"


def unquoted(phone_number_id: str) -> str:
    """AWS's examples have %2B12065550100."""
    return phone_number_id.replace("%2B", "+")


def resources(snapshot: Snapshot) -> list[Resource]:
    return list(chain(*(snapshot.all(kind.type).values() for kind in KINDS)))


def assert_same(one: Snapshot, other: Snapshot) -> None:
    """Two snapshots hold the same, and answer calls alike."""
    for kind in KINDS:
        assert list(one.all(kind.type).items()) == list(other.all(kind.type).items())
    views: tuple[Callable[[Snapshot], object], ...] = (
        lambda snapshot: dict(snapshot.by_id) == dict(snapshot.all(VoiceConnector)),
        lambda snapshot: dict(snapshot.groups) == dict(snapshot.all(VoiceConnectorGroup)),
        lambda snapshot: dict(snapshot.by_host_name),
        lambda snapshot: dict(snapshot.by_phone_number),
        lambda snapshot: dict(snapshot.deletion_queue),
        lambda snapshot: {number: snapshot.inbound(number) for number in NUMBERS},
    )
    for view in views:
        assert view(one) == view(other)


TestAdministration = Administration.TestCase
TestAdministration.settings = settings(max_examples=60, stateful_step_count=50, suppress_health_check=list(HealthCheck))

"""SIP rules: which calls go to which SIP media applications (guide p. 72-75)."""

from ..trunk.model import Snapshot
from ..trunk.shapes import shape_of
from ..trunk.sip_rules import SipMediaApplication, SipRule, check_sip_rule, rules_of_application, sip_rule
from ..trunk.store import Conflict
from .context import Control, Fields
from .pages import page


def create_sip_rule(control: Control, asked: Fields) -> Fields:
    """A rule for a number of the inventory or the host name of a Voice Connector that no other rule has."""
    snapshot, id_ = control.store.snapshot, control.new_uuid()
    rule = sip_rule({"SipRuleId": id_, **asked, **_filled_in(asked, snapshot)}, "")
    check_sip_rule(rule, snapshot, "")
    for other in snapshot.all(SipRule).values():
        if other.trigger_value == rule.trigger_value:
            raise Conflict(
                f"SIP rule {other.sip_rule_id} has this TriggerValue already, and a call can trigger one only"
            )
    control.store.commit(rule)
    return {"SipRule": _shown(control, id_)}


def get_sip_rule(control: Control, asked: Fields) -> Fields:
    return {"SipRule": _shown(control, asked["SipRuleId"])}


def list_sip_rules(control: Control, asked: Fields) -> Fields:
    """All of the account, or those that have one SIP media application among their targets."""
    snapshot, application = control.store.snapshot, asked.get("SipMediaApplicationId")
    if application is None:
        everything = tuple(snapshot.all(SipRule).values())
    else:
        everything = rules_of_application(snapshot, application)
    rules, token = page(everything, asked)
    return {"SipRules": [_shown(control, rule.sip_rule_id) for rule in rules], "NextToken": token}


def update_sip_rule(control: Control, asked: Fields) -> Fields:
    """Another name, enabled or disabled, other targets; what triggers a rule stays (guide p. 73-74)."""
    snapshot, known = control.store.snapshot, control.known(SipRule, asked["SipRuleId"])
    changes: Fields = {key: value for key, value in asked.items() if key in ("Name", "Disabled")}
    rule = sip_rule({**shape_of(known), **changes, **_targets_filled_in(asked, snapshot)}, "")
    check_sip_rule(rule, snapshot, "")
    control.store.commit(rule)
    return {"SipRule": _shown(control, rule.sip_rule_id)}


def delete_sip_rule(control: Control, asked: Fields) -> Fields:
    """A rule that is disabled (guide p. 75); the number that triggered it is unassigned then (guide p. 57)."""
    rule = control.known(SipRule, asked["SipRuleId"])
    if not (rule.disabled or control.profile.enabled_sip_rules_deletable):
        raise Conflict(f"SIP rule {rule.sip_rule_id} is enabled; disable it first (UpdateSipRule)")
    control.store.commit(remove=[rule])
    return {}


def _filled_in(asked: Fields, snapshot: Snapshot) -> Fields:
    """What may be left out: the + of a number, and what `_targets_filled_in` knows."""
    value: str = asked["TriggerValue"]
    if asked["TriggerType"] == "ToPhoneNumber" and value.isdigit():
        value = f"+{value}"
    return {"TriggerValue": value, **_targets_filled_in(asked, snapshot)}


def _targets_filled_in(asked: Fields, snapshot: Snapshot) -> Fields:
    """The targets that are asked for, each with the Region of its application where none is given."""
    if "TargetApplications" not in asked:
        return {}
    applications = snapshot.all(SipMediaApplication)
    targets = [dict(target) for target in asked["TargetApplications"]]
    for target in targets:
        if known := applications.get(target.get("SipMediaApplicationId", "")):
            target.setdefault("AwsRegion", known.aws_region)
    return {"TargetApplications": targets}


def _shown(control: Control, sip_rule_id: str) -> Fields:
    """A rule as the API shows it."""
    rule = control.known(SipRule, sip_rule_id)
    times = {"CreatedTimestamp": rule.created_timestamp, "UpdatedTimestamp": rule.updated_timestamp}
    return {**shape_of(rule), **times}

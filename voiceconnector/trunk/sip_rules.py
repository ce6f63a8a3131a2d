"""SIP media applications, and the SIP rules that send calls to them (guide p. 69-75): values, shapes and rules.

A rule names what triggers it, a phone number of the inventory or the outbound host name of a Voice Connector, and
the applications that take the call, one in each Region by priority. What a rule refers to is there, in every
snapshot of the store.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from .model import PhoneNumber, Snapshot, identity
from .shapes import aws_region, distinct, name, phone_number, route_host, uuid
from .tables import Reader, ShapeError, Table, boolean, choice, matching, whole

TARGET_APPLICATIONS_MAX = 25
"""Applications that one rule can have (the API's model)."""

TriggerType = Literal["ToPhoneNumber", "RequestUriHostname"]


@dataclass(frozen=True, slots=True)
class SipMediaApplicationEndpoint:
    """What an application invokes."""

    lambda_arn: str
    """ARN of a Lambda function, or of an alias or a version of one."""


@dataclass(frozen=True, slots=True)
class SipMediaApplicationLoggingConfiguration:
    """What is logged of an application."""

    enable_sip_media_application_message_logs: bool = False


@dataclass(frozen=True, slots=True)
class SipMediaApplication:
    """Passes calls from SIP rules to a Lambda function (guide p. 70)."""

    sip_media_application_id: str
    """UUID."""
    name: str
    aws_region: str
    endpoints: tuple[SipMediaApplicationEndpoint, ...]
    """One."""
    sip_media_application_logging_configuration: SipMediaApplicationLoggingConfiguration | None = None
    """None: never put."""
    created_timestamp: float = 0.0
    """Unix time, seconds."""
    updated_timestamp: float = 0.0
    """Unix time, seconds."""


@dataclass(frozen=True, slots=True)
class SipRuleTargetApplication:
    """An application's place in a rule."""

    sip_media_application_id: str
    priority: int
    """At least 1, distinct in the rule; 1 is tried first."""
    aws_region: str
    """The application's, distinct in the rule."""


@dataclass(frozen=True, slots=True)
class SipRule:
    """Which calls go to which applications (guide p. 72)."""

    sip_rule_id: str
    """UUID."""
    name: str
    trigger_type: TriggerType
    trigger_value: str
    """An E.164 number with its `+`, or the outbound host name of a Voice Connector."""
    disabled: bool = False
    target_applications: tuple[SipRuleTargetApplication, ...] = ()
    created_timestamp: float = 0.0
    """Unix time, seconds."""
    updated_timestamp: float = 0.0
    """Unix time, seconds."""

    def without(self, sip_media_application_id: str) -> "SipRule":
        """The rule with one application less among its targets."""
        targets = self.target_applications
        left = tuple(target for target in targets if target.sip_media_application_id != sip_media_application_id)
        return replace(self, target_applications=left)


# Shapes, from a table and its path

lambda_arn = matching(
    r"arn:(aws[a-zA-Z-]*)?:lambda:[a-z]{2}((-gov)|(-iso(b?)))?-[a-z]+-\d:\d{12}:function:[a-zA-Z0-9_-]+"
    r"(:(\$LATEST|[a-zA-Z0-9_-]+))?",
    "the ARN of a Lambda function such as arn:aws:lambda:us-east-1:111122223333:function:answer",
)
trigger_type: Reader[TriggerType] = choice("ToPhoneNumber", "RequestUriHostname")


def host_name(value: object) -> str:
    """A host name as Voice Connectors have it: in lower case and without a final dot."""
    return route_host(value).lower().removesuffix(".")


def sip_media_application_endpoint(entries: object, path: str) -> SipMediaApplicationEndpoint:
    table = Table(entries, path, ("LambdaArn",))
    return SipMediaApplicationEndpoint(table.required("LambdaArn", lambda_arn))


def sip_media_application_logging_configuration(entries: object, path: str) -> SipMediaApplicationLoggingConfiguration:
    key = "EnableSipMediaApplicationMessageLogs"
    return SipMediaApplicationLoggingConfiguration(Table(entries, path, (key,)).get(key, boolean, False))


def sip_media_application(entries: object, path: str) -> SipMediaApplication:
    """An application. Raises ShapeError unless it has one endpoint, in its own Region (guide p. 71)."""
    logging = "SipMediaApplicationLoggingConfiguration"
    table = Table(entries, path, ("SipMediaApplicationId", "Name", "AwsRegion", "Endpoints", logging))
    application = SipMediaApplication(
        sip_media_application_id=table.required("SipMediaApplicationId", uuid),
        name=table.required("Name", name),
        aws_region=table.required("AwsRegion", aws_region),
        endpoints=table.shapes("Endpoints", sip_media_application_endpoint),
        sip_media_application_logging_configuration=table.shape(logging, sip_media_application_logging_configuration),
    )
    endpoints = application.endpoints
    if len(endpoints) != 1:
        raise ShapeError(table.path_of("Endpoints"), f"has {len(endpoints)} items: must have one")
    region = endpoints[0].lambda_arn.split(":")[3]
    if region != application.aws_region:
        problem = f"is of {region}: must be of {application.aws_region}, the Region of the SIP media application"
        raise ShapeError(f"{table.path_of('Endpoints')}[0].LambdaArn", problem)
    return application


def sip_rule_target_application(entries: object, path: str) -> SipRuleTargetApplication:
    table = Table(entries, path, ("SipMediaApplicationId", "Priority", "AwsRegion"))
    return SipRuleTargetApplication(
        sip_media_application_id=table.required("SipMediaApplicationId", uuid),
        priority=table.get("Priority", whole(1), 1),
        aws_region=table.required("AwsRegion", aws_region),
    )


def sip_rule(entries: object, path: str) -> SipRule:
    """A rule. Raises ShapeError for a Region or a priority that occurs twice, and for too many applications."""
    keys = ("SipRuleId", "Name", "TriggerType", "TriggerValue", "Disabled", "TargetApplications")
    table = Table(entries, path, keys)
    targets = table.shapes("TargetApplications", sip_rule_target_application)
    targets_path = table.path_of("TargetApplications")
    if len(targets) > TARGET_APPLICATIONS_MAX:
        raise ShapeError(targets_path, f"has {len(targets)} items: at most {TARGET_APPLICATIONS_MAX} are taken")
    distinct([target.aws_region for target in targets], targets_path, "AwsRegion")
    distinct([target.priority for target in targets], targets_path, "Priority")
    type_ = table.required("TriggerType", trigger_type)
    return SipRule(
        sip_rule_id=table.required("SipRuleId", uuid),
        name=table.required("Name", name),
        trigger_type=type_,
        trigger_value=table.required("TriggerValue", phone_number if type_ == "ToPhoneNumber" else host_name),
        disabled=table.get("Disabled", boolean, False),
        target_applications=targets,
    )


# Rules beyond the single value


def check_sip_media_application(application: SipMediaApplication, regions: Collection[str], path: str) -> None:
    """Raise ShapeError for an application in a Region that is not served."""
    region = application.aws_region
    if region not in regions:
        problem = f"must be a Region that is served, {' or '.join(regions)}; [regions.{region}] adds it"
        raise ShapeError(f"{path}.AwsRegion" if path else "AwsRegion", f"= '{region}': {problem}")


def check_sip_rule(rule: SipRule, snapshot: Snapshot, path: str) -> None:
    """Raise ShapeError for the first thing that a rule refers to and that is not there, or not fit for it."""
    prefix = f"{path}." if path else ""
    if problem := _unfit_trigger(rule, snapshot):
        raise ShapeError(f"{prefix}TriggerValue", problem)
    applications = snapshot.all(SipMediaApplication)
    for index, target in enumerate(rule.target_applications):
        here, id_ = f"{prefix}TargetApplications[{index}]", target.sip_media_application_id
        if id_ not in applications:
            raise ShapeError(f"{here}.SipMediaApplicationId", f"= '{id_}': is the id of no SIP media application")
        region = applications[id_].aws_region
        if target.aws_region != region:
            problem = f"= '{target.aws_region}': must be {region}, the Region of the SIP media application"
            raise ShapeError(f"{here}.AwsRegion", problem)


def _unfit_trigger(rule: SipRule, snapshot: Snapshot) -> str:
    """Why nothing can trigger a rule, in words; empty where something can."""
    value = rule.trigger_value
    if rule.trigger_type == "RequestUriHostname":
        known = snapshot.for_host_name(value)
        return "" if known else f"= '{value}': must be the outbound host name of a Voice Connector of this account"
    number = snapshot.all(PhoneNumber).get(value)
    if number is None:
        return "must be a phone number of the inventory, and there is no such number"
    if number.deletion_due is not None:
        return "is in the deletion queue; RestorePhoneNumber brings it back"
    if number.product_type != "SipMediaApplicationDialIn":
        return f"must be of the product type SipMediaApplicationDialIn, and is of {number.product_type}"
    if holder := snapshot.by_phone_number.get(value):
        return f"is associated with {identity(holder)}"
    return ""


def rules_by_phone_number(snapshot: Snapshot) -> Mapping[str, SipRule]:
    """The rule that each E.164 number triggers; such a number is assigned, be its rule enabled or not (p. 57)."""
    rules = snapshot.all(SipRule).values()
    return {rule.trigger_value: rule for rule in rules if rule.trigger_type == "ToPhoneNumber"}


def rules_of_application(snapshot: Snapshot, sip_media_application_id: str) -> tuple[SipRule, ...]:
    """The rules that have an application among their targets, in order of creation."""
    return tuple(
        rule
        for rule in snapshot.all(SipRule).values()
        if any(target.sip_media_application_id == sip_media_application_id for target in rule.target_applications)
    )


def contradiction(snapshot: Snapshot) -> str:
    """What the first rule lacks of what it refers to, or which trigger two rules share; empty where nothing."""
    triggers: dict[str, str] = {}
    for id_, rule in snapshot.all(SipRule).items():
        try:
            check_sip_rule(rule, snapshot, f"SipRule {id_}")
        except ShapeError as error:
            return str(error)
        other = triggers.setdefault(rule.trigger_value, id_)
        if other != id_:
            return f"SipRule {other} has the same TriggerValue as {id_}; a call can trigger one only"
    return ""

"""SIP media applications: create, look at, change, delete, and what is logged of them (guide p. 70-72)."""

from dataclasses import replace

from ..trunk.roles import role_owed
from ..trunk.shapes import shape_of
from ..trunk.sip_rules import (
    SipMediaApplication,
    SipMediaApplicationLoggingConfiguration,
    check_sip_media_application,
    rules_of_application,
    sip_media_application,
    sip_media_application_logging_configuration,
)
from ..trunk.store import Conflict
from .context import Control, Fields
from .pages import page
from .tags import tags_of_new


def create_sip_media_application(control: Control, asked: Fields) -> Fields:
    """An application in a Region that is served, whose Lambda function is in the same Region (guide p. 71)."""
    id_ = control.new_uuid()
    settings = {key: asked[key] for key in ("Name", "AwsRegion", "Endpoints")}
    application = sip_media_application({"SipMediaApplicationId": id_, **settings}, "")
    check_sip_media_application(application, control.regions, "")
    most, there = control.profile.sip_media_applications_max, len(control.store.snapshot.all(SipMediaApplication))
    control.check_quota(most, there, "SIP media applications", "delete one, or use profile lab")
    control.store.commit(application, *tags_of_new(id_, asked), *role_owed(control.store.snapshot))
    return {"SipMediaApplication": _shown(control, id_)}


def get_sip_media_application(control: Control, asked: Fields) -> Fields:
    return {"SipMediaApplication": _shown(control, asked["SipMediaApplicationId"])}


def list_sip_media_applications(control: Control, asked: Fields) -> Fields:
    """All of the account, of every Region."""
    everything = tuple(control.store.snapshot.all(SipMediaApplication).values())
    applications, token = page(everything, asked)
    shown = [_shown(control, application.sip_media_application_id) for application in applications]
    return {"SipMediaApplications": shown, "NextToken": token}


def update_sip_media_application(control: Control, asked: Fields) -> Fields:
    """Another name, or another Lambda function of the same Region; the Region stays (guide p. 71)."""
    application = control.known(SipMediaApplication, asked["SipMediaApplicationId"])
    changes: Fields = {key: value for key, value in asked.items() if key in ("Name", "Endpoints")}
    changed = sip_media_application({**shape_of(application), **changes}, "")
    control.store.commit(changed, *role_owed(control.store.snapshot))
    return {"SipMediaApplication": _shown(control, application.sip_media_application_id)}


def delete_sip_media_application(control: Control, asked: Fields) -> Fields:
    """Not while an enabled rule has it as a target (guide p. 74); disabled ones stay, without it (guide p. 72)."""
    application = control.known(SipMediaApplication, asked["SipMediaApplicationId"])
    id_ = application.sip_media_application_id
    rules = rules_of_application(control.store.snapshot, id_)
    for rule in rules:
        if not rule.disabled:
            raise Conflict(
                f"SIP media application {id_} is a target of SIP rule {rule.sip_rule_id}, which is enabled; disable "
                "that first (UpdateSipRule)"
            )
    control.store.commit(*(rule.without(id_) for rule in rules), remove=[application])
    return {}


def put_sip_media_application_logging_configuration(control: Control, asked: Fields) -> Fields:
    """Whether SIP messages of the application are logged."""
    application = control.known(SipMediaApplication, asked["SipMediaApplicationId"])
    given = asked.get("SipMediaApplicationLoggingConfiguration", {})
    logging = sip_media_application_logging_configuration(given, "SipMediaApplicationLoggingConfiguration")
    control.store.commit(replace(application, sip_media_application_logging_configuration=logging))
    return {"SipMediaApplicationLoggingConfiguration": shape_of(logging)}


def get_sip_media_application_logging_configuration(control: Control, asked: Fields) -> Fields:
    """Nothing is logged of an application for which nothing was put."""
    application = control.known(SipMediaApplication, asked["SipMediaApplicationId"])
    known = application.sip_media_application_logging_configuration
    return {"SipMediaApplicationLoggingConfiguration": shape_of(known or SipMediaApplicationLoggingConfiguration())}


def _shown(control: Control, sip_media_application_id: str) -> Fields:
    """An application as the API shows it."""
    application = control.known(SipMediaApplication, sip_media_application_id)
    return {
        **shape_of(application),
        "CreatedTimestamp": application.created_timestamp,
        "UpdatedTimestamp": application.updated_timestamp,
        "SipMediaApplicationArn": control.arn(application.aws_region, f"sma/{application.sip_media_application_id}"),
    }

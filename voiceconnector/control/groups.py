"""Voice Connector groups: create, look at, change, delete (guide p. 64-66)."""

from dataclasses import replace

from ..trunk.model import VoiceConnectorGroup, VoiceConnectorItem
from ..trunk.shapes import shape_of, voice_connector_items
from ..trunk.store import Conflict, NotFound
from ..trunk.tables import Table
from .context import Control, Fields
from .errors import ApiError
from .pages import page

# Unverified: groups span Regions, and the operations of 2022 were those of us-east-1 alone.
ARN_REGION = "us-east-1"


def create_voice_connector_group(control: Control, asked: Fields) -> Fields:
    """A group with or without connectors, within the profile's quotas."""
    most, there = control.profile.voice_connector_groups_max, len(control.store.snapshot.groups)
    control.check_quota(most, there, "Voice Connector groups", "delete one, or use profile lab")
    items = _items(control, asked.get("VoiceConnectorItems", []), "ResourceLimitExceededException")
    group = VoiceConnectorGroup(control.new_id(), asked["Name"], items)
    control.store.commit(group)
    return {"VoiceConnectorGroup": _shown(control, group.voice_connector_group_id)}


def get_voice_connector_group(control: Control, asked: Fields) -> Fields:
    return {"VoiceConnectorGroup": _shown(control, asked["VoiceConnectorGroupId"])}


def list_voice_connector_groups(control: Control, asked: Fields) -> Fields:
    groups, token = page(tuple(control.store.snapshot.groups.values()), asked)
    shown = [_shown(control, group.voice_connector_group_id) for group in groups]
    return {"VoiceConnectorGroups": shown, "NextToken": token}


def update_voice_connector_group(control: Control, asked: Fields) -> Fields:
    """Another name and other connectors, in place of those that were in it."""
    group = control.known(VoiceConnectorGroup, asked["VoiceConnectorGroupId"])
    items = _items(control, asked["VoiceConnectorItems"], "BadRequestException")
    control.store.commit(replace(group, name=asked["Name"], voice_connector_items=items))
    return {"VoiceConnectorGroup": _shown(control, group.voice_connector_group_id)}


def delete_voice_connector_group(control: Control, asked: Fields) -> Fields:
    """Not while it has connectors or numbers (guide p. 66)."""
    group = control.known(VoiceConnectorGroup, asked["VoiceConnectorGroupId"])
    if group.voice_connector_items:
        raise _occupied(group, "Voice Connectors", "take them out first (UpdateVoiceConnectorGroup)")
    if group.phone_numbers:
        advice = "disassociate them first (DisassociatePhoneNumbersFromVoiceConnectorGroup)"
        raise _occupied(group, "phone numbers", advice)
    control.store.commit(remove=[group])
    return {}


def _items(control: Control, given: object, too_many: str) -> tuple[VoiceConnectorItem, ...]:
    """A group's connectors. Raises ShapeError, NotFound, and the exception `too_many` beyond the profile's quota."""
    items = voice_connector_items(Table({"VoiceConnectorItems": given}, "", ("VoiceConnectorItems",)))
    most = control.profile.group_members_max
    if most is not None and len(items) > most:
        message = f"A group would have {len(items)} Voice Connectors, and profile {control.profile.name} allows {most}"
        raise ApiError(too_many, message)
    for item in items:
        if item.voice_connector_id not in control.store.snapshot.by_id:
            raise NotFound(f"Could not find VoiceConnector with Id '{item.voice_connector_id}'")
    return items


def _occupied(group: VoiceConnectorGroup, what: str, advice: str) -> Conflict:
    return Conflict(f"Voice Connector group {group.voice_connector_group_id} has {what}; {advice}")


def _shown(control: Control, voice_connector_group_id: str) -> Fields:
    """A group as the API shows it."""
    group = control.known(VoiceConnectorGroup, voice_connector_group_id)
    return {
        "VoiceConnectorGroupId": group.voice_connector_group_id,
        "Name": group.name,
        "VoiceConnectorItems": [shape_of(item) for item in group.voice_connector_items],
        "CreatedTimestamp": group.created_timestamp,
        "UpdatedTimestamp": group.updated_timestamp,
        "VoiceConnectorGroupArn": control.arn(ARN_REGION, f"vcg/{group.voice_connector_group_id}"),
    }

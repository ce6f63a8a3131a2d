"""Phone numbers of Voice Connectors and of their groups (guide p. 56, 63-66).

What cannot be done with one number is told of that number, and does not keep the others.
"""

from ..trunk import inventory
from ..trunk.inventory import Holder
from ..trunk.model import Snapshot, VoiceConnector, VoiceConnectorGroup
from ..trunk.store import NotFound
from .context import Control, Fields
from .phone_numbers import committed, up_to_date


def associate_phone_numbers_with_voice_connector(control: Control, asked: Fields) -> Fields:
    snapshot = up_to_date(control)
    return _associated(control, snapshot, _connector(snapshot, asked), asked)


def disassociate_phone_numbers_from_voice_connector(control: Control, asked: Fields) -> Fields:
    snapshot = up_to_date(control)
    return committed(control, inventory.disassociate(snapshot, _connector(snapshot, asked), asked["E164PhoneNumbers"]))


def associate_phone_numbers_with_voice_connector_group(control: Control, asked: Fields) -> Fields:
    snapshot = up_to_date(control)
    return _associated(control, snapshot, _group(snapshot, asked), asked)


def disassociate_phone_numbers_from_voice_connector_group(control: Control, asked: Fields) -> Fields:
    snapshot = up_to_date(control)
    return committed(control, inventory.disassociate(snapshot, _group(snapshot, asked), asked["E164PhoneNumbers"]))


def _associated(control: Control, snapshot: Snapshot, holder: Holder, asked: Fields) -> Fields:
    """With ForceAssociate, numbers leave what they are associated with."""
    force = asked.get("ForceAssociate", False)
    change = inventory.associate(snapshot, holder, asked["E164PhoneNumbers"], force, control.clock())
    return committed(control, change)


def _connector(snapshot: Snapshot, asked: Fields) -> VoiceConnector:
    id_ = asked["VoiceConnectorId"]
    if id_ not in snapshot.by_id:
        raise NotFound(f"Could not find VoiceConnector with Id '{id_}'")
    return snapshot.by_id[id_]


def _group(snapshot: Snapshot, asked: Fields) -> VoiceConnectorGroup:
    id_ = asked["VoiceConnectorGroupId"]
    if id_ not in snapshot.groups:
        raise NotFound(f"Could not find VoiceConnectorGroup with Id '{id_}'")
    return snapshot.groups[id_]

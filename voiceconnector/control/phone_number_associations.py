"""Phone numbers of Voice Connectors and of their groups (guide p. 56, 63-66).

What cannot be done with one number is told of that number, and does not keep the others.
"""

from ..trunk import inventory
from ..trunk.inventory import Holder
from ..trunk.model import VoiceConnector, VoiceConnectorGroup
from .context import Control, Fields
from .phone_numbers import committed, up_to_date


def associate_phone_numbers_with_voice_connector(control: Control, asked: Fields) -> Fields:
    return _associated(control, VoiceConnector, asked["VoiceConnectorId"], asked)


def disassociate_phone_numbers_from_voice_connector(control: Control, asked: Fields) -> Fields:
    return _disassociated(control, VoiceConnector, asked["VoiceConnectorId"], asked)


def associate_phone_numbers_with_voice_connector_group(control: Control, asked: Fields) -> Fields:
    return _associated(control, VoiceConnectorGroup, asked["VoiceConnectorGroupId"], asked)


def disassociate_phone_numbers_from_voice_connector_group(control: Control, asked: Fields) -> Fields:
    return _disassociated(control, VoiceConnectorGroup, asked["VoiceConnectorGroupId"], asked)


def _associated(control: Control, kind: type[Holder], id_: str, asked: Fields) -> Fields:
    """With ForceAssociate, numbers leave what they are associated with."""
    snapshot, force = up_to_date(control), asked.get("ForceAssociate", False)
    holder = control.known(kind, id_)
    change = inventory.associate(snapshot, holder, asked["E164PhoneNumbers"], force, control.clock())
    return committed(control, change)


def _disassociated(control: Control, kind: type[Holder], id_: str, asked: Fields) -> Fields:
    snapshot = up_to_date(control)
    return committed(control, inventory.disassociate(snapshot, control.known(kind, id_), asked["E164PhoneNumbers"]))

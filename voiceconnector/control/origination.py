"""Origination: where calls from the PSTN are sent (guide p. 61)."""

from dataclasses import replace

from ..trunk.model import VoiceConnector
from ..trunk.shapes import check_origination, origination, shape_of
from ..trunk.tables import ShapeError
from .context import Control, Fields
from .errors import ApiError


def put_voice_connector_origination(control: Control, asked: Fields) -> Fields:
    """In place of what was there. The API's texts: of Routes and Disabled, one must be there at least."""
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    table = asked["Origination"]
    if not table:
        raise ShapeError("Origination", "= {}: must have Routes or Disabled")
    # The API's texts: "Encryption-enabled Voice Connectors use TCP protocol by default."
    protocol = "TCP" if connector.require_encryption else "UDP"
    routes = [{"Protocol": protocol, **route} for route in table.get("Routes", [])]
    given = origination({**table, "Routes": routes}, "Origination")
    check_origination(given, connector.require_encryption, control.profile, "Origination")
    control.store.commit(replace(connector, origination=given))
    return {"Origination": shape_of(given)}


def get_voice_connector_origination(control: Control, asked: Fields) -> Fields:
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    if connector.origination is None:
        message = f"Voice Connector {connector.voice_connector_id} has no origination; PutVoiceConnectorOrigination"
        raise ApiError("NotFoundException", f"{message} gives it one")
    return {"Origination": shape_of(connector.origination)}


def delete_voice_connector_origination(control: Control, asked: Fields) -> Fields:
    """Nothing can come in any more."""
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    # Unverified: what a second delete answers; a script that the service takes must not fail here.
    if connector.origination:
        control.store.commit(replace(connector, origination=None))
    return {}

"""What else is configured on a Voice Connector: emergency calling (guide p. 62), streaming (p. 66), logging (p. 27)
and external systems.

All are put whole, in place of what was there. What was never put is not found; but logging, which cannot be
deleted, is off then. To delete what is not there changes nothing.
"""

from dataclasses import replace
from typing import TypeVar

from ..trunk.model import LoggingConfiguration, VoiceConnector
from ..trunk.roles import role_owed
from ..trunk.shapes import (
    check_emergency_calling,
    emergency_calling_configuration,
    external_systems_configuration,
    logging_configuration,
    shape_of,
    streaming_configuration,
)
from .context import Control, Fields
from .errors import ApiError

T = TypeVar("T")
EMERGENCY_CALLING, STREAMING = "EmergencyCallingConfiguration", "StreamingConfiguration"
LOGGING, EXTERNAL_SYSTEMS = "LoggingConfiguration", "ExternalSystemsConfiguration"


def put_voice_connector_emergency_calling_configuration(control: Control, asked: Fields) -> Fields:
    """Needs termination and origination, both enabled, for as long as it is there."""
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    given = emergency_calling_configuration(asked[EMERGENCY_CALLING], EMERGENCY_CALLING)
    changed = replace(connector, emergency_calling_configuration=given)
    check_emergency_calling(changed, control.profile, EMERGENCY_CALLING)
    control.store.commit(changed)
    return {EMERGENCY_CALLING: shape_of(given)}


def get_voice_connector_emergency_calling_configuration(control: Control, asked: Fields) -> Fields:
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    known = connector.emergency_calling_configuration
    return {EMERGENCY_CALLING: shape_of(_found(connector, known, EMERGENCY_CALLING))}


def delete_voice_connector_emergency_calling_configuration(control: Control, asked: Fields) -> Fields:
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    if connector.emergency_calling_configuration:
        control.store.commit(replace(connector, emergency_calling_configuration=None))
    return {}


def put_voice_connector_streaming_configuration(control: Control, asked: Fields) -> Fields:
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    given = streaming_configuration(asked[STREAMING], STREAMING)
    changed = replace(connector, streaming_configuration=given)
    control.store.commit(changed, *(() if given.disabled else role_owed(control.store.snapshot)))
    return {STREAMING: shape_of(given)}


def get_voice_connector_streaming_configuration(control: Control, asked: Fields) -> Fields:
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    return {STREAMING: shape_of(_found(connector, connector.streaming_configuration, STREAMING))}


def delete_voice_connector_streaming_configuration(control: Control, asked: Fields) -> Fields:
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    if connector.streaming_configuration:
        control.store.commit(replace(connector, streaming_configuration=None))
    return {}


def put_voice_connector_logging_configuration(control: Control, asked: Fields) -> Fields:
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    given = logging_configuration(asked[LOGGING], LOGGING)
    control.store.commit(replace(connector, logging_configuration=given))
    return {LOGGING: shape_of(given)}


def get_voice_connector_logging_configuration(control: Control, asked: Fields) -> Fields:
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    return {LOGGING: shape_of(connector.logging_configuration or LoggingConfiguration())}


def put_voice_connector_external_systems_configuration(control: Control, asked: Fields) -> Fields:
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    lists = {key: asked[key] for key in ("SessionBorderControllerTypes", "ContactCenterSystemTypes") if key in asked}
    given = external_systems_configuration(lists, EXTERNAL_SYSTEMS)
    control.store.commit(replace(connector, external_systems_configuration=given))
    return {EXTERNAL_SYSTEMS: shape_of(given)}


def get_voice_connector_external_systems_configuration(control: Control, asked: Fields) -> Fields:
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    known = connector.external_systems_configuration
    return {EXTERNAL_SYSTEMS: shape_of(_found(connector, known, EXTERNAL_SYSTEMS))}


def delete_voice_connector_external_systems_configuration(control: Control, asked: Fields) -> Fields:
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    if connector.external_systems_configuration:
        control.store.commit(replace(connector, external_systems_configuration=None))
    return {}


def _found(connector: VoiceConnector, known: T | None, name: str) -> T:
    if known is None:
        id_ = connector.voice_connector_id
        raise ApiError(
            "NotFoundException", f"Voice Connector {id_} has no {name}; PutVoiceConnector{name} gives it one"
        )
    return known

"""Termination: what a PBX may do on its way to the PSTN, its digest users, and its last OPTIONS (guide p. 61)."""

from dataclasses import replace

from ..trunk.model import PhoneNumber, Termination, VoiceConnector
from ..trunk.shapes import check_credentials, check_termination, credential, shape_of, termination
from ..trunk.tables import ShapeError
from .context import Control, Fields
from .errors import ApiError


def put_voice_connector_termination(control: Control, asked: Fields) -> Fields:
    """In place of what was there; the digest users stay."""
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    given = termination(asked["Termination"], "Termination")
    check_termination(given, control.profile, "Termination")
    if control.profile.calling_regions_required and "CallingRegions" not in asked["Termination"]:
        raise ShapeError("Termination.CallingRegions", "is missing: it has the countries that may be called")
    _check_default_phone_number(control, given)
    control.store.commit(replace(connector, termination=given))
    return {"Termination": _shown(control, given)}


def get_voice_connector_termination(control: Control, asked: Fields) -> Fields:
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    return {"Termination": _shown(control, _termination_of(connector))}


def delete_voice_connector_termination(control: Control, asked: Fields) -> Fields:
    """Nothing may be called any more; the digest users stay."""
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    # Unverified: what a second delete answers; a script that the service takes must not fail here.
    if connector.termination:
        control.store.commit(replace(connector, termination=None))
    return {}


def get_voice_connector_termination_health(control: Control, asked: Fields) -> Fields:
    """The last successful OPTIONS of the PBX; before the first one, health without members."""
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    _termination_of(connector)
    health = control.store.termination_health(connector.voice_connector_id)
    # Unverified: what the service shows before the first OPTIONS.
    return {"TerminationHealth": {"Source": health.source, "Timestamp": health.timestamp} if health else {}}


def put_voice_connector_termination_credentials(control: Control, asked: Fields) -> Fields:
    """More digest users; one that is there gets another password.

    AWS's texts say "adds" (2018) and "updates" (2022), and there is an operation to delete by name: so others stay.
    """
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    if control.profile.termination_before_credentials:
        _termination_of(connector)
    given = [credential(item, f"Credentials[{place}]") for place, item in enumerate(asked.get("Credentials", []))]
    if len({new.username for new in given}) < len(given):
        raise ShapeError("Credentials", "(not shown): two of them have the same Username")
    users = {known.username: known for known in (*connector.credentials, *given)}
    credentials = tuple(users.values())
    check_credentials(credentials, control.profile, "Credentials")
    if given:
        control.store.commit(replace(connector, credentials=credentials))
    return {}


def list_voice_connector_termination_credentials(control: Control, asked: Fields) -> Fields:
    """The names alone; nobody gets a password back."""
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    return {"Usernames": [known.username for known in connector.credentials]}


def delete_voice_connector_termination_credentials(control: Control, asked: Fields) -> Fields:
    """Without those digest users, of whom some may be unknown; without any, digest is no longer asked for."""
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    left = tuple(known for known in connector.credentials if known.username not in asked["Usernames"])
    if len(left) < len(connector.credentials):
        control.store.commit(replace(connector, credentials=left))
    return {}


def _termination_of(connector: VoiceConnector) -> Termination:
    if connector.termination is None:
        message = f"Voice Connector {connector.voice_connector_id} has no termination; PutVoiceConnectorTermination"
        raise ApiError("NotFoundException", f"{message} gives it one")
    return connector.termination


def _check_default_phone_number(control: Control, given: Termination) -> None:
    number = given.default_phone_number
    if number and control.profile.default_phone_number_owned:
        snapshot = control.store.snapshot
        if number not in snapshot.all(PhoneNumber) or snapshot.awaits_deletion(number):
            problem = f"is not in the inventory: the profile {control.profile.name} takes numbers of the account only"
            raise ShapeError("Termination.DefaultPhoneNumber", problem)


def _shown(control: Control, known: Termination) -> Fields:
    """With the calls per second that apply where none were set."""
    return {"CpsLimit": control.profile.default_cps_limit, **shape_of(known)}

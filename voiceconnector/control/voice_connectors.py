"""Voice Connectors: create, look at, change, delete (guide p. 60-64)."""

from dataclasses import replace

from ..trunk.model import VoiceConnector
from ..trunk.store import Conflict
from .context import Control, Fields
from .errors import ApiError
from .pages import page
from .tags import tags_of_new

DEFAULT_REGION = "us-east-1"
"""Where a Voice Connector is created when nothing is asked for."""


def create_voice_connector(control: Control, asked: Fields) -> Fields:
    """A Voice Connector in a Region that is served, within the profile's quota for that Region."""
    region = asked.get("AwsRegion", DEFAULT_REGION)
    _check_region(control, region)
    connector = VoiceConnector(
        control.new_id(),
        asked["Name"],
        aws_region=region,
        require_encryption=asked["RequireEncryption"],
        network_type=asked.get("NetworkType", "IPV4_ONLY"),
        integration_type=asked.get("IntegrationType"),
    )
    control.store.commit(connector, *tags_of_new(connector.voice_connector_id, asked))
    return {"VoiceConnector": _shown(control, connector.voice_connector_id)}


def get_voice_connector(control: Control, asked: Fields) -> Fields:
    return {"VoiceConnector": _shown(control, asked["VoiceConnectorId"])}


def list_voice_connectors(control: Control, asked: Fields) -> Fields:
    """All of the account, of every Region."""
    connectors, token = page(tuple(control.store.snapshot.by_id.values()), asked)
    shown = [_shown(control, connector.voice_connector_id) for connector in connectors]
    return {"VoiceConnectors": shown, "NextToken": token}


def update_voice_connector(control: Control, asked: Fields) -> Fields:
    """Another name, or another RequireEncryption; encryption takes routes over TCP."""
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    control.store.commit(replace(connector, name=asked["Name"], require_encryption=asked["RequireEncryption"]))
    return {"VoiceConnector": _shown(control, connector.voice_connector_id)}


def delete_voice_connector(control: Control, asked: Fields) -> Fields:
    """With all that is configured on it, but not with numbers or out of a group (guide p. 63)."""
    connector = control.known(VoiceConnector, asked["VoiceConnectorId"])
    id_ = connector.voice_connector_id
    if connector.phone_numbers:
        count = len(connector.phone_numbers)
        raise Conflict(
            f"Voice Connector {id_} has {count} phone number{'s' if count > 1 else ''}; disassociate them first "
            "(DisassociatePhoneNumbersFromVoiceConnector)"
        )
    for group in control.store.snapshot.groups.values():
        if id_ in group.ranked:
            raise Conflict(
                f"Voice Connector {id_} is in group {group.voice_connector_group_id}; take it out first "
                "(UpdateVoiceConnectorGroup)"
            )
    control.store.commit(remove=[connector])
    return {}


def list_available_voice_connector_regions(control: Control, asked: Fields) -> Fields:
    """The Regions that are served here."""
    return {"VoiceConnectorRegions": list(control.regions)}


def _check_region(control: Control, region: str) -> None:
    if region not in control.regions:
        served = " and ".join(control.regions)
        raise ApiError("BadRequestException", f"Region {region} is not served, {served} is; [regions.{region}] adds it")
    most = control.profile.voice_connectors_max
    there = sum(connector.aws_region == region for connector in control.store.snapshot.by_id.values())
    way_out = "delete one, use another Region, or profile lab"
    control.check_quota(most, there, f"Voice Connectors in {region}", way_out)


def _shown(control: Control, voice_connector_id: str) -> Fields:
    """A connector as the API shows it."""
    connector = control.known(VoiceConnector, voice_connector_id)
    return {
        "VoiceConnectorId": connector.voice_connector_id,
        "AwsRegion": connector.aws_region,
        "Name": connector.name,
        "OutboundHostName": connector.outbound_host_name,
        "RequireEncryption": connector.require_encryption,
        "CreatedTimestamp": connector.created_timestamp,
        "UpdatedTimestamp": connector.updated_timestamp,
        "VoiceConnectorArn": control.arn(connector.aws_region, f"vc/{connector.voice_connector_id}"),
        "IntegrationType": connector.integration_type,
        "NetworkType": connector.network_type,
    }

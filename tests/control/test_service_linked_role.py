"""The role of Voice Connectors (guide p. 16-18): there once something streams, and deleted when nothing does."""

from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.control.cloud import Cloud
from tests.test_serve import CONFIGURATION, CONNECTOR, Served
from voiceconnector.control.context import Control
from voiceconnector.control.service_linked_role import delete_service_linked_role, get_service_linked_role
from voiceconnector.trunk.model import StreamingConfiguration, VoiceConnector
from voiceconnector.trunk.roles import ServiceLinkedRole, role_owed, service_linked_role, streaming
from voiceconnector.trunk.shapes import shape_of
from voiceconnector.trunk.store import Conflict, NotFound
from voiceconnector.trunk.tables import ShapeError

STREAMS = StreamingConfiguration(data_retention_in_hours=24)


def connector(number: int, configuration: StreamingConfiguration | None = STREAMS) -> VoiceConnector:
    return VoiceConnector(f"abcdef1ghij2klmno3pqr{number}", "lab", streaming_configuration=configuration)


def start(cloud: Cloud, *connectors: VoiceConnector) -> None:
    """What an operation that starts streaming commits."""
    cloud.do(lambda control: control.store.commit(*connectors, *role_owed(control.store.snapshot)))


def test_it_is_not_there_before_anything_streams(cloud: Cloud) -> None:
    with pytest.raises(NotFound, match="is created when a Voice Connector starts to stream"):
        cloud.do(get_service_linked_role)
    with pytest.raises(NotFound):
        cloud.do(delete_service_linked_role)


def test_it_is_what_the_guide_describes(cloud: Cloud) -> None:
    start(cloud, connector(1))
    role = cloud.do(get_service_linked_role)
    assert role["RoleName"] == "AWSServiceRoleForAmazonChimeVoiceConnector"
    assert role["Arn"] == (
        "arn:aws:iam::111122223333:role/aws-service-role/voiceconnector.chime.amazonaws.com/"
        "AWSServiceRoleForAmazonChimeVoiceConnector"
    )
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "voiceconnector.chime.amazonaws.com"}
    allowed = {(one["Action"], one["Resource"]) for one in role["PolicyDocument"]["Statement"]}
    assert allowed == {
        ("chime:GetVoiceConnector*", "*"),
        ("kinesisvideo:*", "arn:aws:kinesisvideo:us-east-1:111122223333:stream/ChimeVoiceConnector-*"),
        ("polly:SynthesizeSpeech", "*"),
    }
    assert role["CreateDate"] == "2022-04-15T05:20:00.250Z"


def test_it_is_made_once(cloud: Cloud) -> None:
    start(cloud, connector(1))
    cloud.clock.now += 60
    start(cloud, connector(2))
    assert cloud.do(get_service_linked_role)["CreateDate"] == "2022-04-15T05:20:00.250Z"


def test_it_is_deleted_once_no_connector_streams(cloud: Cloud) -> None:
    start(cloud, connector(1), connector(2))
    stopped = StreamingConfiguration(data_retention_in_hours=24, disabled=True)
    cloud.commit(connector(1, stopped))
    with pytest.raises(Conflict, match=r"media streaming of abcdef1ghij2klmno3pqr2 goes on"):
        cloud.do(delete_service_linked_role)
    cloud.commit(connector(2, None))
    cloud.do(delete_service_linked_role)
    with pytest.raises(NotFound):
        cloud.do(get_service_linked_role)
    start(cloud, connector(2))
    assert cloud.do(get_service_linked_role)


def test_it_comes_when_streaming_is_started_and_goes_when_it_is_stopped_everywhere(cloud: Cloud, voice: Any) -> None:
    """Guide p. 17, 66."""
    made = voice.create_voice_connector(Name="lab", RequireEncryption=False)
    id_ = made["VoiceConnector"]["VoiceConnectorId"]
    asked = {"DataRetentionInHours": 24, "Disabled": True}
    voice.put_voice_connector_streaming_configuration(VoiceConnectorId=id_, StreamingConfiguration=asked)
    with pytest.raises(NotFound):
        cloud.do(get_service_linked_role)
    asked["Disabled"] = False
    voice.put_voice_connector_streaming_configuration(VoiceConnectorId=id_, StreamingConfiguration=asked)
    assert cloud.do(get_service_linked_role)
    with pytest.raises(Conflict, match=id_):
        cloud.do(delete_service_linked_role)
    voice.delete_voice_connector_streaming_configuration(VoiceConnectorId=id_)
    cloud.do(delete_service_linked_role)
    with pytest.raises(NotFound):
        cloud.do(get_service_linked_role)


def test_it_comes_with_a_sip_media_application_too_and_again_with_its_next_change(cloud: Cloud, voice: Any) -> None:
    """Guide p. 17: "or create or update an Amazon Chime SDK SIP media application"."""
    endpoints = [{"LambdaArn": "arn:aws:lambda:us-east-1:111122223333:function:ivr"}]
    made = voice.create_sip_media_application(AwsRegion="us-east-1", Name="ivr", Endpoints=endpoints)
    cloud.do(delete_service_linked_role)
    id_ = made["SipMediaApplication"]["SipMediaApplicationId"]
    voice.update_sip_media_application(SipMediaApplicationId=id_, Name="menu")
    assert cloud.do(get_service_linked_role)


def test_only_connectors_whose_streaming_is_not_disabled_stream(cloud: Cloud) -> None:
    disabled = StreamingConfiguration(data_retention_in_hours=24, disabled=True)
    cloud.commit(connector(1), connector(2, disabled), connector(3, None))

    def ids(control: Control) -> list[str]:
        return [one.voice_connector_id for one in streaming(control.store.snapshot)]

    assert cloud.do(ids) == ["abcdef1ghij2klmno3pqr1"]


def test_its_shape_leads_back_to_it() -> None:
    role = ServiceLinkedRole()
    assert service_linked_role(shape_of(role), "role") == role
    with pytest.raises(ShapeError, match="must be AWSServiceRoleForAmazonChimeVoiceConnector"):
        service_linked_role({"RoleName": "Mine"}, "role")


def ask(served: Served, method: str) -> tuple[int, bytes]:
    connection = HTTPConnection(served.http.removeprefix("http://"), timeout=60)
    try:
        connection.request(method, "/emulator/iam/service-linked-role")
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_it_is_shown_and_deleted_over_http_and_edited_by_nobody(tmp_path: Path) -> None:
    streams = "{DataRetentionInHours=24, Disabled=false}"
    served = Served(tmp_path, f"voice_connectors[0].StreamingConfiguration={streams}")
    assert CONNECTOR in CONFIGURATION
    try:
        status, body = ask(served, "GET")
        assert (status, b"AWSServiceRoleForAmazonChimeVoiceConnector" in body) == (200, True)
        for method in ("PUT", "POST", "PATCH"):
            status, body = ask(served, method)
            assert (status, b"cannot be edited" in body) == (405, True)
        status, body = ask(served, "DELETE")
        assert (status, f"media streaming of {CONNECTOR} goes on".encode() in body) == (409, True)
    finally:
        served.stop()
    idle = Served(tmp_path)
    try:
        assert ask(idle, "GET")[0] == 200
    finally:
        idle.stop()

"""How answers are written: by the shapes of the models, in JSON."""

import pytest

from tests.control.cloud import Servers
from voiceconnector.control.output import iso_8601, shaper
from voiceconnector.control.service import Shape


def output(servers: Servers, operation: str) -> Shape:
    return servers.service.operations[operation].output


@pytest.mark.parametrize(
    ("time", "written"),
    [
        (1576177524.803, "2019-12-12T19:05:24.803Z"),  # in a trace of the service's answers
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_650_000_000.0, "2022-04-15T05:20:00.000Z"),
        (1_650_000_000.9999, "2022-04-15T05:20:00.999Z"),
    ],
)
def test_times_are_iso_8601_with_milliseconds_cut_off(time: float, written: str) -> None:
    assert iso_8601(time) == written


def test_what_the_model_does_not_know_and_none_are_left_out(servers: Servers) -> None:
    connector: dict[str, object] = {
        "Name": "lab",
        "IntegrationType": None,
        "RequireEncryption": False,
        "Owner": "me",
        "credentials": [],
    }
    assert shaper(output(servers, "GetVoiceConnector"))({"VoiceConnector": connector, "More": 1}) == {
        "VoiceConnector": {"Name": "lab", "RequireEncryption": False}
    }


def test_times_are_written_at_any_depth(servers: Servers) -> None:
    connectors = [{"CreatedTimestamp": 1576177524.803}, {"Name": "lab", "UpdatedTimestamp": 0.5}]
    assert shaper(output(servers, "ListVoiceConnectors"))({"VoiceConnectors": connectors, "NextToken": None}) == {
        "VoiceConnectors": [
            {"CreatedTimestamp": "2019-12-12T19:05:24.803Z"},
            {"Name": "lab", "UpdatedTimestamp": "1970-01-01T00:00:00.500Z"},
        ]
    }


def test_lists_of_plain_values_are_written_whatever_sequence_they_come_as(servers: Servers) -> None:
    asked = {"Termination": {"CallingRegions": ("US", "CA"), "CidrAllowedList": []}}
    assert shaper(output(servers, "GetVoiceConnectorTermination"))(asked) == {
        "Termination": {"CallingRegions": ["US", "CA"], "CidrAllowedList": []}
    }


def test_maps_are_written_with_their_keys(servers: Servers) -> None:
    times = Shape("Times", "map", key=Shape("Key", "string"), item=Shape("Time", "timestamp"))
    assert shaper(times)({"a": 0.0}) == {"a": "1970-01-01T00:00:00.000Z"}

"""The service models: each request of botocore's making is known for what it is."""

import json
from random import Random
from typing import Any
from urllib.parse import unquote, urlencode

import pytest
from botocore.serialize import create_serializer

from tests.control.cloud import SESSION, Servers
from tests.control.inputs import Inputs
from voiceconnector.control.service import CHIME, MODELS, VOICE, Service, members_within
from voiceconnector.control.validation import decode

MODELLED = {service: json.loads((MODELS / f"{service}.json").read_text()) for service in (VOICE, CHIME)}
OPERATIONS = [(service, name) for service, model in MODELLED.items() for name in model["operations"]]


@pytest.fixture
def service(servers: Servers) -> Service:
    return servers.service


@pytest.mark.parametrize(("api", "name"), OPERATIONS)
def test_what_botocore_asks_for_is_routed_and_read_back(service: Service, api: str, name: str) -> None:
    inputs, operation = Inputs(Random(name)), service.operations[name]
    model = SESSION.get_service_model(api).operation_model(name)
    shape = model.input_shape
    for _ in range(5):
        asked = inputs.of(operation.input)
        known = _known_to(shape, asked) if shape else {}
        sent = create_serializer("rest-json", False).serialize_to_request(known, model)
        path, _, literal = sent["url_path"].partition("?")
        query = dict([literal.split("=")] if literal else []) | (sent["query_string"] or {})
        segments = [unquote(segment) for segment in path.removeprefix("/").split("/")]
        assert service.route(sent["method"], segments, query) is operation
        body = sent["body"] if isinstance(sent["body"], bytes) else sent["body"].encode()
        fields, mistake = decode(operation, segments, {key: str(value) for key, value in query.items()}, body)
        assert mistake is None
        assert fields == known


def _known_to(shape: Any, asked: Any) -> Any:
    """What a service's own model has of it: the other one has more members."""
    if isinstance(asked, list):
        return [_known_to(shape.member, item) for item in asked]
    if not isinstance(asked, dict) or shape.type_name == "map":
        return asked
    return {name: _known_to(shape.members[name], value) for name, value in asked.items() if name in shape.members}


def test_an_operation_of_both_models_is_voices_with_what_chime_adds(service: Service) -> None:
    both = MODELLED[VOICE]["operations"].keys() & MODELLED[CHIME]["operations"].keys()
    assert len(both) == 16
    assert {service.operations[name].service for name in both} == {VOICE}
    types = dict(members_within(service.operations["CreatePhoneNumberOrder"].input))["ProductType"]
    assert set(types.choices) == {"VoiceConnector", "SipMediaApplicationDialIn", "BusinessCalling"}
    assert "BusinessCalling" in service.operations["UpdateGlobalSettings"].input.members


@pytest.mark.parametrize(
    ("method", "target", "name"),
    [
        ("POST", "/accounts/1/users", "BatchUpdateUser"),
        ("POST", "/accounts/1/users?operation=create", "CreateUser"),
        ("POST", "/accounts/1/users?operation=add", "InviteUsers"),
        ("POST", "/accounts/1/users?operation=suspend", "BatchSuspendUser"),
        ("POST", "/accounts/1/users/2", "UpdateUser"),
        ("POST", "/accounts/1/users/2?operation=logout", "LogoutUser"),
        ("POST", "/phone-numbers", None),
        ("POST", "/phone-numbers?operation=batch-delete", "BatchDeletePhoneNumber"),
        ("POST", "/phone-numbers/+12065550100", "UpdatePhoneNumber"),
        ("POST", "/phone-numbers/+12065550100?operation=restore", "RestorePhoneNumber"),
        ("GET", "/search?type=phone-numbers", "SearchAvailablePhoneNumbers"),
        ("GET", "/search", None),
        ("GET", "/voice-connectors/a/termination", "GetVoiceConnectorTermination"),
        ("GET", "/voice-connectors/a/termination/health", "GetVoiceConnectorTerminationHealth"),
        ("POST", "/voice-connectors/a/termination", None),
        ("PUT", "/voice-connectors/a/termination?operation=put", "PutVoiceConnectorTermination"),
    ],
)  # fmt: skip
def test_of_several_routes_the_one_with_most_literals_is_taken(
    service: Service, method: str, target: str, name: str | None
) -> None:
    path, _, query = target.partition("?")
    literals = dict([query.split("=")]) if query else {}
    found = service.route(method, path.removeprefix("/").split("/"), literals)
    assert (found.name if found else None) == name


def test_every_pattern_of_the_models_matches_something(service: Service) -> None:
    for operation in service.operations.values():
        Inputs(Random(1)).of(operation.input)


def test_no_two_operations_have_one_route(service: Service) -> None:
    routes = [
        (known.method, tuple("{" if "{" in part else part for part in known.segments), urlencode(known.query))
        for known in service.operations.values()
    ]
    assert len(set(routes)) == len(routes) == len({name for _, name in OPERATIONS})

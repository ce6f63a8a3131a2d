"""What holds for any configuration: it is read or refused in one line, and any profile value can be given."""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceconnector.config import ConfigError, load
from voiceconnector.description import describe
from voiceconnector.trunk.profile import Profile

DOCUMENT = """\
data_dir = "data"
[http]
address = "0.0.0.0:80"
[regions.eu-west-2]
udp = "[::1]:5060"
rtp_ports = [30000, 30999]
[[pstn.routes]]
match = "+1*"
behaviour = "reject-503"
ring_seconds = 0.2
[[voice_connectors]]
Name = "branch"
AwsRegion = "eu-west-2"
PhoneNumbers = ["+442079460123"]
[voice_connectors.Termination]
CallingRegions = ["GB", "IE"]
CidrAllowedList = ["::1/128"]
[[voice_connectors.Credentials]]
Username = "pbx"
Password = "secret"
[[voice_connectors.Origination.Routes]]
Host = "::1"
[overrides]
ring_timeout = 20
"""


def toml(value: object) -> str:
    """TOML for plain values; lone surrogates, which it cannot carry, are left out."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            encodable = value.encode(errors="ignore").decode()
            return json.dumps(encodable, ensure_ascii=False).replace("\x7f", "\\u007f")
        case dict():
            return "{" + ", ".join(f"{toml(key)} = {toml(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case _:
            return str(value)


@pytest.mark.parametrize("name", ["aws", "lab"])
def test_every_value_of_the_profile_can_be_overridden(tmp_path: Path, name: str) -> None:
    """Each value of one profile, written down, makes the other profile the same but for its name."""
    wanted = Profile.named(name)
    other = {"aws": "lab", "lab": "aws"}[name]
    lines = [f'profile = "{other}"', "[overrides]"]
    for field in fields(Profile):
        value = getattr(wanted, field.name)
        plain = "none" if value is None else list(value) if isinstance(value, tuple) else value
        lines += [f"{field.name} = {toml(plain)}"] if field.name != "name" else []
    path = tmp_path / "overrides.toml"
    path.write_text("\n".join(lines))
    assert load(path).profile == replace(wanted, name=other)


def test_the_good_document_is_read(tmp_path: Path) -> None:
    path = tmp_path / "good.toml"
    path.write_text(DOCUMENT)
    load(path)


KEYS = (
    "profile", "overrides", "data_dir", "account_id", "http", "dns", "regions", "pstn", "voice_connectors",
    "address", "us-east-1", "udp", "rtp_ports", "enabled", "routes", "match", "behaviour", "target", "play",
    "ring_seconds", "VoiceConnectorId", "Name", "AwsRegion", "PhoneNumbers", "Termination", "CpsLimit",
    "CidrAllowedList", "CallingRegions", "Credentials", "Username", "Password", "Origination", "Routes",
    "Host", "Port", "ring_timeout", "codecs", "active_calls_quota", "",
)  # fmt: skip
VALUES = (
    "lab", "aws", "none", "127.0.0.1:0", "[::1]:5060", "[::]:5060", "127.0.0.1/8", "::/0",
    "+12065550100", "US",
    "sip:h", "answer", "play", "UDP", "us-west-2", "/", ".", "\0", "a\nb", "\u2028", "1" * 400,
)  # fmt: skip
scalars = st.one_of(
    st.sampled_from(VALUES),
    st.integers(-1, 70_000),
    st.integers(),
    st.booleans(),
    st.floats(),
    st.text(max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)


def refused_in_one_line(path: Path, text: str, *settings: str) -> None:
    path.write_text(text)
    refused = ""
    try:
        describe(load(path, settings))
    except ConfigError as error:
        refused = str(error)
    assert len(refused.splitlines()) <= 1
    assert not refused or settings or str(path) in refused


@settings(max_examples=60, deadline=None)
@given(document=st.dictionaries(st.sampled_from(KEYS), values, max_size=4))
def test_any_document_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, document: dict[str, object]) -> None:
    text = "".join(f"{toml(key)} = {toml(value)}\n" for key, value in document.items())
    refused_in_one_line(tmp_path_factory.getbasetemp() / "any.toml", text)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_good_document_with_any_change_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lines = DOCUMENT.splitlines()
    index = data.draw(st.integers(0, len(lines) - 1))
    key, equals, _ = lines[index].partition(" = ")
    changed = f"{key} = {toml(data.draw(values))}" if equals else data.draw(st.text(max_size=20))
    text = "\n".join([*lines[:index], changed.encode(errors="ignore").decode(), *lines[index + 1 :]])
    refused_in_one_line(tmp_path_factory.getbasetemp() / "changed.toml", text)


@settings(max_examples=60, deadline=None)
@given(
    path=st.lists(st.sampled_from((*KEYS, "0", "1", "[0]", "[", "９")), min_size=1, max_size=5),
    value=st.text(max_size=12) | values.map(toml),
)
def test_any_setting_is_taken_or_refused(tmp_path_factory: pytest.TempPathFactory, path: list[str], value: str) -> None:
    refused_in_one_line(tmp_path_factory.getbasetemp() / "set.toml", DOCUMENT, f"{'.'.join(path)}={value}")

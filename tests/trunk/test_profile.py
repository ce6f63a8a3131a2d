"""The two emulation profiles, against what is published about the service."""

import ast
import dataclasses
import inspect
from itertools import pairwise
from typing import get_args

import pytest

from voiceconnector.media.sdes import SUITES
from voiceconnector.trunk import profile as module
from voiceconnector.trunk.profile import AWS, LAB, Profile, Suite


def test_a_profile_is_found_by_its_name() -> None:
    assert Profile.named("aws") is AWS
    assert Profile.named("lab") is LAB


def test_another_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match='no profile "AWS"; the profiles are aws and lab'):
        Profile.named("AWS")


def test_the_aws_profile_has_the_published_values() -> None:
    """Amazon Chime SDK endpoints and quotas; Voice Connector settings; the trunking guide for CUBE."""
    assert AWS.codecs == ("PCMU",)
    assert (
        AWS.default_cps_limit,
        AWS.active_calls_quota,
        AWS.voice_connectors_max,
        AWS.phone_numbers_max,
    ) == (
        1,
        10,
        3,
        5,
    )
    assert (AWS.voice_connector_groups_max, AWS.group_members_max) == (3, 3)
    assert (AWS.allowed_prefix_min, AWS.cidr_allowed_list_max, AWS.credentials_max) == (27, 10, 10)
    assert not AWS.private_addresses_allowed
    assert not AWS.options_shows_capabilities


def test_the_lab_profile_has_no_quotas_and_takes_private_addresses() -> None:
    quotas = [name for name in Profile.__slots__ if name.endswith(("_max", "_quota")) or "default_cps" in name]
    assert len(quotas) == 12
    assert all(getattr(LAB, name) is None for name in quotas)
    assert LAB.private_addresses_allowed
    assert LAB.address_as_host


def test_both_profiles_accept_the_methods_of_a_call() -> None:
    """RFC 3261; UPDATE is RFC 3311, INFO RFC 6086."""
    assert set(AWS.methods) == {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"}
    assert set(LAB.methods) == {*AWS.methods, "UPDATE", "INFO"}


def test_suites_of_secure_rtp_are_those_that_are_known() -> None:
    """RFC 4568 6.2, RFC 6188, RFC 7714: what may stand in the profile can also be negotiated."""
    assert set(get_args(Suite)) == set(SUITES)


def test_every_value_says_what_it_is() -> None:
    tree = ast.parse(inspect.getsource(module))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
    documented = {
        field.target.id
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }
    assert documented == {field.name for field in dataclasses.fields(Profile)}

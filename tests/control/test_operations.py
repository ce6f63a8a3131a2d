"""The operations that are emulated: each has one function, and the README lists them."""

import subprocess
import sys
from pathlib import Path

from tests.control.cloud import Servers
from voiceconnector.control.operations import MODULES, functions, snake_case

ROOT = Path(__file__).parent.parent.parent


def test_operations_are_named_in_snake_case() -> None:
    assert snake_case("GetVoiceConnector") == "get_voice_connector"
    assert snake_case("ResetPersonalPIN") == "reset_personal_pin"
    assert snake_case("ValidateE911Address") == "validate_e911_address"
    assert (
        snake_case("AssociatePhoneNumbersWithVoiceConnectorGroup")
        == "associate_phone_numbers_with_voice_connector_group"
    )


def test_each_operation_is_done_in_one_file(servers: Servers) -> None:
    for name in functions(servers.service.operations):
        assert len([module for module in MODULES if hasattr(module, snake_case(name))]) == 1, name


def test_the_readme_lists_the_operations_that_are_emulated() -> None:
    table = subprocess.run([sys.executable, ROOT / "tools/api_table", "--check"], capture_output=True, text=True)
    assert table.returncode == 0, table.stderr

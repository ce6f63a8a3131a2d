"""botocore of May 2022, when `chime` had the operations of Voice Connectors: scripts of that time still work."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.emulator import Emulator, new_place, running_emulator
from tests.interop.test_aws_cli import CONFIGURATION

pytestmark = pytest.mark.interop

BOTOCORE = "botocore==1.27.0"
SCRIPT = """
import json, sys, botocore, botocore.session

client = botocore.session.get_session().create_client(
    "chime", region_name="us-east-1", endpoint_url=sys.argv[1], aws_access_key_id="old", aws_secret_access_key="old"
)
made = client.create_voice_connector(Name="lab", AwsRegion="us-west-2", RequireEncryption=False)["VoiceConnector"]
there = {"VoiceConnectorId": made["VoiceConnectorId"]}
termination = {"CpsLimit": 1, "CallingRegions": ["US"], "CidrAllowedList": ["192.0.2.0/27"], "Disabled": False}
credentials = [{"Username": "pbx", "Password": "secret"}]
routes = [{"Host": "192.0.2.7", "Port": 5060, "Protocol": "UDP", "Priority": 1, "Weight": 5}]
streaming = {"DataRetentionInHours": 24}
client.put_voice_connector_termination(Termination=termination, **there)
client.put_voice_connector_termination_credentials(Credentials=credentials, **there)
client.put_voice_connector_origination(Origination={"Routes": routes, "Disabled": False}, **there)
client.put_voice_connector_streaming_configuration(StreamingConfiguration=streaming, **there)
shown = {
    "version": botocore.__version__,
    "connector": client.get_voice_connector(**there)["VoiceConnector"]["Name"],
    "termination": client.get_voice_connector_termination(**there)["Termination"] == termination,
    "usernames": client.list_voice_connector_termination_credentials(**there)["Usernames"],
    "routes": client.get_voice_connector_origination(**there)["Origination"]["Routes"] == routes,
    "streaming": client.get_voice_connector_streaming_configuration(**there)["StreamingConfiguration"],
}
client.delete_voice_connector(**there)
try:
    client.get_voice_connector(**there)
except client.exceptions.NotFoundException as error:
    shown["gone"] = error.response["ResponseMetadata"]["HTTPStatusCode"]
print(json.dumps(shown))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with botocore of that time, which the one under test cannot be."""
    folder = tmp_path_factory.mktemp("botocore")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True, timeout=300)
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", BOTOCORE]
    done = subprocess.run(install, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        pytest.skip(f"{BOTOCORE} cannot be had from the package index: {reason}")
    return python


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    yield from running_emulator(CONFIGURATION, new_place(), tmp_path_factory.mktemp("chime"))


def test_chime_s_client_of_may_2022_creates_and_configures_a_connector(python: Path, emulator: Emulator) -> None:
    done = subprocess.run(
        [str(python), "-c", SCRIPT, emulator.url], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    shown: dict[str, Any] = json.loads(done.stdout)
    streaming = shown.pop("streaming")
    assert (streaming["DataRetentionInHours"], streaming["Disabled"]) == (24, False)
    assert shown == {
        "version": "1.27.0",
        "connector": "lab",
        "termination": True,
        "usernames": ["pbx"],
        "routes": True,
        "gone": 404,
    }

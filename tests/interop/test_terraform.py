"""Terraform's own provider makes a trunk, finds it as it made it, changes it and takes it away again."""

import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.emulator import Emulator, new_place, running_emulator
from tests.interop.test_aws_cli import CONFIGURATION

pytestmark = pytest.mark.interop

PLUGINS = "TERRAFORM_PLUGINS"
"""Names a folder with the provider, for machines that do not reach Terraform's registry."""
PROVIDER = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "terraform"
  secret_key                  = "terraform"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
  endpoints {
    chime         = "URL"
    chimesdkvoice = "URL"
  }
}
"""
TRUNK = """
resource "aws_chime_voice_connector" "lab" {
  name               = "lab"
  require_encryption = false
  tags               = { team = "voice" }
}
resource "aws_chime_voice_connector" "other" {
  name               = "other"
  require_encryption = true
  aws_region         = "us-west-2"
}
resource "aws_chime_voice_connector_termination" "lab" {
  voice_connector_id = aws_chime_voice_connector.lab.id
  calling_regions    = ["US"]
  cidr_allow_list    = ["192.0.2.1/32"]
  cps_limit          = 1
}
resource "aws_chime_voice_connector_termination_credentials" "lab" {
  voice_connector_id = aws_chime_voice_connector.lab.id
  credentials {
    username = "pbx"
    password = "secret"
  }
  depends_on = [aws_chime_voice_connector_termination.lab]
}
resource "aws_chime_voice_connector_origination" "lab" {
  voice_connector_id = aws_chime_voice_connector.lab.id
  route {
    host     = "192.0.2.1"
    port     = 5060
    protocol = "UDP"
    priority = 1
    weight   = 1
  }
}
resource "aws_chime_voice_connector_logging" "lab" {
  voice_connector_id       = aws_chime_voice_connector.lab.id
  enable_sip_logs          = true
  enable_media_metric_logs = true
}
resource "aws_chime_voice_connector_streaming" "lab" {
  voice_connector_id             = aws_chime_voice_connector.lab.id
  disabled                       = false
  data_retention                 = 7
  streaming_notification_targets = ["SQS"]
}
resource "aws_chime_voice_connector_group" "both" {
  name = "both"
  connector {
    voice_connector_id = aws_chime_voice_connector.lab.id
    priority           = 1
  }
  connector {
    voice_connector_id = aws_chime_voice_connector.other.id
    priority           = 2
  }
}
resource "aws_chimesdkvoice_sip_media_application" "answer" {
  aws_region = "us-east-1"
  name       = "answer"
  endpoints {
    lambda_arn = "arn:aws:lambda:us-east-1:111122223333:function:answer"
  }
}
resource "aws_chimesdkvoice_sip_rule" "answer" {
  name          = "answer"
  trigger_type  = "RequestUriHostname"
  trigger_value = aws_chime_voice_connector.lab.outbound_host_name
  target_applications {
    priority                 = 1
    sip_media_application_id = aws_chimesdkvoice_sip_media_application.answer.id
    aws_region               = "us-east-1"
  }
}
"""


class Terraform:
    """Terraform in a folder of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._provider = PROVIDER.replace("URL", url)
        self._environment = os.environ | {"TF_IN_AUTOMATION": "1", "NO_PROXY": "127.0.0.0/8", "no_proxy": "127.0.0.0/8"}
        self.write(TRUNK)

    def write(self, resources: str) -> None:
        (self._folder / "main.tf").write_text(self._provider + resources)

    def run(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["terraform", command, "-no-color", "-input=false", *options],
            cwd=self._folder, env=self._environment, capture_output=True, text=True, timeout=1200, check=False,
        )  # fmt: skip

    def done(self, command: str, *options: str) -> str:
        """What it says, which must not fail."""
        ran = self.run(command, *options)
        assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
        return ran.stdout


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Its SIP rules can be deleted while they are enabled, as Terraform does it."""
    config = f"{CONFIGURATION}enabled_sip_rules_deletable = true\n"
    yield from running_emulator(config, new_place(), tmp_path_factory.mktemp("emulator"))


@pytest.fixture
def terraform(emulator: Emulator, tmp_path: Path) -> Terraform:
    if not shutil.which("terraform"):
        pytest.skip("terraform is not installed (https://developer.hashicorp.com/terraform/install)")
    opened = Terraform(tmp_path, emulator.url)
    plugins = os.environ.get(PLUGINS)
    ran = opened.run("init", *([f"-plugin-dir={plugins}"] if plugins else []))
    if ran.returncode:
        reason = " ".join(ran.stderr.split())[-300:]
        pytest.skip(f"Terraform cannot get its provider (name a folder that has it in {PLUGINS}): {reason}")
    return opened


def test_a_trunk_is_made_found_changed_and_taken_away(terraform: Terraform, emulator: Emulator) -> None:
    assert "10 added, 0 changed, 0 destroyed" in terraform.done("apply", "-auto-approve")
    assert "No changes." in terraform.done("plan")
    terraform.write(TRUNK.replace("weight   = 1", "weight   = 9").replace('team = "voice"', 'team = "sip"'))
    assert "0 added, 2 changed, 0 destroyed" in terraform.done("apply", "-auto-approve")
    (lab,) = (each for each in exported(emulator)["voice_connectors"] if each["Name"] == "lab")
    assert lab["Origination"]["Routes"][0]["Weight"] == 9
    assert "10 destroyed" in terraform.done("destroy", "-auto-approve")
    assert not {"voice_connectors", "voice_connector_groups", "sip_rules", "tags"} & exported(emulator).keys()


def exported(emulator: Emulator) -> dict[str, Any]:
    return tomllib.loads(emulator.command("export").stdout)

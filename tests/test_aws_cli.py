"""`voiceconnector aws`: what the aws CLI is told, and how it is run."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_serve import Served, environment
from voiceconnector.aws_cli import arguments_for, environment_for

URL = "http://127.0.0.1:8060"
LIST = ("chime-sdk-voice", "list-voice-connectors")


def told(home: Path, *arguments: str, **known: str) -> dict[str, str]:
    return environment_for(URL, arguments or LIST, known, home)


def kept(home: Path, file: str, text: str) -> Path:
    path = home / ".aws" / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_every_service_that_is_emulated_has_its_endpoint_here(tmp_path: Path) -> None:
    """The variables are those of the AWS SDKs' reference: AWS_ENDPOINT_URL_ and the service's id."""
    environment = told(tmp_path)
    for service in ("CHIME_SDK_VOICE", "CHIME", "KINESIS_VIDEO", "KINESIS_VIDEO_MEDIA", "KINESIS_VIDEO_ARCHIVED_MEDIA"):
        assert environment[f"AWS_ENDPOINT_URL_{service}"] == URL
    assert "AWS_ENDPOINT_URL" not in environment


def test_an_old_cli_which_knows_no_variables_is_told_too() -> None:
    assert arguments_for(URL, LIST) == ["--endpoint-url", URL, *LIST]
    assert arguments_for(URL, ("s3", "ls")) == ["s3", "ls"]
    other = ("chime", "list-accounts", "--endpoint-url", "http://127.0.0.1:1")
    assert arguments_for(URL, other) == list(other)


def test_who_has_neither_region_nor_credentials_is_given_some(tmp_path: Path) -> None:
    environment = told(tmp_path)
    assert environment["AWS_DEFAULT_REGION"] == "us-east-1"
    assert environment["AWS_ACCESS_KEY_ID"]
    assert environment["AWS_SECRET_ACCESS_KEY"]


def test_a_region_that_only_newer_programs_know_is_taken(tmp_path: Path) -> None:
    assert told(tmp_path, AWS_REGION="us-west-2")["AWS_DEFAULT_REGION"] == "us-west-2"


def test_what_the_user_has_stays(tmp_path: Path) -> None:
    mine = {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "mine",
        "AWS_DEFAULT_REGION": "eu-west-2",
    }
    environment = told(tmp_path, **mine)
    assert {key: environment[key] for key in mine} == mine


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("credentials", "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = mine\n"),
        ("config", "[default]\nregion = eu-west-2\nsso_session = mine\n"),
        ("config", "[default]\ncredential_process = /usr/bin/mine\n"),
    ],
)
def test_credentials_in_the_user_s_files_are_used(tmp_path: Path, file: str, text: str) -> None:
    kept(tmp_path, file, text)
    environment = told(tmp_path)
    assert "AWS_ACCESS_KEY_ID" not in environment
    assert ("AWS_DEFAULT_REGION" in environment) == ("region" not in text)


def test_files_and_profiles_that_the_environment_names_are_used(tmp_path: Path) -> None:
    mine = kept(tmp_path, "mine", "[lab]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = mine\n")
    settings = kept(tmp_path, "settings", "[profile lab]\nregion = eu-west-2\n")
    named = {"AWS_SHARED_CREDENTIALS_FILE": str(mine), "AWS_CONFIG_FILE": str(settings), "AWS_PROFILE": "lab"}
    environment = told(tmp_path, **named)
    assert not {"AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION"} & environment.keys()
    assert "AWS_ACCESS_KEY_ID" in told(tmp_path, **{**named, "AWS_PROFILE": "other"})


def test_a_profile_on_the_command_line_is_the_cli_s_business(tmp_path: Path) -> None:
    for arguments in (("--profile", "lab", *LIST), (*LIST, "--profile=lab")):
        assert not {"AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION"} & told(tmp_path, *arguments).keys()


def test_a_file_that_cannot_be_understood_is_left_to_the_cli(tmp_path: Path) -> None:
    kept(tmp_path, "credentials", "no section\n")
    assert "AWS_ACCESS_KEY_ID" in told(tmp_path)


def test_a_proxy_is_passed_by(tmp_path: Path) -> None:
    assert told(tmp_path, HTTP_PROXY="http://proxy")["NO_PROXY"] == "127.0.0.1"
    assert told(tmp_path, no_proxy="example.com")["no_proxy"] == "example.com,127.0.0.1"


# The command


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    running = Served(tmp_path_factory.mktemp("served"))
    yield running
    running.kill()


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with an `aws` that says how it was run, and exits with 3."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "aws"
    say = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)])); sys.exit(3)"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{say}' \"$@\"\n")
    program.chmod(0o755)
    return folder


def run(programs: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "voiceconnector", "aws", *arguments],
        capture_output=True, text=True, timeout=120, check=False,
        env=environment() | {"PATH": str(programs), "HOME": str(programs)},
    )  # fmt: skip


def test_the_cli_gets_all_arguments_and_its_exit_code_is_the_command_s(served: Served, programs: Path) -> None:
    asked = ("--output", "table", "chime-sdk-voice", "list-voice-connectors", "--max-results", "3", "--help")
    done = run(programs, "--url", served.http, *asked)
    assert (done.returncode, done.stderr) == (3, "")
    arguments, told = json.loads(done.stdout)
    assert arguments == ["--endpoint-url", served.http, *asked]
    assert told["AWS_ENDPOINT_URL_CHIME_SDK_VOICE"] == served.http


def test_a_cli_that_is_not_installed_is_told(served: Served, tmp_path: Path) -> None:
    done = run(tmp_path, "--url", served.http, *LIST)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("voiceconnector: the aws CLI is not installed: there is no aws on the PATH.")


def test_an_emulator_that_does_not_run_is_told(programs: Path) -> None:
    done = run(programs, "--url", "http://127.0.0.1:1", *LIST)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("voiceconnector: no emulator answers at http://127.0.0.1:1")


def test_a_cli_that_cannot_be_run_is_told(served: Served, programs: Path) -> None:
    (programs / "aws").write_text("#!/no/such/interpreter\n")
    done = run(programs, "--url", served.http, *LIST)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"voiceconnector: {programs / 'aws'}: cannot be run: ")

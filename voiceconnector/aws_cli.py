"""`voiceconnector aws`: the user's own aws CLI, pointed at the emulator."""

import configparser
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import click

from .asking import fail, get, url_option

SERVICES = {
    "chime-sdk-voice": "CHIME_SDK_VOICE",
    "chime": "CHIME",
    "kinesisvideo": "KINESIS_VIDEO",
    "kinesis-video-media": "KINESIS_VIDEO_MEDIA",
    "kinesis-video-archived-media": "KINESIS_VIDEO_ARCHIVED_MEDIA",
}
"""What is emulated: the command of the CLI, and the end of the variable that names its endpoint."""
DEFAULT_REGION = "us-east-1"
_DUMMY = "voiceconnector"
_CREDENTIALS = frozenset(
    {"aws_access_key_id", "credential_process", "login_session", "role_arn", "sso_session", "sso_start_url"}
)
"""Keys of a profile that say where its credentials come from."""


@click.command(
    "aws",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    options_metavar="[--url TEXT]",
)
@url_option
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED)
def aws(arguments: tuple[str, ...], url: str) -> None:
    """Run the aws CLI that is installed here, with the running emulator in place of AWS.

    Region and credentials are made up where there are none. All ARGUMENTS are the CLI's, and so is the exit code.

    \b
    Examples:
      voiceconnector aws chime-sdk-voice create-voice-connector --name lab --no-require-encryption
      voiceconnector aws chime-sdk-voice list-phone-numbers --output table
    """
    program = shutil.which("aws")
    if not program:
        fail("the aws CLI is not installed: there is no aws on the PATH. Install it with: pip install awscli")
    get(url, "/emulator/health")
    sys.stdout.flush()
    environment = environment_for(url, arguments, os.environ, Path.home())
    try:
        os.execve(program, [program, *arguments_for(url, arguments)], environment)
    except OSError as error:
        fail(f"{program}: cannot be run: {error.strerror}")


def arguments_for(url: str, arguments: Sequence[str]) -> list[str]:
    """What the CLI is asked, with the endpoint: a CLI of before July 2023 does not know the variables."""
    if "--endpoint-url" in arguments or not any(service in arguments for service in SERVICES):
        return list(arguments)
    return ["--endpoint-url", url, *arguments]


def environment_for(url: str, arguments: Sequence[str], environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """The CLI's environment, with endpoints, and with a Region and credentials where the user has none."""
    changed = {f"AWS_ENDPOINT_URL_{service}": url for service in SERVICES.values()}
    if not any(argument.startswith("--profile") for argument in arguments):
        changed |= _made_up(environment, home)
    return {**environment, **changed, **_past_proxies(url, environment)}


def _made_up(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """A Region and credentials, where neither the environment nor the user's files have them."""
    profile = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE") or "default"
    section = profile if profile == "default" else f"profile {profile}"
    credentials = _section(environment.get("AWS_SHARED_CREDENTIALS_FILE"), home / ".aws/credentials", profile)
    settings = _section(environment.get("AWS_CONFIG_FILE"), home / ".aws/config", section)
    made_up = {}
    if "AWS_ACCESS_KEY_ID" not in environment and not _CREDENTIALS & {*credentials, *settings}:
        made_up = {"AWS_ACCESS_KEY_ID": _DUMMY, "AWS_SECRET_ACCESS_KEY": _DUMMY}
    if "AWS_DEFAULT_REGION" not in environment and "region" not in settings:
        made_up["AWS_DEFAULT_REGION"] = environment.get("AWS_REGION", DEFAULT_REGION)
    return made_up


def _section(named: str | None, usual: Path, section: str) -> Mapping[str, str]:
    """A section of one of the CLI's files; empty where there is none that can be read."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(Path(named).expanduser() if named else usual)
    except (configparser.Error, UnicodeDecodeError):
        return {}  # the CLI itself says what is wrong with it
    return dict(parser.items(section)) if parser.has_section(section) else {}


def _past_proxies(url: str, environment: Mapping[str, str]) -> dict[str, str]:
    """A proxy of the user's does not lead to this machine."""
    host = urlsplit(url).hostname or ""
    known = environment.get("no_proxy") or environment.get("NO_PROXY")
    everything = f"{known},{host}" if known else host
    return {"no_proxy": everything, "NO_PROXY": everything}

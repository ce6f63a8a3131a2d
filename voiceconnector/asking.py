"""What the commands ask of a running emulator, over HTTP, and how they fail."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import NoReturn, TypeVar

import click

DEFAULT_URL = "http://127.0.0.1:8060"
URL_HELP = "Where the running emulator serves HTTP."
ANSWER_SECONDS = 10.0
"""How long an emulator may take to answer, unless it is told to do much."""

Command = TypeVar("Command", bound=Callable[..., object])


class Refused(Exception):
    """The emulator answered no; the text says why."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message)
        self.path = path
        """Which value of what was sent it is about; empty where it is about no single one."""


def url_option(command: Command) -> Command:
    """The option `--url`."""
    option = click.option("--url", default=DEFAULT_URL, show_default=True, envvar="VOICECONNECTOR_URL", help=URL_HELP)
    return option(command)


def fail(message: str, code: int = 1) -> NoReturn:
    """End with one clear line on stderr."""
    click.echo(f"voiceconnector: {message}", err=True)
    sys.exit(code)


def get(url: str, path: str, order: object = None, method: str | None = None) -> bytes:
    """What a path answers; an order is posted to it as JSON. Ends the command where the answer is no, or none."""
    try:
        return ask(url, path, order, method)
    except Refused as error:
        fail(str(error))


def ask(url: str, path: str, order: object = None, method: str | None = None, seconds: float = ANSWER_SECONDS) -> bytes:
    """The same. Raises Refused where the answer is no."""
    data = None if order is None else json.dumps(order).encode()
    request = urllib.request.Request(f"{url}{path}", data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:
            body: bytes = response.read()
            return body
    except urllib.error.HTTPError as error:
        answer = json.loads(error.read())
        raise Refused(answer.get("message", str(error)), answer.get("path", "")) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        fail(f"no emulator answers at {url} ({reason}). Start one with: voiceconnector serve")

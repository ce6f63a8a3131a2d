"""The emulator as a process, started from a configuration of sbc_configs at a loopback address of its own."""

import itertools
import json
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest

Transport = Literal["udp", "tcp"]
Fields = dict[str, Any]
"""A JSON object whose shape is the emulator's."""
T = TypeVar("T")

ROOT = Path(__file__).parents[2]
SBC_CONFIGS = ROOT / "sbc_configs"


def wait_for(what: str, probe: Callable[[], T | None], seconds: float = 10.0) -> T:
    """The first answer of `probe` that is not false; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.02)


class Place:
    """Where an emulator and its peers run: a loopback address of their own, with the ports that the files have.

    Nobody else on the machine is there, so no port has to be looked for; but of ::1 there is only one.
    """

    def __init__(self, host: str) -> None:
        self.host = host
        self.ipv6_port = free_ipv6_port()
        self._peer_ports = itertools.count(10_000, 4)

    def move(self, text: str) -> str:
        """The text of a configuration file, for this place."""
        text = text.replace("127.0.0.1", self.host)
        return re.sub(r"\[::1\]:\d+", f"[::1]:{self.ipv6_port}", text)

    def peer_port(self) -> int:
        """The first of four ports for a peer, one for SIP or four for media."""
        return next(self._peer_ports)


def new_place() -> Place:
    """A place that no other test run on this machine has, as far as chance goes."""
    return Place("127." + ".".join(str(secrets.randbelow(250) + 2) for _ in range(3)))


def free_ipv6_port() -> int:
    """A port of ::1 that nobody has."""
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
        probe.bind(("::1", 0))
        return int(probe.getsockname()[1])


class Emulator:
    """A running `voiceconnector serve`."""

    def __init__(self, config: Path, place: Place, folder: Path) -> None:
        self.place = place
        self.data_dir = folder / "data"
        moved = folder / "emulator.toml"
        moved.write_text(place.move(config.read_text()))
        command = [sys.executable, "-m", "voiceconnector", "serve", "--config", str(moved)]
        settings = {"data_dir": self.data_dir, "dns.address": f"{place.host}:8053"}
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        self._log = folder / "serve.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)

    def wait_until_up(self) -> None:
        """Wait until every listener is up."""
        wait_for("the emulator to be up", self._is_up, seconds=20)

    def _is_up(self) -> bool:
        if self._process.poll() is not None:
            pytest.fail(f"serve ended with {self._process.returncode}:\n{self.log()}")
        try:
            health: dict[str, object] = json.loads(self.text("/emulator/health"))
            return health["status"] == "ok"
        except urllib.error.URLError:
            return False

    def log(self, lines: int = 200) -> str:
        """The last lines of what it said."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> int:
        """Ask it to drain and end; its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=20)

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()

    def text(self, path: str) -> str:
        """What a path of its HTTP side answers."""
        with urllib.request.urlopen(f"http://{self.place.host}:8060{path}", timeout=10) as answer:
            return str(answer.read(), "utf-8")

    def calls(self) -> list["Call"]:
        """Every call it knows of, live or ended."""
        return [Call(self, fields) for fields in json.loads(self.text("/emulator/calls"))]

    def call(self, call_id: str) -> "Call":
        """The one call that the PBX knows by this Call-ID."""
        found = [call for call in self.calls() if call.fields["CallId"] == call_id]
        assert len(found) == 1, f"{len(found)} calls have the Call-ID {call_id}"
        return found[0]

    def is_idle(self) -> bool:
        """Whether no call is left, and nothing that a call holds."""
        state: Fields = json.loads(self.text("/emulator/state"))
        return not any(state[name] for name in ("calls", "dialogs", "port_pairs"))

    def records(self) -> list[Fields]:
        """Every call detail record written so far."""
        keys = "buckets/*/Amazon-Chime-Voice-Connector-CDRs/json/*/*/*/*/*"
        return [json.loads(path.read_text()) for path in sorted(self.data_dir.glob(keys))]

    def record(self, call_id: str) -> Fields:
        """The one record of the call with this Call-ID, as soon as it is written."""

        def found() -> list[Fields]:
            return [record for record in self.records() if record["CallId"] == call_id]

        records = wait_for(f"the record of {call_id}", found)
        assert len(records) == 1, f"one call and {len(records)} records: {records}"
        return records[0]


@dataclass(frozen=True, slots=True)
class Call:
    """A call as the emulator tells of it."""

    emulator: Emulator
    fields: Fields

    @property
    def path(self) -> str:
        """Where the emulator tells more of it."""
        return f"/emulator/calls/{self.fields['TransactionId']}"

    def details(self) -> Fields:
        """More than the list of calls has: decisions, notes and media counters."""
        details: Fields = json.loads(self.emulator.text(self.path))
        return details

    def explain(self) -> str:
        """Why it went as it did, in words."""
        return self.emulator.text(f"{self.path}/explain")

    def ladder(self) -> str:
        """Its messages, as text."""
        return self.emulator.text(f"{self.path}/ladder.txt")


def running_emulator(config: Path, place: Place, folder: Path) -> Iterator[Emulator]:
    """An emulator, for a fixture. In the end it must have no call left, and one record for each at most."""
    emulator = Emulator(config, place, folder)
    try:
        emulator.wait_until_up()
        yield emulator
        wait_for("every call, dialog and port to be given back", emulator.is_idle, 40)
        assert emulator.stop() == 0, emulator.log()
        recorded = Counter(record["CallId"] for record in emulator.records())
        assert not [call_id for call_id, count in recorded.items() if count > 1], "a call has two records"
    finally:
        emulator.kill()

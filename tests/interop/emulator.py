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
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest

from voiceconnector.sip.hop import host_port

Transport = Literal["udp", "tcp"]
Fields = dict[str, Any]
"""A JSON object whose shape is the emulator's."""
T = TypeVar("T")

ROOT = Path(__file__).parents[2]
SBC_CONFIGS = ROOT / "sbc_configs"


def configuration(platform: str, file: str = "emulator.toml") -> str:
    """The text of a configuration file of sbc_configs."""
    return (SBC_CONFIGS / platform / file).read_text()


def wait_for(what: str, probe: Callable[[], T | None], seconds: float = 60.0) -> T:
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
    """Where an emulator and its peers run: loopback addresses of their own, with the ports that the files have.

    127.0.0.1 to 127.0.0.4 become four addresses where nobody else on the machine is, so no port has to be looked
    for. Of ::1 there is only one: there each port of the files becomes a free one. In an IPv6 place 127.0.0.1 is
    ::1 too. On a machine without ::1, 127.0.0.4 stands in for it, so that all the rest can be tested.
    """

    HOSTS = 4

    def __init__(self, host: str, *, ipv6: bool = False) -> None:
        """`host` stands for 127.0.0.1, and the next ones for those after it."""
        self._first = ip_address(host)
        self._ipv6 = ipv6
        self._free_ports: dict[tuple[str, int], int] = {}
        self._given: set[int] = set()
        """Ports of ::1 that have been given to somebody, who may not have bound them yet."""
        self._peer_ports = itertools.count(10_000, 4)
        self.host = self.at("127.0.0.1")[0]

    def at(self, host: str, port: int = 0) -> tuple[str, int]:
        """Where an address of the configuration files is in this place."""
        if host == "::1" and not has_ipv6():
            host = f"127.0.0.{self.HOSTS}"
        if host == "::1" or (self._ipv6 and host == "127.0.0.1"):
            if port and (host, port) not in self._free_ports:
                self._free_ports[host, port] = self._free_ipv6_port()
            return "::1", self._free_ports.get((host, port), 0)
        number = int(host.rpartition(".")[2]) - 1
        assert number < self.HOSTS, f"the files must do with 127.0.0.1 to 127.0.0.{self.HOSTS}"
        return str(self._first + number), port

    def move(self, text: str) -> str:
        """The text of a configuration file, for this place."""

        def route(found: re.Match[str]) -> str:
            host, port = self.at(found[1], int(found[2]))
            return f'Host = "{host}"\nPort = {port}'

        def socket_address(found: re.Match[str]) -> str:
            return host_port(*self.at(found[1].strip("[]"), int(found[2])))

        text = re.sub(r'Host = "(127\.0\.0\.\d|::1)"\nPort = (\d+)', route, text)
        text = re.sub(r"(127\.0\.0\.\d|\[::1\]):(\d+)", socket_address, text)
        return re.sub(r'"(127\.0\.0\.\d|::1)"', lambda found: f'"{self.at(found[1])[0]}"', text)

    def peer_port(self, host: str) -> int:
        """The first of four ports for a peer at a host of this place, one for SIP or four for media."""
        return self._free_ipv6_port() if ":" in host else next(self._peer_ports)

    def _free_ipv6_port(self) -> int:
        """A free port of ::1 that was given to nobody, nor the three after it, which media may want."""
        while True:
            port = free_ipv6_port()
            if self._given.isdisjoint(range(port, port + 4)):
                self._given.update(range(port, port + 4))
                return port


def new_place(*, ipv6: bool = False) -> Place:
    """A place that no other test run on this machine has, as far as chance goes."""
    last = 4 + Place.HOSTS * secrets.randbelow(60)
    return Place(f"127.{secrets.randbelow(250) + 2}.{secrets.randbelow(250) + 2}.{last}", ipv6=ipv6)


@cache
def has_ipv6() -> bool:
    """Whether this machine has ::1."""
    with suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind(("::1", 0))
        return True
    return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 on its loopback interface ([::1])")


def free_ipv6_port() -> int:
    """A port of ::1 that nobody has, for TCP and UDP."""
    while True:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
            port = int(probe.getsockname()[1])
            with suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
                other.bind(("::1", port))
                return port


class Emulator:
    """A running `voiceconnector serve`."""

    def __init__(self, config: str, place: Place, folder: Path) -> None:
        """`config` is the text of a configuration file, with the addresses that such files have."""
        self.place = place
        self.url = f"http://{host_port(*place.at('127.0.0.1', 8060))}"
        self.data_dir = folder / "data"
        moved = folder / "emulator.toml"
        moved.write_text(place.move(config))
        command = [sys.executable, "-m", "voiceconnector", "serve", "--config", str(moved)]
        settings = {"data_dir": self.data_dir, "dns.address": host_port(*place.at("127.0.0.1", 8053))}
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        self._log = folder / "serve.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)

    def wait_until_up(self) -> None:
        """Wait until every listener is up."""
        wait_for("the emulator to be up", self._is_up, seconds=90)

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
        return self._process.wait(timeout=90)

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()

    @contextmanager
    def halted(self) -> Iterator[None]:
        """Meanwhile it does nothing; what has come is there for it at one moment then, however slow the machine is."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def text(self, path: str) -> str:
        """What a path of its HTTP side answers."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=60) as answer:
            return str(answer.read(), "utf-8")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `voiceconnector` that asks this emulator."""
        command = [sys.executable, "-m", "voiceconnector", *arguments, "--url", self.url]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    def ca(self) -> str:
        """The certificate of its development CA, as `voiceconnector ca` prints it."""
        command = [sys.executable, "-m", "voiceconnector", "ca", "--quiet", "--set", f"data_dir={self.data_dir}"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout

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
        # As a set: a folder that is written to meanwhile may be listed with a name twice.
        return [json.loads(path.read_text()) for path in sorted(set(self.data_dir.glob(keys)))]

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

    def counters(self) -> Fields:
        """The media counters by direction, as soon as the final ones are there."""

        def counted() -> Fields:
            media = self.details()["Media"]
            return media if isinstance(media, dict) else {}

        return wait_for("the final counters", counted)

    def explain(self) -> str:
        """Why it went as it did, in words."""
        return self.emulator.text(f"{self.path}/explain")

    def ladder(self) -> str:
        """Its messages, as text."""
        return self.emulator.text(f"{self.path}/ladder.txt")


def running_emulator(config: str, place: Place, folder: Path) -> Iterator[Emulator]:
    """An emulator, for a fixture. In the end it must have no call left, and one record for each at most."""
    emulator = Emulator(config, place, folder)
    try:
        emulator.wait_until_up()
        yield emulator
        wait_for("every call, dialog and port to be given back", emulator.is_idle, 40)
        assert emulator.stop() == 0, emulator.log()
        recorded = Counter(record["CallId"] for record in emulator.records())
        doubled = [call_id for call_id, count in recorded.items() if count > 1]
        assert not doubled, f"a call has two records: {[one for one in emulator.records() if one['CallId'] in doubled]}"
    finally:
        emulator.kill()

"""What is measured: the emulator of a checkout, called by a PBX or the PSTN, and Kamailio set up to do the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tools.bench.process import LOOPBACK, SOCKET_BUFFER, TARGET_CORE, BenchError, free_port, running

FILES = Path(__file__).resolve().parent
HOST = "abcdef1ghij2klmno3pqr4.voiceconnector.chime.aws"
CALLER, CALLED = "+12065550100", "+12065550123"
USERNAME, PASSWORD = "pbx", "secret"
RTP_PORTS = (16000, 31998)


class Calls(NamedTuple):
    """What the calls to a target are like."""

    scenario: str
    """Of sipp, without ".xml"."""
    caller: str
    called: str
    host: str
    """Of the Request-URI."""
    cseq: int
    """Of the INVITE that is answered: the second is the one with credentials."""


FROM_PBX = Calls("uac", CALLER, CALLED, HOST, 2)
FROM_PBX_PLAIN = FROM_PBX._replace(scenario="uac_plain", cseq=1)
FROM_PSTN = Calls("uac_plain", CALLED, CALLER, LOOPBACK, 1)


@dataclass(frozen=True, slots=True)
class Setup:
    """How targets and sipp are started. `python` may be empty: the checkout's .venv, else this Python."""

    root: Path
    python: str
    allocator: str
    nice: int
    digest: bool
    """Whether the PBX is asked for a password."""

    @property
    def interpreter(self) -> str:
        """The Python that runs the emulator."""
        own = self.root / ".venv/bin/python"
        return self.python or (str(own) if own.exists() else sys.executable)

    @property
    def path(self) -> str:
        """PYTHONPATH of the emulator: first what tools/compile made, where that is up to date, then the checkout."""
        command = 'source tools/environment.sh; use_compiled; printf %s "$PYTHONPATH"'
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        found = subprocess.run(["bash", "-c", command], cwd=self.root, env=environment, capture_output=True, text=True)
        if found.returncode:
            raise BenchError(f"{self.root} has no tools/environment.sh that works: {found.stderr.strip()}")
        return found.stdout

    @property
    def compiled(self) -> bool:
        """Whether the emulator's core is compiled."""
        return ":" in self.path


@dataclass(frozen=True, slots=True)
class Target:
    """A started target: where it listens, and how to look at it."""

    name: str
    port: int
    calls: Calls
    process: subprocess.Popen[bytes]
    log: Path
    http: int | None = None

    def alive(self) -> None:
        """Raises BenchError with the end of its log when the target has ended."""
        if self.process.poll() is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])
            raise BenchError(f"{self.name} ended by itself (exit {self.process.returncode}):\n{tail}")

    def state(self) -> dict[str, object]:
        """What the emulator says about open calls, ports and transactions; empty where it does not."""
        for path in ("state", "health"):
            url = f"http://{LOOPBACK}:{self.http}/emulator/{path}"
            with contextlib.suppress(OSError, ValueError), urllib.request.urlopen(url, timeout=10) as answer:
                found: dict[str, object] = json.load(answer)
                return found
        return {}


def await_sip(target: Target, seconds: float = 20.0) -> None:
    """Returns when the target answers an OPTIONS with anything; raises BenchError when it does not."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((LOOPBACK, 0))
        probe.settimeout(0.1)
        port = probe.getsockname()[1]
        give_up = time.monotonic() + seconds
        count = 0
        while time.monotonic() < give_up:
            target.alive()
            count += 1
            ping = (
                f"OPTIONS sip:{HOST} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {LOOPBACK}:{port};branch=z9hG4bKping{count}\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:ping@{LOOPBACK}>;tag=ping\r\nTo: <sip:{HOST}>\r\n"
                f"Call-ID: ping{count}\r\nCSeq: {count} OPTIONS\r\nContact: <sip:{LOOPBACK}:{port}>\r\n"
                "Content-Length: 0\r\n\r\n"
            )
            with contextlib.suppress(OSError):
                probe.sendto(ping.encode(), (LOOPBACK, target.port))
                if probe.recv(65535).startswith(b"SIP/2.0"):
                    return
        raise BenchError(f"{target.name} did not answer OPTIONS within {seconds:.0f} s; its log: {target.log}")


def filled(text: str, values: dict[str, str]) -> str:
    """The text with each key replaced by its value."""
    for key, value in values.items():
        text = text.replace(key, value)
    return text


@contextlib.contextmanager
def kamailio(setup: Setup, work: Path, uas_port: int) -> Iterator[Target]:
    """Kamailio as in kamailio.cfg beside this file: one UDP worker; its timer processes share the core.

    Its default allocator (qm) is for debugging and collapses under this load: `setup.allocator`.
    """
    program = shutil.which("kamailio", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not program:
        raise BenchError("kamailio is not installed (Debian: apt-get install kamailio); or use --targets ours")
    port = free_port()
    allowlist = work / "allowlist"
    allowlist.write_text("1 127.0.0.0 8\n")
    ha1 = hashlib.md5(f"{USERNAME}:{HOST}:{PASSWORD}".encode()).hexdigest()
    values = {
        "@ADDRESS@": f"{LOOPBACK}:{port}",
        "@HOST@": HOST,
        "@HA1@": ha1,
        "@UAS@": f"{LOOPBACK}:{uas_port}",
        "@ALLOWLIST@": str(allowlist),
    }
    config = work / "kamailio.cfg"
    config.write_text(filled((FILES / "kamailio.cfg").read_text(), values))
    memory = ["-m", "1024", "-M", "16", "-x", setup.allocator, "-X", setup.allocator]
    command = [program, "-f", str(config), "-DD", "-E", "-w", str(work), "-b", str(SOCKET_BUFFER), *memory]
    log = work / "kamailio.log"
    with running(command, TARGET_CORE, log, setup.nice) as process:
        yield ready(Target("peer", port, FROM_PBX, process, log))


@contextlib.contextmanager
def outbound(setup: Setup, work: Path, uas_port: int) -> Iterator[Target]:
    """The emulator, called by a PBX; the far side is the PSTN."""
    port = free_port()
    with emulator(setup, work, uas_port, port, free_port()) as (process, log, http):
        yield ready(Target("ours", port, FROM_PBX if setup.digest else FROM_PBX_PLAIN, process, log, http))


@contextlib.contextmanager
def inbound(setup: Setup, work: Path, uas_port: int) -> Iterator[Target]:
    """The emulator, called by the PSTN; the far side is the PBX, to which the only origination route leads."""
    carrier = free_port()
    with emulator(setup, work, uas_port, free_port(), carrier) as (process, log, http):
        yield ready(Target("inbound", carrier, FROM_PSTN, process, log, http))


def ready(target: Target) -> Target:
    """The target, once it answers."""
    await_sip(target)
    return target


@contextlib.contextmanager
def emulator(
    setup: Setup, work: Path, uas_port: int, port: int, carrier: int
) -> Iterator[tuple[subprocess.Popen[bytes], Path, int]]:
    """The emulator of the checkout `--root`, with everything a call passes switched on: process, log, HTTP port."""
    root = setup.root.resolve()
    if not (root / "voiceconnector").is_dir():
        raise BenchError(f"there is no voiceconnector package in {root} (see --root)")
    http, dns, other = (free_port() for _ in range(3))
    credentials = f"""
[[voice_connectors.Credentials]]
Username = "{USERNAME}"
Password = "{PASSWORD}"
"""
    config = work / "bench.toml"
    config.write_text(f"""
profile = "lab"
data_dir = "{work / "var"}"
[http]
address = "{LOOPBACK}:{http}"
[dns]
address = "{LOOPBACK}:{dns}"
[regions.us-east-1]
udp = "{LOOPBACK}:{port}"
tcp = "{LOOPBACK}:{port}"
tls = "{LOOPBACK}:0"
media_address = "{LOOPBACK}"
rtp_ports = [{RTP_PORTS[0]}, {RTP_PORTS[1]}]
[regions.us-west-2]
udp = "127.0.0.2:{other}"
tcp = "127.0.0.2:{other}"
tls = "127.0.0.2:0"
[pstn]
address = "{LOOPBACK}:{carrier}"
[[pstn.routes]]
match = "*"
target = "sip:{LOOPBACK}:{uas_port}"
[[voice_connectors]]
VoiceConnectorId = "{HOST.partition(".")[0]}"
Name = "bench"
AwsRegion = "us-east-1"
RequireEncryption = false
PhoneNumbers = ["{CALLER}"]
[voice_connectors.Termination]
CpsLimit = 1000000
CallingRegions = ["US"]
CidrAllowedList = ["127.0.0.0/8"]
Disabled = false
{credentials if setup.digest else ""}
[[voice_connectors.Origination.Routes]]
Host = "{LOOPBACK}"
Port = {uas_port}
Protocol = "UDP"
Priority = 1
Weight = 1
""")
    command = [setup.interpreter, "-P", "-m", "voiceconnector", "serve", "--config", str(config)]
    log = work / "emulator.log"
    environment = os.environ | {"PYTHONPATH": setup.path}
    with running(command, TARGET_CORE, log, setup.nice, environment) as process:
        yield process, log, http


TARGETS = {"ours": outbound, "inbound": inbound, "peer": kamailio}

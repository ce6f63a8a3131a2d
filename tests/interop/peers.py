"""The real peers as processes: sipp, baresip and tshark, playing the very files of sbc_configs."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import wave
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.authority import Files
from tests.interop.emulator import SBC_CONFIGS, Emulator, Place, Transport, wait_for

PACKAGES = {
    "sipp": "sip-tester", "baresip": "baresip-core", "stunnel": "stunnel4", "openssl": "openssl",
    "tshark": "tshark", "capinfos": "wireshark-common", "mergecap": "wireshark-common",
    "reordercap": "wireshark-common",
    "dig": "bind9-dnsutils", "sox": "sox", "sngrep": "sngrep", "aws": "awscli",
}  # fmt: skip


_LISTEN = "0A"
"""State of a TCP socket in /proc/net/tcp."""


def program(name: str) -> str:
    """Path of a peer program; skips the test, naming the Debian package, where it is missing."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install {PACKAGES[name]})")
    return path


def is_bound(host: str, port: int, transport: Transport) -> bool:
    """Whether a socket has this address, and over TCP listens there, as the kernel lists them.

    Asking it itself would get in its owner's way. What has been a connection is listed for a minute, too.
    """
    address = ip_address(host)
    words = (address.packed[start : start + 4] for start in range(0, len(address.packed), 4))
    bound = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words) + f":{port:04X}"
    table = transport if address.version == 4 else f"{transport}6"
    lines = Path("/proc/net", table).read_text().splitlines()[1:]
    sockets = (line.split()[1:4:2] for line in lines)
    return any(address == bound and (transport == "udp" or state == _LISTEN) for address, state in sockets)


@dataclass(frozen=True, slots=True)
class Message:
    """A SIP message that sipp sent or received."""

    received: bool
    text: str

    @property
    def start_line(self) -> str:
        """Request-Line or Status-Line."""
        return self.text.split("\n", 1)[0].strip()

    @property
    def method(self) -> str:
        """Method of a request; empty for a response."""
        return "" if self.status else self.start_line.split(" ", 1)[0]

    @property
    def status(self) -> str:
        """Code and reason of a response, "486 Busy Here"; empty for a request."""
        version, _, rest = self.start_line.partition(" ")
        return rest if version == "SIP/2.0" else ""

    @property
    def body(self) -> str:
        """What follows the header."""
        return self.text.replace("\r", "").partition("\n\n")[2]

    def header(self, name: str) -> str:
        """Value of the first header field of this name; empty where there is none."""
        found = re.search(rf"^{name}:[ \t]*(.*?)[ \t\r]*$", self.text, re.MULTILINE | re.IGNORECASE)
        return found[1] if found else ""


class Sipp:
    """A sipp process that plays one scenario of sbc_configs/sipp once."""

    MESSAGE = re.compile(
        r"^-{20,} [^\n]*\n(?:UDP|TCP) message (sent|received) [^\n]*\n\n(.*?)(?=^-{20,} |\Z)",
        re.MULTILINE | re.DOTALL,
    )

    def __init__(self, scenario: str, arguments: list[str], folder: Path, call_id: str = "") -> None:
        self.scenario = scenario
        self.call_id = call_id
        self.number = ""
        """Who calls, where the emulator knows the call by that."""
        self._errors = folder / "errors.log"
        self._messages = folder / "messages.log"
        command = [
            program("sipp"), "-sf", f"{scenario}.xml", "-m", "1", "-nostdin", "-skip_rlimit",
            "-trace_msg", "-message_file", str(self._messages),
            "-trace_err", "-error_file", str(self._errors), *arguments,
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command, cwd=SBC_CONFIGS / "sipp", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def close(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()

    def finish(self, seconds: float = 90.0) -> "Sipp":
        """Wait for the end of the scenario; fails unless it went as the scenario says (exit code 0)."""
        try:
            code = self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{self.scenario} did not end within {seconds:g} s\n{self.transcript()}")
        if code:
            errors = self._errors.read_text(errors="replace") if self._errors.exists() else ""
            pytest.fail(f"{self.scenario} ended with {code}\n{errors}\n\n{self.transcript()}")
        return self

    def transcript(self) -> str:
        """Every message so far, as one text."""
        return self._messages.read_text(errors="replace") if self._messages.exists() else "(no message)"

    def messages(self) -> list[Message]:
        """Every message so far, in order."""
        return [Message(m[1] == "received", m[2]) for m in self.MESSAGE.finditer(self.transcript())]

    def received(self) -> list[Message]:
        """Every message received so far, in order."""
        return [message for message in self.messages() if message.received]

    def statuses(self) -> list[str]:
        """Code and reason of every response received so far, in order."""
        return [message.status for message in self.received() if message.status]

    def requests(self) -> list[str]:
        """Method of every request received so far, in order; one that came again counts once."""
        return [message.method for message in dict.fromkeys(self.received()) if message.method]

    def wait_for_invite(self) -> None:
        """Wait until it has sent an INVITE."""
        wait_for("an INVITE", lambda: any(one.method == "INVITE" and not one.received for one in self.messages()))

    def wait_for_status(self, code: str) -> None:
        """Wait until a response with this code has come."""
        wait_for(f"a {code}", lambda: any(status.startswith(code) for status in self.statuses()))


class Baresip:
    """A baresip with the accounts of sbc_configs/baresip, that speaks and hears files.

    It calls from an account or, where none is given, waits to be called. `more_accounts` and `more_config` are lines
    for its files, `files` are laid beside them; `repeated` makes what
    it says so many times as long.
    """

    def __init__(
        self,
        emulator: Emulator,
        folder: Path,
        account: str = "",
        called: str = "",
        more_accounts: str = "",
        more_config: str = "",
        files: Sequence[Path] = (),
        repeated: int = 1,
    ) -> None:
        self._emulator = emulator
        self.folder = folder / "baresip"
        shutil.copytree(SBC_CONFIGS / "baresip", self.folder)
        _repeat(self.folder / "said.wav", repeated)
        for file in files:
            shutil.copy(file, self.folder)
        for name, more in (("config", more_config), ("accounts", more_accounts)):
            file = self.folder / name
            file.write_text(emulator.place.move(file.read_text() + more))
        self._output = folder / "baresip.log"
        with self._output.open("w") as output:
            command = [program("baresip"), "-f", "."]
            if account:
                command += ["-e", f"/uafind {account}", "-e", f"/dial {called}"]
            self._process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

    def __enter__(self) -> "Baresip":
        return self

    def __exit__(self, *_: object) -> None:
        """End it, whatever it does, and print what it and the emulator had to say."""
        self._process.kill()
        self._process.wait()
        print(self.output(), f"The emulator's log:\n{self._emulator.log()}", sep="\n")

    def listens(self, port: int, transport: Transport) -> None:
        """Wait until it can be called at this port of its configuration."""
        address = self._emulator.place.at("127.0.0.1", port)
        wait_for("baresip to listen", lambda: is_bound(*address, transport))

    def output(self) -> str:
        """What it printed so far."""
        return self._output.read_text(errors="replace").replace("\r", "\n")

    def finish(self) -> None:
        """Wait until its call is over, and end it."""
        wait_for(
            "baresip's call to end",
            lambda: re.search(r"terminated \(duration|session closed", self.output()),
            20,
        )
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=60)

    def said(self) -> list[int]:
        """Samples of the file that it speaks."""
        return samples(self.folder / "said.wav")

    def heard(self) -> list[int]:
        """Samples that came back, as it decoded them."""
        (recording,) = self.folder.glob("dump-*-dec.wav")
        return samples(recording)


class Stunnel:
    """TLS before sipp, as sbc_configs/sipp/stunnel.conf has it: out to the trunk, and in from it."""

    OUT, IN, SIPP = 5091, 5085, 5086
    """Ports of the configuration: where sipp sends to, where the trunk calls, where sipp is called."""

    def __init__(self, place: Place, folder: Path, ca: str, pbx: Files) -> None:
        """`ca` is the PEM text of the CA that the trunk is verified by."""
        (folder / "ca.pem").write_text(ca)
        (folder / "pbx.pem").write_text(pbx.private_key.read_text() + pbx.certificate.read_text())
        file = folder / "stunnel.conf"
        file.write_text(place.move((SBC_CONFIGS / "sipp" / file.name).read_text()))
        self._log = folder / "stunnel.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [program("stunnel"), file.name], cwd=folder, stdout=log, stderr=subprocess.STDOUT
            )
        wait_for("stunnel to listen", lambda: is_bound(*place.at("127.0.0.1", self.IN), "tcp"))

    def output(self) -> str:
        """What it said so far."""
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()


def _repeat(path: Path, times: int) -> None:
    """Make the audio of a WAV file so many times as long."""
    with wave.open(str(path)) as file:
        parameters, frames = file.getparams(), file.readframes(file.getnframes())
    with wave.open(str(path), "wb") as file:
        file.setparams(parameters)
        file.writeframes(frames * times)


def samples(path: Path) -> list[int]:
    """The samples of a WAV file: 16 bit, one channel, 8000 a second."""
    with wave.open(str(path)) as file:
        assert (file.getsampwidth(), file.getnchannels(), file.getframerate()) == (2, 1, 8000)
        return array("h", file.readframes(file.getnframes())).tolist()


class Capture:
    """Packets on the loopback interface, taken by tshark while a test runs and dissected by it afterwards."""

    END = b"the capture ends here"

    def __init__(self, place: Place, folder: Path) -> None:
        self._place = place
        self._file = folder / "capture.pcapng"
        self._log = folder / "tshark.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [program("tshark"), "-i", "lo", "-f", f"host {place.host}", "-w", str(self._file)],
                stdout=subprocess.DEVNULL, stderr=log,
            )  # fmt: skip
        try:
            wait_for("tshark to start", lambda: self._process.poll() is not None or self._started(), 30)
        except BaseException:
            self.close()
            raise
        if self._process.poll() is not None:
            pytest.skip(f"tshark may not capture here, which needs root: {self._log.read_text().strip()}")

    def __enter__(self) -> "Capture":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _started(self) -> bool:
        return "Capture started" in self._log.read_text()

    def stop(self) -> None:
        """Stop, when every packet sent so far has been written: a packet of our own is the last."""

        def is_written() -> bool:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(self.END, (self._place.host, self._place.peer_port(self._place.host)))
            return self.END in self._file.read_bytes()

        wait_for("tshark to have written all", is_written)
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=60)

    def close(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()

    def dissect(self, display_filter: str, *fields: str, sip_ports: list[int]) -> list[list[str]]:
        """These fields of every packet that passes the filter; SIP is looked for on the given ports."""
        command = [program("tshark"), "-n", "-r", str(self._file), "-Y", display_filter, "-T", "fields"]
        for port in sip_ports:
            command += ["-d", f"udp.port=={port},sip", "-d", f"tcp.port=={port},sip"]
        for field in fields:
            command += ["-e", field]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return [line.split("\t") for line in result.stdout.splitlines()]

"""sipp as the caller ("uac") and as the far side ("uas"), and the statistics it writes once a second."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.bench.process import LOOPBACK, SIPP_CORE, SOCKET_BUFFER, BenchError, free_port, running
from tools.bench.targets import FILES, PASSWORD, USERNAME, Setup, Target, filled

LEARN_PORT = """<action>
      <ereg regexp="m=audio ([0-9]+)" search_in="body" assign_to="line,port"/>
      <log message="[$port]"/>
    </action>"""


@dataclass(frozen=True, slots=True)
class Counts:
    """One line of sipp's statistics, cumulative."""

    elapsed: float
    created: int
    open: int
    succeeded: int
    failed: int
    refused: int
    retransmissions: int
    why: str

    @property
    def dirt(self) -> str:
        """What was not clean, in words; empty when all was."""
        found = {
            f"{self.failed} failed ({self.why})": self.failed,
            f"{self.refused} refused with 503": self.refused,
            f"{self.retransmissions} retransmissions": self.retransmissions,
        }
        return ", ".join(text for text, count in found.items() if count)


NOTHING_YET = Counts(0.0, 0, 0, 0, 0, 0, 0, "")


def counts_of(row: dict[str, str]) -> Counts:
    """Reads a line of sipp's statistics file by its column names."""
    moment = float(row["CurrentTime"].split("\t")[2])
    causes = [
        f"{int(value)} {key[6:-3]}"
        for key, value in row.items()
        if key and key.startswith("Failed") and key.endswith("(C)") and key != "FailedCall(C)" and value != "0"
    ]
    return Counts(
        elapsed=moment - float(row["StartTime"].split("\t")[2]),
        created=int(row["TotalCallCreated"]),
        open=int(row["CurrentCall"]),
        succeeded=int(row["SuccessfulCall(C)"]) - int(row.get("GenericCounter1(C)", 0)),
        failed=int(row["FailedCall(C)"]),
        refused=int(row.get("GenericCounter1(C)", 0)),
        retransmissions=int(row["Retransmissions(C)"]),
        why=", ".join(causes),
    )


@dataclass(frozen=True, slots=True)
class Sipp:
    """A running sipp and the files it writes."""

    port: int
    process: subprocess.Popen[bytes]
    statistics: Path
    learnt: Path

    def rows(self, newest: int | None = None) -> list[Counts]:
        """The statistics so far, a line per second; or the newest lines only."""
        if not self.statistics.exists():
            return []
        head, *lines = self.statistics.read_text().rpartition("\n")[0].splitlines() or [""]
        names = head.split(";")
        return [counts_of(dict(zip(names, line.split(";"), strict=True))) for line in lines[-(newest or 0) :]]

    def last(self) -> Counts:
        """The newest line, or zeros before there is one."""
        return rows[-1] if (rows := self.rows(newest=1)) else NOTHING_YET

    def learnt_ports(self) -> list[int]:
        """The media ports the other side named, a line per call; needs -trace_logs."""
        return [int(line) for line in self.learnt.read_text().split()]

    def await_row(self, elapsed: float, tick: Callable[[], None], clean: bool) -> Counts:
        """The first line at or after `elapsed` seconds; returns early at the end, or at dirt if `clean`."""
        give_up = time.monotonic() + elapsed + 5
        while time.monotonic() < give_up:
            row, ended = self.last(), self.process.poll() is not None
            if row.elapsed >= elapsed or ended or (clean and row.dirt):
                return self.last()
            tick()
        raise BenchError(f"sipp stopped writing {self.statistics}")

    def finish(self, seconds: float) -> Counts:
        """Lets open calls end for at most `seconds`, then ends sipp; the last line."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGUSR1)
            self.process.wait(seconds)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        return self.last()


@contextlib.contextmanager
def sipp(
    role: str,
    work: Path,
    setup: Setup,
    arguments: Sequence[str],
    port: int = 0,
    hold_ms: int = 0,
) -> Iterator[Sipp]:
    """sipp with the scenario `role`: a target's, or "uas"; `rtp_port` and target are among the arguments."""
    program = shutil.which("sipp")
    if not program:
        raise BenchError("sipp is not installed (Debian: apt-get install sip-tester)")
    port = port or free_port()
    folder = Path(tempfile.mkdtemp(prefix=f"{role}-", dir=work))
    learn = "-trace_logs" in arguments
    values = {
        "@USER@": USERNAME,
        "@PASSWORD@": PASSWORD,
        "@HOLD@": f'<pause milliseconds="{hold_ms}"/>' if hold_ms else "<nop/>",
        "@LEARN@": LEARN_PORT if learn else "",
        "@REFERENCE@": '<Reference variables="line"/>' if learn else "",
    }
    scenario = folder / f"{role}.xml"
    scenario.write_text(filled((FILES / f"{role}.xml").read_text(), values))
    command = [program, "-sf", str(scenario), "-i", LOOPBACK, "-p", str(port), "-nostdin", "-trace_stat"]
    command += ["-stf", str(folder / "stat.csv"), "-fd", "1", "-buff_size", str(SOCKET_BUFFER)]
    command += ["-timer_resol", "2", "-trace_err", "-error_file", str(folder / "errors.log")]
    command += ["-log_file", str(folder / "ports.log"), *arguments]
    with running(command, SIPP_CORE, folder / "screen.log", setup.nice) as process:
        yield Sipp(port, process, folder / "stat.csv", folder / "ports.log")


@contextlib.contextmanager
def far_side(work: Path, setup: Setup, port: int, *more: str) -> Iterator[Sipp]:
    """The sipp that answers calls; ready when it has its port."""
    arguments = more if "rtp_port" in more else ("-key", "rtp_port", "40000", *more)
    with sipp("uas", work, setup, arguments, port) as uas:
        for _ in range(100):
            if uas.rows():
                break
            time.sleep(0.05)
        else:
            raise BenchError(f"sipp as far side did not start on port {port}")
        yield uas


def caller(target: Target, rate: int, calls: int, *more: str) -> list[str]:
    """sipp arguments for `calls` calls at `rate` per second to the target."""
    like = target.calls
    keys = {"host": like.host, "called": like.called, "caller": like.caller}
    keys |= {} if "rtp_port" in more else {"rtp_port": "40002"}
    named = [word for key, value in keys.items() for word in ("-key", key, value)]
    limit = ["-r", str(rate), "-m", str(calls), "-l", str(min(15000, max(rate * 4, calls)))]
    return [f"{LOOPBACK}:{target.port}", *named, "-auth_uri", f"{like.called}@{like.host}", *limit, *more]

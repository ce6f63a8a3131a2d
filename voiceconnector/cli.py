"""The commands. Errors are one clear line on stderr: exit 2 for wrong usage, 1 for what failed."""

import asyncio
import json
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from . import __version__
from .asking import fail, get, url_option
from .aws_cli import aws
from .config import Config, ConfigError, load
from .description import describe
from .exchange import export, import_
from .sip.hop import host_port
from .trunk.decisions import listed
from .trunk.model import VoiceConnector

if TYPE_CHECKING:
    from rich.table import Table

    from .app import Emulator

CONFIG_HELP = "TOML file; without it, VOICECONNECTOR_CONFIG or the defaults."
SET_HELP = "Override one key of the configuration, e.g. --set http.address=127.0.0.1:9000 (repeatable)."
OUTPUT_HELP = "Where to save it.  [default: TRANSACTION_ID.{}]"
FOLLOW_SECONDS = 0.1
"""How often a call that is followed is looked at."""
CONNECTORS_SHOWN = 10
"""At the start of `serve`."""
COUNTERS_SECONDS = 2.0
"""How long the counters of a call may come after its end."""
_CA_HELP = """
This is {file}, valid until {until}. Have the PBX trust it:

  Asterisk    pjsip.conf, [transport-tls]: protocol=tls, ca_list_file=/etc/asterisk/voiceconnector-ca.pem,
              verify_server=yes, allow_wildcard_certs=yes; restart Asterisk, as transports are not reloaded
  FreeSWITCH  append it to /etc/freeswitch/tls/cafile.pem; sofia profile: tls=true, tls-version=tlsv1.2,
              tls-verify-policy=out; gateway: register-transport=tls
  Kamailio    tls.cfg, [client:default]: ca_list=/etc/kamailio/voiceconnector-ca.pem, verify_certificate=yes,
              require_certificate=yes; kamcmd tls.reload
  baresip     config: sip_cafile voiceconnector-ca.pem, sip_verify_server yes; account: ;transport=tls in outbound
  Debian      cp it to /usr/local/share/ca-certificates/voiceconnector.crt, then update-ca-certificates: all of them

The names it stands for are <id>.voiceconnector.chime.aws and the addresses of the TLS listeners; port 5061."""


class Commands(click.Group):
    """Lists the commands in the order a newcomer needs them, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="voiceconnector")
def main() -> None:
    """An emulator of the Amazon Chime SDK Voice Connector: a SIP trunk with a carrier's rules, on this machine.

    \b
    voiceconnector demo                      see a call go out and one come in, in seconds
    voiceconnector serve --config lab.toml   run the trunk for your PBX
    voiceconnector call --to +12065550100    call your PBX from the PSTN
    voiceconnector calls                     what has called
    voiceconnector explain TRANSACTION_ID    why a call went as it did
    voiceconnector trail                     who used the AWS API
    voiceconnector aws chime-sdk-voice ...   configure it with the aws CLI
    voiceconnector export > lab.toml         keep what is configured in a file
    voiceconnector ca > ca.pem               what a PBX is to trust for TLS
    """


def _load(path: Path | None, settings: Sequence[str]) -> Config:
    try:
        return load(path, settings, os.environ)
    except ConfigError as error:
        fail(str(error), 2)


@main.command()
@click.option("--seconds", default=1.5, show_default=True, type=click.FloatRange(0.5, 3.0), help="Length of each call.")
def demo(seconds: float) -> None:
    """Let a built-in PBX call the emulated PSTN through the trunk, and the PSTN call the PBX, and show all of it.

    \b
    Example:
      voiceconnector demo
    Real sockets and real RTP on free loopback ports; exit 0 only if audio went both ways in both calls.
    """
    from .demo import run_demo
    from .listeners import StartError

    try:
        carried = asyncio.run(run_demo(seconds))
    except StartError as error:
        fail(str(error))
    sys.exit(0 if carried else 1)


@main.command()
@click.option("--config", "path", type=click.Path(path_type=Path), envvar="VOICECONNECTOR_CONFIG", help=CONFIG_HELP)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help=SET_HELP)
@click.option("--verbose", is_flag=True, help="Log more.")
def serve(path: Path | None, settings: tuple[str, ...], verbose: bool) -> None:
    """Run the emulator until SIGTERM or SIGINT; then hang up, write the records and exit 0.

    SIGHUP has TLS read its certificate, key and CA files again, without a connection being dropped.

    \b
    Examples:
      voiceconnector serve --config lab.toml
      voiceconnector serve --set regions.us-east-1.udp=192.0.2.10:5060
    """
    config = _load(path, settings)
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    from .app import Emulator, new_event_loop, run
    from .listeners import StartError

    def ready(emulator: Emulator) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, emulator.reload_certificates)
        _print_banner(config, emulator)
        if sys.stdout.isatty():
            emulator.watchers.add(_print_event)

    async def serving() -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        await run(config, ready, stopping)

    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serving())
    except StartError as error:
        fail(str(error), 2)


def _print_banner(config: Config, emulator: "Emulator") -> None:
    listeners, connectors = emulator.listeners(), tuple(emulator.store.snapshot.by_id.values())
    lines = [f"voiceconnector {__version__} is running, profile {config.profile.name}, records in {config.data_dir}"]
    width = max(len(name) for name in listeners)
    lines += [f"  {name:<{width}}  {address}" for name, address in listeners.items()]
    lines.append(f"  {'AWS API':<{width}}  {emulator.http.url}")
    lines.append(f"  {'Calls':<{width}}  {emulator.http.url}/emulator/calls")
    if not connectors:
        lines.append(
            "There is no Voice Connector: every call gets 404. Add [[voice_connectors]] to the configuration, or: "
            "voiceconnector aws chime-sdk-voice create-voice-connector --name lab --no-require-encryption"
        )
    for connector in connectors[:CONNECTORS_SHOWN]:
        lines += _connector_lines(connector)
    if len(connectors) > CONNECTORS_SHOWN:
        lines.append(f"and {len(connectors) - CONNECTORS_SHOWN} Voice Connectors more")
    click.echo("\n".join(lines))
    sys.stdout.flush()


def _connector_lines(connector: VoiceConnector) -> list[str]:
    return [
        f"Voice Connector {connector.outbound_host_name} ({connector.aws_region})",
        f"  calls out: {_outbound_rule(connector)}",
        f"  calls in:  {_inbound_rule(connector)}",
    ]


def _outbound_rule(connector: VoiceConnector) -> str:
    termination = connector.termination
    if termination is None:
        return "none, as termination is not configured"
    allowed = ", ".join(termination.cidr_allowed_list) or "nobody (CidrAllowedList is empty)"
    plan = ", ".join(termination.calling_regions) or "nowhere (CallingRegions is empty)"
    digest = f"digest user {', '.join(known.username for known in connector.credentials)}"
    return f"from {allowed}; to {plan}; {digest if connector.credentials else 'no digest'}"


def _inbound_rule(connector: VoiceConnector) -> str:
    origination = connector.origination
    numbers = listed(connector.phone_numbers, 3) if connector.phone_numbers else "no number of its own"
    if origination is None or origination.disabled or not origination.routes:
        return f"{numbers}, but no route leads to a PBX (Origination)"
    routes = sorted(origination.routes, key=lambda route: route.priority)
    secure = connector.require_encryption
    hosts = (f"{'TLS' if secure else route.protocol} {host_port(route.host, route.port)}" for route in routes)
    return f"{numbers} to {', '.join(hosts)}"


def _print_event(name: str, fields: dict[str, Any]) -> None:
    """A line a call on the terminal, so that whoever watches sees why a call failed without asking."""
    now = datetime.now().strftime("%H:%M:%S")
    started = fields.get("started", fields)
    number = f"{started.get('source_phone_number', '')} -> {started.get('destination_phone_number', '')}"
    if name == "CallStarted":
        click.echo(f"{now} call      {number}  {fields['aws_transaction_id']}")
    elif name == "RouteFailed":
        click.echo(f"{now} tried     {fields['target']}: {fields['because']}")
    elif name == "CallAnswered":
        click.echo(f"{now} answered  {number}")
    elif name == "CallEnded":
        click.echo(f"{now} ended     {number}  {fields['status_message']}")
    elif name == "AttemptRefused":
        decision = fields["decision"]
        click.echo(
            f"{now} refused   {fields['source_address']}  {decision['status_code']} {decision['reason_phrase']}: "
            f"{decision['because']}\n         voiceconnector explain {fields['aws_transaction_id']}"
        )
    elif name == "MediaFinding":
        click.echo(f"{now} media     {fields['text']}")
    elif name == "RegionChanged":
        click.echo(f"{now} region    {fields['Name']} is {fields['State']}")


@main.command()
@click.option("--to", required=True, metavar="NUMBER", help="A number of the trunk, as +E.164.")
@click.option("--from", "from_", metavar="NUMBER", help="Who calls, as +E.164.  [default: +13125550199]")
@click.option("--duration", default=5.0, show_default=True, type=click.FloatRange(0, 86400), help="Seconds of talk.")
@click.option("--play", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="WAV file, not a tone.")
@url_option
def call(to: str, from_: str | None, duration: float, play: Path | None, url: str) -> None:
    """Call a number of the trunk from the PSTN, and follow what becomes of it; exit 0 if it was answered.

    Ctrl-C hangs up.

    \b
    Examples:
      voiceconnector call --to +12065550100
      voiceconnector call --to +12065550100 --from +442079460123 --duration 20 --play prompt.wav
    """
    order: dict[str, object] = {"To": to, "DurationSeconds": duration}
    if from_:
        order["From"] = from_
    if play:
        order["Play"] = str(play.resolve())
    identity = json.loads(get(url, "/emulator/calls", order))["TransactionId"]
    found = _follow(url, identity)
    if found["AnswerTime"] is None:
        fail(f"not answered: {_status(found)}. Why: voiceconnector explain {identity}")
    talked = found["EndTime"] - found["AnswerTime"]
    end = "" if found["State"] == "completed" else f", and then it failed: {found['StatusMessage']}"
    click.echo(f"Answered, {talked:.1f} s long, codec {found['Codec'] or 'unknown'}{end}.")
    click.echo(found["MediaVerdict"] or "No audio was seen.")


def _follow(url: str, identity: str) -> dict[str, Any]:
    """Print what happens to a call as it happens; the call once it is over. The first Ctrl-C hangs up."""
    path = f"/emulator/calls/{identity}"
    interrupts: list[int] = []
    default = signal.signal(signal.SIGINT, lambda number, _frame: interrupts.append(number))
    told: list[tuple[float, str]] = []
    over_since = 0.0
    while True:
        if interrupts:
            signal.signal(signal.SIGINT, default)
            interrupts.clear()
            click.echo("  hanging up")
            get(url, path, method="DELETE")
        found: dict[str, Any] = json.loads(get(url, path))
        if not told:
            click.echo(f"{found['From']} (PSTN) calls {found['To']} (PBX), {identity}")
        story = [(found["StartTime"], "INVITE to the trunk"), *_story(found)]
        for at, sentence in story:
            if (at, sentence) not in told:
                click.echo(f"{at - found['StartTime']:+9.3f} s  {sentence}")
        told = story
        counted = found["Media"] or not found["AnswerTime"]
        over_since = over_since or (time.monotonic() if found["EndTime"] or found["State"] == "refused" else 0.0)
        if over_since and (counted or time.monotonic() - over_since > COUNTERS_SECONDS):
            return found
        time.sleep(FOLLOW_SECONDS)


def _status(found: dict[str, Any]) -> str:
    """How a call ended, as a SIP status line has it: "486 Busy Here"."""
    return " ".join(str(part) for part in (found["StatusCode"], found["StatusMessage"]) if part)


def _story(found: dict[str, Any]) -> list[tuple[float, str]]:
    """What has happened to a call so far, with the time of each."""
    story = [(note["Time"], note["Text"]) for note in found["Notes"]]
    for one in found["Attempts"]:
        place = one["Target"] or one["Host"]
        via = f"priority {one['Priority']} of {one['VoiceConnectorId']} ({one['Region']})"
        story.append((one["StartTime"], f"{'INVITE to' if one['Target'] else 'looking up'} {place}, {via}"))
        if one["Outcome"]:
            story.append((one["EndTime"], f"{place}: {one['Outcome']}"))
    return sorted(story, key=lambda event: event[0])


@main.command()
@url_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--limit", default=30, show_default=True, type=click.IntRange(1), help="The latest calls to show.")
def calls(url: str, as_json: bool, limit: int) -> None:
    """List the calls that the running emulator remembers, the latest first.

    Outbound: the PBX calls the PSTN. Inbound: the PSTN calls the PBX. Audio: whether it went both ways, and the MOS.

    \b
    Example:
      voiceconnector calls --limit 5
    """
    found = json.loads(get(url, "/emulator/calls"))[:limit]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    if not found:
        click.echo("No call has come in yet. Point a PBX at the addresses that `voiceconnector serve` printed.")
        return
    _print_table(found)


def _print_table(found: list[dict[str, Any]]) -> None:
    from rich.table import Table

    colours = {"answered": "green", "completed": "green", "ringing": "yellow", "challenged": "yellow"}
    table = Table(box=None, pad_edge=False)
    for title in ("Time", "Direction", "From", "To", "State", "Status", "Audio", "TransactionId"):
        table.add_column(title, no_wrap=title != "Status")
    for call in found:
        colour = colours.get(call["State"], "red")
        table.add_row(
            datetime.fromtimestamp(call["StartTime"]).strftime("%H:%M:%S"),
            call["Direction"],
            call["From"],
            call["To"],
            f"[{colour}]{call['State']}[/]",
            _status(call),
            call["Audio"] or "",
            call["TransactionId"],
        )
    _print_wide(table)


def _print_wide(table: "Table") -> None:
    """A table as wide as the terminal, or as it is where nobody looks."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 200).print(table)


@main.command()
@click.argument("transaction_id")
@url_option
def explain(transaction_id: str, url: str) -> None:
    """Say in plain words why a call went as it did, and what to change.

    TRANSACTION_ID as `voiceconnector calls` lists it, or "last".

    \b
    Example:
      voiceconnector explain last
    """
    from .calls.explain import wrapped

    text = get(url, f"/emulator/calls/{_identified(transaction_id, url)}/explain").decode()
    click.echo(wrapped(text, shutil.get_terminal_size().columns) if sys.stdout.isatty() else text, nl=False)


@main.command()
@click.argument("transaction_id")
@click.option("--messages", is_flag=True, help="The messages in full below the ladder.")
@url_option
def ladder(transaction_id: str, messages: bool, url: str) -> None:
    """Draw the SIP ladder of a call.

    TRANSACTION_ID as `voiceconnector calls` lists it, or "last".

    \b
    Example:
      voiceconnector ladder last --messages
    """
    query = "?messages" if messages else ""
    click.echo(get(url, f"/emulator/calls/{_identified(transaction_id, url)}/ladder.txt{query}").decode(), nl=False)


@main.command()
@click.argument("transaction_id")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help=OUTPUT_HELP.format("pcapng"))
@click.option("--as-sent", is_flag=True, help="With keys, and what decrypts TLS, to be merged with a tcpdump.")
@click.option("--start/--stop", default=None, help="Keep RTP of a live call from now on, or no longer.")
@url_option
def capture(transaction_id: str, output: Path | None, as_sent: bool, start: bool | None, url: str) -> None:
    """Save the packets of a call for Wireshark: SIP, and RTP where it was kept ([media] capture = true, or --start).

    TRANSACTION_ID as `voiceconnector calls` lists it, or "last".

    \b
    Examples:
      voiceconnector capture last -o call.pcapng
      voiceconnector capture last --start
    """
    query = "?as_sent" if as_sent else ""
    _save_or_keep(transaction_id, "capture", f"capture.pcapng{query}", output, start, url)


@main.command()
@click.argument("transaction_id")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help=OUTPUT_HELP.format("wav"))
@click.option("--start/--stop", default=None, help="Record a live call from now on, or no longer.")
@url_option
def record(transaction_id: str, output: Path | None, start: bool | None, url: str) -> None:
    """Save the recording of a call as stereo WAV, caller left, called side right ([media] record = true, or --start).

    TRANSACTION_ID as `voiceconnector calls` lists it, or "last".

    \b
    Examples:
      voiceconnector record last -o call.wav
      voiceconnector record last --start
    """
    _save_or_keep(transaction_id, "record", "recording.wav", output, start, url)


def _save_or_keep(transaction_id: str, what: str, file: str, output: Path | None, start: bool | None, url: str) -> None:
    identity = _identified(transaction_id, url)
    path = f"/emulator/calls/{quote(identity, safe='')}"
    if start is not None:
        get(url, f"{path}/{what}", {"Enabled": start})
        return
    body = get(url, f"{path}/{file}")
    output = output or Path(f"{identity}.{file.partition('?')[0].rpartition('.')[2]}")
    try:
        output.write_bytes(body)
    except OSError as error:
        fail(f"{output}: cannot be written: {error.strerror}")
    click.echo(f"{output}: {len(body)} bytes")


def _identified(transaction_id: str, url: str) -> str:
    if transaction_id != "last":
        return transaction_id
    found = json.loads(get(url, "/emulator/calls"))
    if not found:
        fail("no call has come in yet")
    identity: str = found[0]["TransactionId"]
    return identity


@main.command()
@click.argument("name", required=False)
@click.argument("state", required=False, type=click.Choice(["up", "down", "slow"]))
@click.option(
    "--delay", type=float, metavar="SECONDS", help="How much later packets of a slow Region come.  [default: 2]"
)
@url_option
def region(name: str | None, state: str | None, delay: float | None, url: str) -> None:
    """Take a Region down, slow it, or bring it up again, to rehearse an outage; without a state, show how they are.

    A Region that is down drops its signalling and media without a word; a slow one delays its signalling.

    \b
    Examples:
      voiceconnector region us-east-1 down
      voiceconnector region us-east-1 slow --delay 5
      voiceconnector region us-east-1 up
      voiceconnector region
    """
    if delay is not None and state != "slow":
        fail("--delay is for a Region that is to be slow, as in: voiceconnector region us-east-1 slow --delay 5", 2)
    if name and state:
        wanted = {"State": state} | ({} if delay is None else {"DelaySeconds": delay})
        shown = {name: json.loads(get(url, f"/emulator/regions/{quote(name, safe='')}", wanted))}
    else:
        shown = json.loads(get(url, "/emulator/regions"))
        if name and name not in shown:
            fail(f"there is no Region {name}; this emulator serves {', '.join(shown)}")
        shown = {name: shown[name]} if name else shown
    for known, condition in shown.items():
        late = f", {condition['DelaySeconds']:g} s" if condition["State"] == "slow" else ""
        click.echo(f"{known}  {condition['State']}{late}, packets dropped: {condition['DroppedPackets']}")


@main.command()
@click.option("--event-name", default="", metavar="OPERATION", help="Only calls of this operation.")
@click.option("--user", default="", help="Only calls of this user, role or access key; root for the root user.")
@click.option("--last", default=30, show_default=True, type=click.IntRange(1), help="The latest events to show.")
@click.option("--json", "as_json", is_flag=True, help="Whole events, as JSON.")
@click.option("--config", "path", type=click.Path(path_type=Path), envvar="VOICECONNECTOR_CONFIG", help=CONFIG_HELP)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help=SET_HELP)
def trail(event_name: str, user: str, last: int, as_json: bool, path: Path | None, settings: tuple[str, ...]) -> None:
    """List who called the AWS API and what came of it, the latest first, as AWS CloudTrail keeps it.

    Reads data_dir/cloudtrail; no emulator needs to run.

    \b
    Examples:
      voiceconnector trail --last 5
      voiceconnector trail --event-name PutVoiceConnectorTermination --user alice --json
    """
    from .control.audit import FOLDER
    from .trail import Trail, table

    folder = _load(path, settings).data_dir / FOLDER
    kept = Trail(folder)
    try:
        found = kept.latest(last, event_name, user)
    except OSError as error:
        fail(f"{folder}: cannot be read: {error.strerror}")
    if kept.damaged:
        click.echo(f"{folder}: {kept.damaged} damaged lines were passed over.", err=True)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    elif found:
        _print_wide(table(found))
    else:
        click.echo(f"No such call of the API is kept in {folder}.")


main.add_command(aws)
main.add_command(export)
main.add_command(import_)


@main.command("check-config")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help=SET_HELP)
def check_config(file: Path, settings: tuple[str, ...]) -> None:
    """Check a configuration file and say what it means; nothing is started.

    \b
    Example:
      voiceconnector check-config lab.toml
    """
    from .encryption import check_files

    config = _load(file, settings)
    try:
        check_files(config, datetime.now(UTC))
    except ValueError as error:
        fail(str(error), 2)
    click.echo(describe(config))


@main.command()
@click.option("--config", "path", type=click.Path(path_type=Path), envvar="VOICECONNECTOR_CONFIG", help=CONFIG_HELP)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help=SET_HELP)
@click.option("--quiet", is_flag=True, help="Only the certificate.")
def ca(path: Path | None, settings: tuple[str, ...], quiet: bool) -> None:
    """Print the certificate of the development CA, and on stderr how a PBX is made to trust it.

    The CA is made at the first start, or here, and kept under data_dir/tls. It signs what the TLS listeners show,
    unless [tls] certificate names your own.

    \b
    Example:
      voiceconnector ca --config lab.toml > voiceconnector-ca.pem
    """
    from .certificates import CertificateError, authority
    from .encryption import tls_folder

    config = _load(path, settings)
    try:
        made = authority(tls_folder(config), datetime.now(UTC))
    except CertificateError as error:
        fail(str(error))
    click.echo(made.certificate.read_text(), nl=False)
    if not quiet:
        click.echo(_CA_HELP.format(file=made.certificate.resolve(), until=f"{made.ends:%F}"), err=True)
        if config.tls.certificate:
            click.echo(f"The listeners show {config.tls.certificate}, which is yours (tls.certificate).", err=True)

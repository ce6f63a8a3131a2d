"""Export and import: everything that is configured, as one file that can be checked into git."""

import json
import time
from pathlib import Path
from typing import Any

import click

from .asking import Refused, ask, fail, get, url_option
from .config import KEYS, ConfigError, Source, config_of, read_source
from .trunk.document import DELETION_QUEUE, SECTIONS, exported
from .trunk.importing import Counts, import_document
from .trunk.store import FILE_NAME, Conflict, Store, StoreError
from .trunk.tables import ShapeError, Table

IMPORT_SECONDS = 120.0
"""How long an emulator may take to import something."""
_LEFT_OUT = "# Passwords and PINs are left out: put them in, or import into an emulator that knows them already.\n"
_data_dir = click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), help="data_dir of an emulator that does not run."
)


@click.command("export")
@click.option("--format", "format_", type=click.Choice(["toml", "json"]), default="toml", show_default=True)
@click.option("--with-secrets", is_flag=True, help="Passwords and PINs too; without, the file can be shown to anybody.")
@_data_dir
@url_option
def export(format_: str, with_secrets: bool, data_dir: Path | None, url: str) -> None:
    """Print everything that is configured: Voice Connectors, groups, numbers, SIP rules, accounts and all the rest.

    What is printed is a configuration file: `serve --config` takes it, and so does `import`.

    \b
    Examples:
      voiceconnector export > lab.toml
      voiceconnector export --format json --with-secrets --data-dir var
    """
    if data_dir:
        document = _kept_in(data_dir, with_secrets)
    else:
        document = json.loads(get(url, f"/emulator/configuration{'?secrets' if with_secrets else ''}"))
    click.echo(text_of(document, format_, with_secrets), nl=False)


def _kept_in(data_dir: Path, with_secrets: bool) -> dict[str, Any]:
    if not (data_dir / FILE_NAME).is_file():
        fail(f"{data_dir} has no {FILE_NAME}, so nothing was ever configured there")
    try:
        store = Store(data_dir, time.time)
    except StoreError as error:
        fail(_in_use(error))
    document = exported(store.snapshot, secrets=with_secrets)
    store.close()
    return document


def _in_use(error: StoreError) -> str:
    hint = "; leave out --data-dir to ask it" if "another voiceconnector" in str(error) else ""
    return f"{error}{hint}"


def text_of(document: dict[str, Any], format_: str, with_secrets: bool) -> str:
    """A document as text that ends with a line break."""
    if format_ == "json":
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    import tomli_w

    return ("" if with_secrets else _LEFT_OUT) + tomli_w.dumps(document)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Remove what the file does not have.")
@_data_dir
@url_option
def import_(file: Path, replace: bool, data_dir: Path | None, url: str) -> None:
    """Make everything that is configured what FILE says, or nothing at all; the next call sees it.

    FILE is what `export` prints, or any configuration file; its settings, such as [http], are for `serve` only.
    Unless --replace is given, nothing is removed: a file that lacks something that is there is refused. Secrets
    that the export left out stay as they are.

    \b
    Examples:
      voiceconnector import lab.toml
      voiceconnector import lab.toml --replace --data-dir var
    """
    try:
        source = read_source(file)
        try:
            Table(source.document, "", KEYS)
            counts = _taken_into(data_dir, source, replace) if data_dir else _sent_to(url, source, replace)
        except ShapeError as error:
            raise ConfigError(f"{source.place(error.path)}: {error}") from None
    except ConfigError as error:
        fail(str(error))
    click.echo(
        f"{file}: {counts.added} added, {counts.changed} changed, {counts.removed} removed, "
        f"{counts.left} were as they are there."
    )


def _resources_of(source: Source) -> dict[str, Any]:
    return {key: source.document[key] for key in (*SECTIONS, DELETION_QUEUE) if key in source.document}


def _sent_to(url: str, source: Source, replace: bool) -> Counts:
    """Raises ConfigError where a running emulator refuses it."""
    path = f"/emulator/configuration{'?replace' if replace else ''}"
    try:
        answer = json.loads(ask(url, path, _resources_of(source), seconds=IMPORT_SECONDS))
    except Refused as error:
        raise ConfigError(f"{source.place(error.path) if error.path else source.path}: {error}") from None
    return Counts(answer["Added"], answer["Changed"], answer["Removed"], answer["Left"])


def _taken_into(data_dir: Path, source: Source, replace: bool) -> Counts:
    """Raises ShapeError and ConfigError for the file. The rules are those of its own profile and Regions."""
    resources = _resources_of(source)
    settings = {key: value for key, value in source.document.items() if key not in resources}
    config = config_of(Source(settings, source.path, source.written, source.origins))
    try:
        store = Store(data_dir, time.time)
    except StoreError as error:
        fail(_in_use(error))
    try:
        return import_document(store, resources, tuple(config.regions), config.profile, time.time(), replace=replace)
    except Conflict as error:
        raise ConfigError(f"{source.path}: {error}") from None
    except StoreError as error:
        fail(str(error))
    finally:
        store.close()

"""The laws of the layout, checked over the syntax tree: who may import whom, and who may do I/O."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "voiceconnector"
FILES = sorted(PACKAGE.rglob("*.py"))

# A layer may import the packages named here, and itself.
LAYERS = {
    "sip": set[str](),
    "media": set[str](),
    "trunk": set[str](),
    "calls": {"sip", "media", "trunk"},
    "pstn": {"sip", "media"},
    "streaming": {"sip", "media", "trunk", "calls"},
    "apps": {"sip", "media", "trunk", "calls"},
    "control": {"trunk", "records"},
    "records": {"calls", "trunk"},
    "console": {"calls", "records", "trunk"},
}
WIRING = {
    "app", "asking", "aws_cli", "captures", "certificates", "cli", "config", "demo", "description",
    "desk", "encryption", "exchange", "listeners", "trail", "way", "__main__",
}  # fmt: skip

IO_MODULES = {
    "socket", "ssl", "select", "selectors", "asyncio", "threading", "multiprocessing", "subprocess",
    "sqlite3", "starlette", "uvicorn", "uvloop", "urllib.request",
}  # fmt: skip
CLOCK_AND_CHANCE = {"time", "secrets"}
IO_FILES = {
    "sip/transport.py", "sip/connections.py", "sip/tls.py", "media/relay.py", "media/relay_process.py",
    "control/server.py", "console/views.py",
    "records/day_files.py", "records/sinks.py",
    "trunk/database.py", "streaming/kinesis.py", "apps/invocation.py", "dns.py",
    "app.py", "asking.py", "desk.py", "listeners.py", "cli.py", "demo.py", "exchange.py",
}  # fmt: skip
SAYS_NOTHING = {"utils", "helpers", "common", "misc", "manager", "handler", "service_impl"}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Absolute dotted names a file imports, relative imports resolved."""
    package = ("voiceconnector", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *(node.module.split(".") if node.module else ())))
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_layer_imports_only_the_layers_below_it(path: Path) -> None:
    layer = path.relative_to(PACKAGE).parts[0]
    if layer not in LAYERS:
        return
    for line, module in imports(path):
        parts = module.split(".")
        if parts[0] == "voiceconnector" and len(parts) > 1:
            assert parts[1] == layer or parts[1] in LAYERS[layer], f"{name_of(path)}:{line} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_the_named_files_do_io_or_read_a_clock(path: Path) -> None:
    if name_of(path) in IO_FILES:
        return
    for line, module in imports(path):
        top = module.split(".")[0]
        assert not IO_MODULES & {top, module.rpartition(".")[0]}, f"{name_of(path)}:{line} does I/O through {module}"
        assert top not in CLOCK_AND_CHANCE, f"{name_of(path)}:{line} reads the clock or chance through {module}"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random":
            assert node.attr == "Random", f"{name_of(path)}:{node.lineno} uses the shared random.{node.attr}"
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await), (
            f"{name_of(path)}:{node.lineno} is asynchronous; only the edge is"
        )


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_is_named_for_what_it_holds_and_stays_readable(path: Path) -> None:
    assert path.stem not in SAYS_NOTHING
    assert len(path.read_text().splitlines()) <= 800, "two readers with different questions open this file: split it"
    assert len(path.relative_to(PACKAGE).parts) <= 2, "one level of folders"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_every_file_outside_the_wiring_has_a_layer() -> None:
    for path in FILES:
        top = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        assert top in LAYERS or top in WIRING or top in {"__init__", "dns", "faults"}, f"{name_of(path)} is in no layer"

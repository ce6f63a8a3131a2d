"""`voiceconnector export` and `import`, with a running emulator and with the data_dir of one that is stopped."""

import json
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.test_serve import CONNECTOR, Phone, Served
from voiceconnector.cli import main

APPLICATION = """
[[sip_media_applications]]
Name = "answer"
AwsRegion = "us-east-1"
Endpoints = [{ LambdaArn = "arn:aws:lambda:us-east-1:111122223333:function:answer" }]
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An emulator that no test changes."""
    folder = tmp_path_factory.mktemp("served")
    running = Served(folder, 'voice_connectors.0.Credentials=[{Username="pbx", Password="secret"}]')
    yield running
    running.kill()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Served]:
    """An emulator of the test's own."""
    running = Served(tmp_path)
    yield running
    running.kill()


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """The data_dir of an emulator that does not run any more."""
    folder = tmp_path / "stopped"
    taken = run("import", str(written(tmp_path / "stopped.toml", LAB)), "--data-dir", str(folder))
    assert taken.exit_code == 0, taken.stderr
    return folder


LAB = f"""
[[voice_connectors]]
VoiceConnectorId = "{CONNECTOR}"
Name = "lab"
PhoneNumbers = ["+12065550100"]
[[voice_connectors.Credentials]]
Username = "pbx"
Password = "secret"
"""


def written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


def run(*arguments: str) -> Result:
    """A command, in this process."""
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def exported(*arguments: str) -> str:
    done = run("export", *arguments)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_an_export_of_a_running_emulator_makes_another_one_the_same(served: Served, tmp_path: Path) -> None:
    text = exported("--with-secrets", "--url", served.http)
    copy = tmp_path / "copy"
    taken = run("import", str(written(tmp_path / "export.toml", text)), "--data-dir", str(copy))
    assert (taken.exit_code, taken.stderr) == (0, "")
    assert taken.stdout.endswith("export.toml: 2 added, 0 changed, 0 removed, 0 were as they are there.\n")
    assert exported("--with-secrets", "--data-dir", str(copy)) == text
    assert 'Password = "secret"' in text


def test_an_exported_file_is_a_configuration_file(stopped: Path, tmp_path: Path) -> None:
    file = written(tmp_path / "export.toml", exported("--with-secrets", "--data-dir", str(stopped)))
    checked = run("check-config", str(file))
    assert (checked.exit_code, checked.stderr) == (0, "")
    assert f'voice connector "lab" in us-east-1: {CONNECTOR}.voiceconnector.chime.aws' in checked.stdout


def test_an_export_as_json_says_the_same_and_is_imported_too(stopped: Path, tmp_path: Path) -> None:
    text = exported("--format", "json", "--with-secrets", "--data-dir", str(stopped))
    assert json.loads(text) == tomllib.loads(exported("--with-secrets", "--data-dir", str(stopped)))
    file = written(tmp_path / "export.json", text)
    assert run("check-config", str(file)).exit_code == 0
    taken = run("import", str(file), "--data-dir", str(stopped))
    assert taken.stdout.endswith("0 added, 0 changed, 0 removed, 2 were as they are there.\n")


def test_an_export_without_secrets_can_be_shown_to_anybody(served: Served, tmp_path: Path) -> None:
    text = exported("--url", served.http)
    assert "secret" not in text
    assert text.startswith("# Passwords and PINs are left out")
    file = written(tmp_path / "export.toml", text)
    line = text.splitlines().index("Credentials = [") + 1
    for refused in (run("check-config", str(file)), run("import", str(file), "--data-dir", str(tmp_path / "new"))):
        assert refused.exit_code in (1, 2)
        assert refused.stderr.startswith(f"voiceconnector: {file}:{line}: voice_connectors[0]")
        assert "Password was left out of the export; put it here" in refused.stderr
    known = run("import", str(file), "--url", served.http)
    assert (known.exit_code, known.stderr) == (0, "")
    assert 'Password = "secret"' in exported("--with-secrets", "--url", served.http)


def test_the_next_call_sees_what_was_imported(alone: Served, tmp_path: Path) -> None:
    with closing(Phone(alone.udp)) as phone:
        document = json.loads(exported("--format", "json", "--url", alone.http))
        file = tmp_path / "changed.json"
        phone.call()
        document["voice_connectors"][0]["Termination"]["Disabled"] = True
        assert run("import", str(written(file, json.dumps(document))), "--url", alone.http).exit_code == 0
        phone.identity += "-again"
        phone.send("INVITE", 1)
        assert "Termination" in phone.receive("403")


def test_a_mistake_is_told_with_its_line_and_nothing_is_imported(served: Served, tmp_path: Path) -> None:
    text = exported("--with-secrets", "--url", served.http)
    before = served.get("/emulator/configuration?secrets")
    wrong = text.replace('Name = "lab"', 'Name = "renamed"') + APPLICATION.replace("us-east-1:", "us-west-2:")
    file = written(tmp_path / "wrong.toml", wrong)
    line = next(number for number, said in enumerate(wrong.splitlines(), start=1) if "LambdaArn" in said)
    for refused in (
        run("import", str(file), "--url", served.http),
        run("import", str(file), "--data-dir", str(tmp_path)),
    ):
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert refused.stderr == (
            f"voiceconnector: {file}:{line}: sip_media_applications[0].Endpoints[0].LambdaArn is of us-west-2: must be "
            "of us-east-1, the Region of the SIP media application\n"
        )
    assert served.get("/emulator/configuration?secrets") == before


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[voice_connector]]\n", "lab.toml: voice_connector is an unknown key; did you mean voice_connectors?"),
        ("Name = ", "lab.toml: is not TOML: "),
        ("[[voice_connectors]]\nName = 7\n", "lab.toml:2: voice_connectors[0].Name = 7: must be 1 to 256 letters"),
    ],
)
def test_what_is_no_configuration_is_refused(served: Served, tmp_path: Path, text: str, complaint: str) -> None:
    refused = run("import", str(written(tmp_path / "lab.toml", text)), "--url", served.http)
    assert refused.exit_code == 1
    assert complaint in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_nothing_is_removed_without_replace(stopped: Path, tmp_path: Path) -> None:
    file = written(tmp_path / "other.toml", '[[voice_connectors]]\nName = "other"\n')
    refused = run("import", str(file), "--data-dir", str(stopped))
    assert refused.exit_code == 1
    assert f"does not have voice_connectors {CONNECTOR}; phone_numbers +12065550100" in refused.stderr
    taken = run("import", str(file), "--replace", "--data-dir", str(stopped))
    assert taken.stdout.endswith("1 added, 0 changed, 2 removed, 0 were as they are there.\n")


def test_settings_of_the_program_are_not_imported(served: Served, tmp_path: Path) -> None:
    file = written(tmp_path / "whole.toml", 'profile = "aws"\n[http]\naddress = "127.0.0.1:1"\n')
    text = file.read_text() + exported("--with-secrets", "--url", served.http)
    taken = run("import", str(written(file, text)), "--url", served.http)
    assert (taken.exit_code, taken.stderr) == (0, "")


def test_a_data_dir_that_is_in_use_is_left_alone(served: Served) -> None:
    refused = run("export", "--data-dir", str(served.data_dir))
    assert refused.exit_code == 1
    assert "another voiceconnector is using it; leave out --data-dir to ask it" in refused.stderr


def test_a_folder_that_is_no_data_dir_is_told_and_not_made_one(tmp_path: Path) -> None:
    refused = run("export", "--data-dir", str(tmp_path))
    assert refused.exit_code == 1
    assert "has no voiceconnector.sqlite, so nothing was ever configured there" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_an_emulator_that_does_not_run_is_told(tmp_path: Path) -> None:
    for command in (["export"], ["import", str(written(tmp_path / "lab.toml", LAB))]):
        refused = run(*command, "--url", "http://127.0.0.1:1")
        assert refused.exit_code == 1
        assert "no emulator answers at http://127.0.0.1:1" in refused.stderr
        assert refused.stderr.endswith("Start one with: voiceconnector serve\n")


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"voice_connectors": [{"Name": "\\ud800"}]}'])
def test_a_body_that_is_no_document_is_refused(served: Served, body: bytes) -> None:
    status, answer = served.post("/emulator/configuration", body)
    assert status == 400
    assert isinstance(answer, dict)
    assert answer["message"]

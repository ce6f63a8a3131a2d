"""The emulator put together, where it can be looked at without being started."""

import asyncio
import logging
import sys
from pathlib import Path

import pytest

from voiceconnector.app import Attempts, Emulator
from voiceconnector.config import load
from voiceconnector.listeners import StartError


def test_an_attempt_that_fails_is_told_with_its_traceback_once_for_each_kind(caplog: pytest.LogCaptureFixture) -> None:
    attempts = Attempts()
    for error in (KeyError("one"), KeyError("two"), OSError("three")):
        with attempts.to("write records"):
            raise error
    with attempts.to("renew certificates"):
        raise KeyError("four")
    told = [(record.levelno, record.exc_info and str(record.exc_info[1])) for record in caplog.records]
    assert told == [(logging.ERROR, "'one'"), (logging.ERROR, "three"), (logging.ERROR, "'four'")]
    assert "Could not write records" in caplog.text
    assert "Traceback" in caplog.text


def test_an_attempt_is_called_off_by_whoever_ends_the_program() -> None:
    with pytest.raises(KeyboardInterrupt), Attempts().to("write records"):
        raise KeyboardInterrupt


def test_a_relay_that_ends_at_once_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = Emulator(load(None, [f"data_dir={tmp_path}"], {}))
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(StartError, match="the media relay ended as soon as it was started"):
        asyncio.run(emulator.start())

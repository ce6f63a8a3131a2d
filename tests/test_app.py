"""The emulator put together, where it can be looked at without being started."""

import logging

import pytest

from voiceconnector.app import Attempts


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

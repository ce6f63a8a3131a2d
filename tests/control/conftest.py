"""The AWS API for tests, in either profile."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.control.cloud import Cloud, Servers, open_cloud
from voiceconnector.trunk.profile import AWS


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """What `open_cloud` takes its server from."""
    opened = Servers()
    yield opened
    opened.close()


@pytest.fixture
def cloud(servers: Servers, tmp_path: Path) -> Iterator[Cloud]:
    """The API with profile `lab`, which has no quotas."""
    with open_cloud(servers, tmp_path) as opened:
        yield opened


@pytest.fixture
def voice(cloud: Cloud) -> Any:
    """boto3's client of `chime-sdk-voice` for it."""
    return cloud.client()


@pytest.fixture
def aws_cloud(servers: Servers, tmp_path: Path) -> Iterator[Cloud]:
    """The API with profile `aws` and its quotas."""
    with open_cloud(servers, tmp_path, AWS) as opened:
        yield opened


@pytest.fixture
def aws_voice(aws_cloud: Cloud) -> Any:
    """boto3's client of `chime-sdk-voice` for it."""
    return aws_cloud.client()


@pytest.fixture
def chime(cloud: Cloud) -> Any:
    """boto3's client of `chime` for the API with profile `lab`."""
    return cloud.client("chime")

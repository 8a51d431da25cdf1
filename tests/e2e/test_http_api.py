"""The product's HTTP API as users meet it: through its gateway, signed, from the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from typer.testing import CliRunner, Result

from local import starter
from swarmkeeper.cli.main import app
from swarmkeeper.edge.openapi import openapi_text
from swarmkeeper.edge.routes import ROUTES
from tests.e2e.conftest import MakeWorld
from tests.e2e.world import World

pytestmark = pytest.mark.loop


@pytest.fixture
def world(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = make_world("simulated")
    described = made.cloud.describe(pid=0, now=0.0)
    monkeypatch.setattr(starter, "running_cloud", lambda: described)
    for name in ("SWARMKEEPER_FLEET", "SWARMKEEPER_API"):
        monkeypatch.delenv(name, raising=False)
    yield made


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def unsigned(url: str, route: str) -> int:
    method, _, path = route.partition(" ")
    request = AWSRequest(method=method, url=url + path.replace("{name}", "web"))
    status: int = URLLib3Session(timeout=30).send(request.prepare()).status_code
    return status


def test_a_user_runs_looks_reads_and_removes(world: World) -> None:
    image = world.cloud.engines.images["web"]
    ran = typed("run", "web-1", image, "--memory", "64MiB", "--idempotency-key", "k-1", "--wait", "120", "--json")
    assert ran.exit_code == 0, ran.stderr
    made = json.loads(ran.stdout)
    assert made["state"] == "running"

    again = typed("run", "web-1", image, "--memory", "64MiB", "--idempotency-key", "k-1", "--json")
    assert json.loads(again.stdout) == made
    other = typed("run", "web-1", image, "--memory", "65MiB", "--idempotency-key", "k-1")
    assert (other.exit_code, "(422)" in other.stderr) == (1, True)

    assert typed("ps", "-q", "--filter", "state=running").stdout == "web-1\n"
    assert typed("logs", "web-1").stdout == "simulated: started\n"
    assert made["node"] in typed("explain", "web-2", image).stdout
    assert {each["role"] for each in json.loads(typed("nodes", "--json").stdout)} == {"manager", "worker"}
    refused = typed("run", "web-3", image, "-p", "8081:80")
    assert (refused.exit_code, "HostConfig.PortBindings" in refused.stderr) == (1, True)

    assert typed("rm", "web-1").stdout == "web-1\n"
    assert typed("rm", "web-1").exit_code == 1
    assert typed("ps", "-q").stdout == ""

    limited = ("--label", "swarmkeeper.ttl=1s", "--memory", "64MiB", "--wait", "120")
    assert typed("run", "brief", image, *limited).exit_code == 0

    url = world.cloud.api.url
    assert {unsigned(url, route.key) for route in ROUTES} == {403}
    assert world.cloud.deployed.outputs["ApiUrl"] == url
    document = URLLib3Session(timeout=30).send(_signed(world, f"{url}/openapi.json").prepare())
    assert document.text == openapi_text()
    world.wait("the end of what lives for a second", lambda: typed("ps", "-q").stdout == "", limit_s=120)


def _signed(world: World, url: str) -> AWSRequest:
    from botocore.auth import SigV4Auth
    from botocore.credentials import Credentials

    cloud = world.cloud.describe(pid=0, now=0.0)
    request = AWSRequest(method="GET", url=url)
    credentials = Credentials(cloud.access_key_id, cloud.secret_access_key)
    SigV4Auth(credentials, "execute-api", cloud.region).add_auth(request)
    return request

"""The locator of a whole local cloud: what routers are told, on real engines from where they ask."""

from __future__ import annotations

from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.aws.balancers import function_listeners
from local.engines import RealEngines
from local.starter import project_root
from swarmkeeper.cli.requests import create_body
from tests.e2e.conftest import MakeWorld
from tests.e2e.world import World

ASK = """
import sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen(sys.argv[1], timeout=20)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.headers.get("Swarmkeeper-Node", ""))
"""


def with_tenants(folder: Path) -> Path:
    """The shipped profile with a network for each tenant."""
    settings = folder / "tenants.yaml"
    shipped = (project_root() / "swarmkeeper.demo.yaml").read_text()
    settings.write_text(shipped.replace("isolation: fleet", "isolation: tenant"))
    return settings


def run(world: World, name: str) -> str:
    """Create a container; the node that it runs on."""
    image = world.cloud.engines.images["web"]
    answer = world.fleet.create(create_body(name, image, cpus="0.25", memory="64MiB"))
    assert answer["status"] in (201, 202), answer
    world.wait(f"{name} runs", lambda: world.states().get(name) == "running", limit_s=120)
    return str(world.containers()[name]["node"])


def asked(url: str, name: str) -> tuple[int, str | None]:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", f"/{name}")
    answer = connection.getresponse()
    connection.close()
    return answer.status, answer.headers.get("Swarmkeeper-Node")


@pytest.mark.loop
def test_it_tells_the_node_of_a_container_that_runs(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world("simulated", settings=with_tenants(tmp_path))
    (front,) = world.cloud.balancers
    node = run(world, "web-1")
    assert asked(front.url, "web-1") == (200, node)
    assert asked(front.url, "web-2") == (404, None)


@pytest.mark.engine
def test_a_node_asks_it_by_the_name_that_the_template_gives(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world("real", settings=with_tenants(tmp_path))
    engines = world.cloud.engines
    assert isinstance(engines, RealEngines)
    (listener,) = function_listeners(world.cloud.server)
    node = run(world, "web-1")

    def told(name: str) -> str:
        done = engines.on_node(node, f"python3 - http://{listener.name}:{listener.port}/{name} <<'PYTHON'{ASK}PYTHON")
        return f"{done.stdout}{done.stderr}".strip()

    assert told("web-1") == f"200 {node}"
    assert told("web-2") == "404"
    assert world.cloud.functions.log_path("demo-locator").exists()

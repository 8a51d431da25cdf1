"""Join tokens in a whole cloud: rotated by command, used by the next node, and written down nowhere else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from local import starter
from local.engines import RealEngines
from local.starter import project_root
from swarmkeeper.cli.main import app
from swarmkeeper.domain.model import NodeId
from tests.e2e.conftest import MakeWorld
from tests.e2e.world import World

TOKEN = "SWMTKN"
IMAGES = {"simulated": "[registry.internal/base:1, registry.internal/tools:2]", "real": "[]"}


def settings_of(folder: Path, engines: str) -> Path:
    text = (project_root() / "swarmkeeper.demo.yaml").read_text()
    slots = '    labels: {containerslots: "4"}\n'
    assert slots in text
    settings = folder / "tokens.yaml"
    settings.write_text(text.replace(slots, f"{slots}    images: {IMAGES[engines]}\n"))
    return settings


class Processes:
    """Looks at every process of this machine, those of its nodes too, for a token among the arguments."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._stop = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Processes:
        self._looking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._looking.join(10)

    def _look(self) -> None:
        while not self._stop.wait(0.05):
            for place in ("cmdline", "environ"):
                self.seen |= {
                    f"{place}: {text}" for text in _texts(Path("/proc").glob(f"[0-9]*/{place}")) if TOKEN in text
                }

    def with_any(self, tokens: Iterable[str]) -> set[str]:
        """Those with one of these: tests of real engines beside a simulated cloud have tokens of their own."""
        return {text for text in self.seen if any(token in text for token in tokens)}


def _texts(paths: Iterator[Path]) -> Iterator[str]:
    for path in paths:
        try:
            yield path.read_bytes().decode(errors="replace")
        except OSError:  # it has ended meanwhile
            continue


def places(world: World, state_dir: Path) -> dict[str, str]:
    """All that is written down in this cloud, but the parameters themselves."""
    ssm, dynamodb = world.client("ssm"), world.client("dynamodb")
    commands = ssm.list_commands()["Commands"]
    invocations = ssm.list_command_invocations(Details=True)["CommandInvocations"]
    tables = {name: dynamodb.scan(TableName=name)["Items"] for name in dynamodb.list_tables()["TableNames"]}
    logs = {str(path): path.read_text(errors="replace") for path in _log_files(state_dir)}
    return {
        "commands": json.dumps(commands, default=str),
        "outputs": json.dumps(invocations, default=str),
        "tables": json.dumps(tables, default=str),
        "events": str(world.cloud.bus.history()),
        "calls": str(world.cloud.journal.calls()),
        "answers": json.dumps(world.fleet.list()),
        **logs,
    }


def _log_files(state_dir: Path) -> list[Path]:
    found = [*state_dir.glob("functions/*"), *state_dir.glob("nodes/*/log/**/*"), *state_dir.glob("*.log")]
    return [path for path in found if path.is_file()]


def token_of(world: World, role: str) -> str:
    name = f"/{world.cloud.settings.fleet}/join-token/{role}"
    answer = world.client("ssm").get_parameter(Name=name, WithDecryption=True)
    return str(answer["Parameter"]["Value"])


def grown(world: World) -> dict[str, Any]:
    """One worker more, which has read the token of now."""
    before = {node["id"] for node in world.nodes()}
    world.hold(2)
    found = world.wait(
        "a second worker", lambda: [one for one in world.nodes("ready") if one["id"] not in before], limit_s=150
    )
    return dict(found[0])


@pytest.mark.parametrize(
    "engines",
    [
        pytest.param("simulated", marks=pytest.mark.loop),
        pytest.param("real", marks=pytest.mark.e2e),
    ],
)
def test_tokens_are_rotated_by_command_and_stand_nowhere(
    engines: str, make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Processes() as processes:
        world = make_world(engines, settings=settings_of(tmp_path, engines))
        world.first_worker()
        old, manager_old = token_of(world, "worker"), token_of(world, "manager")
        described = world.cloud.describe(pid=0, now=0.0)
        monkeypatch.setattr(starter, "running_cloud", lambda: described)
        done = CliRunner().invoke(app, ["tokens", "rotate", "--wait", "60", "--json"])
        assert done.exit_code == 0, done.stderr
        told = json.loads(done.stdout)
        assert (told["under_way"], told["rotated_at"] >= told["asked_at"]) == (False, True)
        new, manager_new = token_of(world, "worker"), token_of(world, "manager")
        node = grown(world)

    assert old.startswith(TOKEN)
    assert new.startswith(TOKEN)
    assert new != old
    written = places(world, tmp_path)
    assert {place for place, text in written.items() if TOKEN in text} == set()
    assert node["id"] in written["tables"]
    assert processes.with_any((old, new, manager_old, manager_new)) == set()
    assert engines == "simulated" or processes.seen == set()
    assert TOKEN not in done.output
    if isinstance(world.cloud.engines, RealEngines):
        _refuses(world.cloud.engines, world, NodeId(node["id"]), old)


def _refuses(engines: RealEngines, world: World, worker: NodeId, old: str) -> None:
    """A node that has left the Swarm can't come back with the token of before."""
    manager = world.nodes("ready", role="manager")[0]["address"]
    joined = f'docker swarm leave && docker swarm join --token "{old}" {manager}:2377'
    said = engines.on_node(worker, joined)
    assert said.exit_code != 0
    assert "valid join token" in said.stderr

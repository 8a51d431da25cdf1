from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from swarmkeeper.cli.main import app

MIB = 2**20


def a_node(number: int, **changes: Any) -> dict[str, Any]:
    plain = {"labels": {}, "health": 100, "cpus": 2, "memory": 1024 * MIB, "images": [], "containers": []}
    return {"id": f"i-{number}", "name": f"node-{number}", **plain, **changes}


WEB = {
    "id": "c1",
    "name": "web",
    "labels": {"app": "web"},
    "cpus": 1,
    "memory": 256 * MIB,
    "ports": [{"host_port": 80}],
}
CLUSTER = {
    "nodes": [
        a_node(1, labels={"disk": "ssd", "zone": "a"}, containers=[WEB]),
        a_node(2, labels={"disk": "ssd", "zone": "b"}),
        a_node(3, labels={"disk": "hdd", "zone": "b"}),
        a_node(4, labels={"disk": "ssd"}, health=0),
    ]
}


@pytest.fixture
def ask(tmp_path: Path) -> Any:
    def asked(request: object, *arguments: str, cluster: object = CLUSTER) -> Result:
        (tmp_path / "c.json").write_text(json.dumps(cluster), encoding="utf-8")
        (tmp_path / "r.json").write_text(json.dumps(request), encoding="utf-8")
        files = ("--cluster", str(tmp_path / "c.json"), "--request", str(tmp_path / "r.json"))
        return CliRunner().invoke(app, ["place", *files, *arguments])

    return asked


def test_a_cluster_without_nodes_is_told(ask: Any) -> None:
    done = ask({"name": "web-2"}, cluster={"nodes": []})
    assert (done.exit_code, done.stdout) == (1, "No node can hold web-2: the cluster has no nodes.\n")


def test_it_tells_where_a_container_would_go_and_why_not_elsewhere(ask: Any) -> None:
    done = ask({"name": "web-2", "env": ["constraint:disk==ssd"], "cpus": 0.5, "ports": [{"host_port": 80}]})
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "web-2 goes to node-2 (i-2) (spread, weight -875)."
    assert lines[1] == "Refused: 1 of 4 nodes: port 80; 1: constraint disk==ssd; 1: health."
    refused = {line.split()[0]: line for line in lines if line.startswith("node-")}
    assert refused["node-1"].split() == ["node-1", "(i-1)", "port", "web", "holds", "port", "80"]
    assert "disk==ssd does not hold for 'hdd'" in refused["node-3"]
    assert "is unhealthy" in refused["node-4"]


def test_programs_get_the_whole_decision(ask: Any) -> None:
    done = ask({"cpus": 1, "env": ["affinity:app!=~web"]}, "--json")
    told = json.loads(done.stdout)
    assert (told["node"], told["name"], told["pass"], told["strategy"]) == ("i-2", "node-2", 1, "spread")
    assert [each["node"] for each in told["candidates"]] == ["i-2", "i-3"]
    assert told["rejections"] == {"health": 1, "affinity": 1}
    assert told["refused"][0] == {
        "node": "i-1",
        "name": "node-1",
        "reason": "affinity",
        "detail": "app!=~web does not hold: 'web' is there",
    }


def test_dockers_create_body_is_a_request_too(ask: Any) -> None:
    host = {"NanoCpus": 10**9, "Memory": 512 * MIB, "PortBindings": {"80/tcp": [{"HostPort": "80"}]}}
    done = ask({"Image": "nginx", "Env": ["constraint:disk==ssd", "A=b"], "HostConfig": host}, "--json")
    assert json.loads(done.stdout)["node"] == "i-2"


def test_a_docker_body_without_a_memory_limit_reserves_the_fleets_default(ask: Any) -> None:
    cluster = {"nodes": [a_node(1, containers=[{"id": "c", "name": "c", "memory": 800 * MIB}])]}
    refused = ask({"Image": "nginx"}, cluster=cluster)
    assert refused.exit_code == 1
    assert "256 MiB" in refused.stdout
    assert ask({"Image": "nginx"}, "--default-memory", "128MiB", cluster=cluster).exit_code == 0


def test_when_no_node_fits_it_says_why_and_fails(ask: Any) -> None:
    done = ask({"name": "huge", "cpus": 3, "env": ["constraint:disk==~ssd"]})
    assert done.exit_code == 1
    assert done.stdout.startswith("No node can hold huge, soft expressions or not.")
    assert "wants 3 CPUs and 0 MiB, has 1 CPUs and 768 MiB free" in done.stdout
    assert json.loads(ask({"cpus": 3}, "--json").stdout)["node"] is None


@pytest.mark.parametrize(
    ("arguments", "node"),
    [
        ((), "i-2"),
        (("--strategy", "binpack"), "i-1"),
        (("--balance-over", "zone"), "i-2"),
        (("--strategy", "random", "--seed", "1"), "i-3"),
    ],
)
def test_options_are_those_of_a_fleet(ask: Any, arguments: tuple[str, ...], node: str) -> None:
    assert json.loads(ask({"cpus": 0.5}, "--json", *arguments).stdout)["node"] == node


def test_room_is_exact_unless_classic_swarms_scores_are_asked_for(ask: Any) -> None:
    cluster = {"nodes": [a_node(1, containers=[{"id": "c", "name": "c", "memory": 1020 * MIB}])]}
    assert ask({"memory": 5 * MIB}, cluster=cluster).exit_code == 1
    assert ask({"memory": 5 * MIB}, "--classic", cluster=cluster).exit_code == 0


def test_stopped_containers_can_be_left_out(ask: Any) -> None:
    cluster = {"nodes": [a_node(1, containers=[{**WEB, "running": False}])]}
    assert ask({"ports": [{"host_port": 80}]}, cluster=cluster).exit_code == 1
    assert ask({"ports": [{"host_port": 80}]}, "--ignore-stopped", cluster=cluster).exit_code == 0


@pytest.mark.parametrize(
    ("request_", "cluster", "told"),
    [
        ({"env": ["constraint:x=y"]}, CLUSTER, "r.json: expression 'x=y': has neither == nor !="),
        ({"labels": {"com.docker.swarm.constraints": "x"}}, CLUSTER, "is not a JSON array of expressions"),
        ({"cpu": 1}, CLUSTER, "r.json: cpu: Extra inputs are not permitted"),
        ({"HostConfig": {"Nano": 1}, "Image": "x"}, CLUSTER, "r.json: HostConfig.Nano: Extra inputs"),
        ([], CLUSTER, "r.json: is not a JSON object"),
        ({}, {"nodes": [a_node(1), a_node(1)]}, "c.json: nodes.1.id: 'i-1' stands here for the second time"),
        ({}, {"nodes": [{"id": "x"}]}, "c.json: nodes.0.name: Field required"),
        ({}, {}, "c.json: nodes: Field required"),
    ],
)
def test_bad_files_are_refused_by_name_and_field(ask: Any, request_: object, cluster: object, told: str) -> None:
    done = ask(request_, cluster=cluster)
    assert done.exit_code == 1
    assert told in done.stderr


@pytest.mark.parametrize("arguments", [(), ("--cases", __file__, "--cluster", __file__), ("--cluster", __file__)])
def test_either_cases_or_a_cluster_with_a_request_is_asked_for(arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, ["place", *arguments])
    assert done.exit_code == 2
    assert "either --cases" in done.stderr


def test_an_unknown_strategy_is_wrong_usage(ask: Any) -> None:
    assert ask({}, "--strategy", "best").exit_code == 2


def test_cases_are_answered_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(
        json.dumps({"id": "x-1", "strategy": "spread", **CLUSTER, "request": {"cpus": 1}}) + "\n{}", "utf-8"
    )
    done = CliRunner().invoke(app, ["place", "--cases", str(path), "--json"])
    assert json.loads(done.stdout) == {
        "id": "x-1",
        "node": "i-2",
        "error": None,
        "pass": 1,
        "message": "i-2 (weight -850, spread, best of 3); 1 of 4 nodes: health",
    }
    assert (done.exit_code, done.stderr) == (1, "swarmkeeper: line 2: id: Field required\n")
    assert CliRunner().invoke(app, ["place", "--cases", str(path)]).stdout.startswith("x-1: i-2 (pass 1; i-2 (weight")

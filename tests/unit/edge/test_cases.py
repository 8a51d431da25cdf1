from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from swarmkeeper.edge.cases import CaseAnswer, cases_in, decide_case
from swarmkeeper.edge.clusters import BadFile


def a_node(node_id: str = "n1", **changes: Any) -> dict[str, Any]:
    plain = {"labels": {}, "health": 100, "cpus": 4, "memory": 1000, "images": [], "containers": []}
    return {"id": node_id, "name": f"{node_id}-name", **plain, **changes}


def a_line(*nodes: dict[str, Any], strategy: str = "spread", **request: Any) -> str:
    return json.dumps({"id": "x-1", "strategy": strategy, "nodes": nodes or (a_node(),), "request": request})


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def answer(tmp_path: Path, line: str, *, count_stopped: bool = True) -> CaseAnswer:
    (case,) = cases_in(written(tmp_path / "case.jsonl", line))
    return decide_case(case, count_stopped=count_stopped)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param("{", "line 2: Invalid JSON", id="not JSON"),
        pytest.param("[]", "line 2: Input should be an object", id="not an object"),
        pytest.param('{"id": "x", "strategy": "spread", "nodes": []}', "line 2: request: Field required", id="missing"),
        pytest.param(a_line(strategy="best"), "line 2: strategy: Input should be 'spread', 'binpack'", id="strategy"),
        pytest.param(a_line(a_node(), a_node("n2", cpus="4")), "line 2: nodes.1.cpus", id="a text for a number"),
        pytest.param(a_line(a_node(memory=-1)), "line 2: nodes.0.memory: Input should be greater", id="negative"),
        pytest.param(a_line(a_node(heatlh=1)), "line 2: nodes.0.heatlh: Extra inputs", id="misspelt"),
        pytest.param(a_line(a_node(), a_node()), "line 2: nodes.1.id: 'n1' stands here for the second", id="twice"),
        pytest.param(a_line(a_node(containers=[{"id": "c"}])), "line 2: nodes.0.containers.0.name", id="deep"),
        pytest.param(a_line(ports=[{"host_port": "80"}]), "line 2: request.ports.0.host_port", id="in the request"),
        pytest.param("[" * 100_000, "line 2: Invalid JSON", id="nested without end"),
    ],
)
def test_a_bad_line_is_an_error_that_names_line_and_field(tmp_path: Path, line: str, told: str) -> None:
    cases = cases_in(written(tmp_path / "cases.jsonl", a_line(), line))
    next(cases)
    with pytest.raises(BadFile) as caught:
        next(cases)
    assert str(caught.value).startswith(told)


def test_lines_are_read_one_by_one_and_empty_ones_passed_over(tmp_path: Path) -> None:
    plain = written(tmp_path / "cases.jsonl", a_line(), "", a_line(), "  ")
    zipped = tmp_path / "cases.jsonl.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    assert len(list(cases_in(plain))) == len(list(cases_in(zipped))) == 2


def test_a_torn_gzip_file_is_an_error(tmp_path: Path) -> None:
    torn = tmp_path / "cases.jsonl.gz"
    torn.write_bytes(gzip.compress(a_line().encode())[:-9])
    with pytest.raises(BadFile, match="not a whole gzip file"):
        list(cases_in(torn))


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        pytest.param({"env": ["constraint:x=y"]}, "invalid-expression", id="reached"),
        pytest.param({"env": ["constraint:x=y", "affinity:container==web"]}, "affinity", id="an earlier filter"),
        pytest.param({"env": ["whitelist:x=y", "constraint:node==zz"]}, "constraint", id="the one before"),
        pytest.param({"env": ["constraint:x=y", "affinity:container==~web"]}, "invalid-expression", id="a soft one"),
        pytest.param({"env": ["constraint:x=y"], "cpus": 99}, "invalid-expression", id="room comes later"),
        pytest.param({"env": ["constraint:node==zz", "constraint:x=y"]}, "invalid-expression", id="all are read first"),
        pytest.param({"env": ["constraint:xx==~["]}, "invalid-expression", id="soft"),
        pytest.param({"env": ["constraint:"]}, "invalid-expression", id="nothing"),
        pytest.param({"labels": {"com.docker.swarm.constraints": "x"}}, "invalid-expression", id="a malformed label"),
        pytest.param({"labels": {"com.docker.swarm.constraints": "[5]"}}, "invalid-expression", id="no texts"),
        pytest.param({"labels": {"com.docker.swarm.constraints": "null"}}, None, id="null is an empty list"),
        pytest.param({"env": ["Constraint:x=y", "constraint", "x=constraint:x=y"]}, None, id="ordinary variables"),
    ],
)
def test_an_invalid_expression_is_reported_when_its_filter_is_reached(
    tmp_path: Path, request_: dict[str, Any], error: str | None
) -> None:
    assert answer(tmp_path, a_line(**request_)).error == error


def test_an_empty_cluster_fails_the_first_filter(tmp_path: Path) -> None:
    line = json.dumps({"id": "x", "strategy": "spread", "nodes": [], "request": {"env": ["constraint:x=y"]}})
    assert answer(tmp_path, line) == CaseAnswer("x", None, "health", 2, "the fleet has no nodes")


def test_label_entries_come_before_the_environments(tmp_path: Path) -> None:
    labels = {"com.docker.swarm.constraints": '["x=first"]'}
    assert "x=first" in answer(tmp_path, a_line(env=["constraint:x=second"], labels=labels)).message


def test_null_stands_for_an_empty_list_as_go_writes_it(tmp_path: Path) -> None:
    node = a_node(images=None, containers=None, labels=None)
    assert answer(tmp_path, a_line(node, env=None, labels=None, ports=None)).node == "n1"


def test_stopped_containers_count_unless_they_are_left_out(tmp_path: Path) -> None:
    full = {"id": "c", "name": "c", "memory": 1000, "running": False}
    line = a_line(a_node(containers=[full]), memory=100)
    assert answer(tmp_path, line).error == "resources"
    assert answer(tmp_path, line, count_stopped=False).node == "n1"


def test_room_is_what_truncated_scores_leave_as_in_classic_swarm(tmp_path: Path) -> None:
    node = a_node(containers=[{"id": "c", "name": "c", "memory": 999}])
    assert answer(tmp_path, a_line(node, memory=10)).node == "n1"
    assert answer(tmp_path, a_line(node, memory=11)).error == "resources"


def test_cpus_may_be_parts_and_resources_generic_beyond_the_format(tmp_path: Path) -> None:
    node = a_node(cpus=0.5, generic={"gpu": 1})
    assert answer(tmp_path, a_line(node, cpus=0.5, generic={"gpu": 1})).node == "n1"
    assert answer(tmp_path, a_line(node, cpus=0.6)).error == "resources"
    assert answer(tmp_path, a_line(node, generic={"gpu": 2})).error == "resources"

"""The demo's first half: demand outgrows the fleet, and the fleet grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from swarmkeeper.cli.demo import chain
from swarmkeeper.cli.demo.probe import refuses_strangers, wait_for_answers
from swarmkeeper.cli.demo.stage import Stage, all_run, ids
from swarmkeeper.cli.demo.watch import View
from swarmkeeper.cli.fleet import Answer, NodeView
from swarmkeeper.cli.requests import create_body, memory_bytes

CPUS, MEMORY = "0.25", "128MiB"
AT_ONCE = 4
FIRST_NODES_S, ALARM_S, LAUNCH_S, JOIN_S, PLACE_S, ANSWER_S = 120, 60, 60, 90, 60, 15


def grow(stage: Stage) -> None:
    """Run the steps of the first half. Raises Unmet when one does not come true."""
    wait_for_first_nodes(stage)
    check_strangers_are_refused(stage)
    request_containers(stage)
    wait_for_alarm(stage)
    wait_for_new_nodes(stage)
    wait_until_all_run(stage)
    check_swarm(stage)
    check_answers(stage)


def wait_for_first_nodes(stage: Stage) -> None:
    with stage.record.step("first worker ready"):
        ready = stage.watcher.wait("a ready worker", lambda view: view.workers("ready") or None, limit_s=FIRST_NODES_S)
        introduce(stage, ready)


def introduce(stage: Stage, nodes: Sequence[NodeView]) -> None:
    for node in nodes:
        stage.say(f"{node['role']} {node['id']} is ready at {node['address']}")


def check_strangers_are_refused(stage: Stage) -> None:
    with stage.record.step("engines refuse strangers"):
        proxy = stage.proxy()
        for node in stage.watcher.view.nodes:
            if node["state"] == "ready":
                refused, how = refuses_strangers(node["address"], through=proxy)
                name = f"the engine API of {node['role']} {node['id']} refuses a client without certificate"
                stage.record.check(name, refused, how)


def request_containers(stage: Stage) -> None:
    count = overflow(stage.watcher.view.workers("ready"))
    with stage.record.step(f"request {count} containers"):
        stage.requested_at = stage.record.elapsed()
        stage.names = [f"web-{number}" for number in range(1, count + 1)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(lambda name: stage.fleet.create(body(stage, name)), stage.names))
        wrong = [answer for answer in answers if answer["status"] not in (201, 202)]
        stage.record.check("every request is accepted", not wrong, f"{len(answers)} requests; {wrong[:2] or 'all'}")
        check_overflow(stage, [answer for answer in answers if answer not in wrong])


def check_overflow(stage: Stage, answers: Sequence[Answer]) -> None:
    waiting = [answer["container"] for answer in answers if answer["container"]["state"] == "pending"]
    stage.say(f"{len(stage.names)} containers requested: {len(waiting)} wait, for the fleet is too small")
    reasons = sorted({container.get("reason", "") for container in waiting})
    name = "the first worker overflows, and those that wait say why"
    stage.record.check(name, bool(waiting) and all(reasons), "; ".join(reasons) or "none waits")


def body(stage: Stage, name: str) -> dict[str, object]:
    """The create body of one of the demo's web containers."""
    return create_body(name, stage.image, cpus=CPUS, memory=MEMORY, environment=[f"NAME={name}"], movable=True)


def overflow(workers: Sequence[NodeView]) -> int:
    """How many of the demo's containers are more than these workers hold, by less than one worker's worth."""
    return sum(room(worker) for worker in workers) + max(1, room(workers[0]) - 1)


def room(worker: NodeView) -> int:
    """How many of the demo's containers an empty worker holds."""
    capacity = worker["capacity"]
    by_size = min(int(capacity["cpus"] / float(CPUS)), capacity["memory_bytes"] // memory_bytes(MEMORY))
    slots = worker.get("slots")
    return by_size if slots is None else min(by_size, slots)


def wait_for_alarm(stage: Stage) -> None:
    with stage.record.step("alarm fires"):
        fired = stage.watcher.wait(
            f"the alarm {stage.alarm}",
            lambda view: chain.alarm_fired(view.events, stage.alarm, after=stage.requested_at),
            limit_s=ALARM_S,
        )
        stage.say(f"alarm {stage.alarm} is in ALARM {fired.t - stage.requested_at:.1f} s after the requests")


def wait_for_new_nodes(stage: Stage) -> None:
    with stage.record.step("group grows"):
        new = stage.watcher.wait("a launch hook", lambda view: launched(stage, view) or None, limit_s=LAUNCH_S)
        stage.say(f"new instance {', '.join(new)}: its launch hook calls the registrar")
    with stage.record.step("new nodes join"):
        # What the look that ended the wait shows; a later look may show the launch of one more.
        stage.joined = stage.watcher.wait(
            "that the new workers are ready", lambda view: joined(stage, view), limit_s=JOIN_S
        )
        introduce(stage, [node for node in stage.watcher.view.workers("ready") if node["id"] in stage.joined])


def launched(stage: Stage, view: View) -> list[str]:
    """Instances whose launch hook came since the requests."""
    hooks = [event for event in view.of_kind(chain.LAUNCH_HOOK) if event.t >= stage.requested_at]
    return sorted({str(event.detail["EC2InstanceId"]) for event in hooks})


def joined(stage: Stage, view: View) -> list[str] | None:
    """The launched instances once all of them are ready; None before."""
    new = launched(stage, view)
    return new if set(new) <= ids(view.workers("ready")) else None


def wait_until_all_run(stage: Stage) -> None:
    with stage.record.step("all containers run"):
        stage.watcher.wait("that all containers run", lambda view: all_run(view, stage.names), limit_s=PLACE_S)
        stage.say(f"{len(stage.names)} containers run on {len(stage.watcher.view.workers('ready'))} workers")
        waiting = [container["name"] for container in stage.watcher.view.pending()]
        stage.record.check("nothing is pending once the fleet has grown", not waiting, str(waiting or "nothing"))


def check_swarm(stage: Stage) -> None:
    with stage.record.step("docker node ls"):
        what = "that the Swarm and the table name the same nodes"
        listed = stage.watcher.wait(what, lambda view: agreed(stage, view), limit_s=JOIN_S)
        stage.record.notes["docker_node_ls"] = listed
        name = "docker node ls on the manager lists every node by its instance id, Ready"
        stage.record.check(name, True, ", ".join(sorted(ready_in(listed))))


def agreed(stage: Stage, view: View) -> list[Mapping[str, Any]] | None:
    """`docker node ls` once its ready nodes are those of the table: one of them may know of a node a moment later."""
    listed = stage.swarm_nodes()
    return listed if ready_in(listed) == {node["id"] for node in view.nodes if node["state"] == "ready"} else None


def ready_in(listed: Sequence[Mapping[str, Any]]) -> set[str]:
    return {str(node["hostname"]) for node in listed if node["status"] == "Ready"}


def check_answers(stage: Stage) -> None:
    if not stage.real:
        stage.say("simulated engines run no containers: the HTTP answers are left out")
        return
    with stage.record.step("every container answers by name"):
        routes = stage.routes()
        silent = wait_for_answers(routes, stage.names, limit_s=ANSWER_S)
        detail = f"{len(stage.names)} names through {len(routes)} routers; silent: {silent or 'none'}"
        stage.record.check("every container answers by name through every worker's router", not silent, detail)
        status, text = routes[0].get("no-such-container")
        stage.record.check("an unknown name is refused quickly", status in (404, 502), f"{status} {text[:40]!r}")

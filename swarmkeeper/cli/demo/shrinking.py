"""The demo's second half: demand falls, and a node is chosen, drained, and leaves."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from swarmkeeper.cli.demo import chain
from swarmkeeper.cli.demo.growing import ANSWER_S, AT_ONCE, PLACE_S
from swarmkeeper.cli.demo.probe import Route, SilenceMeter, wait_for_answers
from swarmkeeper.cli.demo.record import Unmet
from swarmkeeper.cli.demo.stage import Stage, all_run, ids
from swarmkeeper.cli.demo.watch import View

CHOICE_S, DRAIN_S, LEAVE_S = 200, 120, 60


def shrink(stage: Stage) -> None:
    """Run the steps of the second half. Raises Unmet when one does not come true."""
    remove_most(stage)
    if stage.real:
        # Asked all the time from before the choice on, so that the whole move is measured.
        with SilenceMeter(stage.routes(), stage.kept) as meter:
            wait_for_scale_in(stage)
        tell_silence(stage, meter)
    else:
        wait_for_scale_in(stage)
    check_kept_ones(stage)
    remove_the_rest(stage)


def remove_most(stage: Stage) -> None:
    with stage.record.step("remove most containers"):
        stage.kept = one_each(stage.watcher.view, stage.names)
        gone = [name for name in stage.names if name not in stage.kept]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(stage.fleet.remove, gone))
        stage.removed_at = stage.record.elapsed()
        wrong = [answer for answer in answers if answer["status"] not in (200, 202, 204)]
        stage.record.check("every removal is accepted", not wrong, f"{len(answers)} removals; {wrong[:2] or 'all'}")
        stage.say(f"{len(gone)} containers removed; {', '.join(stage.kept)} stay, one on each worker")


def one_each(view: View, names: Sequence[str]) -> list[str]:
    """One container on each worker, so that whichever drains has one to move."""
    first: dict[str, str] = {}
    for name in names:
        container = view.container(name)
        if container and container.get("node"):
            first.setdefault(str(container["node"]), name)
    return [first[node] for node in sorted(first)]


def wait_for_scale_in(stage: Stage) -> None:
    with stage.record.step("a node is chosen to leave"):
        drains = stage.watcher.wait("that a node drains", lambda view: draining(stage, view) or None, limit_s=CHOICE_S)
        stage.left = drains[:1]
        stage.say(f"{stage.left[0]} drains: its movable container goes elsewhere")
    node = stage.left[0]
    with stage.record.step("it drains, leaves and is terminated"):
        stage.watcher.wait(
            f"that {node} is terminated",
            lambda view: view.of_kind(chain.TERMINATED, EC2InstanceId=node) or None,
            limit_s=DRAIN_S,
        )
        stage.watcher.wait(f"that {node} has left the table", lambda view: node not in ids(view.nodes), limit_s=LEAVE_S)
        stage.say(f"{node} has left the Swarm and is terminated")


def draining(stage: Stage, view: View) -> list[str]:
    """The nodes that were told to drain since the requests, in order."""
    told = [event for event in view.of_kind(chain.NODE_DRAINING) if event.t >= stage.requested_at]
    return list(dict.fromkeys(str(event.detail["node"]) for event in told))


def tell_silence(stage: Stage, meter: SilenceMeter) -> None:
    longest = {name: round(seconds, 2) for name, seconds in meter.longest_s.items()}
    stage.record.notes["longest_silence_s"] = longest
    told = ", ".join(f"{name} {seconds:g} s" for name, seconds in longest.items())
    stage.say(f"longest time between two answers, while one was moved: {told}")


def check_kept_ones(stage: Stage) -> None:
    with stage.record.step("kept containers run elsewhere"):
        stage.watcher.wait("that the kept containers run", lambda view: all_run(view, stage.kept), limit_s=PLACE_S)
        places = {name: (stage.watcher.view.container(name) or {}).get("node") for name in stage.kept}
        outlived = bool(places) and not set(places.values()) & set(stage.left)
        stage.record.check("a movable container outlives its node", outlived, str(places))
        if stage.real:
            silent = wait_for_answers(_remaining(stage), stage.kept, limit_s=ANSWER_S)
            stage.record.check("kept containers answer by name after the move", not silent, str(silent or "all answer"))
        listed = {str(node["hostname"]) for node in stage.swarm_nodes()}
        gone = not listed & set(stage.left)
        stage.record.check("the node that left is gone from the Swarm", gone, f"listed: {sorted(listed)}")


def _remaining(stage: Stage) -> list[Route]:
    routes = stage.routes(without=stage.left)
    if not routes:
        raise Unmet("no worker is left to ask through")
    return routes


def remove_the_rest(stage: Stage) -> None:
    with stage.record.step("remove the rest"):
        for name in stage.kept:
            stage.fleet.remove(name)
        stage.watcher.wait("that no container is listed", lambda view: not view.containers, limit_s=PLACE_S)
        stage.record.check("nothing is pending at the end", not stage.watcher.view.pending(), "no container is listed")

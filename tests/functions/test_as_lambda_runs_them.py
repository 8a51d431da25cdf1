"""Every function answers its recorded events from its zip and the layer alone, in the template's environment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from infra.bundle import ROOT
from infra.compiling import compiler, version_of
from infra.host import host
from local.aws.invocations import FunctionSpec
from local.aws.unpacked import Unpacked
from swarmkeeper.alias import ALIAS
from swarmkeeper.cli.bench.coldstart_parts import Deployed, deployed_fleet
from tests.functions.recorded import EVENTS, in_queue, recorded

TO = {
    "placement": (
        "container_ended", "forged_by_a_node", "inventory_due", "node_ready", "other_fleets_node_ready",
        "pending_retry", "pull_succeeded",
    ),
    "scaler": (
        "alarm_action", "alarm_action_composite", "alarm_changed", "alarm_composite", "alarm_garbage",
        "alarm_insufficient_data", "alarm_maths", "alarm_ok", "alarm_pending", "alarm_reserved_low",
        "alarm_several_records", "autoscaling_test_notification", "capacity_needed", "foreign_launch_unsuccessful",
        "launch_abandoned", "launch_cancelled", "launch_unsuccessful", "schedule",
    ),
    "registrar": (
        "container_expired", "csr_succeeded", "foreign_command", "foreign_launch_hook", "instance_terminated",
        "join_failed", "join_in_progress", "join_succeeded", "launch_hook", "leave_timed_out", "membership_check",
        "node_draining", "queue_of_hooks", "rebalance", "save_succeeded", "spot_interruption", "terminate_hook",
        "tokens_due",
    ),
    "reconciler": ("schedule",),
    "locator": ("locate",),
}  # fmt: skip
"""Each function's events."""
REQUESTS = ("http_create", "http_get")
"""Those of the HTTP API, which the placement function answers."""
SERVED_BY_ANYONE = {
    "foreign_command", "foreign_launch_hook", "join_in_progress", "rebalance", "save_succeeded", "tokens_due",
}  # fmt: skip
"""The registrar is done with these whatever there is. Others may come again: this account has no instances."""

PROBE = """
import importlib, os, sys
from pathlib import Path

def handler(event, context):
    import swarmkeeper
    found = []
    for name in event["names"]:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name and not name.startswith(f"{error.name}."):
                raise
        else:
            found.append(name)
    return {
        "found": found,
        "library": str(Path(swarmkeeper.__file__).parents[1]),
        "path": sys.path,
        "environment": dict(os.environ),
        "version": "%d.%d" % sys.version_info[:2],
    }
"""


SNAPSHOT_PROBE = """
import gc, os
from functions.{function}.handler import wired
from swarmkeeper.adapters.aws.clients import descriptions

def handler(event, context):
    from botocore.client import BaseClient
    return {{
        "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
        "kept": wired.cache_info().currsize,
        "clients": sum(isinstance(each, BaseClient) for each in gc.get_objects()),
        "descriptions": descriptions.cache_info().currsize,
    }}
"""


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet whose functions run as on Lambda, and the folder that they were unpacked into."""

    deployed: Deployed
    folder: Path

    def call(self, function: str, event: object) -> Any:
        """The function's answer; fails the test when it ended with an error."""
        outcome = self.deployed.functions.invoke(f"demo-{function}:{ALIAS}", json.dumps(event).encode())
        assert outcome.succeeded, outcome.payload.decode()
        return json.loads(outcome.payload)


def with_probe(fleet: Fleet, function: str, probe: str = PROBE) -> FunctionSpec:
    """Put a probe beside the function's code, as another function's handler; the function."""
    functions = fleet.deployed.functions
    spec = next(each for each in functions.functions() if each.name == f"demo-{function}")
    (spec.code_root / "probe.py").write_text(probe, encoding="utf-8")
    functions.register(replace(spec, name="demo-probe", handler="probe.handler"))
    return spec


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("lambda")
    with deployed_fleet(folder, unpacked=Unpacked(host(), folder)) as deployed:
        yield Fleet(deployed, folder)


def test_every_recorded_event_is_some_functions() -> None:
    assert {*REQUESTS, *(name for names in TO.values() for name in names)} == {
        path.stem for path in EVENTS.glob("*.json")
    }


@pytest.mark.parametrize("name", TO["placement"])
def test_placement_answers(fleet: Fleet, name: str) -> None:
    assert fleet.call("placement", recorded(name)).keys() & {"trigger", "ignored", "pull"}


def test_placement_answers_requests(fleet: Fleet) -> None:
    created, got = (fleet.call("placement", recorded(name)) for name in REQUESTS)
    assert [created["statusCode"], got["statusCode"]] == [202, 200]
    assert json.loads(created["body"])["name"] == json.loads(got["body"])["name"] == "web-1"


@pytest.mark.parametrize("name", TO["scaler"])
def test_the_scaler_answers(fleet: Fleet, name: str) -> None:
    event = recorded(name)
    if name == "capacity_needed":
        assert fleet.call("scaler", in_queue(event)) == {"batchItemFailures": []}
    else:
        assert fleet.call("scaler", event) is None


@pytest.mark.parametrize("name", TO["registrar"])
def test_the_registrar_answers(fleet: Fleet, name: str) -> None:
    event = recorded(name)
    batch = event if "Records" in event else in_queue(event)
    again = {each["itemIdentifier"] for each in fleet.call("registrar", batch)["batchItemFailures"]}
    assert again <= (set() if name in SERVED_BY_ANYONE else {record["messageId"] for record in batch["Records"]})


@pytest.mark.parametrize("name", TO["reconciler"])
def test_the_reconciler_answers(fleet: Fleet, name: str) -> None:
    assert fleet.call("reconciler", recorded(name)) is None


def test_the_locator_answers(fleet: Fleet) -> None:
    placed = fleet.call("placement", recorded("http_create"))
    assert placed["statusCode"] == 202
    answered = [fleet.call("locator", recorded(name)) for name in TO["locator"]]
    assert [each["statusCode"] for each in answered] == [404]  # it waits for a node


def test_nothing_but_zip_layer_and_runtime_can_be_imported(fleet: Fleet) -> None:
    spec = with_probe(fleet, "placement")
    outside = ["infra", "local", "tests", "swarmkeeper.cli", "functions.scaler", "boto3", "moto", "typer", "pip"]
    seen = fleet.call("probe", {"names": outside})
    assert seen["found"] == []
    assert seen["library"] == str(spec.code_root)
    assert spec.code_root.is_relative_to(fleet.folder)
    assert seen["path"][:3] == [str(spec.code_root), str(fleet.folder / "opt" / "python"), str(host().runtime)]
    assert not any("site-packages" in each for each in seen["path"])
    assert not any(Path(each).is_relative_to(ROOT) for each in seen["path"] if each != str(host().runtime))


def test_the_environment_is_the_templates_and_what_lambda_adds(fleet: Fleet) -> None:
    spec = with_probe(fleet, "scaler")
    environment = fleet.call("probe", {"names": []})["environment"]
    own = {name: value for name, value in environment.items() if name.startswith(("SWARMKEEPER_", "POWERTOOLS_"))}
    assert own == dict(spec.environment)
    rest = environment.keys() - own.keys()
    assert {each for each in rest if not each.startswith(("AWS_", "LAMBDA_", "_"))} <= {
        "PATH",
        "LANG",
        "TZ",
        "LC_CTYPE",
    }


@pytest.mark.parametrize("name", TO)
def test_a_snapshot_holds_what_was_loaded_and_nothing_that_ages(fleet: Fleet, name: str) -> None:
    with_probe(fleet, name, SNAPSHOT_PROBE.format(function=name))
    seen = fleet.call("probe", {})
    assert seen == {"type": "snap-start", "kept": 0, "clients": 0, "descriptions": 1}


def test_functions_run_on_lambdas_python_where_there_is_one() -> None:
    python = compiler()
    built = host()
    assert built.version == version_of(str(built.python))
    assert python is None or (str(built.python), built.version) == (python, "3.13")

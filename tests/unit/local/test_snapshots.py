"""Published versions and aliases, and functions that start from snapshots, with the hooks of AWS's own runtime."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.permissions import NotAllowedError, check_may_invoke
from tests.unit.local.wiring import Account

HOOKS = """
import os
from snapshot_restore_py import register_after_restore, register_before_snapshot

done = []

@register_before_snapshot
def prime():
    done.append("primed")

@register_after_restore
def renew():
    if os.environ.get("FAILS"):
        raise RuntimeError("not renewed")
    done.append("renewed")

def handler(event, context):
    return {"done": done, "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], "version": context.function_version}
"""


def add(account: Account, *, published: dict[str, str], snapshots: bool = True, fails: str = "") -> None:
    """A function with hooks, published as said."""
    (account.folder / "hooked.py").write_text(HOOKS)
    account.add(handler="hooked.handler")
    (spec,) = account.functions.functions()
    environment = {**spec.environment, "FAILS": fails}
    account.functions.register(replace(spec, published=published, snapshots=snapshots, environment=environment))


def call(account: Account, name: str) -> tuple[Any, str]:
    answer = account.server.client("lambda").invoke(FunctionName=name, Payload=b"{}")
    return json.loads(answer["Payload"].read()), str(answer.get("FunctionError", ""))


def test_a_published_version_is_primed_before_and_renewed_after_its_snapshot(account: Account) -> None:
    add(account, published={"1": "1", "live": "1"})
    expected = {"done": ["primed", "renewed"], "type": "snap-start", "version": "1"}
    assert call(account, "f:live") == (expected, "")


def test_without_snapshots_no_hook_is_called(account: Account) -> None:
    add(account, published={"1": "1", "live": "1"}, snapshots=False)
    assert call(account, "f:live")[0] == {"done": [], "type": "on-demand", "version": "1"}


def test_a_version_whose_renewal_fails_answers_with_that(account: Account) -> None:
    add(account, published={"1": "1", "live": "1"}, fails="yes")
    error, kind = call(account, "f:live")
    assert kind == "Unhandled"
    assert "not renewed" in error["errorMessage"]


def test_an_alias_that_was_not_made_is_no_function(account: Account) -> None:
    add(account, published={"1": "1", "live": "1"})
    with pytest.raises(ClientError) as raised:
        call(account, "f:other")
    assert raised.value.response["Error"]["Code"] == "ResourceNotFoundException"
    with pytest.raises(LookupError, match="no version or alias other"):
        account.functions.invoke_async("f:other", b"{}")


def test_permission_for_a_function_is_not_permission_for_its_alias(account: Account) -> None:
    arn = account.add()
    client = account.server.client("lambda")
    client.publish_version(FunctionName="f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    rule = "arn:aws:events:eu-central-1:123456789012:rule/r"
    account.allow("f", "events.amazonaws.com", rule)
    check_may_invoke(account.server, arn, "events.amazonaws.com", rule)
    with pytest.raises(NotAllowedError):
        check_may_invoke(account.server, f"{arn}:live", "events.amazonaws.com", rule)

"""What is done before a snapshot of a function, and after it was restored, as Lambda's runtime does it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
import snapshot_restore_py  # type: ignore[import-untyped]  # neither has types
from awslambdaric import lambda_runtime_hooks_runner as runtime  # type: ignore[import-untyped]
from botocore.session import Session

from swarmkeeper.adapters.aws import snapshots
from swarmkeeper.adapters.aws.clients import AwsClients, descriptions
from swarmkeeper.adapters.pki.entropy import renew_key_seed
from swarmkeeper.errors import Unavailable

SNAPSHOTS = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}


@pytest.fixture(autouse=True)
def hooks() -> Iterator[None]:
    """Nothing is registered before a test, nor after it."""
    registries = (snapshot_restore_py.get_before_snapshot(), snapshot_restore_py.get_after_restore())
    for registry in registries:
        registry.clear()
    yield
    for registry in registries:
        registry.clear()


def noting(done: list[str], what: str) -> Callable[[], None]:
    return lambda: done.append(what)


def test_nothing_is_registered_where_no_snapshot_is_taken() -> None:
    done: list[str] = []
    snapshots.on_snapshots({}, prime=noting(done, "prime"), forget=noting(done, "forget"))
    runtime.run_before_snapshot()
    runtime.run_after_restore()
    assert done == []


def test_all_is_made_and_let_go_of_before_the_snapshot_and_renewed_after_each_restore() -> None:
    done: list[str] = []
    snapshots.on_snapshots(
        SNAPSHOTS, prime=noting(done, "prime"), forget=noting(done, "forget"), renewals=(noting(done, "renew"),)
    )
    runtime.run_before_snapshot()
    assert done == ["prime", "forget"]
    runtime.run_after_restore()
    runtime.run_after_restore()
    assert done[2:] == ["renew", "renew"]


def unreachable() -> None:
    raise Unavailable("no route yet")


def test_a_function_that_cannot_be_wired_yet_is_published_unprimed() -> None:
    done: list[str] = []
    snapshots.prepare(unreachable, noting(done, "forget"))
    assert done == ["forget"]


def broken() -> None:
    raise ZeroDivisionError


def test_a_bug_ends_the_publishing_and_leaves_nothing_behind() -> None:
    done: list[str] = []
    with pytest.raises(ZeroDivisionError):
        snapshots.prepare(broken, noting(done, "forget"))
    assert done == ["forget"]


def test_two_environments_from_one_snapshot_draw_different_numbers() -> None:
    snapshot = random.getstate()
    drawn = []
    for _ in range(2):
        random.setstate(snapshot)
        snapshots.renew_seeds()
        drawn.append(random.random())
    assert drawn[0] != drawn[1]


def test_entropy_is_mixed_into_both_openssls(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed: list[tuple[int, float]] = []
    monkeypatch.setattr("ssl.RAND_add", lambda given, entropy: mixed.append((len(given), entropy)))
    snapshots.renew_seeds()
    assert mixed == [(64, 64)]
    renew_key_seed()  # cryptography's own can't be looked into: it takes what it is given, or raises


def test_clients_made_anew_have_credentials_of_their_own_and_read_no_description_again() -> None:
    first, second = Session(), Session()
    assert first.get_component("data_loader") is not second.get_component("data_loader")
    ours, others = AwsClients(), AwsClients()
    assert ours._session is not others._session
    assert ours._session.get_component("data_loader") is others._session.get_component("data_loader") is descriptions()

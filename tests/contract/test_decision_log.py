"""What the port `DecisionLog` promises, by the history in memory and by the one in DynamoDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmkeeper.adapters.aws.decision_records import DynamoDecisions
from swarmkeeper.adapters.aws.table_definition import create_history_table
from swarmkeeper.adapters.memory.decisions import MemoryDecisions
from swarmkeeper.domain.model import PoolName
from swarmkeeper.domain.scaling.decision import Direction, ScalingDecision
from swarmkeeper.domain.scaling.history import KEPT_S, is_decision_id, moment
from swarmkeeper.errors import InvalidInput
from swarmkeeper.ports import DecisionLog
from tests.fakes.aws import aws_account

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = 1_795_387_200.25
OUT = ScalingDecision(PoolName("workers"), Direction.OUT, desired=5, wish=7, reason="2 pending", trigger="alarm")
GPU = replace(OUT, pool=PoolName("gpu-2"))
TABLE = "demo-history"


@pytest.fixture
def dynamodb() -> Iterator[DynamoDBClient]:
    with aws_account() as session:
        client = session.client("dynamodb")
        create_history_table(client, TABLE)
        yield client


@pytest.fixture
def dynamo_log(dynamodb: DynamoDBClient) -> DynamoDecisions:
    return DynamoDecisions(dynamodb, TABLE)


@pytest.fixture(params=["in memory", "DynamoDB"])
def log(request: pytest.FixtureRequest) -> DecisionLog:
    made: Callable[[], DecisionLog] = {
        "in memory": MemoryDecisions,
        "DynamoDB": lambda: request.getfixturevalue("dynamo_log"),
    }[request.param]
    return made()


def all_of(log: DecisionLog, pool: str | None = None, *, since: float = 0.0, limit: int = 100) -> list[float]:
    found, after = log.decisions(None if pool is None else PoolName(pool), since=since, limit=limit)
    times = [each.at for each in found]
    while after:
        found, after = log.decisions(None if pool is None else PoolName(pool), since=since, limit=limit, after=after)
        assert len(found) <= limit
        times += [each.at for each in found]
    return times


def test_a_decision_is_kept_with_all_that_its_log_tells(log: DecisionLog) -> None:
    log.record(OUT, at=NOW)
    ((kept,), after) = log.decisions(None, since=0.0, limit=10)
    assert (kept.at, kept.pool, after) == (NOW, "workers", "")
    assert kept.facts == OUT.to_log()
    assert log.decision(kept.id) == kept


def test_the_same_decision_recorded_twice_is_one(log: DecisionLog) -> None:
    log.record(OUT, at=NOW)
    log.record(OUT, at=NOW)
    log.record(replace(OUT, desired=6), at=NOW)
    assert all_of(log) == [NOW, NOW]


def test_the_newest_come_first(log: DecisionLog) -> None:
    for at in (NOW + 10, NOW, NOW + 5):
        log.record(OUT, at=at)
    assert all_of(log) == [NOW + 10, NOW + 5, NOW]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_hold_each_decision_once(log: DecisionLog, limit: int) -> None:
    for number in range(7):
        log.record(OUT if number % 3 else GPU, at=NOW + number)
    assert all_of(log, limit=limit) == [NOW + number for number in range(6, -1, -1)]
    assert all_of(log, "gpu-2", limit=limit) == [NOW + 6, NOW + 3, NOW]


def test_only_those_since_a_time_are_told(log: DecisionLog) -> None:
    for number in range(4):
        log.record(OUT, at=NOW + number)
    assert all_of(log, since=NOW + 2) == [NOW + 3, NOW + 2]
    assert all_of(log, "workers", since=NOW + 9) == []


def test_the_last_page_says_that_none_follow(log: DecisionLog) -> None:
    for number in range(2):
        log.record(OUT, at=NOW + number)
    _, after = log.decisions(None, since=0.0, limit=2)
    assert after == ""


@pytest.mark.parametrize("unknown", ["", "x", "../x", f"{moment(NOW)}-workers-00000000"])
def test_an_unknown_id_finds_nothing(log: DecisionLog, unknown: str) -> None:
    log.record(OUT, at=NOW)
    assert log.decision(unknown) is None


def test_a_position_that_is_none_of_ours_is_refused(log: DecisionLog) -> None:
    with pytest.raises(InvalidInput):
        log.decisions(None, since=0.0, limit=1, after="x")


def test_dynamodb_is_told_when_a_decision_may_go(dynamo_log: DynamoDecisions, dynamodb: DynamoDBClient) -> None:
    dynamo_log.record(OUT, at=NOW)
    (item,) = dynamodb.scan(TableName=TABLE)["Items"]
    assert float(item["expires_at"]["N"]) == round(NOW + KEPT_S)


def test_decisions_of_another_pool_do_not_end_a_listing(dynamo_log: DynamoDecisions) -> None:
    dynamo_log.record(GPU, at=NOW)
    for number in range(1, 30):
        dynamo_log.record(OUT, at=NOW + number)
    assert all_of(dynamo_log, "gpu-2", limit=2) == [NOW]


@given(st.floats(0, 9e9), st.floats(0, 9e9))
def test_ids_sort_by_time(one: float, other: float) -> None:
    assert (moment(one) <= moment(other)) or int(one * 1000) > int(other * 1000)
    assert is_decision_id(f"{moment(one)}-workers-0123abcd")

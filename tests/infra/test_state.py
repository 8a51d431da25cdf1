"""The table's schema, in the template and wherever else one is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from swarmkeeper.adapters.aws.table_definition import create_history_table, create_table
from tests.fakes.aws import aws_account
from tests.infra.template import Template


def by_name(definitions: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return sorted((each["AttributeName"], each["AttributeType"]) for each in definitions)


def test_the_history_is_the_table_that_tests_make_and_forgets_by_itself(template: Template) -> None:
    table = template.one("AWS::DynamoDB::Table", TableName="demo-history")
    with aws_account() as session:
        client = session.client("dynamodb")
        create_history_table(client, "t")
        made = client.describe_table(TableName="t")["Table"]
    assert by_name(table["AttributeDefinitions"]) == by_name(made["AttributeDefinitions"])
    assert table["KeySchema"] == made["KeySchema"]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_the_table_is_the_one_that_tests_and_benchmarks_make(template: Template) -> None:
    table = template.one("AWS::DynamoDB::Table", TableName="demo-state")
    with aws_account() as session:
        client = session.client("dynamodb")
        create_table(client, "t")
        made = client.describe_table(TableName="t")["Table"]
    assert by_name(table["AttributeDefinitions"]) == by_name(made["AttributeDefinitions"])
    assert table["KeySchema"] == made["KeySchema"]
    indexes = [{key: each[key] for key in ("IndexName", "KeySchema", "Projection")} for each in indexes_of(made)]
    assert table["GlobalSecondaryIndexes"] == indexes


def indexes_of(table: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
    indexes = table["GlobalSecondaryIndexes"]
    assert isinstance(indexes, list)
    return indexes

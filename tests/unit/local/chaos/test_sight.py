"""What is seen of a table in process is what a scan tells, but for what is not looked at."""

from __future__ import annotations

from local.aws.server import AwsServer
from local.chaos.sight import table_items


def test_a_tables_items_are_those_that_a_scan_tells_without_lists_and_maps() -> None:
    with AwsServer() as server:
        client = server.client("dynamodb")
        keys = ("pk", "sk")
        client.create_table(
            TableName="t",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=True)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        )
        assert table_items(server, "t") == []
        for number in range(6):
            item = {
                "pk": {"S": f"NODE#{number % 2}"},
                "sk": {"S": f"HOLDS#{number}"},
                "slots": {"NULL": True} if number else {"N": "3"},
                "labels": {"M": {"zone": {"L": [{"S": "a"}, {"BOOL": False}]}}},
            }
            client.put_item(TableName="t", Item=item)
        scanned = client.scan(TableName="t")["Items"]
        assert all(item.pop("labels") for item in scanned)
        assert sorted(table_items(server, "t"), key=lambda item: item["sk"]["S"]) == sorted(
            scanned, key=lambda item: item["sk"]["S"]
        )

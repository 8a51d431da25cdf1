"""A template becomes resources of the emulated AWS that work together."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping

import pytest

from local.aws.bus import UNDISTURBED, Bus
from local.aws.deploy import Deployed, DeployError, Deployment, deploy
from local.aws.queues import QueuePollers
from local.aws.topics import TopicDelivery
from tests.unit.local.wiring import Account, wait_until

TRUST = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "x.amazonaws.com"}}]}


def run(
    account: Account,
    resources: Mapping[str, object],
    *,
    api_endpoint: Callable[[str], str] | None = None,
    **sections: object,
) -> Deployed:
    """Deploy a template with these resources."""
    path = account.folder / "demo.template.json"
    path.write_text(json.dumps({"Resources": resources, **sections}))
    wanted = Deployment(path, code_root=account.folder)
    return deploy(account.server, account.functions, wanted, api_endpoint=api_endpoint)


def function(name: str, **properties: object) -> dict[str, object]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": name,
            "Handler": "tiny.handler",
            "Runtime": "python3.13",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"S3Bucket": "assets", "S3Key": "code.zip"},
            "Timeout": 20,
            **properties,
        },
    }


POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*"}],
}

ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": TRUST,
        "ManagedPolicyArns": [{"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"}],
        "Policies": [{"PolicyName": "inline", "PolicyDocument": POLICY}],
    },
}


@pytest.fixture
def wired(account: Account) -> Iterator[Account]:
    """An account whose events, queues and topics reach functions."""
    bus = Bus(account.server, account.functions, UNDISTURBED)
    pollers = QueuePollers(account.server, account.functions)
    TopicDelivery(account.server, account.functions)
    yield account
    pollers.stop()
    bus.stop()


def test_an_event_goes_through_a_rule_and_a_queue_to_a_function(wired: Account) -> None:
    run(
        wired,
        {
            "Role": ROLE,
            "F": function("demo-registrar", Environment={"Variables": {"CALLS": str(wired.folder / "f.calls")}}),
            "Mapping": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    "FunctionName": {"Ref": "F"},
                    "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
                    "BatchSize": 10,
                    "FunctionResponseTypes": ["ReportBatchItemFailures"],
                    "ScalingConfig": {"MaximumConcurrency": 2},
                },
            },
            "Queue": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "QueueName": "demo-registrar",
                    "VisibilityTimeout": 60,
                    "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 60},
                },
            },
            "Dead": {"Type": "AWS::SQS::Queue"},
            "QueuePolicy": {
                "Type": "AWS::SQS::QueuePolicy",
                "Properties": {
                    "Queues": [{"Ref": "Queue"}],
                    "PolicyDocument": {
                        "Statement": [
                            {
                                "Effect": "Deny",
                                "Principal": "*",
                                "Action": "sqs:*",
                                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                                "Resource": "*",
                            },
                            {
                                "Effect": "Allow",
                                "Principal": {"Service": "events.amazonaws.com"},
                                "Action": ["sqs:SendMessage"],
                                "Resource": {"Fn::GetAtt": ["Queue", "Arn"]},
                                "Condition": {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]}}},
                            },
                        ]
                    },
                },
            },
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "EventPattern": {"source": [{"prefix": "swarmkeeper."}]},
                    "State": "ENABLED",
                    "Targets": [{"Id": "t", "Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}],
                },
            },
        },
    )
    wired.server.client("events").put_events(
        Entries=[{"Source": "swarmkeeper.demo", "DetailType": "Node Ready", "Detail": '{"fleet": "demo"}'}]
    )
    (record,) = wired.wait_for_calls(1)[0]["event"]["Records"]
    assert json.loads(record["body"])["detail"] == {"fleet": "demo"}


def test_a_topic_reaches_its_function_whose_failures_end_in_the_dead_letters(wired: Account) -> None:
    deployed = run(
        wired,
        {
            "Role": ROLE,
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "demo-alarms"}},
            "Dead": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "demo-scaler-dlq"}},
            "F": function("demo-scaler", Handler="absent.handler"),
            "G": function(
                "demo-scaler-2",
                Handler="tiny.fails",
                DeadLetterConfig={"TargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}},
                ReservedConcurrentExecutions=1,
            ),
            "Retries": {
                "Type": "AWS::Lambda::EventInvokeConfig",
                "Properties": {"FunctionName": {"Ref": "G"}, "Qualifier": "$LATEST", "MaximumRetryAttempts": 0},
            },
            "Subscription": {
                "Type": "AWS::SNS::Subscription",
                "Properties": {
                    "Protocol": "lambda",
                    "TopicArn": {"Ref": "Topic"},
                    "Endpoint": {"Fn::GetAtt": ["G", "Arn"]},
                },
            },
            "Permission": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {
                    "Action": "lambda:InvokeFunction",
                    "FunctionName": {"Fn::GetAtt": ["G", "Arn"]},
                    "Principal": "sns.amazonaws.com",
                    "SourceArn": {"Ref": "Topic"},
                },
            },
        },
        Outputs={"TopicArn": {"Value": {"Ref": "Topic"}}, "DeadUrl": {"Value": {"Ref": "Dead"}}},
    )
    wired.server.client("sns").publish(TopicArn=deployed.outputs["TopicArn"], Message="ALARM")
    (body,) = wired.wait_for_bodies(deployed.outputs["DeadUrl"])
    assert json.loads(body)["Records"][0]["Sns"]["Message"] == "ALARM"
    assert wired.functions.log_path("demo-scaler-2").read_text().count("REPORT RequestId") == 1
    (spec,) = wired.functions.functions()
    assert (spec.reserved_concurrency, spec.async_policy.max_retries, spec.timeout_s) == (1, 0, 20)
    assert ("F", "not run: no Python code for it here") in [(one.logical_id, one.what) for one in deployed.skipped]


def test_a_network_with_a_group_is_made_in_the_order_of_its_needs(account: Account) -> None:
    told: list[str] = []
    path = account.folder / "demo.template.json"
    path.write_text(json.dumps(NETWORK))
    deployed = deploy(
        account.server,
        account.functions,
        Deployment(path, ssm_values={"/image": "ami-12345678"}),
        told.append,
    )
    needed = {"Vpc", "Subnet", "Nat", "Route", "Associated", "Launch", "Nodes"}
    before = told[: told.index("AWS::AutoScaling::AutoScalingGroup Group")]
    assert needed <= {line.split()[1] for line in before}
    autoscaling, ec2 = account.server.client("autoscaling"), account.server.client("ec2")
    (group,) = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    assert (group["AutoScalingGroupName"], group["MinSize"], group["MaxSize"]) == ("demo-web", 1, 3)
    assert group["NewInstancesProtectedFromScaleIn"] is True
    assert group["VPCZoneIdentifier"] == deployed.resources["Subnet"].ref
    (security,) = ec2.describe_security_groups(GroupIds=[deployed.resources["Nodes"].ref])["SecurityGroups"]
    assert [one["FromPort"] for one in security["IpPermissions"]] == [2376]
    assert [one["FromPort"] for one in security["IpPermissionsEgress"]] == [443]
    assert deployed.outputs == {"Vpc": deployed.resources["Vpc"].ref}


def test_what_is_not_honoured_is_listed(account: Account) -> None:
    deployed = run(
        account,
        {
            "Unknown": {"Type": "AWS::Nobody::Knows", "Properties": {"a": 1}},
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"FancyNewThing": 1}},
            "Off": {"Type": "AWS::SQS::Queue", "Condition": "Never"},
        },
        Conditions={"Never": {"Fn::Equals": ["a", "b"]}},
    )
    assert [(one.logical_id, one.what) for one in deployed.skipped] == [
        ("Unknown", "the local cloud doesn't know this type"),
        ("Queue", "FancyNewThing"),
    ]
    assert set(deployed.resources) == {"Queue"}


def test_a_resource_that_cannot_be_made_is_named(account: Account) -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": ROLE["Properties"] | {"ManagedPolicyArns": [_NO_SUCH_POLICY]}}  # type: ignore[operator]  # a dict of dicts
    with pytest.raises(DeployError, match=r"Role \(AWS::IAM::Role\)"):
        run(account, {"Role": role})


_NO_SUCH_POLICY = "arn:aws:iam::aws:policy/NobodyWroteThis"


def test_a_table_has_its_index_expiry_and_backups(account: Account) -> None:
    run(account, {"Table": TABLE})
    dynamodb = account.server.client("dynamodb")
    described = dynamodb.describe_table(TableName="demo-state")["Table"]
    by_kind, by_change = described["GlobalSecondaryIndexes"]
    assert (by_kind["IndexName"], by_change["IndexName"]) == ("by_kind", "by_change")
    assert by_change["Projection"]["NonKeyAttributes"] == ["epoch", "revision"]
    expiry = dynamodb.describe_time_to_live(TableName="demo-state")["TimeToLiveDescription"]
    assert expiry["AttributeName"] == "expires_at"
    backups = dynamodb.describe_continuous_backups(TableName="demo-state")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def test_parameters_documents_secrets_and_alarms_are_made(account: Account) -> None:
    run(account, SMALL)
    client = account.server.client
    assert client("ssm").get_parameter(Name="/demo/settings")["Parameter"]["Value"] == "{}"
    document = client("ssm").get_document(Name="demo-node-join")["Content"]
    assert json.loads(document)["schemaVersion"] == "2.2"
    assert "SecretString" not in client("secretsmanager").describe_secret(SecretId="demo/ca")
    assert client("secretsmanager").get_secret_value(SecretId="demo/made")["SecretString"]
    (alarm,) = client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert (alarm["AlarmName"], alarm["Period"], alarm["Threshold"]) == ("demo-pending", 10, 0.0)


def test_file_assets_lie_in_the_bootstrap_bucket_and_are_deployed_from_it(account: Account) -> None:
    project = account.folder / "asset.join"
    (project / "bin").mkdir(parents=True)
    (project / "compose.yaml").write_text("image: <marker>")
    script = project / "bin" / "run"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    (account.folder / "demo.assets.json").write_text(json.dumps(_manifest("asset.join", "join.zip")))
    deployed = run(
        account,
        {
            "Bucket": {"Type": "AWS::S3::Bucket"},
            "Copy": {
                "Type": "Custom::CDKBucketDeployment",
                "Properties": {
                    "ServiceToken": "none",
                    "SourceBucketNames": ["assets-123456789012-eu-central-1"],
                    "SourceObjectKeys": ["join.zip"],
                    "SourceMarkers": [{"<marker>": "router:1"}],
                    "DestinationBucketName": {"Ref": "Bucket"},
                    "DestinationBucketKeyPrefix": "join/",
                },
            },
        },
    )
    s3 = account.server.client("s3")
    zipped = s3.get_object(Bucket="assets-123456789012-eu-central-1", Key="join.zip")["Body"].read()
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        assert archive.getinfo("bin/run").external_attr >> 16 & 0o777 == 0o755
    copied = s3.get_object(Bucket=deployed.resources["Bucket"].ref, Key="join/compose.yaml")["Body"].read()
    assert copied == b"image: router:1"


def test_a_function_without_a_source_tree_runs_from_its_asset(account: Account) -> None:
    code = account.folder / "asset.code"
    code.mkdir()
    (code / "own.py").write_text("def handler(event, context):\n    return 'from the asset'\n")
    (account.folder / "demo.assets.json").write_text(json.dumps(_manifest("asset.code", "code.zip")))
    run(account, {"Role": ROLE, "F": function("f", Handler="own.handler")})
    assert account.functions.invoke("f", b"{}").payload == b'"from the asset"'
    assert account.server.client("s3").list_buckets()["Buckets"] == []


def test_a_custom_call_of_an_api_is_made(account: Account) -> None:
    call = {
        "service": "@aws-sdk/client-ssm",
        "action": "putParameter",
        "parameters": {"Name": "/made", "Value": "yes", "Type": "String"},
        "physicalResourceId": {"id": "made"},
    }
    properties = {"ServiceToken": "none", "Create": json.dumps(call)}
    run(account, {"Call": {"Type": "Custom::AWS", "Properties": properties}})
    wait_until(lambda: account.server.client("ssm").get_parameter(Name="/made")["Parameter"]["Value"] == "yes")


PROVIDER = """
import json, urllib.request

def handler(event, context):
    properties = event["ResourceProperties"]
    status = "FAILED" if properties.get("Fail") == "true" else "SUCCESS"
    data = {"Twice": properties["A"] * 2}
    answer = {"Status": status, "Reason": "told to", "PhysicalResourceId": "made", "Data": data}
    body, no_type = json.dumps(answer).encode(), {"Content-Type": ""}
    request = urllib.request.Request(event["ResponseURL"], body, no_type, method="PUT")
    urllib.request.urlopen(request).close()
"""


def provider(**properties: object) -> dict[str, object]:
    token = {"Fn::GetAtt": ["F", "Arn"]}
    return {
        "Role": ROLE,
        "F": function("provider", Handler="index.handler", Code={"ZipFile": PROVIDER}),
        "Made": {"Type": "Custom::Mine", "Properties": {"ServiceToken": token, "A": 1, **properties}},
    }


def test_a_custom_resource_is_made_by_its_own_function_whose_code_may_stand_in_the_template(account: Account) -> None:
    outputs = {"Twice": {"Value": {"Fn::GetAtt": ["Made", "Twice"]}}, "Ref": {"Value": {"Ref": "Made"}}}
    assert run(account, provider(), Outputs=outputs).outputs == {"Twice": "11", "Ref": "made"}


def test_a_custom_resource_that_its_function_refuses_is_an_error(account: Account) -> None:
    with pytest.raises(DeployError, match="told to"):
        run(account, provider(Fail=True))


def _manifest(folder: str, key: str) -> dict[str, object]:
    destination = {"bucketName": "assets-${AWS::AccountId}-${AWS::Region}", "objectKey": key}
    source = {"path": folder, "packaging": "zip"}
    return {"files": {"hash": {"source": source, "destinations": {"current": destination}}}}


TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "TableName": "demo-state",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "AttributeDefinitions": [
            {"AttributeName": "changed_at", "AttributeType": "N"},
            *({"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "kind", "order", "shard")),
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by_kind",
                "KeySchema": [
                    {"AttributeName": "kind", "KeyType": "HASH"},
                    {"AttributeName": "order", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            },
            {
                "IndexName": "by_change",
                "KeySchema": [
                    {"AttributeName": "shard", "KeyType": "HASH"},
                    {"AttributeName": "changed_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["epoch", "revision"]},
            },
        ],
        "SSESpecification": {"SSEEnabled": True},
        "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": "true"},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    },
}

SMALL = {
    "Settings": {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Name": "/demo/settings", "Type": "String", "Value": "{}", "Tags": {"fleet": "demo"}},
    },
    "Join": {
        "Type": "AWS::SSM::Document",
        "Properties": {
            "Name": "demo-node-join",
            "DocumentType": "Command",
            "Content": {"schemaVersion": "2.2", "description": "joins", "mainSteps": []},
        },
    },
    "Ca": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "demo/ca"}},
    "Made": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "demo/made", "GenerateSecretString": {}}},
    "Alarm": {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": "demo-pending",
            "Namespace": "Swarmkeeper",
            "MetricName": "PendingContainers",
            "Dimensions": [{"Name": "Fleet", "Value": "demo"}],
            "ComparisonOperator": "GreaterThanThreshold",
            "EvaluationPeriods": 1,
            "Period": "10",
            "Statistic": "Maximum",
            "Threshold": 0,
        },
    },
}

NETWORK = {
    "Parameters": {
        "Image": {"Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "Default": "/image"},
        "BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk-bootstrap/version"},
    },
    "Resources": {
        "Group": {
            "Type": "AWS::AutoScaling::AutoScalingGroup",
            "DependsOn": ["Route", "Associated"],
            "Properties": {
                "AutoScalingGroupName": "demo-web",
                "MinSize": "1",
                "MaxSize": "3",
                "LaunchTemplate": {
                    "LaunchTemplateId": {"Ref": "Launch"},
                    "Version": {"Fn::GetAtt": ["Launch", "LatestVersionNumber"]},
                },
                "VPCZoneIdentifier": [{"Ref": "Subnet"}],
                "NewInstancesProtectedFromScaleIn": True,
                "LifecycleHookSpecificationList": [
                    {
                        "LifecycleHookName": "join",
                        "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
                        "HeartbeatTimeout": 900,
                        "DefaultResult": "ABANDON",
                    }
                ],
                "Tags": [{"Key": "fleet", "Value": "demo", "PropagateAtLaunch": True}],
            },
        },
        "Launch": {
            "Type": "AWS::EC2::LaunchTemplate",
            "Properties": {
                "LaunchTemplateData": {
                    "ImageId": {"Ref": "Image"},
                    "InstanceType": "t3.small",
                    "SecurityGroupIds": [{"Fn::GetAtt": ["Nodes", "GroupId"]}],
                    "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
                    "UserData": {"Fn::Base64": "#!/bin/sh"},
                }
            },
        },
        "Vpc": {
            "Type": "AWS::EC2::VPC",
            "Properties": {"CidrBlock": "10.0.0.0/16", "EnableDnsHostnames": True, "EnableDnsSupport": "true"},
        },
        "Subnet": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {
                "VpcId": {"Ref": "Vpc"},
                "CidrBlock": "10.0.0.0/20",
                "AvailabilityZone": {"Fn::Select": [0, {"Fn::GetAZs": ""}]},
                "MapPublicIpOnLaunch": False,
                "Tags": [{"Key": "Name", "Value": "private"}],
            },
        },
        "Gateway": {"Type": "AWS::EC2::InternetGateway", "Properties": {"Tags": [{"Key": "Name", "Value": "g"}]}},
        "Attached": {
            "Type": "AWS::EC2::VPCGatewayAttachment",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "InternetGatewayId": {"Ref": "Gateway"}},
        },
        "Address": {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc"}},
        "Nat": {
            "Type": "AWS::EC2::NatGateway",
            "Properties": {
                "SubnetId": {"Ref": "Subnet"},
                "AllocationId": {"Fn::GetAtt": ["Address", "AllocationId"]},
            },
        },
        "Table": {"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": {"Ref": "Vpc"}}},
        "Associated": {
            "Type": "AWS::EC2::SubnetRouteTableAssociation",
            "Properties": {"RouteTableId": {"Ref": "Table"}, "SubnetId": {"Ref": "Subnet"}},
        },
        "Route": {
            "Type": "AWS::EC2::Route",
            "DependsOn": "Attached",
            "Properties": {
                "RouteTableId": {"Ref": "Table"},
                "DestinationCidrBlock": "0.0.0.0/0",
                "NatGatewayId": {"Ref": "Nat"},
            },
        },
        "Nodes": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {
                "VpcId": {"Ref": "Vpc"},
                "GroupDescription": "nodes",
                "SecurityGroupEgress": [{"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}],
            },
        },
        "Engine": {
            "Type": "AWS::EC2::SecurityGroupIngress",
            "Properties": {
                "GroupId": {"Fn::GetAtt": ["Nodes", "GroupId"]},
                "IpProtocol": "tcp",
                "FromPort": 2376,
                "ToPort": 2376,
                "SourceSecurityGroupId": {"Fn::GetAtt": ["Nodes", "GroupId"]},
                "Description": "engine",
            },
        },
        "Profile": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [{"Ref": "Role"}]}},
        "Role": ROLE,
        "Endpoint": {
            "Type": "AWS::EC2::VPCEndpoint",
            "Properties": {
                "VpcId": {"Ref": "Vpc"},
                "ServiceName": {"Fn::Sub": "com.amazonaws.${AWS::Region}.s3"},
                "RouteTableIds": [{"Ref": "Table"}],
                "VpcEndpointType": "Gateway",
            },
        },
    },
    "Outputs": {"Vpc": {"Value": {"Ref": "Vpc"}}},
}

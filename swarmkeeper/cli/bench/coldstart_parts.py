"""The functions that `bench coldstart` starts, and the emulated AWS that answers them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.bundle import ROOT
from local.aws.functions import FunctionService
from local.aws.server import CREDENTIALS, AwsServer
from local.aws.unpacked import Unpacked
from local.standalone import standing_alone
from local.synth import synthesise

FUNCTIONS = {
    "placement": ("ssm", "dynamodb", "autoscaling", "ec2", "events", "secretsmanager"),
    "scaler": ("ssm", "dynamodb", "autoscaling", "ec2", "events", "cloudwatch"),
    "registrar": ("ssm", "dynamodb", "autoscaling", "ec2", "events", "secretsmanager", "sqs", "elbv2"),
    "reconciler": ("ssm", "dynamodb", "autoscaling", "ec2", "events", "secretsmanager"),
    "locator": ("dynamodb",),
}
"""Each function and the services that it has clients of."""
RECORD = {
    "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
    "receiptHandle": "x",
    "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "0", "SenderId": "x"},
    "messageAttributes": {},
    "md5OfBody": "x",
    "eventSource": "aws:sqs",
    "awsRegion": "eu-central-1",
}

_COMMON = """
import json, os, sys, time
ready = json.loads(sys.stdin.read())
sys.path[:0] = ready["paths"]
cpu, wall = time.process_time(), time.perf_counter()
def took():
    return (time.process_time() - cpu) * 1000, (time.perf_counter() - wall) * 1000
class Context:
    function_name = "bench"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:bench"
    aws_request_id = "bench"
    @staticmethod
    def get_remaining_time_in_millis():
        return 30_000
"""
_TELL = """
done = took()
print(json.dumps(dict(import_cpu_ms=loaded[0], import_wall_ms=loaded[1], cpu_ms=done[0], wall_ms=done[1])))
"""
OURS = f"""{_COMMON}
from importlib import import_module
handler = import_module(f"functions.{{ready['name']}}.handler").handler
loaded = took()
handler(ready["event"], Context())
{_TELL}"""
RESTORED = f"""{_COMMON}
from importlib import import_module
os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"] = "snap-start"
handler = import_module(f"functions.{{ready['name']}}.handler").handler
from awslambdaric import lambda_runtime_hooks_runner as hooks
hooks.run_before_snapshot()
cpu, wall = time.process_time(), time.perf_counter()
hooks.run_after_restore()
loaded = took()
handler(ready["event"], Context())
{_TELL}"""
"""The same process stands for the one that is restored: what Lambda needs to restore it isn't in the figures."""
NAIVE = f"""{_COMMON}
import boto3
import docker
import pydantic
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.parser import BaseModel, parse
class Event(BaseModel):
    source: str
    detail: dict
logger = Logger()
loaded = took()
clients = {{service: boto3.client(service) for service in ready["services"]}}
parse(event=ready["parsed"], model=Event)
if "ssm" in clients:
    clients["ssm"].get_parameter(Name=os.environ["SWARMKEEPER_SETTINGS_PARAMETER"])
clients["dynamodb"].get_item(TableName=os.environ["SWARMKEEPER_TABLE"], Key={{"pk": {{"S": "x"}}, "sk": {{"S": "x"}}}})
{_TELL}"""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A fleet of which everything is there but its nodes."""

    server: AwsServer
    functions: FunctionService
    fleet: str

    def environment(self, function: str) -> dict[str, str]:
        """What the template gives the function, and where AWS is here."""
        spec = next(each for each in self.functions.functions() if each.name == f"{self.fleet}-{function}")
        place = {"AWS_DEFAULT_REGION": self.server.region, "AWS_ENDPOINT_URL": self.server.endpoint_url}
        return {**place, **CREDENTIALS, **spec.environment, "AWS_LAMBDA_FUNCTION_NAME": spec.name}

    def event(self, function: str) -> Mapping[str, object]:
        """What the function is called for by itself, as its rule, queue or load balancer hands it over."""
        if function == "locator":
            return self._request("/web-1")
        if function == "registrar":
            check = self._event("Membership Check", {"node": "i-0123456789abcdef0"})
            return {"Records": [{**RECORD, "eventSourceARN": self._arn("sqs", "registrar"), "body": json.dumps(check)}]}
        if function == "placement":
            return self._event("Pending Retry", {})
        rule = self._arn("events", f"{function}-schedule").replace(f":{self.fleet}-", f":rule/{self.fleet}-")
        return self._event("Scheduled Event", {}) | {"source": "aws.events", "detail": {}, "resources": [rule]}

    def _request(self, path: str) -> dict[str, object]:
        group = f"arn:aws:elasticloadbalancing:{self.server.region}:{self.server.account}:targetgroup"
        return {
            "requestContext": {"elb": {"targetGroupArn": f"{group}/{self.fleet}-locator/73e2d6bc24d8a067"}},
            "httpMethod": "GET",
            "path": path,
            "queryStringParameters": {},
            "headers": {"host": "locator", "x-forwarded-for": "10.42.64.17"},
            "body": "",
            "isBase64Encoded": False,
        }

    def _event(self, kind: str, detail: Mapping[str, str]) -> dict[str, object]:
        return {
            "version": "0",
            "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
            "detail-type": kind,
            "source": f"swarmkeeper.{self.fleet}",
            "account": self.server.account,
            "time": "2026-03-01T12:00:00Z",
            "region": self.server.region,
            "resources": [],
            "detail": {"fleet": self.fleet, **detail},
        }

    def _arn(self, service: str, name: str) -> str:
        return f"arn:aws:{service}:{self.server.region}:{self.server.account}:{self.fleet}-{name}"


@contextmanager
def deployed_fleet(folder: Path, *, unpacked: Unpacked | None = None) -> Iterator[Deployed]:
    """The demo's profile, with networks for tenants, on an emulated AWS, whose instances never start."""
    settings = folder / "swarmkeeper.yaml"
    demo = (ROOT / "swarmkeeper.demo.yaml").read_text(encoding="utf-8")
    settings.write_text(demo.replace("isolation: fleet", "isolation: tenant"), encoding="utf-8")
    assembly, _ = synthesise(ROOT, settings)
    (template,) = assembly.glob("*.template.json")
    with standing_alone(template, folder, unpacked=unpacked) as alone:
        _let_events_go_nowhere(alone.server)
        yield Deployed(alone.server, alone.functions, "demo")


def _let_events_go_nowhere(server: AwsServer) -> None:
    """What the measured functions tell would start others beside them."""
    events = server.client("events")
    for rule in events.list_rules()["Rules"]:
        targets = [each["Id"] for each in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]]
        if targets:
            events.remove_targets(Rule=rule["Name"], Ids=targets)

"""The local cloud: emulated AWS, machines and the product's functions, wired by the synthesised template alone."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from infra.compiling import PYTHON_VERSION
from infra.host import host
from local import engines as engine_choice
from local.aws.alarms import Alarms
from local.aws.asked import Grants
from local.aws.autoscaling import AutoScaling
from local.aws.balancers import BalancerFront, FunctionListener, function_listeners
from local.aws.bus import Bus
from local.aws.capacity import limited
from local.aws.commands import AgentTiming, Commands
from local.aws.deploy import Deployed, Deployment, deploy
from local.aws.disturbance import Disturbance
from local.aws.functions import FunctionService
from local.aws.http_api import HttpApiFront
from local.aws.permissions import check_may_invoke
from local.aws.queues import QueuePollers
from local.aws.recording import record
from local.aws.schedules import Schedules
from local.aws.server import CREDENTIALS, AwsServer
from local.aws.template import Template
from local.aws.topics import TopicDelivery
from local.aws.unpacked import Unpacked
from local.control import Answer, Handler
from local.journal import Journal
from local.machines import MachineError
from local.monitoring import parts as monitoring
from local.monitoring.parts import Monitoring
from local.remains import FUNCTION_LOGS
from local.starter import SOURCE_RUNTIME, Cloud, LocalCloudError, project_root
from local.synth import synthesise
from swarmkeeper.alias import ALIAS
from swarmkeeper.domain.model import Role
from swarmkeeper.edge.settings import Settings, load_settings

log = logging.getLogger(__name__)

Progress = Callable[[str], None]
LOCAL_AMI = "ami-0123456789abcdef0"
ACCESS_LOG = "api-access.log"
UNPACKED = "lambda"
"""Where functions' zips are unpacked, in the cloud's own folder."""
ALARMS_SERVICE = "lambda.alarms.cloudwatch.amazonaws.com"
IMAGE_PARAMETERS = {"JoinImage": "join", "RouterImage": "router", "CadvisorImage": "cadvisor"}
"""The last one only where the nodes are measured; the template has an empty text for it."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a local cloud is made from."""

    settings: Path
    state_dir: Path
    engines: str = "auto"
    agent_delay_s: float = 20.0
    disturbance: Disturbance = field(default_factory=Disturbance)
    runtime: str = SOURCE_RUNTIME
    monitoring: bool = False


class LocalCloud:
    """One whole cloud in this process, from `start` until `close`."""

    def __init__(self, options: Options, progress: Progress) -> None:
        self._options = options
        self._progress = progress
        self._parts = ExitStack()

    def start(self) -> None:
        """Bring everything up; instances then boot and join by themselves. Raises what made it fail."""
        self.settings: Settings = load_settings(self._options.settings)
        kind = engine_choice.choose(self._options.engines, self._progress)
        assembly = self._synthesise()
        self._serve(kind)
        self._wire()
        self._deploy(assembly)
        self._run()
        self.monitoring = self._monitored() if self._options.monitoring else None

    def close(self) -> None:
        """End everything in the opposite order; safe to repeat, also after a start that failed."""
        self._parts.close()

    # Start, phase by phase. Every part puts its own end on the stack as soon as it is there.

    def _synthesise(self) -> Path:
        self._progress("synthesising the template (some 20 s unless nothing has changed)")
        assembly, made = synthesise(project_root(), self._options.settings)
        self._progress("the template is synthesised" if made else "the template is unchanged since the last time")
        return assembly

    def _serve(self, kind: str) -> None:
        """AWS's APIs, then the machines, which must reach them, and the images."""
        self._progress(f"starting AWS's APIs and {kind} engines")
        self.server = self._parts.enter_context(AwsServer())
        self.engines: engine_choice.Engines = (
            engine_choice.RealEngines.build(self.server, self.settings, self._options.state_dir, self._further_images())
            if kind == "real"
            else engine_choice.SimulatedEngines.build(self.server, self.settings)
        )
        self._parts.callback(self.engines.close)
        if kind == "real" and self.settings.network.encrypted:
            self._progress("networks are encrypted: without ESP in this machine's kernel no container starts on one")
        if self.settings.volumes.shared is not None:
            self._progress(
                f"shared volumes are a folder of this machine, not {self.settings.volumes.shared.kind.upper()}: "
                "the nodes share it"
            )

    def _further_images(self) -> tuple[str, ...]:
        return ("cadvisor",) if self._options.monitoring else ()

    def _wire(self) -> None:
        """What carries events and runs functions."""
        disturbance = self._options.disturbance
        self.functions = FunctionService(
            self.server,
            self._options.state_dir / FUNCTION_LOGS,
            extra_env=self.engines.environment,
            disturbance=disturbance,
        )
        self._parts.callback(self.functions.stop)
        self.grants = Grants(self.server)
        self.server.obstacles.watch(self.grants.before)
        self._parts.callback(lambda: record(self.grants.asked(), self.settings.fleet))
        self.journal = Journal(self.functions)
        access_log = self._options.state_dir / FUNCTION_LOGS / ACCESS_LOG
        self.api = HttpApiFront(self.server, self.journal, access_log=access_log)
        self._parts.callback(self.api.stop)
        self.bus = Bus(self.server, self.journal, disturbance)
        self._parts.callback(self.bus.stop)
        TopicDelivery(self.server, self.journal)
        self._parts.callback(QueuePollers(self.server, self.journal).stop)
        self._parts.callback(Schedules(self.server, self.bus, disturbance).stop)

    def _deploy(self, assembly: Path) -> None:
        self._progress("deploying the template")
        backend = self.server.backend
        self.autoscaling = AutoScaling(backend("autoscaling"), backend("ec2"), self.engines.machines, self.bus)
        self.autoscaling.install()
        self._parts.callback(self.autoscaling.uninstall)
        timing = AgentTiming(agent_delay_s=self._options.agent_delay_s)
        self.commands = Commands(backend("ssm"), self.autoscaling.instances, self.bus, timing=timing)
        self.commands.install()
        self._parts.callback(self.commands.uninstall)
        sns, run_policy = self.server.client("sns"), self.autoscaling.run_policy
        self.alarms = Alarms(backend("cloudwatch"), sns, self.bus, run_policy=run_policy, invoke=self._invoke_for_alarm)
        self.alarms.install()
        self._parts.callback(self.alarms.uninstall)
        template = template_of(assembly)
        unpacked = self._unpacked()
        wanted = Deployment(
            template=template,
            parameters={
                name: self.engines.images[image]
                for name, image in IMAGE_PARAMETERS.items()
                if image in self.engines.images
            },
            ssm_values=public_images(Template.load(template)),
            code_root=None if unpacked else project_root(),
            unpacked=unpacked,
            inline_code=self._options.state_dir / "inline",  # the assembly is shared with other clouds
        )
        self.deployed: Deployed = deploy(self.server, self.functions, wanted, api_endpoint=self.api.endpoint)
        for skipped in self.deployed.skipped:
            log.info("not emulated: %s (%s): %s", skipped.logical_id, skipped.type, skipped.what)
        self._progress(f"{len(self.deployed.resources)} resources made")
        self.balancers = [self._balanced(listener) for listener in function_listeners(self.server)]

    def _balanced(self, listener: FunctionListener) -> BalancerFront:
        """What nodes ask by a load balancer; the journal keeps all that it is told, and there may be many of these."""
        bound = self.engines.listener(listener.name, listener.port)
        front = BalancerFront(self.server, self.functions, listener, bound)
        self._parts.callback(front.stop)
        return front

    def _unpacked(self) -> Unpacked | None:
        """Where functions run as Lambda runs them, if that is wanted."""
        if self._options.runtime == SOURCE_RUNTIME:
            return None
        built = host()
        note = "" if built.version == PYTHON_VERSION else f"; Lambda's is {PYTHON_VERSION}, which is not here"
        self._progress(f"functions run from their zips and the layer alone, on Python {built.version}{note}")
        return Unpacked(built, self._options.state_dir / UNPACKED)

    def _invoke_for_alarm(self, function_arn: str, alarm_arn: str, event: bytes) -> None:
        """An alarm's own call of a function. Raises NotAllowedError when the function's policy doesn't let it."""
        check_may_invoke(self.server, function_arn, ALARMS_SERVICE, alarm_arn)
        self.journal.invoke_async(function_arn, event)

    def _run(self) -> None:
        self.autoscaling.start()
        self.alarms.start()

    def _monitored(self) -> Monitoring:
        self._progress("starting InfluxDB, and a stand-in for Telegraf")
        if self.engines.kind != "real":
            self._progress("simulated nodes have no cAdvisor: only the control plane is measured")
        groups = {pool: f"{self.settings.fleet}-{pool}" for pool in self.settings.pools}
        machines, fleet = self.engines.machines, self.settings.fleet
        return monitoring.start(self._parts, self.server, machines, fleet, groups, self._options.state_dir)

    # What the daemon answers.

    def describe(self, pid: int, now: float) -> Cloud:
        """What the state file tells."""
        return Cloud(
            pid=pid,
            fleet=self.settings.fleet,
            engines=self.engines.kind,
            runtime=self._options.runtime,
            endpoint_url=self.server.endpoint_url,
            api_url=self.api.url,
            region=self.server.region,
            settings=str(self._options.settings.resolve()),
            state_dir=str(self._options.state_dir),
            started_at=now,
            access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            influxdb_url=self.monitoring.influx.url if self.monitoring else "",
        )

    def handlers(self) -> dict[str, Handler]:
        """The control socket's requests."""
        return {
            "status": lambda _: self.status(),
            "history": lambda _: self.history(),
            "swarm": lambda _: self.swarm(),
            "capacity": self.limit_capacity,
        }

    def limit_capacity(self, request: Mapping[str, object]) -> Answer:
        """Let EC2 run out of capacity, or have it again; what is short now."""
        groups = {pool: f"{self.settings.fleet}-{pool}" for pool in self.settings.pools}
        return {"short": limited(self.autoscaling.instances.capacity, groups, request)}

    def status(self) -> Answer:
        """Nodes, containers and functions as they stand; the lists are the placement function's."""
        listed = self._listing()
        return {
            "fleet": self.settings.fleet,
            "engines": self.engines.kind,
            "runtime": self._options.runtime,
            "endpoint_url": self.server.endpoint_url,
            "api_url": self.api.url,
            "pid": os.getpid(),
            "nodes": listed["nodes"],
            "containers": listed["containers"],
            "functions": [self._function(spec.name) for spec in self.functions.functions()],
            "machines": list(self.engines.machines.running()),
            "proxy": self.engines.environment.get("HTTPS_PROXY", ""),
            "web_image": self.engines.images[engine_choice.WEB_IMAGE],
            "influxdb_url": self.monitoring.influx.url if self.monitoring else "",
            "measured": asdict(self.monitoring.stand_in.last) if self.monitoring else {},
        }

    def _listing(self) -> dict[str, Any]:
        outcome = self.functions.invoke(f"{self.settings.fleet}-placement:{ALIAS}", b'{"action": "list"}')
        if not outcome.succeeded:
            raise RuntimeError(f"the placement function failed: {outcome.payload.decode(errors='replace')[:500]}")
        answer: dict[str, Any] = json.loads(outcome.payload)
        return answer

    def _function(self, name: str) -> Mapping[str, object]:
        log = self.functions.log_path(name)
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return {
            "name": name,
            "invocations": sum(line.startswith("START RequestId") for line in lines),
            "errors": sum(line.startswith("ERROR RequestId") for line in lines),
            "log": str(log),
        }

    def history(self) -> Answer:
        """The events that passed the bus, which functions were called with what, and what the scaler decided."""
        return {
            "events": [
                {
                    "at": passed.at,
                    "id": passed.event.id,
                    "source": passed.event.source,
                    "detail_type": passed.event.detail_type,
                    "detail": dict(passed.event.detail),
                    "rules": list(passed.rules),
                }
                for passed in self.bus.history()
            ],
            "calls": [asdict(call) for call in self.journal.calls()],
            "decisions": decisions_in(self.functions.log_path(f"{self.settings.fleet}-scaler")),
        }

    def swarm(self) -> Answer:
        """`docker node ls` on the first manager that lives and answers. Raises LocalCloudError when none does."""
        groups = {f"{self.settings.fleet}-{pool}" for pool in self.settings.pools_of(Role.MANAGER)}
        ids = [one for group in self.autoscaling.sizes() if group.name in groups for one in group.instances]
        running = self.engines.machines.running()
        living = [one for one in ids if one in running]
        if not living:
            return {"nodes": []}
        for manager in living[:-1]:
            try:
                return {"nodes": self.engines.swarm_nodes(manager)}
            except (LocalCloudError, MachineError) as error:
                log.info("%s does not list the Swarm's nodes: %s", manager, error)
        return {"nodes": self.engines.swarm_nodes(living[-1])}


def template_of(assembly: Path) -> Path:
    """The assembly's one template. Raises LocalCloudError when there are several."""
    found = sorted(assembly.glob("*.template.json"))
    if len(found) != 1:
        raise LocalCloudError(f"{assembly} holds {len(found)} templates, not one")
    return found[0]


def public_images(template: Template) -> dict[str, str]:
    """An AMI for every public parameter that the template reads one from; the machines here are all alike."""
    return {
        str(parameter.get("Default")): LOCAL_AMI
        for parameter in template.parameters.values()
        if str(parameter.get("Type")).startswith("AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>")
    }


def decisions_in(log_file: Path) -> list[dict[str, object]]:
    """The scaler's decisions as its log tells them, with the message or event that caused each."""
    lines = log_file.read_text(errors="replace").splitlines() if log_file.exists() else []
    records = [json.loads(line) for line in lines if line.startswith("{") and '"scaling decided"' in line]
    return [
        {
            "at": datetime.strptime(record["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z").timestamp(),
            "request_id": record["function_request_id"],
            "cause": record["cause"],
            **record["decision"],
        }
        for record in records
    ]

"""A pool's machine image, made and rolled out: a builder, its image, a template version that names it, a refresh."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from swarmkeeper.cli.asking import Passing, asked
from swarmkeeper.cli.fleet import FleetError, find_clients
from swarmkeeper.cli.node_refresh import RUNNING, Pace, TemplateInUse, version_of

BUILDER_TAG = "swarmkeeper:builds"
"""On a builder and on its image: the pool's group that it is for."""
IMAGE_DATA_TYPE = "aws:ec2:image"
BOOT_LIMIT_S = 300.0
RUN_SCRIPT = "AWS-RunShellScript"
PAUSE_S = 2.0
REFRESH_PAUSE_S = 15.0
"""A refresh takes hours, and its API allows few calls."""
COMMAND_RUNS = frozenset({"Pending", "InProgress", "Delayed", "Cancelling"})
NEVER_USABLE = frozenset({"failed", "error", "invalid"})
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class NodeImages:
    """The machine images of a pool's group. Every method raises FleetError when AWS refuses or is not reached."""

    group: str
    ec2: Any
    autoscaling: Any
    ssm: Any
    sleep: Callable[[float], None] = field(default=time.sleep)
    clock: Callable[[], float] = field(default=time.monotonic)

    # The builder.

    def start_builder(self, name: str, base: str | None = None, profile: str | None = None) -> str:
        """An instance like the pool's, outside of its group and without user data, once it runs.

        One of that name that runs already is the one.
        """
        there = self._builders({"tag:Name": name})
        instance_id = there[0] if there else self._run_builder(name, base, profile)
        deadline = self.clock() + BOOT_LIMIT_S
        self._until("the builder to run", lambda: self._builders({"instance-id": instance_id}, "running"), deadline)
        return instance_id

    def _run_builder(self, name: str, base: str | None, profile: str | None) -> str:
        used = self.template()
        own = used.data.get("IamInstanceProfile") or {}
        wanted: dict[str, Any] = {
            "ImageId": base or used.data["ImageId"],
            "InstanceType": used.data["InstanceType"],
            "MinCount": 1,
            "MaxCount": 1,
            "SubnetId": used.subnets[0],
            "SecurityGroupIds": list(used.data.get("SecurityGroupIds") or ()),
            "IamInstanceProfile": {"Name": profile} if profile else dict(own),
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
            "TagSpecifications": [
                {
                    "ResourceType": "instance",
                    "Tags": [{"Key": "Name", "Value": name}, {"Key": BUILDER_TAG, "Value": self.group}],
                }
            ],
        }
        if used.data.get("BlockDeviceMappings"):
            wanted["BlockDeviceMappings"] = list(used.data["BlockDeviceMappings"])
        made = asked(lambda: self.ec2.run_instances(**wanted))
        return str(made["Instances"][0]["InstanceId"])

    def end_builder(self, instance_id: str) -> None:
        """Terminate a builder. Raises FleetError for an instance that is none: a node ends through its group."""
        self._require_builder(instance_id)
        asked(lambda: self.ec2.terminate_instances(InstanceIds=[instance_id]))

    def end_builders_named(self, name: str) -> list[str]:
        """Terminate every builder of that name, also one that is stopped; their ids."""
        found = self._builders({"tag:Name": name}, "pending", "running", "stopping", "stopped")
        if found:
            asked(lambda: self.ec2.terminate_instances(InstanceIds=found))
        return found

    def run_on(self, instance_id: str, script: str, limit_s: float) -> str:
        """What a script printed that root ran on a builder; waits for the agent. Raises FleetError when it fails."""
        self._require_builder(instance_id)
        deadline = self.clock() + limit_s
        self._until("its agent to register", lambda: self._is_managed(instance_id), deadline)
        sent = asked(
            lambda: self.ssm.send_command(
                DocumentName=RUN_SCRIPT,
                InstanceIds=[instance_id],
                Parameters={"commands": [script], "executionTimeout": [str(int(limit_s))]},
            )
        )["Command"]["CommandId"]
        ended = self._until("the script to end", lambda: self._ended(sent, instance_id), deadline)
        printed = str(ended["StandardOutputContent"])
        if ended["Status"] != "Success":
            said = f"{printed[-2000:]}{str(ended.get('StandardErrorContent', ''))[-2000:]}".strip()
            raise FleetError(f"the script on {instance_id} ended as {ended['Status']}: {said}")
        return printed

    # Its image.

    def image_named(self, name: str) -> str | None:
        """The id of the account's image of that name, in whatever state it is."""
        wanted = [{"Name": "name", "Values": [name]}]
        found = asked(lambda: self.ec2.describe_images(Owners=["self"], Filters=wanted))["Images"]
        return str(found[0]["ImageId"]) if found else None

    def usable_image_named(self, name: str, limit_s: float) -> str | None:
        """The id of the account's image of that name, once it can be used.

        Raises FleetError when it could not be made, or still can't be used when the limit has passed.
        """
        image = self.image_named(name)
        if image is not None:
            self._wait_for_image(image, limit_s)
        return image

    def bake(self, instance_id: str, name: str, limit_s: float) -> tuple[str, bool]:
        """An image of that name, once it can be used, and whether it was made now; an older one of the name is kept."""
        found = self.image_named(name)
        image = found or self._create_image(instance_id, name)
        self._wait_for_image(image, limit_s)
        return image, found is None

    def release(self, image: str) -> tuple[str, bool]:
        """The template's version that differs from the one in use by that image only, and whether it was made now."""
        used = self.template()
        if used.data.get("ImageId") == image:
            return used.version, False
        note = f"image {image} on version {used.version}"
        for one in self._versions(used.id):
            if one.get("VersionDescription") == note:
                return str(one["VersionNumber"]), False
        made = asked(
            lambda: self.ec2.create_launch_template_version(
                LaunchTemplateId=used.id,
                SourceVersion=used.version,
                VersionDescription=note,
                LaunchTemplateData={"ImageId": image},
            )
        )
        return str(made["LaunchTemplateVersion"]["VersionNumber"]), True

    def publish(self, parameter: str, image: str) -> bool:
        """Make the image the parameter's value, from which the next deployment takes it; whether that was new."""
        if self._published(parameter) == image:
            return False
        asked(
            lambda: self.ssm.put_parameter(
                Name=parameter, Value=image, Type="String", DataType=IMAGE_DATA_TYPE, Overwrite=True
            )
        )
        return True

    # The refresh.

    def refresh(self, version: str, pace: Pace) -> tuple[str, bool]:
        """The id of a refresh to that version, and whether it was begun now; empty where every node has it.

        One that runs to it already is gone on with.
        """
        used = self.template()
        for one in self._refreshes():
            if one["Status"] in RUNNING and version_of(one) == version:
                return str(one["InstanceRefreshId"]), False
        if used.version == version and set(used.members) <= {version}:
            return "", False
        begun = asked(
            lambda: self.autoscaling.start_instance_refresh(
                AutoScalingGroupName=self.group,
                DesiredConfiguration=used.configuration(version),
                Preferences=pace.preferences(),
            )
        )
        return str(begun["InstanceRefreshId"]), True

    def follow(self, refresh_id: str, limit_s: float) -> Iterator[Mapping[str, Any]]:
        """The refresh whenever it has changed, until it has ended. Raises FleetError when the limit passes first.

        It goes on whether AWS can be asked or not, so what may pass is waited for.
        """
        deadline, before = self.clock() + limit_s, None
        while True:
            one, unanswered = self._refresh_now(refresh_id)
            if one is not None:
                shown = (one["Status"], one.get("PercentageComplete"), one.get("StatusReason"))
                if shown != before:
                    yield one
                if one["Status"] not in RUNNING:
                    return
                before = shown
            if self.clock() >= deadline:
                raise FleetError(f"the refresh has not ended within {limit_s:g} s; it goes on{unanswered}")
            self.sleep(REFRESH_PAUSE_S)

    def _refresh_now(self, refresh_id: str) -> tuple[Mapping[str, Any] | None, str]:
        """The refresh as it is; none, and what AWS said instead, where asking again may help."""
        try:
            (one,) = self._refreshes(refresh_id)
        except Passing as error:
            return None, f". AWS did not tell at last: {error}"
        return one, ""

    def template(self) -> TemplateInUse:
        """What the group launches from."""
        answer = asked(lambda: self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.group]))
        groups = answer["AutoScalingGroups"]
        if not groups:
            raise FleetError(f"there is no group {self.group}")
        policy = groups[0].get("MixedInstancesPolicy")
        named = groups[0].get("LaunchTemplate") or policy["LaunchTemplate"]["LaunchTemplateSpecification"]
        wanted = str(named["Version"])
        (version,) = self._versions(named["LaunchTemplateId"], wanted)
        subnets = tuple(str(groups[0]["VPCZoneIdentifier"]).split(","))
        members = tuple(str(one.get("LaunchTemplate", {}).get("Version")) for one in groups[0]["Instances"])
        data = version["LaunchTemplateData"]
        return TemplateInUse(str(named["LaunchTemplateId"]), wanted, data, policy, subnets, members)

    # What is asked of AWS.

    def _builders(self, wanted: Mapping[str, str], *states: str) -> list[str]:
        """The group's builders that are like that, and in these states: those that are or will be running."""
        alive = {"instance-state-name": states or ("pending", "running")}
        filters = {f"tag:{BUILDER_TAG}": (self.group,), **{name: (value,) for name, value in wanted.items()}, **alive}
        listed = [{"Name": name, "Values": list(values)} for name, values in filters.items()]
        found = asked(lambda: self.ec2.describe_instances(Filters=listed))
        return [str(one["InstanceId"]) for each in found["Reservations"] for one in each["Instances"]]

    def _require_builder(self, instance_id: str) -> None:
        if not self._builders({"instance-id": instance_id}):
            raise FleetError(f"{instance_id} is no builder for {self.group}")

    def _is_managed(self, instance_id: str) -> bool:
        wanted = [{"Key": "InstanceIds", "Values": [instance_id]}]
        found = asked(lambda: self.ssm.describe_instance_information(Filters=wanted))
        return bool(found["InstanceInformationList"])

    def _ended(self, command_id: str, instance_id: str) -> Mapping[str, Any] | None:
        listed = asked(lambda: self.ssm.list_command_invocations(CommandId=command_id, InstanceId=instance_id))
        if not listed["CommandInvocations"] or listed["CommandInvocations"][0]["Status"] in COMMAND_RUNS:
            return None
        return dict(asked(lambda: self.ssm.get_command_invocation(CommandId=command_id, InstanceId=instance_id)))

    def _create_image(self, instance_id: str, name: str) -> str:
        self._require_builder(instance_id)
        tags = [{"Key": "Name", "Value": name}, {"Key": BUILDER_TAG, "Value": self.group}]
        made = asked(
            lambda: self.ec2.create_image(
                InstanceId=instance_id, Name=name, TagSpecifications=[{"ResourceType": "image", "Tags": tags}]
            )
        )
        return str(made["ImageId"])

    def _wait_for_image(self, image: str, limit_s: float) -> None:
        self._until(f"image {image} to be available", lambda: self._is_available(image), self.clock() + limit_s)

    def _is_available(self, image: str) -> bool:
        (found,) = asked(lambda: self.ec2.describe_images(ImageIds=[image]))["Images"]
        state = str(found["State"])
        if state in NEVER_USABLE:
            raise FleetError(
                f"image {image} could not be made: its state is {state}. "
                f"Deregister it (aws ec2 deregister-image --image-id {image}), then a new one of its name can be made"
            )
        return state == "available"

    def _versions(self, template: str, version: str | None = None) -> list[Mapping[str, Any]]:
        wanted: dict[str, Any] = {} if version is None else {"Versions": [version]}
        answer = asked(lambda: self.ec2.describe_launch_template_versions(LaunchTemplateId=template, **wanted))
        return list(answer["LaunchTemplateVersions"])

    def _published(self, parameter: str) -> str | None:
        found = asked(lambda: self.ssm.get_parameters(Names=[parameter]))["Parameters"]
        return str(found[0]["Value"]) if found else None

    def _refreshes(self, refresh_id: str | None = None) -> list[Mapping[str, Any]]:
        wanted: dict[str, Any] = {} if refresh_id is None else {"InstanceRefreshIds": [refresh_id]}
        answer = asked(lambda: self.autoscaling.describe_instance_refreshes(AutoScalingGroupName=self.group, **wanted))
        return list(answer["InstanceRefreshes"])

    def _until(self, what: str, happened: Callable[[], Result | None], deadline: float) -> Result:
        while not (found := happened()):
            if self.clock() >= deadline:
                raise FleetError(f"waited too long for {what}")
            self.sleep(PAUSE_S)
        return found


def find_node_images(fleet: str | None, pool: str) -> NodeImages:
    """Those of a pool of the fleet that `find_clients` finds. Raises FleetError."""
    name, client = find_clients(fleet)
    return NodeImages(f"{name}-{pool}", client("ec2"), client("autoscaling"), client("ssm"))

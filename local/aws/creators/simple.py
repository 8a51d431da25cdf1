"""Resources that one API call makes, whose parameters are named as their properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath  # type: ignore[import-untyped]  # it ships no types

from local.aws.creators.context import Creator, Stack
from local.aws.intrinsics import Physical
from local.aws.properties import Properties


@dataclass(frozen=True, slots=True)
class Simple:
    """How to make one kind of resource."""

    service: str
    operation: str
    ref: str
    """What `Ref` gives: a JMESPath into the parameters and the answer, which stand under `in` and `out`."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What `Fn::GetAtt` gives, likewise."""
    name: str = ""
    """The property that is the resource's name, made up when it isn't given."""
    name_limit: int = 64
    json: tuple[str, ...] = ()
    """Properties that the API takes as JSON text."""
    updates: tuple[str, ...] = ()
    """Properties that only say how to update the resource."""
    then: tuple[str, str] = ("", "")
    """A property with attributes that an operation of its own sets, and that operation."""

    def create(self, stack: Stack, logical_id: str, properties: Properties) -> Physical:
        """Make the resource."""
        client = stack.client(self.service)
        given: dict[str, object] = {name: properties.take_json(name) for name in self.json if name in properties}
        if self.name:
            given[self.name] = stack.physical_name(logical_id, properties.take(self.name), self.name_limit)
        tags = properties.take("Tags") if self.service == "ec2" else None
        parameters = properties.for_api(client, self.operation, **given)
        known = {"in": parameters, "out": getattr(client, self.operation)(**parameters)}
        ref = str(jmespath.search(self.ref, known))
        self._set(client, ref, properties)
        if tags:
            client.create_tags(Resources=[ref], Tags=tags)
        return Physical(
            ref=ref,
            attributes={name: jmespath.search(path, known) for name, path in self.attributes.items()},
        )

    def _set(self, client: Any, ref: str, properties: Properties) -> None:
        for name in self.updates:
            properties.take(name)
        name, operation = self.then
        value = properties.take(name)
        if value:
            shaped = properties.shaped(client, operation, "Attributes", value)
            getattr(client, operation)(**{self.ref.rpartition(".")[2]: ref}, Attributes=shaped)


_SIMPLE: Mapping[str, Simple] = {
    "AWS::AutoScaling::LifecycleHook": Simple(
        "autoscaling", "put_lifecycle_hook", "in.LifecycleHookName", name="LifecycleHookName"
    ),
    "AWS::AutoScaling::ScalingPolicy": Simple(
        "autoscaling", "put_scaling_policy", "out.PolicyARN", {"Arn": "out.PolicyARN"}, name="PolicyName"
    ),
    "AWS::CloudWatch::Dashboard": Simple(
        "cloudwatch", "put_dashboard", "in.DashboardName", name="DashboardName", json=("DashboardBody",)
    ),
    "AWS::EC2::InternetGateway": Simple(
        "ec2",
        "create_internet_gateway",
        "out.InternetGateway.InternetGatewayId",
        {"InternetGatewayId": "out.InternetGateway.InternetGatewayId"},
    ),
    "AWS::EC2::NatGateway": Simple(
        "ec2", "create_nat_gateway", "out.NatGateway.NatGatewayId", {"NatGatewayId": "out.NatGateway.NatGatewayId"}
    ),
    "AWS::EC2::RouteTable": Simple(
        "ec2", "create_route_table", "out.RouteTable.RouteTableId", {"RouteTableId": "out.RouteTable.RouteTableId"}
    ),
    "AWS::EC2::SubnetRouteTableAssociation": Simple(
        "ec2", "associate_route_table", "out.AssociationId", {"Id": "out.AssociationId"}
    ),
    "AWS::EC2::Volume": Simple("ec2", "create_volume", "out.VolumeId", {"VolumeId": "out.VolumeId"}),
    "AWS::EC2::VPCGatewayAttachment": Simple("ec2", "attach_internet_gateway", "in.VpcId"),
    "AWS::ECR::Repository": Simple(
        "ecr",
        "create_repository",
        "out.repository.repositoryName",
        {"Arn": "out.repository.repositoryArn", "RepositoryUri": "out.repository.repositoryUri"},
    ),
    "AWS::EFS::FileSystem": Simple(
        "efs",
        "create_file_system",
        "out.FileSystemId",
        {"FileSystemId": "out.FileSystemId", "Arn": "out.FileSystemArn"},
        name="CreationToken",
    ),
    "AWS::EFS::MountTarget": Simple(
        "efs", "create_mount_target", "out.MountTargetId", {"Id": "out.MountTargetId", "IpAddress": "out.IpAddress"}
    ),
    "AWS::KMS::Alias": Simple("kms", "create_alias", "in.AliasName"),
    "AWS::SecretsManager::ResourcePolicy": Simple(
        "secretsmanager", "put_resource_policy", "in.SecretId", json=("ResourcePolicy",)
    ),
    "AWS::SSM::Parameter": Simple(
        "ssm", "put_parameter", "in.Name", {"Type": "in.Type", "Value": "in.Value"}, name="Name", name_limit=1000
    ),
    "AWS::SSM::Document": Simple(
        "ssm", "create_document", "in.Name", name="Name", json=("Content",), updates=("UpdateMethod",)
    ),
}

SIMPLE: Mapping[str, Creator] = {kind: simple.create for kind, simple in _SIMPLE.items()}

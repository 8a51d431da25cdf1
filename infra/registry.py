"""What the host of the fleet's registry needs: a bucket, a role, a group, and documents that start it and collect.

The host is an instance of the owner's with an engine and Compose, this profile and group, and the tag
`swarmkeeper:registry`. Systems Manager runs the first document on whatever bears the tag, and again every half hour.
"""

from __future__ import annotations

from collections.abc import Iterator

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as s3_assets
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.acknowledged import ARN, RESOURCE, Acknowledged, acknowledge, logical_id
from infra.documents import Script, document_content, script_lines
from infra.names import Names
from infra.network import FleetNetwork
from infra.node_role import AGENT_CHANNELS, PULL
from infra.permissions import allow
from infra.projects import compose_projects

TAG = "swarmkeeper:registry"
SECRETS = ("htpasswd", "tls.crt", "tls.key")
"""Parameters that the owner makes, with whom only the host may read."""
UP = Script(
    ("registry", "registry-up"), "Starts the fleet's registry, or makes it what the parameters say now", 600, {}
)
GC = Script(("registry-gc",), "Removes layers that no image needs any more from the fleet's registry", 7200, {})
_OBJECTS = (
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
)
_BUCKET = ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")
_HTTPS = 443


class FleetRegistry(Construct):
    """Made only where the settings name the registry's own image."""

    def __init__(self, scope: Construct, names: Names, network: FleetNetwork, *, address: str, image: str) -> None:
        """address: `host:port` as references begin with it; image: the registry's own, by digest."""
        super().__init__(scope, "Registry")
        self._names = names
        self._port = int(address.rpartition(":")[2])
        self._asset = s3_assets.Asset(self, "Project", path=str(compose_projects("registry").path))
        self.bucket = self._bucket()
        self.role = self._role()
        profile = iam.CfnInstanceProfile(self, "Profile", roles=[self.role.role_name])
        group = self._group(network)
        self._documents(address, image)
        for name, value in (("Profile", profile.attr_arn), ("Group", group.security_group_id)):
            CfnOutput(Stack.of(self), f"Registry{name}", value=value, description="Of the registry's host")
        acknowledge(Stack.of(self), self._acknowledged())

    def _acknowledged(self) -> Iterator[Acknowledged]:
        """What cdk-nag finds here and why it is left."""
        bucket = logical_id(Stack.of(self), self.bucket)
        repositories = ARN.format(service="ecr", rest="repository/*")
        reason = "the registry logs requests already; a second log, of its objects, is its owners' to decide on"
        yield Acknowledged("Registry/Images", "AwsSolutions-S1", reason)
        for resource, reason in {
            "*": "the agent's message channels and the registry's log-in, for which AWS knows no resources",
            f"<{bucket}.Arn>/registry/*": "the layers of images that are pushed later",
            repositories: "the registry's own image may stand in any of them",
        }.items():
            yield Acknowledged("Registry/Role", RESOURCE.format(resource), reason)

    def _bucket(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Images",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=RemovalPolicy.RETAIN,  # what containers are made from outlives the stack
        )
        # Layers themselves never expire by age: the registry alone knows which are needed.
        bucket.add_lifecycle_rule(abort_incomplete_multipart_upload_after=Duration.days(2))
        return bucket

    def _group(self, network: FleetNetwork) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(
            self, "Host", vpc=network.vpc, description="Registry of the fleet", allow_all_outbound=False
        )
        group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(_HTTPS), "AWS APIs")
        group.connections.allow_from(network.nodes, ec2.Port.tcp(self._port), "Nodes pull")
        return group

    def _role(self) -> iam.Role:
        stack = Stack.of(self)
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        allow(role, AGENT_CHANNELS, ["*"])
        instances = stack.format_arn(service="ec2", resource="instance", resource_name="*")
        allow(role, ["ssm:UpdateInstanceInformation"], [instances])
        allow(role, ["ssm:ListInstanceAssociations", "ssm:UpdateInstanceAssociationStatus"], ["*"])
        told = [self._names.parameter_arn(stack, self._names.registry_secret(name)) for name in SECRETS]
        allow(role, ["ssm:GetParameter"], told)
        allow(role, ["s3:GetObject"], [self._asset.bucket.arn_for_objects(self._asset.s3_object_key)])
        allow(role, _OBJECTS, [self.bucket.arn_for_objects("registry/*")])
        allow(role, _BUCKET, [self.bucket.bucket_arn])
        allow(role, ["ecr:GetAuthorizationToken"], ["*"])
        allow(role, PULL, [stack.format_arn(service="ecr", resource="repository", resource_name="*")])
        return role

    def _documents(self, address: str, image: str) -> None:
        constants = {
            "AWS_DEFAULT_REGION": Stack.of(self).region,
            "ASSET_BUCKET": self._asset.s3_bucket_name,
            "ASSET_KEY": self._asset.s3_object_key,
            "ASSET_SHA256": compose_projects("registry").sha256,
            "SECRET_PREFIX": self._names.registry_secret("")[:-1],
            "REGISTRY_IMAGE": image,
            "REGISTRY_PORT": str(self._port),
            "REGISTRY_STORAGE": "s3",
            "REGISTRY_BUCKET": self.bucket.bucket_name,
        }
        up = self._document("registry-up", UP, constants)
        self._document("registry-gc", GC, constants)
        ssm.CfnAssociation(
            self,
            "Runs",
            name=up.ref,
            targets=[ssm.CfnAssociation.TargetProperty(key=f"tag:{TAG}", values=[self._names.fleet])],
            schedule_expression="rate(30 minutes)",
        )

    def _document(self, name: str, script: Script, constants: dict[str, str]) -> ssm.CfnDocument:
        return ssm.CfnDocument(
            self,
            name,
            name=self._names.of(name),
            document_type="Command",
            document_format="JSON",
            update_method="NewVersion",
            target_type="/AWS::EC2::Instance",
            content=document_content(script, script_lines(script, constants)),
        )

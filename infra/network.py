"""The VPC, and what may talk to what."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.entry import Entry
from infra.names import Names
from swarmkeeper.domain.model import Role
from swarmkeeper.edge.settings import NetworkSettings

ENGINE_API = ec2.Port.tcp(2376)
SWARM_API = ec2.Port.tcp(2377)
SWARM_GOSSIP = (ec2.Port.tcp(7946), ec2.Port.udp(7946))
OVERLAY_DATA = ec2.Port.udp(4789)
OVERLAY_ENCRYPTED = ec2.Port.esp()


ENDPOINTS = (
    "autoscaling",
    "ec2",
    "ec2messages",
    "ecr.api",
    "ecr.dkr",
    "elasticloadbalancing",
    "events",
    "secretsmanager",
    "ssm",
    "ssmmessages",
)
"""What functions in the VPC and nodes call beside S3 and DynamoDB; tests/infra compares it with their permissions."""


class FleetNetwork(Construct):
    """Two zones, nodes and functions in private subnets, and exactly the ports that the fleet needs."""

    def __init__(self, scope: Construct, settings: NetworkSettings, names: Names) -> None:
        super().__init__(scope, "Network")
        self.private = (
            ec2.SubnetType.PRIVATE_WITH_EGRESS if settings.egress == "nat" else ec2.SubnetType.PRIVATE_ISOLATED
        )
        self.vpc = self._vpc(settings, names)
        self.functions = self._group("Functions", "Functions that call engines", outbound=False)
        self.nodes = self._group("Nodes", "All nodes", outbound=True)
        self.managers = self._group("Managers", "Managers of the Swarm", outbound=True)
        self.workers = self._group("Workers", "Nodes with a router", outbound=True)
        self.balancer = self._group("Balancer", "The load balancer", outbound=False)
        self._open_ports(settings.router_port)
        if settings.encrypted:
            self.nodes.connections.allow_from(self.nodes, OVERLAY_ENCRYPTED, "Overlay data, encrypted")
        if settings.egress == "endpoints":
            self._endpoints()
        self.entry = Entry(self, settings, names, self.vpc, self.balancer)
        self.routers = self.entry.routers
        self.address = self.entry.address

    @property
    def private_subnets(self) -> list[ec2.ISubnet]:
        """Where nodes and functions are, by zone."""
        return self.vpc.select_subnets(subnet_type=self.private).subnets

    def groups_of(self, role: Role) -> list[str]:
        """The security groups of a node."""
        own = self.managers if role is Role.MANAGER else self.workers
        return [self.nodes.security_group_id, own.security_group_id]

    def _vpc(self, settings: NetworkSettings, names: Names) -> ec2.Vpc:
        vpc = ec2.Vpc(
            self,
            "Vpc",
            vpc_name=names.fleet,
            ip_addresses=ec2.IpAddresses.cidr(str(settings.vpc_cidr)),
            max_azs=2,
            # Tenants' containers reach the internet, and so must the nodes; a gateway a zone outlives the other's.
            nat_gateways=2 if settings.egress == "nat" else 0,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=26),
                ec2.SubnetConfiguration(
                    name="private",
                    subnet_type=self.private,
                    # A quarter of the VPC each, so that there is room for a third zone.
                    cidr_mask=settings.vpc_cidr.prefixlen + 2,
                ),
            ],
        )
        # Without charge, and images' layers and the table's traffic then pass the NAT gateways by.
        vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        vpc.add_gateway_endpoint("DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
        self._log_refusals(vpc, names)
        return vpc

    def _endpoints(self) -> None:
        group = self._group("Endpoints", "Endpoints of AWS services", outbound=False)
        for callers in (self.functions, self.nodes):
            group.connections.allow_from(callers, ec2.Port.tcp(443), "AWS APIs")
        for service in ENDPOINTS:
            self.vpc.add_interface_endpoint(
                service.title().replace(".", ""),
                service=ec2.InterfaceVpcEndpointAwsService(service),
                subnets=ec2.SubnetSelection(subnet_type=self.private),
                security_groups=[group],
                open=False,
            )

    def _log_refusals(self, vpc: ec2.Vpc, names: Names) -> None:
        """What was refused tells of a rule that lacks, or of somebody who tries; all traffic would cost much more."""
        log = logs.LogGroup(
            self,
            "Refused",
            log_group_name=f"/{names.fleet}/refused-traffic",
            removal_policy=RemovalPolicy.DESTROY,
        )
        vpc.add_flow_log(
            "Refused",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(log),
            traffic_type=ec2.FlowLogTrafficType.REJECT,
            max_aggregation_interval=ec2.FlowLogMaxAggregationInterval.TEN_MINUTES,
        )

    def _group(self, name: str, description: str, *, outbound: bool) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(self, name, vpc=self.vpc, description=description, allow_all_outbound=outbound)

    def _open_ports(self, router_port: int) -> None:
        self.functions.connections.allow_to(self.nodes, ENGINE_API, "Engine API over mutual TLS")
        self.functions.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "AWS APIs")
        self.managers.connections.allow_from(self.nodes, SWARM_API, "Swarm control")
        for port in SWARM_GOSSIP:
            self.nodes.connections.allow_from(self.nodes, port, "Swarm gossip")
        self.nodes.connections.allow_from(self.nodes, OVERLAY_DATA, "Overlay data")
        self.balancer.connections.allow_to(self.workers, ec2.Port.tcp(router_port), "Routers")

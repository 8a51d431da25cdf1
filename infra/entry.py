"""The load balancer in front of the routers: plain inside the VPC, or with a certificate, for the internet too."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct

from infra.names import Names
from swarmkeeper.edge.settings import NetworkSettings
from swarmkeeper.edge.settings_entry import EntrySettings, HostedZone

HTTP, HTTPS = 80, 443


class Entry(Construct):
    """`routers` is the target group that workers join, `address` the load balancer's name."""

    def __init__(
        self, scope: Construct, settings: NetworkSettings, names: Names, vpc: ec2.Vpc, group: ec2.SecurityGroup
    ) -> None:
        super().__init__(scope, "Entry")
        self._settings = settings
        # Another scheme is another load balancer, made while the one before still has its name and its targets.
        self._name = names.of("public" if settings.entry.public else "routers")
        self.balancer = elbv2.ApplicationLoadBalancer(
            self,
            "LoadBalancer",
            load_balancer_name=self._name,
            vpc=vpc,
            internet_facing=settings.entry.public,
            security_group=group,
            # A console stays open while its user thinks.
            idle_timeout=Duration.hours(1),
            drop_invalid_header_fields=True,
        )
        self.address = self.balancer.load_balancer_dns_name
        self.routers = self._routers(vpc)
        users = ec2.Peer.any_ipv4() if settings.entry.public else ec2.Peer.ipv4(vpc.vpc_cidr_block)
        if settings.entry.is_encrypted:
            self._encrypted(settings.entry, group, users)
        else:
            self.balancer.add_listener("Http", port=HTTP, open=False, default_target_groups=[self.routers])
            group.add_ingress_rule(users, ec2.Port.tcp(HTTP), "Users inside the VPC")

    def _routers(self, vpc: ec2.Vpc) -> elbv2.ApplicationTargetGroup:
        return elbv2.ApplicationTargetGroup(
            self,
            "Routers",
            target_group_name=self._name,
            vpc=vpc,
            protocol=elbv2.ApplicationProtocol.HTTP,
            port=self._settings.router_port,
            target_type=elbv2.TargetType.INSTANCE,
            deregistration_delay=Duration.seconds(30),
            health_check=elbv2.HealthCheck(
                path="/healthz", interval=Duration.seconds(10), timeout=Duration.seconds(3), healthy_threshold_count=2
            ),
        )

    def _encrypted(self, entry: EntrySettings, group: ec2.SecurityGroup, users: ec2.IPeer) -> None:
        """HTTPS with what browsers of today speak; plain HTTP only says where to go instead."""
        self.balancer.add_listener(
            "Https",
            port=HTTPS,
            protocol=elbv2.ApplicationProtocol.HTTPS,
            ssl_policy=elbv2.SslPolicy.RECOMMENDED_TLS,
            certificates=[self._certificate(entry)],
            open=False,
            default_target_groups=[self.routers],
        )
        self.balancer.add_listener(
            "Http",
            port=HTTP,
            open=False,
            default_action=elbv2.ListenerAction.redirect(protocol="HTTPS", port=str(HTTPS), permanent=True),
        )
        for port, what in ((HTTPS, "Users"), (HTTP, "Users, to be redirected")):
            group.add_ingress_rule(users, ec2.Port.tcp(port), what)

    def _certificate(self, entry: EntrySettings) -> acm.ICertificate:
        if entry.hosted_zone is None:
            return acm.Certificate.from_certificate_arn(self, "Certificate", entry.certificate or "")
        zone = self._zone(entry.hosted_zone)
        route53.ARecord(
            self,
            "Names",
            zone=zone,
            record_name=f"*.{self._settings.domain}",
            target=route53.RecordTarget.from_alias(targets.LoadBalancerTarget(self.balancer)),
            comment="Every container by its name",
        )
        return acm.Certificate(
            self,
            "Certificate",
            domain_name=f"*.{self._settings.domain}",
            validation=acm.CertificateValidation.from_dns(zone),
        )

    def _zone(self, zone: HostedZone) -> route53.IHostedZone:
        return route53.HostedZone.from_hosted_zone_attributes(self, "Zone", hosted_zone_id=zone.id, zone_name=zone.name)

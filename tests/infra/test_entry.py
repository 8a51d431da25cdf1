"""How users come in: plain from inside the VPC, or with a certificate of theirs or of the stack's own making."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmkeeper.edge.settings import Settings, SettingsError, load_settings
from tests.infra.conftest import ROOT, synthesised
from tests.infra.template import Template

CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
ZONE = "hosted_zone: {id: Z0123456789ABC, name: fleet.example}"
LISTENER = "AWS::ElasticLoadBalancingV2::Listener"


def settings_with(entry: str, folder: Path) -> Settings:
    text = (ROOT / "swarmkeeper.demo.yaml").read_text()
    file = folder / "swarmkeeper.yaml"
    file.write_text(text.replace("  router_port: 8080\n", f"  router_port: 8080\n  entry: {{{entry}}}\n", 1))
    return load_settings(file)


def template_with(entry: str, folder: Path) -> Template:
    return synthesised(settings_with(entry, folder), folder)


def users(template: Template) -> list[tuple[str, int]]:
    """From where, to which port of the load balancer."""
    group = template.one("AWS::EC2::SecurityGroup", GroupDescription="The load balancer")
    return sorted((each["CidrIp"], each["FromPort"]) for each in group["SecurityGroupIngress"])


def test_a_certificate_of_ours_makes_plain_requests_be_redirected(tmp_path: Path) -> None:
    template = template_with(f'certificate: "{CERTIFICATE}"', tmp_path)
    https, http = template.one(LISTENER, Port=443), template.one(LISTENER, Port=80)
    assert (https["Protocol"], https["Certificates"]) == ("HTTPS", [{"CertificateArn": CERTIFICATE}])
    assert https["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    assert [action["Type"] for action in https["DefaultActions"]] == ["forward"]
    (redirect,) = http["DefaultActions"]
    assert (redirect["Type"], redirect["RedirectConfig"]["Protocol"]) == ("redirect", "HTTPS")
    assert template.one("AWS::ElasticLoadBalancingV2::LoadBalancer", Name="demo-routers")["Scheme"] == "internal"
    assert [port for source, port in users(template) if source.endswith(".CidrBlock>")] == [80, 443]
    assert not template.of_type("AWS::Route53::RecordSet")


def test_a_hosted_zone_has_the_certificate_proven_and_every_name_pointed(tmp_path: Path) -> None:
    template = template_with(f"{ZONE}, public: true", tmp_path)
    certificate = template.one("AWS::CertificateManager::Certificate")
    assert certificate["DomainName"] == "*.fleet.example"
    (option,) = certificate["DomainValidationOptions"]
    assert option["HostedZoneId"] == "Z0123456789ABC"
    record = template.one("AWS::Route53::RecordSet")
    assert (record["Name"], record["Type"], record["HostedZoneId"]) == ("*.fleet.example.", "A", "Z0123456789ABC")
    balancer = template.one("AWS::ElasticLoadBalancingV2::LoadBalancer", Name="demo-public")
    assert balancer["Scheme"] == "internet-facing"
    assert template.one("AWS::ElasticLoadBalancingV2::TargetGroup", Name="demo-public")["HealthCheckPath"] == "/healthz"
    assert users(template) == [("0.0.0.0/0", 80), ("0.0.0.0/0", 443)]


@pytest.mark.parametrize(
    ("entry", "field", "told"),
    [
        ("public: true", "network.entry.public", "needs a certificate"),
        (f'certificate: "{CERTIFICATE}", {ZONE}', "network.entry.certificate", "give one of them"),
        ("hosted_zone: {id: Z0123456789ABC, name: other.example}", "network.domain", "does not lie in"),
        ('certificate: "arn:aws:iam::1:server-certificate/x"', "network.entry.certificate", "match"),
        ("hosted_zone: {id: example, name: fleet.example}", "network.entry.hosted_zone.id", "match"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_field(tmp_path: Path, entry: str, field: str, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_with(entry, tmp_path)
    assert f" {field}: " in str(refused.value)
    assert told in str(refused.value)

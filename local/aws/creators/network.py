"""Networks: what EC2 needs around instances, and their launch templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local.aws.creators.context import Creator, Stack
from local.aws.intrinsics import Physical
from local.aws.properties import Properties


def vpc(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::EC2::VPC."""
    ec2 = stack.client("ec2")
    made = ec2.create_vpc(**properties.for_api(ec2, "create_vpc"))["Vpc"]
    vpc_id = str(made["VpcId"])
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        if name in properties:
            ec2.modify_vpc_attribute(VpcId=vpc_id, **{name: {"Value": _truth(properties.take(name))}})
    _tag(ec2, vpc_id, properties)
    default = ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "group-name", "Values": ["default"]}]
    )["SecurityGroups"][0]["GroupId"]
    return Physical(vpc_id, {"VpcId": vpc_id, "CidrBlock": made["CidrBlock"], "DefaultSecurityGroup": default})


def subnet(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::EC2::Subnet."""
    ec2 = stack.client("ec2")
    made = ec2.create_subnet(**properties.for_api(ec2, "create_subnet"))["Subnet"]
    subnet_id = str(made["SubnetId"])
    if _truth(properties.take("MapPublicIpOnLaunch", False)):
        ec2.modify_subnet_attribute(SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": True})
    _tag(ec2, subnet_id, properties)
    names = ("SubnetId", "AvailabilityZone", "VpcId", "CidrBlock")
    return Physical(subnet_id, {name: made[name] for name in names})


def route(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::EC2::Route."""
    ec2 = stack.client("ec2")
    parameters = properties.for_api(ec2, "create_route")
    ec2.create_route(**parameters)
    return Physical(f"{parameters['RouteTableId']}|{parameters.get('DestinationCidrBlock', '')}")


def network_interface(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::EC2::NetworkInterface, with an address of its subnet that is its own for good."""
    ec2 = stack.client("ec2")
    given = {"Groups": properties.take("GroupSet", [])}
    made = ec2.create_network_interface(**properties.for_api(ec2, "create_network_interface", **given))
    interface = made["NetworkInterface"]
    interface_id = str(interface["NetworkInterfaceId"])
    _tag(ec2, interface_id, properties)
    return Physical(interface_id, {"Id": interface_id, "PrimaryPrivateIpAddress": interface["PrivateIpAddress"]})


def elastic_ip(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::EC2::EIP."""
    ec2 = stack.client("ec2")
    made = ec2.allocate_address(**properties.for_api(ec2, "allocate_address"))
    _tag(ec2, made["AllocationId"], properties)
    return Physical(str(made["PublicIp"]), {"AllocationId": made["AllocationId"], "PublicIp": made["PublicIp"]})


def security_group(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::EC2::SecurityGroup; egress that is named takes the place of the default that allows all."""
    ec2 = stack.client("ec2")
    vpc_id = properties.take("VpcId")
    made = ec2.create_security_group(
        GroupName=stack.physical_name(logical_id, properties.take("GroupName"), 255),
        Description=str(properties.take("GroupDescription")),
        **({"VpcId": vpc_id} if vpc_id else {}),
    )
    group_id = str(made["GroupId"])
    ingress, egress = properties.take("SecurityGroupIngress", []), properties.take("SecurityGroupEgress", [])
    if ingress:
        ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[_permission(one) for one in ingress])
    if egress:
        default = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]["IpPermissionsEgress"]
        ec2.revoke_security_group_egress(GroupId=group_id, IpPermissions=default)
        ec2.authorize_security_group_egress(GroupId=group_id, IpPermissions=[_permission(one) for one in egress])
    _tag(ec2, group_id, properties)
    return Physical(group_id, {"GroupId": group_id, "Id": group_id, "VpcId": vpc_id})


def ingress_rule(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::EC2::SecurityGroupIngress."""
    rule = {name: properties.take(name) for name in _RULE if name in properties}
    stack.client("ec2").authorize_security_group_ingress(
        GroupId=properties.take("GroupId"), IpPermissions=[_permission(rule)]
    )
    return Physical(stack.physical_name(logical_id, None))


def egress_rule(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::EC2::SecurityGroupEgress."""
    rule = {name: properties.take(name) for name in _RULE if name in properties}
    stack.client("ec2").authorize_security_group_egress(
        GroupId=properties.take("GroupId"), IpPermissions=[_permission(rule)]
    )
    return Physical(stack.physical_name(logical_id, None))


def vpc_endpoint(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::EC2::VPCEndpoint."""
    ec2 = stack.client("ec2")
    given = {"PolicyDocument": properties.take_json("PolicyDocument")} if "PolicyDocument" in properties else {}
    made = ec2.create_vpc_endpoint(**properties.for_api(ec2, "create_vpc_endpoint", **given))["VpcEndpoint"]
    _tag(ec2, made["VpcEndpointId"], properties)
    return Physical(str(made["VpcEndpointId"]), {"Id": made["VpcEndpointId"]})


def flow_log(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::EC2::FlowLog; it is kept, and nothing flows into it."""
    ec2 = stack.client("ec2")
    watched = [properties.take("ResourceId")]
    (made,) = ec2.create_flow_logs(**properties.for_api(ec2, "create_flow_logs", ResourceIds=watched))["FlowLogIds"]
    _tag(ec2, made, properties)
    return Physical(str(made))


def launch_template(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::EC2::LaunchTemplate."""
    ec2 = stack.client("ec2")
    name = stack.physical_name(logical_id, properties.take("LaunchTemplateName"), 128)
    parameters = properties.for_api(ec2, "create_launch_template", LaunchTemplateName=name)
    made = ec2.create_launch_template(**parameters)["LaunchTemplate"]
    return Physical(
        str(made["LaunchTemplateId"]),
        {
            "LaunchTemplateId": made["LaunchTemplateId"],
            "LatestVersionNumber": str(made["LatestVersionNumber"]),
            "DefaultVersionNumber": str(made["DefaultVersionNumber"]),
        },
    )


_RULE = (
    "IpProtocol",
    "FromPort",
    "ToPort",
    "CidrIp",
    "CidrIpv6",
    "Description",
    "SourceSecurityGroupId",
    "DestinationSecurityGroupId",
    "SourcePrefixListId",
    "DestinationPrefixListId",
)


def _permission(rule: Mapping[str, Any]) -> dict[str, object]:
    """A rule of a security group as the API takes it."""
    said = {"Description": str(rule["Description"])} if rule.get("Description") else {}
    peer = rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")
    prefix_list = rule.get("SourcePrefixListId") or rule.get("DestinationPrefixListId")
    permission: dict[str, object] = {"IpProtocol": str(rule["IpProtocol"])}
    permission |= {name: int(rule[name]) for name in ("FromPort", "ToPort") if name in rule}
    if rule.get("CidrIp"):
        permission["IpRanges"] = [{"CidrIp": rule["CidrIp"], **said}]
    if rule.get("CidrIpv6"):
        permission["Ipv6Ranges"] = [{"CidrIpv6": rule["CidrIpv6"], **said}]
    if peer:
        permission["UserIdGroupPairs"] = [{"GroupId": peer, **said}]
    if prefix_list:
        permission["PrefixListIds"] = [{"PrefixListId": prefix_list, **said}]
    return permission


def _tag(ec2: Any, resource_id: str, properties: Properties) -> None:
    tags = properties.take("Tags", [])
    if tags:
        ec2.create_tags(Resources=[resource_id], Tags=tags)


def _truth(value: object) -> bool:
    return str(value).lower() == "true"


NETWORK: Mapping[str, Creator] = {
    "AWS::EC2::VPC": vpc,
    "AWS::EC2::Subnet": subnet,
    "AWS::EC2::Route": route,
    "AWS::EC2::NetworkInterface": network_interface,
    "AWS::EC2::EIP": elastic_ip,
    "AWS::EC2::SecurityGroup": security_group,
    "AWS::EC2::SecurityGroupIngress": ingress_rule,
    "AWS::EC2::SecurityGroupEgress": egress_rule,
    "AWS::EC2::VPCEndpoint": vpc_endpoint,
    "AWS::EC2::FlowLog": flow_log,
    "AWS::EC2::LaunchTemplate": launch_template,
}

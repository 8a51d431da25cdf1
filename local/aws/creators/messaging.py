"""Topics, queues, rules and alarms: what carries events."""

from __future__ import annotations

import json
from collections.abc import Mapping

from local.aws.creators.context import Creator, Stack
from local.aws.intrinsics import Physical
from local.aws.properties import Properties, tag_map


def topic(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::SNS::Topic."""
    sns = stack.client("sns")
    name = stack.physical_name(logical_id, properties.take("TopicName"), 256)
    parameters = properties.for_api(sns, "create_topic", Name=name)
    names = ("DisplayName", "KmsMasterKeyId", "SignatureVersion")
    parameters["Attributes"] = {key: str(properties.take(key)) for key in names if key in properties}
    arn = str(sns.create_topic(**parameters)["TopicArn"])
    for one in properties.take("Subscription", []):
        sns.subscribe(TopicArn=arn, Protocol=one["Protocol"], Endpoint=one["Endpoint"])
    return Physical(arn, {"TopicArn": arn, "TopicName": name})


def topic_policy(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::SNS::TopicPolicy."""
    document = properties.take_json("PolicyDocument")
    for arn in properties.take("Topics", []):
        stack.client("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=document)
    return Physical(stack.physical_name(logical_id, None))


def subscription(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::SNS::Subscription."""
    sns = stack.client("sns")
    attributes = {name: properties.take_json(name) for name in ("FilterPolicy", "RedrivePolicy") if name in properties}
    if "RawMessageDelivery" in properties:
        attributes["RawMessageDelivery"] = str(properties.take("RawMessageDelivery")).lower()
    if "FilterPolicyScope" in properties:
        attributes["FilterPolicyScope"] = properties.take("FilterPolicyScope")
    parameters = properties.for_api(sns, "subscribe", Attributes=attributes, ReturnSubscriptionArn=True)
    arn = str(sns.subscribe(**parameters)["SubscriptionArn"])
    return Physical(arn, {"Arn": arn})


_QUEUE = (
    "ContentBasedDeduplication",
    "DelaySeconds",
    "FifoQueue",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
)


def queue(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::SQS::Queue."""
    sqs = stack.client("sqs")
    name = stack.physical_name(logical_id, properties.take("QueueName"), 80)
    attributes = {key: _text(properties.take(key)) for key in _QUEUE if key in properties}
    for key in ("RedrivePolicy", "RedriveAllowPolicy"):
        if key in properties:
            attributes[key] = properties.take_json(key)
    tags = tag_map(properties.take("Tags", []))
    url = str(sqs.create_queue(QueueName=name, Attributes=attributes, tags=tags)["QueueUrl"])
    return Physical(url, {"Arn": stack.arn("sqs", name), "QueueName": name, "QueueUrl": url})


def queue_policy(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::SQS::QueuePolicy."""
    document = properties.take_json("PolicyDocument")
    for url in properties.take("Queues", []):
        stack.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    return Physical(stack.physical_name(logical_id, None))


def rule(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::Events::Rule."""
    events = stack.client("events")
    name = stack.physical_name(logical_id, properties.take("Name"))
    given = {"EventPattern": properties.take_json("EventPattern")} if "EventPattern" in properties else {}
    arn = str(events.put_rule(**properties.for_api(events, "put_rule", Name=name, **given))["RuleArn"])
    targets = properties.take("Targets", [])
    if targets:
        shaped = properties.shaped(events, "put_targets", "Targets", targets)
        events.put_targets(Rule=name, Targets=shaped)
    return Physical(name, {"Arn": arn})


def alarm(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::CloudWatch::Alarm."""
    cloudwatch = stack.client("cloudwatch")
    name = stack.physical_name(logical_id, properties.take("AlarmName"), 255)
    cloudwatch.put_metric_alarm(**properties.for_api(cloudwatch, "put_metric_alarm", AlarmName=name))
    return Physical(name, {"Arn": stack.arn("cloudwatch", f"alarm:{name}")})


def composite_alarm(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::CloudWatch::CompositeAlarm."""
    cloudwatch = stack.client("cloudwatch")
    name = stack.physical_name(logical_id, properties.take("AlarmName"), 255)
    cloudwatch.put_composite_alarm(**properties.for_api(cloudwatch, "put_composite_alarm", AlarmName=name))
    return Physical(name, {"Arn": stack.arn("cloudwatch", f"alarm:{name}")})


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


MESSAGING: Mapping[str, Creator] = {
    "AWS::SNS::Topic": topic,
    "AWS::SNS::TopicPolicy": topic_policy,
    "AWS::SNS::Subscription": subscription,
    "AWS::SQS::Queue": queue,
    "AWS::SQS::QueuePolicy": queue_policy,
    "AWS::Events::Rule": rule,
    "AWS::CloudWatch::Alarm": alarm,
    "AWS::CloudWatch::CompositeAlarm": composite_alarm,
}

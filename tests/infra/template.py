"""Questions to a CloudFormation template."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Region": "eu-central-1",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy; references stand as `<LogicalId>` or `<LogicalId.Attribute>`."""

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: dict[str, Any]

    def grants(self, action: str, resource: str) -> bool:
        wanted = any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in self.actions)
        return wanted and any(fnmatch.fnmatchcase(resource, pattern) for pattern in self.resources)


class Template:
    """A synthesised template; properties are given with their intrinsics flattened to text."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._resources: dict[str, dict[str, Any]] = document["Resources"]
        self.text = json.dumps(document)

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Logical id -> properties of all resources of a type."""
        found = {name: body for name, body in self._resources.items() if body["Type"] == kind}
        return {name: flat(body.get("Properties", {})) for name, body in found.items()}

    def one(self, kind: str, **wanted: object) -> dict[str, Any]:
        """The properties of the one resource of that type with these properties."""
        found = [each for each in self.of_type(kind).values() if all(each.get(k) == v for k, v in wanted.items())]
        assert len(found) == 1, f"{len(found)} of {kind} {wanted}"
        return found[0]

    def name_of(self, kind: str, **wanted: object) -> str:
        """The logical id of that one resource."""
        properties = self.one(kind, **wanted)
        return next(name for name, each in self.of_type(kind).items() if each == properties)

    def called(self, reference: str) -> str:
        """The name of the function that an alias, given as `<LogicalId>`, stands for; `:live` may follow it."""
        alias = self.of_type("AWS::Lambda::Alias")[reference.removesuffix(":live").strip("<>")]
        assert alias["Name"] == "live"
        return str(self.of_type("AWS::Lambda::Function")[alias["FunctionName"].strip("<>")]["FunctionName"])

    def waits_for(self, name: str) -> set[str]:
        """Logical ids that must be there before the resource, however indirectly."""
        seen: set[str] = set()
        todo = [name]
        while todo:
            body = self._resources[todo.pop()]
            needs = {*body.get("DependsOn", ()), *_references(body.get("Properties", {}))}
            fresh = (needs & self._resources.keys()) - seen
            seen |= fresh
            todo.extend(fresh)
        return seen

    def kept(self, name: str) -> str:
        """The resource's deletion policy."""
        return str(self._resources[name].get("DeletionPolicy", "Delete"))

    def statements_of(self, role: str) -> list[Statement]:
        """What a role (by logical id) is allowed."""
        attached = [each for each in self.of_type("AWS::IAM::Policy").values() if f"<{role}>" in each["Roles"]]
        return [_statement(each) for policy in attached for each in policy["PolicyDocument"]["Statement"]]

    def role_of_function(self, function: str) -> str:
        return str(self.one("AWS::Lambda::Function", FunctionName=function)["Role"]).strip("<>").partition(".")[0]

    def role_of_pool(self, group: str) -> str:
        data = self.one("AWS::EC2::LaunchTemplate", LaunchTemplateName=group)["LaunchTemplateData"]
        profile = data["IamInstanceProfile"]["Arn"].strip("<>").partition(".")[0]
        return str(self.of_type("AWS::IAM::InstanceProfile")[profile]["Roles"][0]).strip("<>")

    def may(self, role: str, action: str, resource: str) -> bool:
        return any(each.effect == "Allow" and each.grants(action, resource) for each in self.statements_of(role))

    def roles(self) -> list[str]:
        return list(self.of_type("AWS::IAM::Role"))


def _statement(body: dict[str, Any]) -> Statement:
    actions, resources = body["Action"], body["Resource"]
    return Statement(
        body["Effect"],
        tuple(actions if isinstance(actions, list) else [actions]),
        tuple(resources if isinstance(resources, list) else [resources]),
        body.get("Condition", {}),
    )


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if "Ref" in value:
            yield value["Ref"]
        elif "Fn::GetAtt" in value:
            yield value["Fn::GetAtt"][0]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def flat(value: Any) -> Any:  # a template's tree has no narrower type
    """The value with its intrinsics turned into text: pseudo parameters into values, references into `<...>`."""
    if isinstance(value, list):
        return [flat(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "Ref" in value:
        return _PSEUDO.get(value["Ref"], f"<{value['Ref']}>")
    if "Fn::GetAtt" in value:
        return "<" + ".".join(value["Fn::GetAtt"]) + ">"
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return separator.join(flat(parts))
    if "Fn::Sub" in value:
        text = value["Fn::Sub"]
        for name, known in _PSEUDO.items():
            text = text.replace(f"${{{name}}}", known)
        return text
    if "Fn::Select" in value and "Fn::Split" in value["Fn::Select"][1]:
        return flat(value["Fn::Select"][1]["Fn::Split"][1])  # a part of a reference stands for the whole
    if "Fn::Base64" in value:
        return flat(value["Fn::Base64"])
    return {key: flat(inner) for key, inner in value.items()}

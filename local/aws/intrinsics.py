"""CloudFormation's intrinsic functions, worked out with what has been made so far."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from local.aws.template import Template, TemplateError

NO_VALUE = object()
"""What `AWS::NoValue` stands for: the property or element isn't there."""

_DYNAMIC = re.compile(r"\{\{resolve:([^:}]+):([^}]*)\}\}")


@dataclass(frozen=True, slots=True)
class Physical:
    """A resource that was made: what `Ref` and `Fn::GetAtt` give for it."""

    ref: str
    attributes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stack is deployed."""

    account: str
    region: str
    stack: str
    zones: tuple[str, ...]


class Resolver:
    """Works out values of one template; learns each resource's names once it is made."""

    def __init__(
        self,
        template: Template,
        place: Place,
        parameters: Mapping[str, str] | None = None,
        ssm: Callable[[str], str] | None = None,
    ) -> None:
        """`parameters` are given by name; `ssm` reads those of SSM types. Raises KeyError when it has none."""
        self._template = template
        self._place = place
        self._parameters = dict(parameters or {})
        self._ssm = ssm
        self._made: dict[str, Physical] = {}
        self._functions: dict[str, Callable[[object], object]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Join": self._join,
            "Fn::Sub": self._sub,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::GetAZs": self._get_azs,
            "Fn::Base64": lambda value: base64.b64encode(str(self.resolve(value)).encode()).decode(),
            "Fn::FindInMap": self._find_in_map,
            "Fn::If": self._if,
            "Fn::Cidr": self._cidr,
        }

    def made(self, logical_id: str, physical: Physical) -> None:
        """Remember what a resource is called."""
        self._made[logical_id] = physical

    def resolve(self, value: object) -> object:
        """The value without intrinsics. Raises TemplateError for one that is unknown or names what isn't there."""
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, list):
            return [one for one in map(self.resolve, value) if one is not NO_VALUE]
        return self._dynamic(value) if isinstance(value, str) else value

    def condition(self, name: str) -> bool:
        """Whether a condition of the template holds. Raises TemplateError when it isn't declared."""
        if name not in self._template.conditions:
            raise TemplateError(f"the template has no condition {name}")
        return self._holds(self._template.conditions[name])

    def _mapping(self, value: Mapping[str, object]) -> object:
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name in self._functions:
                return self._functions[name](argument)
            if name.startswith("Fn::"):
                raise TemplateError(f"the local cloud doesn't know the intrinsic function {name}")
        resolved = {key: self.resolve(inner) for key, inner in value.items()}
        return {key: inner for key, inner in resolved.items() if inner is not NO_VALUE}

    def _ref(self, argument: object) -> object:
        name = str(argument)
        pseudo: dict[str, object] = {
            "AWS::AccountId": self._place.account,
            "AWS::Region": self._place.region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": self._place.stack,
            "AWS::StackId": self._stack_id(),
            "AWS::NotificationARNs": [],
            "AWS::NoValue": NO_VALUE,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self._template.parameters:
            return self._parameter(name)
        return self._physical(name).ref

    def _stack_id(self) -> str:
        place = self._place
        return f"arn:aws:cloudformation:{place.region}:{place.account}:stack/{place.stack}/local"

    def _parameter(self, name: str) -> object:
        declared = self._template.parameters[name]
        kind = str(declared.get("Type", "String"))
        value = self._parameters.get(name)
        if value is None and kind.startswith("AWS::SSM::Parameter::Value"):
            value = self._from_ssm(str(declared.get("Default", "")))
        elif value is None:
            value = str(declared["Default"]) if "Default" in declared else None
        if value is None:
            raise TemplateError(f"no value is given for the parameter {name}")
        is_list = kind == "CommaDelimitedList" or kind.startswith("List<") or "<List<" in kind
        return [part.strip() for part in value.split(",")] if is_list else value

    def _from_ssm(self, path: str) -> str:
        if self._ssm is None:
            raise TemplateError(f"the template reads the SSM parameter {path}, for which no value is given")
        try:
            return self._ssm(path)
        except KeyError as error:
            raise TemplateError(f"the template reads the SSM parameter {path}, which doesn't exist") from error

    def _physical(self, name: str) -> Physical:
        if name in self._made:
            return self._made[name]
        if name in self._template.resources:
            raise TemplateError(f"{name} is referred to, but the local cloud has not made it")
        raise TemplateError(f"{name} is referred to, but the template doesn't declare it")

    def _get_att(self, argument: object) -> object:
        path = argument if isinstance(argument, list) else str(argument).split(".", 1)
        name, attribute = str(path[0]), str(self.resolve(path[1]))
        attributes = self._physical(name).attributes
        if attribute not in attributes:
            kind = self._template.resources[name].type
            raise TemplateError(f"the local cloud doesn't know the attribute {attribute} of {name} ({kind})")
        return attributes[attribute]

    def _join(self, argument: object) -> str:
        separator, parts = self._arguments("Fn::Join", argument, 2)
        return str(separator).join(map(str, _sequence("Fn::Join", parts)))

    def _sub(self, argument: object) -> str:
        text, given = argument if isinstance(argument, list) else (argument, {})
        variables = {name: self.resolve(value) for name, value in given.items()}

        def replace(found: re.Match[str]) -> str:
            name = found.group(1).strip()
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in variables:
                return str(variables[name])
            return str(self._get_att(name) if "." in name else self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", replace, str(text))

    def _select(self, argument: object) -> object:
        index, values = self._arguments("Fn::Select", argument, 2)
        listed = _sequence("Fn::Select", values)
        if not 0 <= int(str(index)) < len(listed):
            raise TemplateError(f"Fn::Select wants element {index} of {len(listed)}")
        return listed[int(str(index))]

    def _split(self, argument: object) -> list[str]:
        separator, text = self._arguments("Fn::Split", argument, 2)
        return str(text).split(str(separator))

    def _get_azs(self, argument: object) -> list[str]:
        region = str(self.resolve(argument)) or self._place.region
        if region != self._place.region:
            raise TemplateError(f"the local cloud is {self._place.region} and knows no zones of {region}")
        return list(self._place.zones)

    def _find_in_map(self, argument: object) -> object:
        name, first, second = map(str, self._arguments("Fn::FindInMap", argument, 3))
        try:
            return self._template.mappings[name][first][second]
        except KeyError as error:
            raise TemplateError(f"the mapping {name} has no {first}.{second}") from error

    def _if(self, argument: object) -> object:
        if not isinstance(argument, list) or len(argument) != 3:
            raise TemplateError("Fn::If takes a condition and two values")
        return self.resolve(argument[1] if self.condition(str(argument[0])) else argument[2])

    def _cidr(self, argument: object) -> list[str]:
        block, count, bits = self._arguments("Fn::Cidr", argument, 3)
        network = ipaddress.ip_network(str(block))
        subnets = network.subnets(new_prefix=network.max_prefixlen - int(str(bits)))
        return [str(subnet) for subnet, _ in zip(subnets, range(int(str(count))), strict=False)]

    def _arguments(self, function: str, argument: object, count: int) -> Sequence[object]:
        resolved = [self.resolve(one) for one in argument] if isinstance(argument, list) else []
        if len(resolved) != count:
            raise TemplateError(f"{function} takes {count} arguments")
        return resolved

    def _holds(self, expression: object) -> bool:
        if not isinstance(expression, Mapping) or len(expression) != 1:
            raise TemplateError(f"{expression!r} isn't a condition")
        name, argument = next(iter(expression.items()))
        if name == "Condition":
            return self.condition(str(argument))
        parts = argument if isinstance(argument, list) else [argument]
        if name == "Fn::Equals":
            return self.resolve(parts[0]) == self.resolve(parts[1])
        if name == "Fn::Not":
            return not self._holds(parts[0])
        if name in {"Fn::And", "Fn::Or"}:
            return (all if name == "Fn::And" else any)(map(self._holds, parts))
        raise TemplateError(f"the local cloud doesn't know the condition function {name}")

    def _dynamic(self, text: str) -> str:
        """Replace `{{resolve:ssm:...}}`; other kinds are refused, as their values must not land in plain properties."""

        def replace(found: re.Match[str]) -> str:
            if found.group(1) != "ssm":
                raise TemplateError(f"the local cloud doesn't know the dynamic reference {found.group()}")
            return self._from_ssm(found.group(2).partition(":")[0])

        return _DYNAMIC.sub(replace, text)


def _sequence(function: str, value: object) -> list[object]:
    if not isinstance(value, list):
        raise TemplateError(f"{function} takes a list, not {value!r}")
    return value

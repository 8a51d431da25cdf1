"""Templates are read, ordered and resolved as CloudFormation does it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.aws.intrinsics import NO_VALUE, Physical, Place, Resolver
from local.aws.template import Template, TemplateError

ZONES = ("eu-central-1a", "eu-central-1b")


def template(**sections: object) -> Template:
    return Template.parse({"Resources": {"A": {"Type": "T"}, "B": {"Type": "T"}}} | sections)


def resolver(parameters: dict[str, str] | None = None, **sections: object) -> Resolver:
    one = Resolver(
        template(**sections),
        Place("123456789012", "eu-central-1", "stack", ZONES),
        parameters,
        {"/image": "ami-1", "/subnets": "s-1,s-2"}.__getitem__,
    )
    one.made("A", Physical("a-1", {"Arn": "arn:a", "Nested.Name": "n"}))
    return one


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"Ref": "A"}, "a-1", id="Ref of a resource"),
        pytest.param({"Ref": "AWS::Region"}, "eu-central-1", id="Ref of a pseudo parameter"),
        pytest.param({"Fn::GetAtt": ["A", "Arn"]}, "arn:a", id="GetAtt as a list"),
        pytest.param({"Fn::GetAtt": "A.Nested.Name"}, "n", id="GetAtt as text"),
        pytest.param({"Fn::Join": ["-", ["x", {"Ref": "A"}, 3]]}, "x-a-1-3", id="Join"),
        pytest.param({"Fn::Sub": "${A}/${A.Arn}/${AWS::AccountId}/${!A}"}, "a-1/arn:a/123456789012/${A}", id="Sub"),
        pytest.param({"Fn::Sub": ["${x}+${A}", {"x": {"Ref": "AWS::Partition"}}]}, "aws+a-1", id="Sub with variables"),
        pytest.param({"Fn::Select": ["1", ["x", "y"]]}, "y", id="Select"),
        pytest.param({"Fn::Split": [":", {"Fn::GetAtt": ["A", "Arn"]}]}, ["arn", "a"], id="Split"),
        pytest.param({"Fn::Select": [0, {"Fn::GetAZs": ""}]}, "eu-central-1a", id="GetAZs"),
        pytest.param({"Fn::Base64": {"Fn::Sub": "run ${A}"}}, "cnVuIGEtMQ==", id="Base64"),
        pytest.param({"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "k"]}, "v", id="FindInMap"),
        pytest.param({"Fn::If": ["Yes", "x", "y"]}, "x", id="If"),
        pytest.param({"Fn::If": ["No", "x", "y"]}, "y", id="If not"),
        pytest.param({"a": {"Ref": "AWS::NoValue"}, "b": 1}, {"b": 1}, id="NoValue in an object"),
        pytest.param([{"Fn::If": ["No", 1, {"Ref": "AWS::NoValue"}]}, 2], [2], id="NoValue in a list"),
        pytest.param({"Ref": "AWS::NoValue"}, NO_VALUE, id="NoValue alone"),
        pytest.param({"Fn::Cidr": ["10.0.0.0/16", 2, 8]}, ["10.0.0.0/24", "10.0.1.0/24"], id="Cidr"),
        pytest.param("{{resolve:ssm:/image}}", "ami-1", id="a dynamic reference"),
        pytest.param({"Ref": "Image"}, "ami-1", id="a parameter from SSM"),
        pytest.param({"Ref": "Subnets"}, ["s-1", "s-2"], id="a list parameter from SSM"),
        pytest.param({"Ref": "Given"}, "mine", id="a parameter that is given"),
        pytest.param({"Ref": "Default"}, "d", id="a parameter's default"),
        pytest.param({"Condition": {"Bool": 1}, "Effect": "Allow"}, {"Condition": {"Bool": 1}, "Effect": "Allow"}),
    ],
)
def test_intrinsics_are_worked_out(value: object, expected: object) -> None:
    one = resolver(
        {"Given": "mine"},
        Mappings={"M": {"eu-central-1": {"k": "v"}}},
        Conditions={
            "Yes": {"Fn::And": [{"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-central-1"]}, {"Fn::Not": [_NO]}]},
            "No": {"Fn::Or": [_NO, {"Fn::Not": [{"Condition": "Yes"}]}]},
        },
        Parameters={
            "Image": {"Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "Default": "/image"},
            "Subnets": {"Type": "AWS::SSM::Parameter::Value<List<String>>", "Default": "/subnets"},
            "Given": {"Type": "String"},
            "Default": {"Type": "String", "Default": "d"},
        },
    )
    assert one.resolve(value) == expected


_NO = {"Fn::Equals": ["a", "b"]}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param({"Fn::ImportValue": "x"}, "Fn::ImportValue", id="an unknown function"),
        pytest.param({"Ref": "Nobody"}, "doesn't declare", id="a name that isn't declared"),
        pytest.param({"Ref": "B"}, "has not made", id="a resource that isn't made"),
        pytest.param({"Fn::GetAtt": ["A", "Nope"]}, "attribute Nope", id="an unknown attribute"),
        pytest.param({"Fn::Select": [2, ["x"]]}, "element 2", id="no such element"),
        pytest.param({"Fn::FindInMap": ["M", "a", "b"]}, "mapping M", id="no such mapping"),
        pytest.param({"Fn::If": ["Nope", 1, 2]}, "condition Nope", id="no such condition"),
        pytest.param({"Fn::GetAZs": "us-east-1"}, "us-east-1", id="another region"),
        pytest.param({"Ref": "Missing"}, "no value", id="a parameter without a value"),
        pytest.param({"Ref": "Absent"}, "/absent", id="an SSM parameter that isn't there"),
        pytest.param("{{resolve:secretsmanager:x}}", "secretsmanager", id="another dynamic reference"),
    ],
)
def test_what_is_unknown_is_a_clear_error(value: object, reason: str) -> None:
    parameters = {
        "Missing": {"Type": "String"},
        "Absent": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/absent"},
    }
    with pytest.raises(TemplateError, match=reason):
        resolver(Parameters=parameters).resolve(value)


def ids(resources: dict[str, object]) -> list[str]:
    return [one.id for one in Template.parse({"Resources": resources}).order()]


def test_resources_come_after_what_they_need_else_as_written() -> None:
    assert ids(
        {
            "Group": {"Type": "T", "DependsOn": ["Rule"], "Properties": {"Tags": [{"Ref": "Template"}]}},
            "Rule": {"Type": "T", "Properties": {"Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}},
            "Alone": {"Type": "T"},
            "Template": {"Type": "T", "Properties": {"Data": {"Fn::Sub": "${Profile.Arn} ${!Group}"}}},
            "Profile": {"Type": "T"},
            "Queue": {"Type": "T"},
        }
    ) == ["Alone", "Profile", "Template", "Queue", "Rule", "Group"]


def test_a_circle_is_an_error_that_names_it() -> None:
    with pytest.raises(TemplateError, match="A, B"):
        ids({"A": {"Type": "T", "DependsOn": "B"}, "B": {"Type": "T", "Properties": {"x": {"Ref": "A"}}}})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="not JSON"),
        pytest.param("{}", id="no resources"),
        pytest.param('{"Resources": {"A": {}}}', id="no type"),
        pytest.param('{"Transform": "X", "Resources": {"A": {"Type": "T"}}}', id="a transform"),
    ],
)
def test_a_file_that_is_no_template_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "s.template.json"
    path.write_text(text)
    with pytest.raises(TemplateError):
        Template.load(path)


def test_a_template_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "s.template.json"
    path.write_text(json.dumps({"Resources": {"A": {"Type": "T", "Condition": "C"}}}))
    assert Template.load(path).resources["A"].condition == "C"

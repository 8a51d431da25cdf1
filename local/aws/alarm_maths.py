"""CloudWatch's metric maths, as far as alarms here use it. Pure: an expression and datapoints give a datapoint.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Value = float | None
Operand = Value | list[Value]
"""A datapoint, None where there is none, or an array of them such as `[m1, m2]`."""

BINARY: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda one, other: one / other if other else math.nan,
    ast.Pow: operator.pow,
}
COMPARING: Mapping[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
OVER_ARRAYS: Mapping[str, Callable[[list[float]], float]] = {
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
    "MIN": min,
    "MAX": max,
}
"""They leave missing datapoints out. Over one metric's time they aren't emulated."""
OF_ONE: Mapping[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}


class MathsError(ValueError):
    """An expression that CloudWatch would refuse, or that isn't emulated."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression; `ids` are the other queries that it reads."""

    tree: ast.expr
    ids: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> Expression:
        """Raises MathsError."""
        python = re.sub(r"(?<![<>!=])=(?!=)", "==", text).replace("^", "**")
        python = re.sub(r"&&", " and ", re.sub(r"\|\|", " or ", python))
        python = re.sub(r"\bAND\b", "and", re.sub(r"\bOR\b", "or", python))
        try:
            tree = ast.parse(python.strip(), mode="eval").body
        except SyntaxError as error:
            raise MathsError(f"the expression {text!r} can't be read") from error
        functions = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - functions
        return cls(tree, frozenset(names - {"REPEAT"}))

    def at(self, values: Mapping[str, Value]) -> Value:
        """The datapoint of one period, from the other queries' of the same one. Raises MathsError."""
        result = _value(self.tree, values)
        if isinstance(result, list):
            raise MathsError("the expression gives an array, not one time series")
        return None if result is None or math.isnan(result) else float(result)


def _value(tree: ast.expr, values: Mapping[str, Value]) -> Operand:
    match tree:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return values[name]
        case ast.List(elts=elements):
            return [_single(each, values) for each in elements]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            one = _single(inner, values)
            return None if one is None else -one
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in BINARY:
            return _both(BINARY[type(sign)], _single(left, values), _single(right, values))
        case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in COMPARING:
            return _both(COMPARING[type(sign)], _single(left, values), _single(right, values))
        case ast.BoolOp(op=sign, values=parts):
            given = [_single(each, values) for each in parts]
            every = all if isinstance(sign, ast.And) else any
            return None if None in given else float(every(given))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _called(name.upper(), arguments, values)
    raise MathsError(f"{ast.unparse(tree)} is not emulated")


def _called(name: str, arguments: list[ast.expr], values: Mapping[str, Value]) -> Value:
    if name in OVER_ARRAYS and len(arguments) == 1:
        return _over_array(name, _array(arguments[0], values))
    if name in OF_ONE and len(arguments) == 1:
        one = _single(arguments[0], values)
        return None if one is None else float(OF_ONE[name](one))
    if name == "IF" and len(arguments) in (2, 3):
        condition = _single(arguments[0], values)
        if condition is None:
            return None
        if condition:
            return _single(arguments[1], values)
        return _single(arguments[2], values) if len(arguments) == 3 else None
    if name == "FILL" and len(arguments) == 2:
        one = _single(arguments[0], values)
        return _single(arguments[1], values) if one is None else one
    raise MathsError(f"the function {name} is not emulated")


def _array(tree: ast.expr, values: Mapping[str, Value]) -> list[Value]:
    """An array written out, or METRICS() for all metrics that aren't expressions."""
    match tree:
        case ast.Call(func=ast.Name(id="METRICS"), args=[]):
            return list(values.values())
        case ast.List():
            found = _value(tree, values)
            return found if isinstance(found, list) else [found]
    raise MathsError(f"{ast.unparse(tree)}: functions over one metric's time are not emulated, give an array")


def _over_array(name: str, given: list[Value]) -> Value:
    known = [each for each in given if each is not None]
    return OVER_ARRAYS[name](known) if known else None


def _single(tree: ast.expr, values: Mapping[str, Value]) -> Value:
    found = _value(tree, values)
    if isinstance(found, list):
        raise MathsError(f"{ast.unparse(tree)} is an array where one value is needed")
    return found


def _both(sign: Callable[[float, float], float | bool], one: Value, other: Value) -> Value:
    return None if one is None or other is None else float(sign(one, other))

"""Points as InfluxDB takes them: its line protocol."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

_TAG_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured at one time. All fields are floats: a field's type can't change in InfluxDB."""

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, float]
    time_ns: int

    def line(self) -> str:
        """The point in line protocol. Raises ValueError when it has no field or one that is no number."""
        if not self.fields or not all(math.isfinite(value) for value in self.fields.values()):
            raise ValueError(f"{self.measurement} has no fields, or one that is no number: {dict(self.fields)}")
        # A tag without a value is refused; a tag that is left out is the same to a query.
        tags = "".join(f",{_escaped(key)}={_escaped(value)}" for key, value in sorted(self.tags.items()) if value)
        fields = ",".join(f"{_escaped(key)}={float(value)!r}" for key, value in sorted(self.fields.items()))
        return f"{_escaped(self.measurement)}{tags} {fields} {self.time_ns}"


def _escaped(text: str) -> str:
    return text.translate(_TAG_ESCAPES)

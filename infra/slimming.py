"""What the layer does without: what no function imports, and descriptions of services that none calls.

botocore describes each of some 440 services, most of them in several versions: more than half of a layer.
"""

from __future__ import annotations

import shutil
from pathlib import Path

SERVICES = frozenset(
    {"autoscaling", "cloudwatch", "dynamodb", "ec2", "elbv2", "events", "secretsmanager", "sqs", "ssm"}
)
"""Those that adapters have a client of; a test compares."""
UNUSED = ("boto3", "s3transfer", "pycparser")
"""boto3's clients are botocore's; cffi reads C declarations with pycparser, which compiled modules don't need."""
UNUSED_PARTS = ("pydantic/v1", "aws_lambda_powertools/event_handler")
POWERTOOLS = frozenset({"batch", "data_classes", "jmespath_utils", "typing"})
"""Of Powertools' utilities those that functions import, and what these import."""
RULES = Path(__file__)


def slim(python: Path) -> None:
    """Take away from a folder of installed packages what functions never read."""
    for package in UNUSED:
        for path in (python / package, *python.glob(f"{package}-*.dist-info")):
            shutil.rmtree(path, ignore_errors=True)
    for part in UNUSED_PARTS:
        shutil.rmtree(python / part)
    for utility in _folders(python / "aws_lambda_powertools" / "utilities"):
        if utility.name not in POWERTOOLS:
            shutil.rmtree(utility)
    for service in _folders(python / "botocore" / "data"):
        if service.name not in SERVICES:
            shutil.rmtree(service)
            continue
        *older, _ = _folders(service)
        for version in older:  # a client takes the newest
            shutil.rmtree(version)


def _folders(above: Path) -> list[Path]:
    return sorted(path for path in above.iterdir() if path.is_dir())

"""The file assets of a cloud assembly, and how they come into the bootstrap bucket as `cdk deploy` brings them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.aws.template import TemplateError

# Fixed, so that an asset's bytes, and with them its checksum, depend on nothing but its content.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class FileAsset:
    """One file, or a folder that is zipped, with its place in S3."""

    path: Path
    zipped: bool
    bucket: str
    key: str

    def content(self) -> bytes:
        """The object's bytes."""
        return zip_folder(self.path) if self.zipped and self.path.is_dir() else self.path.read_bytes()


def load_assets(manifest: Path, account: str, region: str) -> tuple[FileAsset, ...]:
    """The file assets that `<stack>.assets.json` lists. Raises TemplateError when it can't be read."""
    try:
        files = json.loads(manifest.read_text(encoding="utf-8")).get("files", {})
    except (OSError, json.JSONDecodeError) as error:
        raise TemplateError(f"{manifest}: {error}") from error
    places = {"${AWS::AccountId}": account, "${AWS::Region}": region, "${AWS::Partition}": "aws"}
    return tuple(
        FileAsset(
            path=manifest.parent / entry["source"]["path"],
            zipped=entry["source"].get("packaging") == "zip",
            bucket=_filled(destination["bucketName"], places),
            key=_filled(destination["objectKey"], places),
        )
        for entry in files.values()
        if "path" in entry["source"]
        for destination in entry["destinations"].values()
    )


def upload(s3: Any, region: str, assets: Iterable[FileAsset]) -> None:
    """Put assets into their buckets, which are made when they aren't there."""
    buckets = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for asset in assets:
        if asset.bucket not in buckets:
            create_bucket(s3, region, asset.bucket)
            buckets.add(asset.bucket)
        s3.put_object(Bucket=asset.bucket, Key=asset.key, Body=asset.content())


def create_bucket(s3: Any, region: str, name: str) -> None:
    """Make a bucket; only one region may not be named."""
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **where)


def zip_folder(folder: Path) -> bytes:
    """A folder as a zip file: the same bytes for the same content, modes kept."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _ZIP_TIME)
            entry.external_attr = (path.stat().st_mode & 0xFFFF) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def _filled(text: str, places: dict[str, str]) -> str:
    for place, value in places.items():
        text = text.replace(place, value)
    return text

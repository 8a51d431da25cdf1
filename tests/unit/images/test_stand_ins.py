"""Bases of Debian's packages: an overlay's upper side becomes a layer, layers an archive."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

from local.bases import base_reference, packages_of
from local.bases.archive import write_archive
from local.bases.layers import pack_upper

IMAGES = Path(__file__).parents[3] / "images"


def members(archive: Path) -> dict[str, bytes | None]:
    with tarfile.open(archive) as tar:
        return {each.name: content.read() if (content := tar.extractfile(each)) else None for each in tar.getmembers()}


def test_the_lists_beside_the_dockerfiles_say_what_a_base_is_made_of() -> None:
    assert packages_of(IMAGES) == {
        "node": ("nodejs",),
        "php": ("php-cli",),
        "plain": (),
        "python": ("python3",),
        "ruby": ("ruby",),
    }


def test_a_base_is_called_otherwise_when_its_list_changes(tmp_path: Path) -> None:
    (tmp_path / "python").mkdir()
    listed = tmp_path / "python" / "stand-in"
    listed.write_text("python3\n")
    before = base_reference(tmp_path, "python")
    assert base_reference(tmp_path, "python") == before
    listed.write_text("python3\npython3-venv\n")
    assert base_reference(tmp_path, "python") != before


def test_a_layer_holds_what_was_installed_without_caches_and_logs(tmp_path: Path) -> None:
    upper = tmp_path / "upper"
    for name in ("usr/bin", "var/cache/apt", "var/lib/apt/lists", "var/lib/dpkg", "var/log"):
        (upper / name).mkdir(parents=True)
        (upper / name / "file").write_text(name)
    (upper / "usr" / "bin" / "link").symlink_to("file")
    pack_upper(upper, tmp_path / "layer.tar")
    found = members(tmp_path / "layer.tar")
    assert found["usr/bin/file"] == b"usr/bin"
    installed = {
        "usr",
        "usr/bin",
        "usr/bin/file",
        "usr/bin/link",
        "var",
        "var/lib",
        "var/lib/dpkg",
        "var/lib/dpkg/file",
    }
    assert set(found) == {*installed, "var/lib/apt"}


def test_an_archive_names_each_image_and_holds_a_layer_that_two_share_once(tmp_path: Path) -> None:
    lower, upper = tmp_path / "lower.tar", tmp_path / "upper.tar"
    for path in (lower, upper):
        (tmp_path / "content").write_text(path.name)
        with tarfile.open(path, "w") as tar:
            tar.add(tmp_path / "content", path.stem)
    write_archive(tmp_path / "all.tar", {"a:1": (lower,), "b:1": (lower, upper)})
    found = members(tmp_path / "all.tar")
    first, second = json.loads(found["manifest.json"] or b"")
    assert (first["RepoTags"], second["RepoTags"]) == (["a:1"], ["b:1"])
    assert second["Layers"][:1] == first["Layers"]
    assert len([name for name in found if name.endswith("layer.tar")]) == 2
    config = json.loads(found[second["Config"]] or b"")
    digests = [f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in (lower, upper)]
    assert config["rootfs"]["diff_ids"] == digests
    assert second["Config"] == f"{hashlib.sha256(found[second['Config']] or b'').hexdigest()}.json"

"""Requests whose own layer is kept by moves, and images that could be somebody's layer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from swarmkeeper.domain.model import Request
from swarmkeeper.edge.requests import Admission
from swarmkeeper.edge.settings_admission import AdmissionSettings
from swarmkeeper.edge.snapshots import FOLDER
from swarmkeeper.errors import InvalidInput
from swarmkeeper.services import layers

REGISTRY = "registry.example.com:5000"
WITHOUT = Admission("fleet", 2**28)
ADMISSION = replace(WITHOUT, registry=REGISTRY)
POOLS = {"linux": AdmissionSettings(), "desktops": AdmissionSettings()}
MOVABLE = {"swarmkeeper.movable": "true"}
KEPT = {**MOVABLE, "swarmkeeper.snapshot": "true"}


def admit(admission: Admission = ADMISSION, **body: Any) -> Request:
    return admission.admit({"Name": "web-1", "Image": "web:1", **body})


def test_what_may_be_moved_may_ask_for_its_layer_to_be_kept() -> None:
    assert admit(Labels=KEPT).keeps_layer
    assert admit(Labels=KEPT).labels["swarmkeeper.snapshot"] == "true"


@pytest.mark.parametrize("labels", [{}, MOVABLE, {**MOVABLE, "swarmkeeper.snapshot": "false"}])
def test_nothing_is_kept_of_others(labels: dict[str, str]) -> None:
    assert not admit(Labels=labels).keeps_layer


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"Labels": {"swarmkeeper.snapshot": "true"}}, "is for what may be moved"),
        ({"Labels": KEPT, "HostConfig": {"Binds": ["data:/data"]}}, "is for what may be moved"),
        ({"Labels": KEPT, "Env": ["constraint:node==i-0a"]}, "is for what may be moved"),
        ({"Labels": {**MOVABLE, "swarmkeeper.snapshot": "yes"}}, "neither true nor false"),
    ],
)
def test_where_it_could_not_be_kept_the_request_is_refused(body: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidInput, match=rf"Labels\.swarmkeeper\.snapshot: .*{problem}"):
        admit(**body)


def test_a_fleet_without_a_registry_of_its_own_keeps_no_layers() -> None:
    with pytest.raises(InvalidInput, match=r"Labels\.swarmkeeper\.snapshot: needs a registry"):
        admit(WITHOUT, Labels=KEPT)


def test_windows_containers_are_refused() -> None:
    mixed = replace(ADMISSION, pools=POOLS, windows=frozenset({"desktops"}))
    with pytest.raises(InvalidInput, match=r"Labels\.swarmkeeper\.snapshot: is not for Windows"):
        admit(mixed, Labels=KEPT, Env=["constraint:ostype==windows"])
    assert admit(mixed, Labels=KEPT).keeps_layer


@pytest.mark.parametrize(
    "image",
    [
        f"{REGISTRY}/snapshots/acme/web-1:00000000000000aa",
        f"{REGISTRY}/snapshots/acme/web-1@sha256:{'0' * 64}",
        f"Registry.Example.COM:5000/snapshots/acme/web-1@sha256:{'0' * 64}",
        f"sha256:{'0' * 64}",
        "0" * 64,
        "cafe",
        "a",
    ],
)
def test_what_could_be_somebody_s_layer_is_no_image(image: str) -> None:
    with pytest.raises(InvalidInput, match="Image"):
        admit(Image=image)


@pytest.mark.parametrize(
    "image", [f"{REGISTRY}/base/python:3.13", "cafe:latest", "docker.io/library/cafe", "snapshots/web", "web"]
)
def test_other_images_are_taken(image: str) -> None:
    assert admit(Image=image).image == image


def test_a_fleet_that_keeps_no_layers_takes_images_by_their_id() -> None:
    assert admit(WITHOUT, Image="cafe").image == "cafe"


def test_admission_refuses_the_very_folder_that_layers_are_saved_to() -> None:
    assert FOLDER == layers.FOLDER

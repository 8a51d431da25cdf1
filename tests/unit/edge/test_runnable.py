"""What every engine would refuse is refused at once."""

from __future__ import annotations

import pytest

from swarmkeeper.edge.create_body import CreateBody
from swarmkeeper.edge.runnable import check_runnable
from swarmkeeper.errors import InvalidInput

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    "image",
    [
        "web",
        "web:1.2-rc_3",
        "library/web",
        "registry:5000/team/web_app--x",
        "Registry.Example:443/a/b.c/d",
        f"web@{DIGEST}",
        f"10.42.0.1:5000/swarmkeeper/web@{DIGEST}",
        f"web:1@{DIGEST}",
        DIGEST,
    ],
)
def test_an_image_reference_is_taken_as_engines_take_it(image: str) -> None:
    check_runnable(CreateBody(Name="web", Image=image))


@pytest.mark.parametrize(
    "image", ["Web", "a/B", "web:", "web:-1", "a//b", "web@sha256", "a..b", "web::1", "/web"[1:] + "/"]
)
def test_what_is_no_image_reference_is_refused(image: str) -> None:
    with pytest.raises(InvalidInput, match="Image"):
        check_runnable(CreateBody(Name="web", Image=image))


@pytest.mark.parametrize(
    ("bindings", "runs"),
    [
        ({"80/tcp": ["8080"], "81/tcp": ["8081"]}, True),
        ({"80/tcp": ["8080"], "81/tcp": ["8080"]}, False),
        ({"80/tcp": ["8080", "8080"]}, False),
        ({"53/tcp": ["53"], "53/udp": ["53"]}, True),
        ({"80/tcp": ["", ""], "81/tcp": ["0"]}, True),
    ],
)
def test_a_port_of_the_node_is_asked_for_once(bindings: dict[str, list[str]], runs: bool) -> None:
    ports = {key: [{"HostPort": port} for port in ports] for key, ports in bindings.items()}
    body = CreateBody.model_validate({"Name": "web", "Image": "web", "HostConfig": {"PortBindings": ports}})
    if runs:
        check_runnable(body)
        return
    with pytest.raises(InvalidInput, match="asked for twice"):
        check_runnable(body)

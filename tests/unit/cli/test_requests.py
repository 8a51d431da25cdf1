from __future__ import annotations

import pytest

from swarmkeeper.cli.requests import (
    WrongArgument,
    create_body,
    labels,
    memory_bytes,
    nano_cpus,
    port_bindings,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("0", 0, id="nothing"),
        pytest.param("1024", 1024, id="bytes"),
        pytest.param("256MiB", 256 * 2**20, id="binary unit"),
        pytest.param("256m", 256 * 2**20, id="docker's short unit is binary too"),
        pytest.param("1.5GB", 3 * 2**29, id="fraction"),
    ],
)
def test_memory_is_read_as_docker_reads_it(text: str, expected: int) -> None:
    assert memory_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "lots", "-1", "1 parsec", "1e3"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(WrongArgument, match="not a size"):
        memory_bytes(text)


@pytest.mark.parametrize(("text", "expected"), [("0.5", 5 * 10**8), ("500m", 5 * 10**8), ("2", 2 * 10**9)])
def test_cpus_become_nano_cpus(text: str, expected: int) -> None:
    assert nano_cpus(text) == expected


@pytest.mark.parametrize("text", ["", "half", "-1", "1/2"])
def test_what_is_no_number_of_cpus_is_refused(text: str) -> None:
    with pytest.raises(WrongArgument, match="not a number of CPUs"):
        nano_cpus(text)


def test_labels_keep_everything_after_the_first_equals_sign() -> None:
    assert labels(["a=b=c", "bare"]) == {"a": "b=c", "bare": ""}


def test_the_body_is_dockers_with_a_name() -> None:
    body = create_body(
        "web",
        "nginx",
        cpus="0.5",
        memory="64MiB",
        environment=["A=1"],
        label=["team=x"],
        constraints=["pool==workers"],
        movable=True,
        command=["sleep", "1"],
    )
    assert body == {
        "Name": "web",
        "Image": "nginx",
        "Env": ["A=1", "constraint:pool==workers"],
        "Labels": {"team": "x", "swarmkeeper.movable": "true"},
        "HostConfig": {"NanoCpus": 5 * 10**8, "Memory": 64 * 2**20},
        "Cmd": ["sleep", "1"],
    }


def test_without_a_command_the_image_keeps_its_own() -> None:
    assert "Cmd" not in create_body("web", "nginx")


def test_volumes_and_anothers_network_are_dockers_own_fields() -> None:
    body = create_body(
        "side", "x", volumes=["data:/d:ro"], volumes_from=["web"], links=["db:data", "web"], network="container:web"
    )
    assert body["HostConfig"] == {
        "NanoCpus": 0,
        "Memory": 0,
        "Binds": ["data:/d:ro"],
        "VolumesFrom": ["web"],
        "Links": ["db:data", "web:web"],
        "NetworkMode": "container:web",
    }


def test_a_shared_volume_is_a_mount_of_that_driver() -> None:
    body = create_body("web", "x", shared_volumes=["data:/d", "assets:/a:ro"])
    driver = {"DriverConfig": {"Name": "shared"}}
    data = {"Type": "volume", "Source": "data", "Target": "/d", "VolumeOptions": driver}
    assets = {"Type": "volume", "Source": "assets", "Target": "/a", "VolumeOptions": driver, "ReadOnly": True}
    assert body["HostConfig"] == {"NanoCpus": 0, "Memory": 0, "Mounts": [data, assets]}


@pytest.mark.parametrize("text", ["", "data", ":/d", "data:d", "data:/d:rx"])
def test_what_is_no_shared_volume_is_refused(text: str) -> None:
    with pytest.raises(WrongArgument, match="NAME:/PATH"):
        create_body("web", "x", shared_volumes=[text])


@pytest.mark.parametrize(
    ("text", "port", "binding"),
    [
        ("8080:80", "80/tcp", ("", "8080")),
        ("80", "80/tcp", ("", "")),
        ("10.0.0.1:8053:53/udp", "53/udp", ("10.0.0.1", "8053")),
        ("10.0.0.1::80", "80/tcp", ("10.0.0.1", "")),
        ("[::1]:8080:80", "80/tcp", ("::1", "8080")),
    ],
)
def test_ports_are_published_as_docker_writes_them(text: str, port: str, binding: tuple[str, str]) -> None:
    assert port_bindings([text]) == {port: [dict(zip(("HostIp", "HostPort"), binding, strict=True))]}


@pytest.mark.parametrize("text", ["", "a:80", "8080:", "10.0.0.1:80"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(WrongArgument):
        port_bindings([text])

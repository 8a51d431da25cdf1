"""The parts of `bench router` that need no engine: the load, the watch, and the router with a pool."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from swarmkeeper.cli.bench.router import SERVER, pooled_router
from swarmkeeper.cli.bench.router_load import Load, load_in, press
from swarmkeeper.cli.bench.router_watch import Watch
from tests.fakes.router import BALANCER, DOMAIN, NGINX, free_port, running_router

needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is missing")


def test_a_load_is_read_from_the_last_line_of_wrks_report() -> None:
    printed = """Running 1s test @ http://127.0.0.1:8080/
  1 threads and 2 connections
{"requests":3000,"duration_us":1500000,"p50_us":400,"p99_us":2500,"failed":3}
"""
    assert load_in(printed) == Load(requests=3000, per_s=2000.0, p50_ms=0.4, p99_ms=2.5, failed=3)


@needs_nginx
@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is missing")
def test_a_load_tells_answers_from_refusals(tmp_path: Path) -> None:
    with running_router(tmp_path) as router:
        url = f"http://{BALANCER}:{router.port}/healthz"
        served = press(url, host="any", connections=2, seconds=1)
        refused = press(url, host=f"nobody.{DOMAIN}", connections=2, seconds=1)
    assert (served.requests > 0, served.failed) == (True, 0)
    assert refused.failed >= refused.requests > 0


@needs_nginx
def test_a_watch_sees_a_container_come_and_go(tmp_path: Path) -> None:
    with running_router(tmp_path) as router:
        port = free_port()
        host = f"life--{port}.{DOMAIN}"
        with Watch(*router.address, host) as watch:
            watch.first(404, since=0)
            router.names.addresses["life"] = BALANCER
            watch.first(503, since=0)
            del router.names.addresses["life"]
            gone_at = time.time()
            assert watch.first(404, since=gone_at).answered_at >= gone_at
    assert list(dict.fromkeys(each.status for each in watch.seen)) == [404, 503]


@needs_nginx
def test_the_router_with_a_pool_is_the_nodes_own_but_for_the_pool(tmp_path: Path) -> None:
    files = {**pooled_router(), "server.conf": SERVER.format(port=8080, body="here")}
    assert files["nginx.conf"].count("proxy_pass http://pool;") == 1
    for name, text in files.items():
        # The one name that it is told of is looked up as it starts.
        (tmp_path / name).write_text(
            text.replace("server target:", f"server {BALANCER}:").replace(" /tmp/", f" {tmp_path}/")
        )
    for name in ("nginx.conf", "server.conf"):
        tested = subprocess.run(
            [str(NGINX), "-t", "-c", str(tmp_path / name)], capture_output=True, text=True, check=False
        )
        assert tested.returncode == 0, tested.stderr

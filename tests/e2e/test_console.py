"""The console in a real browser, over a fleet that grows, drains and shrinks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from local import starter
from swarmkeeper.cli.console.server import serving
from swarmkeeper.cli.console.site import Site
from swarmkeeper.cli.finding import find_api
from tests.e2e.conftest import MakeWorld
from tests.e2e.world import SLOTS, World

pytestmark = [pytest.mark.loop, pytest.mark.browser]
SOON_MS = 30_000
PHONE = {"width": 390, "height": 800}


@pytest.fixture
def world(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> World:
    made = make_world("simulated")
    described = made.cloud.describe(pid=0, now=0.0)
    monkeypatch.setattr(starter, "running_cloud", lambda: described)
    for name in ("SWARMKEEPER_FLEET", "SWARMKEEPER_API"):
        monkeypatch.delenv(name, raising=False)
    made.first_worker()
    return made


@pytest.fixture
def site(world: World) -> Iterator[Site]:
    with serving(find_api(), every_s=1.0) as served:
        yield served


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Root, as which CI runs, has no sandbox; the only pages opened are ours.
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield chromium
        chromium.close()


def opened(browser: Browser, site: Site, faults: list[str], **options: object) -> Page:
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type]  # options by name
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.goto(site.url)
    return page


def test_an_operator_sees_the_fleet_live_asks_why_and_drains_a_node(world: World, site: Site, browser: Browser) -> None:
    faults: list[str] = []
    page = opened(browser, site, faults)
    assert page.url == f"http://127.0.0.1:{site.port}/"
    worker = world.nodes("ready")[0]["id"]
    expect(page.locator(".node").filter(has_text=worker)).to_be_visible(timeout=SOON_MS)

    expect(page.locator("#events")).to_contain_text("is ready", timeout=SOON_MS)  # since before it was opened

    for number in range(SLOTS + 1):
        world.request(f"web-{number}")
    pending = page.locator(".waiting-here")
    expect(pending).to_contain_text("containerslots", timeout=SOON_MS)
    expect(pending).to_contain_text("Nothing waits.", timeout=180_000)
    expect(page.locator("#events")).to_contain_text("pending", timeout=SOON_MS)
    expect(page.locator(".node .box.running")).to_have_count(SLOTS + 1, timeout=SOON_MS)

    # By keyboard: find one, see why it is where it is, close.
    page.keyboard.press("/")
    page.keyboard.type("web-1")
    rows = page.locator("#list tbody tr")
    expect(rows).to_have_count(1)
    page.keyboard.press("Escape")
    expect(rows).to_have_count(SLOTS + 1)
    page.get_by_role("button", name="web-1", exact=True).last.focus()
    page.keyboard.press("Enter")
    panel = page.locator("#panel")
    expect(panel).to_contain_text("it is here", timeout=SOON_MS)
    expect(panel).to_contain_text("is a manager")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()

    page.on("dialog", lambda dialog: dialog.accept())
    page.locator(".node").filter(has_text=worker).click()
    panel.get_by_role("button", name="Protect from scale-in").click()
    expect(panel.get_by_role("button", name="Let scale-in take it")).to_be_visible(timeout=SOON_MS)
    assert {node["id"]: node["protected"] for node in world.nodes()}[worker]
    panel.get_by_role("button", name="Drain").click()
    world.wait("that it drains", lambda: worker not in {node["id"] for node in world.nodes("ready")}, limit_s=30)
    page.keyboard.press("Escape")
    expect(page.locator("#events")).to_contain_text("is draining", timeout=SOON_MS)
    fits_a_phone_in_light_and_dark(site, browser, faults)
    assert faults == []


def fits_a_phone_in_light_and_dark(site: Site, browser: Browser, faults: list[str]) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        page = opened(browser, site, faults, color_scheme=scheme, viewport=PHONE)
        expect(page.locator(".node").first).to_be_visible(timeout=SOON_MS)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2

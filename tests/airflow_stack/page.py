"""Airflow's page as a person uses it, in a tab of Chromium."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote

from playwright.sync_api import Frame, FrameLocator, Locator, Page, ViewportSize, expect

from airflow_stack.site import Site
from airflow_stack.users import User
from tradewind_airflow.local.run import DAG_ID

SCREENSHOTS = "TRADEWIND_SCREENSHOTS"
SIZE = ViewportSize(width=1280, height=800)
LARGEST = 300_000  # bytes of a picture; the README shows them
_RUN_ID = re.compile(r"/runs/([^/?]+)")
_HUE = re.compile(r"oklch\([\d.]+ [\d.]+ ([\d.]+)\)")


class AirflowPage:
    """One tab; waits for what it is asked for, up to playwright's limit."""

    def __init__(self, site: Site, page: Page) -> None:
        self.site = site
        self.page = page

    def log_in(self, user: User) -> None:
        """With the password, on the page that Airflow shows first."""
        self.page.goto(self.site.url)
        self.page.get_by_label(re.compile("username", re.IGNORECASE)).fill(user.name)
        self.page.get_by_label(re.compile("password", re.IGNORECASE)).fill(user.password)
        self.page.get_by_role("button", name="Sign In").click()
        expect(self.page.get_by_role("link", name="Dags").first).to_be_visible()

    def open(self, path: str) -> None:
        """A page below Airflow's address."""
        self.page.goto(f"{self.site.url}{path}")

    def open_dag(self) -> None:
        """The shipped DAG with its grid."""
        self.open(f"/dags/{DAG_ID}")
        expect(self.page.get_by_role("button", name="Trigger Dag")).to_be_visible()

    def open_run(self, run_id: str) -> None:
        """A run of the shipped DAG."""
        self.open(f"/dags/{DAG_ID}/runs/{quote(run_id, safe='')}")

    def open_task(self, run_id: str, task_id: str) -> None:
        """A task of a run."""
        self.open(f"/dags/{DAG_ID}/runs/{quote(run_id, safe='')}/tasks/{task_id}")

    def cell(self, run_id: str, task_id: str) -> Locator:
        """The square of a task in the grid."""
        return self.page.get_by_test_id(f"grid-{run_id}-{task_id}").get_by_test_id("task-state-badge")

    def colour(self, run_id: str, task_id: str) -> str:
        """The square's colour as a person names it, or the style's own words."""
        style = self.cell(run_id, task_id).evaluate("square => getComputedStyle(square).backgroundColor")
        if not (found := _HUE.fullmatch(style)):
            return str(style)
        hue = float(found[1])
        return "pink" if hue < 20 or hue > 340 else "green" if 120 < hue < 170 else str(style)

    def tab(self, name: str) -> FrameLocator:
        """Open a tab of ours; what stands in it."""
        self.page.get_by_role("link", name=name, exact=True).click()
        return self.embedded()

    def embedded(self) -> FrameLocator:
        """What stands in the page of ours that Airflow shows now."""
        return self.page.frame_locator("iframe").first

    def embedded_frame(self) -> Frame:
        """The same as a frame, to ask for its address."""
        handle = self.page.locator("iframe").first.element_handle()
        frame = handle.content_frame()
        assert frame is not None
        return frame

    def clear(self, run_id: str, task_id: str) -> None:
        """Clear a task and what comes after it, with Airflow's own button."""
        self.open_task(run_id, task_id)
        self.page.get_by_role("button", name="to clear").click()
        dialog = self.page.get_by_role("dialog")
        expect(dialog.get_by_role("row", name=task_id).first).to_be_visible()
        dialog.get_by_role("button", name="Confirm").click()
        expect(dialog).to_be_hidden()

    def trigger_form(self) -> TriggerForm:
        """The form of the DAG that is shown."""
        self.page.get_by_role("button", name="Trigger Dag").click()
        return TriggerForm(self.page)

    def picture(self, name: str) -> None:
        """Keep what is seen now for the README, where the variable names a folder."""
        if not (folder := os.environ.get(SCREENSHOTS)):
            return
        file = Path(folder) / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        self.page.mouse.move(0, 0)
        self.page.screenshot(path=file, animations="disabled")
        assert file.stat().st_size < LARGEST, f"{file}: over {LARGEST} bytes"


class TriggerForm:
    """The dialog that asks for a run's parameters, which stand in sections, one of them open at a time."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._dialog = page.get_by_role("dialog")

    def section(self, name: str) -> None:
        """Open a section."""
        self._dialog.get_by_role("button", name=name, exact=True).click()

    def fill(self, title: str, value: str) -> None:
        """Write into the field of that title in the open section; Airflow ties not each label to its field."""
        label = self._page.locator("label", has_text=re.compile(rf"^{re.escape(title)}\b"))
        field = self._dialog.get_by_role("group").filter(has=label).locator("input:visible")
        field.fill(value)
        field.press("Tab")

    def choose(self, *values: str) -> None:
        """Pick these from the open section's list of several."""
        for value in values:
            self._dialog.get_by_role("combobox", name="Select one or multiple values").click()
            self._page.get_by_role("option", name=value, exact=True).click()

    def trigger(self) -> str:
        """Start the run; its id, once its page is shown."""
        self._dialog.get_by_role("button", name="Trigger", exact=True).click()
        self._page.wait_for_url(_RUN_ID)
        found = _RUN_ID.search(self._page.url)
        assert found is not None
        return unquote(found[1])

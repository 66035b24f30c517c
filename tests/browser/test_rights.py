"""Who may see what of a run, on every route of ours: nobody without a login, nobody without the right."""

from __future__ import annotations

import re
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import expect

from airflow_stack.site import FOREIGN_DAG, Site
from browser.conftest import AsUser
from tradewind.run_dir import run_path
from tradewind_airflow.local.run import DAG_ID, DagRun

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PAGES = ("models", "report", "files", "progress")

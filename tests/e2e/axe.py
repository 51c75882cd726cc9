"""axe-core in a page: what stands in the way of people who use it with a keyboard, a screen reader or poor sight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

AXE = Path(__file__).resolve().parents[2] / "web/node_modules/axe-core/axe.min.js"
GRAVE = frozenset({"serious", "critical"})
RUN = "() => axe.run(document, {resultTypes: ['violations']})"


async def findings(page: Page) -> list[str]:
    """What axe calls serious or critical on the page as it is now, a line each: rule, place, and what is wrong."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed (`make test` installs it where Node 20 is)")
    # Evaluated by the debugger, not put into the page as a script: its Content-Security-Policy stays in force.
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(AXE.read_text("utf-8"))
    result: dict[str, Any] = await page.evaluate(RUN)
    return [
        f"{violation['impact']} {violation['id']}: {node['target']}: {node['failureSummary']}"
        for violation in result["violations"]
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]

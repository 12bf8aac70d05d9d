"""What axe objects to on a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

# What is still fading in has less contrast.
ENDS_OF_ANIMATIONS = """() => Promise.all(document.getAnimations()
  .filter((animation) => animation.effect.getComputedTiming().endTime !== Infinity)
  .map((animation) => animation.finished.catch(() => {})))"""


def violations(page: Page) -> list[str]:
    """Return what axe objects to on the page as it is now."""
    # While the page is rendered, parts are faint.
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    page.evaluate(ENDS_OF_ANIMATIONS)
    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]]

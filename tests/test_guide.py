"""The Guide: its table of contents leads to its sections, and its pictures can be seen, and heard of."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from rnnlab.dashboard.pages.guide_page import Section
from tests.keyboard import tab_to
from tests.waiting import wait_for

TITLES = (
    "What happens here",
    "Train one",
    "Draw a digit",
    "Teach it your hand",
    "Bring a picture",
    "Evaluate it",
    "Four presets",
    "The settings",
)

COLOURS = """(drawing) => {
  const letters = drawing.querySelector('text')
  return [getComputedStyle(letters).fill, getComputedStyle(document.querySelector('.stApp')).color]
}"""


def test_a_text_falls_into_sections_with_names_for_the_address() -> None:
    sections = Section.all_of("## What it is\none\n\n### Below\ntwo\n## How it works\nthree\n")
    assert [(each.title, each.anchor, each.text) for each in sections] == [
        ("What it is", "what-it-is", "one\n\n### Below\ntwo\n"),
        ("How it works", "how-it-works", "three\n"),
    ]


def test_contents_lead_to_the_sections_and_pictures_take_the_colours_of_the_page(
    chromium: Browser, url_of_an_ended_run: str
) -> None:
    colours = set()
    for width, height, scheme in ((1280, 720, "dark"), (390, 844, "light")):
        page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(f"{url_of_an_ended_run}/guide")
        expect(page.locator(".st-key-guide_contents a")).to_have_text(TITLES)
        pictures = page.locator("[class*=st-key-guide_] svg[role=img]")
        expect(pictures).to_have_count(4)
        for picture in pictures.all():
            assert len(picture.get_attribute("aria-label") or "") > 80
            box = picture.bounding_box()
            assert box is not None
            assert 0 <= box["x"] < box["x"] + box["width"] <= width
            letters, text = picture.evaluate(COLOURS)
            assert letters == text
            colours.add(letters)
        for title in (TITLES[-1], TITLES[2]):
            follow(page, title)
        page.close()
    assert len(colours) == 2


def follow(page: Page, title: str) -> None:
    """Go to a section by key, with a link of the contents; check that its heading is at the top."""
    tab_to(page, page.locator(".st-key-guide_contents a", has_text=title))
    page.keyboard.press("Enter")
    heading = page.get_by_role("heading", name=title, exact=True)

    def is_at_the_top() -> bool:
        box = heading.bounding_box()
        return (box is not None and 0 <= box["y"] < 150) or scrolled_to_the_end(page)

    wait_for(is_at_the_top, title)
    expect(heading).to_be_in_viewport()
    expect(page).to_have_url(re.compile(f"#{title.lower().replace(' ', '-')}$"))


def scrolled_to_the_end(page: Page) -> bool:
    """Return whether the page cannot be scrolled further."""
    main = page.get_by_test_id("stMain")
    return bool(main.evaluate("(main) => main.scrollTop + main.clientHeight >= main.scrollHeight - 2"))

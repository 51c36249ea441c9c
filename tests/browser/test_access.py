"""Who cannot see well, or has no mouse, or a small screen, or paper: what a tool can check of it."""

from __future__ import annotations

import itertools

import pytest
from playwright.sync_api import expect

from tests.support.browser import PATIENCE_MS

expect.set_options(timeout=PATIENCE_MS)
pytestmark = pytest.mark.xdist_group("browser")

# Every element with text of its own: its colour against what it stands on, by WCAG's formula.
CONTRAST = """() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const rgba = (text) => {
    pen.clearRect(0, 0, 1, 1); pen.fillStyle = text; pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const ground = (it) => {
    if (!it) { return rgba(getComputedStyle(document.documentElement).backgroundColor)[3] ? rgba(getComputedStyle(document.documentElement).backgroundColor) : [255, 255, 255, 1]; }
    const own = rgba(getComputedStyle(it).backgroundColor);
    return own[3] === 1 ? own : over(own, ground(it.parentElement));
  };
  const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, w, i) => {
    const v = c[i] / 255; return sum + w * (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  }, 0);
  const found = [];
  for (const it of document.querySelectorAll("body *")) {
    const text = [...it.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()).join("");
    const box = it.getBoundingClientRect(), style = getComputedStyle(it);
    if (!text || box.width < 2 || box.right < 0 || !it.checkVisibility({ visibilityProperty: true })) { continue; }
    if (it.closest("option, .visually-hidden, [disabled]")) { continue; }
    const back = ground(it), front = over(rgba(style.color), back);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) { found.push(`${ratio.toFixed(2)} ${it.tagName}.${it.className} ${text.slice(0, 40)}`); }
  }
  return found;
}"""

# What a screen reader would have no words for.
NAMELESS = """() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary, progress, [role=region]")]
  .filter(it => !(it.getAttribute("aria-label") || it.textContent.trim() || [...(it.labels ?? [])].some(l => l.textContent.trim())
    || document.getElementById(it.getAttribute("aria-labelledby"))?.textContent.trim()))
  .map(it => it.outerHTML.slice(0, 120))"""

PAGES = (
    "/",
    "/alert",
    "/trials",
    "/trials/msc-cgvhd",
    "/subject",
    "/trials/msc-cgvhd/protocol",
    "/operations",
)


@pytest.fixture
def visit(enter, story):
    """Goes through every page as an admin, with something to see on each."""
    story.enrolled_unfit()
    story.serious_event()

    def each(**options):
        page = enter("admin", **options)
        card = page.locator("[data-alert]").filter(has_text=story.subject)
        expect(card).to_have_count(2)
        card.first.get_by_text("Evidence and source").click()
        yield page, "/"
        alert = card.first.get_attribute("data-alert")
        for path in PAGES[1:]:
            page.goto(
                {
                    "/alert": f"/alerts/{alert}",
                    "/subject": f"/trials/msc-cgvhd/subjects/{story.subject}",
                }.get(path, path)
            )
            yield page, path

    return each


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_it_stands_on(visit, profile, scheme):
    door = profile(color_scheme=scheme).new_page()
    door.goto("/")
    assert door.evaluate(CONTRAST) == []
    for page, path in visit(color_scheme=scheme):
        assert page.evaluate(CONTRAST) == [], path


def test_every_control_has_a_name_and_every_page_its_landmarks(visit, profile):
    door = profile().new_page()
    door.goto("/")
    assert door.evaluate(NAMELESS) == []
    for page, path in visit():
        assert page.evaluate(NAMELESS) == [], path
        for role in ("banner", "navigation", "main"):
            assert page.get_by_role(role).count() >= 1, (path, role)
        assert page.get_by_role("main").count() == 1
        assert page.get_by_role("heading", level=1).count() == 1, path
        assert page.locator("html").get_attribute("lang") == "en"
        levels = page.locator("h1, h2, h3, h4").evaluate_all("it => it.map(e => +e.tagName[1])")
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels)), path


@pytest.mark.parametrize("width", [360, 768, 1400])
def test_no_page_is_wider_than_the_screen(visit, profile, width):
    size = {"width": width, "height": 800}
    door = profile(viewport=size).new_page()
    door.goto("/")
    assert door.evaluate("document.documentElement.scrollWidth") <= width
    for page, path in visit(viewport=size):
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_the_inbox_is_worked_by_keyboard_alone(enter, story):
    story.serious_event()
    page = enter()
    card = page.locator("[data-alert]").filter(has_text=story.subject)
    expect(card).to_have_count(1)
    page.reload()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    expect(page.get_by_text("Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    note = card.get_by_label("Note (optional)")
    for _ in range(300):
        page.keyboard.press("Tab")
        if note.evaluate("it => it === document.activeElement"):
            break
    outline = note.evaluate("it => getComputedStyle(it).outlineStyle")
    assert outline == "solid"
    page.keyboard.type("by keyboard")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(card).to_contain_text("by keyboard")
    assert card.evaluate("it => it.contains(document.activeElement)")


def test_paper_shows_the_alert_and_not_the_controls(enter, story):
    story.serious_event()
    page = enter()
    card = page.locator("[data-alert]").filter(has_text=story.subject)
    expect(card).to_have_count(1)
    page.emulate_media(media="print")
    expect(card.get_by_text("What to do")).to_be_visible()
    expect(card.get_by_role("button", name="Acknowledge")).to_be_hidden()
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    assert page.pdf().startswith(b"%PDF")

"""The report's page in a real browser: on a phone, on a wide screen, in the dark, and on paper."""

import fake_chapter
import pytest
from browser import chromium, needs_chromium

from tinycompress.lecture import Settings, report, run

pytestmark = needs_chromium

WORD = "a_word_that_nobody_would_break" * 4
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
LAPTOP = {"width": 1366, "height": 768, "deviceScaleFactor": 1, "mobile": False}
STICKS_OUT = """
for (const folded of document.querySelectorAll("details")) folded.open = true;
const width = document.documentElement.clientWidth, box = e => e.getBoundingClientRect();
return [document.documentElement.scrollWidth - width, ...[...document.querySelectorAll("body *")].filter(
  e => !e.closest(".wide table") && box(e).width && (box(e).right > width + 1 || box(e).left < -1)).map(e => e.outerHTML)];
"""
OPENED = """
const figure = document.querySelector("figure"), image = figure.querySelector("img").getBoundingClientRect();
return [figure.matches(":popover-open"), image.width, window.scrollY];
"""
COLOURS = """
const of = name => getComputedStyle(document.querySelector(name)).backgroundColor;
return [of("body"), of("img")];
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser with a page whose words are long and whose rows are many columns wide."""
    pytest.importorskip("selenium")
    folder = tmp_path_factory.mktemp("page")
    claim = fake_chapter.make("F1", 100.0, title=WORD, note=WORD, holds=lambda rows: WORD)
    result = run(claim, Settings(seeds=2))
    rows = [row | {f"column {i}": WORD for i in range(12)} for row in result.rows]
    svg, _ = report.draw(result)
    page = report.page([report.judge(claim, rows, 0.0)], {"F1": svg}, {"cpu": WORD}, {"budget": "quick"})
    (folder / "page.html").write_text(page, encoding="utf-8")
    with chromium(folder) as driver:
        driver.get((folder / "page.html").as_uri())
        yield driver


def show(browser, screen, media="screen", scheme="light"):
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    browser.refresh()


@pytest.mark.parametrize("width", [320, 390, 800, 1280])
def test_nothing_is_wider_than_the_screen_but_the_numbers_within_their_box(browser, width):
    show(browser, PHONE | {"width": width})
    assert browser.execute_script(STICKS_OUT) == [0]
    inside, outside = browser.execute_script(
        "const box = document.querySelector('.wide'); return [box.scrollWidth, box.clientWidth]"
    )
    assert inside > outside


@pytest.mark.parametrize("screen", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_a_figure_opens_large_by_a_click_or_a_key_and_closes_again(browser, screen):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    show(browser, screen)
    button = browser.find_element(By.CSS_SELECTOR, "figure button")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    before = browser.execute_script(OPENED)
    for opens, closes in (
        (button.click, button.click),
        (lambda: button.send_keys(Keys.ENTER), lambda: button.send_keys(Keys.ESCAPE)),
    ):
        opens()
        is_open, width, _ = browser.execute_script(OPENED)
        assert is_open and width > 1.2 * before[1]
        closes()
        assert browser.execute_script(OPENED) == before


def test_the_contents_are_folded_on_a_phone_and_stay_beside_a_wide_page(browser):
    from selenium.webdriver.common.by import By

    show(browser, PHONE)
    link, summary = (browser.find_element(By.CSS_SELECTOR, f"nav {name}") for name in ("a[href='#F1']", "summary"))
    assert not link.is_displayed()
    summary.click()
    link.click()
    assert browser.execute_script("return document.querySelector('#F1').getBoundingClientRect().top") < 300
    show(browser, LAPTOP)
    browser.execute_script("document.querySelector('#settings').scrollIntoView()")
    box = browser.find_element(By.CSS_SELECTOR, "nav a[href='#F1']").rect
    main = browser.find_element(By.CSS_SELECTOR, "main").rect
    assert box["x"] + box["width"] <= main["x"]
    top = browser.execute_script("return document.querySelector('nav').getBoundingClientRect().top")
    assert abs(top) < 1


def test_figures_stay_white_in_the_dark_and_paper_is_always_light(browser):
    white = "rgb(255, 255, 255)"
    show(browser, LAPTOP, scheme="light")
    assert browser.execute_script(COLOURS) == [white, white]
    show(browser, LAPTOP, scheme="dark")
    page, figure = browser.execute_script(COLOURS)
    assert figure == white and page != white
    show(browser, LAPTOP, media="print", scheme="dark")
    assert browser.execute_script(COLOURS) == [white, white]

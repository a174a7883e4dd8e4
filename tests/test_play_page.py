"""The page of the playground in a real browser: it works by mouse and keyboard, and asks nothing of other hosts."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

pytest.importorskip("starlette", reason="the extra 'play' is not installed")
pytest.importorskip("uvicorn", reason="the extra 'play' is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from workings.museum.gallery import Gallery  # noqa: E402
from workings.play.lesson_files import read_lessons  # noqa: E402
from workings.play.museum_actions import MuseumActions  # noqa: E402
from workings.play.server import Playground  # noqa: E402
from workings.play.session import Session  # noqa: E402
from workings.play.session_settings import Settings  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
STATES = {
    "start": [],
    "weight": [("click", ".edge-hit >> nth=3")],
    "unit": [("click", '[data-place="1,2"]')],
    "loss": [("press", "l")],
    "backward": [("click", "text=backward")],
    "update": [("click", "text=update")],
    "layers": [
        ("choose", "Dropout of layer 2=0.5"),
        ("click", "[aria-label='Batch normalization in layer 1']"),
        ("press", "n"),
    ],
    "regression": [("click", "text=hills")],
    "classes": [("click", "text=blobs")],
    "digits": [("click", ".switches button:text-is('digits')")],
    "table": [("click", ".switches button:text-is('iris')")],
    "lessons": [("click", "#tab-lessons")],
    "question": [("click", "#tab-lessons"), ("click", "text=Exclusive or")],
    "help": [("press", "?")],
    "doctor": [("click", "#tab-doctor")],
    "compare": [("click", "text=Compare"), ("choose", "Learning rate=0.3"), ("press", "e")],
    "landscape": [("press", "e"), ("click", "#tab-landscape"), ("wait", "canvas[data-land]")],
    "museum": [("click", "#tab-museum"), ("wait", "text=In the training")],
    "exhibit": [
        ("click", "#tab-museum"),
        ("enter", "button:has-text('Gradient summed')"),
        ("wait", "[data-screen='exhibit,1']"),
        ("enter", "summary"),
        ("enter", "text=What does the doctor find?"),
        ("wait", ".finding"),
    ],
    "game": [
        ("click", "#tab-museum"),
        ("enter", "text=Find it yourself"),
        ("wait", "[data-screen='game,3']"),
        ("enter", "text=Read B"),
        ("enter", "text=Give me a hint"),
        ("enter", "text=Show it"),
        ("wait", ".marked"),
    ],
    "taking": [("click", "#tab-taking"), ("click", "text=NumPy script")],
}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def playground() -> Iterator[Playground]:
    with Playground(new_session) as running:
        yield running


def new_session() -> Session:
    session = Session(Settings(rows=60))
    session.exhibits = MuseumActions(Gallery())
    return session


@pytest.fixture
def tab(chromium: Any, playground: Playground) -> Iterator[Any]:
    """A fresh tab; it fails the test for an error in the console, or a request to another host."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900}, reduced_motion="reduce")
    context.add_init_script("localStorage.setItem('visited', 'yes')")
    tab = context.new_page()
    problems: list[str] = []
    tab.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on(
        "request",
        lambda r: (
            None if r.url.startswith((playground.url, "data:", f"blob:{playground.url}")) else problems.append(r.url)
        ),
    )
    tab.goto(playground.url)
    tab.wait_for_selector(".equation math")
    yield tab
    context.close()
    assert problems == []


def go_to(tab: Any, state: str) -> None:
    for kind, what in STATES[state]:
        if kind == "click":
            tab.locator(what).first.click(force=True)
        elif kind == "enter":  # by keyboard: nothing can lie over it
            tab.locator(what).first.press("Enter")
        elif kind == "choose":
            label, _, value = what.partition("=")
            tab.get_by_label(label).select_option(value)
        elif kind == "wait":
            tab.locator(what).first.wait_for(timeout=60_000)
        else:
            tab.keyboard.press(what)
        tab.wait_for_timeout(150)


def step(tab: Any) -> int:
    return int(tab.get_by_test_id("step").inner_text().replace(",", ""))


def test_it_trains_and_pauses(tab: Any) -> None:
    tab.get_by_role("button", name="Run").click()
    playwright.expect(tab.get_by_test_id("epoch")).to_have_text(re.compile(r"\d{2}"))
    tab.get_by_role("button", name="Pause").click()
    tab.wait_for_timeout(200)
    paused = step(tab)
    tab.wait_for_timeout(200)
    assert step(tab) == paused
    assert float(tab.get_by_test_id("loss").inner_text()) < 0.6


def test_everything_is_reached_by_keyboard(tab: Any) -> None:
    tab.keyboard.press("s")
    playwright.expect(tab.get_by_test_id("step")).to_have_text("1")
    tab.keyboard.press("e")
    playwright.expect(tab.get_by_test_id("epoch")).to_have_text("1")
    tab.keyboard.press("n")
    tab.wait_for_selector(".unit.lit")
    assert "statement 2 of" in tab.locator(".panel").inner_text()
    tab.locator('[data-place="0,0"]').focus()
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        tab.keyboard.press(key)
    tab.wait_for_selector("text=Layer 1, unit 1, tanh, for row 0")
    tab.get_by_role("button", name="W1[0,1], from x1").press("Enter")
    slider = tab.get_by_label("Drag the weight")
    slider.wait_for()
    before = tab.get_by_test_id("gradient").inner_text()
    slider.press("ArrowRight")
    playwright.expect(tab.get_by_test_id("gradient")).not_to_have_text(before)
    tab.keyboard.press("?")
    assert tab.get_by_role("dialog").is_visible()
    tab.keyboard.press("Escape")
    assert not tab.get_by_role("dialog").is_visible()


def test_dropout_and_batch_norm_are_set_and_drawn(tab: Any) -> None:
    dropout, norm = tab.get_by_label("Dropout of layer 2"), tab.get_by_label("Batch normalization in layer 2")
    dropout.select_option("0.7")
    norm.press("Enter")
    playwright.expect(tab.locator(".unit.drops.normed")).to_have_count(4)
    playwright.expect(norm).to_have_attribute("aria-pressed", "true")
    tab.get_by_role("tab", name="Step by step").click()
    for wanted in ("mean1", "a2_drop"):  # of the second layer, though its name ends with 1
        tab.locator(f".outline button:text-is('{wanted}')").click()
        playwright.expect(tab.locator("[data-place^='2,'].lit")).to_have_count(4)
    assert tab.locator(".unit.off").count() in (1, 2, 3, 4)
    assert "dropout 0.7" in tab.locator('[data-place="2,0"]').get_attribute("aria-label")


def test_the_game_is_played_to_its_end(tab: Any) -> None:
    tab.locator("#tab-museum").click()
    tab.get_by_role("button", name="Find it yourself").click()
    tab.locator("[data-screen='game,3']").wait_for(timeout=60_000)
    for k in range(4):  # one guess after the other
        tab.get_by_role("button", name="This one").first.click()
        tab.wait_for_timeout(150)
        if tab.locator(".marked").count():
            break
        playwright.expect(tab.get_by_role("button", name="Not this")).to_have_count(k + 1)
    assert tab.locator(".found").count() == 1
    assert tab.locator(".listing .differs").count() >= 1


def test_two_networks_train_side_by_side(tab: Any) -> None:
    tab.get_by_role("button", name="Compare").press("Enter")
    tab.get_by_label("Learning rate").select_option("0.3")
    playwright.expect(tab.locator(".kept .differences")).to_have_text("learning rate: 0.03")
    for _ in range(2):
        tab.keyboard.press("e")
    playwright.expect(tab.get_by_test_id("epoch")).to_have_text("2")
    losses = [tab.get_by_test_id(name).inner_text() for name in ("loss", "kept-loss")]
    assert losses[0] != losses[1]
    tab.get_by_role("button", name="Exchange").click()
    playwright.expect(tab.get_by_test_id("loss")).to_have_text(losses[1])
    playwright.expect(tab.get_by_label("Learning rate")).to_have_value("0.03")
    tab.get_by_role("button", name="End", exact=True).click()
    playwright.expect(tab.get_by_test_id("kept-loss")).to_have_count(0)


def test_the_landscape_follows_the_run(tab: Any) -> None:
    tab.keyboard.press("e")
    tab.locator("#tab-landscape").click()
    tab.get_by_test_id("curvature").wait_for(timeout=30_000)
    assert tab.get_by_test_id("limit").inner_text() == "66.67"
    tab.get_by_role("button", name="Random directions").click()
    playwright.expect(tab.locator(".land .way")).to_have_count(0)
    assert (
        tab.locator("canvas[data-land]").evaluate(
            "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
        )
        > 30
    )


@pytest.mark.parametrize("kind", ["network", "output", "loss", "accuracy"])
def test_pictures_of_the_page_become_files(tab: Any, kind: str) -> None:
    tab.keyboard.press("e")
    tab.locator("#tab-taking").click()
    tab.get_by_label("Picture:").get_by_role("combobox").select_option(kind)
    files = {}
    for form in ("SVG", "PNG"):
        with tab.expect_download() as download:
            tab.get_by_role("button", name=form, exact=True).click()
        files[form] = Path(download.value.path()).read_bytes()
        assert download.value.suggested_filename == f"{kind}.{form.lower()}"
    root = ElementTree.fromstring(files["SVG"])
    parts = [part.tag.rpartition("}")[2] for part in root.iter()]
    assert parts.count("image") == {"network": 13, "output": 1}.get(kind, 0)
    assert parts.count("path") == {"network": 40, "output": 0}.get(kind, 2)
    assert b"var(" not in files["SVG"]  # it stands alone
    assert files["PNG"].startswith(b"\x89PNG")


def test_a_click_on_a_point_chooses_its_row(tab: Any) -> None:
    tab.locator("canvas[data-screen]").click(position={"x": 90, "y": 90})
    assert tab.get_by_role("spinbutton", name="Row").input_value() != ""
    assert "target class" in tab.locator(".output").inner_text()


def test_points_are_chosen_and_added_by_keyboard(tab: Any) -> None:
    plane, row = tab.locator("canvas[data-screen='own']"), tab.get_by_role("spinbutton", name="Row")
    before = row.input_value()
    rows = int(re.search(r"with (\d+) points", plane.get_attribute("aria-label"))[1])
    row.focus()
    tab.keyboard.press("Shift+Tab")
    tab.keyboard.press("Shift+Tab")
    tab.keyboard.press("Shift+Tab")  # over the classes
    assert plane.evaluate("canvas => canvas === document.activeElement")
    for key in ("ArrowRight", "Shift+ArrowUp", "Shift+ArrowUp", "Enter"):
        tab.keyboard.press(key)
    playwright.expect(row).not_to_have_value(before)
    for count, key in ((rows + 1, "1"), (rows + 2, "0")):
        tab.keyboard.press(key)
        tab.keyboard.press("Enter")
        playwright.expect(plane).to_have_attribute("aria-label", re.compile(f"with {count} points of your points"))
    tab.keyboard.press("0")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")  # chooses again
    tab.wait_for_timeout(150)
    assert str(rows + 2) in plane.get_attribute("aria-label")


def test_a_digit_is_drawn_by_keyboard(tab: Any) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    tab.locator(".switches button:text-is('digits')").click()
    pad, first = tab.locator("canvas[data-pad]"), tab.locator(".bars .share").first
    pad.wait_for()
    tab.get_by_role("button", name="Clear").press("Enter")
    tab.wait_for_timeout(200)
    ink = "(pad) => pad.toDataURL().length"
    empty, share = pad.evaluate(ink), first.inner_text()
    tab.keyboard.press("Shift+Tab")
    tab.keyboard.press("ArrowUp")
    for _ in range(6):
        tab.keyboard.press("Shift+ArrowDown")
    playwright.expect(first).not_to_have_text(share)
    tab.keyboard.press("Tab")  # the cross disappears
    tab.wait_for_timeout(200)
    assert pad.evaluate(ink) != empty


def test_an_error_is_shown_in_words_and_nothing_breaks(tab: Any) -> None:
    tab.get_by_label("Optimizer").select_option("SGD")
    first = tab.get_by_role("button", name="x₁", exact=True)
    first.click()
    playwright.expect(first).to_have_attribute("aria-pressed", "false")
    tab.get_by_role("button", name="x₂", exact=True).click()
    playwright.expect(tab.get_by_role("alert")).to_contain_text("at least one feature")
    tab.keyboard.press("s")
    playwright.expect(tab.get_by_test_id("step")).to_have_text("1")


def test_a_link_holds_the_settings(tab: Any, playground: Playground) -> None:
    tab.get_by_role("button", name="xor").click()
    tab.locator("#tab-taking").click()
    tab.get_by_role("button", name="Copy link").click()
    playwright.expect(tab.get_by_role("status")).not_to_be_empty()
    link = tab.url
    assert "xor" in link
    tab.goto(playground.url)
    tab.wait_for_selector(".equation math")
    tab.goto(link)
    tab.reload()
    playwright.expect(tab.get_by_role("button", name="xor")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("data", ["your points", "table: <b>", 7, None])
def test_a_link_to_data_that_is_not_there_brings_all_other_settings(
    data: object, tab: Any, playground: Playground
) -> None:
    settings = {"data": data, "features": ["age"], "optimizer": "SGD", "lr": 0.3, "hidden": [{"units": 3}]}
    tab.goto(f"{playground.url}#{quote(json.dumps(settings))}")
    tab.reload()
    playwright.expect(tab.get_by_role("alert")).to_contain_text(f"{'null' if data is None else data}, is not here")
    assert tab.get_by_label("Optimizer").input_value() == "SGD"
    assert tab.locator("[data-place^='1,']").count() == 3
    tab.keyboard.press("s")
    playwright.expect(tab.get_by_test_id("step")).to_have_text("1")


def test_a_link_says_that_it_does_not_hold_points(tab: Any) -> None:
    tab.keyboard.press("1")
    plane = tab.locator("canvas[data-screen='own']")
    plane.click()
    playwright.expect(plane).to_have_attribute("aria-label", re.compile("points of your points"))
    tab.locator("#tab-taking").click()
    tab.get_by_role("button", name="Copy link").click()
    playwright.expect(tab.get_by_role("status")).to_contain_text("does not hold the data, your points")


def test_the_tour_ends_with_a_trained_network(chromium: Any, playground: Playground) -> None:
    context = chromium.new_context(viewport={"width": 1400, "height": 900}, reduced_motion="reduce")
    tab = context.new_page()
    tab.goto(playground.url)
    tab.get_by_role("button", name="Take the tour").wait_for()
    for _ in range(8):  # after the buttons of the top bar
        tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.closest('.coach') !== null")
    tab.keyboard.press("Enter")
    playwright.expect(tab.get_by_role("button", name="Next", exact=True)).to_be_focused()
    for _ in range(2):
        tab.get_by_role("button", name="Next", exact=True).click()
    assert tab.get_by_role("button", name="Next", exact=True).is_disabled()  # a prediction comes first
    tab.get_by_role("button", name="It bends around the points").click()
    playwright.expect(tab.get_by_text("As you said.")).to_be_visible(timeout=30_000)  # after the training
    for _ in range(2):
        tab.get_by_role("button", name="Next", exact=True).click()
    tab.get_by_role("button", name="Done").click()
    assert float(tab.get_by_test_id("score").inner_text().rstrip(" %")) > 90
    tab.reload()
    tab.wait_for_selector(".equation math")
    assert not tab.get_by_role("button", name="Take the tour").is_visible()  # offered once
    context.close()


@pytest.mark.parametrize("width", [360, 800, 1400])
def test_nothing_is_wider_than_the_screen(tab: Any, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 800})
    tab.wait_for_timeout(150)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def overlapping(tab: Any, parts: str) -> list[list[str]]:
    """The parts of the page that lie over each other, by their texts."""
    return list(tab.evaluate(
        """parts => { const all = [...document.querySelectorAll(parts)].map(one => [one, one.getBoundingClientRect()]);
        return all.flatMap(([a, p], k) => all.slice(k + 1)
          .filter(([, q]) => p.left < q.right - 1 && q.left < p.right - 1)
          .filter(([, q]) => p.top < q.bottom - 1 && q.top < p.bottom - 1)
          .map(([b]) => [a.textContent, b.textContent])); }""", parts,
    ))  # fmt: skip


@pytest.mark.parametrize("data", ["iris", "wine", "digits"])
def test_nothing_in_the_network_overlaps_on_a_phone(tab: Any, data: str) -> None:
    tab.set_viewport_size({"width": 360, "height": 800})
    button = tab.get_by_role("button", name=data, exact=True)
    button.click()
    playwright.expect(button).to_have_attribute("aria-pressed", "true", timeout=30_000)
    tab.wait_for_timeout(150)
    assert overlapping(tab, ".net .column-head, .net .unit, .net .unit-label") == []


def test_the_row_is_that_of_the_present_data(tab: Any) -> None:
    assert "target class 0" in tab.locator(".output").inner_text()
    tab.get_by_role("button", name="hills").click()
    playwright.expect(tab.locator(".output")).to_contain_text(re.compile(r"target -?0\.\d"))
    tab.get_by_role("button", name="xor").click()
    playwright.expect(tab.locator(".output")).to_contain_text(re.compile(r"target class [01]"))


def test_a_click_in_the_network_leads_to_what_it_opens(tab: Any) -> None:
    tab.set_viewport_size({"width": 800, "height": 900})
    title = tab.get_by_role("heading", name="Layer 1, unit 2")
    tab.locator('[data-place="1,2"]').click()
    title.wait_for()
    playwright.expect(title).to_be_in_viewport()


def test_the_focus_stays_where_the_work_is(tab: Any) -> None:
    tab.get_by_role("button", name="Compare").press("Enter")
    playwright.expect(tab.get_by_role("button", name="Exchange")).to_be_focused()
    tab.get_by_role("button", name="End", exact=True).press("Enter")
    playwright.expect(tab.get_by_role("button", name="Compare")).to_be_focused()
    tab.get_by_role("button", name="xor").click()  # by mouse: Space runs, as the list of shortcuts says
    tab.keyboard.press("Space")
    playwright.expect(tab.get_by_role("button", name="Pause")).to_be_visible()
    tab.keyboard.press("Space")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Space")  # by keyboard: Space presses the button
    playwright.expect(tab.get_by_role("button", name="spirals")).to_have_attribute("aria-pressed", "true")


def test_quick_presses_of_a_key_add_up(tab: Any) -> None:
    tab.locator("text=backward").first.click()
    for _ in range(3):
        tab.keyboard.press("n")
    playwright.expect(tab.locator(".panel")).to_contain_text("statement 12 of")


def test_lessons_point_at_what_is_there(tab: Any) -> None:
    points = {step.point for lesson in read_lessons().values() for step in lesson.steps if step.point}
    assert len(points) > 3
    assert {point for point in points if tab.locator(point).count() != 1} == set()


def violations(chromium: Any, url: str, theme: str, states: list[str]) -> dict[Any, Any]:
    """What axe finds in each state of the page."""
    Axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe
    context = chromium.new_context(viewport={"width": 1400, "height": 900}, color_scheme=theme, reduced_motion="reduce")
    tab, found = context.new_page(), {}
    for state in states:
        tab.goto(url)
        tab.wait_for_selector(".equation math")
        go_to(tab, state)
        for violation in Axe().run(tab).response["violations"]:
            found[state, violation["id"]] = [node["html"][:160] for node in violation["nodes"]][:3]
    context.close()
    return found


def test_axe_finds_no_violation(chromium: Any, playground: Playground) -> None:
    assert violations(chromium, playground.url, "light", ["unit"]) == {}


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violation_in_any_state(chromium: Any, playground: Playground, theme: str) -> None:
    assert violations(chromium, playground.url, theme, list(STATES)) == {}

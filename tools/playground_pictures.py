"""Make the pictures of the playground in ``docs/images`` anew, with the page as it is now.

python tools/playground_pictures.py            # all
python tools/playground_pictures.py weight     # one

It needs the extra `play`, Playwright, Pillow and Chromium.
"""

from __future__ import annotations

import argparse
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from workings.museum.gallery import Gallery
from workings.play.museum_actions import MuseumActions
from workings.play.server import Playground
from workings.play.session import Session
from workings.play.session_settings import Settings

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WIDTH, HEIGHT = 1400, 1130
FILM = (940, 759)  # pixels of the animated picture
PANEL = ".card:has(#tab-statement)"

Film = Iterator[tuple[int, bytes]]  # milliseconds and the picture of each frame


def film(tab: Any) -> Film:
    """Train the network, walk through some statements of a step, then drag a weight."""
    yield 700, tab.screenshot()
    for _ in range(26):
        tab.keyboard.press("e")
        tab.wait_for_timeout(60)
        yield 110, tab.screenshot()
    tab.locator("text=backward").first.click()
    for _ in range(6):
        tab.wait_for_timeout(250)
        yield 1000, tab.screenshot()
        tab.keyboard.press("n")
    tab.locator(".edge-hit >> nth=3").click(force=True)
    slider = tab.get_by_label("Drag the weight")
    slider.focus()
    for key in ["PageUp"] * 4 + ["PageDown"] * 8:
        tab.wait_for_timeout(200)
        yield 260, tab.screenshot()
        tab.keyboard.press(key)
    tab.wait_for_timeout(250)
    yield 1800, tab.screenshot()


def save_film(frames: Film, path: Path) -> None:
    """Write frames as an animated WebP file that repeats forever."""
    durations, pictures = zip(*frames, strict=True)
    images = [Image.open(io.BytesIO(one)).convert("RGB").resize(FILM, Image.Resampling.LANCZOS) for one in pictures]
    images[0].save(
        path, save_all=True, append_images=images[1:], duration=list(durations), loop=0, quality=50, method=4
    )


def statement(tab: Any) -> bytes:
    """Show one statement of the backward pass."""
    trained(tab)
    tab.locator("text=backward").first.click()
    tab.keyboard.press("n")
    return picture_of(tab, PANEL)


def weight(tab: Any) -> bytes:
    """Show one weight, with the objective as its function."""
    trained(tab)
    tab.locator(".edge-hit >> nth=3").click(force=True)
    return picture_of(tab, PANEL)


def comparison(tab: Any) -> bytes:
    """Show two networks on the spirals, side by side."""
    tab.locator("text=spirals").first.click()
    trained(tab, 10)
    tab.locator("text=Compare").first.click()
    tab.get_by_label("Learning rate").select_option("0.1")
    trained(tab, 30)
    return bytes(tab.screenshot(clip={"x": 0, "y": 0, "width": WIDTH, "height": 860}))


def landscape(tab: Any) -> bytes:
    """Show the objective around the present parameters."""
    trained(tab)
    tab.locator("#tab-landscape").click()
    tab.locator("canvas[data-land]").wait_for(timeout=60_000)
    return picture_of(tab, PANEL)


def museum(tab: Any) -> bytes:
    """Show a mistake beside the right network."""
    tab.locator("#tab-museum").click()
    tab.locator("text=In the training").wait_for(timeout=60_000)
    tab.locator("button:has-text('Missing derivative')").first.press("Enter")
    tab.locator("[data-screen='exhibit,1']").wait_for(timeout=60_000)
    return picture_of(tab, PANEL)


STILLS: dict[str, Callable[[Any], bytes]] = {
    "statement": statement,
    "weight": weight,
    "comparison": comparison,
    "landscape": landscape,
    "museum": museum,
}


def trained(tab: Any, epochs: int = 25) -> None:
    """Train for some epochs."""
    for _ in range(epochs):
        tab.keyboard.press("e")
        tab.wait_for_timeout(60)


def picture_of(tab: Any, selector: str) -> bytes:
    """Return the picture of one part of the page, without the bars that lie over it."""
    tab.add_style_tag(content=".foot { display: none; } header { position: static !important; }")
    tab.wait_for_timeout(500)
    return bytes(tab.locator(selector).first.screenshot())


def main() -> None:
    """Make the pictures that are named, or all."""
    names = ["film", *STILLS]
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", nargs="*", choices=[[], *names], help=f"one or more of {', '.join(names)}")
    wanted = parser.parse_args().name or names
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    session = Session(Settings(rows=200))
    session.exhibits = MuseumActions(Gallery())
    with Playground(lambda: session) as playground, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name in wanted:
            context = browser.new_context(
                viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce", bypass_csp=True
            )
            context.add_init_script("localStorage.setItem('visited', 'yes')")
            tab = context.new_page()
            tab.goto(playground.url)
            tab.wait_for_selector(".equation math")
            if name == "film":
                save_film(film(tab), IMAGES / "playground.webp")
            else:
                path = IMAGES / f"playground-{name}.webp"
                Image.open(io.BytesIO(STILLS[name](tab))).convert("RGB").save(path, quality=80, method=6)
            print(name)
            context.close()
        browser.close()


if __name__ == "__main__":
    main()

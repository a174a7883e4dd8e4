"""Measure the playground: frames per second, processor time, the first frame, a dragged weight, and the page's size.

Run ``python -m benchmarks.play``.  It needs the extra ``play``, Playwright and a Chromium.  The server runs in a
process of its own, as ``workings play`` starts it.

TensorFlow Playground is measured beside it, if ``TENSORFLOW_PLAYGROUND`` names a folder with its built page: the files
of the branch ``gh-pages`` of https://github.com/tensorflow/playground.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECONDS = 4.0
NETWORKS = {"2-8-2": [8], "2-8-8-8-8-8-2": [8] * 5}
VIEWPORT = {"width": 1400, "height": 900}
OTHER = "TENSORFLOW_PLAYGROUND"  # the environment variable with the folder of TensorFlow Playground's page
UPDATES = 25  # that TensorFlow Playground makes in a frame: an epoch of 250 points, ten in a batch
LIKE_IT = {"data": "circles", "rows": 500, "held_out": 0.5, "hidden": [{"units": 4}, {"units": 2}], "batch_size": 10}


@contextmanager
def server() -> Iterator[tuple[int, str, float]]:
    """Start ``workings play``; yield its process id, its address, and when it was started."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "workings", "play", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"})
    assert process.stdout is not None
    try:
        found = re.search(r"http://[\d.:]+/", process.stdout.readline())
        assert found is not None
        yield process.pid, found[0], began
    finally:
        process.terminate()
        process.wait()


def processor_seconds(pid: int) -> float:
    """The processor time that a process has used so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def step_of(page: Any) -> int:
    """The number of steps that the page shows."""
    return int(page.get_by_test_id("step").inner_text().replace(",", ""))


def frames(page: Any, url: str, pid: int, settings: dict[str, Any], steps_a_frame: int = 10) -> dict[str, float]:
    """Frames per second, and the server's share of a processor core."""
    page.goto("about:blank")
    page.goto(f"{url}#{json.dumps(settings)}")
    page.wait_for_selector(".equation math")
    page.locator("[name=speed]").select_option(str(steps_a_frame))
    page.get_by_role("button", name="Run").click()
    page.wait_for_timeout(1000)
    steps, began, used, drawn = step_of(page), time.perf_counter(), processor_seconds(pid), renderer_seconds(page)
    page.wait_for_timeout(SECONDS * 1000)
    count, seconds = (step_of(page) - steps) / steps_a_frame, time.perf_counter() - began
    server_used, page_used = processor_seconds(pid) - used, renderer_seconds(page) - drawn
    page.get_by_role("button", name="Pause").click()
    return {
        "frames per second": count / seconds,
        "server, share of a core": server_used / seconds,
        "server, ms a frame": 1000 * server_used / count,
        "page, ms a frame": 1000 * page_used / count,
    }


@contextmanager
def other_page(folder: Path) -> Iterator[str]:
    """Serve TensorFlow Playground's page; yield its address."""
    handler = functools.partial(SilentHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{other.server_port}/"
        other.shutdown()


class SilentHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files, without a log."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


def other_frames(page: Any, url: str) -> dict[str, float]:
    """Frames per second of TensorFlow Playground with its first settings; each frame is an epoch of ``UPDATES``."""
    page.route("**/*", lambda route: route.continue_() if route.request.url.startswith(url) else route.abort())
    page.add_init_script("window.ga = () => {}")  # its counter of visits, which is not asked for
    page.goto(url)
    page.wait_for_selector("#iter-number")
    epoch = "Number(document.querySelector('#iter-number').textContent.replaceAll(',', ''))"
    page.click("#play-pause-button")
    page.wait_for_timeout(1000)
    before, began, drawn = page.evaluate(epoch), time.perf_counter(), renderer_seconds(page)
    page.wait_for_timeout(SECONDS * 1000)
    count, seconds = page.evaluate(epoch) - before, time.perf_counter() - began
    return {
        "frames per second": count / seconds,
        "steps per second": UPDATES * count / seconds,
        "page, ms a frame": 1000 * (renderer_seconds(page) - drawn) / count,
    }


def show(name: str, found: dict[str, float]) -> None:
    """Print the figures of one network."""
    for what, value in found.items():
        print(f"{name:<24} {what:<24} {value:.2f}" if value < 10 else f"{name:<24} {what:<24} {value:.0f}")


def renderer_seconds(page: Any) -> float:
    """The processor time that the browser's page processes have used so far."""
    cdp = page.context.browser.new_browser_cdp_session()
    found = cdp.send("SystemInfo.getProcessInfo")["processInfo"]
    return sum(process["cpuTime"] for process in found if process["type"] == "renderer")


def dragging(page: Any) -> float:
    """Milliseconds from a changed weight to the redrawn page, the median of 30."""
    page.locator('[data-place="1,0"]').click()
    page.get_by_role("button", name="W1[0,0], from x1").click()
    slider = page.get_by_label("Drag the weight")
    slider.wait_for()
    page.evaluate("window.shown = () => document.querySelector('[data-testid=gradient]').textContent")
    script = """async (slider) => {
      const before = window.shown(), began = performance.now();
      slider.value = Number(slider.value) + 0.01;
      slider.dispatchEvent(new Event("input", { bubbles: true }));
      while (window.shown() === before && performance.now() - began < 1000) await new Promise(requestAnimationFrame);
      return performance.now() - began;
    }"""
    return statistics.median(slider.evaluate(script) for _ in range(30))


def first_frame(chromium: Any) -> float:
    """Seconds from ``workings play`` to the first painted network, with a browser that is open already."""
    page = chromium.new_page()
    with server() as (_, url, began):
        page.goto(url)
        page.wait_for_selector(".unit canvas")
        seconds = time.perf_counter() - began
    page.close()
    return seconds


def page_bytes(chromium: Any, url: str) -> int:
    """The bytes of all files of the page."""
    page, sizes = chromium.new_page(), []
    page.on("response", lambda response: sizes.append(len(response.body())))
    page.goto(url)
    page.wait_for_selector(".unit canvas")
    page.close()
    return sum(sizes)


def compare(chromium: Any, page: Any, url: str, pid: int) -> None:
    """Measure TensorFlow Playground, and this page with the same network, batches and points."""
    folder = Path(os.environ.get(OTHER, ""))
    if not (folder / "bundle.js").exists():
        print(f"TensorFlow Playground is not measured: {OTHER} names no folder with its bundle.js.")
        return
    for steps_a_frame in (10, 20):
        found = frames(page, url, pid, LIKE_IT, steps_a_frame)
        found["steps per second"] = steps_a_frame * found["frames per second"]
        show(f"2-4-2-1, {steps_a_frame} steps a frame", found)
    page.goto("about:blank")
    with other_page(folder) as address:
        other = chromium.new_page(viewport=VIEWPORT)
        show("TensorFlow Playground", other_frames(other, address))
        other.close()


def main() -> None:
    """Measure and print."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        print(f"first frame after `workings play`   {min(first_frame(chromium) for _ in range(3)):.2f} s")
        with server() as (pid, url, _):
            print(f"files of the page                   {page_bytes(chromium, url) / 1000:.0f} kB")
            page = chromium.new_page(viewport=VIEWPORT)
            page.add_init_script("localStorage.setItem('visited', 'yes')")
            for name, hidden in NETWORKS.items():
                settings = {"loss": "CrossEntropy", "hidden": [{"units": units} for units in hidden]}
                show(name, frames(page, url, pid, settings))
            print(f"a dragged weight is redrawn after   {dragging(page):.0f} ms")
            compare(chromium, page, url, pid)
        chromium.close()


if __name__ == "__main__":
    main()

"""Measure the playground: frames per second, processor time, the first frame, a dragged weight, and the page's size.

Run ``python -m benchmarks.play``.  It needs the extra ``play``, Playwright and a Chromium.  The server runs in a
process of its own, as ``workings play`` starts it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECONDS = 4.0
NETWORKS = {"2-8-2": [8], "2-8-8-8-8-8-2": [8] * 5}


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


def frames(page: Any, url: str, pid: int, hidden: list[int]) -> dict[str, float]:
    """Frames per second at ten steps a frame, and the server's share of a processor core."""
    settings = {"loss": "CrossEntropy", "hidden": [{"units": units} for units in hidden]}
    page.goto("about:blank")
    page.goto(f"{url}#{json.dumps(settings)}")
    page.wait_for_selector(".equation math")
    page.get_by_role("button", name="Run").click()
    page.wait_for_timeout(1000)
    steps, began, used, drawn = step_of(page), time.perf_counter(), processor_seconds(pid), renderer_seconds(page)
    page.wait_for_timeout(SECONDS * 1000)
    count, seconds = (step_of(page) - steps) / 10, time.perf_counter() - began
    server_used, page_used = processor_seconds(pid) - used, renderer_seconds(page) - drawn
    page.get_by_role("button", name="Pause").click()
    return {
        "frames per second": count / seconds,
        "server, share of a core": server_used / seconds,
        "server, ms a frame": 1000 * server_used / count,
        "page, ms a frame": 1000 * page_used / count,
    }


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


def main() -> None:
    """Measure and print."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        print(f"first frame after `workings play`   {min(first_frame(chromium) for _ in range(3)):.2f} s")
        with server() as (pid, url, _):
            print(f"files of the page                   {page_bytes(chromium, url) / 1000:.0f} kB")
            page = chromium.new_page(viewport={"width": 1400, "height": 900})
            page.add_init_script("localStorage.setItem('visited', 'yes')")
            for name, hidden in NETWORKS.items():
                for what, value in frames(page, url, pid, hidden).items():
                    print(f"{name:<15} {what:<24} {value:.2f}" if value < 10 else f"{name:<15} {what:<24} {value:.0f}")
            print(f"a dragged weight is redrawn after   {dragging(page):.0f} ms")
        chromium.close()


if __name__ == "__main__":
    main()

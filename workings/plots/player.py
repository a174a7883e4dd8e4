"""The HTML player of a replay: frames, a play button and a slider, all in one page.

The button and the slider are native HTML elements, so keyboards and screen readers work.  With
the browser setting for reduced motion, the replay does not start by itself.  Without JavaScript,
the last frame is shown.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence

from workings.support.escaping import in_html

STYLE = """
.replay { margin: 1.5rem 0; }
.replay { container-type: inline-size; }
.replay .frame { overflow: hidden; background: #fff; border-radius: 4px; }
.replay img { display: block; width: 100%; max-width: none; height: auto; border-radius: 0; }
.replay .right { display: none; }
@container (max-width: 34rem) { /* one panel below the other, so that their text can be read */
  .replay .right { display: block; } .replay img { width: 200%; } .replay .right img { margin-left: -100%; } }
.replay .controls { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .8rem; margin-top: .6rem;
  font: 1rem/1.4 system-ui, sans-serif; }
.replay .controls[hidden] { display: none; }
.replay button { font: inherit; min-width: 5.5rem; min-height: 2.75rem; padding: .3rem .9rem; border-radius: 4px;
  border: 1px solid currentColor; background: transparent; color: inherit; cursor: pointer; }
.replay input { flex: 1 1 10rem; min-width: 8rem; min-height: 2.75rem; accent-color: #0072B2; }
.replay .moment { min-width: 7.5rem; font-variant-numeric: tabular-nums; }
.replay :focus-visible { outline: 3px solid #D55E00; outline-offset: 2px; }
@media (prefers-color-scheme: dark) { .replay input { accent-color: #56B4E9; } }
@media print { .replay .controls { display: none; } }
"""
PAGE_STYLE = """
:root { color-scheme: light dark; }
body { max-width: 58rem; margin: 0 auto; padding: 1rem; background: #fff; color: #1a1a1a;
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.3rem; line-height: 1.3; margin: .5rem 0; }
@media (prefers-color-scheme: dark) { body { background: #16181a; color: #e6e6e6; } }
"""
SCRIPT = """
(() => {
  const film = (document.currentScript || [...document.scripts].pop()).closest(".replay");
  const data = JSON.parse(film.querySelector(".film").textContent);
  const images = film.querySelectorAll("img");
  const [image, button, slider, output] =
    ["img", "button", "input", ".moment"].map(part => film.querySelector(part));
  let timer = 0;
  const show = () => {
    for (const half of images) half.src = "data:image/png;base64," + data.pictures[slider.value];
    output.textContent = data.titles[slider.value];
    slider.setAttribute("aria-valuetext", data.titles[slider.value]);
  };
  const stop = () => { clearInterval(timer); timer = 0; button.textContent = "Play"; };
  const next = () => {
    if (+slider.value >= data.pictures.length - 1) return stop();
    slider.value = +slider.value + 1;
    show();
  };
  const play = () => {
    if (+slider.value >= data.pictures.length - 1) { slider.value = 0; show(); }
    timer = setInterval(next, data.milliseconds);
    button.textContent = "Pause";
  };
  button.addEventListener("click", () => timer ? stop() : play());
  slider.addEventListener("input", () => { stop(); show(); });
  film.querySelector(".controls").hidden = false;
  addEventListener("beforeprint", () => { stop(); slider.value = data.pictures.length - 1; show(); });
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  slider.value = 0;
  show();
  new IntersectionObserver((seen, watcher) => {
    if (seen.some(entry => entry.isIntersecting)) { watcher.disconnect(); play(); }
  }, { threshold: 0.6 }).observe(image);
})();
"""

PLAYER = (
    '<div class="replay" role="group" aria-label="Replay">'
    '<div class="frame"><img src="{last}" alt="{words}"></div>'
    '<div class="frame right" aria-hidden="true"><img src="{last}" alt=""></div>'
    '<div class="controls" hidden><button type="button">Play</button>'
    '<input type="range" min="0" max="{most}" value="{most}" aria-label="Frame">'
    '<span class="moment">{title}</span></div>'
    '<script type="application/json" class="film">{film}</script><script>{script}</script></div>'
)
PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{heading}</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head>'
    "<body><main><h1>{heading}</h1><p>{words}</p>{player}</main></body></html>\n"
)


def player(pictures: Sequence[bytes], titles: Sequence[str], words: str, milliseconds: int) -> str:
    """Return the HTML of a player; the page's head must include ``STYLE``.

    Parameters
    ----------
    pictures : sequence of bytes
        Frames as PNG files; the last one is shown without JavaScript and in print.
    titles : sequence of str
        Title of each frame, such as "epoch 12".
    words : str
        Alternative text.
    milliseconds : int
        Duration of each frame.
    """
    coded = [base64.b64encode(picture).decode("ascii") for picture in pictures]
    film = json.dumps({"pictures": coded, "titles": list(titles), "milliseconds": milliseconds})
    return filled_in(
        PLAYER,
        last=f"data:image/png;base64,{coded[-1]}",
        words=in_html(words),
        most=str(len(coded) - 1),
        title=in_html(titles[-1]),
        film=film.replace("<", "\\u003c"),  # so that no title can close the script element
        script=SCRIPT,
    )


def page(title: str, words: str, player: str) -> str:
    """Return an HTML page with a heading, a text and a player."""
    return filled_in(PAGE, heading=in_html(title), words=in_html(words), style=PAGE_STYLE + STYLE, player=player)


def filled_in(template: str, **values: str) -> str:
    """Return a template with values in place of names in braces; braces in values are left as they are.

    >>> filled_in("<p>{words}</p>{other}", words="{other}", other="!")
    '<p>{other}</p>!'
    """
    return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], template)

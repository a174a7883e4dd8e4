// Starts the page: one state, one drawing function, one set of actions.
import { makeActions } from "./actions.js";
import { listen } from "./keys.js";
import { paint } from "./paint.js";
import { initial } from "./state.js";
import { render } from "./vendor/lit-html.js";
import { openDialogs } from "./view/help.js";
import { page } from "./view/page.js";

const root = document.getElementById("page");
const state = initial();
const dark = matchMedia("(prefers-color-scheme: dark)");
function chosenTheme() {
  try { return localStorage.getItem("theme") ?? (dark.matches ? "dark" : "light"); } catch { return dark.matches ? "dark" : "light"; }
}
state.theme = chosenTheme();
document.documentElement.dataset.theme = state.theme;
state.width = innerWidth;

let isDue = false, shown; // whether a drawing is due; the part that a lesson points at
function draw() { // at most once for each frame of the screen
  if (isDue) return;
  isDue = true;
  queueMicrotask(() => { isDue = false; show(); });
}
function show() {
  if (!root.dataset.ready && state.frame) { root.replaceChildren(); root.dataset.ready = "yes"; }
  if (!state.frame) { if (state.problem) root.textContent = state.problem; return; }
  render(page(state, act), root);
  if (!state.netWidth) observer.observe(root.querySelector(".net-scroll"));
  openDialogs(root);
  const pointed = state.lesson?.steps[state.lesson.at].point;
  if (pointed !== shown) {
    for (const part of root.querySelectorAll(".pointed")) part.classList.remove("pointed");
    if (pointed) root.querySelector(pointed)?.classList.add("pointed");
    shown = pointed;
  }
  paint(root, state);
}
const observer = new ResizeObserver(([{ contentRect: { width } }]) => {
  if (width !== state.netWidth) act.set({ netWidth: width });
});
const act = makeActions(state, draw);
listen(state, act);
addEventListener("resize", () => act.set({ width: innerWidth }));
dark.addEventListener("change", () => { state.theme = chosenTheme(); document.documentElement.dataset.theme = state.theme; draw(); });
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file) act.takeFile(file);
});
for (const kind of ["pointerover", "focusin"]) {
  root.addEventListener(kind, (event) => act.hint(event.target.closest("[data-hint]")?.dataset.hint ?? ""));
}
act.start();

// The bar at the top: run, step, epoch, reset, and where the run is.
import { html } from "../vendor/lit-html.js";
import { hints, transport as own, words } from "../strings.js";
import { icon, iconButton, whole } from "./parts.js";

export function topBar(state, act) {
  const { frame, running } = state;
  return html`<header class="top">
    <div class="brand"><img src="icon.svg" alt="" width="28" height="28"><h1>${words.title}</h1></div>
    <div class="transport" role="group" aria-label=${own.group}>
      ${iconButton("reset", words.reset, hints.reset, () => act.reset(), "R")}
      <button class="main" aria-keyshortcuts="Space" data-hint=${words.with_key(hints.run, own.space)}
        ?disabled=${state.closed} @click=${() => act.run()}>
        ${icon(running ? "pause" : "play")}<span>${running ? words.pause : words.run}</span></button>
      ${iconButton("step", own.step, hints.step, () => act.advance(1), "S")}
      ${iconButton("epoch", own.epoch, hints.epoch, () => act.epoch(), "E")}
    </div>
    <dl class="counters">
      <div><dt>${words.epochs}</dt><dd data-testid="epoch">${whole(frame.epoch)}</dd></div>
      <div><dt>${words.steps}</dt><dd data-testid="step">${whole(frame.step)}</dd></div>
      <div><dt>${words.parameters}</dt><dd>${whole(state.network.parameters)}</dd></div>
    </dl>
    <div class="tools">
      ${iconButton("theme", state.theme === "light" ? own.dark : own.light, hints.theme, () => act.theme(), "T")}
      ${iconButton("help", own.help, hints.help, () => act.set({ help: true }), "?")}
    </div>
  </header>`;
}

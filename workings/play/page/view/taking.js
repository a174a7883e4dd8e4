// Taking the network along: code, files and a link; and opening a network from a file.
import { html } from "../vendor/lit-html.js";
import { pictures } from "../picture.js";
import { words as strings, taking as words } from "../strings.js";

const kinds = [
  ["script", "NumPy script", "A program that needs NumPy alone: it begins with the weights shown here and goes on training.", "network.py"],
  ["library", "Library code", "The same training from its beginning, with this library.", "training.py"],
  ["latex", "Equations", "Every statement of a step in LaTeX.", "equations.tex"],
];
const files = [["safetensors", "safetensors"], ["onnx", "ONNX"], ["c", "C"], ["json", "JSON"], ["py", "Python without training"]];

export function takingPanel(state, act) {
  const { code } = state;
  return html`<div class="stack">${state.choices.is_static ? html`<p class="quiet">${strings.needs_python_files}</p>` : ""}
    <div class="row" role="group" aria-label="Code">${kinds.map(([kind, title, hint]) => html`<button aria-pressed=${code?.kind === kind} data-hint=${hint} @click=${() => act.code(kind)}>${title}</button>`)}</div>
    <div class="row" role="group" aria-label="Model file"><span class="label">Model file:</span>
      ${files.map(([kind, title]) => html`<button class="plain" data-hint="Download the network. The file is run first, and its predictions are compared with these." @click=${() => act.exportFile(kind)}>${title}</button>`)}
      <label class="button" data-hint="Open a network that was saved as .safetensors, .json or .onnx.">Open a model …
        <input class="hidden-text" type="file" accept=".safetensors,.json,.onnx" @change=${(event) => act.openFile(event.target)}></label>
      <button class="plain" data-hint="Copy a link that holds all settings. It opens the same data and network, in any playground." @click=${() => act.copyLink()}>Copy link</button>
    </div>
    <div class="row" role="group" aria-label=${words.pictures} data-hint=${words.picture_hint}><span class="label">${words.pictures}</span>
      <select aria-label=${words.pictures} @change=${(event) => act.set({ picture: event.target.value })}>${Object.keys(pictures).filter((kind) => kind !== "landscape").map((kind) => html`<option value=${kind} ?selected=${kind === state.picture}>${words.names[kind]}</option>`)}</select>
      <button class="plain" @click=${() => act.savePicture(state.picture, "svg")}>SVG</button><button class="plain" @click=${() => act.savePicture(state.picture, "png")}>PNG</button></div>
    <div class="row" role="group" aria-label=${words.replay}><span class="label">${words.replay}</span><button class="plain" data-hint=${words.replay_hint} @click=${() => act.replay("html")}>${words.html}</button><button class="plain" data-hint=${words.replay_hint} @click=${() => act.replay("gif")}>${words.gif}</button></div>
    ${state.notice ? html`<p class="small agrees" role="status">${state.notice}</p>` : ""}
    ${code ? codeBox(state, act) : ""}
  </div>`;
}

function codeBox(state, act) {
  const { code } = state, name = kinds.find(([kind]) => kind === code.kind)[3];
  return html`<div class="stack">
    <div class="row"><button @click=${() => act.copy(code.text, "The code is in the clipboard.")}>Copy</button>
      <button @click=${() => act.download(name, new Blob([code.text], { type: "text/plain" }))}>Download ${name}</button>
      ${code.kind === "script" ? html`<button class="plain" data-hint="The script begins a new run: the optimizer's state is 0. Begin one here too, and both make the same steps, to the last bit." @click=${() => act.restart()}>Begin the same run here</button>` : ""}</div>
    <pre class="code box" tabindex="0" role="group" aria-label=${name}>${code.text}</pre></div>`;
}

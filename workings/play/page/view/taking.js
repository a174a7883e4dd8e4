// Taking the network along: code, files and a link; and opening a network from a file.
import { html } from "../vendor/lit-html.js";
import { pictures } from "../picture.js";
import { formats, notices, words as strings, taking as words } from "../strings.js";

const codeFiles = { script: "network.py", library: "training.py", latex: "equations.tex" };
const everything = { // the page without a server offers less
  codes: Object.keys(words.kinds), files: ["safetensors", "onnx", "c", "json", "py"],
  opens: [".safetensors", ".json", ".onnx"], replays: ["html", "gif"],
};

export function takingPanel(state, act) {
  const { code } = state, offers = state.choices.offers ?? everything, kinds = Object.keys(pictures).filter((kind) => kind !== "landscape");
  return html`<div class="stack">${state.choices.is_static ? html`<p class="quiet">${strings.needs_python_files}</p>` : ""}
    <div class="row" role="group" aria-label=${words.code}>${offers.codes.map((kind) => [kind, ...words.kinds[kind]]).map(([kind,
      title, hint]) => html`<button aria-pressed=${code?.kind === kind} data-hint=${hint}
      @click=${() => act.code(kind)}>${title}</button>`)}</div>
    <div class="row" role="group" aria-label=${words.model_file}><span class="label">${words.model_file_label}</span>
      ${offers.files.map((kind) => html`<button class="plain" data-hint=${state.choices.is_static ? words.model_hint_static : words.model_hint}
        @click=${() => act.exportFile(kind)}>${formats[kind]}</button>`)}
      <label class="button" data-hint=${words.open_hint}>${words.open}
        <input class="hidden-text" type="file" accept=${offers.opens.join()} @change=${(event) => act.openFile(event.target)}></label>
      <button class="plain" data-hint=${words.link_hint} @click=${() => act.copyLink()}>${words.link}</button>
    </div>
    <div class="row" role="group" aria-label=${words.pictures} data-hint=${words.picture_hint}><span class="label">${words.pictures}</span>
      <select aria-label=${words.pictures} @change=${(event) => act.set({ picture: event.target.value })}>
        ${kinds.map((kind) => html`<option value=${kind} ?selected=${kind === state.picture}>${words.names[kind]}</option>`)}</select>
      ${["svg", "png"].map((format) => html`
        <button class="plain" @click=${() => act.savePicture(state.picture, format)}>${formats[format]}</button>`)}</div>
    ${offers.replays.length ? html`<div class="row" role="group" aria-label=${words.replay}><span class="label">${words.replay}</span>
      ${offers.replays.map((kind) => html`
        <button class="plain" data-hint=${words.replay_hint} @click=${() => act.replay(kind)}>${formats[kind]}</button>`)}</div>` : ""}
    ${state.notice ? html`<p class="small agrees" role="status">${state.notice}</p>` : ""}
    ${code ? codeBox(state, act) : ""}
  </div>`;
}

function codeBox(state, act) {
  const { code } = state, name = codeFiles[code.kind];
  return html`<div class="stack">
    <div class="row"><button @click=${() => act.copy(code.text, notices.code_copied)}>${words.copy}</button>
      <button @click=${() => act.download(name, new Blob([code.text], { type: "text/plain" }))}>${words.download(name)}</button>
      ${code.kind === "script" ? html`<button class="plain" data-hint=${words.restart_hint}
        @click=${() => act.restart()}>${words.restart}</button>` : ""}</div>
    <pre class="code box" tabindex="0" role="group" aria-label=${name}>${code.text}</pre></div>`;
}

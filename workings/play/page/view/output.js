// The card of the output: the prediction over the plane, the measures, and the curves.
import { html } from "../vendor/lit-html.js";
import { isClassification, otherState } from "../state.js";
import { comparison, hints, output as own, words } from "../strings.js";
import { curves } from "./curves.js";
import { later } from "./later.js";
import { focused, number, ways, whole } from "./parts.js";

export function outputCard(state, act) {
  return html`<section class="card output" aria-labelledby="output-title">
    <header><h2 id="output-title">${words.output}</h2>
      ${state.data.image_side ? "" : html`<label class="row small quiet" data-hint=${hints.validation}>
        <input type="checkbox" .checked=${state.showValidation} @change=${(event) => act.set({ showValidation: event.target.checked })}>
        ${own.validation_points}</label>`}</header>
    <div class="halves">
      <div class="stack">
        ${state.data.image_side ? later("pad", "padCard", state, act) : html`${screens(state, act)}${adding(state, act)}`}
        ${state.row === null ? "" : chosenRow(state, act)}
      </div>
      <div class="stack">${course(state, act)}</div>
    </div>
  </section>`;
}

// The prediction over the plane, and beside it the prediction of the kept network.
function screens(state, act) {
  const choose = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    act.choosePoint((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  };
  const name = (text) => (state.other ? html`<span class="label">${text}</span>` : "");
  return html`<div class=${state.other ? "screens" : ""}>
    <div class="screen" data-hint=${hints.screen}>
      <canvas data-screen="own" role="application" tabindex="0" aria-label=${alternative(state)} aria-description=${hints.screen_keys}
        @click=${choose} @keydown=${(event) => onKey(event, state, act)} @focus=${(event) => focused(event, act)}
        @blur=${() => act.set({ cursor: null })}></canvas>${name(comparison.this_short)}</div>
    ${state.other ? html`<div class="screen">
      <canvas class="still" data-screen="other" role="img" aria-label=${alternative(otherState(state))}></canvas>
      ${name(comparison.kept_short)}</div>` : ""}
  </div>`;
}

// With the keyboard: the arrow keys move a cross, and Enter does what a click there does.
function onKey(event, { cursor }, act) {
  const way = ways[event.key], step = event.shiftKey ? 0.1 : 0.02;
  if (way) act.moveCursor(way[0] * step, way[1] * step);
  else if (event.key === "Enter" && cursor) act.choosePoint(...cursor);
  else return;
  event.preventDefault();
}

const chosenRow = (state, act) => html`<label class="row small" data-hint=${own.row_hint}>
  ${own.row} <input type="number" min="0" max=${state.data.training - 1} .value=${String(state.row)}
    @change=${(event) => act.chooseRow(Number(event.target.value))}>
  <span class="quiet">${rowWords(state)}</span></label>`;

// The measures, their curves over the run, and the way back to an earlier moment.
function course(state, act) {
  const { frame } = state, isClasses = isClassification(state), { course: moments, other } = frame;
  const share = (v) => (v === null ? "–" : isClasses ? `${(100 * v).toFixed(1)} %` : number(v, 3));
  const score = isClasses ? own.accuracy : own.r2;
  return html`${other ? bothMeasures(frame, share) : measures(frame.measured, score, share)}
    ${curves(own.loss, moments, 1, 3, frame.moment, 0, undefined, other?.course)}
    ${curves(score, moments, 2, 4, frame.moment, 0, 1, other?.course)}
    <div class="legend"><span><i></i>${own.training}</span><span><i class="second"></i>${own.validation}</span>
      ${other ? html`<span><i class="third"></i>${own.kept_training}</span>
        <span><i class="fourth"></i>${own.kept_validation}</span>` : ""}</div>
    <label class="field" data-hint=${hints.travel}>
      <span class="head"><span>${own.travel}</span>
        <span class="value">${own.step(whole(frame.step))}</span></span>
      <input type="range" min="0" max=${frame.moments - 1} step="1" .value=${String(frame.moment)}
        ?disabled=${frame.moments < 2} aria-valuetext=${own.step(frame.step)}
        @input=${(event) => act.travel(Number(event.target.value))}></label>`;
}

const measures = ([loss, score, valLoss, valScore], name, share) => html`<table class="numbers both">
  <caption class="hidden-text">${own.measures}</caption>
  <tr><td></td><th scope="col">${own.training}</th><th scope="col">${own.validation}</th></tr>
  <tr><th scope="row">${own.loss}</th><td data-testid="loss">${number(loss)}</td><td>${number(valLoss)}</td></tr>
  <tr><th scope="row">${name}</th><td data-testid="score">${share(score)}</td><td>${share(valScore)}</td></tr></table>`;

// The measures of both networks.
function bothMeasures({ measured, other }, share) {
  const rows = [comparison.training_loss, comparison.training_score, comparison.validation_loss, comparison.validation_score];
  const show = (k, value) => (k % 2 ? share(value) : number(value));
  return html`<table class="numbers both"><caption class="hidden-text">${comparison.measure}</caption>
    <tr><td></td><th scope="col">${comparison.this_short}</th><th scope="col">${comparison.kept_short}</th></tr>
    ${rows.map((name, k) => html`<tr><th scope="row">${name}</th>
      <td data-testid=${k ? "" : "loss"}>${show(k, measured[k])}</td>
      <td data-testid=${k ? "" : "kept-loss"}>${show(k, other.measured[k])}</td></tr>`)}</table>
    ${other.stopped ? html`<p class="small differs">${comparison.kept}: ${other.stopped}</p>` : ""}`;
}

// A click adds a point of the chosen class; the keys 0 to 9 choose it, too.
function adding(state, act) {
  const { data } = state;
  if (data.columns.join() !== "x1,x2") return "";
  const kinds = data.classes.length ? data.classes : [own.low, own.high];
  const value = (k) => (data.classes.length ? k : data.target_range[k]);
  return html`<div class="row small" role="group" aria-label=${own.add} data-hint=${own.add_hint}><span
    class="quiet">${own.add_label}</span>
    ${kinds.map((name, k) => html`<button class="plain" aria-pressed=${state.adding === value(k)}
      @click=${() => act.set({ adding: state.adding === value(k) ? null : value(k) })}>${name}</button>`)}</div>`;
}

function alternative(state) {
  const { data, frame } = state, [, score] = frame.measured;
  const what = data.classes.length ? own.classes(data.classes.length) : own.regression;
  return own.alternative(data.rows, data.name, what, score === null ? own.unknown : score.toFixed(3));
}

function rowWords(state) {
  const { rowView } = state;
  if (!rowView) return "";
  const { target } = rowView;
  return typeof target === "number" ? own.target(number(target, 3)) : own.target_class(target);
}

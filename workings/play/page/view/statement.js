// One statement of the next step: its equation, its numbers, its words.
import { html } from "../vendor/lit-html.js";
import { statement as words } from "../strings.js";
import { mathml, number } from "./parts.js";

export function statementPanel(state, act) {
  const { statement } = state;
  if (!statement) return html`<p class="quiet">…</p>`;
  const last = statement.index === statement.outline.length - 1;
  return html`<div class="stack">
    <div class="row">
      <button data-hint=${words.back_hint} ?disabled=${statement.index === 0} @click=${() => act.move(-1)}>${words.back}</button>
      <button data-hint=${words.next_hint} @click=${() => act.move(1)}>${last ? words.make_step : words.next}</button>
      <span class="quiet small">${words.where(state.frame.step + 1, statement.index + 1, statement.outline.length,
        statement.stage_words)}</span>
    </div>
    ${outline(statement, act)}
    ${whichRow(statement, state.row)}
    <div class="split wide">
      <div class="stack">${equation(statement)}</div>
      <div class="stack">${tableOf(statement)}</div>
    </div>
  </div>`;
}

// Which row of the batch the numbers belong to, where its position differs from its number.
function whichRow({ place, row }, chosen) {
  if (chosen !== null && row !== chosen) return html`<p class="small quiet">${words.absent(chosen, row)}</p>`;
  return row === place ? "" : html`<p class="small quiet">${words.moved(row, place)}</p>`;
}

// The three stages, and the statements of the present one.
function outline(statement, act) {
  const all = statement.outline.map((one, k) => ({ ...one, k })), stages = [...new Set(all.map((one) => one.stage))];
  const here = all.filter((one) => one.stage === statement.stage);
  const button = (title, to, isHere) => html`<li><button class="code" aria-current=${isHere ? "step" : "false"}
    @click=${() => act.walkTo(to)}>${title}</button></li>`;
  return html`<ol class="outline stages" aria-label=${words.stages}>${stages.map((stage) => button(stage,
    all.find((one) => one.stage === stage).k, stage === statement.stage))}</ol>
    <ol class="outline" aria-label=${words.of_stage}>${here.map(({ target, k }) => button(target, k, k === statement.index))}</ol>`;
}

export function equation(statement) {
  return html`<p class="words">${statement.words}</p>
    <div class="equation" tabindex="0" role="group" aria-label=${words.equation_of(statement.target)}>
      <div class="line">${mathml(statement.equation)}</div>
      ${mathml(statement.entry)}
    </div>
    <p class="small quiet"><code>${statement.code}</code></p>
    <p class="small quiet">${statement.shapes}</p>
    ${statement.slope ? html`<p class="small ${statement.agrees ? "agrees" : "differs"}">${statement.agrees
      ? "✓ " : "✗ "}${statement.slope}</p>` : ""}`;
}

export function tableOf(statement) {
  const { table, index_shown: place } = statement;
  if (!table) return "";
  const at = place.length === 2 ? place : [0, place[0] ?? 0];
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${words.values_of(statement.target)}><table class="numbers">
    <caption class="hidden-text">${words.values_of(statement.target)}</caption>
    ${table.rows.map((row, r) => html`<tr>${row.map((value,
      c) => html`<td class=${r === at[0] && c === at[1] ? "is-shown" : ""}>${number(value)}</td>`)}</tr>`)}
  </table></div>${table.more > 0 ? html`<p class="small quiet">${words.more_rows(table.more)}</p>` : ""}`;
}

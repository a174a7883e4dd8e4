// The museum: common mistakes, each beside the right network; and the game "find it yourself".
import { html } from "../vendor/lit-html.js";
import { museum as words, plots } from "../strings.js";
import { number } from "./parts.js";
import { plotOf } from "./plot.js";

export function museumPanel(state, act) {
  const { game, exhibit, museum } = state;
  if (!state.choices.museum) return html`<p class="quiet">${words.absent}</p>`;
  if (!museum) return html`<p class="quiet">…</p>`;
  const isGame = game !== null;
  return html`<div class="stack">
    <div class="row" role="group" aria-label=${words.title}>
      <button aria-pressed=${!isGame} data-hint=${words.gallery_hint} @click=${() => act.leaveGame()}>${words.gallery}</button>
      <button aria-pressed=${isGame} data-hint=${words.game_hint} @click=${() => act.beginGame()}>${words.game}</button>
      ${museum.busy ? html`<span class="quiet small" role="status">${museum.busy}</span>` : ""}
    </div>
    ${isGame ? gamePanel(state, act) : exhibit ? exhibitPanel(state, act) : list(museum.mistakes, act)}
  </div>`;
}

const list = (mistakes, act) => Object.entries(words.places).map(([place, title]) => html`<h3>${title}</h3>
  <ol class="lessons">${mistakes.filter((one) => one.place === place).map((one) => html`<li>
    <button data-hint=${one.what} @click=${() => act.openExhibit(one.name, "")}>
    <strong>${one.title}</strong></button></li>`)}</ol>`);

// -- one mistake -----------------------------------------------------------------------------------

function exhibitPanel(state, act) {
  const { exhibit, findings } = state, isCode = exhibit.place === "code", wrongs = new Map(exhibit.lines.map(({ wrong, right }) => [wrong, right]));
  return html`<div class="row"><button @click=${() => act.set({ exhibit: null })}>${words.all}</button>
      <label class="row small quiet">${words.data} <select @change=${(event) => act.openExhibit(exhibit.name, event.target.value)}>
        ${exhibit.rooms.map((room) => html`<option ?selected=${room === exhibit.room}>${room}</option>`)}</select></label></div>
    <div class="stack"><h2>${exhibit.title}</h2><p class="words">${exhibit.what}</p>
      <p class="small quiet">${words.source(exhibit.source)}</p></div>
    ${markedLines(exhibit.lines)}
    <div class="split">${exhibit.networks.map((one, k) => networkBox(one, `exhibit,${k}`, k ? words.right : words.wrong))}</div>
    ${bothCurves(exhibit.networks, state.width)}
    ${isCode || exhibit.place === "statement" ? html`<details><summary>${isCode ? words.code : words.program}</summary>
      ${listing(exhibit.networks[0].program, wrongs)}</details>` : ""}
    <p><strong>${words.mend}</strong> ${exhibit.mend}</p>
    <div class="row"><button data-hint=${isCode ? words.check_hint : words.doctor_hint}
      @click=${() => act.exhibitDoctor()}>${isCode ? words.check : words.doctor}</button></div>
    ${(findings ?? []).map((one) => html`<article class="finding ${one.severity}">
      <h2>${one.name.replaceAll("-", " ")} <span class="quiet small">${one.severity}, ${one.sure}</span></h2>
      <p>${one.measured}</p><p class="quiet">${one.why}</p></article>`)}`;
}

const score = (one) => (one.score === null ? "–" : one.is_accuracy ? words.accuracy((100 * one.score).toFixed(1))
  : words.r2(number(one.score, 3)));

const networkBox = (one, key, title) => html`<figure class="stack small-gap">
  <figcaption class="row between"><strong>${title}</strong><span class="quiet small">${score(one)}</span></figcaption>
  ${one.picture ? html`<div class="screen"><canvas class="still" data-screen=${key} role="img"
    aria-label=${words.prediction(title, score(one))}></canvas></div>` : html`<p class="small quiet">${words.no_picture}</p>`}</figure>`;

const points = (losses) => losses.map((value, k) => [k + 1, value ?? NaN]);
const bothCurves = ([wrong, right], width) => html`<div class="narrow">${plotOf(words.loss,
  [{ kind: "second", points: points(wrong.losses), name: words.wrong },
  { kind: "first", points: points(right.losses), name: words.right }], { unit: plots.epoch, width: width < 680 ? 310 : 480, height: 130 })}</div>
  <div class="legend"><span><i class="second"></i>${words.wrong}</span><span><i></i>${words.right}</span></div>
  ${wrong.losses.length < right.losses.length ? html`<p class="small quiet">${words.ended(wrong.losses.length)}</p>` : ""}`;

// The wrong line above the right one; what differs is marked.
const markedLines = (lines) => html`<div class="marked box" tabindex="0" role="group"
  aria-label=${words.lines}>${lines.map(({ wrong, right }) => {
  const [head, middle, tail, other] = difference(wrong, right);
  return html`<p class="differs"><span class="sign" role="img"
    aria-label=${words.wrong}>✗</span><code>${head}<mark>${middle}</mark>${tail}</code></p>
    <p class="agrees"><span class="sign" role="img" aria-label=${words.right}>✓</span><code>${head}<mark>${other}</mark>${tail}</code></p>`;
})}</div>`;

function difference(wrong, right) {
  const most = Math.min(wrong.length, right.length);
  let head = 0, tail = 0;
  while (head < most && wrong[head] === right[head]) head += 1;
  while (tail < most - head && wrong.at(-1 - tail) === right.at(-1 - tail)) tail += 1;
  return [wrong.slice(0, head), wrong.slice(head, wrong.length - tail), tail ? wrong.slice(-tail) : "",
    right.slice(head, right.length - tail)];
}

const listing = (program, wrongs) => html`<ol class="listing" tabindex="0"
  aria-label=${words.program}>${program.map(({ code }) => html`<li class=${wrongs.has(code) ? "differs" : ""}><code>${code}</code>
  ${wrongs.has(code) ? html`<code class="agrees">${wrongs.get(code)}</code>` : ""}</li>`)}</ol>`;

// -- the game --------------------------------------------------------------------------------------

const letters = "ABCD";
function gamePanel(state, act) {
  const { game } = state, { found } = game;
  return html`<h2>${words.question}</h2><p class="quiet">${words.rules}</p>
    <div class="players">${game.networks.map((one, k) => html`<article class="stack small-gap ${found?.choice === k ? "found" : ""}">
      ${networkBox(one, `game,${k}`, words.network(letters[k]))}
      ${plotOf(words.loss, [{ kind: "first", points: points(one.losses), name: words.loss }],
        { unit: plots.epoch, width: 124, height: 64 })}
      <div class="row"><button aria-expanded=${game.open === k}
        @click=${() => act.set({ game: { ...game, open: game.open === k ? null : k } })}>${words.read(letters[k])}</button>
        <button class="main slim" ?disabled=${found || game.missed.includes(k)}
          @click=${() => act.guess(k)}>${game.missed.includes(k) ? words.not_this : words.this_one}</button></div>
    </article>`)}</div>
    ${game.open === null ? "" : html`<section class="stack" aria-label=${words.network(letters[game.open])}>
      <h3>${words.statements(letters[game.open])}</h3>
      ${listing(game.networks[game.open].program, new Map(found?.choice === game.open
        ? found.lines.map(({ wrong, right }) => [wrong, right]) : []))}</section>`}
    <div class="row"><button ?disabled=${found || game.isLast} data-hint=${words.hint_hint}
      @click=${() => act.gameHint()}>${words.hint}</button>
      <button class="plain" ?disabled=${found} @click=${() => act.reveal()}>${words.reveal}</button>
      <button class="plain" @click=${() => act.beginGame(true)}>${words.another}</button></div>
    <div role="status" class="stack">${game.hints.map((text) => html`<p class="hint">${text}</p>`)}
      ${game.missed.length && !found ? html`<p class="differs">${words.missed(letters[game.missed.at(-1)])}</p>` : ""}
      ${found ? html`<p><strong class="agrees">${words.it_is(letters[found.choice],
        found.title)}</strong> ${found.what}</p>${markedLines(found.lines)}
        <p><strong>${words.mend}</strong> ${found.mend}</p>` : ""}</div>`;
}

// A dialog that asks which column of a dropped table is the target.
import { html } from "../vendor/lit-html.js";
import { table as words } from "../strings.js";

export function tableDialog(state, act) {
  const { table } = state;
  return html`<dialog aria-labelledby="table-title" .isWanted=${table !== null} @close=${() => act.set({ table: null })}>
    ${table === null ? "" : html`<form class="stack" method="dialog" @submit=${(event) => {
      const form = new FormData(event.currentTarget);
      act.openTable(form.get("target"), form.get("impute") !== null);
    }}>
      <h2 id="table-title">${words.title}</h2>
      <p class="quiet">${words.columns(table.name, table.columns.length)}</p>
      <label class="field"><span>${words.target}</span>
        <select name="target">${table.columns.map((name,
        k) => html`<option ?selected=${k === table.columns.length - 1}>${name}</option>`)}</select></label>
      <label class="row small"><input type="checkbox" name="impute">${words.fill}</label>
      <div class="row"><button class="main" value="open">${words.open}</button>
        <button type="button" @click=${(event) => event.currentTarget.closest("dialog").close()}>${words.cancel}</button></div>
    </form>`}
  </dialog>`;
}

// A dialog that asks which column of a dropped table is the target.
import { html } from "../vendor/lit-html.js";

export function tableDialog(state, act) {
  const { table } = state;
  return html`<dialog aria-labelledby="table-title" .isWanted=${table !== null} @close=${() => act.set({ table: null })}>
    ${table === null ? "" : html`<form class="stack" method="dialog" @submit=${(event) => {
      const form = new FormData(event.currentTarget);
      act.openTable(form.get("target"), form.get("impute") !== null);
    }}>
      <h2 id="table-title">What is to be predicted?</h2>
      <p class="quiet">${table.name} has ${table.columns.length} columns. All others become inputs.</p>
      <label class="field"><span>Target</span><select name="target">${table.columns.map((name, k) => html`<option ?selected=${k === table.columns.length - 1}>${name}</option>`)}</select></label>
      <label class="row small"><input type="checkbox" name="impute">Fill missing values without marking them</label>
      <div class="row"><button class="main" value="open">Open</button><button type="button" @click=${(event) => event.currentTarget.closest("dialog").close()}>Cancel</button></div>
    </form>`}
  </dialog>`;
}

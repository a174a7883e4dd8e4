// The list of keyboard shortcuts, as a dialog.
import { html } from "../vendor/lit-html.js";
import { shortcuts, transport, words } from "../strings.js";

export function helpDialog(state, act) {
  return html`<dialog aria-labelledby="help-title" .isWanted=${state.help} @close=${() => act.set({ help: false })}>
    <h2 id="help-title">${transport.help}</h2>
    <dl class="keys">${shortcuts.map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl>
    <button @click=${(event) => event.currentTarget.closest("dialog").close()}>${words.close}</button>
  </dialog>`;
}

// A dialog opens by a method, so this runs after each drawing; only a new wish opens it.
export function openDialogs(root) {
  for (const dialog of root.querySelectorAll("dialog")) {
    if (dialog.isWanted && !dialog.wasWanted) dialog.showModal();
    dialog.wasWanted = dialog.isWanted;
  }
}

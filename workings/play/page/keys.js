// Keyboard shortcuts; they rest while a field is edited or a dialog is open.
export function listen(state, act) {
  const does = {
    " ": () => act.run(), s: () => act.advance(1), e: () => act.epoch(), r: () => act.reset(),
    n: () => act.openTab("statement").then(() => act.move(1)), b: () => act.openTab("statement").then(() => act.move(-1)),
    l: () => act.openLoss(), t: () => act.theme(), "?": () => act.set({ help: true }),
  };
  let byMouse = false; // the focus came from a click: Space then runs, and does not press the button again
  const isPressed = ({ tagName }) => !byMouse && (tagName === "BUTTON" || tagName === "SUMMARY");
  document.addEventListener("pointerdown", () => { byMouse = true; });
  document.addEventListener("keyup", (event) => { if (event.key === " " && byMouse) event.preventDefault(); });
  document.addEventListener("keydown", (event) => {
    if (/^(Tab|Arrow)/.test(event.key)) byMouse = false;
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const tag = event.target.tagName, key = event.key.toLowerCase();
    if (tag === "SELECT" || tag === "TEXTAREA" || (tag === "INPUT" && event.target.type !== "range")) return;
    if (key === " " && isPressed(event.target)) return;
    if (/^\d$/.test(key) && Number(key) < state.data?.classes.length) { act.set({ adding: state.adding === Number(key)
      ? null : Number(key) }); return; }
    if (does[key] && state.frame) { event.preventDefault(); does[key](); }
  });
}

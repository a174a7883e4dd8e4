// What the page can do.  Each action changes the state object, perhaps after asking the session, and draws again.
import { connect } from "./session.js";
import { placeOf } from "./paint.js";
import { words } from "./strings.js";

export function makeActions(state, draw) {
  const set = (changes) => { Object.assign(state, changes); draw(); };
  const session = connect(() => set({ closed: true, running: false, problem: words.closed }));

  async function ask(action, fields) {
    try {
      const reply = await session.ask(action, fields);
      if (state.problem) state.problem = "";
      return reply;
    } catch (error) {
      set({ running: false, problem: error.message === "closed" ? words.closed : error.message });
      return null;
    }
  }
  const take = (reply) => { if (reply) set(reply); return reply; };

  // Only the last of several quick changes of one kind is sent: a slider or a drag never builds a queue.
  const pending = new Map();
  async function latest(key, work) {
    if (pending.has(key)) { pending.set(key, work); return; }
    pending.set(key, null);
    let next = work;
    while (next) {
      await next();
      next = pending.get(key);
      pending.set(key, null);
    }
    pending.delete(key);
  }

  async function refresh() { // what the inspector shows, after the network has changed
    const { detail } = state;
    if (state.tab === "statement" && state.statement) await act.statement(Math.min(state.statement.index, state.statement.outline.length - 1));
    if (state.tab === "selected" && detail) {
      if (detail.kind === "weight") await act.openWeight(detail.name, detail.index, false);
      if (detail.kind === "unit") await act.openUnit(detail.layer, detail.unit, false);
      if (detail.kind === "loss") await act.openLoss(false);
    }
  }
  async function afterFrame(reply) {
    if (!reply) return;
    set({ frame: reply, running: state.running && !reply.stopped, problem: reply.stopped || "" });
    if (!state.running) await refresh();
  }

  const act = {
    set,
    async start() {
      const reply = await ask("hello");
      take(reply);
      if (reply) { await act.chooseRow(0); await act.statement(0); }
    },
    hint: (text) => { if (text !== state.hint) set({ hint: text }); },
    configure: (changes) => latest("configure", async () => {
      const reply = await ask("configure", { settings: changes });
      if (!reply) { draw(); return; }
      const isOther = reply.data.name !== state.data.name || reply.network.hidden.length !== state.network.hidden.length;
      set({ ...reply, ...(isOther ? { detail: null, statementUnit: 0, current: [0, 0] } : {}) });
      if (state.row === null || state.row >= reply.data.training) state.row = 0;
      if (!state.running) await refresh();
    }),
    layer(place, changes) {
      const hidden = state.settings.hidden.map((layer, k) => (k === place ? { ...layer, ...changes } : layer));
      return act.configure({ hidden });
    },
    addLayer: () => act.configure({ hidden: [...state.settings.hidden, { ...(state.settings.hidden.at(-1) ?? {}), units: 4 }] }),
    removeLayer: () => act.configure({ hidden: state.settings.hidden.slice(0, -1) }),
    async reset() { set({ running: false }); take(await ask("reset")); await refresh(); },

    run() { set({ running: !state.running, walking: false }); if (state.running) requestAnimationFrame(loop); else refresh(); },
    async advance(steps) { set({ running: false, walking: false }); await afterFrame(await ask("advance", { steps })); },
    async epoch() { set({ running: false, walking: false }); await afterFrame(await ask("epoch")); },
    travel: (moment) => latest("travel", async () => { state.running = false; await afterFrame(await ask("travel", { moment })); }),

    async chooseRow(row) {
      const reply = await ask("choose_row", { row });
      if (reply) { set({ row, rowView: reply }); await refresh(); }
    },
    choosePoint(x, y) { // the nearest training point
      let best = null, least = Infinity;
      for (let k = 0; k < state.data.training; k++) {
        const at = placeOf(state.data, k), distance = (at[0] - x) ** 2 + (at[1] - y) ** 2;
        if (distance < least) { least = distance; best = k; }
      }
      if (best !== null) act.chooseRow(best);
    },

    async statement(index) {
      const reply = await ask("statement", { index, unit: state.statementUnit });
      if (reply) set({ statement: reply });
    },
    walkTo(index) { state.walking = true; return act.statement(index); },
    async move(by) {
      if (!state.statement) return act.walkTo(0);
      const to = state.statement.index + by;
      if (to < 0) return null;
      if (to >= state.statement.outline.length) { await act.advance(1); return act.walkTo(0); }
      return act.walkTo(to);
    },
    async openTab(tab) { set({ tab }); await refresh(); if (tab === "statement" && !state.statement) await act.statement(0); },
    async openWeight(name, index, isNew = true) {
      const reply = await ask("weight", { name, index });
      if (reply) set({ detail: { kind: "weight", ...reply, name, index }, ...(isNew ? { tab: "selected" } : {}) });
    },
    async openUnit(layer, unit, isNew = true) {
      if (layer === 0) return;
      const reply = await ask("unit", { layer, unit });
      if (reply) set({ detail: { kind: "unit", ...reply }, ...(isNew ? { tab: "selected", statementUnit: unit } : {}) });
    },
    async openLoss(isNew = true) {
      const reply = await ask("loss");
      if (reply) set({ detail: { kind: "loss", ...reply }, ...(isNew ? { tab: "selected" } : {}) });
    },
    setWeight: (name, index, value, final = false) => latest("weight", async () => {
      const reply = await ask("set_weight", { name, index, value, final });
      if (!reply) return;
      const same = state.detail?.kind === "weight" && state.detail.entry === reply.weight.entry;
      const detail = reply.details ? { kind: "weight", ...reply.details } : same ? { ...state.detail, ...reply.weight } : state.detail;
      set({ frame: reply.frame, detail });
    }),
    theme() {
      const theme = state.theme === "light" ? "dark" : "light";
      document.documentElement.dataset.theme = theme;
      try { localStorage.setItem("theme", theme); } catch { /* no storage: the choice lasts for this visit */ }
      set({ theme });
    },
  };

  async function loop() { // the next frame is asked for when the last one is drawn
    while (state.running) {
      const reply = await ask("advance", { steps: state.speed });
      if (!state.running || !reply) break;
      await afterFrame(reply);
      await new Promise(requestAnimationFrame);
    }
  }
  return act;
}

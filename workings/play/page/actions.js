// What the page can do.  Each action changes the state object, perhaps after asking the session, and draws again.
import { connect } from "./session.js";
import { fromLink, toLink } from "./link.js";
import { placeOf } from "./paint.js";
import { base64, bytes, partOf } from "./state.js";
import { museum as museumWords, notices, weight as weightWords, words } from "./strings.js";
import { load } from "./view/later.js";
import { number } from "./view/parts.js";

function remember(name, value) { try { localStorage.setItem(name, value);
  } catch { /* no storage: it holds for this visit */ } }
function recall(name) { try { return localStorage.getItem(name); } catch { return "no storage"; } }

const MIDDLE = [0.5, 0.5];
const isAmong = (sets, data) => data === undefined || sets.some(({ name }) => name === data);

export function makeActions(state, draw) {
  const set = (changes) => { Object.assign(state, changes); draw(); };
  const session = connect(() => set({ closed: true, running: false, problem: words.closed }));

  async function ask(action, fields) {
    const late = setTimeout(() => set({ busy: true }), 400); // an answer that takes longer is announced
    try {
      const reply = await session.ask(action, fields);
      if (state.problem) state.problem = "";
      return reply;
    } catch (error) {
      set({ running: false, problem: error.message === "closed" ? words.closed : error.message });
      return null;
    } finally {
      clearTimeout(late);
      if (state.busy) set({ busy: false });
    }
  }
  const wanted = {}; // changes of settings that are not sent yet
  let intended = null; // the settings with all changes that are on their way
  let asked = null; // the statement that is on its way, so that quick presses add up
  const hiddenNow = () => (intended ?? state.settings).hidden;
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
    if (state.tab === "statement" && state.statement) await act.statement(Math.min(asked ?? state.statement.index,
      state.statement.outline.length - 1));
    if (state.tab === "landscape" && state.landscape
      && (state.frame.step || state.directions === "random")) await act.landscape();
    if (state.tab === "selected" && detail) {
      if (detail.kind === "weight") await act.openWeight(detail.name, detail.index, false);
      if (detail.kind === "unit") await act.openUnit(detail.layer, detail.unit, false);
      if (detail.kind === "loss") await act.openLoss(false);
    }
  }
  async function showRow() { // of data that may be new
    if (state.row === null || state.row >= state.data.training) state.row = 0;
    const reply = await ask("choose_row", { row: state.row });
    if (reply) set({ rowView: reply });
    if (!state.running) await refresh();
  }
  async function focusOn(name) { // what had the focus may be gone
    await new Promise(requestAnimationFrame);
    document.querySelector(name)?.focus({ preventScroll: true });
  }
  function scrollTo(name) { // unless the beginning of this part is in the upper half of the screen
    const part = document.querySelector(name), bar = part?.closest(".top") ? 0 : 66;
    const top = part?.getBoundingClientRect().top ?? bar;
    if (top < bar || top > innerHeight / 2) part.scrollIntoView({ block: "start" });
  }
  function reveal() { // scroll to the inspector, if little of it is on the screen
    requestAnimationFrame(() => {
      const { top } = document.querySelector(".inspector").getBoundingClientRect();
      if (top > innerHeight - 160) scrollBy({ top: top - innerHeight / 2 });
    });
  }
  async function afterFrame(reply) {
    if (!reply) return;
    set({ frame: reply, running: state.running && Boolean(!reply.stopped || (reply.other && !reply.other.stopped)),
      problem: reply.stopped || "" });
    if (!state.running) await refresh();
  }

  const act = {
    set,
    async start() {
      const reply = await ask("hello");
      take(reply);
      const linked = fromLink();
      if (!reply) return;
      const { data, features, ...others } = linked ?? {}, isHere = isAmong(state.sets, data); // eslint-disable-line no-unused-vars
      if (linked) await act.configure(isHere ? linked : others);
      await act.chooseRow(0);
      await act.statement(0);
      set({ invite: !linked && !recall("visited"), ...(isHere ? {} : { problem: notices.absent_data(data) }) });
    },
    failed: (error) => set({ problem: error.message }),
    hint: (text) => { if (text !== state.hint) set({ hint: text }); },
    configure(changes) { // several quick changes become one
      Object.assign(wanted, changes);
      intended = { ...(intended ?? state.settings), ...changes };
      return latest("configure", act.sendSettings);
    },
    async sendSettings() {
      const settings = { ...wanted };
      for (const name of Object.keys(wanted)) delete wanted[name];
      if (!Object.keys(settings).length) return;
      const reply = await ask("configure", { settings });
      if (!Object.keys(wanted).length) intended = null;
      if (!reply) { draw(); return; }
      const isOther = reply.data.name !== state.data.name
        || reply.network.hidden.length !== state.network.hidden.length;
      set({ ...reply, ...(isOther ? { detail: null, statementUnit: 0, current: [0, 0] } : {}) });
      await showRow();
    },
    layer(place, changes) {
      const hidden = hiddenNow().map((layer, k) => (k === place ? { ...layer, ...changes } : layer));
      return act.configure({ hidden });
    },
    addLayer: () => act.configure({ hidden: [...hiddenNow(), { ...(hiddenNow().at(-1) ?? {}), units: 4 }] }),
    removeLayer: () => act.configure({ hidden: hiddenNow().slice(0, -1) }),
    async reset() { set({ running: false }); take(await ask("reset")); await refresh(); },

    run() { set({ running: !state.running, walking: false }); if (state.running) requestAnimationFrame(loop);
      else refresh(); },
    async advance(steps) { set({ running: false, walking: false }); await afterFrame(await ask("advance", { steps }));
      },
    async epoch() { set({ running: false, walking: false }); await afterFrame(await ask("epoch")); },
    async keep() { take(await ask("keep")); await focusOn(".kept header button"); },
    async swap() {
      set({ running: false, detail: null, statement: null, statementUnit: 0 });
      take(await ask("swap"));
      await refresh();
      if (state.tab === "statement") await act.statement(0);
    },
    async endComparison() { take(await ask("end_comparison")); await focusOn(".network header button:last-of-type"); },
    travel: (moment) => latest("travel", async () => { state.running = false;
      await afterFrame(await ask("travel", { moment })); }),

    async chooseRow(row) {
      const reply = await ask("choose_row", { row });
      if (reply) { set({ row, rowView: reply }); if (state.data.image_side) await act.draw([]); await refresh(); }
    },
    draw: (pixels) => latest("draw", async () => {
      state.frame.activations.pixels = pixels.length ? pixels : state.frame.activations.pixels;
      const reply = await ask("draw", { pixels });
      if (reply) set({ frame: { ...state.frame, activations: reply,
        other: state.frame.other && { ...state.frame.other, activations: reply.other } } });
    }),
    async chooseAxes(first, second) { take(await ask("choose_axes", { first, second })); },
    async addPoint(x, y) { // in the units of the plane
      const { low, high } = state.data, place = (at, k) => low[k] + at * (high[k] - low[k]);
      const reply = take(await ask("add_point", { x: place(x, 0), y: place(1 - y, 1), target: state.adding }));
      if (reply) { state.row = Math.min(state.row + 1, reply.data.training - 1); await showRow(); }
    },
    moveCursor(x, y) { // the cross on the plane, by the keyboard
      const [column, row] = state.cursor ?? MIDDLE, inside = (v) => Math.min(Math.max(v, 0), 1);
      set({ cursor: [inside(column + x), inside(row + y)] });
    },
    choosePoint(x, y) { // the nearest training point; or a new one
      if (state.adding !== null) { act.addPoint(x, y); return; }
      let best = null, least = Infinity;
      for (let k = 0; k < state.data.training; k++) {
        const at = placeOf(state.data, k), distance = (at[0] - x) ** 2 + (at[1] - y) ** 2;
        if (distance < least) { least = distance; best = k; }
      }
      if (best !== null) act.chooseRow(best);
    },

    async statement(index) {
      asked = index;
      const reply = await ask("statement", { index, unit: state.statementUnit });
      if (asked === index) asked = null;
      if (reply) set({ statement: reply });
    },
    walkTo(index) { state.walking = true; return act.statement(index); },
    async move(by) {
      if (!state.statement) return act.walkTo(0);
      const to = (asked ?? state.statement.index) + by;
      if (to < 0) return null;
      if (to >= state.statement.outline.length) { await act.advance(1); return act.walkTo(0); }
      return act.walkTo(to);
    },
    async openTab(tab) {
      set({ tab });
      if (tab === "doctor") return act.doctor();
      if (tab === "lessons") return act.loadLessons();
      if (tab === "museum") return act.loadMuseum();
      if (tab === "landscape" && state.frame.step) return act.landscape();
      await refresh();
      if (tab === "statement" && !state.statement) await act.statement(0);
      return null;
    },
    async openWeight(name, index, isNew = true, isDragged = false) {
      const reply = await ask("weight", { name, index });
      if (reply) await load("weight");
      if (isNew && !isDragged) reveal();
      if (reply) set({ detail: { kind: "weight", ...reply, name, index }, ...(isNew ? { tab: "selected" } : {}) });
    },
    async openUnit(layer, unit, isNew = true) {
      if (layer === 0) return;
      const reply = await ask("unit", { layer, unit });
      if (reply) await load("unit");
      if (isNew) reveal();
      if (reply) set({ detail: { kind: "unit", ...reply },
        ...(isNew ? { tab: "selected", statementUnit: unit } : {}) });
    },
    async openLoss(isNew = true) {
      const reply = await ask("loss");
      if (reply) await load("unit");
      if (isNew) reveal();
      if (reply) set({ detail: { kind: "loss", ...reply }, ...(isNew ? { tab: "selected" } : {}) });
    },
    setWeight: (name, index, value, final = false) => latest("weight", async () => {
      const reply = await ask("set_weight", { name, index, value, final });
      if (!reply) return;
      const same = state.detail?.kind === "weight" && state.detail.entry === reply.weight.entry;
      const detail = reply.details ? { kind: "weight", ...reply.details } : same
        ? { ...state.detail, ...reply.weight } : state.detail;
      set({ frame: reply.frame, detail, hint: weightWords.now(reply.weight.entry, number(value),
        number(reply.weight.J)) });
    }),
    async doctor() {
      const reply = await ask("doctor");
      if (reply) set({ doctor: reply });
    },
    async remedy(change) { await act.configure(change); await act.doctor(); },

    landscape: (directions = state.directions) => latest("landscape", async () => {
      set({ directions });
      const reply = await ask("landscape", { directions });
      if (reply) set({ landscape: reply });
    }),
    async loadMuseum() {
      if (state.museum || !state.choices.museum) return;
      const reply = await ask("museum");
      if (reply) set({ museum: { ...reply, busy: "" } });
    },
    async busily(words, action, fields) { // an answer that takes seconds
      set({ running: false, museum: { ...state.museum, busy: words } });
      const reply = await ask(action, fields);
      set({ museum: { ...state.museum, busy: "" } });
      return reply;
    },
    async openExhibit(name, room) {
      const exhibit = await act.busily(museumWords.training, "exhibit", { name, room });
      if (exhibit) set({ exhibit, findings: null });
    },
    async exhibitDoctor() {
      const { name, room } = state.exhibit, reply = await act.busily(museumWords.looking, "exhibit_doctor",
        { name, room });
      if (reply && state.exhibit?.name === name) set({ findings: reply.findings });
    },
    async beginGame(isNew = false) {
      if (state.game && !isNew) return;
      const seed = state.game ? state.game.seed + 1 : Number(recall("game") ?? 0) || 0;
      const game = await act.busily(museumWords.training_four, "game", { seed });
      if (!game) return;
      remember("game", seed + 1);
      set({ game: { ...game, open: null, hints: [], missed: [], isLast: false, found: null } });
    },
    leaveGame: () => set({ game: null }),
    async gameHint() {
      const reply = await act.busily(museumWords.looking, "game_hint");
      if (reply && state.game) set({ game: { ...state.game, hints: [...state.game.hints, reply.hint],
        isLast: !reply.more } });
    },
    async guess(choice) {
      const reply = await ask("game_guess", { choice });
      if (reply) set({ game: reply.right ? { ...state.game, found: reply, open: choice }
        : { ...state.game, missed: [...state.game.missed, choice] } });
    },
    async reveal() {
      const found = await ask("game_reveal");
      if (found) set({ game: { ...state.game, found, open: found.choice } });
    },

    async loadLessons() {
      if (state.lessons) return;
      const reply = await ask("lessons");
      if (reply) set({ lessons: reply.lessons });
    },
    async beginLesson(name) {
      await act.loadLessons();
      const lesson = state.lessons?.find((one) => one.name === name);
      if (!lesson) return;
      remember("visited", "yes");
      set({ invite: false, running: false, lesson: { ...lesson, at: 0, answer: null, busy: false } });
      await act.lessonStep(0);
    },
    async lessonStep(at) {
      const step = state.lesson.steps[at];
      set({ lesson: { ...state.lesson, at, answer: null } });
      await focusOn(".coach");
      if (Object.keys(step.settings).length) { await act.configure(step.settings); await act.reset(); }
      scrollTo(partOf(step));
      if (!step.ask) await act.finishStep();
    },
    async answer(k) { set({ lesson: { ...state.lesson, answer: k } }); await act.finishStep(); },
    async finishStep() { // train as the step says, in frames that can be watched, then open what it shows
      const step = state.lesson.steps[state.lesson.at], most = Math.max(5, Math.ceil(step.train / 120));
      set({ lesson: { ...state.lesson, busy: true } });
      for (let left = step.train; left > 0 && state.lesson && !state.frame.stopped;) {
        const reply = await ask("advance", { steps: Math.min(left, most) });
        if (!reply) break;
        left -= most;
        set({ frame: reply, problem: reply.stopped || "" });
        await new Promise(requestAnimationFrame);
      }
      if (!state.lesson) return;
      set({ lesson: { ...state.lesson, busy: false } });
      const { tab, unit, weight, statement, loss } = step.open ?? {};
      if (tab) await act.openTab(tab);
      if (unit) await act.openUnit(...unit);
      if (weight) await act.openWeight(...weight);
      if (loss) await act.openLoss();
      if (statement !== undefined) { await act.openTab("statement"); await act.walkTo(statement); }
      if (step.open) reveal();
      await focusOn(".coach .main"); // Enter goes on
    },
    endLesson() {
      set({ lesson: null, walking: false });
      return focusOn(".tabs [aria-selected='true']");
    },
    decline() { remember("visited", "yes"); set({ invite: false }); },

    async code(kind) {
      const reply = await ask("code", { kind });
      if (reply) set({ code: reply, notice: "" });
    },
    async restart() {
      const reply = await ask("restart");
      if (reply) set({ frame: reply, notice: notices.restarted });
    },
    async exportFile(kind) {
      const reply = await ask("export", { kind });
      if (!reply) return;
      for (const file of reply.files) act.download(file.name, new Blob([bytes(file.content)]));
      set({ notice: notices.downloaded(reply.files.map((file) => file.name)) });
    },
    async replay(kind) {
      set({ running: false, notice: notices.drawing });
      const reply = await ask("replay", { kind });
      set({ notice: reply ? notices.downloaded([reply.files[0].name]) : "" });
      for (const file of reply?.files ?? []) act.download(file.name, new Blob([bytes(file.content)]));
    },
    async savePicture(kind, format) {
      const { pngOf, svgOf } = await import("./picture.js"), found = svgOf(kind);
      if (!found) return set({ notice: notices.not_shown });
      act.download(`${kind}.${format}`, format === "png" ? await pngOf(found)
        : new Blob([found.text], { type: "image/svg+xml" }));
      set({ notice: notices.downloaded([`${kind}.${format}`]) });
    },
    download(name, blob) {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    },
    async copy(text, notice) {
      try { await navigator.clipboard.writeText(text); set({ notice });
        } catch { set({ notice: notices.no_clipboard }); }
    },
    copyLink() {
      const link = toLink(state.settings, state.choices.defaults);
      history.replaceState(null, "", link);
      const { data } = state.settings, isOwn = state.sets.find(({ name }) => name === data)?.own;
      return act.copy(link, isOwn ? notices.link_without(data) : notices.link_copied);
    },
    async openFile(field) {
      const [file] = field.files;
      field.value = "";
      if (file) await act.takeFile(file);
    },
    async takeFile(file) {
      if (file.size > 4 * 2 ** 20) return set({ problem: notices.too_large(file.name) });
      const content = base64(new Uint8Array(await file.arrayBuffer()));
      if (!/\.(safetensors|json|onnx)$/i.test(file.name)) {
        const found = await ask("open_table", { name: file.name, content, target: "", impute: false });
        if (found) set({ table: { name: file.name, content, columns: found.columns } });
        return found;
      }
      const reply = await ask("open_model", { name: file.name, content });
      if (reply) { take(reply); set({ notice: notices.opened(file.name), detail: null }); await showRow(); }
      return reply;
    },

    async openTable(target, impute) {
      const { name, content } = state.table;
      const reply = take(await ask("open_table", { name, content, target, impute }));
      if (reply) { set({ detail: null, row: 0 }); await act.chooseRow(0); }
    },

    theme() {
      const theme = state.theme === "light" ? "dark" : "light";
      document.documentElement.dataset.theme = theme;
      remember("theme", theme);
      set({ theme });
    },
  };

  async function loop() { // the next frame is asked for when the last one is drawn
    while (state.running) {
      const reply = await ask("advance", { steps: state.speed });
      if (!reply) break;
      await afterFrame(reply); // also the last one after a pause: the session is there
      await new Promise(requestAnimationFrame);
    }
  }
  return act;
}

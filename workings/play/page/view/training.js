// The settings of the training; they can change while it runs.
import { html } from "../vendor/lit-html.js";
import { hints, names, training as words } from "../strings.js";
import { numberField, select } from "./parts.js";

const rates = [1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const penalties = [0, 1e-5, 1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1];
const speeds = [1, 2, 5, 10, 20, 50, 100];
const withValue = (list, value) => [...new Set([...list, value])].sort((a, b) => a - b).map(String);

export function trainingBar(state, act) {
  const { settings, choices } = state;
  const change = (name, convert = (v) => v) => (value) => act.configure({ [name]: convert(value) });
  const hasRate = settings.optimizer !== "LBFGS"; // for which SciPy chooses the steps
  const batches = withValue([0, 1, 5, 10, 30, 100], settings.batch_size);
  return html`<section class="training" aria-label=${words.group}>
    ${select("optimizer", settings.optimizer, choices.optimizers, change("optimizer"),
      choices.is_static ? { hint: hints.optimizer_static, absent: choices.optimizers_of_python } : {})}
    ${hasRate ? select("lr", String(settings.lr), withValue(rates, settings.lr), change("lr", Number)) : ""}
    ${hasRate ? select("schedule", settings.schedule, choices.schedules, change("schedule")) : ""}
    ${!hasRate || settings.schedule === "constant" ? "" : numberField("schedule_steps", settings.schedule_steps,
      { low: 1, high: 100000 }, change("schedule_steps"))}
    ${select("batch_size", String(settings.batch_size), batches, change("batch_size", Number),
      { show: (v) => (v === "0" ? words.all_rows : v) })}
    ${select("regularizer", settings.regularizer, choices.regularizers, change("regularizer"))}
    ${settings.regularizer ? select("lam", String(settings.lam), withValue(penalties, settings.lam), change("lam", Number)) : ""}
    ${select("loss", settings.loss, choices.losses, change("loss"),
      { show: (v) => (v === "auto" ? words.auto(state.network.loss.split("(")[0]) : v) })}
    ${numberField("seed", settings.seed, { low: 0, high: 9999 }, change("seed"))}
    ${select("speed", String(state.speed), speeds.map(String), (v) => act.set({ speed: Number(v) }),
      { label: names.speed, hint: hints.speed })}
  </section>`;
}

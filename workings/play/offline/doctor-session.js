// The doctor of the page without a server: the translated checks, for the network and the data of a session.
import { Case, checks_for, described, history_of, known_training, run_checks } from "./doctor-checks.js";
import { networkOf, optimizerFor, patience } from "./doctor-network.js";
import { offline } from "./strings.js";

const PATIENCE = 5000; // milliseconds in which a page may not answer

/** Return dicts and lists as plain objects and arrays. */
function plain(value) {
  if (value instanceof Map) return Object.fromEntries([...value].map(([name, one]) => [name, plain(one)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

/**
 * Return what the doctor finds in a run: its findings, each with its change of settings, and what it checked.
 * The search for a rate that settles ends after some time, and the answer says so.
 */
export function adviceOn(trained, settings, most = PATIENCE) {
  Object.assign(patience, { left: most, ended: false });
  const { X, y } = trained.rows, { batch_size: batch } = settings;
  const network = networkOf(trained, settings);
  const training = known_training(null, new Map([["optimizer", optimizerFor(settings)], ["batch_size", batch || null]]));
  const columns = history_of({ course: trained.course, validation: trained.held });
  const example = Case.of(network, X, y, null, columns ?? new Map(), training, new Map(), null);
  const diagnosis = run_checks(example, checks_for(example));
  return {
    heading: diagnosis.heading, findings: diagnosis.findings.map((one) => plain(described(one, settings))),
    checked: [...diagnosis.looked_at, ...(patience.ended ? [offline.no_edge(most / 1000)] : [])], step: trained.step,
  };
}

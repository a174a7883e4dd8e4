// The museum without a server: what Python trained and drew when it wrote the site, loaded when it is opened.
import { museum } from "./settings.js";
import { refusals } from "./strings.js";

const load = async (name, what = "shown") => structuredClone((await import(`./museum/${name}.js`))[what]);

export const mistakes = () => ({ mistakes: structuredClone(museum.mistakes) });

/** Return a mistake beside the right network, on the data set that the site has of it. */
export async function exhibitOf(name) {
  check(name);
  return load(name);
}

/** Return what the doctor finds in the network with a mistake. */
export async function findingsOf(name) {
  check(name);
  return { findings: await load(name, "findings") };
}

function check(name) {
  if (!museum.mistakes.some((one) => one.name === name)) throw new Error(refusals.mistake(JSON.stringify(name)));
}

/** A game: four networks, of which one has a wrong statement. */
export class Game {
  static async begin(seed) {
    return Object.assign(new Game(), { ...await load(`game-${seed % museum.games}`), seed, given: 0 });
  }

  get networks() { return { networks: structuredClone(this.players), seed: this.seed }; }

  hint() {
    this.given = Math.min(this.given + 1, this.hints.length);
    return this.hints[this.given - 1];
  }

  guess(choice) {
    return choice === this.found.choice ? this.reveal() : { right: false, choice };
  }

  reveal() {
    return { ...structuredClone(this.found), hints: this.given };
  }
}

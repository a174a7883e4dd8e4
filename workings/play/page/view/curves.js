// The curves of the run, with those of the network that is kept for comparison.
import { output as words } from "../strings.js";
import { plotOf } from "./plot.js";

const column = (moments, k, low) => moments.map((moment) => [moment[0], low === undefined ? moment[k] : Math.max(moment[k], low)]);

export function curves(title, moments, first, second, now, low, high, others = []) {
  const least = high === undefined ? undefined : -0.5; // R² can be far below 0
  const values = [first, second].flatMap((k) => column([...moments, ...others], k,
    least).map(([, value]) => value)).filter(Number.isFinite);
  return plotOf(title, [
    { kind: "first", points: column(moments, first, least), name: words.training },
      { kind: "second", points: column(moments, second, least), name: words.validation },
    ...(others.length ? [{ kind: "third", points: column(others, first, least), name: words.kept_training },
      { kind: "fourth", points: column(others, second, least), name: words.kept_validation }] : []),
  ], { low: Math.min(low, ...values), high, now: now < moments.length - 1 ? moments[now][0] : null });
}

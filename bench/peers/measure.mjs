// How measurements are taken and judged: rounds in turn, medians with their range, and whether the
// machine was the same before and after.
import { loadavg } from "node:os";
import { Worker, isMainThread, parentPort } from "node:worker_threads";

const CALIBRATION_STEPS = 60_000_000;
const SAME = 0.1; // calibrations that differ by more are of another machine
const FREE_SHARE = 0.9; // of wall time that a busy loop must get to call the machine free
// two loops at once must do this much more than one for two threads to mean anything
const SCALES = 1.8;

/** A scalar loop whose steps wait for one another; milliseconds of wall time. */
function calibrationLoop() {
  const start = performance.now();
  let state = 1;
  for (let i = 0; i < CALIBRATION_STEPS; ++i) state = (Math.imul(state, 1664525) + 1013904223) | 0;
  const ms = performance.now() - start;
  return state === 0 ? ms + 1 : ms; // the result must be wanted, or the loop is dropped
}

if (!isMainThread) parentPort.on("message", () => parentPort.postMessage(calibrationLoop()));

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** Measures what the machine gives at this moment. */
export class Calibration {
  #workers;

  constructor(threads) {
    this.#workers = Array.from({ length: threads }, () => new Worker(new URL(import.meta.url)));
  }

  async #once(count) {
    const times = this.#workers.slice(0, count).map(
      (worker) =>
        new Promise((resolve) => {
          worker.once("message", resolve);
          worker.postMessage(null);
        }),
    );
    return (await Promise.all(times)).reduce((sum, ms) => sum + CALIBRATION_STEPS / ms / 1000, 0);
  }

  /**
   * {speed: millions of steps a second on `threads` threads, scale: against one thread, share: of a
   * core that one loop gets, load: load average}.
   */
  async take() {
    await this.#once(this.#workers.length);
    const one = [];
    const all = [];
    const before = process.cpuUsage();
    const start = performance.now();
    for (let i = 0; i < 5; ++i) one.push(await this.#once(1));
    const cpu = process.cpuUsage(before);
    const share = (cpu.user + cpu.system) / 1000 / (performance.now() - start);
    for (let i = 0; i < 5; ++i) all.push(await this.#once(this.#workers.length));
    return { speed: median(all), scale: median(all) / median(one), share, load: loadavg()[0] };
  }

  async close() {
    for (const worker of this.#workers) await worker.terminate();
  }
}

/** Why what lies between two calibrations does not count, or null where it does. */
export function doubt(before, after, threads) {
  const change = Math.abs(after.speed / before.speed - 1);
  if (change > SAME) return `calibration changed by ${(100 * change).toFixed(0)} %`;
  const share = Math.min(before.share, after.share);
  if (share < FREE_SHARE)
    return `other work on the machine: one loop got ${(100 * share).toFixed(0)} % of a core`;
  const scale = Math.min(before.scale, after.scale);
  if (threads > 1 && scale < SCALES)
    return `calibration on ${threads} threads only ${scale.toFixed(2)} times one`;
  return null;
}

/**
 * Runs all contenders in turn, round after round: one round that warms up and is not counted, then
 * `rounds`, fewer where they take longer than `seconds`, but at least `fewest`. Returns a list of
 * values for each contender.
 */
export async function interleave(contenders, { rounds, fewest, seconds }) {
  const values = contenders.map(() => []);
  for (const contender of contenders) await contender.run(0);
  const start = performance.now();
  for (let round = 1; round <= rounds; ++round) {
    if (round > fewest && performance.now() - start > seconds * 1000) break;
    for (const [i, contender] of contenders.entries()) values[i].push(await contender.run(round));
  }
  return values;
}

/** {median, least, most} of values. */
export function spread(values) {
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
}

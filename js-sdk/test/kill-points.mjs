// Kills a Node process at a chosen point of its work, as a crash or a power cut would (SIGKILL: no
// handler runs), so that a test can look at what it left behind.
//
//     for (const afterBytes of seededIntegers({ seed: 7, count: 20, from: 0, to: file.length })) {
//       const run = await runAndKill({ script, args: [folder], server, kill: { afterBytes } });
//       ... what is in the folder now?
//     }

import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

/** @typedef {import("./http-wire.mjs").RequestRecord} RequestRecord */

/**
 * When the process is killed: so long after its start; once it has written a text to its standard
 * output; or once the server has sent so many bytes of bodies to it, of which not one more is sent
 * before the end. `lingerMs` (0) later in the last two cases.
 * @typedef {{ afterMs: number }
 *   | { afterOutput: string, lingerMs?: number }
 *   | { afterBytes: number, lingerMs?: number }} KillPoint
 */

/**
 * What of a server is needed: startFaultyServer's and startFakeHub's have it. No one else may use
 * the server meanwhile.
 * @typedef {object} ObservedServer
 * @property {(bytes: number) => Promise<boolean>} hold
 * @property {() => void} release
 * @property {() => Promise<void>} settled
 * @property {() => number} bytesSent
 * @property {() => readonly RequestRecord[]} requests
 */

/**
 * @typedef {object} RunOptions
 * @property {string} script  the path of a module
 * @property {string[]} [args]
 * @property {Record<string, string>} [env]  besides the environment of this process
 * @property {KillPoint} [kill]  without it the process runs to its end
 * @property {ObservedServer} [server]  needed for `afterBytes`
 * @property {number} [timeoutMs]  30000 by default
 */

/**
 * @typedef {object} Run
 * @property {boolean} killed  false where it ended before the point came
 * @property {number | null} code  its exit code, null where a signal ended it
 * @property {NodeJS.Signals | null} signal
 * @property {string} stdout
 * @property {string} stderr
 * @property {number} ms  how long it ran
 * @property {number} bytesServed  bytes of bodies that the server sent meanwhile; 0 without server
 * @property {readonly RequestRecord[]} requests  what the server was asked meanwhile
 */

/**
 * Runs a script in a process of its own and kills it at a point.
 * @param {RunOptions} options
 * @returns {Promise<Run>} rejects where the process cannot be started, or neither ends nor comes to
 * its point in time (it is killed then, too)
 */
export async function runAndKill({
  script,
  args = [],
  env = {},
  kill,
  server,
  timeoutMs = 30_000,
}) {
  if (kill && "afterBytes" in kill && !server)
    throw new TypeError("a kill point after a number of bytes needs the server that sends them");
  const requestsBefore = server?.requests().length ?? 0;
  const bytesBefore = server?.bytesSent() ?? 0;
  // Node's test runner marks its processes: a test in the script would report to it.
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const begin = performance.now();
  const child = spawn(process.execPath, [script, ...args], {
    env: { ...environment, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  for (const name of /** @type {const} */ (["stdout", "stderr"]))
    child[name].setEncoding("utf8").on("data", (text) => {
      output[name] += text;
    });
  const over = new AbortController();
  const { signal: overSignal } = over;

  /** Resolves to whether the point came before the end. */
  const reachPoint = async () => {
    if (!kill) return false;
    if ("afterMs" in kill) {
      await sleep(kill.afterMs, undefined, { signal: overSignal });
      return true;
    }
    if ("afterBytes" in kill) {
      if (!(await server?.hold(bytesBefore + kill.afterBytes))) return false;
    } else {
      while (!output.stdout.includes(kill.afterOutput))
        await once(child.stdout, "data", { signal: overSignal });
    }
    if (kill.lingerMs) await sleep(kill.lingerMs, undefined, { signal: overSignal });
    return true;
  };
  const killing = reachPoint().then(
    (isReached) => void (isReached && child.kill("SIGKILL")),
    (error) => {
      if (!overSignal.aborted) throw error;
    },
  );
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, timeoutMs);

  /** @type {[number | null, NodeJS.Signals | null]} */
  let end;
  try {
    end = /** @type {typeof end} */ (await once(child, "close"));
  } finally {
    clearTimeout(timer);
    over.abort();
    server?.release();
    await killing;
  }
  await server?.settled();
  const [code, signal] = end;
  if (isLate)
    throw new Error(
      `${script} neither ended nor came to its kill point within ${timeoutMs} ms; it wrote: ` +
        `${output.stdout}${output.stderr}`,
    );
  return {
    ...{ code, signal, killed: signal === "SIGKILL" },
    ...output,
    ms: performance.now() - begin,
    bytesServed: (server?.bytesSent() ?? 0) - bytesBefore,
    requests: server?.requests().slice(requestsBefore) ?? [],
  };
}

/**
 * The same whole numbers for the same seed, each in [from, to): for delays and byte counts.
 * @param {{ seed: number, count: number, from: number, to: number }} options
 */
export function seededIntegers({ seed, count, from, to }) {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  return Array.from({ length: count }, () => {
    // Marsaglia's xorshift with 32 bits of state.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return from + Math.floor((state / 2 ** 32) * (to - from));
  });
}

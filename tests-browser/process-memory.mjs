// The memory of a Chromium with all its processes, from Linux's /proc: the proportional set size,
// which counts a page that several share once. As a worker it reports again and again, because
// reading takes long enough to hold up whoever does it.
//   new Worker(new URL("process-memory.mjs", import.meta.url), { workerData: { profile, everyMs } })
import { readdirSync, readFileSync } from "node:fs";
import { isMainThread, parentPort, workerData } from "node:worker_threads";

const read = (pid, file) => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return ""; // it has ended
  }
};

/** The processes of the Chromium whose profile is in a folder: [number, kind] of each. */
function processesOf(profile) {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => ({
      pid,
      command: read(pid, "cmdline"),
      parent: /^PPid:\s+(\d+)$/m.exec(read(pid, "status"))?.[1],
    }));
  const found = all.filter(
    ({ command }) => command.includes(profile) && !command.includes("--type="),
  );
  for (const { pid } of found) found.push(...all.filter(({ parent }) => parent === pid));
  return found.map(({ pid, command }) => [
    pid,
    /--utility-sub-type=\w+\.\w+\.(\w+)/.exec(command)?.[1] ??
      /--type=([\w-]+)/.exec(command)?.[1] ??
      "browser",
  ]);
}

/** Bytes by kind of process ("browser", "renderer", "NetworkService" …). */
export function memoryOf(profile) {
  const memory = {};
  for (const [pid, kind] of processesOf(profile)) {
    const kilobytes = /^Pss:\s+(\d+) kB$/m.exec(read(pid, "smaps_rollup"))?.[1] ?? 0;
    memory[kind] = (memory[kind] ?? 0) + 1024 * Number(kilobytes);
  }
  return memory;
}

if (!isMainThread)
  setInterval(() => parentPort.postMessage(memoryOf(workerData.profile)), workerData.everyMs);

// How many processors this process may keep busy. Containers are often given a share of the
// machine's processors (cpu.max of Linux's control groups, version 2), which Node counts from
// version 22.12 on only: more threads than that are stopped together when the share is used up.

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

const groups = "/sys/fs/cgroup";

/** Processors in whole numbers, at least 1. `available` and `read` are the system's own. */
export function usableProcessors(
  available = availableParallelism(),
  read: (path: string) => string = (path) => readFileSync(path, "utf8"),
): number {
  let least = available;
  try {
    // "0::/path" is the group's place in version 2; limits of the groups around it hold, too.
    let path = /^0::(\/.*)$/m.exec(read("/proc/self/cgroup"))?.[1] ?? "/";
    for (;;) {
      least = Math.min(
        least,
        quotaOf(() => read(`${groups}${path}/cpu.max`)),
      );
      if (path === "" || path === "/") break;
      path = path.slice(0, path.lastIndexOf("/"));
    }
  } catch {
    // Not Linux.
  }
  return Math.max(1, least);
}

// "200000 100000": so many microseconds of processor time in each period of so many; "max": all.
function quotaOf(read: () => string): number {
  try {
    const [quota, period] = read().trim().split(/\s+/).map(Number);
    return quota! > 0 && period! > 0 ? Math.ceil(quota! / period!) : Infinity;
  } catch {
    return Infinity; // the root of all groups has no limit
  }
}

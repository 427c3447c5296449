// Shares of processors that a container has.

import assert from "node:assert/strict";
import { test } from "node:test";
import { usableProcessors } from "../src/api/processors.js";

function counted(files: Record<string, string>, available = 16): number {
  return usableProcessors(available, (path) => {
    const text = files[path.replaceAll("//", "/")];
    if (text === undefined) throw new Error(`no ${path}`);
    return text;
  });
}

test("without groups or limits it is what the system says", () => {
  assert.equal(counted({}), 16);
  assert.equal(counted({ "/proc/self/cgroup": "1:cpu:/\n0::/\n" }), 16);
  const unlimited = { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "max 100000\n" };
  assert.equal(counted(unlimited), 16);
  assert.equal(counted({ ...unlimited, "/sys/fs/cgroup/cpu.max": "nonsense\n" }), 16);
});

test("a share counts in whole processors, at least one, at most what there are", () => {
  const share = (text: string, available?: number) =>
    counted({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": text }, available);
  assert.equal(share("200000 100000\n"), 2);
  assert.equal(share("250000 100000\n"), 3);
  assert.equal(share("20000 100000\n"), 1);
  assert.equal(share("9900000 100000\n"), 16);
  assert.equal(share("200000 100000\n", 1), 1);
});

test("the smallest share of the groups around it holds", () => {
  const files = {
    "/proc/self/cgroup": "0::/kubepods/pod1/job\n",
    "/sys/fs/cgroup/kubepods/pod1/job/cpu.max": "max 100000\n",
    "/sys/fs/cgroup/kubepods/pod1/cpu.max": "300000 100000\n",
    "/sys/fs/cgroup/kubepods/cpu.max": "800000 100000\n",
  };
  assert.equal(counted(files), 3);
});

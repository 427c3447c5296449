// Steps of the set-up as they are shown: what is done, how long it took, how much was fetched.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const started = performance.now();
let fetchedBytes = 0;
let depth = 0;

const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`;
export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Counts bytes that came over the network. */
export function countFetched(bytes) {
  fetchedBytes += bytes;
}

/** Runs `work` as a named step. It may return a short remark, which is shown with the time. */
export async function step(name, work) {
  const begin = performance.now();
  const fetchedBefore = fetchedBytes;
  const indent = "  ".repeat(depth++);
  console.log(`${indent}- ${name} ...`);
  try {
    const remark = await work();
    const facts = [
      remark,
      fetchedBytes > fetchedBefore && `fetched ${megabytes(fetchedBytes - fetchedBefore)}`,
      seconds(performance.now() - begin),
    ];
    console.log(`${indent}  ${name}: ${facts.filter(Boolean).join(", ")}`);
  } finally {
    --depth;
  }
}

/** One line for a thing that needs nothing. */
export function present(name, remark) {
  console.log(`${"  ".repeat(depth)}- ${name}: ${remark}`);
}

export function summary() {
  return `${seconds(performance.now() - started)}, fetched ${megabytes(fetchedBytes)}`;
}

/** Bytes of all files under a folder. */
export function folderBytes(folder) {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += folderBytes(path);
    else if (entry.isFile()) bytes += statSync(path).size;
  }
  return bytes;
}

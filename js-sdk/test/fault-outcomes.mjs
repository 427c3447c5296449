// What a load of a model file must end in for each fault of faults.mjs, and how much it may fetch:
// the one table for Node (delivery.test.ts) and for pages (tests-browser/faults.spec.mjs).

import { faultNames, faults } from "./faults.mjs";

/** @typedef {import("./faults.mjs").Fault} Fault */
/** @typedef {import("./faults.mjs").FaultName} FaultName */

/** What is kept of the file when the fault strikes. */
export const states = /** @type {const} */ (["cold", "half cached", "cached"]);
/** @typedef {(typeof states)[number]} State */

/**
 * One load over one fault.
 * @typedef {object} FaultyLoad
 * @property {FaultName} name
 * @property {State} state
 * @property {string | undefined} code  of the error; undefined: the right bytes
 * @property {boolean} met  whether a request had the fault
 * @property {number} needed   bytes of the file that were not kept
 * @property {number} fetched  bytes that the server sent
 */

/**
 * What stays wrong however often it is asked for; the others end in the right bytes.
 * @type {Partial<Record<FaultName, string>>}
 */
const lasting = {
  "html-page": "invalid_file",
  "html-page-unlabelled": "invalid_file",
  "lfs-pointer": "invalid_file",
  "status-401": "http",
  "status-403": "http",
  "status-404": "http",
  "status-410": "http",
  "redirect-missing": "http",
};

// The server sends another file, or from another place of it than was asked for, which a client
// sees by the hashes at the earliest: as much as the whole file once more. All other faults may cost
// a chunk.
const anotherFile = /^(change|mixed-versions|shifted-bytes|ignore-range|compress)/;

/**
 * A fault as the loads meet it: short where it takes a time.
 * @param {FaultName} name
 * @returns {Fault}
 */
export const shortFault = (name) => ({
  name,
  ...(faults[name].takes.includes("ms") ? { ms: 100 } : {}),
});

/**
 * What is wrong with a load; undefined where it went as it must.
 * @param {FaultyLoad} load
 * @param {{ chunkBytes: number, fileBytes: number }} file
 */
export function complaint({ name, met, code, needed, fetched }, { chunkBytes, fileBytes }) {
  if (code && !(met && code === lasting[name]))
    return `wanted ${lasting[name] ?? "the right bytes"}, found ${code}`;
  const most = needed + chunkBytes + (anotherFile.test(name) ? fileBytes : 0);
  return fetched > most ? `fetched ${fetched} bytes, wanted at most ${most}` : undefined;
}

/**
 * The loads as lines of a table.
 * @param {FaultyLoad[]} loads
 */
export const tableOf = (loads) => [
  "fault | kept before | outcome | bytes needed | bytes fetched",
  ...loads
    .map((load) => ({
      ...load,
      place: faultNames.indexOf(load.name) * states.length + states.indexOf(load.state),
    }))
    .sort((a, b) => a.place - b.place)
    .map(({ name, state, code, met, needed, fetched }) =>
      [name, state, met ? (code ?? "right") : "not met", needed, fetched].join(" | "),
    ),
];

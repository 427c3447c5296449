// Everything that can go wrong with a download, as changes to a good answer.

import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import {
  bytesContent,
  contentRange,
  emptyAnswer,
  lfsPointer,
  otherVersion,
  redirectAnswer,
  shortAnswer,
} from "./http-answers.mjs";

/** @typedef {import("./http-answers.mjs").Answer} Answer */
/** @typedef {import("./http-answers.mjs").Content} Content */
/** @typedef {import("./http-wire.mjs").HttpRequest} HttpRequest */
/** @typedef {import("./http-wire.mjs").Origin} Origin */

/**
 * One fault of a plan. Which fields a fault takes stands in the table; the rest have defaults.
 * @typedef {object} Fault
 * @property {FaultName} name
 * @property {number} [times]  for how many requests; 1 by default, Infinity for all
 * @property {number} [at]     offset in the file. The fault waits for an answer that contains it.
 * @property {number} [after]  in place of `at`: bytes of the answer's body. The default of both is
 * the middle of the body.
 * @property {number} [bytes]  see the fault
 * @property {number} [ms]     see the fault
 * @property {number} [seconds]  of Retry-After
 * @property {number} [uses]   how many requests a signed address serves; Infinity by default
 * @property {string} [to]  an address in place of the signed one, absolute or a path
 * @property {boolean} [chunked]  in chunked encoding, without Content-Length; its chunks are of
 * 65536 bytes
 */

/**
 * What a fault may reach besides the answer.
 * @typedef {object} World
 * @property {HttpRequest} request
 * @property {(content: Content) => void} replace  from now on the file is this
 * @property {(ms: number) => void} refuse  stop listening for so long
 * @property {(origin: Origin, limits?: { ms?: number, uses?: number }) => string} sign  an address
 * that serves the file, for a time and a number of requests
 * @property {() => string} endlessAddress  one that redirects to itself
 */

/**
 * @typedef {object} FaultDefinition
 * @property {string} about  one line
 * @property {"any" | "body" | "part"} needs  the answers that it can change: any to GET and HEAD,
 * those with a body, those with a part of the file (206)
 * @property {boolean} harmless  a client that does no more than fetch and obey HTTP still gets the
 * right bytes
 * @property {readonly (keyof Fault)[]} takes  besides name and times
 * @property {(answer: Answer, fault: Fault, world: World) => void | Promise<void>} apply
 * @property {Where | undefined} where  the position in the body at which it strikes; it changes
 * only answers that have a byte there
 */

const compressed = promisify(gzip);
/** @param {Answer} answer */
const lengthOf = (answer) => answer.end - answer.start;

/**
 * Where in the body a fault strikes.
 * @param {Answer} answer
 * @param {Fault} fault
 */
function place(answer, { at, after }) {
  if (at !== undefined) return at - answer.start;
  return after ?? Math.floor(lengthOf(answer) / 2);
}

/**
 * The last boundary of chunks of the file before the middle of the body, as a position in the body;
 * -1 where the body has none inside.
 * @param {Answer} answer
 * @param {Fault} fault
 */
function boundary({ start, end }, { bytes = 65536 }) {
  const position = Math.floor((start + end) / 2 / bytes) * bytes - start;
  return position > 0 ? position : -1;
}

/** @typedef {Answer["ending"]} Ending */
/** @typedef {(answer: Answer, fault: Fault) => number} Where */

/** @type {(ending: Ending, where: Where) => (answer: Answer, fault: Fault) => void} */
const endAt = (ending, where) => (answer, fault) => {
  answer.stopAfter = where(answer, fault);
  answer.ending = ending;
  if (fault.chunked) answer.framing = "chunked";
};

/** @type {(ending: Ending, partOfHeader: number) => (answer: Answer) => void} */
const endInHeader = (ending, partOfHeader) => (answer) => {
  answer.headerPart = partOfHeader;
  answer.ending = ending;
};

/** @type {(ending: Ending) => FaultDefinition["apply"]} */
const withoutEnd = (ending) => (answer) => {
  answer.framing = "chunked";
  answer.ending = ending;
};

/** @type {(answer: Answer, replacement: Answer) => void} */
const become = (answer, replacement) => void Object.assign(answer, replacement);

/**
 * An answer with this status and a line of text.
 * @param {number} status
 * @param {(fault: Fault) => Record<string, string>} [headers]
 * @returns {FaultDefinition["apply"]}
 */
const refuseWith =
  (status, headers = () => ({})) =>
  (answer, fault) =>
    become(answer, shortAnswer(status, `status ${status}\n`, headers(fault)));

/**
 * @param {number} status
 * @param {Origin} origin
 * @returns {FaultDefinition["apply"]}
 */
const redirect =
  (status, origin) =>
  (answer, { to, ms, uses }, world) =>
    become(
      answer,
      redirectAnswer(
        to ?? world.sign(origin, { ...(ms ? { ms } : {}), ...(uses ? { uses } : {}) }),
        status,
      ),
    );

/**
 * @param {Answer} answer
 * @param {boolean} whole
 */
async function compress(answer, whole) {
  if (whole) makeWhole(answer);
  const { content, start, end, headers } = answer;
  const packed = await compressed((await content?.read(start, end)) ?? new Uint8Array());
  headers["content-encoding"] = "gzip";
  headers["vary"] = "accept-encoding";
  Object.assign(answer, { content: bytesContent(packed), start: 0, end: packed.length });
}

/** @param {Answer} answer */
function makeWhole(answer) {
  answer.status = 200;
  delete answer.headers["content-range"];
  answer.start = 0;
  answer.end = answer.content?.size ?? 0;
}

/**
 * The whole of the next version.
 * @param {Answer} answer
 * @param {World} world
 * @param {Content} next
 */
function change(answer, world, next) {
  world.replace(next);
  answer.content = next;
  answer.headers["etag"] = next.etag;
  answer.headers["last-modified"] = next.modified.toUTCString();
  makeWhole(answer);
}

/** @type {FaultDefinition["apply"]} */
function changeMidway(answer, fault, world) {
  endAt("drop", place)(answer, fault);
  const { content } = answer;
  if (content) answer.afterwards = () => world.replace(otherVersion(content, fault.bytes));
}

/**
 * Changes the bytes [from, to) of the file in this answer: those bits that `mask` has.
 * @param {Answer} answer
 * @param {number} from
 * @param {number} to
 * @param {number} mask
 */
function flipBits(answer, from, to, mask) {
  const { content } = answer;
  if (!content) return;
  /** @type {Content["read"]} */
  const read = async (start, end) => {
    const bytes = await content.read(start, end);
    return bytes.map((byte, at) => (start + at >= from && start + at < to ? byte ^ mask : byte));
  };
  answer.content = { ...content, read };
}

const page =
  "<!doctype html>\n<html><head><title>Sign in</title></head><body>Sign in</body></html>\n";

/** @type {(answer: Answer, type: string) => void} */
const becomePage = (answer, type) =>
  become(answer, shortAnswer(200, page, { "content-type": type }));

/**
 * Makes the ETag a weak one, or takes it and the date away.
 * @param {Answer} answer
 * @param {"weak" | "none"} etag
 */
export function weaken({ headers }, etag) {
  if (etag === "weak" && headers["etag"]) headers["etag"] = `W/${headers["etag"]}`;
  if (etag === "weak") return;
  delete headers["etag"];
  delete headers["last-modified"];
}

/**
 * @template {string} Name
 * @param {Record<Name, FaultDefinition>} definitions
 */
const table = (definitions) => definitions;

/**
 * @param {FaultDefinition["needs"]} needs
 * @param {string} about
 * @param {FaultDefinition["apply"]} apply
 * @param {FaultDefinition["takes"]} [takes]
 * @param {Where} [where]
 * @returns {FaultDefinition}
 */
const harm = (needs, about, apply, takes = [], where) => ({
  ...{ needs, about, apply, takes, where, harmless: false },
});

/** @type {typeof harm} */
const trial = (...args) => ({ ...harm(...args), harmless: true });

/**
 * The body ends at a position.
 * @param {string} about
 * @param {Ending} ending
 * @param {Where} where
 * @param {FaultDefinition["takes"]} [takes]
 */
const stop = (about, ending, where, takes = ["at", "after", "chunked"]) =>
  harm("body", about, endAt(ending, where), takes, where);

/**
 * The answer is orderly and has only a part of the body.
 * @param {string} about
 * @param {Answer["framing"]} framing
 */
const shorten = (about, framing) =>
  harm(
    "body",
    about,
    (answer, fault) => {
      answer.end = answer.start + place(answer, fault);
      answer.framing = framing;
    },
    ["at", "after"],
    place,
  );

/** @type {(fault: Fault) => Record<string, string>} */
const retryAfter = ({ seconds = 1 }) => ({ "retry-after": `${seconds}` });

/** All faults by name. */
export const faults = table({
  // The connection ends.
  drop: stop("closes the connection in the body", "drop", place),
  "drop-at-chunk-boundary": stop(
    "closes it at a multiple of `bytes` (65536) of the file: the last before the body's middle",
    "drop",
    boundary,
    ["bytes", "chunked"],
  ),
  "drop-inside-chunk": stop(
    "closes it half of `bytes` (65536) before such a multiple",
    "drop",
    (answer, fault) => boundary(answer, fault) - Math.ceil((fault.bytes ?? 65536) / 2),
    ["bytes", "chunked"],
  ),
  "drop-inside-file-header": stop(
    "closes it within the first bytes of the file: after `bytes` (20)",
    "drop",
    (answer, { bytes = 20 }) => bytes - answer.start,
    ["bytes", "chunked"],
  ),
  "drop-before-first-byte": stop("closes it between the header and the body", "drop", () => 0, [
    "chunked",
  ]),
  "drop-after-last-byte": harm(
    "body",
    "closes it after the last byte, before the mark that ends a chunked body",
    withoutEnd("drop"),
  ),
  "drop-inside-http-header": harm("any", "closes it in the header", endInHeader("drop", 0.5)),
  "no-answer": harm("any", "closes it without a byte of an answer", endInHeader("drop", 0)),
  reset: stop("resets the connection (RST) in the body", "reset", place),
  "reset-inside-http-header": harm("any", "resets it in the header", endInHeader("reset", 0.5)),
  refuse: harm(
    "any",
    "closes it without an answer and refuses connections for `ms` (200), as in a restart",
    (answer, { ms = 200 }, world) => {
      endInHeader("drop", 0)(answer);
      answer.afterwards = () => world.refuse(ms);
    },
    ["ms"],
  ),

  // Nothing more comes.
  stall: stop("sends no byte more, for ever", "stall", place),
  "stall-before-header": harm("any", "never answers", endInHeader("stall", 0)),
  "stall-inside-http-header": harm("any", "stops in the header", endInHeader("stall", 0.5)),
  "stall-before-first-byte": stop("stops between the header and the body", "stall", () => 0, [
    "chunked",
  ]),
  "stall-after-last-byte": harm(
    "body",
    "stops after the last byte, before the mark that ends a chunked body",
    withoutEnd("stall"),
  ),

  // Too little, too much, or of unknown length.
  truncate: shorten("a part of the body, with the Content-Length of that part", "length"),
  "truncate-chunked": shorten("a part of the body in an orderly chunked encoding", "chunked"),
  "truncate-no-length": shorten("a part of the body, ended by the end of the connection", "close"),
  "truncate-full-length": stop(
    "the Content-Length of the whole, then an orderly end (FIN) after a part of the body",
    "truncate",
    place,
    ["at", "after"],
  ),
  "empty-body": harm("body", "a good status and no bytes", (answer) => {
    answer.end = answer.start;
  }),
  "length-too-long": harm(
    "body",
    "Content-Length tells `bytes` (1000) more than there are",
    (answer, { bytes = 1000 }) => {
      answer.announcedLength = lengthOf(answer) + bytes;
      answer.ending = "truncate";
    },
    ["bytes"],
  ),
  "length-too-short": harm(
    "body",
    "Content-Length tells `bytes` (1000) fewer than there are",
    (answer, { bytes = 1000 }) => {
      answer.announcedLength = Math.max(0, lengthOf(answer) - bytes);
      answer.ending = "truncate";
    },
    ["bytes"],
  ),
  "extra-bytes": harm(
    "body",
    "`bytes` (1000) of rubbish in the body behind the file, counted in Content-Length",
    (answer, { bytes = 1000 }) => {
      answer.announcedLength = lengthOf(answer) + bytes;
      answer.extra = new Uint8Array(bytes).fill(0x5a);
    },
    ["bytes"],
  ),
  "bytes-behind-end": trial(
    "body",
    "`bytes` (1000) of rubbish on the connection behind the body, not counted in Content-Length",
    (answer, { bytes = 1000 }) => {
      answer.extra = new Uint8Array(bytes).fill(0x5a);
      answer.ending = "truncate";
    },
    ["bytes"],
  ),
  "no-length": trial(
    "body",
    "no Content-Length: the end of the connection ends the body",
    (answer) => {
      answer.framing = "close";
    },
  ),
  chunked: trial("body", "no Content-Length: chunked encoding", (answer) => {
    answer.framing = "chunked";
  }),

  // Slow.
  "slow-header": trial(
    "any",
    "the answer begins after `ms` (200)",
    (answer, { ms = 200 }) => {
      answer.headerDelayMs = ms;
    },
    ["ms"],
  ),
  "slow-first-byte": trial(
    "body",
    "the header comes at once, the body after `ms` (200)",
    (answer, { ms = 200 }) => {
      answer.bodyDelayMs = ms;
    },
    ["ms"],
  ),
  "slow-drip": trial(
    "body",
    "`bytes` (a tenth of the body) every `ms` (20)",
    (answer, { bytes, ms = 20 }) => {
      answer.drip = { ms, bytes: bytes ?? Math.max(1, Math.ceil(lengthOf(answer) / 10)) };
    },
    ["bytes", "ms"],
  ),

  // Wrong bytes.
  alter: harm(
    "body",
    "one bit of one byte is wrong",
    (answer, fault) => {
      const at = answer.start + place(answer, fault);
      flipBits(answer, at, at + 1, 0x10);
    },
    ["at", "after"],
    place,
  ),
  "garbled-block": harm(
    "body",
    "`bytes` (4096) bytes in a row are wrong",
    (answer, { bytes = 4096, ...fault }) => {
      const at = answer.start + place(answer, fault);
      flipBits(answer, at, at + bytes, 0xff);
    },
    ["at", "after", "bytes"],
    place,
  ),
  "html-page": harm("body", "a web page with status 200", (answer) =>
    becomePage(answer, "text/html; charset=utf-8"),
  ),
  "html-page-unlabelled": harm("body", "a web page that calls itself a file", (answer) =>
    becomePage(answer, "application/octet-stream"),
  ),
  "lfs-pointer": harm("body", "the Git-LFS pointer in place of the file", async (answer) => {
    const size = answer.content?.size ?? 0;
    const bytes = (await answer.content?.read(0, size)) ?? "";
    const oid = createHash("sha256").update(bytes).digest("hex");
    become(answer, shortAnswer(200, lfsPointer(oid, size)));
  }),

  // The file changes.
  change: harm(
    "body",
    "from now on the file is another of the same length, with another ETag",
    (answer, _fault, world) => {
      if (answer.content) change(answer, world, otherVersion(answer.content));
    },
  ),
  "change-length": harm(
    "body",
    "from now on the file is another, longer by `bytes` (1000; fewer than 0: shorter)",
    (answer, { bytes = 1000 }, world) => {
      if (answer.content) change(answer, world, otherVersion(answer.content, bytes));
    },
    ["bytes"],
  ),
  "change-midway": harm(
    "body",
    "closes the connection in the body; then the file is another of the same length",
    changeMidway,
    ["at", "after"],
    place,
  ),
  "change-length-midway": harm(
    "body",
    "closes the connection in the body; then the file is another, longer by `bytes` (1000)",
    (answer, fault, world) => changeMidway(answer, { bytes: 1000, ...fault }, world),
    ["at", "after", "bytes"],
    place,
  ),
  "change-unannounced": harm(
    "body",
    "from now on the file has other bytes under the same ETag and date",
    (answer, _fault, world) => {
      if (!answer.content) return;
      const { etag, modified } = answer.content;
      answer.content = { ...otherVersion(answer.content), etag, modified };
      world.replace(answer.content);
    },
  ),
  "mixed-versions": harm(
    "body",
    "one answer, the first part of it from this version of the file, the rest from another",
    (answer, fault) => {
      const { content } = answer;
      if (!content) return;
      const seam = answer.start + place(answer, fault);
      const next = otherVersion(content);
      /** @type {Content["read"]} */
      const read = async (start, end) => {
        const middle = Math.min(Math.max(start, seam), end);
        return Buffer.concat([await content.read(start, middle), await next.read(middle, end)]);
      };
      answer.content = { ...content, read };
    },
    ["at", "after"],
    place,
  ),

  // Elsewhere.
  "redirect-301": trial("any", "301 to the other origin", redirect(301, "other"), ["to"]),
  "redirect-302": trial("any", "302 to the other origin", redirect(302, "other"), ["to"]),
  "redirect-307": trial("any", "307 to the other origin", redirect(307, "other"), ["to"]),
  "redirect-308": trial("any", "308 to the other origin", redirect(308, "other"), ["to"]),
  "redirect-same-origin": trial("any", "302 to another path", redirect(302, "main"), ["to"]),
  "redirect-signed": trial(
    "any",
    "302 to an address of the other origin that answers 403 after `ms` or `uses` (1) requests",
    (answer, fault, world) => redirect(302, "other")(answer, { uses: 1, ...fault }, world),
    ["ms", "uses"],
  ),
  "redirect-missing": harm("any", "302 to an address where nothing is", (answer) =>
    become(answer, redirectAnswer("/nothing-here")),
  ),
  "redirect-loop": harm("any", "302 to an address that redirects to itself", (answer, _, world) =>
    become(answer, redirectAnswer(world.endlessAddress())),
  ),

  // Compressed.
  compress: trial("body", "gzip; of a part, the part compressed", (answer) =>
    compress(answer, false),
  ),
  "compress-whole": trial("body", "gzip of the whole file, whatever range was asked", (answer) =>
    compress(answer, true),
  ),
  "compress-hidden": trial(
    "body",
    "gzip of the whole file, and pages of other origins may not read the headers",
    async (answer) => {
      await compress(answer, true);
      answer.headers["access-control-expose-headers"] = "";
    },
  ),

  // Ranges.
  "ignore-range": trial("part", "200 with the whole file", makeWhole),
  "range-not-satisfiable": harm("part", "416", (answer) =>
    become(
      answer,
      shortAnswer(416, "", { "content-range": `bytes */${answer.content?.size ?? 0}` }),
    ),
  ),
  "wrong-content-range": harm(
    "part",
    "the right bytes, but Content-Range tells `bytes` (1) more for both ends",
    (answer, { bytes = 1 }) => {
      const { start, end, content, headers } = answer;
      headers["content-range"] = contentRange(start + bytes, end + bytes, content?.size ?? 0);
    },
    ["bytes"],
  ),
  "missing-content-range": harm("part", "206 without Content-Range", ({ headers }) => {
    delete headers["content-range"];
  }),
  "wrong-total": harm(
    "part",
    "the right bytes, but Content-Range tells a size `bytes` (1) larger",
    ({ start, end, content, headers }, { bytes = 1 }) => {
      headers["content-range"] = contentRange(start, end, (content?.size ?? 0) + bytes);
    },
    ["bytes"],
  ),
  "unknown-total": trial("part", "Content-Range with * for the size", (answer) => {
    answer.headers["content-range"] = contentRange(answer.start, answer.end, "*");
  }),
  "shifted-range": harm(
    "part",
    "bytes that begin `bytes` (1) later than asked, and Content-Range says so",
    (answer, { bytes = 1 }) => {
      const size = answer.content?.size ?? 0;
      answer.start = Math.max(0, Math.min(answer.start + bytes, answer.end - 1));
      answer.end = Math.min(answer.end + bytes, size);
      answer.headers["content-range"] = contentRange(answer.start, answer.end, size);
    },
    ["bytes"],
  ),
  "shifted-bytes": harm(
    "part",
    "bytes from `bytes` (1) later than asked, but Content-Range says what was asked",
    (answer, { bytes = 1 }) => {
      const { content } = answer;
      if (!content) return;
      /** @type {Content["read"]} */
      const read = async (start, end) => {
        const moved = new Uint8Array(end - start);
        const from = Math.max(0, start + bytes);
        moved.set(await content.read(from, Math.max(from, Math.min(end + bytes, content.size))));
        return moved;
      };
      answer.content = { ...content, read };
    },
    ["bytes"],
  ),
  "shorter-range": trial(
    "part",
    "the first half of what was asked, and Content-Range says so",
    (answer) => {
      answer.end = answer.start + Math.ceil(lengthOf(answer) / 2);
      const size = answer.content?.size ?? 0;
      answer.headers["content-range"] = contentRange(answer.start, answer.end, size);
    },
  ),
  "multipart-range": harm("part", "multipart/byteranges for one range", async (answer) => {
    const { content, start, end, headers } = answer;
    const mark = "TINY_VLM_TEST_PART";
    const head = `--${mark}\r\ncontent-range: ${headers["content-range"]}\r\n\r\n`;
    const part = (await content?.read(start, end)) ?? new Uint8Array();
    const body = Buffer.concat([Buffer.from(head), part, Buffer.from(`\r\n--${mark}--\r\n`)]);
    headers["content-type"] = `multipart/byteranges; boundary=${mark}`;
    delete headers["content-range"];
    Object.assign(answer, { content: bytesContent(body), start: 0, end: body.length });
  }),
  "no-accept-ranges": trial("any", "Accept-Ranges: none, though ranges work", ({ headers }) => {
    headers["accept-ranges"] = "none";
  }),

  // Validators.
  "weak-etag": trial("any", "a weak ETag", (answer) => weaken(answer, "weak")),
  "no-etag": trial("any", "no ETag and no Last-Modified", (answer) => weaken(answer, "none")),
  "other-etag": trial("any", "the same bytes with an ETag of another machine", ({ headers }) => {
    if (headers["etag"]) headers["etag"] = `${headers["etag"].slice(0, -1)}-b"`;
  }),
  "unasked-304": harm("any", "304, though the request has no condition", (answer) => {
    const { date: _, ...headers } = answer.headers;
    delete headers["content-range"];
    become(answer, emptyAnswer(304, headers));
  }),

  // Refused.
  "status-401": harm(
    "any",
    "401 with a WWW-Authenticate challenge",
    refuseWith(401, () => ({ "www-authenticate": 'Bearer realm="files"' })),
  ),
  "status-403": harm("any", "403", refuseWith(403)),
  "status-404": harm("any", "404", refuseWith(404)),
  "status-408": harm(
    "any",
    "408, and the connection is closed",
    refuseWith(408, () => ({ connection: "close" })),
  ),
  "status-410": harm("any", "410", refuseWith(410)),
  "status-416": harm("any", "416 without Content-Range", refuseWith(416)),
  "status-425": harm("any", "425", refuseWith(425)),
  "status-429": harm("any", "429 with Retry-After in `seconds` (1)", refuseWith(429, retryAfter), [
    "seconds",
  ]),
  "status-429-date": harm(
    "any",
    "429 with Retry-After as a date `seconds` (1) ahead",
    refuseWith(429, ({ seconds = 1 }) => ({
      "retry-after": new Date(Date.now() + 1000 * seconds).toUTCString(),
    })),
    ["seconds"],
  ),
  "status-429-bare": harm("any", "429 without Retry-After", refuseWith(429)),
  "hub-rate-limit": harm(
    "any",
    "429 as the model hub sends it: the quota's window ends in `seconds` (1), no Retry-After",
    refuseWith(429, ({ seconds = 1 }) => ({
      ratelimit: `"resolvers";r=0;t=${seconds}`,
      "ratelimit-policy": '"fixed window";"resolvers";q=3000;w=300',
    })),
    ["seconds"],
  ),
  "status-500": harm("any", "500", refuseWith(500)),
  "status-502": harm("any", "502", refuseWith(502)),
  "status-503": harm("any", "503 with Retry-After in `seconds` (1)", refuseWith(503, retryAfter), [
    "seconds",
  ]),
  "status-503-bare": harm("any", "503 without Retry-After", refuseWith(503)),
  "status-504": harm("any", "504", refuseWith(504)),

  // What pages of other origins may read.
  "no-cors": trial(
    "any",
    "pages of other origins may not read the answer: it allows another origin alone",
    ({ headers }) => {
      headers["access-control-allow-origin"] = "http://elsewhere.invalid";
    },
  ),
  "headers-hidden": trial(
    "any",
    "pages of other origins may read the body alone",
    ({ headers }) => {
      headers["access-control-expose-headers"] = "";
    },
  ),
});

/** @typedef {keyof typeof faults} FaultName */

/** The names of all faults, in the order of the table. */
export const faultNames = /** @type {FaultName[]} */ (Object.keys(faults));

/**
 * Whether a fault can change this answer.
 * @param {Fault} fault
 * @param {Answer} answer
 * @param {string} method
 */
export function concerns(fault, answer, method) {
  const { needs, where } = faults[fault.name];
  if (needs === "any") return true;
  const hasBody = method === "GET" && answer.content !== null && lengthOf(answer) > 0;
  if (!hasBody || (answer.status !== 206 && (needs === "part" || answer.status !== 200)))
    return false;
  const position = where?.(answer, fault) ?? 0;
  return position >= 0 && position < lengthOf(answer);
}

/**
 * Throws where a fault of a plan is none, or has a field that it does not take.
 * @param {Fault} fault
 */
export function checkFault(fault) {
  const definition = Object.hasOwn(faults, fault.name) ? faults[fault.name] : undefined;
  if (!definition)
    throw new TypeError(`unknown fault "${fault.name}"; known: ${faultNames.join(", ")}`);
  const known = ["name", "times", ...definition.takes];
  const unknown = Object.keys(fault).filter((key) => !known.includes(key));
  if (unknown.length > 0)
    throw new TypeError(
      `fault "${fault.name}" takes ${known.slice(1).join(", ")}, not ${unknown.join(", ")}`,
    );
}

// What a well-behaved file server answers: ranges, conditions, validators (RFC 9110). Faults start
// from here.

import { createHash } from "node:crypto";
import { open, stat } from "node:fs/promises";

/** @typedef {import("./http-wire.mjs").HttpRequest} HttpRequest */

/**
 * The bytes behind an address, in memory or on the disk.
 * @typedef {object} Content
 * @property {number} size  in bytes
 * @property {string} etag  strong, with its quotes
 * @property {Date} modified
 * @property {string} type  the Content-Type
 * @property {(start: number, end: number) => Promise<Uint8Array>} read  the bytes [start, end)
 * @property {Uint8Array} [next]  its next version, for faults that change it
 */

/**
 * One answer before it is sent.
 * @typedef {object} Answer
 * @property {number} status
 * @property {Record<string, string>} headers  lower-case names; those that tell the length of the
 * body come from the fields below
 * @property {Content | null} content  the body is [start, end) of it
 * @property {number} start
 * @property {number} end
 * @property {"length" | "chunked" | "close"} framing  how the client learns where the body ends:
 * from Content-Length, from chunked encoding, or only from the end of the connection
 * @property {number} [announcedLength]  Content-Length in place of the true one
 * @property {"complete" | "truncate" | "drop" | "reset" | "stall"} ending  "truncate" closes the
 * server's half of the connection, "drop" both, "reset" with RST; "stall" waits for the client to
 * go
 * @property {number} [stopAfter]  the ending comes after so many bytes of the body
 * @property {number} headerPart  where below 1, the ending comes after this part of the header
 * @property {number} headerDelayMs
 * @property {number} bodyDelayMs  between the header and the first byte of the body
 * @property {number} [silenceMs]  before an ending other than "complete"
 * @property {{ bytes: number, ms: number }} [drip]  a pause of `ms` after every `bytes`
 * @property {Uint8Array} [extra]  sent behind the end of the body
 * @property {() => void} [afterwards]  runs when the answer is sent or has failed
 */

const binary = "application/octet-stream";

/**
 * @param {Uint8Array} bytes
 * @param {{ type?: string, modified?: Date }} [options]
 * @returns {Content}
 */
export function bytesContent(bytes, { type = binary, modified = new Date(1.7e12) } = {}) {
  const etag = `"${createHash("sha256").update(bytes).digest("hex").slice(0, 32)}"`;
  return {
    ...{ size: bytes.length, etag, modified, type },
    read: async (start, end) => bytes.subarray(start, end),
  };
}

/**
 * A file as it is on the disk now; it must not change while it is served.
 * @param {string} path
 * @param {{ type?: string, etag?: string }} [options]
 * @returns {Promise<Content>} rejects where there is no such file
 */
export async function diskContent(path, { type = binary, etag } = {}) {
  const { size, mtime } = await stat(path);
  return {
    ...{ size, type, modified: mtime },
    etag: etag ?? `"${size.toString(16)}-${mtime.getTime().toString(16)}"`,
    async read(start, end) {
      const file = await open(path, "r");
      try {
        const bytes = new Uint8Array(end - start);
        const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
        if (bytesRead !== bytes.length)
          throw new Error(`${path}: wanted bytes ${start} to ${end}, found ${bytesRead} of them`);
        return bytes;
      } finally {
        await file.close();
      }
    },
  };
}

/**
 * Another version of a file: its next one where there is one, else one in which each byte differs,
 * with `longerBy` bytes more, or fewer where negative. ETag and date differ, too.
 * @param {Content} content
 * @param {number} [longerBy]
 * @returns {Content}
 */
export function otherVersion(content, longerBy = 0) {
  const { etag, modified, type, read, next } = content;
  const changes = {
    etag: `${etag.slice(0, -1)}-next"`,
    modified: new Date(modified.getTime() + 60_000),
  };
  if (next) return { ...bytesContent(next), ...changes };
  return {
    ...changes,
    ...{ type, size: Math.max(0, content.size + longerBy) },
    async read(start, end) {
      const bytes = new Uint8Array(end - start);
      const old = Math.min(end, content.size);
      if (start < old) bytes.set(await read(start, old));
      return bytes.map((byte) => byte ^ 0xa5);
    },
  };
}

/**
 * What a Git repository has in place of a large file.
 * @param {string} sha256  in hexadecimal digits
 * @param {number} size    in bytes
 */
export const lfsPointer = (sha256, size) =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`;

/**
 * A short answer, whole.
 * @param {number} status
 * @param {string | Uint8Array} body
 * @param {Record<string, string>} [headers]
 * @returns {Answer}
 */
export function shortAnswer(status, body, headers = {}) {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return {
    ...{ status, headers: { "content-type": "text/plain; charset=utf-8", ...headers } },
    ...{ content: bytesContent(bytes), start: 0, end: bytes.length },
    ...{ framing: "length", ending: "complete", headerPart: 1, headerDelayMs: 0, bodyDelayMs: 0 },
  };
}

/**
 * @param {string} location
 * @param {number} [status]
 * @param {Record<string, string>} [headers]
 */
export const redirectAnswer = (location, status = 302, headers = {}) =>
  shortAnswer(status, `see ${location}\n`, { ...headers, location });

/**
 * @param {number} status
 * @param {unknown} value
 * @param {Record<string, string>} [headers]
 */
export const jsonAnswer = (status, value, headers = {}) =>
  shortAnswer(status, JSON.stringify(value), {
    "content-type": "application/json; charset=utf-8",
    ...headers,
  });

/**
 * An answer without a body (204, 304).
 * @param {number} status
 * @param {Record<string, string>} headers
 * @returns {Answer}
 */
export const emptyAnswer = (status, headers) => ({
  ...shortAnswer(status, "", {}),
  ...{ headers, content: null },
});

/**
 * 200, 206, 304 or 416 for a file. Conditions: If-None-Match, and If-Range with a strong ETag or
 * the exact date; several ranges are answered with the whole file.
 * @param {HttpRequest} request
 * @param {Content} content
 * @param {Record<string, string>} [headers]
 * @returns {Answer}
 */
export function fileAnswer(request, content, headers = {}) {
  const { etag, modified, size, type } = content;
  const date = modified.toUTCString();
  const validators = { etag, "last-modified": date, "accept-ranges": "bytes", ...headers };
  const known = request.headers["if-none-match"];
  if (
    known?.split(",").some((one) => one.trim() === "*" || one.trim().replace(/^W\//, "") === etag)
  )
    return emptyAnswer(304, validators);

  const ifRange = request.headers["if-range"];
  const isCurrent = ifRange === undefined || ifRange === etag || ifRange === date;
  // RFC 9110 defines ranges for GET alone.
  const range =
    request.method === "GET" && isCurrent ? parseRange(request.headers["range"], size) : null;
  if (range === "unsatisfiable")
    return shortAnswer(416, "", { ...validators, "content-range": `bytes */${size}` });
  const { start, end } = range ?? { start: 0, end: size };
  const whole = shortAnswer(200, "", { ...validators, "content-type": type });
  if (!range) return { ...whole, content, start, end };
  whole.headers["content-range"] = contentRange(start, end, size);
  return { ...whole, status: 206, content, start, end };
}

/**
 * The header for the bytes [start, end).
 * @param {number} start
 * @param {number} end
 * @param {number | "*"} size
 */
export const contentRange = (start, end, size) => `bytes ${start}-${end - 1}/${size}`;

/**
 * One range [start, end), cut to the size; null for the whole file.
 * @param {string | undefined} header
 * @param {number} size
 */
function parseRange(header, size) {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === "" && last === "") return null;
  if (first !== "" && last !== "" && Number(last) < Number(first)) return null;
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size : Math.min(Number(last) + 1, size);
  return start >= end ? "unsatisfiable" : { start, end };
}

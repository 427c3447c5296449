// HTTP/1.1 on the loopback, written by hand on sockets: a test decides on each byte that a client
// receives, broken ones included, and knows afterwards how many were sent. Two ports, so that
// there are two origins.

import { STATUS_CODES } from "node:http";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** @typedef {import("./http-answers.mjs").Answer} Answer */
/** @typedef {import("node:net").Socket} Socket */
/** @typedef {import("node:net").AddressInfo} AddressInfo */

/**
 * "main" has the addresses that a test hands out, "other" is where redirects lead.
 * @typedef {"main" | "other"} Origin
 */

/**
 * @typedef {object} HttpRequest
 * @property {Origin} origin
 * @property {string} method
 * @property {string} target  as the client sent it: path and query, encoded
 * @property {string} path    decoded, without query
 * @property {URLSearchParams} query
 * @property {Record<string, string>} headers  lower-case names
 */

/**
 * One request and what was sent for it. Each attempt that reached the server is one; refused
 * connections are none.
 * @typedef {object} RequestRecord
 * @property {Origin} origin
 * @property {string} method
 * @property {string} path    decoded, without query
 * @property {Record<string, string>} headers  of the request, lower-case names
 * @property {string | undefined} range   the Range header
 * @property {string | undefined} file    the name that plans of faults have for it, if it has one
 * @property {string | undefined} fault   the name of the fault that the answer had
 * @property {number} status  0 while (or where) no whole header was sent
 * @property {number} bodyBytes  bytes of the body handed to the operating system, without what
 * chunked encoding adds. The client may have read fewer; it cannot have read more.
 * @property {"running" | "stalled" | "complete" | "broken" | "hung up"} outcome  "stalled": nothing
 * more will come, and the client still waits; "broken": the server ended it early; "hung up": the
 * client did
 */

const pieceBytes = 65536;
const mostHeaderBytes = 65536;
// A client that finds data and an RST at once may take it for an orderly end (libuv does).
const beforeResetMs = 50;
const clientGone = new Error("the client closed the connection");
const serverGone = new Error("the server closed the connection");

/**
 * Starts both listeners.
 * @param {(request: HttpRequest, record: RequestRecord) => Promise<Answer>} answer  may fill in
 * `file` and `fault` of the record. An error that it throws breaks the connection and is thrown
 * again by close().
 */
export async function startWire(answer) {
  /** @type {RequestRecord[]} */
  let records = [];
  let total = 0;
  let limit = Infinity;
  /** @type {unknown[]} */
  const failures = [];
  const closing = new AbortController();
  /** @type {Set<() => void>} */
  const waiters = new Set(); // called whenever `total`, `limit` or a record's outcome changes
  const changed = () => {
    for (const waiter of waiters) waiter();
  };
  const isQuiet = () => records.every(({ outcome }) => outcome !== "running");
  const main = await listen("main");
  const other = await listen("other");

  /** @param {Origin} origin */
  async function listen(origin) {
    /** @type {Map<Socket, AbortController>} */
    const connections = new Map();
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const gone = new AbortController();
      connections.set(socket, gone);
      socket.on("close", () => connections.delete(socket));
      void serveConnection(socket, gone, origin);
    });
    /** @param {number} port */
    const open = (port) =>
      /** @type {Promise<void>} */ (
        new Promise((resolve, reject) => {
          server.once("error", reject);
          server.listen(port, "127.0.0.1", () => {
            server.off("error", reject);
            if (closing.signal.aborted) server.close();
            resolve();
          });
        })
      );
    await open(0);
    const { port } = /** @type {AddressInfo} */ (server.address());
    /** @type {NodeJS.Timeout | undefined} */
    let reopening;
    const shut = () =>
      /** @type {Promise<void>} */ (
        new Promise((resolve) => {
          clearTimeout(reopening);
          server.close(() => resolve());
          for (const [socket, gone] of connections) {
            gone.abort(serverGone);
            socket.destroy();
          }
        })
      );
    return {
      url: `http://127.0.0.1:${port}`,
      shut,
      /** @param {number} ms */
      refuse(ms) {
        void shut();
        reopening = setTimeout(() => {
          open(port).catch((error) => failures.push(error));
        }, ms);
      },
    };
  }

  /**
   * @param {Socket} socket
   * @param {AbortController} gone  aborted here once the client is gone
   * @param {Origin} origin
   */
  async function serveConnection(socket, gone, origin) {
    let received = Buffer.alloc(0);
    let wake = () => {};
    socket.on("data", (data) => {
      received = Buffer.concat([received, data]);
      wake();
    });
    // A client that closes its half waits for nothing: browsers and Node close both at once.
    for (const event of ["end", "error", "close"])
      socket.on(event, () => {
        gone.abort(clientGone);
        if (!socket.writableEnded) socket.destroy();
        wake();
      });

    const nextRequest = async () => {
      for (;;) {
        const end = received.indexOf("\r\n\r\n");
        if (end >= 0) {
          const head = received.toString("latin1", 0, end);
          received = received.subarray(end + 4);
          return parseHead(head, origin);
        }
        if (gone.signal.aborted || received.length > mostHeaderBytes) return null;
        await /** @type {Promise<void>} */ (
          new Promise((resolve) => {
            wake = resolve;
          })
        );
      }
    };

    try {
      for (;;) {
        const request = await nextRequest();
        if (!request || !(await exchange(request, socket, gone.signal))) break;
      }
    } catch (error) {
      failures.push(error);
      socket.destroy();
    }
    if (gone.signal.aborted || !socket.writableEnded) socket.destroy();
  }

  /**
   * Answers one request; tells whether the connection serves for another.
   * @param {HttpRequest} request
   * @param {Socket} socket
   * @param {AbortSignal} gone
   */
  async function exchange(request, socket, gone) {
    const { origin, method, path, headers } = request;
    /** @type {RequestRecord} */
    const record = {
      ...{ origin, method, path, headers, range: headers["range"] },
      ...{ file: undefined, fault: undefined, status: 0, bodyBytes: 0, outcome: "running" },
    };
    records.push(record);
    try {
      const reply = await answer(request, record);
      if (reply.framing === "close" || headers["connection"] === "close")
        reply.headers["connection"] = "close";
      await send(reply, request, record, socket, gone).finally(() => reply.afterwards?.());
      if (record.outcome !== "complete") return false;
      if (reply.headers["connection"] !== "close") return true;
      socket.end();
      return false;
    } catch (error) {
      const isClients = error === clientGone || (gone.aborted && gone.reason === clientGone);
      record.outcome = isClients ? "hung up" : "broken";
      if (!isClients && !gone.aborted) throw error;
      return false;
    } finally {
      changed();
    }
  }

  /**
   * Rejects once the connection is gone.
   * @param {Answer} reply
   * @param {HttpRequest} request
   * @param {RequestRecord} record
   * @param {Socket} socket
   * @param {AbortSignal} gone
   */
  async function send(reply, request, record, socket, gone) {
    /** @param {Uint8Array} bytes */
    const write = (bytes) =>
      /** @type {Promise<void>} */ (
        new Promise((resolve, reject) => {
          gone.throwIfAborted();
          // The callback may tell of a broken connection before any event does.
          socket.write(bytes, (error) => (error ? reject(clientGone) : resolve()));
        })
      );
    const end = async () => {
      if (reply.ending === "complete") {
        record.outcome = "complete";
        return;
      }
      if (reply.ending === "stall") {
        record.outcome = "stalled";
        changed();
        await until(() => false, gone);
      }
      await pause(
        Math.max(reply.silenceMs ?? 0, reply.ending === "reset" ? beforeResetMs : 0),
        gone,
      );
      record.outcome = "broken";
      if (reply.ending === "truncate") socket.end();
      else if (reply.ending === "reset") reset(socket);
      else socket.destroy();
    };

    await pause(reply.headerDelayMs, gone);
    const head = Buffer.from(headText(reply), "latin1");
    if (reply.headerPart < 1) {
      const part = head.subarray(0, Math.floor(head.length * reply.headerPart));
      if (part.length > 0) await write(part);
      return end();
    }
    gone.throwIfAborted();
    record.status = reply.status;
    await write(head);
    const length = reply.end - reply.start;
    if (request.method === "HEAD" || !reply.content) {
      record.outcome = "complete";
      return;
    }
    await pause(reply.bodyDelayMs, gone);

    const stop = Math.min(length, reply.stopAfter ?? length);
    let sent = 0;
    let chunkLeft = 0; // of the chunk of the encoding that is being sent
    while (sent < stop) {
      let size = Math.min(stop - sent, reply.drip?.bytes ?? pieceBytes, pieceBytes);
      if (reply.framing === "chunked") {
        if (chunkLeft === 0) {
          chunkLeft = Math.min(pieceBytes, length - sent);
          await write(Buffer.from(`${chunkLeft.toString(16)}\r\n`));
        }
        size = Math.min(size, chunkLeft);
      }
      const at = reply.start + sent;
      const piece = await reply.content.read(at, at + size);
      while (total >= limit) await until(() => total < limit, gone);
      size = Math.min(size, limit - total);
      // Counted before: the client may act on these bytes before the callback of the write runs.
      record.bodyBytes += size;
      total += size;
      changed();
      try {
        await write(piece.subarray(0, size));
      } catch (error) {
        record.bodyBytes -= size;
        total -= size;
        throw error;
      }
      sent += size;
      chunkLeft -= size;
      if (reply.framing === "chunked" && chunkLeft === 0) await write(Buffer.from("\r\n"));
      if (reply.drip && sent < stop) await pause(reply.drip.ms, gone);
    }
    if (reply.framing === "chunked" && reply.ending === "complete")
      await write(Buffer.from("0\r\n\r\n"));
    if (reply.extra) await write(reply.extra);
    await end();
  }

  /**
   * @param {() => boolean} condition
   * @param {AbortSignal} signal
   */
  async function until(condition, signal) {
    if (condition()) return;
    await /** @type {Promise<void>} */ (
      new Promise((resolve, reject) => {
        const done = (/** @type {() => void} */ act) => {
          waiters.delete(waiter);
          signal.removeEventListener("abort", abort);
          act();
        };
        const waiter = () => condition() && done(resolve);
        const abort = () => done(() => reject(signal.reason));
        waiters.add(waiter);
        signal.addEventListener("abort", abort);
        if (signal.aborted) abort();
      })
    );
  }

  return {
    /** The addresses of both origins, without a slash at the end. */
    origins: { main: main.url, other: other.url },

    /** All requests since the start or the last reset, in the order in which they arrived. */
    requests: () => /** @type {readonly RequestRecord[]} */ (records),

    /**
     * Bytes of bodies sent since the start or the last reset.
     * @param {string} [file]  only of this file
     */
    bytesSent: (file) =>
      records
        .filter((record) => file === undefined || record.file === file)
        .reduce((sum, record) => sum + record.bodyBytes, 0),

    /** Forgets the records. Call it while nothing is being sent. */
    reset() {
      records = [];
      total = 0;
      changed();
    },

    /**
     * Lets `bytes` bytes of bodies pass, counted over all answers since the last reset, and not one
     * more until release(). Resolves to true once they are sent, to false where release() or
     * close() comes before.
     * @param {number} bytes
     */
    async hold(bytes) {
      limit = bytes;
      await until(() => total >= bytes || limit !== bytes, closing.signal).catch(() => {});
      return total >= bytes;
    },

    /** Ends what hold() began. */
    release() {
      limit = Infinity;
      changed();
    },

    /** Resolves once each request is answered or its client gone; a stalled one is answered. */
    settled: () => until(isQuiet, closing.signal),

    /**
     * Breaks the connections of an origin and refuses new ones for so long.
     * @param {number} ms
     * @param {Origin} [origin]
     */
    refuse(ms, origin = "main") {
      (origin === "main" ? main : other).refuse(ms);
    },

    /** Frees both ports. Throws what failed in the server itself, if anything did. */
    async close() {
      closing.abort(new Error("the server is closed"));
      await Promise.all([main.shut(), other.shut()]);
      if (failures.length > 0) throw failures[0];
    },
  };
}

/**
 * Null where it is no request that a download makes: then the connection is closed.
 * @param {string} head
 * @param {Origin} origin
 * @returns {HttpRequest | null}
 */
function parseHead(head, origin) {
  const [first = "", ...lines] = head.split("\r\n");
  const [, method, target] = /^([A-Z]+) (\/\S*) HTTP\/1\.1$/.exec(first) ?? [];
  if (!method || !target) return null;
  /** @type {Record<string, string>} */
  const headers = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const { pathname, searchParams } = new URL(target, "http://localhost");
  try {
    return {
      ...{ origin, method, target, headers },
      ...{ path: decodeURIComponent(pathname), query: searchParams },
    };
  } catch {
    return null;
  }
}

/** @param {Socket} socket */
function reset(socket) {
  // resetAndDestroy() calls end() first, whose FIN would reach the client before the RST.
  socket.end = () => socket;
  socket.resetAndDestroy();
  socket.destroy();
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal
 */
async function pause(ms, signal) {
  if (ms > 0) await sleep(ms, undefined, { signal });
}

/** @param {Answer} reply */
function headText(reply) {
  const headers = { ...reply.headers };
  headers["date"] ??= new Date().toUTCString();
  const hasBody = reply.status !== 204 && reply.status !== 304;
  if (hasBody && reply.framing === "length")
    headers["content-length"] = `${reply.announcedLength ?? reply.end - reply.start}`;
  if (hasBody && reply.framing === "chunked") headers["transfer-encoding"] = "chunked";
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [
    `HTTP/1.1 ${reply.status} ${STATUS_CODES[reply.status] ?? ""}`,
    ...lines,
    ...["", ""],
  ].join("\r\n");
}

// A small static server for the examples and the browser tests: this machine only (127.0.0.1), no
// dependencies. It can send the headers that make a page cross-origin isolated (threads need them),
// answers Range requests, and lets a test put its own answer on a path.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";

const MIME_TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".cjs": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".md": "text/plain; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".gguf": "application/octet-stream",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".webp": "image/webp",
};

/**
 * Starts a server on 127.0.0.1.
 * @param {object} options
 * @param {Record<string, string>} options.mounts  URL prefix ("/dist/") -> folder; nothing outside
 * these folders is ever served
 * @param {number} [options.port]      0 (default): any free port
 * @param {boolean} [options.isolated] send COOP and COEP, so that pages are cross-origin isolated
 * and may use threads
 * @param {boolean} [options.cors]     let pages of other origins read everything, as a CDN does
 * @param {string} [options.csp]       Content-Security-Policy of every answer (a worker obeys the
 * header of its own script)
 * @param {Record<string, string>} [options.redirects]  path -> where to go instead
 * @param {Record<string, (request, response) => void>} [options.routes]  path -> handler that
 * answers in place of a file
 * @returns {Promise<{url: string, port: number, close: () => Promise<void>}>} rejects when the port
 * is taken
 */
export function startServer({
  mounts,
  port = 0,
  isolated = false,
  cors = false,
  csp = "",
  redirects = {},
  routes = {},
}) {
  const server = createServer((request, response) => {
    if (isolated) {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
      response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
    }
    if (cors) response.setHeader("Access-Control-Allow-Origin", "*");
    if (csp) response.setHeader("Content-Security-Policy", csp);
    response.setHeader("Cache-Control", "no-store");
    response.setHeader("X-Content-Type-Options", "nosniff");

    const path = pathOf(request.url);
    if (path !== null && Object.hasOwn(routes, path)) return routes[path](request, response);
    if (path !== null && Object.hasOwn(redirects, path))
      return response.writeHead(302, { Location: redirects[path] }).end();
    if (request.method !== "GET" && request.method !== "HEAD")
      return plain(response, 405, "only GET and HEAD");
    sendFile(request, response, path === null ? null : fileOf(path, mounts)).catch(() =>
      plain(response, 500, "could not read the file"),
    );
  });

  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const actual = server.address().port;
      resolve({
        url: `http://127.0.0.1:${actual}`,
        port: actual,
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}

/** The decoded path of a request's URL, or null where it is malformed. */
function pathOf(url) {
  try {
    return decodeURIComponent(new URL(url, "http://localhost").pathname);
  } catch {
    return null;
  }
}

/** The file that a path names, or null where no mount holds it. */
function fileOf(path, mounts) {
  const prefix = Object.keys(mounts)
    .filter((candidate) => path.startsWith(candidate))
    .sort((a, b) => b.length - a.length)[0];
  if (prefix === undefined || path.includes("\0")) return null;
  const folder = normalize(mounts[prefix] + sep);
  const file = join(folder, path.slice(prefix.length), path.endsWith("/") ? "index.html" : "");
  return file.startsWith(folder) ? file : null;
}

async function sendFile(request, response, file) {
  const info = file === null ? null : await stat(file).catch(() => null);
  if (!info?.isFile()) return plain(response, 404, "not found");
  response.setHeader("Content-Type", MIME_TYPES[extname(file)] ?? "application/octet-stream");
  response.setHeader("Accept-Ranges", "bytes");

  const range = parseRange(request.headers.range, info.size);
  if (range === "unsatisfiable")
    return response.writeHead(416, { "Content-Range": `bytes */${info.size}` }).end();
  const { start, end } = range ?? { start: 0, end: info.size - 1 };
  if (range) response.setHeader("Content-Range", `bytes ${start}-${end}/${info.size}`);
  response.writeHead(range ? 206 : 200, { "Content-Length": end - start + 1 });
  if (request.method === "HEAD" || info.size === 0) return response.end();
  const stream = createReadStream(file, { start, end });
  stream.on("error", () => response.destroy());
  response.on("close", () => stream.destroy());
  stream.pipe(response);
}

/**
 * One range of bytes: {start, end} (inclusive), null for the whole file, or "unsatisfiable".
 * Several ranges are answered with the whole file.
 */
function parseRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return null;
  const start = match[1] === "" ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = match[1] === "" || match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  return start > end || start >= size ? "unsatisfiable" : { start, end };
}

function plain(response, status, text) {
  if (response.headersSent) return response.destroy();
  response
    .writeHead(status, { "Content-Type": "text/plain; charset=utf-8" })
    .end(`${status} ${text}\n`);
}

// A file server on the loopback that does to its clients what faults.mjs lists: the world that the
// downloads are tested against. Pages of other origins may use it, too.
//
//     const server = await startFaultyServer({ files: { model: bytes } });
//     server.plan("model", [{ name: "drop", at: 1000 }, { name: "status-503" }]);
//     await fetch(server.url("model")); // breaks after 1000 bytes; then 503; then all is well
//     server.requests().map(({ status, range, bodyBytes }) => ...);
//     await server.close();

import {
  bytesContent,
  emptyAnswer,
  fileAnswer,
  redirectAnswer,
  shortAnswer,
} from "./http-answers.mjs";
import { checkFault, concerns, faults, weaken } from "./faults.mjs";
import { startWire } from "./http-wire.mjs";

/** @typedef {import("./faults.mjs").Fault} Fault */
/** @typedef {import("./http-answers.mjs").Answer} Answer */
/** @typedef {import("./http-answers.mjs").Content} Content */
/** @typedef {import("./http-wire.mjs").HttpRequest} HttpRequest */
/** @typedef {import("./http-wire.mjs").Origin} Origin */

/**
 * Faults for the requests to a file. A list: each request gets the first fault that can change its
 * answer (a place in the file waits for the answer that contains it), and that one is used up. A
 * function: it decides for each request; `count` is the number of requests before it.
 * @typedef {readonly Fault[]
 *   | ((request: HttpRequest & { count: number }) => Fault | undefined)} Plan
 */

/**
 * @typedef {object} ServerOptions
 * @property {"strong" | "weak" | "none"} [etag]  "strong" by default; "none" has no date either
 * @property {boolean} [cors]  whether pages of other origins may read answers; true by default
 * @property {boolean} [exposeHeaders]  whether they may read headers; true by default
 * @property {boolean} [preflight]  whether preflight requests are granted; true by default
 * @property {(fault?: Fault) => { bytes: number, ms: number }} [pace]  of a line slower than the
 * loopback, on which a client that hangs up has not been sent megabytes meanwhile: a pause of `ms`
 * after every `bytes` of an answer with this fault, or without one
 * @property {number} [silenceMs]  between the last byte of an answer that ends early and its end; 0
 * by default
 */

/**
 * What a server finds for a request.
 * @typedef {object} Found
 * @property {string} file  its name in plans and records
 * @property {(request: HttpRequest) => Answer} reply  makes the good answer, anew for each request
 */

/**
 * @typedef {object} Limits
 * @property {number} [ms]    how long a signed address serves; for ever by default
 * @property {number} [uses]  for how many requests; any number by default
 */

/**
 * @typedef {object} Addresses
 * @property {(file: string, content: Content) => Content} current  the content, unless a fault has
 * changed the file
 * @property {(found: Found, limits?: Limits) => string} sign  an address of the other origin that
 * serves this; 403 once the limits are passed
 */

const exposedHeaders = [
  ...["accept-ranges", "content-encoding", "content-length", "content-range", "date", "etag"],
  ...["last-modified", "link", "location", "ratelimit", "ratelimit-policy", "retry-after"],
  ...["x-error-code", "x-error-message", "x-linked-etag", "x-linked-size", "x-repo-commit"],
].join(", ");

/**
 * Starts a server with two origins. Faults, records and signed addresses are its own; `find` says
 * what is at all other addresses (undefined: 404).
 * @param {(request: HttpRequest, addresses: Addresses) => Promise<Found | undefined>} find
 * @param {ServerOptions} [options]
 */
export async function startDownloadServer(find, options = {}) {
  const { etag = "strong", cors = true, exposeHeaders = true, preflight = true } = options;
  const { pace, silenceMs } = options;
  /** @type {Map<string, { plan: Plan, left: number[], count: number }>} */
  const plans = new Map();
  /** @type {Map<string, Content>} */
  const changed = new Map();
  /** @type {Map<string, { found: Found, until: number, uses: number }>} */
  const grants = new Map();
  const planKey = (/** @type {string} */ file, /** @type {boolean} */ isSigned) =>
    `${isSigned ? "signed" : "plain"}:${file}`;

  /**
   * @param {Origin} origin
   * @param {Found} found
   * @param {Limits} [limits]
   */
  function sign(origin, found, { ms = Infinity, uses = Infinity } = {}) {
    const signature = `${grants.size + 1}`;
    const until = Date.now() + ms;
    grants.set(signature, { found, until, uses });
    const query = new URLSearchParams({ expires: `${until}`, signature });
    return `${wire.origins[origin]}${encodePath(signedFolder + found.file)}?${query}`;
  }

  /**
   * @param {HttpRequest} request
   * @returns {Found | undefined}
   */
  function findSigned({ path, query }) {
    const grant = grants.get(query.get("signature") ?? "");
    if (!grant || path !== signedFolder + grant.found.file) return undefined;
    const { found, until } = grant;
    if (Date.now() < until && --grant.uses >= 0) return found;
    return { ...found, reply: () => shortAnswer(403, "this address has expired\n") };
  }

  /** @type {Addresses} */
  const addresses = {
    current: (file, content) => changed.get(file) ?? content,
    sign: (found, limits) => sign("other", found, limits),
  };

  /**
   * The fault of a plan for this answer, used up.
   * @param {string} key
   * @param {HttpRequest} request
   * @param {Answer} answer
   */
  function takeFault(key, request, answer) {
    const entry = plans.get(key);
    if (!entry) return undefined;
    const { plan, left } = entry;
    const count = entry.count++;
    if (typeof plan === "function") {
      const fault = plan({ ...request, count });
      if (fault) checkFault(fault);
      return fault && concerns(fault, answer, request.method) ? fault : undefined;
    }
    const index = plan.findIndex(
      (fault, at) => (left[at] ?? 0) > 0 && concerns(fault, answer, request.method),
    );
    if (index >= 0) left[index] = (left[index] ?? 0) - 1;
    return plan[index];
  }

  /**
   * Adds what the browser asks of a server of another origin.
   * @param {Answer} answer
   */
  function finish(answer) {
    const { headers } = answer;
    if (cors) headers["access-control-allow-origin"] ??= "*";
    if (cors && exposeHeaders) headers["access-control-expose-headers"] ??= exposedHeaders;
    return answer;
  }

  /** @param {HttpRequest} request */
  function preflightAnswer({ headers }) {
    if (!preflight) return shortAnswer(403, "no preflight\n", { connection: "close" });
    return emptyAnswer(204, {
      "access-control-allow-methods": "GET, HEAD",
      "access-control-allow-headers": headers["access-control-request-headers"] ?? "",
      "access-control-max-age": "0",
    });
  }

  const wire = await startWire(async (request, record) => {
    const { method, origin, path } = request;
    if (method === "OPTIONS") return finish(preflightAnswer(request));
    if (method !== "GET" && method !== "HEAD")
      return finish(shortAnswer(405, "only GET and HEAD\n", { connection: "close" }));
    if (path === endless) return finish(redirectAnswer(endless));

    const isSigned = path.startsWith(signedFolder);
    const found = isSigned ? findSigned(request) : await find(request, addresses);
    if (!found) return finish(shortAnswer(404, "nothing here\n"));
    record.file = found.file;
    const answer = found.reply(request);
    if (etag !== "strong") weaken(answer, etag);
    const fault =
      takeFault(planKey(found.file, isSigned), request, answer) ??
      takeFault(planKey("*", isSigned), request, answer);
    if (fault) {
      record.fault = fault.name;
      await faults[fault.name].apply(answer, fault, {
        request,
        replace: (content) => void changed.set(found.file, content),
        refuse: (ms) => wire.refuse(ms, origin),
        sign: (to, limits) => sign(to, found, limits),
        endlessAddress: () => endless,
      });
    }
    if (pace) answer.drip ??= pace(fault);
    if (silenceMs) answer.silenceMs = silenceMs;
    return finish(answer);
  });

  return {
    ...wire,

    /**
     * Sets the faults of a file, in place of those that it had. Throws where a list contains what
     * is no fault.
     * @param {string} file  "*": those for which no other plan has a fault
     * @param {Plan} plan
     * @param {{ signed?: boolean }} [where]  signed: for the requests to its signed addresses,
     * where redirects lead, in place of those to its own
     */
    plan(file, plan, { signed = false } = {}) {
      const faultsLeft = typeof plan === "function" ? [] : plan.map(({ times = 1 }) => times);
      if (typeof plan !== "function") plan.forEach(checkFault);
      plans.set(planKey(file, signed), { plan, left: faultsLeft, count: 0 });
    },

    /** The faults of lists that no request has met so often as planned. */
    unmet: () =>
      [...plans.values()].flatMap(({ plan, left }) =>
        typeof plan === "function"
          ? []
          : plan.filter((_, at) => Number.isFinite(left[at]) && left[at] !== 0),
      ),

    /**
     * Forgets records, plans, and what faults changed in files. Call it while nothing is being
     * sent.
     */
    reset() {
      wire.reset();
      plans.clear();
      changed.clear();
    },
  };
}

const signedFolder = "/signed/";
const endless = "/endless";

/** @param {string} path */
const encodePath = (path) => path.split("/").map(encodeURIComponent).join("/");

/**
 * Serves files by name; a name may contain slashes. Close it when the test ends: it has two ports.
 * @param {ServerOptions & { files: Record<string, Uint8Array | Content> }} options
 */
export async function startFaultyServer({ files, ...options }) {
  /** @type {Map<string, Content>} */
  const contents = new Map();
  const put = (/** @type {string} */ name, /** @type {Uint8Array | Content} */ file) =>
    void contents.set(name, file instanceof Uint8Array ? bytesContent(file) : file);
  for (const [name, file] of Object.entries(files)) put(name, file);

  const server = await startDownloadServer(async ({ path }, { current }) => {
    const file = path.slice(1);
    const content = contents.get(file);
    return content && { file, reply: (request) => fileAnswer(request, current(file, content)) };
  }, options);
  return {
    ...server,

    /**
     * The address of a file, of one that does not exist, too.
     * @param {string} name
     * @param {Origin} [origin]  both serve all files
     */
    url: (name, origin = "main") => `${server.origins[origin]}${encodePath(`/${name}`)}`,

    /** Adds a file or puts another version in its place: `put(name, bytes)`. */
    put,
  };
}

/** @typedef {Awaited<ReturnType<typeof startFaultyServer>>} FaultyServer */

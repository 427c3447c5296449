// A model hub on the loopback, as downloads meet the well-known one: small files at their
// addresses, large ones behind a redirect to signed addresses of another origin, which expire;
// gated repositories; lists of files. It serves folders of the disk.
//
//     const hub = await startFakeHub({ repos: { "owner/model": { folder } } });
//     await fetch(hub.url("owner/model", "config.json"));
//     hub.plan("owner/model/model.safetensors", [{ name: "drop" }], { signed: true });
//     hub.leakedCredentials(); // must be []
//     await hub.close();

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { startDownloadServer } from "./faulty-server.mjs";
import {
  diskContent,
  fileAnswer,
  jsonAnswer,
  lfsPointer,
  redirectAnswer,
} from "./http-answers.mjs";

/** @typedef {import("./faulty-server.mjs").Addresses} Addresses */
/** @typedef {import("./faulty-server.mjs").Found} Found */
/** @typedef {import("./faulty-server.mjs").Limits} Limits */
/** @typedef {import("./http-answers.mjs").Answer} Answer */
/** @typedef {import("./http-wire.mjs").HttpRequest} HttpRequest */

/**
 * @typedef {object} RepoOptions
 * @property {string} folder  on the disk: the revision "main"
 * @property {Record<string, string>} [revisions]  the folders of other revisions, by name
 * @property {boolean} [gated]  files only for `token`; false by default
 * @property {string} [license]  of the model card
 */

/**
 * @typedef {object} HubOptions
 * @property {Record<string, RepoOptions>} repos  by "owner/name"
 * @property {string} [token]  what `authorization: Bearer ...` must be for gated repositories;
 * "hub-token" by default. Any token but this and the next is refused everywhere, with 401.
 * @property {string} [strangersToken]  known to the hub, without access to gated repositories
 * (403); "strangers-token" by default
 * @property {boolean} [hideMissing]  without a token, 401 in place of 404 for repositories that do
 * not exist, as the real hub does; false by default
 * @property {number} [pageSize]  entries in one answer of the tree; 1000 by default
 * @property {Limits} [signed]  of the signed addresses; without limits by default
 * @property {(path: string, size: number) => boolean} [isLarge]  which files are kept in Git-LFS;
 * by default weights, and what is larger than 10 MB
 */

/**
 * A commit: what a revision is.
 * @typedef {object} Commit
 * @property {string} sha
 * @property {string} folder
 * @property {{ path: string, size: number }[]} files  sorted by path
 */

/**
 * @typedef {object} Repo
 * @property {string} name  "owner/name"
 * @property {boolean} gated
 * @property {string | undefined} license
 * @property {Map<string, Commit>} revisions  by name and by sha
 */

/** @type {NonNullable<HubOptions["isLarge"]>} */
const isLargeByDefault = (path, size) =>
  size > 10_000_000 || /\.(safetensors|gguf|bin|pt|onnx|npz|tflite)$/.test(path);

/**
 * Starts a hub. All of a download server's functions are there, too (plan, requests, hold, ...);
 * the names of files in plans and records are "owner/name/path"; "owner/name@info" and
 * "owner/name@tree" are the two lists.
 * @param {HubOptions & import("./faulty-server.mjs").ServerOptions} options
 */
export async function startFakeHub(options) {
  const { token = "hub-token", strangersToken = "strangers-token", pageSize = 1000 } = options;
  const { hideMissing = false, isLarge = isLargeByDefault } = options;
  let limits = options.signed;
  /** @type {Map<string, Repo>} */
  const repos = new Map();

  /**
   * @param {Repo} repo
   * @param {string} revision
   * @param {string} folder
   */
  async function publish(repo, revision, folder) {
    const commit = await readCommit(folder);
    repo.revisions.set(revision, commit).set(commit.sha, commit);
  }

  for (const [name, { folder, revisions = {}, gated = false, license }] of Object.entries(
    options.repos,
  )) {
    /** @type {Repo} */
    const repo = { name, gated, license, revisions: new Map() };
    repos.set(name, repo);
    for (const entry of Object.entries({ main: folder, ...revisions }))
      await publish(repo, ...entry);
  }

  /**
   * Why a request gets nothing, if so.
   * @param {HttpRequest} request
   * @param {Repo | undefined} repo
   * @param {boolean} wantsFile
   * @returns {Answer | undefined}
   */
  function refusal({ headers }, repo, wantsFile) {
    const [, given] = /^Bearer (.*)$/i.exec(headers["authorization"] ?? "") ?? [];
    if (given !== undefined && given !== token && given !== strangersToken)
      return hubError(401, undefined, "the token is not known");
    if (!repo)
      return hubError(hideMissing && !given ? 401 : 404, "RepoNotFound", "no such repository");
    if (!repo.gated || !wantsFile || given === token) return undefined;
    return hubError(
      given ? 403 : 401,
      "GatedRepo",
      `${repo.name} is only for those admitted to it`,
    );
  }

  /**
   * @param {HttpRequest} request
   * @param {Addresses} addresses
   * @returns {Promise<Found | undefined>}
   */
  async function find(request, addresses) {
    const route = parseRoute(request);
    if (!route) return undefined;
    const { name, kind, revision, path } = route;
    const repo = repos.get(name);
    const file = kind === "resolve" ? `${name}/${path}` : `${name}@${kind}`;
    /** @type {(answer: Answer) => Found} */
    const only = (answer) => ({
      file,
      reply: () => ({ ...answer, headers: { ...answer.headers } }),
    });
    const refused = refusal(request, repo, kind === "resolve");
    if (refused || !repo) return refused && only(refused);
    const commit = repo.revisions.get(revision);
    if (!commit) return only(hubError(404, "RevisionNotFound", `no revision ${revision}`));
    if (kind === "info") return only(await infoAnswer(repo, commit, request));
    if (kind === "tree") return only(await treeAnswer(commit, path, request));
    const entry = commit.files.find((one) => one.path === path);
    if (!entry) return only(hubError(404, "EntryNotFound", `no file ${path}`, commit));
    return resolve(commit, entry, file, addresses);
  }

  /**
   * @param {Commit} commit
   * @param {{ path: string, size: number }} entry
   * @param {string} file
   * @param {Addresses} addresses
   * @returns {Promise<Found>}
   */
  async function resolve(commit, { path, size }, file, { current, sign }) {
    const place = join(commit.folder, path);
    const headers = { "x-repo-commit": commit.sha };
    if (!isLarge(path, size)) {
      const etag = `"${await gitHash(place)}"`;
      const content = await diskContent(place, { type: "text/plain; charset=utf-8", etag });
      return { file, reply: (request) => fileAnswer(request, current(file, content), headers) };
    }
    const content = await diskContent(place, { etag: `"${await sha256(place)}"` });
    const target = {
      file,
      reply: (/** @type {HttpRequest} */ request) => fileAnswer(request, current(file, content)),
    };
    return {
      file,
      reply() {
        const { etag, size: linkedSize } = current(file, content);
        const linked = { "x-linked-size": `${linkedSize}`, "x-linked-etag": etag, etag };
        return redirectAnswer(sign(target, limits), 302, { ...headers, ...linked });
      },
    };
  }

  /**
   * The sizes only where asked for, as the real hub does.
   * @param {Repo} repo
   * @param {Commit} commit
   * @param {HttpRequest} request
   */
  async function infoAnswer({ name, gated, license }, { sha, folder, files }, { query }) {
    const withBlobs = ["1", "true"].includes(query.get("blobs") ?? "");
    const siblings = await Promise.all(
      files.map(async ({ path, size }) => {
        if (!withBlobs) return { rfilename: path };
        return { rfilename: path, ...(await blob(join(folder, path), isLarge(path, size), size)) };
      }),
    );
    return jsonAnswer(200, {
      ...{ id: name, modelId: name, author: name.split("/")[0], sha, private: false },
      ...{ gated: gated ? "manual" : false, cardData: license ? { license } : {} },
      ...{ tags: license ? [`license:${license}`] : [], siblings },
    });
  }

  /**
   * @param {Commit} commit
   * @param {string} below  a folder, or ""
   * @param {HttpRequest} request
   */
  async function treeAnswer(commit, below, request) {
    const isRecursive = ["1", "true"].includes(request.query.get("recursive") ?? "");
    const prefix = below && `${below}/`;
    const inside = commit.files.filter(({ path }) => path.startsWith(prefix));
    if (inside.length === 0) return hubError(404, "EntryNotFound", `no folder ${below}`, commit);
    const folders = new Set(inside.flatMap(({ path }) => foldersOf(path)));
    const entries = [
      ...[...folders].map((path) => ({ type: "directory", path, size: 0 })),
      ...inside.map(({ path, size }) => ({ type: "file", path, size })),
    ]
      .filter(({ path }) => path.startsWith(prefix))
      .filter(({ path }) => isRecursive || !path.slice(prefix.length).includes("/"))
      .sort((a, b) => (a.path < b.path ? -1 : 1));

    const size = Number(request.query.get("limit") ?? pageSize);
    const begin = Number(request.query.get("cursor") ?? 0);
    const page = await Promise.all(
      entries.slice(begin, begin + size).map(async (entry) => {
        if (entry.type === "directory") return { ...entry, oid: sha1(entry.path) };
        const place = join(commit.folder, entry.path);
        const { blobId, lfs } = await blob(place, isLarge(entry.path, entry.size), entry.size);
        if (!lfs) return { ...entry, oid: blobId };
        const { sha256: oid, ...sizes } = lfs;
        return { ...entry, oid: blobId, lfs: { oid, ...sizes } };
      }),
    );
    if (begin + size >= entries.length) return jsonAnswer(200, page);
    const next = new URL(request.target, server.origins.main);
    next.searchParams.set("cursor", `${begin + size}`);
    return jsonAnswer(200, page, { link: `<${next.href}>; rel="next"` });
  }

  const server = await startDownloadServer(find, options);
  /** @param {string} name */
  const repoOf = (name) => {
    const repo = repos.get(name);
    if (!repo)
      throw new RangeError(`no repository ${name}; there are ${[...repos.keys()].join(", ")}`);
    return repo;
  };
  return {
    ...server,

    /** Where a client finds the hub: in place of the real one's address. */
    endpoint: server.origins.main,

    /**
     * The address of a file.
     * @param {string} repo  "owner/name"
     * @param {string} path
     * @param {string} [revision]
     */
    url: (repo, path, revision = "main") =>
      `${server.origins.main}/${repo}/resolve/${encodeURIComponent(revision)}/` +
      path.split("/").map(encodeURIComponent).join("/"),

    /**
     * The commit of a revision.
     * @param {string} repo
     * @param {string} [revision]
     */
    sha(repo, revision = "main") {
      const commit = repoOf(repo).revisions.get(revision);
      if (!commit) throw new RangeError(`${repo} has no revision ${revision}`);
      return commit.sha;
    },

    /**
     * Moves a revision to a folder as it is now: a new commit. Old commits stay where they are.
     * @param {string} repo
     * @param {string} folder
     * @param {string} [revision]
     */
    publish: (repo, folder, revision = "main") => publish(repoOf(repo), revision, folder),

    /**
     * Limits of the signed addresses given out from now on.
     * @param {Limits} [next]  none: no limits
     */
    limitSigned(next) {
      limits = next;
    },

    /** The requests to the other origin that carried credentials. None may. */
    leakedCredentials: () =>
      server
        .requests()
        .filter(
          ({ origin, headers }) =>
            origin === "other" && (headers["authorization"] ?? headers["cookie"]),
        ),
  };
}

/** @typedef {Awaited<ReturnType<typeof startFakeHub>>} FakeHub */

/**
 * What an address asks for: an encoded revision may contain slashes, a path does.
 * @param {HttpRequest} request
 * @returns {{ name: string, kind: "resolve" | "info" | "tree", revision: string, path: string }
 *   | undefined}
 */
function parseRoute({ target }) {
  const [, api, name, rest = ""] =
    /^(\/api\/models)?\/([^/]+\/[^/]+)(?:\/(.*))?$/.exec(target.replace(/\?.*$/, "")) ?? [];
  if (!name) return undefined;
  const [verb, revision = "main", ...segments] = rest.split("/").map(decodeURIComponent);
  const path = segments.join("/");
  if (!api)
    return verb === "resolve" && path ? { name, kind: "resolve", revision, path } : undefined;
  if (verb === "tree") return { name, kind: "tree", revision, path };
  if (verb === "" || (verb === "revision" && path === ""))
    return { name, kind: "info", revision, path };
  return undefined;
}

/**
 * @param {number} status
 * @param {"EntryNotFound" | "RepoNotFound" | "RevisionNotFound" | "GatedRepo" | undefined} code
 * @param {string} message
 * @param {Commit} [commit]
 */
const hubError = (status, code, message, commit) =>
  jsonAnswer(
    status,
    { error: message },
    {
      ...(code ? { "x-error-code": code } : {}),
      ...(commit ? { "x-repo-commit": commit.sha } : {}),
      "x-error-message": message,
    },
  );

/**
 * @param {string} folder
 * @returns {Promise<Commit>}
 */
async function readCommit(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = [];
  for (const entry of entries) {
    const place = join(entry.parentPath ?? entry.path, entry.name);
    const info = await stat(place); // of what a link leads to
    const path = place.slice(join(folder, "/").length);
    if (info.isFile()) files.push({ path, size: info.size, mtimeMs: info.mtimeMs });
  }
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { sha: sha1(JSON.stringify(files)), folder, files };
}

/** @param {string} path  all folders above it, but the root */
const foldersOf = (path) =>
  path
    .split("/")
    .slice(0, -1)
    .map((_, index, parts) => parts.slice(0, index + 1).join("/"));

/** @param {string | Uint8Array} bytes */
const sha1 = (bytes) => createHash("sha1").update(bytes).digest("hex");

/** @param {Uint8Array} bytes */
const gitHashOf = (bytes) => sha1(Buffer.concat([Buffer.from(`blob ${bytes.length}\0`), bytes]));

/** @param {string} path */
const gitHash = async (path) => gitHashOf(await readFile(path));

/** @type {Map<string, Promise<string>>} */
const hashes = new Map(); // by path, size and date: checkpoints are large

/** @param {string} path */
async function sha256(path) {
  const { size, mtimeMs } = await stat(path);
  const key = `${path} ${size} ${mtimeMs}`;
  const known = hashes.get(key) ?? hashFile(path);
  hashes.set(key, known);
  return known;
}

/** @param {string} path */
async function hashFile(path) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

/**
 * What Git knows of a file; of a large one it has the pointer.
 * @param {string} path
 * @param {boolean} isLarge
 * @param {number} size
 */
async function blob(path, isLarge, size) {
  if (!isLarge) return { blobId: await gitHash(path), size };
  const oid = await sha256(path);
  const pointer = Buffer.from(lfsPointer(oid, size));
  return {
    blobId: gitHashOf(pointer),
    size,
    lfs: { sha256: oid, size, pointerSize: pointer.length },
  };
}

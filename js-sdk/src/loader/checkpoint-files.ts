// Where the files of a checkpoint are: a repository of a hub, a folder on the web, a directory that
// the user picked, files, a folder of Node.

import { TinyVLMError } from "../protocol/errors.js";
import { hexOf } from "../protocol/hex.js";
import type { CheckpointSource, Delivery } from "../protocol/messages.js";
import type { CheckpointFiles } from "./checkpoint.js";
import { joined } from "./chunks.js";
import { FileChanged, HttpReader, type HttpOptions } from "./http-reader.js";
import type { PrivateFetch } from "./private-fetch.js";

/** What reads folders of Node's file system; undefined in pages. */
export type OpenFolder = (path: string) => Promise<CheckpointFiles>;

// What a folder on the web may hold that a conversion reads, besides the weights: a web server does
// not list its files.
const smallFiles = [
  ...["config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json"],
  ...["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.json"],
  ...["vocab.json", "merges.txt", "tokenizer.model", "chat_template.jinja", "chat_template.json"],
];
const weightsIndex = "model.safetensors.index.json";
const weights = "model.safetensors";
const smallestReadBytes = 64 << 10;
const mostSmallBytes = 64 << 20;

/** Finds the files. Errors: `not_found` without a checkpoint, those of HTTP and of files. */
export async function openCheckpointFiles(
  source: CheckpointSource,
  delivery: Delivery,
  fetch: PrivateFetch,
  openFolder: OpenFolder | undefined,
  signal: AbortSignal,
): Promise<CheckpointFiles> {
  const options: HttpOptions = {
    headers: delivery.headers,
    stallMs: delivery.stallTimeout,
    noStore: true,
    fetch,
  };
  switch (source.kind) {
    case "hub":
      return hubFiles(source, options, signal);
    case "folder":
      return webFolder(source.url, options, signal);
    case "files":
      return pickedFiles(source.name, source.files);
    case "directory": {
      const files: File[] = [];
      for await (const handle of (source.handle as DirectoryHandle).values())
        if (handle.kind === "file") files.push(await (handle as FileSystemFileHandle).getFile());
      return pickedFiles(source.handle.name, files);
    }
    case "path":
      if (!openFolder)
        throw new TinyVLMError("unsupported", `folders can only be read in Node: ${source.path}`);
      return openFolder(source.path);
  }
}

// TypeScript's library has the method only where iterables of the DOM are asked for.
type DirectoryHandle = FileSystemDirectoryHandle & {
  values(): AsyncIterable<FileSystemHandle>;
};

interface HubFile {
  type: string;
  path: string;
  size: number;
  oid?: string;
  lfs?: { oid: string; size: number };
}

async function hubFiles(
  { hub, repository, revision }: Extract<CheckpointSource, { kind: "hub" }>,
  options: HttpOptions,
  signal: AbortSignal,
): Promise<CheckpointFiles> {
  const at = repository.split("/").map(encodeURIComponent).join("/");
  const listUrl = `${hub}/api/models/${at}/tree/${encodeURIComponent(revision)}?recursive=1`;
  const list = await readList(listUrl, options, signal);
  const found = list.filter(({ type }) => type === "file");
  const version = await fingerprint(
    found.map(({ path, oid, lfs }) => `${path} ${lfs?.oid ?? oid}`),
  );
  const files = found.map(({ path, size, lfs }) => ({ name: path, bytes: lfs?.size ?? size }));
  const addressOf = (file: string) =>
    `${hub}/${at}/resolve/${encodeURIComponent(revision)}/` +
    file.split("/").map(encodeURIComponent).join("/");
  return { ...webFiles(files, addressOf, options, signal), name: repository, version, files };
}

// A list that comes in pages: each names the next one in its Link header. The caller's headers go to
// the hub alone.
async function readList(
  listUrl: string,
  options: HttpOptions,
  signal: AbortSignal,
): Promise<HubFile[]> {
  const list: HubFile[] = [];
  const seen = new Set<string>();
  for (let page = listUrl; page !== "";) {
    if (seen.has(page) || new URL(page).origin !== new URL(listUrl).origin)
      throw new TinyVLMError("network", `wanted the next page of ${listUrl}, found ${page}`, {
        url: page,
      });
    seen.add(page);
    let link = "";
    const noting: HttpOptions = {
      ...options,
      async fetch(address, init) {
        const response = await options.fetch(address, init);
        link = response.headers.get("link") ?? "";
        return response;
      },
    };
    const bytes = await readSmall(new HttpReader(page, noting, signal));
    list.push(...(JSON.parse(new TextDecoder().decode(bytes)) as HubFile[]));
    const [, next] = /<([^<>]*)>\s*;\s*rel="?next"?/i.exec(link) ?? [];
    page = next === undefined ? "" : new URL(next, page).href;
  }
  return list;
}

async function webFolder(
  url: string,
  options: HttpOptions,
  signal: AbortSignal,
): Promise<CheckpointFiles> {
  const small = new Map<string, Uint8Array>();
  const files: { name: string; bytes: number }[] = [];
  const versions: string[] = [];
  const addressOf = (file: string) => url + file.split("/").map(encodeURIComponent).join("/");

  // A file that is there; small ones are read whole, of others only the size.
  async function look(name: string, whole: boolean): Promise<Uint8Array | undefined> {
    const reader = new HttpReader(addressOf(name), options, signal);
    try {
      const bytes = whole
        ? await readSmall(reader)
        : await reader.read(0, smallestReadBytes, smallestReadBytes);
      if (whole) small.set(name, bytes);
      const size = whole ? bytes.length : reader.size || bytes.length;
      const { etag, lastModified } = reader.validator;
      files.push({ name, bytes: size });
      versions.push(`${name} ${size} ${etag ?? lastModified ?? ""}`);
      return bytes;
    } catch (reason) {
      const { code, status } = reason as TinyVLMError;
      if (code === "http" && (status === 404 || status === 403 || status === 410)) return undefined;
      throw reason;
    } finally {
      await reader.close();
    }
  }

  for (const name of smallFiles) await look(name, true);
  const index = await look(weightsIndex, true);
  if (index) {
    const { weight_map: map } = JSON.parse(new TextDecoder().decode(index)) as {
      weight_map?: Record<string, string>;
    };
    for (const name of new Set(Object.values(map ?? {}))) await look(name, false);
  } else await look(weights, false);
  if (files.length === 0)
    throw new TinyVLMError("not_found", `no checkpoint at ${url}: config.json wanted`, { url });
  const web = webFiles(files, addressOf, options, signal);
  return {
    name: url.replace(/\/$/, ""),
    version: await fingerprint(versions),
    files,
    async read(file, offset, target) {
      const here = small.get(file)?.subarray(offset, offset + target.length);
      if (!here) return web.read(file, offset, target);
      target.set(here);
      return here.length;
    },
  };
}

// Reads parts of files on the web. A reader knows which version of its file it has seen, and fails
// where it changes.
function webFiles(
  files: readonly { name: string; bytes: number }[],
  addressOf: (file: string) => string,
  options: HttpOptions,
  signal: AbortSignal,
): Pick<CheckpointFiles, "read"> {
  const readers = new Map<string, HttpReader>();
  return {
    async read(file, offset, target) {
      let reader = readers.get(file);
      if (!reader) {
        reader = new HttpReader(addressOf(file), options, signal);
        // So that a request asks for what is wanted, and not for all of the file.
        reader.setFile(files.find(({ name }) => name === file)!.bytes, false);
        readers.set(file, reader);
      }
      const end = offset + target.length;
      return reader.readInto(offset, target, end).catch((reason: unknown) => {
        if (!(reason instanceof FileChanged)) throw reason;
        const url = addressOf(file);
        throw new TinyVLMError("network", `${url} changed while it was read`, { url });
      });
    },
  };
}

function pickedFiles(name: string, picked: readonly File[]): Promise<CheckpointFiles> {
  const byName = new Map(picked.map((file) => [nameIn(file), file]));
  return describe(name, byName);
}

// The name below the folder that was picked.
function nameIn(file: File): string {
  const path = file.webkitRelativePath;
  return path ? path.slice(path.indexOf("/") + 1) : file.name;
}

async function describe(name: string, byName: Map<string, File>): Promise<CheckpointFiles> {
  const all = [...byName].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    name,
    version: await fingerprint(
      all.map(([path, { size, lastModified }]) => `${path} ${size} ${lastModified}`),
    ),
    files: all.map(([path, { size }]) => ({ name: path, bytes: size })),
    async read(file, offset, target) {
      const part = byName.get(file)!.slice(offset, offset + target.length);
      const bytes = new Uint8Array(await part.arrayBuffer());
      target.set(bytes);
      return bytes.length;
    },
  };
}

/** One text for what the lines say, another one where any of them differs. */
export async function fingerprint(lines: readonly string[]): Promise<string> {
  const text = lines.join("\n");
  if (!globalThis.crypto?.subtle) return text; // nothing is kept then
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return hexOf(new Uint8Array(digest));
}

async function readSmall(reader: HttpReader): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const part = await reader.read(length, smallestReadBytes, Infinity);
      parts.push(part);
      length += part.length;
      if (length > mostSmallBytes)
        throw new TinyVLMError(
          "invalid_file",
          `${reader.name} is too large: wanted at most ${mostSmallBytes} bytes`,
          { url: reader.name },
        );
      if (part.length < smallestReadBytes) break;
    }
  } finally {
    await reader.close();
  }
  return joined(parts, length);
}

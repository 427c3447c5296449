// From what `load` was given to a model in the engine: opens the source and the storage, and tells
// how far it is.

import { abortedError, describeReason, TinyVLMError } from "../protocol/errors.js";
import type { ByteSource, Delivery, LoadEvent } from "../protocol/messages.js";
import type { Entry, Store } from "./cache.js";
import type { OpenPath } from "./chunks.js";
import { HttpReader } from "./http-reader.js";
import { loadModelFile, type ModelOrigin, type ModelSink } from "./model-file.js";
import type { PrivateFetch } from "./private-fetch.js";
import { Rate } from "./rate.js";
import { SequentialReader } from "./reader.js";
import { openSource } from "./source.js";

/** What opening a model needs of its surroundings. */
export interface DeliveryPlatform {
  openPath: OpenPath | undefined;
  /**
   * Opens the storage; throws an Error that says why there is none. `storage`: the address of
   * open-store.ts, for browsers without a file system.
   */
  openStore(maxBytes: number, storage: string): Promise<Store>;
  /** Asks for the model without sending the caller's headers to another origin. */
  fetch: PrivateFetch;
  /** Lets waiting messages be delivered. Not a timer: browsers delay those by 4 ms and more. */
  yieldToMessages(): Promise<void>;
}

// At most 20 progress events a second.
const progressEveryMs = 50;

/**
 * Loads the model from the first of `sources` that has it. Errors: those of the last one, and those
 * of loadModelFile.
 */
export async function openModel(
  sources: readonly ByteSource[],
  delivery: Delivery,
  sink: ModelSink,
  platform: DeliveryPlatform,
  emit: (event: LoadEvent) => void,
  signal: AbortSignal,
  origin = originOf,
): Promise<void> {
  const progress = progressOf(emit);
  const warn = notStored(emit);
  const entry = await openEntry(delivery, platform, progress.waiting, warn, signal);
  try {
    for (const [index, source] of sources.entries()) {
      try {
        await loadModelFile(await origin(source, delivery, platform, signal), sink, {
          entry,
          url: delivery.cacheKey ?? nameOf(source),
          digest: sha256,
          pause: pauseOf(platform, signal),
          onProgress: progress.at,
          checkStart: (bytes) => refuseWebPage(bytes, nameOf(source)),
          onCacheFailure: warn,
        });
        return;
      } catch (reason) {
        if (signal.aborted) throw abortedError("loading", signal);
        const elsewhere = reason instanceof TinyVLMError && failsHere.has(reason.code);
        if (!elsewhere || index + 1 === sources.length) throw reason;
      }
    }
  } finally {
    progress.end();
    await entry?.close().catch(warn);
  }
}

// What another address of the same file may not fail of.
const failsHere = new Set(["http", "network", "invalid_file", "unsupported"]);

/** The entry in which the model is kept; undefined where it is not, which `warn` is told. */
export async function openEntry(
  { cacheKey, cacheBytes, storage }: Delivery,
  platform: DeliveryPlatform,
  waiting: (storedBytes: number, totalBytes: number) => void,
  warn: (reason: unknown) => void,
  signal: AbortSignal,
): Promise<Entry | undefined> {
  if (cacheKey === undefined) return undefined;
  try {
    const store = await platform.openStore(cacheBytes, storage);
    return await store.open(cacheKey, signal, waiting);
  } catch (reason) {
    if (signal.aborted) throw abortedError("loading", signal);
    warn(reason);
    return undefined;
  }
}

/** A source as one that can be read again and again, where it is a URL. */
export async function originOf(
  source: ByteSource,
  { headers, stallTimeout, cacheKey }: Delivery,
  { openPath, fetch }: DeliveryPlatform,
  signal: AbortSignal,
): Promise<ModelOrigin> {
  if (source.kind === "url" && /^https?:/.test(source.url)) {
    const noStore = cacheKey !== undefined;
    const options = { headers, stallMs: stallTimeout, noStore, fetch };
    return {
      open: (known) => new HttpReader(source.url, options, signal, known),
      url: source.url,
      repeatable: true,
    };
  }
  const opened = await openSource(source, signal, openPath);
  return { open: () => new SequentialReader(opened), repeatable: false };
}

function nameOf(source: ByteSource): string {
  if (source.kind === "url") return source.url;
  return source.kind === "path" ? source.path : source.name;
}

// The platform's SHA-256 runs beside the worker; pages that are not secure have none, and the
// engine computes it.
export const sha256 = globalThis.crypto?.subtle
  ? async (bytes: Uint8Array<ArrayBuffer>) =>
      new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))
  : undefined;

/** Delivers what was said to the worker meanwhile; throws where that was to end the load. */
export function pauseOf(platform: DeliveryPlatform, signal: AbortSignal): () => Promise<void> {
  return async () => {
    await platform.yieldToMessages();
    if (signal.aborted) throw abortedError("loading", signal);
  };
}

/** Tells `emit`, once, why the model is not kept. */
export function notStored(emit: (event: LoadEvent) => void): (reason: unknown) => void {
  let told = false;
  return (reason) => {
    if (!told)
      emit({ warning: `the model is not stored on this device: ${describeReason(reason)}` });
    told = true;
  };
}

/** Tells `emit` how far a load is, not too often. */
export function progressOf(emit: (event: LoadEvent) => void) {
  const rate = new Rate();
  let last = 0;
  let latest: LoadEvent | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    last = performance.now();
    if (latest) emit(latest);
    latest = undefined;
  };
  const say = (loadedBytes: number, totalBytes: number, cachedBytes: number) => {
    const now = performance.now();
    rate.add(loadedBytes - cachedBytes, now);
    const { bytesPerSecond } = rate;
    const known = totalBytes > 0 && bytesPerSecond > 0;
    const secondsLeft = known ? (totalBytes - loadedBytes) / bytesPerSecond : undefined;
    latest = { loadedBytes, totalBytes, cachedBytes, bytesPerSecond, secondsLeft };
    // Also where nothing follows for a while.
    if (now - last >= progressEveryMs) flush();
    else timer ??= setTimeout(flush, progressEveryMs);
  };
  return {
    at: ({
      loadedBytes,
      totalBytes,
      cachedBytes,
    }: Parameters<Parameters<typeof loadModelFile>[2]["onProgress"]>[0]) =>
      say(loadedBytes, totalBytes, cachedBytes),
    // Of another page or process, which downloads the same file.
    waiting: (storedBytes: number, totalBytes: number) => say(storedBytes, totalBytes, 0),
    end: flush,
  };
}

// Servers that send a page for every unknown URL do not always label it text/html.
function refuseWebPage(firstBytes: Uint8Array, name: string): void {
  const start = String.fromCharCode(...firstBytes.subarray(0, 64)).trimStart();
  if (/^(<!doctype html|<html|<\?xml)/i.test(start))
    throw new TinyVLMError(
      "invalid_file",
      `wanted a model at ${name}, found a web page: "${start.slice(0, 24)}…"`,
      { url: name },
    );
}

// Starts a worker with an engine in it: with threads where they are possible, otherwise without.
// Builds that can never run here are not tried again.

import { Channel } from "../protocol/channel.js";
import { abortedError, asTinyVLMError, TinyVLMError } from "../protocol/errors.js";
import type { RejectedVariant, StartedEngine } from "../protocol/messages.js";
import { isThreaded, variants, type Variant } from "../protocol/values.js";
import { isMissingFile, withHint } from "./assets.js";
import { within, type Platform, type WorkerKind } from "./platform.js";
import type { LoadOptions } from "./types.js";

/** A worker in which an engine runs. */
export interface Launched {
  channel: Channel;
  started: StartedEngine;
}

// Why builds can never run here, kept for the next load. Only of the package's own files: those of
// another address may be mended between two loads.
const unfit = new Map<Variant, string>();

/**
 * Starts a worker and its engine. Errors: `unsupported` (no build runs here, or not the one asked
 * for), `worker` (no worker could be started), `out_of_memory`, `http`, `network`, `invalid_file`
 * (the wasm file), `aborted`.
 */
export async function launch(platform: Platform, options: LoadOptions): Promise<Launched> {
  const { signal } = options;
  const threads = options.threads ?? platform.defaultThreads();
  const attempts = plan(platform, options, threads);
  const wasmUrls = wasmAddresses(platform, options);
  const ownFiles = [options.wasmUrl, options.workerUrl, options.assetsUrl].every(
    (url) => url === undefined,
  );
  let failure: TinyVLMError | undefined;
  for (const { kind, tried } of attempts) {
    let channel: Channel | undefined;
    const abort = () => void channel?.close(abortedError("loading", signal));
    signal?.addEventListener("abort", abort);
    try {
      const url =
        options.workerUrl === undefined
          ? undefined
          : within(platform.absoluteUrl(options.workerUrl), platform.workerFiles[kind]);
      const { endpoint, script } = await platform.spawn(kind, url, signal);
      channel = new Channel(endpoint);
      if (signal?.aborted) abort();
      await answered(channel, url);
      const { started, rejected } = await channel.call("start", {
        variants: tried,
        wasmUrls,
        threads,
        script,
      }).reply;
      if (ownFiles)
        for (const { variant, reason, permanent } of rejected)
          if (permanent) unfit.set(variant, reason);
      if (!started) throw cannotRun(rejected);
      return { channel, started };
    } catch (reason) {
      let error = asTinyVLMError(reason);
      // What an engine's start cannot read is its wasm file.
      if (channel && isMissingFile(error)) error = withHint(error, platform.missingFileHint);
      await channel?.close(error);
      if (!mayTryNext(error)) throw error;
      failure = error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }
  throw failure ?? cannotRun([...unfit].map(([variant, reason]) => ({ variant, reason })));
}

function cannotRun(rejected: Pick<RejectedVariant, "variant" | "reason">[]): TinyVLMError {
  const reasons = rejected.map(({ variant, reason }) => `${variant}: ${reason}`).join("; ");
  return new TinyVLMError("unsupported", `the engine cannot run here: ${reasons}`);
}

// Longer than a slow network needs for 30 kB. A script that is not the package's worker never
// answers.
const answerMs = 60_000;

async function answered(channel: Channel, url: string | undefined): Promise<void> {
  const timer = setTimeout(() => {
    void channel.close(
      new TinyVLMError(
        "worker",
        `the worker${url ? ` at ${url}` : ""} did not answer within ${answerMs / 1000} s`,
      ),
    );
  }, answerMs);
  try {
    await channel.ready;
  } finally {
    clearTimeout(timer);
  }
}

function mayTryNext({ code }: TinyVLMError): boolean {
  return code === "unsupported" || code === "out_of_memory" || code === "worker";
}

/** Which workers to start, in order, and which variants each is to try. */
function plan(
  platform: Platform,
  { variant }: LoadOptions,
  threads: number,
): { kind: WorkerKind; tried: Variant[] }[] {
  const against = platform.reasonAgainstThreads();
  if (variant) {
    if (isThreaded(variant) && against)
      throw new TinyVLMError("unsupported", `the variant ${variant} cannot run here: ${against}`);
    return [{ kind: isThreaded(variant) ? "threaded" : "single", tried: [variant] }];
  }
  const fit = variants.filter((candidate) => !unfit.has(candidate));
  const attempts = [
    { kind: "single" as WorkerKind, tried: fit.filter((candidate) => !isThreaded(candidate)) },
  ];
  if (!against && threads > 1)
    attempts.unshift({ kind: "threaded", tried: fit.filter(isThreaded) });
  return attempts.filter(({ tried }) => tried.length > 0);
}

const wasmFile = (variant: Variant) => `wasm/tiny-vlm-${variant}.wasm`;

function wasmAddresses(
  platform: Platform,
  { wasmUrl, variant }: LoadOptions,
): Record<Variant, string> {
  const given = (candidate: Variant): string => {
    if (wasmUrl === undefined) return platform.file(wasmFile(candidate));
    if (typeof wasmUrl === "string" || wasmUrl instanceof URL) {
      const url = platform.absoluteUrl(wasmUrl);
      if (!url.endsWith("/") && !variant)
        throw new TinyVLMError(
          "invalid_argument",
          `wasmUrl is one file (${url}): name its variant too, or give a folder that ends in "/"`,
        );
      return within(url, `tiny-vlm-${candidate}.wasm`);
    }
    const own = wasmUrl[candidate];
    return own === undefined ? platform.file(wasmFile(candidate)) : platform.absoluteUrl(own);
  };
  return Object.fromEntries(variants.map((candidate) => [candidate, given(candidate)])) as Record<
    Variant,
    string
  >;
}

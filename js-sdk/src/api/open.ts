// What `load` does: from a model source to a worker with the model loaded.

import type { Channel } from "../protocol/channel.js";
import { abortedError, asTinyVLMError } from "../protocol/errors.js";
import type { StartedEngine } from "../protocol/messages.js";
import type { ModelInfo } from "../protocol/values.js";
import { launch } from "./launch.js";
import { checkLoadOptions } from "./options.js";
import type { LoadProgress } from "./progress.js";
import type { Platform } from "./platform.js";
import { deliveryOf } from "./delivery.js";
import { modelSources } from "./sources.js";
import type { LoadOptions, ModelSource } from "./types.js";

/** A worker in which a model is loaded. */
export interface Opened {
  channel: Channel;
  started: StartedEngine;
  info: ModelInfo;
  platform: Platform;
}

/**
 * Starts a worker and loads the model into it. Errors: those of launch, of the loader and of the
 * engine, and `aborted`.
 */
export async function open(
  platform: Platform,
  given: ModelSource | undefined,
  options: LoadOptions = {},
): Promise<Opened> {
  const session = checkLoadOptions(options);
  const { signal, onProgress } = options;
  if (signal?.aborted) throw abortedError("loading", signal);
  const sources = await modelSources(given, options, platform);
  const delivery = deliveryOf(options, sources);
  onProgress?.({ ...noBytes, phase: "engine" });
  const { channel, started } = await launch(platform, options);
  const args = { sources, delivery, threads: started.threads, session };
  const transfer = sources.flatMap((source) =>
    source.kind === "stream" ? [source.stream as unknown as Transferable] : [],
  );
  const onWarning = options.onWarning ?? ((warning) => console.warn(`tiny-vlm: ${warning}`));
  let last: Omit<LoadProgress, "phase"> = noBytes;
  const call = channel.call("load", args, {
    transfer,
    onEvent: (event) => {
      if ("warning" in event) onWarning(event.warning);
      else onProgress?.({ phase: "weights", ...(last = event) });
    },
  });
  let tooLate: ReturnType<typeof setTimeout> | undefined;
  const abort = () => {
    // The worker closes its files first, so that what arrived is kept and others may have it.
    call.cancel();
    tooLate = setTimeout(() => void channel.close(abortedError("loading", signal)), closingMs);
  };
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  try {
    const info = await call.reply;
    if (signal?.aborted) throw abortedError("loading", signal);
    const { fileBytes } = info;
    const whole = { loadedBytes: fileBytes, totalBytes: fileBytes, secondsLeft: 0 };
    onProgress?.({ ...last, phase: "ready", ...whole });
    return { channel, started, info, platform };
  } catch (reason) {
    const error = signal?.aborted ? abortedError("loading", signal) : asTinyVLMError(reason);
    await channel.close(error);
    throw error;
  } finally {
    clearTimeout(tooLate);
    signal?.removeEventListener("abort", abort);
  }
}

// How long a worker has to end a load that is not wanted any more.
const closingMs = 500;

const noBytes = {
  loadedBytes: 0,
  totalBytes: 0,
  cachedBytes: 0,
  bytesPerSecond: 0,
  secondsLeft: undefined,
};

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
import { checkpointSource, modelSources } from "./sources.js";
import type { LoadOptions, ModelSource, SplitFile } from "./types.js";

/** A worker in which a model is loaded. */
export interface Opened {
  channel: Channel;
  started: StartedEngine;
  info: ModelInfo;
  platform: Platform;
  /** The name under which the model is kept; undefined: it is not. */
  cacheKey: string | undefined;
  /** Resolves when all of the model is there; rejects where it will not be. */
  whenReady: Promise<void>;
}

/**
 * Starts a worker and loads the model into it, or only its header. Errors: those of launch, of the
 * loader and of the engine, and `aborted`.
 */
export async function open(
  platform: Platform,
  given: ModelSource | undefined,
  options: LoadOptions = {},
  headerOnly = false,
): Promise<Opened> {
  const session = checkLoadOptions(options);
  const { signal, onProgress } = options;
  if (signal?.aborted) throw abortedError("loading", signal);
  const found = checkpointSource(given, options, platform);
  const checkpoint = found && {
    source: found,
    type: options.type ?? "q8_0",
    converter: platform.converter(),
  };
  const parts = (given as SplitFile | undefined)?.parts;
  const split = parts && platform.converter().loader;
  const sources = found ? [] : await modelSources(parts ?? given, options, platform);
  const delivery = deliveryOf(options, sources, checkpoint, platform.storage());
  onProgress?.({ ...noBytes, phase: "engine" });
  const { channel, started } = await launch(platform, options);
  const { threads } = started;
  const early = options.early ?? false;
  const args = { sources, split, checkpoint, delivery, threads, session, early, headerOnly };
  const transfer = sources.flatMap((source) =>
    source.kind === "stream" ? [source.stream as unknown as Transferable] : [],
  );
  const onWarning = options.onWarning ?? ((warning) => console.warn(`tiny-vlm: ${warning}`));
  let last: Omit<LoadProgress, "phase"> = noBytes;
  let tellAskable!: (info: ModelInfo) => void;
  const askable = new Promise<ModelInfo>((resolve) => {
    tellAskable = resolve;
  });
  const call = channel.call("load", args, {
    transfer,
    onEvent: (event) => {
      if ("warning" in event) onWarning(event.warning);
      else if ("askable" in event) tellAskable(event.askable);
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

  const complete = async (): Promise<ModelInfo> => {
    try {
      const info = await call.reply;
      if (signal?.aborted) throw abortedError("loading", signal);
      const { fileBytes } = info;
      const whole = { loadedBytes: fileBytes, totalBytes: fileBytes, secondsLeft: 0 };
      onProgress?.({ ...last, phase: "ready", ...whole });
      return info;
    } catch (reason) {
      const error = signal?.aborted ? abortedError("loading", signal) : asTinyVLMError(reason);
      await channel.close(error);
      throw error;
    } finally {
      clearTimeout(tooLate);
      signal?.removeEventListener("abort", abort);
    }
  };
  const completed = complete();
  const whenReady = completed.then(() => {});
  whenReady.catch(() => {}); // who does not ask for it does not want to know
  const info = await Promise.race([completed, askable]);
  return { channel, started, info, platform, cacheKey: delivery.cacheKey, whenReady };
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

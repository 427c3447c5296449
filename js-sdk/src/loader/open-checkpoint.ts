// From a checkpoint to a model in the engine: converts it where that is not kept already.

import { abortedError, TinyVLMError } from "../protocol/errors.js";
import type { ConversionInput, ConversionOptions, Converter } from "../protocol/conversion.js";
import type { CheckpointArgs, Delivery, LoadEvent } from "../protocol/messages.js";
import type { Entry } from "./cache.js";
import { isWhole } from "./cache.js";
import { convertInto, EntryReader, MemoryEntry } from "./checkpoint.js";
import { openCheckpointFiles, type OpenFolder } from "./checkpoint-files.js";
import { loadModelFile, type ModelSink } from "./model-file.js";
import {
  notStored,
  openEntry,
  progressOf,
  pauseOf,
  sha256,
  type DeliveryPlatform,
} from "./open-model.js";

/** What a checkpoint needs besides. */
export interface CheckpointPlatform extends DeliveryPlatform {
  /** Reads folders; undefined in pages. */
  openFolder: OpenFolder | undefined;
}

const onTheNetwork = new Set(["hub", "folder"]);
// How often a kept file that was damaged is converted anew.
const attempts = 2;

/** A piece that is not kept, or was damaged: it has to be converted again. */
class PieceMissing extends Error {}

/** Loads a checkpoint's model. Errors: those of its files, of the conversion and of the engine. */
export async function openCheckpoint(
  { source, type }: CheckpointArgs,
  delivery: Delivery,
  sink: ModelSink,
  platform: CheckpointPlatform,
  createConverter: () => Promise<(options: ConversionOptions, input: ConversionInput) => Converter>,
  emit: (event: LoadEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const progress = progressOf(emit);
  const warn = notStored(emit);
  const kept = await openEntry(delivery, platform, progress.waiting, warn, signal);
  let entry: Entry = kept ?? new MemoryEntry();
  const url = delivery.cacheKey ?? "the checkpoint";
  // A function of its own: what it holds, the converter's memory above all, goes with it, not when
  // the load ends.
  const convert = async (into: Entry): Promise<void> =>
    convertInto(
      into,
      url,
      await openCheckpointFiles(source, delivery, platform.fetch, platform.openFolder, signal),
      type,
      await createConverter(),
      progress.at,
      (warning) => emit({ warning }),
      signal,
    );
  try {
    for (let attempt = 1; ; attempt++) {
      // What was made from the network is not asked about again, as with model files.
      if (!(onTheNetwork.has(source.kind) && isWhole(entry))) {
        try {
          await convert(entry);
        } catch (reason) {
          if (signal.aborted) throw abortedError("loading", signal);
          if (reason instanceof TinyVLMError || entry instanceof MemoryEntry) throw reason;
          warn(reason); // the storage is full, or was taken away
          entry = new MemoryEntry();
          continue;
        }
      }
      try {
        await loadModelFile(originOf(entry, url), sink, {
          entry: kept === entry ? entry : undefined,
          url,
          digest: sha256,
          pause: pauseOf(platform, signal),
          onProgress: () => {},
          checkStart: () => {},
          onCacheFailure: warn,
        });
        return;
      } catch (reason) {
        if (!(reason instanceof PieceMissing)) throw reason;
        if (attempt >= attempts)
          throw new TinyVLMError("io", `${url} could not be kept: the storage changes its bytes`);
      }
    }
  } finally {
    progress.end();
    await kept?.close().catch(warn);
  }
}

function originOf(entry: Entry, url: string) {
  return {
    open() {
      if (entry instanceof MemoryEntry) return new EntryReader(entry, url);
      throw new PieceMissing();
    },
    repeatable: false,
  };
}

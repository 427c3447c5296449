// The models that are kept on this device: `TinyVLM.cache`.

import type { Store } from "../loader/cache.js";
import { TinyVLMError } from "../protocol/errors.js";
import type { CachedModel } from "../protocol/values.js";
import { describe } from "./sources.js";

/** How much is kept, and how much more fits. */
export interface CacheEstimate {
  /** Bytes of models that are kept. */
  usedBytes: number;
  /** Bytes that may still be stored; undefined where this machine does not say. */
  freeBytes: number | undefined;
  /** Whether the browser promised to keep them even when it runs out of space. */
  persisted: boolean;
}

/** What the cache needs of its surroundings. */
export interface CachePlatform {
  /** Where it is; undefined in pages. */
  folder(): string | undefined;
  /** Opens the storage; throws an Error that says why there is none. */
  openStore(): Promise<Store>;
  /** Names under which the model at this address may be kept. */
  keysOf(source: string): string[];
  /** Bytes that may still be stored, where that is known. */
  freeBytes(): Promise<number | undefined>;
  /** Whether nothing but the user deletes what is kept. */
  isPersisted(): Promise<boolean>;
  /** Asks for that; whether it was granted. */
  persist(): Promise<boolean>;
}

/** The models that `load` has kept on this device: in a page those of its origin. */
export class ModelCache {
  readonly #platform: CachePlatform;
  /** @internal */
  constructor(platform: object) {
    this.#platform = platform as CachePlatform;
  }

  /** The folder that holds them; undefined in pages. */
  get folder(): string | undefined {
    return this.#platform.folder();
  }

  /** What is kept, wholly or in part; the model that was loaded last comes first. */
  async list(): Promise<CachedModel[]> {
    return (await this.#store())?.list() ?? [];
  }

  /**
   * Deletes the kept copy of a model: `source` as `load` was given it, or its `cache.key`. False
   * where there was none. Rejects with `io` while the model is being loaded.
   */
  async delete(source: string | URL): Promise<boolean> {
    if (typeof source !== "string" && !(source instanceof URL))
      throw new TinyVLMError(
        "invalid_argument",
        `wanted the address of a model, found ${describe(source)}`,
      );
    const store = await this.#store();
    for (const key of this.#platform.keysOf(String(source)))
      if (await store?.delete(key)) return true;
    return false;
  }

  /** Deletes every kept copy. Rejects with `io` where one of them is being loaded. */
  async clear(): Promise<void> {
    const store = await this.#store();
    for (const { url } of (await store?.list()) ?? []) await store?.delete(url);
  }

  /** How much is kept, and how much more fits. */
  async estimate(): Promise<CacheEstimate> {
    const models = await this.list();
    return {
      usedBytes: models.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
      freeBytes: await this.#platform.freeBytes(),
      persisted: await this.#platform.isPersisted(),
    };
  }

  /**
   * Asks the browser to keep the models even when it runs out of space; whether it will. In Node
   * always true: nothing there deletes them.
   */
  persist(): Promise<boolean> {
    return this.#platform.persist();
  }

  // Where nothing can be kept, nothing is; but a missing file of the package tells nothing of that.
  #store(): Promise<Store | undefined> {
    return this.#platform.openStore().catch((reason: unknown) => {
      if (reason instanceof TinyVLMError && reason.code === "network") throw reason;
      return undefined;
    });
  }
}

// The platform of a Web Worker.

import { openFileStore } from "../loader/open-file-store.js";
import type * as Storage from "../loader/open-store.js";
import { webFetch } from "../loader/private-fetch.js";
import { webWorkerPort } from "../protocol/endpoint.js";
import { trustedScript } from "../protocol/trusted-script.js";
import { compileUrl } from "../runtime/module.js";
import type { WorkerPlatform } from "./platform.js";

/**
 * Whether Emscripten started this worker as a pool thread from this script: then it must not answer
 * calls.
 */
export function isPoolThread(): boolean {
  return (globalThis as { name?: string }).name?.startsWith("em-pthread") ?? false;
}

/** Has the glue start its pool threads in pages that demand Trusted Types, too. */
export function trustPoolThreads(): void {
  globalThis.Worker = class extends Worker {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(trustedScript(url as string), options);
    }
  };
}

/** The platform of this worker. */
export function webPlatform(): WorkerPlatform {
  return {
    inNode: false,
    port: webWorkerPort(),
    script: globalThis.location.href,
    compile: compileUrl,
    openPath: undefined,
    openFolder: undefined,
    openStore: async (maxBytes, storage) =>
      (await openFileStore(maxBytes)) ??
      ((await import(storage)) as typeof Storage).openBrowserStore(maxBytes),
    fetch: webFetch,
    decodeImage: undefined,
    yieldToMessages: messageYield(),
  };
}

/**
 * Makes yieldToMessages. A load and a question may wait at the same time: each is resumed by a
 * message of its own.
 */
export function messageYield(): () => Promise<void> {
  const { port1, port2 } = new MessageChannel();
  const waiting: (() => void)[] = [];
  port1.onmessage = () => waiting.shift()!();
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      port2.postMessage(undefined);
    });
}

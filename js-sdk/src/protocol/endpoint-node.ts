// The interfaces of endpoint.ts for worker_threads.

import type { MessagePort, Transferable as NodeTransferable, Worker } from "node:worker_threads";
import type { Endpoint, WorkerPort } from "./endpoint.js";
import { TinyVLMError } from "./errors.js";
import type { ToClient, ToWorker } from "./messages.js";

/** Wraps a worker thread; `script` is its URL, for messages. */
export function nodeEndpoint(worker: Worker, script: string): Endpoint {
  return {
    post: (message, transfer) =>
      worker.postMessage(message, transfer as unknown as NodeTransferable[]),
    listen(onMessage, onDeath) {
      let dead = false;
      const die = (message: string, cause?: unknown) => {
        if (!dead) onDeath(new TinyVLMError("worker", message, { cause, url: script }));
        dead = true;
      };
      worker.on("message", (message: ToClient) => onMessage(message));
      worker.on("messageerror", (cause) =>
        die("a message from the worker could not be read", cause),
      );
      worker.on("error", (cause) =>
        die(
          `the worker failed (${script}): ${(cause as Error | null)?.message ?? String(cause)}`,
          cause,
        ),
      );
      worker.on("exit", (exitCode) =>
        die(`the worker ended by itself with exit code ${exitCode} (${script})`),
      );
    },
    setBusy(busy) {
      if (busy) worker.ref();
      else worker.unref();
    },
    async terminate() {
      await worker.terminate();
    },
  };
}

/** The port of the worker thread that this code runs in. */
export function nodeWorkerPort(port: MessagePort): WorkerPort {
  return {
    post: (message) => port.postMessage(message),
    listen(onMessage) {
      port.on("message", (message: ToWorker) => onMessage(message));
    },
  };
}

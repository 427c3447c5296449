// The two ends of the connection between client and worker, and their form in browsers;
// endpoint-node.ts has that of Node.

import { TinyVLMError } from "./errors.js";
import type { ToClient, ToWorker } from "./messages.js";

/** The client's end. */
export interface Endpoint {
  /** Throws where something in `message` cannot be cloned or transferred. */
  post(message: ToWorker, transfer: Transferable[]): void;
  /** `onDeath` is called at most once: the worker could not start, crashed or ended by itself. */
  listen(onMessage: (message: ToClient) => void, onDeath: (error: TinyVLMError) => void): void;
  /** In Node, a worker that is not busy does not keep the process alive. */
  setBusy(busy: boolean): void;
  /** Ends the worker at once, whatever it is doing. */
  terminate(): Promise<void>;
}

/** The worker's end. */
export interface WorkerPort {
  post(message: ToClient): void;
  listen(onMessage: (message: ToWorker) => void): void;
}

/**
 * Wraps a Web Worker; for messages, `script` is its URL and `wanted` what a script needs to load.
 */
export function webEndpoint(worker: Worker, script: string, wanted: string): Endpoint {
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    listen(onMessage, onDeath) {
      worker.onmessage = (event: MessageEvent<ToClient>) => onMessage(event.data);
      worker.onmessageerror = () =>
        onDeath(new TinyVLMError("worker", "a message from the worker could not be read"));
      worker.onerror = (event: Event) => {
        event.preventDefault();
        // For a script that does not load, browsers send an event without a message; the reason is
        // in the console only.
        const message = (event as Partial<ErrorEvent>).message;
        onDeath(
          new TinyVLMError(
            "worker",
            message
              ? `the worker failed (${script}): ${message}`
              : `the worker script could not be loaded: ${script} (wanted: ${wanted})`,
            { url: script },
          ),
        );
      };
    },
    setBusy() {},
    async terminate() {
      worker.terminate();
    },
  };
}

interface WorkerScope {
  postMessage(message: ToClient): void;
  onmessage: (event: MessageEvent<ToWorker>) => void;
}

/** The port of the Web Worker that this code runs in. */
export function webWorkerPort(): WorkerPort {
  const scope = globalThis as unknown as WorkerScope;
  return {
    post: (message) => scope.postMessage(message),
    listen(onMessage) {
      scope.onmessage = (event: MessageEvent<ToWorker>) => onMessage(event.data);
    },
  };
}

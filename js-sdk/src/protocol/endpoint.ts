// The client's and the worker's view of the connection between them, and its form in browsers.
// endpoint-node.ts is the same for Node.

import { TinyVLMError } from "./errors.js";
import type { ToClient, ToWorker } from "./messages.js";

/** The client's end. */
export interface Endpoint {
  post(message: ToWorker, transfer: Transferable[]): void;
  /** `onDeath` is called at most once: the worker could not start, crashed or ended by itself. */
  listen(onMessage: (message: ToClient) => void, onDeath: (error: TinyVLMError) => void): void;
  /** In Node, a worker that is not busy does not keep the process alive. */
  setBusy(busy: boolean): void;
  terminate(): Promise<void>;
}

/** The worker's end. */
export interface WorkerPort {
  post(message: ToClient): void;
  listen(onMessage: (message: ToWorker) => void): void;
}

/** Wraps a Web Worker; `script` is its address, for messages. */
export function webEndpoint(worker: Worker, script: string): Endpoint {
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    listen(onMessage, onDeath) {
      worker.onmessage = (event: MessageEvent<ToClient>) => onMessage(event.data);
      worker.onmessageerror = () =>
        onDeath(new TinyVLMError("worker", "a message of the worker could not be read"));
      worker.onerror = (event: Event) => {
        event.preventDefault();
        // A script that does not load gives an event without a message; browsers keep the reason to
        // the console.
        const message = (event as Partial<ErrorEvent>).message;
        onDeath(
          new TinyVLMError(
            "worker",
            message
              ? `the worker failed: ${message}`
              : `the worker script could not be loaded: ${script} (wanted: an address that answers with JavaScript, allowed by the page's ` +
                  "content security policy and, in a cross-origin isolated page, sent with the Cross-Origin-Embedder-Policy header)",
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

// The worker's half of the protocol: one handler per entry of Calls. A handler that is missing does
// not compile.

import type { WorkerPort } from "./endpoint.js";
import type { CallName, Calls } from "./messages.js";
import { errorToWire } from "./wire-error.js";

export interface CallContext<Name extends CallName> {
  emit(event: Calls[Name]["event"]): void;
  /** Fires when the client cancels this call. */
  signal: AbortSignal;
}

export type Handlers = {
  [Name in CallName]: (
    args: Calls[Name]["args"],
    context: CallContext<Name>,
  ) => Promise<Calls[Name]["reply"]>;
};

/** Answers calls until the worker ends, and tells the client that it may begin. */
export function dispatch(port: WorkerPort, handlers: Handlers): void {
  const running = new Map<number, AbortController>();
  port.listen((message) => {
    if ("cancel" in message) return running.get(message.id)?.abort();
    const { id, call, args } = message;
    const controller = new AbortController();
    running.set(id, controller);
    const handler = handlers[call] as (
      args: unknown,
      context: CallContext<CallName>,
    ) => Promise<Calls[CallName]["reply"]>;
    handler(args, { emit: (event) => port.post({ id, event }), signal: controller.signal })
      .then(
        (reply) => port.post({ id, reply }),
        (reason: unknown) => port.post({ id, error: errorToWire(reason) }),
      )
      .finally(() => running.delete(id));
  });
  port.post({ ready: true });
}

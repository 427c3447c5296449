// The worker's half of the protocol: one handler per entry of Calls; a missing one does not
// compile.

import type { WorkerPort } from "./endpoint.js";
import type { CallName, Calls } from "./messages.js";
import { errorToWire } from "./wire-error.js";

/** What a handler is given beside its arguments. */
export interface CallContext<Name extends CallName> {
  /** Sends an event to the client. */
  emit(event: Calls[Name]["event"]): void;
  /** Fires when the client cancels this call. */
  signal: AbortSignal;
}

/** A handler for each call; what it throws is sent to the client as an error. */
export type Handlers = {
  [Name in CallName]: (
    args: Calls[Name]["args"],
    context: CallContext<Name>,
  ) => Promise<Calls[Name]["reply"]>;
};

/** Tells the client that the worker listens, and answers its calls until the worker ends. */
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

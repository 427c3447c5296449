// The client's half of the protocol: ids, pending calls, cancelling. When the worker dies, every
// pending call is rejected, and so is every later one.

import type { Endpoint } from "./endpoint.js";
import { describeReason, TinyVLMError, type ErrorCode } from "./errors.js";
import type { CallName, Calls, ToClient } from "./messages.js";
import { errorFromWire } from "./wire-error.js";

interface Pending {
  onEvent: (event: never) => void;
  resolve: (reply: never) => void;
  reject: (error: TinyVLMError) => void;
}

/** A call in progress. */
export interface Call<Name extends CallName> {
  /** Rejects with the TinyVLMError of the worker, or of its death. */
  reply: Promise<Calls[Name]["reply"]>;
  /** Asks the worker to end the work; its reply (or error) still comes. */
  cancel(): void;
}

/** The client's end of a worker. */
export class Channel {
  readonly #endpoint: Endpoint;
  readonly #pending = new Map<number, Pending>();
  /** Settles when the worker listens; rejects when it could not start. */
  readonly ready: Promise<void>;
  #nextId = 1;
  #death: TinyVLMError | undefined;
  #onReady!: () => void;
  #onFailedStart!: (error: TinyVLMError) => void;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.ready = new Promise((resolve, reject) => {
      this.#onReady = resolve;
      this.#onFailedStart = reject;
    });
    this.ready.catch(() => {}); // waiting for it is optional: no unhandled rejection
    endpoint.listen(
      (message) => this.#receive(message),
      (error) => void this.close(error),
    );
  }

  /**
   * Posts a call. The reply rejects with the code `unsendable` where something in `args` cannot be
   * sent to a worker; `transfer` is moved to it, not copied.
   */
  call<Name extends CallName>(
    name: Name,
    args: Calls[Name]["args"],
    {
      onEvent = () => {},
      transfer = [],
      unsendable = "invalid_argument",
    }: {
      onEvent?: (event: Calls[Name]["event"]) => void;
      transfer?: Transferable[];
      unsendable?: ErrorCode;
    } = {},
  ): Call<Name> {
    const id = this.#nextId++;
    const reply = new Promise<Calls[Name]["reply"]>((resolve, reject) => {
      if (this.#death) return reject(this.#death);
      try {
        this.#endpoint.post({ id, call: name, args }, transfer);
      } catch (cause) {
        const message =
          "wanted values that can be sent to a worker, found one that cannot (an image of " +
          'another origin, to be loaded with crossorigin="anonymous"? one that was closed?): ' +
          describeReason(cause);
        return reject(new TinyVLMError(unsendable, message, { cause }));
      }
      this.#pending.set(id, { onEvent, resolve, reject });
      this.#endpoint.setBusy(true);
    });
    return {
      reply,
      cancel: () => {
        if (this.#pending.has(id)) this.#endpoint.post({ id, cancel: true }, []);
      },
    };
  }

  /** Ends the worker. Everything pending, and every later call, is rejected with `error`. */
  async close(error: TinyVLMError): Promise<void> {
    if (this.#death) return;
    this.#death = error;
    this.#onFailedStart(error);
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    await this.#endpoint.terminate();
  }

  #receive(message: ToClient): void {
    if ("ready" in message) return this.#onReady();
    if ("dead" in message) return void this.close(errorFromWire(message.dead));
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    if ("event" in message) return pending.onEvent(message.event as never);
    this.#pending.delete(message.id);
    if (this.#pending.size === 0) this.#endpoint.setBusy(false);
    if ("error" in message) pending.reject(errorFromWire(message.error));
    else pending.resolve(message.reply as never);
  }
}

// How an error crosses from the worker to the client: as plain data, rebuilt on the other side,
// because structured cloning would lose the class and the code.

import { asTinyVLMError, TinyVLMError, type ErrorCode } from "./errors.js";

/** A TinyVLMError as plain data; the fields are those of the error. */
export interface WireError {
  code: ErrorCode;
  message: string;
  stack: string | undefined;
  status: number | undefined;
  url: string | undefined;
  /** The cause where it was an Error; causes of other types are not sent. */
  cause: { name: string; message: string; stack: string | undefined } | undefined;
}

/** Anything that was thrown, as data to send; see asTinyVLMError for what is not a TinyVLMError. */
export function errorToWire(reason: unknown): WireError {
  const error = asTinyVLMError(reason);
  const cause = error.cause;
  return {
    code: error.code,
    message: error.message,
    stack: error.stack,
    status: error.status,
    url: error.url,
    cause:
      cause instanceof Error
        ? { name: cause.name, message: cause.message, stack: cause.stack }
        : undefined,
  };
}

/** The error that was sent, with the stack of the side that threw it. */
export function errorFromWire(wire: WireError): TinyVLMError {
  let cause: Error | undefined;
  if (wire.cause) {
    cause = new Error(wire.cause.message);
    cause.name = wire.cause.name;
    if (wire.cause.stack) cause.stack = wire.cause.stack;
  }
  const error = new TinyVLMError(wire.code, wire.message, {
    cause,
    status: wire.status,
    url: wire.url,
  });
  if (wire.stack) error.stack = wire.stack;
  return error;
}

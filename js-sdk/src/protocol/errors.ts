// The one error class of the SDK and the one list of its codes. Codes 1 to 10 are the engine's
// (cpp/base/status.h); the rest are about the surroundings and exist in TypeScript only.
// docs/errors.md explains each; the number is the exit code of the command line.

/**
 * Every code with its number. A number comes from the engine or becomes the exit code of a process;
 * people see the word.
 */
export const errorNumbers = {
  invalid_argument: 1,
  not_found: 2,
  invalid_file: 3,
  unsupported: 4,
  out_of_memory: 5,
  invalid_image: 6,
  context_full: 7,
  io: 8,
  not_ready: 9,
  internal: 10,
  network: 11,
  http: 12,
  aborted: 13,
  worker: 14,
} as const;

export type ErrorCode = keyof typeof errorNumbers;

export interface ErrorDetails {
  cause?: unknown;
  /** HTTP status, with code `http`. */
  status?: number | undefined;
  /** The address that failed, with the codes `http` and `network`. */
  url?: string | undefined;
}

/**
 * What every failure of the SDK is. `name` is "AbortError" for the code `aborted`, so that code
 * written for `fetch` recognises it.
 */
export class TinyVLMError extends Error {
  readonly code: ErrorCode;
  readonly status: number | undefined;
  readonly url: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message);
    this.name = code === "aborted" ? "AbortError" : "TinyVLMError";
    this.code = code;
    this.status = details.status;
    this.url = details.url;
    // Not through super(): engines before Error.cause would drop it.
    if (details.cause !== undefined)
      Object.defineProperty(this, "cause", {
        value: details.cause,
        configurable: true,
        writable: true,
      });
  }

  /** The exit code that the command line gives for this error. */
  get exitCode(): number {
    return errorNumbers[this.code];
  }
}

/** The word for an engine's number; a number that is not in the list is our own mistake. */
export function codeOfNumber(number: number): ErrorCode {
  for (const [code, value] of Object.entries(errorNumbers))
    if (value === number) return code as ErrorCode;
  return "internal";
}

/** How an error crosses the worker's border: plain data, rebuilt by `errorFromWire`. */
export interface WireError {
  code: ErrorCode;
  message: string;
  stack: string | undefined;
  status: number | undefined;
  url: string | undefined;
  cause: { name: string; message: string; stack: string | undefined } | undefined;
}

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

/**
 * Errors of our own pass through; JavaScript's word for too little memory is recognised; anything
 * else is a mistake of ours. The cause is kept.
 */
export function asTinyVLMError(reason: unknown): TinyVLMError {
  if (reason instanceof TinyVLMError) return reason;
  if (reason instanceof RangeError && /alloc|memory/i.test(reason.message))
    return new TinyVLMError("out_of_memory", reason.message, { cause: reason });
  return new TinyVLMError("internal", `unexpected ${describeReason(reason)}`, { cause: reason });
}

/** The error of work that a signal ended; the signal's own reason becomes the cause. */
export function abortedError(what: string, signal?: AbortSignal): TinyVLMError {
  return new TinyVLMError("aborted", `${what} was cancelled`, { cause: signal?.reason });
}

/** One line about anything that can be thrown. */
export function describeReason(reason: unknown): string {
  if (!(reason instanceof Error)) return String(reason);
  // Node's fetch hides the system's word ("ECONNREFUSED") in the cause.
  const cause = reason.cause instanceof Error ? ` (${reason.cause.message})` : "";
  return `${reason.name}: ${reason.message}${cause}`;
}

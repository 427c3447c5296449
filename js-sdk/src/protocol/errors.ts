// The one error class of the SDK and the one list of its codes. Codes 1 to 10 and 13 are the
// engine's (cpp/base/status.h); the others concern the environment and exist in TypeScript only.
// docs/errors.md explains each; the number is the exit code of the command line.

/**
 * Every code with its number: what the engine returns and the command line exits with. Callers of
 * the SDK see the name.
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

/**
 * The kind of a failure:
 *
 * - `invalid_argument`: an argument or option that the call does not take.
 * - `not_found`: a file, or a tensor or key in a model file, does not exist.
 * - `invalid_file`: the model file is truncated, altered or something else.
 * - `unsupported`: well-formed, but not supported by this engine or on this machine.
 * - `out_of_memory`: memory for a model, a context or an image could not be allocated.
 * - `invalid_image`: the image is damaged, of an unknown format, too large or not readable here.
 * - `context_full`: the images and the question exceed the context.
 * - `io`: the operating system could not read a file.
 * - `not_ready`: a call in the wrong order, such as after `dispose()`.
 * - `internal`: a bug in Tiny-VLM; please report it.
 * - `network`: no response, or the connection broke.
 * - `http`: the server answered with a status other than 2xx.
 * - `aborted`: an AbortSignal fired, or `dispose()` ended the work.
 * - `worker`: the worker could not be started, or it crashed.
 */
export type ErrorCode = keyof typeof errorNumbers;

/** What a TinyVLMError may carry beside its code and message. */
export interface ErrorDetails {
  /** The error that led to this one; becomes `error.cause`. */
  cause?: unknown;
  /** HTTP status, with the code `http`. */
  status?: number | undefined;
  /** The URL that failed, with the codes `http`, `network`, `invalid_file` and `worker`. */
  url?: string | undefined;
}

const mark = Symbol.for("tiny-vlm.error");

/**
 * The class of every error that the SDK throws or rejects with. `message` says what was wanted and
 * what was found; `cause` is the underlying error where there is one. `name` is "AbortError" for
 * the code `aborted`, so that code written for `fetch` recognises it, otherwise "TinyVLMError".
 */
export class TinyVLMError extends Error {
  /**
   * Known by a mark: files of the package that are loaded apart have this class once more.
   * @internal
   */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && mark in value;
  }
  /** @internal */
  readonly [mark] = true;
  /** The kind of the failure, to branch on. */
  readonly code: ErrorCode;
  /** HTTP status, with the code `http`. */
  readonly status: number | undefined;
  /** The URL that failed, where the failure concerns one. */
  readonly url: string | undefined;

  /** Made by the SDK; callers only catch it. */
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

  /** The number of the code (docs/errors.md): the exit code of the command line. */
  get exitCode(): number {
    return errorNumbers[this.code];
  }
}

/** The code of an engine's number; `internal` for a number that is not in the list. */
export function codeOfNumber(number: number): ErrorCode {
  for (const [code, value] of Object.entries(errorNumbers))
    if (value === number) return code as ErrorCode;
  return "internal";
}

/**
 * `reason` itself where it is a TinyVLMError; `out_of_memory` for a RangeError about an allocation;
 * otherwise `internal`. The reason becomes the cause.
 */
export function asTinyVLMError(reason: unknown): TinyVLMError {
  if (reason instanceof TinyVLMError) return reason;
  if (reason instanceof RangeError && /alloc|memory/i.test(reason.message))
    return new TinyVLMError("out_of_memory", reason.message, { cause: reason });
  return new TinyVLMError("internal", `unexpected ${describeReason(reason)}`, { cause: reason });
}

/** The error of work that a signal ended; the signal's reason becomes the cause. */
export function abortedError(what: string, signal?: AbortSignal): TinyVLMError {
  return new TinyVLMError("aborted", `${what} was cancelled`, { cause: signal?.reason });
}

/** One line that describes anything that can be thrown, for use in messages. */
export function describeReason(reason: unknown): string {
  if (!(reason instanceof Error)) return String(reason);
  // Node's fetch has the system's error ("ECONNREFUSED") only in its cause.
  const cause = reason.cause instanceof Error ? ` (${reason.cause.message})` : "";
  return `${reason.name}: ${reason.message}${cause}`;
}

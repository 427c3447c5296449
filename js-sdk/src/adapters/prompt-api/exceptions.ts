// The exceptions that pages know from the Prompt API.

import { asTinyVLMError, type ErrorCode } from "../../protocol/errors.js";

const names: Partial<Record<ErrorCode, string>> = {
  context_full: "QuotaExceededError",
  invalid_image: "EncodingError",
  invalid_argument: "NotSupportedError",
  unsupported: "NotSupportedError",
  not_ready: "InvalidStateError",
  aborted: "AbortError",
  network: "NetworkError",
  http: "NetworkError",
  not_found: "NetworkError",
};

/** `reason` as a DOMException; the reason of a signal, and other exceptions of the page, stay. */
export function exceptionOf(reason: unknown, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (reason instanceof DOMException || reason instanceof TypeError) return reason;
  const error = asTinyVLMError(reason);
  const exception = new DOMException(error.message, names[error.code] ?? "OperationError");
  return Object.defineProperty(exception, "cause", { value: error, configurable: true });
}

/** For what the model or this class cannot do. */
export function notSupported(what: string): DOMException {
  return new DOMException(what, "NotSupportedError");
}

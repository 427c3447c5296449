// Ctrl-C.

import { interrupted } from "./exit-codes.js";

const controller = new AbortController();

/**
 * From now on the first Ctrl-C fires the signal that is returned, and a second one ends the process
 * at once. Before, Ctrl-C ends the process, which is right for commands with nothing to put away.
 */
export function interruption(): AbortSignal {
  process.on("SIGINT", () => {
    if (controller.signal.aborted) process.exit(interrupted);
    controller.abort();
  });
  return controller.signal;
}

/** Whether the user wanted an end. */
export const wasInterrupted = (): boolean => controller.signal.aborted;

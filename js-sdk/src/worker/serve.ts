// What a worker does: connect port, handlers and the engine's factories.

import { dispatch } from "../protocol/dispatcher.js";
import { errorToWire } from "../protocol/wire-error.js";
import type { Factories } from "../runtime/variants.js";
import { createHandlers } from "./handlers.js";
import type { WorkerPlatform } from "./platform.js";

/** Serves the client with the builds in `factories` until the worker ends. */
export function serve(factories: Factories, platform: WorkerPlatform): void {
  const handlers = createHandlers(factories, platform, (error) =>
    platform.port.post({ dead: errorToWire(error) }),
  );
  dispatch(platform.port, handlers);
}

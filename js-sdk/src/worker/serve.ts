// Joins the pieces in a worker: port, handlers, engine glue.

import { dispatch } from "../protocol/dispatcher.js";
import { errorToWire } from "../protocol/wire-error.js";
import type { Factories } from "../runtime/variants.js";
import { createHandlers } from "./handlers.js";
import { workerPlatform } from "./platform.js";

export async function serve(factories: Factories): Promise<void> {
  const platform = await workerPlatform();
  const handlers = createHandlers(factories, platform, (error) =>
    platform.port.post({ dead: errorToWire(error) }),
  );
  dispatch(platform.port, handlers);
}

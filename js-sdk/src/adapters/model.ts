// What the adapters need of the SDK.

import type { LoadedModel } from "../api/client.js";

/** What an adapter needs of a loaded model: a TinyVLM has it. */
export type AnsweringModel = Pick<LoadedModel, "chat" | "info" | "variant">;

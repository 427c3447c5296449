// The table of commands.

import { ask } from "./ask.js";
import { batch } from "./batch.js";
import { cache } from "./cache.js";
import { chat } from "./chat.js";
import type { Command } from "./command.js";
import { completion } from "./completion.js";
import { copyAssets } from "./copy-assets.js";
import { embed } from "./embed.js";
import { pull } from "./pull.js";
import { toolCommands } from "./tools.js";

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  ask,
  chat,
  batch,
  embed,
  pull,
  cache,
  ...toolCommands,
  copyAssets,
  completion,
];

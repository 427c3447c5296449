// tiny-vlm cache

import { TinyVLM } from "../api/node.js";
import { TinyVLMError } from "../protocol/errors.js";
import type { Parsed, SdkCommand } from "./command.js";
import { checkChoice, wrongArgument } from "./flags.js";
import { megabytes } from "./terminal.js";

const actions = ["list", "delete", "clear", "folder"] as const;

export const cache: SdkCommand = {
  name: "cache",
  summary: "lists and deletes the models that are kept here",
  usage: "[list | delete <url> | clear | folder] [flags]",
  about: ["Models that are loaded from a URL are kept, so that they are fetched once."],
  wordsHelp: {
    list: "Which they are, how much of each is there, when they were last used.",
    "delete <url>": "Deletes the one from this address.",
    clear: "Deletes all.",
    folder: "Where they are. TINYVLM_CACHE sets it.",
  },
  words: actions,
  flags: {
    "--json": {
      kind: "switch",
      help:
        "One line of JSON: list gives [{ url, storedBytes, totalBytes, lastUsed }], delete and " +
        "clear { deleted } with a number, folder { folder }.",
    },
  },
  examples: [
    ["tiny-vlm cache", "What is kept."],
    [
      "tiny-vlm cache delete https://example.com/fastvlm.gguf",
      "Deletes one model; the next load fetches it again.",
    ],
  ],
  outcomes: ["invalid_argument", "not_found", "io"],
  run,
};

async function run({ positionals, switches }: Parsed): Promise<void> {
  const [action = "list", ...addresses] = positionals;
  checkChoice("the action of cache", actions, action);
  const wanted = action === "delete" ? 1 : 0;
  if (addresses.length !== wanted)
    throw wrongArgument(
      `cache ${action} wants ${wanted === 1 ? "one address" : "no address"}, ` +
        `found ${addresses.map((address) => JSON.stringify(address)).join(" ") || "none"}`,
    );
  const isJson = switches.has("--json");
  const told = await actOn(action as (typeof actions)[number], addresses[0] ?? "", isJson);
  if (isJson) process.stdout.write(`${JSON.stringify(told)}\n`);
}

/** Does what the action says, and shows it unless as JSON; returns the JSON. */
async function actOn(
  action: (typeof actions)[number],
  address: string,
  isJson: boolean,
): Promise<unknown> {
  switch (action) {
    case "list": {
      const models = await TinyVLM.cache.list();
      if (!isJson) await show(models);
      return models;
    }
    case "delete":
      if (!(await TinyVLM.cache.delete(address)))
        throw new TinyVLMError(
          "not_found",
          `nothing is kept of "${address}"; see tiny-vlm cache list`,
        );
      return { deleted: 1 };
    case "clear": {
      const { length: deleted } = await TinyVLM.cache.list();
      await TinyVLM.cache.clear();
      return { deleted };
    }
    case "folder": {
      const { folder } = TinyVLM.cache;
      if (!isJson) process.stdout.write(`${folder}\n`);
      return { folder };
    }
  }
}

async function show(models: Awaited<ReturnType<typeof TinyVLM.cache.list>>): Promise<void> {
  const { freeBytes } = await TinyVLM.cache.estimate();
  for (const { url, storedBytes, totalBytes, lastUsed } of models) {
    const part =
      storedBytes === totalBytes
        ? megabytes(totalBytes)
        : `${megabytes(storedBytes)} of ${megabytes(totalBytes)}`;
    process.stdout.write(`${lastUsed.toISOString().slice(0, 10)}  ${part.padStart(8)}  ${url}\n`);
  }
  const free = freeBytes === undefined ? "" : `, ${megabytes(freeBytes)} free`;
  process.stderr.write(`${models.length} ${models.length === 1 ? "model" : "models"}${free}\n`);
}

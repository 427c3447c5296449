// tiny-vlm cache

import { TinyVLM } from "../api/node.js";
import { didYouMean } from "../protocol/did-you-mean.js";
import { TinyVLMError } from "../protocol/errors.js";
import { parseFlags } from "./flags.js";
import { cacheHelp } from "./help.js";

const actions = ["list", "delete", "clear", "folder"];

/** Shows and deletes the models that were kept by `ask` and by the SDK. */
export async function cache(args: string[]): Promise<void> {
  const { positionals, switches } = parseFlags(args, {
    "--json": "switch",
    "--help": "switch",
    "-h": "switch",
  });
  if (switches.has("--help") || switches.has("-h")) return void process.stdout.write(cacheHelp);
  const [action = "list", ...addresses] = positionals;
  if (!actions.includes(action))
    throw new TinyVLMError(
      "invalid_argument",
      `wanted one of ${actions.join(", ")}, found "${action}"${didYouMean(action, actions)}`,
    );
  const wanted = action === "delete" ? 1 : 0;
  if (addresses.length !== wanted)
    throw new TinyVLMError(
      "invalid_argument",
      `cache ${action} wants ${wanted} addresses, found ${addresses.length}`,
    );
  const json = switches.has("--json");
  switch (action) {
    case "list":
      return list(json);
    case "delete":
      return remove(addresses[0]!);
    case "clear":
      return TinyVLM.cache.clear();
    case "folder":
      process.stdout.write(`${TinyVLM.cache.folder}\n`);
  }
}

async function list(json: boolean): Promise<void> {
  const models = await TinyVLM.cache.list();
  if (json) return void process.stdout.write(`${JSON.stringify(models)}\n`);
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

async function remove(address: string): Promise<void> {
  if (!(await TinyVLM.cache.delete(address)))
    throw new TinyVLMError("not_found", `nothing is kept of ${address}; see tiny-vlm cache list`);
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

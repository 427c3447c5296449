// tiny-vlm pull

import { createInterface } from "node:readline/promises";
import { TinyVLM } from "../api/node.js";
import { defaultHubUrl } from "../api/platform.js";
import type { LoadOptions } from "../api/types.js";
import { TinyVLMError } from "../protocol/errors.js";
import { weightTypes, type WeightType } from "../protocol/options.generated.js";
import { parseFlags } from "./flags.js";
import { pullHelp } from "./help.js";

/** Fetches a model or a checkpoint, which is converted, so that later commands find it here. */
export async function pull(args: string[]): Promise<void> {
  const { positionals, switches, texts } = parseFlags(args, {
    "--type": "text",
    "--yes": "switch",
    "-y": "switch",
    "--help": "switch",
    "-h": "switch",
  });
  if (switches.has("--help") || switches.has("-h")) return void process.stdout.write(pullHelp);
  const [source, ...more] = positionals;
  if (source === undefined || more.length > 0)
    throw new TinyVLMError(
      "invalid_argument",
      `pull wants one source, found ${positionals.length}; see tiny-vlm pull --help`,
    );
  const type = (texts.get("--type")?.[0] ?? "q8_0") as WeightType;
  if (!weightTypes.includes(type))
    throw new TinyVLMError(
      "invalid_argument",
      `--type: wanted ${weightTypes.join(", ")}, found "${type}"`,
    );
  await describeHubModel(source);
  if (!switches.has("--yes") && !switches.has("-y")) await ask();
  const options: LoadOptions = { type, threads: 1, onProgress: progressLine() };
  const token = process.env["HF_TOKEN"];
  if (token && source.startsWith("hf:")) options.headers = { authorization: `Bearer ${token}` };
  const vlm = await TinyVLM.load(source, options);
  const { name, fileBytes } = vlm.info;
  await vlm.dispose();
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  process.stdout.write(`${name}: ${megabytes(fileBytes)}, kept in ${TinyVLM.cache.folder}\n`);
  process.stdout.write(`tiny-vlm ask <image> <question> --model ${source} --type ${type}\n`);
}

interface HubModel {
  gated?: boolean | string;
  cardData?: { license?: string; license_name?: string; license_link?: string };
  siblings?: { rfilename: string; size?: number }[];
}

// What a hub says of the repository: licence, size, whether it wants a token.
async function describeHubModel(source: string): Promise<void> {
  const [, repository, revision = "main"] = /^hf:([^/]+\/[^/@]+)(?:@([^/]+))?/.exec(source) ?? [];
  if (!repository) return;
  const hub = (process.env["HF_ENDPOINT"] || defaultHubUrl).replace(/\/$/, "");
  const url = `${hub}/api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const token = process.env["HF_TOKEN"];
  const response = await fetch(url, token ? { headers: { authorization: `Bearer ${token}` } } : {});
  if (!response.ok)
    throw new TinyVLMError(
      "http",
      `wanted the repository ${repository} at ${hub}, the server answered ${response.status}` +
        (response.status === 401 || response.status === 403
          ? ": it may be gated; accept its licence there and set HF_TOKEN"
          : ""),
      { status: response.status, url },
    );
  const { gated, cardData = {}, siblings = [] } = (await response.json()) as HubModel;
  const licence = cardData.license_name ?? cardData.license ?? "not stated";
  const link = cardData.license_link ? ` (${cardData.license_link})` : "";
  const wanted = siblings.filter(({ rfilename }) =>
    /\.(safetensors|json|txt|model|jinja|gguf)$/.test(rfilename),
  );
  const bytes = wanted.reduce((sum, { size = 0 }) => sum + size, 0);
  process.stderr.write(
    `${repository}, revision ${revision}\n` +
      `licence: ${licence}${link}${gated ? ", gated" : ""}\n` +
      `to be fetched: at most ${megabytes(bytes)}\n`,
  );
}

async function ask(): Promise<void> {
  if (!process.stdin.isTTY)
    throw new TinyVLMError("invalid_argument", "nobody to ask here: --yes fetches without asking");
  const line = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await line.question("Fetch it? [y/N] ");
    if (!/^y(es)?$/i.test(answer.trim())) throw new TinyVLMError("aborted", "not fetched");
  } finally {
    line.close();
  }
}

// One line on a terminal that is written anew; nothing where it is no terminal.
function progressLine(): NonNullable<LoadOptions["onProgress"]> {
  return ({ loadedBytes, totalBytes, bytesPerSecond, secondsLeft }) => {
    if (!process.stderr.isTTY || totalBytes === 0) return;
    const left = secondsLeft === undefined ? "" : `, ${Math.ceil(secondsLeft)} s left`;
    const speed = bytesPerSecond > 0 ? `, ${megabytes(bytesPerSecond)}/s` : "";
    process.stderr.write(
      `\r\x1b[K${megabytes(loadedBytes)} of ${megabytes(totalBytes)}${speed}${left}`,
    );
  };
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

// What the command line knows of the hub: its address, the user's token, what it says of a
// repository.

import { defaultHubUrl } from "../api/platform.js";
import { describeReason, TinyVLMError } from "../protocol/errors.js";

/** The headers of requests for `source`: HF_TOKEN goes to the hub. */
export function hubHeaders(source: string | undefined): { headers?: Record<string, string> } {
  const token = process.env["HF_TOKEN"];
  return token && source?.startsWith("hf:")
    ? { headers: { authorization: `Bearer ${token}` } }
    : {};
}

/** A repository as the hub describes it. */
export interface HubRepository {
  name: string;
  revision: string;
  licence: string;
  isGated: boolean;
  /** Bytes of the files that loading it may fetch. */
  bytes: number;
}

interface HubModel {
  gated?: boolean | string;
  cardData?: { license?: string; license_name?: string; license_link?: string };
  siblings?: { rfilename: string; size?: number }[];
}

/** What the hub says of the repository of an `hf:` source; undefined for other sources. */
export async function describeRepository(
  source: string,
  signal: AbortSignal,
): Promise<HubRepository | undefined> {
  const [, name, revision = "main"] = /^hf:([^/]+\/[^/@]+)(?:@([^/]+))?/.exec(source) ?? [];
  if (!name) return undefined;
  const hub = (process.env["HF_ENDPOINT"] || defaultHubUrl).replace(/\/$/, "");
  const url = `${hub}/api/models/${name}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const { gated, cardData = {}, siblings = [] } = await readModel(source, name, hub, url, signal);
  const licence = cardData.license_name ?? cardData.license ?? "not stated";
  const link = cardData.license_link ? ` (${cardData.license_link})` : "";
  const wanted = siblings.filter(({ rfilename }) =>
    /\.(safetensors|json|txt|model|jinja|gguf)$/.test(rfilename),
  );
  return {
    name,
    revision,
    licence: licence + link,
    isGated: Boolean(gated),
    bytes: wanted.reduce((sum, { size = 0 }) => sum + size, 0),
  };
}

async function readModel(
  source: string,
  name: string,
  hub: string,
  url: string,
  signal: AbortSignal,
): Promise<HubModel> {
  let response: Response;
  try {
    response = await fetch(url, { ...hubHeaders(source), signal });
  } catch (cause) {
    throw new TinyVLMError(
      "network",
      `wanted the repository ${name} at ${hub}, found no answer: ${describeReason(cause)}`,
      { cause, url },
    );
  }
  if (!response.ok)
    throw new TinyVLMError(
      "http",
      `wanted the repository ${name} at ${hub}, the server answered ${response.status}` +
        (response.status === 401 || response.status === 403
          ? ": it may be gated; accept its licence there and set HF_TOKEN"
          : ""),
      { status: response.status, url },
    );
  try {
    return (await response.json()) as HubModel;
  } catch (cause) {
    throw new TinyVLMError(
      "http",
      `wanted JSON about the repository ${name} from ${hub}, found something else`,
      { cause, status: response.status, url },
    );
  }
}

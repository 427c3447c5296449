// Loads the model that the address names (`source`, `options` as JSON) and tells `report` how far
// it is, which says when to begin and may have the page reload, or hash what is kept. For
// measurements: a browser that tools drive keeps copies
// of what its pages fetch.
import { TinyVLM } from "../../dist/index.mjs";

const parameters = new URLSearchParams(location.search);
const state = { waits: true, progress: { loadedBytes: 0, totalBytes: 0 } };

const tell = async () => {
  const body = JSON.stringify(state);
  const response = await fetch(parameters.get("report"), { method: "POST", body });
  const answer = await response.text();
  if (answer === "reload") location.reload();
  if (answer === "hash") await hash();
  return answer === "begin";
};

/** Ends the model, and tells the SHA-256 of the one that is kept. */
async function hash() {
  if (state.sha256) return;
  await loaded.dispose();
  const root = await navigator.storage.getDirectory();
  for await (const entry of (await root.getDirectoryHandle("tiny-vlm")).values()) {
    if (entry.kind !== "directory") continue;
    const data = await (await entry.getFileHandle("data")).getFile();
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await data.arrayBuffer()));
    state.sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
}

let loaded;
while (!(await tell())) await new Promise((resolve) => setTimeout(resolve, 200));
let telling = Promise.resolve();
const timer = setInterval(() => (telling = telling.then(tell)), 200);
try {
  loaded = await TinyVLM.load(parameters.get("source"), {
    ...JSON.parse(parameters.get("options")),
    onWarning() {},
    onProgress: (progress) => (state.progress = progress),
  });
  state.memoryBytes = await loaded.memoryBytes();
  state.ready = true;
} catch (error) {
  state.failure = String(error);
  clearInterval(timer);
}
telling = telling.then(tell);

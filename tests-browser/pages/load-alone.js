// Loads the model that the address names (`source`, `options` as JSON) and tells `report` how far
// it is, which says when to begin and may have the page reload. For measurements: a browser that tools drive keeps copies
// of what its pages fetch.
import { TinyVLM } from "../../dist/index.mjs";

const parameters = new URLSearchParams(location.search);
const state = { waits: true, progress: { loadedBytes: 0, totalBytes: 0 } };

const tell = async () => {
  const body = JSON.stringify(state);
  const response = await fetch(parameters.get("report"), { method: "POST", body });
  const answer = await response.text();
  if (answer === "reload") location.reload();
  return answer === "begin";
};

while (!(await tell())) await new Promise((resolve) => setTimeout(resolve, 200));
let telling = Promise.resolve();
const timer = setInterval(() => (telling = telling.then(tell)), 200);
try {
  const vlm = await TinyVLM.load(parameters.get("source"), {
    ...JSON.parse(parameters.get("options")),
    onWarning() {},
    onProgress: (progress) => (state.progress = progress),
  });
  state.memoryBytes = await vlm.memoryBytes();
  state.ready = true;
} catch (error) {
  state.failure = String(error);
  clearInterval(timer);
}
telling = telling.then(tell);

// Where the model runs. Put the package's folder `dist` into the extension as `tiny-vlm`, or let a
// bundler do it; load() without a source takes the demo model from there.
import { TinyVLM } from "./tiny-vlm/index.mjs";

let loading;

async function answer({ image, question }) {
  loading ??= TinyVLM.load();
  const { text } = await (await loading).ask(image, question);
  return { text };
}

chrome.runtime.onMessage.addListener((message, _sender, reply) => {
  if (message.to !== "offscreen") return false;
  answer(message).then(reply, (error) => reply({ error: error.message }));
  return true; // the reply comes later
});

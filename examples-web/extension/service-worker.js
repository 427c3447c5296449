// A service worker has no Web Workers, so it cannot run the model. An offscreen document can: it is
// opened at the first question and keeps the model for the next one.
import { TinyVLM } from "./tiny-vlm/index.mjs";

let opening;

function openDocument() {
  opening ??= chrome.offscreen
    .createDocument({
      url: "offscreen.html",
      reasons: ["WORKERS"],
      justification: "The model runs in a Web Worker",
    })
    .catch((error) => {
      opening = undefined;
      // The document outlives the service worker, which the browser ends and starts as it likes.
      if (!/single offscreen/i.test(error.message)) throw error;
    });
  return opening;
}

/** The answer to a question about the image at a URL. */
globalThis.ask = async (image, question) => {
  await openDocument();
  const { text, error } = await chrome.runtime.sendMessage({ to: "offscreen", image, question });
  if (error) throw new Error(error);
  return text;
};

/** What happens without the offscreen document: an error that says so. */
globalThis.loadHere = () => TinyVLM.load();

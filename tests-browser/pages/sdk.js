// The page that the specs drive: the built package, and a way to bring its errors over to the test
// as plain data.
import { TinyVLM, TinyVLMError } from "../../dist/index.mjs";

/**
 * {value} of the promise, or {code, name, message} of the TinyVLMError it ended in. Any other error
 * is thrown: it is a fault.
 */
async function settle(promise) {
  try {
    return { value: await promise };
  } catch (error) {
    if (!(error instanceof TinyVLMError)) throw error;
    return { code: error.code, name: error.name, message: error.message, status: error.status };
  }
}

/** The whole answer as plain data, with the pieces in which it came. */
async function ask(vlm, image, question, options) {
  const reply = vlm.ask(image, question, options);
  const pieces = [];
  for await (const piece of reply) pieces.push(piece);
  return { ...(await reply), pieces };
}

/** How a load ends: {code, message} where it fails, else the model is disposed of at once. */
async function tryLoad(source, options) {
  const outcome = await settle(TinyVLM.load(source, options));
  await outcome.value?.dispose();
  return outcome.value ? { loaded: true } : outcome;
}

/** True when a model loads and answers rightly: what must still hold after any failure. */
async function stillWorks() {
  const vlm = await TinyVLM.load();
  const { text } = await vlm.ask(
    "/examples-web/samples/sample-5.png",
    "How many objects do you see?",
  );
  await vlm.dispose();
  return text === "Two.";
}

Object.assign(window, { TinyVLM, TinyVLMError, settle, ask, tryLoad, stillWorks, isReady: true });

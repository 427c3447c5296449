// The demo model and the server of the samples, which a file of tests has while it runs: importing
// them is enough, and tests find them filled in.
import { after, before } from "node:test";
import { TinyVLM } from "tiny-vlm";
import { serveSamples } from "./samples.mjs";

/** The model, on one thread. */
export let vlm;

/** The server: `url(name)` is the address of a sample image. */
export let samples;

before(async () => {
  vlm = await TinyVLM.load(undefined, { threads: 1 });
  samples = await serveSamples();
});
after(async () => {
  await vlm.dispose();
  await samples.close();
});

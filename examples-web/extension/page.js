// A page of the extension runs the model as any page does.
import { TinyVLM } from "./tiny-vlm/index.mjs";

document.querySelector("button").addEventListener("click", async () => {
  const output = document.querySelector("output");
  try {
    const vlm = await TinyVLM.load();
    const { text } = await vlm.ask("sample.png", document.querySelector("input").value);
    output.textContent = text;
    await vlm.dispose();
  } catch (error) {
    output.textContent = error.message;
  }
});

// A page of the extension runs the model as any page does.
import { TinyVLM } from "./tiny-vlm/index.mjs";

const output = document.querySelector("output");

async function ask() {
  try {
    const vlm = await TinyVLM.load();
    const { text } = await vlm.ask("sample.png", document.querySelector("input").value);
    output.textContent = text;
    await vlm.dispose();
  } catch (error) {
    output.textContent = error.message;
  }
}

document.querySelector("button").addEventListener("click", () => void ask());

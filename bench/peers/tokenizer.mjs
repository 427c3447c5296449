// A Qwen2 tokenizer of generated tokens, one for every row of the embedding (llama.cpp wants that),
// the control tokens at their known ids. Nothing of the released vocabulary is in it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const CONTROLS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>"];
const FIRST_CONTROL = 151643;
const ROWS = 151936;

/**
 * The 256 characters that stand for bytes in GPT-2's byte-level BPE: printable Latin-1 as itself,
 * the rest from U+0100 on.
 */
function byteCharacters() {
  const printable = (byte) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(printable(byte) ? byte : next++),
  );
}

/** Writes vocab.json, merges.txt and tokenizer_config.json into a checkpoint folder. */
export function writeTokenizer(folder) {
  const vocabulary = {};
  let id = 0;
  for (const character of byteCharacters()) vocabulary[character] = id++;
  // One merge, because readers want some; prompts of the bench hold no space.
  vocabulary["Ġz"] = id++;
  for (; id < ROWS; ++id) {
    if (id === FIRST_CONTROL) id += CONTROLS.length;
    vocabulary[`Ġy${id.toString(36)}`] = id;
  }
  const decoder = Object.fromEntries(
    CONTROLS.map((content, i) => [
      FIRST_CONTROL + i,
      {
        content,
        lstrip: false,
        normalized: false,
        rstrip: false,
        single_word: false,
        special: true,
      },
    ]),
  );
  const config = {
    tokenizer_class: "Qwen2Tokenizer",
    added_tokens_decoder: decoder,
    eos_token: "<|im_end|>",
    pad_token: "<|endoftext|>",
  };
  writeFileSync(join(folder, "vocab.json"), JSON.stringify(vocabulary));
  writeFileSync(join(folder, "merges.txt"), "#version: 0.2\nĠ z\n");
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify(config));
}

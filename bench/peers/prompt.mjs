// Prompts for timing: letters that no merge of the bench's tokenizer joins, so that each is one
// token. Used in Node and in the page.

/**
 * `length` letters, other ones for every `round`, the first included, so that no engine has seen a
 * beginning of it.
 */
export function promptOf(length, round) {
  let state = (round + 1) * 2654435761;
  let text = "";
  for (let i = 0; i < length; ++i) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    text += String.fromCharCode(97 + (i === 0 ? round % 20 : (state >>> 16) % 20));
  }
  return text;
}

/** The works of a decoder: rows of the prompt, and steps behind it that are timed. */
export const PREFILL_ROWS = 280;
export const DECODE_PROMPT_ROWS = 16;
export const DECODE_STEPS = 64;

// The global that a script tag makes: the class with what the package exports beside it.

import "../../src/iife.js";
import type * as entry from "../../src/index.js";
import type { support } from "../../src/support.js";
import type { Equal, Expect, Result } from "./equal.js";

export type Global = [
  Expect<Equal<Result<typeof TinyVLM.load>, entry.TinyVLM>>,
  Expect<Equal<typeof TinyVLM.TinyVLMError, typeof entry.TinyVLMError>>,
  Expect<Equal<typeof TinyVLM.support, typeof support>>,
];

export function wrong(): void {
  // @ts-expect-error an entry of its own
  void TinyVLM.demoModel;
  // @ts-expect-error made by load only
  new TinyVLM();
}

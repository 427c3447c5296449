// How the worker of a page lets waiting messages be delivered.

import assert from "node:assert/strict";
import { test } from "node:test";
import { messageYield } from "../src/worker/web-platform.js";

test("everybody who waits is resumed, in order", async () => {
  // Node's channels keep the process alive while somebody listens; a page's end with it.
  const channels: MessageChannel[] = [];
  const before = globalThis.MessageChannel;
  globalThis.MessageChannel = class extends before {
    constructor() {
      super();
      channels.push(this);
    }
  };
  const yieldToMessages = messageYield();
  globalThis.MessageChannel = before;
  try {
    const resumed: number[] = [];
    for (let round = 0; round < 3; round++) {
      const all = [1, 2, 3].map((who) => yieldToMessages().then(() => resumed.push(who)));
      await Promise.all(all);
    }
    assert.deepEqual(resumed, [1, 2, 3, 1, 2, 3, 1, 2, 3]);
  } finally {
    for (const { port1 } of channels) port1.close();
  }
});

// What a fake engine answers: as the real one it returns a value and tells the rest when asked.

/**
 * The last reply, with `usualText` where a call says no other; its three functions are those of an
 * EngineModule.
 */
export function lastReply(usualText = "") {
  let last = { code: 0, message: "", text: "" };
  return {
    ok(value = 0, text = usualText): number {
      last = { code: 0, message: "", text };
      return value;
    },
    failed(code: number, message: string): number {
      last = { code, message, text: "" };
      return 0;
    },
    functions: {
      lastCode: () => last.code,
      lastMessage: () => last.message,
      lastText: () => last.text,
    },
  };
}

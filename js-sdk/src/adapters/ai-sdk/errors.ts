// The AI SDK's error for what a model cannot do. It is known by marks, not by its class, so that
// the AI SDK is no dependency.

const name = "AI_UnsupportedFunctionalityError";
const isOfAiSdk = Symbol.for("vercel.ai.error");
const isUnsupported = Symbol.for(`vercel.ai.error.${name}`);

/** `UnsupportedFunctionalityError.isInstance` of the AI SDK is true for it. */
export class UnsupportedFunctionalityError extends Error {
  override readonly name = name;
  readonly [isOfAiSdk] = true;
  readonly [isUnsupported] = true;

  constructor(
    readonly functionality: string,
    reason?: string,
  ) {
    super(`'${functionality}' functionality not supported${reason ? `: ${reason}` : ""}.`);
  }
}

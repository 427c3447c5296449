// Trusted Types for markup that is parsed, as protocol/trusted-script.ts for addresses of scripts. A
// policy of its own, because page-parts.mjs is another script and a name can be taken only once.

interface Policy {
  createHTML(markup: string): string;
}
interface Scope {
  trustedTypes?: { createPolicy(name: string, rules: Policy): Policy };
}

let policy: Policy | undefined;

/** The text of an SVG image, in the form that pages which demand Trusted Types let parse. */
export function trustedMarkup(text: string): string {
  try {
    policy ??= (globalThis as Scope).trustedTypes?.createPolicy("tiny-vlm-svg", {
      createHTML: (own) => own,
    });
  } catch {
    // The page allows other names only; it need not demand any.
  }
  return policy?.createHTML(text) ?? text;
}

// Trusted Types: a page may demand (`require-trusted-types-for 'script'`) that the addresses of
// scripts come from a policy, and may list the names of those that it allows (`trusted-types`).

interface Policy {
  createScriptURL(url: string): string;
}
interface Scope {
  trustedTypes?: { createPolicy(name: string, rules: Policy): Policy };
}

let policy: Policy | undefined;

/** The address of one of the package's own scripts, in the form that such pages accept. */
export function trustedScript(url: string): string {
  try {
    policy ??= (globalThis as Scope).trustedTypes?.createPolicy("tiny-vlm", {
      createScriptURL: (own) => own,
    });
  } catch {
    // The page allows other names only; it need not demand any.
  }
  return policy?.createScriptURL(url) ?? url;
}

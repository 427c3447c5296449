// Trusted Types: a page may demand (`require-trusted-types-for 'script'`) that what it runs or parses
// comes from a policy, and may list the names of those that it allows (`trusted-types`). A script
// can take a name only once.

type Rule = "createScriptURL" | "createHTML";
type Policy = Partial<Record<Rule, (text: string) => string>>;
interface Scope {
  trustedTypes?: { createPolicy(name: string, rules: Policy): Policy };
}

/** What turns texts of the package's own into the form that such pages accept, by a policy. */
export function trusting(name: string, rule: Rule): (text: string) => string {
  let policy: Policy | undefined;
  return (text) => {
    try {
      policy ??= (globalThis as Scope).trustedTypes?.createPolicy(name, {
        [rule]: (own: string) => own,
      });
    } catch {
      // The page allows other names only; it need not demand any.
    }
    return policy?.[rule]!(text) ?? text;
  };
}

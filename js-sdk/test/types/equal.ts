// Types that are compared with each other by the compiler.

/** True where two types are the same, `any`, `unknown` and `readonly` told apart. */
export type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles for `true` alone: `type _ = Expect<Equal<A, B>>`. */
export type Expect<Holds extends true> = Holds;

/** What a promise, a stream or a function's promise is in the end. */
export type Result<Call extends (...args: never) => unknown> = Awaited<ReturnType<Call>>;

// The comparison itself.
export type Compared = [
  Expect<Equal<string, string>>,
  Expect<Equal<Equal<string, string | undefined>, false>>,
  Expect<Equal<Equal<{ a: string }, { a?: string }>, false>>,
  Expect<Equal<Equal<{ a: string }, { readonly a: string }>, false>>,
  // What it must tell from the others.
  Expect<Equal<Equal<any, unknown>, false>>,
];

// @ts-expect-error not the same
export type Unequal = Expect<Equal<number, string>>;

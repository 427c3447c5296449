// What an answer must be.

/** What an answer must be: an object with one of the three keys. */
export type ResponseFormat =
  | {
      /**
       * A JSON Schema (draft 2020-12): the answer is compact JSON that validates against it, with
       * properties in the schema's order. docs/sdk.md lists the keywords; any other is refused with
       * `invalid_argument`, which names it and its place.
       */
      schema: object | boolean;
    }
  | {
      /** The answer is one of these texts. At least one. */
      choices: readonly string[];
    }
  | {
      /**
       * A regular expression (JavaScript's, with its flag `u`) that the whole answer matches.
       * Without references to groups, looking ahead or behind, `\b` and `\p`.
       */
      pattern: string;
    };

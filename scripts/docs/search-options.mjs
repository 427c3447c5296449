// How the search index is made and read: both sides must agree.

const words = (text) => text.match(/[\p{L}\p{N}_]+/gu) ?? [];

/** A name as one word, and its parts: context_full, context, full; maxTokens, max, Tokens. */
function wordsAndParts(text) {
  return words(text).flatMap((word) => {
    const parts = word.split(/_+|(?<=\p{Ll})(?=\p{Lu})/u).filter(Boolean);
    return parts.length > 1 ? [word, ...parts] : [word];
  });
}

/** MiniSearch's options. A part of a page is found by its heading before its text. */
export const searchOptions = {
  fields: ["heading", "page", "text"],
  storeFields: ["url", "page", "heading", "excerpt"],
  tokenize: wordsAndParts,
  searchOptions: {
    tokenize: words,
    boost: { heading: 4, page: 2 },
    prefix: (term) => term.length > 2,
    fuzzy: (term) => (term.length > 4 ? 0.2 : 0),
    combineWith: "AND",
  },
};

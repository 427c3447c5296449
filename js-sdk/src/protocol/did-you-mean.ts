// Proposals for misspelt words, in error messages.

/** `; did you mean …?` with the nearest of `known`, or "" where none is near. */
export function didYouMean(word: string, known: readonly string[]): string {
  const wanted = plain(word);
  let nearest = "";
  let best = Math.max(3, wanted.length >> 1);
  for (const candidate of known) {
    const distance = editDistance(wanted, plain(candidate));
    if (distance < best) [nearest, best] = [candidate, distance];
  }
  return nearest && `; did you mean ${nearest}?`;
}

// Lower case without dashes: top_p, topP and --top-p are one word.
const plain = (word: string) => word.replace(/[-_]/g, "").toLowerCase();

// Insertions, deletions and replacements that lead from one word to the other.
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++)
      next.push(
        Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)),
      );
    row = next;
  }
  return row[to.length]!;
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { didYouMean } from "../src/protocol/did-you-mean.js";
import { parseFlags } from "../src/cli/flags.js";

const allowed = {
  "--json": "switch",
  "--model": "text",
  "--stop": "texts",
  "--seed": "number",
  "-o": "text",
} as const;

test("flags and words may stand in any order", () => {
  const parsed = parseFlags(
    ["a.png", "--seed", "-3", "--json", "What?", "--stop=x", "--stop", "y", "--model", "m"],
    allowed,
  );
  assert.deepEqual(parsed.positionals, ["a.png", "What?"]);
  assert(parsed.switches.has("--json"));
  assert.deepEqual(
    [parsed.texts.get("--stop"), parsed.texts.get("--model"), parsed.numbers.get("--seed")],
    [["x", "y"], ["m"], -3],
  );
});

test("a lone dash is a word and two dashes end the flags", () => {
  assert.deepEqual(parseFlags(["-", "--", "--json"], allowed).positionals, ["-", "--json"]);
});

test("mistakes are named", () => {
  const cases: [string[], RegExp][] = [
    [["--sede", "1"], /unknown flag --sede; did you mean --seed\?/],
    [["--seed"], /--seed wants a value/],
    [["--seed", "many"], /--seed wants a number, found "many"/],
    [["--json=1"], /--json takes no value/],
    [["--zzzzzzzz"], /unknown flag --zzzzzzzz$/],
  ];
  for (const [args, message] of cases)
    assert.throws(() => parseFlags(args, allowed), { code: "invalid_argument", message });
});

test("the nearest word is proposed, a far one is not", () => {
  assert.equal(didYouMean("inspekt", ["ask", "inspect"]), "; did you mean inspect?");
  assert.equal(didYouMean("q", ["ask", "inspect"]), "");
});

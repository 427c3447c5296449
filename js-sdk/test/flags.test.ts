import assert from "node:assert/strict";
import { test } from "node:test";
import { didYouMean } from "../src/protocol/did-you-mean.js";
import type { FlagTable } from "../src/cli/command.js";
import { parseFlags } from "../src/cli/flags.js";

const allowed: FlagTable = {
  "--json": { kind: "switch", help: "" },
  "--model": { kind: "text", help: "" },
  "--stop": { kind: "texts", help: "" },
  "--seed": { kind: "number", help: "" },
  "--output": { kind: "text", short: "-o", help: "" },
  "--resize": { kind: "text", choices: ["pad", "crop"], help: "" },
};

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

test("a short name is the long one", () => {
  assert.deepEqual(parseFlags(["-o", "x"], allowed).texts, new Map([["--output", ["x"]]]));
});

test("mistakes are named", () => {
  const cases: [string[], RegExp][] = [
    [["--sede", "1"], /unknown flag --sede; did you mean --seed\?/],
    [["--seed"], /--seed wants a value/],
    [["--seed", "many"], /--seed wants a number, found "many"/],
    [["--json=1"], /--json takes no value/],
    [["--seed", "--json"], /--seed wants a value, found the flag --json \(--seed=--json/],
    [["--resize", "padd"], /wanted pad or crop for --resize, found "padd"; did you mean pad\?/],
    [["--zzzzzzzz"], /unknown flag --zzzzzzzz$/],
  ];
  for (const [args, message] of cases)
    assert.throws(() => parseFlags(args, allowed), { code: "invalid_argument", message });
});

test("the nearest word is proposed, a far one is not", () => {
  assert.equal(didYouMean("inspekt", ["ask", "inspect"]), "; did you mean inspect?");
  assert.equal(didYouMean("q", ["ask", "inspect"]), "");
});

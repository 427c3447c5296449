// JSON schemas against two others' idea of them: the official test suite (JSON-Schema-Test-Suite,
// draft 2020-12, as the package jsonschema carries it: scripts/deps.lock.json), and ajv.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import Ajv from "ajv/dist/2020.js";
import { askFormats, textsOf } from "./format_server.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const suite = join(root, ".deps", "json-schema-test-suite", "json", "tests", "draft2020-12");
const withoutSuite = existsSync(suite) ? false : `missing test data: ${suite}`;

// Valid instances that no answer is, with the reason: by test file and group, then by test.
const closed = "a schema that lists properties or prefixItems gets no others";
const asserted = "format is what the answer has, not an annotation";
const noLeapSecond = "times have seconds up to 59";
const plainAddress = "e-mail addresses are a plain local part and a host's name";
const ownVocabularies = "$schema does not change what keywords mean";
const never = {
  "additionalProperties / additionalProperties are allowed by default": {
    "additional properties are allowed": closed,
  },
  "anyOf / anyOf complex types": { "both anyOf valid (complex)": closed },
  "prefixItems / a schema given for prefixItems": { "array with additional items": closed },
  "prefixItems / additional items are allowed by default": {
    "only the first item is validated": closed,
  },
  "properties / object properties validation": { "doesn't invalidate other properties": closed },
  "uniqueItems / uniqueItems=false with an array of items": {
    "unique array extended from [false, true] is valid": closed,
    "unique array extended from [true, false] is valid": closed,
    "non-unique array extended from [false, true] is valid": closed,
    "non-unique array extended from [true, false] is valid": closed,
  },
  ...Object.fromEntries(
    ["email", "date", "date-time", "time", "uuid"].map((name) => [
      `format / ${name} format`,
      { [`invalid ${name} string is only an annotation by default`]: asserted },
    ]),
  ),
  "vocabulary / schema that uses custom metaschema with with no validation vocabulary": {
    "no validation: invalid number, but it still validates": ownVocabularies,
  },
  "optional/format/time / validation of time strings": {
    "a valid time string with leap second, Zulu": noLeapSecond,
    "valid leap second, zero time-offset": noLeapSecond,
    "valid leap second, positive time-offset": noLeapSecond,
    "valid leap second, large positive time-offset": noLeapSecond,
    "valid leap second, negative time-offset": noLeapSecond,
    "valid leap second, large negative time-offset": noLeapSecond,
  },
  "optional/format/date-time / validation of date-time strings": {
    "a valid date-time with a leap second, UTC": noLeapSecond,
    "a valid date-time with a leap second, with minus offset": noLeapSecond,
  },
  "optional/format/email / validation of e-mail addresses": {
    "a quoted string with a space in the local part is valid": plainAddress,
    "a quoted string with a double dot in the local part is valid": plainAddress,
    "a quoted string with a @ in the local part is valid": plainAddress,
    "an IPv4-address-literal after the @ is valid": plainAddress,
    "an IPv6-address-literal after the @ is valid": plainAddress,
  },
};

/** The groups of tests of the keywords and of the formats that are understood. */
function groupsOfSuite() {
  const files = [
    ...readdirSync(suite).filter((name) => name.endsWith(".json")),
    ...["date", "time", "date-time", "uuid", "email"].map((name) => `optional/format/${name}.json`),
    "optional/ecmascript-regex.json",
  ];
  return files.flatMap((file) =>
    JSON.parse(readFileSync(join(suite, file), "utf8")).map((group) => ({
      ...group,
      file: file.replace(/\.json$/, ""),
    })),
  );
}

/** The keywords that docs/sdk.md lists as understood, and those that it says are ignored. */
function documentedKeywords() {
  const text = readFileSync(join(root, "docs", "sdk.md"), "utf8");
  const [list, ignored] = text.split("Understood are:\n\n")[1].split("\n\n");
  const names = (part) => [...part.matchAll(/`([$a-zA-Z]+)`/g)].map(([, name]) => name);
  return {
    understood: names(list.replaceAll(/(?<=`format`):.*/g, "")),
    ignored: names(ignored.split("say nothing")[0]),
  };
}

// Why a schema of a group is refused. Nothing else may be a reason.
const refusals = [
  {
    // A keyword that is not understood, or not in that use.
    message:
      /: the keyword "([^"]+)" is not supported( where alternatives may overlap| but for |$)/,
    holds: ({ schema }, [, keyword, use], understood) =>
      JSON.stringify(schema).includes(`"${keyword}":`) &&
      understood.includes(keyword) === (use !== ""),
  },
  {
    // A schema elsewhere, or one named by an anchor or an address.
    message: /\/\$ref: # or #\/ and a JSON pointer within the schema wanted, "([^"]+)" found$/,
    holds: ({ schema }, [, reference]) =>
      JSON.stringify(schema).includes(`"$ref":"${reference.replace(/\.\.\.$/, "")}`),
  },
  {
    message: /: at least one text that it allows wanted, none found/,
    holds: ({ tests }) => tests.every(({ valid }) => !valid),
  },
  {
    message: /: pattern .*: Unicode properties are not supported/,
    holds: ({ schema }) => JSON.stringify(schema).includes("\\p{"),
  },
];

test("the official suite: what is invalid is never an answer, what is valid is one", (t) => {
  if (withoutSuite) {
    assert.notEqual(process.env.REQUIRE_SHARED, "1", withoutSuite);
    t.skip(withoutSuite);
    return;
  }
  const groups = groupsOfSuite();
  const { understood } = documentedKeywords();
  assert.ok(understood.includes("minLength") && understood.includes("$ref"), understood.join());
  const answers = askFormats(
    groups.map(({ schema, tests }) => ({
      format: { schema },
      texts: tests.flatMap(({ data }) => textsOf(data)),
    })),
  );
  const counts = { groups: 0, valid: 0, invalid: 0, refused: 0 };
  const unused = new Set(
    Object.entries(never).flatMap(([group, tests]) =>
      Object.keys(tests).map((name) => `${group} / ${name}`),
    ),
  );
  for (const [i, group] of groups.entries()) {
    const name = `${group.file} / ${group.description}`;
    const { code, error, allowed } = answers[i];
    if (error !== undefined) {
      ++counts.refused;
      assert.equal(code, "invalid_argument", name);
      const why = refusals.find(({ message }) => message.test(error));
      assert.ok(why, `${name}: a known reason wanted, "${error}" found`);
      assert.ok(why.holds(group, why.message.exec(error), understood), `${name}: ${error}`);
      continue;
    }
    ++counts.groups;
    for (const { description, data, valid } of group.tests) {
      const full = `${name} / ${description}`;
      const answered = allowed.splice(0, textsOf(data).length).some(Boolean);
      if (!valid) {
        assert.ok(
          !answered,
          `${full}: it is invalid, and an answer may be ${JSON.stringify(data)}`,
        );
        ++counts.invalid;
      } else if (never[name]?.[description]) {
        assert.ok(!answered, `${full}: it is an answer now, so it needs no reason any more`);
        unused.delete(full);
      } else {
        assert.ok(answered, `${full}: valid, but no answer: ${JSON.stringify(data)}`);
        ++counts.valid;
      }
    }
  }
  assert.deepEqual([...unused], [], "tests that the suite has no more");
  // The suite is pinned, so these are known; fewer would mean that schemas are refused.
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.groups >= 157 && counts.valid >= 371 && counts.invalid >= 311);
});

test("a keyword that is not understood is refused by its name and place", () => {
  const { understood, ignored } = documentedKeywords();
  const others = {
    multipleOf: 2,
    uniqueItems: true,
    contains: {},
    minContains: 1,
    maxContains: 1,
    minProperties: 1,
    maxProperties: 1,
    patternProperties: {},
    propertyNames: {},
    dependentRequired: {},
    dependentSchemas: {},
    unevaluatedItems: false,
    unevaluatedProperties: false,
    if: {},
    then: {},
    else: {},
    not: {},
    contentSchema: {},
    $dynamicRef: "#",
    $dynamicAnchor: "a",
    $vocabulary: {},
    $recursiveRef: "#",
    dependencies: {},
    additionalItems: {},
    frobnicate: 1,
  };
  const questions = Object.entries(others).map(([keyword, value]) => ({
    format: { schema: { type: "object", properties: { "a/b": { [keyword]: value } } } },
    texts: [],
  }));
  for (const [i, { code, error }] of askFormats(questions).entries()) {
    const keyword = Object.keys(others)[i];
    assert.ok(!understood.includes(keyword) && !ignored.includes(keyword), keyword);
    assert.equal(code, "invalid_argument", keyword);
    assert.equal(
      error,
      `responseFormat: #/properties/a~1b/${keyword}: the keyword "${keyword}" is not supported`,
    );
  }
  // And those that are ignored change nothing.
  const annotated = ignored.map((keyword) => ({
    format: { schema: { type: "null", [keyword]: keyword === "$defs" ? {} : "a" } },
    texts: ["null"],
  }));
  assert.ok(annotated.length >= 10);
  for (const [i, { allowed }] of askFormats(annotated).entries())
    assert.deepEqual(allowed, [true], ignored[i]);
});

// More schemas than those of the native tests: what they have less of.
const moreSchemas = [
  { type: "string", pattern: "^[ä-ü€😀-😂]{1,5}$" },
  { type: "string", pattern: '\\\\|"|/' },
  { enum: ["ключ", "鍵", "🔑", 'a"b', "\u0000", "\u2028", 1.5, -0.25, 1e21, null, [1, { a: 2 }]] },
  { const: { naïve: ["é", { "😀": null }] } },
  { type: ["integer", "string"], minimum: -1, maxLength: 1 },
  {
    type: "object",
    properties: {
      "a b": { anyOf: [{ type: "number", minimum: 0 }, { const: "n/a" }] },
      ü: { type: "array", items: { type: ["boolean", "null"] }, minItems: 2, maxItems: 5 },
      deep: {
        type: "object",
        properties: { deeper: { type: "object", properties: { x: { enum: ["я", 0] } } } },
        required: ["deeper"],
      },
    },
    required: ["ü"],
  },
  {
    $defs: {
      point: { prefixItems: [{ type: "number" }, { type: "number" }], minItems: 2, type: "array" },
    },
    type: "object",
    properties: {
      line: { type: "array", items: { $ref: "#/$defs/point" }, minItems: 1, maxItems: 3 },
    },
    required: ["line"],
  },
  {
    type: "object",
    additionalProperties: { type: "object", additionalProperties: { type: "null" } },
  },
];

test("texts of schemas, made at random, parse and validate with ajv", () => {
  const source = readFileSync(join(root, "tests-native", "constrain", "schemas.h"), "utf8");
  const schemas = [
    ...[...source.matchAll(/R"\(([^]*?)\)"/g)].map(([, text]) => JSON.parse(text)),
    ...moreSchemas,
  ];
  assert.ok(schemas.length >= 60);
  const answers = askFormats(
    schemas.flatMap((schema, i) =>
      [3, 20, 80].map((length) => ({ format: { schema }, samples: 6, seed: i + 1, length })),
    ),
  );
  let count = 0;
  const distinct = new Set();
  // Formats are the official suite's to judge.
  const validators = schemas.map((schema) =>
    new Ajv({ strict: false, validateFormats: false }).compile(schema),
  );
  for (const [i, { texts, error }] of answers.entries()) {
    const about = JSON.stringify(schemas[Math.floor(i / 3)]);
    const validate = validators[Math.floor(i / 3)];
    assert.equal(error, undefined, `${about}: ${error}`);
    for (const text of texts) {
      const valid = validate(JSON.parse(text));
      assert.ok(valid, `${about}: ${text}: ${JSON.stringify(validate.errors)}`);
      distinct.add(`${about} ${text}`);
      ++count;
    }
  }
  assert.ok(count >= 1000 && distinct.size >= 600, `${count} texts, ${distinct.size} different`);
});

test("texts of patterns, made at random, match them in JavaScript", () => {
  const patterns = [
    "\\d{3}-\\d{4}",
    "(a|b)*c?",
    "[^\\d\\s]{1,9}",
    "\\u{1F600}|é+|[α-ω]{2}",
    "(?:x{2,3}|\\.){1,4}",
    "^(yes|no)$",
    ".{0,20}",
    "\\w+@\\w+\\.(com|org)",
    "[\\s\\S]?",
    "\\x41\\u0042\\cJ[\\b]",
    "(?<year>[12]\\d{3})/(?:0[1-9]|1[0-2])",
  ];
  const answers = askFormats(
    patterns.map((pattern, i) => ({ format: { pattern }, samples: 30, seed: i + 1, length: 30 })),
  );
  for (const [i, { texts, error }] of answers.entries()) {
    assert.equal(error, undefined, `${patterns[i]}: ${error}`);
    const whole = new RegExp(`^(?:${patterns[i]})$`, "u");
    for (const text of texts) assert.match(text, whole);
  }
});

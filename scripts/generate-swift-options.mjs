// The Swift part of scripts/generate-options.mjs: the structs of options of the Swift package.

const path = "mobile/swift/Sources/TinyVLM/Options.generated.swift";
const columns = 100;

// Options of the caller that the Swift package has, too; the others are JavaScript's.
const ofCaller = ["system", "exactPreprocess", "strict"];

// Where the package does something else than the SDK.
const ownDocs = {
  threads: "At most this many threads. Default: as many as fast cores, fewer when it is hot.",
};

const enumNames = { resize: "Resize", chatStyle: "ChatStyle", compute: "Compute" };

function swiftType({ key, type }) {
  switch (type) {
    case "integer":
      return key === "seed" ? "UInt64" : "Int";
    case "number":
      return "Double";
    case "boolean":
      return "Bool";
    case "string":
      return "String";
    case "strings":
      return "[String]";
    case "choice":
      return enumNames[key];
    case "json":
      return "ResponseFormat";
  }
  throw new Error(`${key}: no Swift for type ${type} yet`);
}

const isFlag = ({ type }) => type === "boolean";
const declared = (option) => swiftType(option) + (isFlag(option) ? "" : "?");
const initial = (option) => (isFlag(option) ? "false" : "nil");

/** `qwen_2` -> `qwen2` */
const caseName = (word) => word.replaceAll(/_(.)/g, (_, letter) => letter.toUpperCase());

/** An array as swift-format writes it. */
const asArray = (items) =>
  items.length === 1
    ? [`    [${items[0]}]`]
    : ["    [", ...items.map((item) => `      ${item},`), "    ]"];

function enumOf(option) {
  return [
    `  /// Values of \`\`${option.key}\`\`.`,
    `  public enum ${enumNames[option.key]}: String, Sendable, CaseIterable, JSONText {`,
    ...option.choices.map((word) => {
      const name = caseName(word);
      return [
        `    /// The value \`${word}\`.`,
        name === word ? `    case ${name}` : `    case ${name} = "${word}"`,
      ].join("\n");
    }),
    "  }",
    "",
  ];
}

function structOf(name, about, options, groups, { wrap, doc, facts }) {
  const docOf = (option) =>
    ownDocs[option.key] ? [ownDocs[option.key]] : [doc(option), facts(option)].filter(Boolean);
  return [
    `/// ${about}`,
    `public struct ${name}: Sendable, Equatable {`,
    ...options.filter(({ type }) => type === "choice").flatMap(enumOf),
    ...options.flatMap((option) => [
      ...docOf(option).flatMap((text) => wrap(text, columns, "  /// ")),
      `  public var ${option.key}: ${declared(option)}`,
    ]),
    "",
    "  /// Options; what is left out has its default.",
    "  public init(",
    options.map((o) => `    ${o.key}: ${declared(o)} = ${initial(o)}`).join(",\n"),
    "  ) {",
    ...options.map(({ key }) => `    self.${key} = ${key}`),
    "  }",
    ...Object.entries(groups).flatMap(([group, holds]) => [
      "",
      `  var ${group}: [(String, (any JSONText)?)] {`,
      ...asArray(options.filter(holds).map(({ key }) => `("${key}", ${key})`)),
      "  }",
    ]),
    "}",
  ];
}

/** The path and text of the generated Swift file. `words`: { origin, wrap, doc, facts }. */
export function swiftFile(table, words) {
  const has = (wanted) => (option) =>
    option.when === wanted &&
    (["model", "session", "answer", "sampling"].includes(option.scope) ||
      ofCaller.includes(option.key));
  const engine = ({ scope }) => scope === "answer" || scope === "sampling";
  return [
    path,
    [
      "// The options of loading and asking.",
      `// ${words.origin}`,
      "",
      ...structOf(
        "LoadOptions",
        "How a model is loaded and used.",
        table.filter(has("load")),
        {
          modelFields: ({ scope }) => scope === "model",
          sessionFields: ({ scope }) => scope === "session",
        },
        words,
      ),
      "",
      ...structOf(
        "AskOptions",
        "How a question is answered.",
        table.filter(has("ask")),
        { answerFields: engine },
        words,
      ),
      "",
    ].join("\n"),
  ];
}

// The rows of a batch, as text: JSON Lines or CSV (RFC 4180), both ways.

import { TinyVLMError } from "../protocol/errors.js";
import type { FinishReason } from "../protocol/values.js";

/** One image, and what came of it: an answer with its numbers, or an error. */
export interface Row {
  image: string;
  question: string;
  answer: string | null;
  finishReason: FinishReason | null;
  /** Tokens of the answer. */
  tokens: number | null;
  /** Milliseconds from the question to the end of the answer. */
  ms: number | null;
  /** Code and message. */
  error: string | null;
}

const columns = [
  "image",
  "question",
  "answer",
  "finishReason",
  "tokens",
  "ms",
  "error",
] as const satisfies readonly (keyof Row)[];

/** A file's rows, up to where a crash cut the last one. */
export interface ReadRows {
  rows: Row[];
  /** The part of the text that consists of whole rows (and the header). */
  whole: string;
}

export interface RowFormat {
  /** What a file begins with. */
  header: string;
  /** A row with the end of its line. */
  write(row: Row): string;
  /**
   * Reads a file of this format; `name` is for errors. Throws `invalid_file` where it is none: only
   * its last line may be incomplete.
   */
  read(text: string, name: string): ReadRows;
}

export const formatNames = ["jsonl", "csv"] as const;

/** Every format by its name. */
export const rowFormats: Readonly<Record<(typeof formatNames)[number], RowFormat>> = {
  jsonl: { header: "", write: (row) => `${JSON.stringify(inOrder(row))}\n`, read: readJsonLines },
  csv: {
    header: `${columns.join(",")}\n`,
    write: (row) => `${columns.map((column) => csvField(row[column])).join(",")}\n`,
    read: readCsv,
  },
};

const inOrder = (row: Row) => Object.fromEntries(columns.map((column) => [column, row[column]]));

const notOurs = (name: string, line: number, found: string) =>
  new TinyVLMError(
    "invalid_file",
    `${name}, line ${line}: wanted a row that tiny-vlm batch wrote, found ` +
      `${JSON.stringify(found.slice(0, 60))} (--overwrite replaces the file)`,
  );

/** Throws unless `rest`, which a crash may have cut, can be the beginning of `expected`. */
function checkCut(rest: string, expected: string, name: string, line: number): void {
  const isCut = rest.startsWith(expected) || expected.startsWith(rest) || /^\0+$/.test(rest);
  if (!isCut) throw notOurs(name, line, rest);
}

function readJsonLines(text: string, name: string): ReadRows {
  const end = text.lastIndexOf("\n") + 1;
  const lines = text.slice(0, end).split("\n").slice(0, -1);
  checkCut(text.slice(end), '{"image":"', name, lines.length + 1);
  const rows = lines.map((line, index) => {
    let row: unknown;
    try {
      row = JSON.parse(line);
    } catch {
      throw notOurs(name, index + 1, line);
    }
    if (!isRow(row)) throw notOurs(name, index + 1, line);
    return row;
  });
  return { rows, whole: text.slice(0, end) };
}

function isRow(value: unknown): value is Row {
  if (typeof value !== "object" || value === null) return false;
  const { image, question, answer, error } = value as Partial<Record<keyof Row, unknown>>;
  return (
    typeof image === "string" &&
    typeof question === "string" &&
    (typeof answer === "string" || typeof error === "string")
  );
}

const csvField = (value: string | number | null) =>
  /[",\r\n]/.test(String(value ?? ""))
    ? `"${String(value).replaceAll('"', '""')}"`
    : String(value ?? "");

// Fields with commas between them; a quoted one may hold ends of lines.
const csvText = '(?:[^"]|"")*';
const csvFields = `(?:"${csvText}"|[^",\\r\\n]*)(?:,(?:"${csvText}"|[^",\\r\\n]*))*`;
// What a crash leaves of a record ends between fields, or in a quoted one.
const cutRecord = new RegExp(`^${csvFields}(?:\\r|(?:^|,)"${csvText})?$`);

function readCsv(text: string, name: string): ReadRows {
  const { header } = rowFormats.csv;
  const rows: Row[] = [];
  let line = 1;
  let at = 0;
  const record = new RegExp(`${csvFields}\\r?\\n`, "y");
  for (;;) {
    record.lastIndex = at;
    const [found] = record.exec(text) ?? [];
    if (found === undefined) break;
    if (at === 0) {
      if (found.trimEnd() !== header.trimEnd()) throw notOurs(name, line, found);
    } else rows.push(csvRow(found, name, line));
    line += found.split("\n").length - 1;
    at += found.length;
  }
  const rest = text.slice(at);
  if (at === 0) checkCut(rest, header, name, 1);
  else if (!cutRecord.test(rest)) throw notOurs(name, line, rest);
  return { rows, whole: text.slice(0, at) };
}

function csvRow(record: string, name: string, line: number): Row {
  const fields = [
    ...record.replace(/\r?\n$/, "").matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g),
  ];
  if (fields.length !== columns.length) throw notOurs(name, line, record);
  const texts = fields.map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "");
  const [image, question, answer, finishReason, tokens, ms, error] = texts as [
    ...[string, string, string, string, string, string, string],
  ];
  const number = (text: string) => (text === "" ? null : Number(text));
  return {
    image,
    question,
    answer: error === "" ? answer : null,
    finishReason: (finishReason || null) as FinishReason | null,
    tokens: number(tokens),
    ms: number(ms),
    error: error || null,
  };
}

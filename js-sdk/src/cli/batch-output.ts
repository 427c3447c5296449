// Where the rows of a batch go: stdout, or a file that a later run goes on with.

import {
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { TinyVLMError } from "../protocol/errors.js";
import type { Row, RowFormat } from "./batch-rows.js";
import { wrongArgument } from "./flags.js";

/** What is there already of a file. */
export type Existing =
  | "continue"
  /** Rows with an error are left out, so that their images are asked again. */
  | "retry"
  | "overwrite";

/** Takes rows. Each is whole in the file before the next question is asked. */
export interface BatchOutput {
  /** Rows that earlier runs wrote. */
  readonly earlier: readonly Row[];
  add(row: Row): void;
  close(): void;
}

/** Rows on stdout; nothing is there before. */
export function stdoutRows(format: RowFormat): BatchOutput {
  process.stdout.write(format.header);
  return {
    earlier: [],
    add: (row) => void process.stdout.write(format.write(row)),
    close() {},
  };
}

/**
 * Opens the file at `path`, and repairs it: a last row that a crash has cut is cut off. Errors:
 * `invalid_file` where it holds something else, which then stays as it is; `not_found`, `io`.
 */
export function fileRows(path: string, format: RowFormat, existing: Existing): BatchOutput {
  const doing = <T>(work: () => T): T => explaining(path, work);
  const text = doing(() => textOfFile(path));
  const { rows, whole } =
    existing === "overwrite" ? { rows: [], whole: "" } : format.read(text, path);
  const earlier = existing === "retry" ? rows.filter(({ error }) => error === null) : rows;
  const isAsItWas = whole !== "" && earlier.length === rows.length;
  if (!isAsItWas) {
    // The old file stays whole until the new one is.
    const rewritten = `${path}.new`;
    doing(() => {
      writeFileSync(rewritten, format.header + earlier.map(format.write).join(""));
      renameSync(rewritten, path);
    });
  } else if (whole !== text) doing(() => truncateSync(path, Buffer.byteLength(whole)));
  const file = doing(() => openSync(path, "a"));
  return {
    earlier,
    add: (row) => doing(() => writeWhole(file, format.write(row))),
    close: () => doing(() => closeSync(file)),
  };
}

/** The text of a file; none where there is no file. */
function textOfFile(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) return "";
  if (!stats.isFile())
    throw wrongArgument(`wanted a file for --output, found "${path}", which is none`);
  return readFileSync(path, "utf8");
}

function writeWhole(file: number, text: string): void {
  let bytes: Uint8Array = Buffer.from(text);
  while (bytes.length > 0) bytes = bytes.subarray(writeSync(file, bytes));
}

/** Failures of the file system become errors that name the output. */
function explaining<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof TinyVLMError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT")
      throw new TinyVLMError("not_found", `the folder of the output "${path}" does not exist`, {
        cause,
      });
    throw new TinyVLMError("io", `the output "${path}" cannot be written: ${message}`, { cause });
  }
}

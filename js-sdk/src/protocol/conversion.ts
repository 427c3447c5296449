// The conversion of a checkpoint as those see it who read its files and keep its result.

/** How a checkpoint is converted: cpp/convert/conversion_options.h. */
export interface ConversionOptions {
  name: string;
  type: string;
  /** False: a model that cannot be asked. */
  tokenizer: boolean;
}

/** What is converted: cpp/convert/conversion.h. */
export interface ConversionInput {
  files: { name: string; bytes: number }[];
  /** Bytes of weights that are asked for at once. */
  requestBytes: number;
  /** Of the chunks that are kept already, in hexadecimal digits. */
  storedSha256: string;
  /** Of the model file whose chunks those are. */
  storedHeaderBytes: number;
}

/** What a conversion wants next. */
export type ConversionTask =
  | {
      kind: "read";
      file: string;
      offset: number;
      /** Of a run; there are `runs` of them, `stride` bytes apart. */
      bytes: number;
      runs: number;
      stride: number;
      address: number;
    }
  | {
      kind: "write";
      offset: number;
      bytes: number;
      sha256: Uint8Array;
      headerBytes: number;
      dataBytes: number;
      address: number;
    }
  | { kind: "restart" | "done" };

/** A conversion under way (runtime/converter.ts). */
export interface Converter {
  next(): ConversionTask;
  /** The converter's memory there. Valid until the next call. */
  memory(address: number, bytes: number): Uint8Array;
  /** The bytes of the read are in place. */
  supply(bytes: number): void;
  warnings(): string[];
  free(): void;
}

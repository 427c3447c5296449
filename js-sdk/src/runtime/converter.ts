// The module that converts checkpoints (wasm/convert_bindings.cc), as an object.

import { codeOfNumber, TinyVLMError } from "../protocol/errors.js";
import { bytesOfHex } from "../protocol/hex.js";
import type {
  ConversionInput,
  ConversionOptions,
  ConversionTask,
  Converter,
} from "../protocol/conversion.js";
import type { FactoryOptions } from "./module.js";

interface Reply {
  code: number;
  message: string;
  value: number;
  text: string;
  address: number;
}

interface ConverterModule {
  readonly HEAPU8: Uint8Array;
  conversionCreate(optionsJson: string, inputJson: string): Reply;
  conversionNext(conversion: number): Reply;
  conversionSupply(conversion: number, bytes: number): Reply;
  conversionWarnings(conversion: number): Reply;
  conversionFree(conversion: number): void;
}

type ConverterFactory = (
  options: Pick<FactoryOptions, "instantiateWasm" | "print" | "printErr">,
) => Promise<ConverterModule>;

// ConversionTask::Kind of cpp/convert/conversion.h.
const kinds = ["read", "write", "restart", "done"] as const;

/** Loads the module: its script at `script`, its wasm file compiled. */
export async function loadConverter(
  script: string,
  binary: WebAssembly.Module,
): Promise<(options: ConversionOptions, input: ConversionInput) => Converter> {
  const { default: create } = (await import(script)) as { default: ConverterFactory };
  const module = await create({
    instantiateWasm(imports, done) {
      void WebAssembly.instantiate(binary, imports).then((instance) => done(instance, binary));
      return {};
    },
    print: console.log,
    printErr: console.error,
  });
  return (options, input) => new ModuleConverter(module, options, input);
}

class ModuleConverter implements Converter {
  readonly #module: ConverterModule;
  readonly #conversion: number;

  constructor(module: ConverterModule, options: ConversionOptions, input: ConversionInput) {
    this.#module = module;
    this.#conversion = checked(
      module.conversionCreate(JSON.stringify(options), JSON.stringify(input)),
    ).value;
  }

  next(): ConversionTask {
    const { value, text, address } = checked(this.#module.conversionNext(this.#conversion));
    const kind = kinds[value];
    if (kind === "read" || kind === "write") {
      const task = JSON.parse(text) as { sha256?: string };
      const sha256 = bytesOfHex(task.sha256 ?? "");
      return { ...task, kind, sha256, address } as ConversionTask;
    }
    return { kind: kind ?? "done" };
  }

  memory(address: number, bytes: number): Uint8Array {
    return this.#module.HEAPU8.subarray(address, address + bytes);
  }

  supply(bytes: number): void {
    checked(this.#module.conversionSupply(this.#conversion, bytes));
  }

  warnings(): string[] {
    const { text } = this.#module.conversionWarnings(this.#conversion);
    return (JSON.parse(text) as { warnings: string[] }).warnings;
  }

  free(): void {
    this.#module.conversionFree(this.#conversion);
  }
}

function checked(reply: Reply): Reply {
  if (reply.code !== 0) throw new TinyVLMError(codeOfNumber(reply.code), reply.message);
  return reply;
}

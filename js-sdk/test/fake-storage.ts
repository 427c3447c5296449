// What browsers keep files in, in memory: their file system (OPFS), their Cache API and Web Locks,
// so far as loader/ uses them. Each call may be made to fail.

/** Lets calls pass, or makes one of them fail. */
export class Strikes {
  /** Calls so far. */
  count = 0;
  /** Names of those that failed. */
  readonly failed: string[] = [];
  readonly #at: number;
  readonly #lasting: boolean;

  /** Call number `at` (from 0 on) fails and, where it is `lasting`, all that follow. */
  constructor(at = Infinity, lasting = false) {
    this.#at = at;
    this.#lasting = lasting;
  }

  /** Counts a call; whether it is to fail. */
  hits(name: string): boolean {
    const number = this.count++;
    const hit = number === this.#at || (this.#lasting && number > this.#at);
    if (hit) this.failed.push(name);
    return hit;
  }

  /** Counts a call; throws where it is to fail. */
  pass(name: string): void {
    if (this.hits(name)) throw failure(name);
  }
}

/** What a storage that has failed throws. */
export const failure = (name: string): Error =>
  new DOMException(`the storage failed in ${name}`, "QuotaExceededError");

interface FakeFile {
  bytes: Uint8Array<ArrayBuffer>;
  isOpen: boolean;
}
type FakeFolder = Map<string, FakeFile>;

/** A browser's storages. */
export class FakeBrowser {
  /** Of the calls that come. */
  strikes = new Strikes();
  readonly #folders = new Map<string, FakeFolder>();
  readonly #answers = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly #locks = new Set<string>();

  /** Files and locks that somebody has open. */
  held(): string[] {
    const files = [...this.#folders].flatMap(([folder, files]) =>
      [...files].filter(([, file]) => file.isOpen).map(([name]) => `${folder}/${name}`),
    );
    return [...files, ...this.#locks];
  }

  /** `navigator`, with OPFS and Web Locks. */
  get navigator(): object {
    return {
      storage: {
        getDirectory: async () => {
          this.strikes.pass("getDirectory");
          return { getDirectoryHandle: async () => this.#top() };
        },
      },
      locks: {
        request: async (
          name: string,
          _options: object,
          use: (lock: object | null) => Promise<void> | void,
        ) => {
          this.strikes.pass("locks.request");
          if (this.#locks.has(name)) return use(null);
          this.#locks.add(name);
          try {
            return await use({});
          } finally {
            this.#locks.delete(name);
          }
        },
      },
    };
  }

  /** `caches`. */
  get caches(): object {
    const { strikes } = this;
    const addressOf = (request: string | { url: string }) =>
      typeof request === "string" ? request : request.url;
    return {
      open: async () => {
        strikes.pass("caches.open");
        return {
          put: async (request: string, response: Response) => {
            const bytes = new Uint8Array(await response.arrayBuffer());
            this.strikes.pass("cache.put");
            this.#answers.set(request, bytes);
          },
          match: async (request: string) => {
            this.strikes.pass("cache.match");
            const bytes = this.#answers.get(request);
            return bytes && new Response(bytes);
          },
          keys: async () => {
            this.strikes.pass("cache.keys");
            return [...this.#answers.keys()].map((url) => ({ url }));
          },
          delete: async (request: string | { url: string }) => {
            this.strikes.pass("cache.delete");
            return this.#answers.delete(addressOf(request));
          },
        };
      },
    };
  }

  #top(): object {
    return {
      keys: async function* (this: FakeBrowser) {
        this.strikes.pass("keys");
        yield* [...this.#folders.keys()];
      }.bind(this),
      getDirectoryHandle: async (name: string, options?: { create?: boolean }) => {
        this.strikes.pass("getDirectoryHandle");
        const folder = found(this.#folders, name, options?.create, () => new Map());
        return this.#folder(folder);
      },
      removeEntry: async (name: string) => {
        this.strikes.pass("removeEntry");
        const files = this.#folders.get(name);
        if (!files) throw new DOMException(`no folder ${name}`, "NotFoundError");
        if ([...files.values()].some(({ isOpen }) => isOpen)) throw busy(name);
        this.#folders.delete(name);
      },
    };
  }

  #folder(folder: FakeFolder): object {
    return {
      getFileHandle: async (name: string, options?: { create?: boolean }) => {
        this.strikes.pass("getFileHandle");
        const file = found(folder, name, options?.create, () => ({
          bytes: new Uint8Array(0),
          isOpen: false,
        }));
        return {
          getFile: async () => {
            this.strikes.pass("getFile");
            return new Blob([file.bytes]);
          },
          createSyncAccessHandle: async () => {
            this.strikes.pass("createSyncAccessHandle");
            if (file.isOpen) throw busy(name);
            file.isOpen = true;
            return this.#open(file);
          },
        };
      },
    };
  }

  #open(file: FakeFile): object {
    const put = (bytes: Uint8Array, at: number) => {
      const longer = new Uint8Array(Math.max(file.bytes.length, at + bytes.length));
      longer.set(file.bytes);
      longer.set(bytes, at);
      file.bytes = longer;
    };
    return {
      read: (target: Uint8Array, { at }: { at: number }) => {
        this.strikes.pass("read");
        const part = file.bytes.subarray(at, at + target.length);
        target.set(part);
        return part.length;
      },
      // A disk that becomes full takes a part first.
      write: (bytes: Uint8Array, { at }: { at: number }) => {
        const hit = this.strikes.hits("write");
        put(hit ? bytes.subarray(0, bytes.length >> 1) : bytes, at);
        if (hit) throw failure("write");
        return bytes.length;
      },
      truncate: (size: number) => {
        this.strikes.pass("truncate");
        const bytes = new Uint8Array(size);
        bytes.set(file.bytes.subarray(0, size));
        file.bytes = bytes;
      },
      flush: () => this.strikes.pass("flush"),
      close: () => {
        file.isOpen = false;
        this.strikes.pass("close");
      },
    };
  }
}

const busy = (name: string) =>
  new DOMException(`${name} is open elsewhere`, "NoModificationAllowedError");

function found<T>(
  things: Map<string, T>,
  name: string,
  create: boolean | undefined,
  make: () => T,
): T {
  const known = things.get(name);
  if (known) return known;
  if (!create) throw new DOMException(`nothing is called ${name}`, "NotFoundError");
  const made = make();
  things.set(name, made);
  return made;
}

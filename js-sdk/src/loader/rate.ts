// How fast bytes arrive, over the last few seconds.

const windowMs = 4000;

/** Bytes a second of late. */
export class Rate {
  // Sums of bytes by time, oldest first; the first may be older than the window.
  readonly #samples: { ms: number; bytes: number }[] = [];

  /** `bytes`: all that arrived until now, `ms`. */
  add(bytes: number, ms: number): void {
    this.#samples.push({ ms, bytes });
    while (this.#samples.length > 2 && this.#samples[1]!.ms < ms - windowMs) this.#samples.shift();
  }

  /** 0 while too little is known. */
  get bytesPerSecond(): number {
    const first = this.#samples[0];
    const last = this.#samples[this.#samples.length - 1];
    if (!first || !last || last.ms - first.ms < 200) return 0;
    return ((last.bytes - first.bytes) * 1000) / (last.ms - first.ms);
  }
}

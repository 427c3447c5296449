// Locks that all pages and workers of an origin share.

/**
 * Takes a lock; the function that is returned releases it. undefined where another page or worker
 * has it. Without Web Locks (Safari before 15.4) nobody else is known of.
 */
export async function takeWebLock(name: string): Promise<(() => Promise<void>) | undefined> {
  if (!navigator.locks) return async () => {};
  let release!: () => void;
  const held = new Promise<void>((resolve) => (release = resolve));
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(name, { ifAvailable: true }, (lock) => {
        if (!lock) return resolve(undefined);
        resolve(async () => release());
        return held;
      })
      .catch(reject);
  });
}

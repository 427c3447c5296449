// What the hook uses of React, whose types are the program's own.

declare module "react" {
  export function useEffect(effect: () => (() => void) | void, deps: readonly unknown[]): void;
  export function useMemo<T>(make: () => T, deps: readonly unknown[]): T;
  export function useSyncExternalStore<T>(
    subscribe: (listener: () => void) => () => void,
    snapshot: () => T,
    serverSnapshot: () => T,
  ): T;
}

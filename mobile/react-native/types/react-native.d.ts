// What the package uses of React Native, whose types are the program's own.

declare module "react-native" {
  /** A module of the native side. */
  export interface TurboModule {
    getConstants?(): object;
  }
  export const TurboModuleRegistry: {
    get<T extends TurboModule>(name: string): T | null;
  };
}

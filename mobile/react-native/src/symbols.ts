// Versions of Hermes that have no async iteration miss its symbol, too. Compiled `for await` loops
// look for it by this name; imported first, so that classes find it.

if (!Symbol.asyncIterator)
  Object.defineProperty(Symbol, "asyncIterator", { value: Symbol.for("Symbol.asyncIterator") });

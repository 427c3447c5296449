// The reader of Mach-O files, on libraries made here and on damaged ones.
import assert from "node:assert/strict";
import { test } from "node:test";
import { MachOError, readMachO } from "./macho.mjs";

const u32 = (...numbers) => {
  const bytes = Buffer.alloc(numbers.length * 4);
  numbers.forEach((number, i) => bytes.writeUInt32LE(number >>> 0, i * 4));
  return bytes;
};
const u64 = (number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(number));
  return bytes;
};
const fixed = (text, size) => Buffer.concat([Buffer.from(text), Buffer.alloc(size)], size);
const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)]);

const command = (type, ...parts) => {
  const body = padded(Buffer.concat(parts));
  return Buffer.concat([u32(type, 8 + body.length), body]);
};
const library = (type, name) =>
  command(type, u32(24, 2, 0x10000, 0x10000), Buffer.from(`${name}\0`));
const section = ({ name, segment, size = 0, offset = 0, relocations = 0, flags = 0 }) =>
  Buffer.concat([
    ...[fixed(name, 16), fixed(segment, 16), u64(0), u64(size)],
    u32(offset, 4, 0, relocations, flags, 0, 0, 0),
  ]);
const segment = (name, protection, sections = []) =>
  command(
    0x19,
    ...[fixed(name, 16), u64(0), u64(0), u64(0), u64(0)],
    u32(protection, protection, sections.length, 0),
    ...sections.map((one) => section({ ...one, segment: name })),
  );

// The tree of `_a`, `_ab` and `_c`: a root, then the node behind "_", then the names' own.
const exportTree = Buffer.from([
  ...[0, 1, 0x5f, 0, 5], // the root: one edge, "_", to byte 5
  ...[0, 2, 0x61, 0, 13, 0x63, 0, 20], // byte 5: edges "a" to 13 and "c" to 20
  ...[2, 0, 0x10, 1, 0x62, 0, 20], // byte 13: `_a` ends here; edge "b" to 20, or as changed below
  ...[2, 0, 0x20, 0], // byte 20: a name ends here
  ...[2, 0, 0x30, 0], // byte 24
]);
exportTree[19] = 24;

const entry = (name, type, section, texts) => {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32LE(texts.indexOf(`${name}\0`), 0);
  bytes.writeUInt8(type, 4);
  bytes.writeUInt8(section, 5);
  return bytes;
};

/** A library of two segments; `changes` replaces parts of it. */
function makeLibrary(changes = {}) {
  const texts = Buffer.from("\0_a\0_ab\0_c\0_hidden\0_free\0");
  const table = [
    ...[entry("_a", 0x0f, 1, texts), entry("_ab", 0x0f, 1, texts), entry("_c", 0x0f, 1, texts)],
    entry("_hidden", 0x1f, 1, texts), // private external
    entry("_a", 0x64, 1, texts), // for debuggers
    entry("_free", 0x01, 0, texts),
  ];
  const parts = {
    code: u32(0xd65f03c0, 0xd503201f),
    // Pointers of segment 1, from its byte 0 on.
    rebase: Buffer.from([0x11, 0x21, 0x00, 0x51, 0x00]),
    bind: Buffer.from([0x11, 0x40, 0x5f, 0x66, 0x00, 0x71, 0x08, 0x90, 0x00]),
    tree: exportTree,
    table: Buffer.concat(table),
    texts,
    ...changes.parts,
  };
  const make = (offsets) => {
    const commands = changes.commands?.(offsets, parts) ?? [
      segment("__TEXT", 5, [
        { name: "__text", size: parts.code.length, offset: offsets.code, flags: 0x80000400 },
      ]),
      segment("__DATA", 3, [{ name: "__const", size: 16, offset: 0 }]),
      library(0xd, "@rpath/libx.1.dylib"),
      command(0x32, u32(2, 0x000f0000, 0x001b0001, 0)),
      library(0xc, "/usr/lib/libSystem.B.dylib"),
      command(
        0x80000022,
        ...[u32(offsets.rebase, parts.rebase.length), u32(offsets.bind, parts.bind.length)],
        ...[u32(0, 0, 0, 0), u32(offsets.tree, parts.tree.length)],
      ),
      command(0x2, u32(offsets.table, table.length, offsets.texts, texts.length)),
      command(0xb, Buffer.alloc(72)),
      ...(changes.more?.(offsets) ?? []),
    ];
    const head = u32(0xfeedfacf, 0x0100000c, 0, 6, commands.length, 0, 0, 0);
    return Buffer.concat([head, ...commands]);
  };
  const none = Object.fromEntries(Object.keys(parts).map((name) => [name, 0]));
  let at = make(none).length;
  const offsets = {};
  for (const [name, bytes] of Object.entries(parts)) {
    offsets[name] = at;
    at += padded(bytes).length;
  }
  return Buffer.concat([make(offsets), ...Object.values(parts).map(padded)]);
}

/** Asserts that reading `bytes` ends in an error whose message is like `message`. */
const refused = (bytes, message) =>
  assert.throws(
    () => readMachO(bytes),
    (error) => {
      assert.ok(error instanceof MachOError, error.stack);
      assert.match(error.message, message);
      return true;
    },
  );

test("the facts of a library", () => {
  const { code, ...facts } = readMachO(makeLibrary());
  assert.deepEqual(facts, {
    cpu: "arm64",
    platform: "iOS",
    oldest: "15.0",
    sdk: "27.0.1",
    installName: "@rpath/libx.1.dylib",
    needed: ["/usr/lib/libSystem.B.dylib"],
    exports: ["_a", "_ab", "_c"],
    visible: ["_a", "_ab", "_c"],
    imports: ["_free"],
    textRelocations: [],
    signed: false,
  });
  assert.deepEqual(Buffer.concat(code), u32(0xd65f03c0, 0xd503201f));
});

test("the newer form: a tree of exports and chained fixups of their own", () => {
  const fixups = (...segments) =>
    Buffer.concat([u32(0, 16, 0, 0), u32(segments.length, ...segments)]);
  const newer = (chains) =>
    makeLibrary({
      parts: { chains },
      commands: (offsets, parts) => [
        segment("__TEXT", 5),
        segment("__DATA", 3),
        command(0x80000033, u32(offsets.tree, parts.tree.length)),
        command(0x80000034, u32(offsets.chains, parts.chains.length)),
        command(0x1d, u32(0, 0)),
      ],
    });
  const facts = readMachO(newer(fixups(0, 24)));
  assert.deepEqual(facts.exports, ["_a", "_ab", "_c"]);
  assert.deepEqual(facts.textRelocations, []);
  assert.equal(facts.signed, true);
  assert.equal(facts.platform, null);
  assert.deepEqual(readMachO(newer(fixups(24, 0))).textRelocations, [
    "dyld writes in segment __TEXT, which may not be written",
  ]);
  refused(newer(fixups(0, 0, 24)), /^fixups: segment 2 named, the file has 2$/);
});

test("text relocations in each of their forms", () => {
  const of = (changes) => readMachO(makeLibrary(changes)).textRelocations;
  const rebase = Buffer.from([0x11, 0x20, 0x10, 0x51, 0x00]);
  assert.match(of({ parts: { rebase } })[0], /^dyld writes in segment __TEXT/);
  const bind = Buffer.from([0x11, 0x40, 0x5f, 0x66, 0x00, 0x70, 0x08, 0x90, 0x00]);
  assert.match(of({ parts: { bind } })[0], /^dyld writes in segment __TEXT/);
  const more = (...commands) => ({ more: () => commands });
  assert.match(of(more(segment("__BOTH", 7)))[0], /^segment __BOTH may be written and executed$/);
  const relocated = [{ name: "__code", relocations: 3 }];
  assert.match(of(more(segment("__X", 5, relocated)))[0], /^section __X,__code has relocations/);
  const counted = Buffer.alloc(72);
  counted.writeUInt32LE(4, 68); // the number of local ones
  const commands = (offsets, parts) => [
    segment("__TEXT", 5),
    command(0x80000033, u32(offsets.tree, parts.tree.length)),
    command(0xb, counted),
  ];
  assert.deepEqual(of({ commands }), ["4 local relocations for dyld"]);
});

test("what is no such library is named", () => {
  refused(Buffer.from("\x7fELF and more"), /^a 64-bit Mach-O file wanted, .*; found 0x464c457f$/);
  refused(Buffer.alloc(0), /^header: 4 bytes wanted at byte 0, the file ends at 0$/);
  refused(Buffer.from([0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2]), /^one library wanted, several/);
  const program = makeLibrary();
  program.writeUInt32LE(2, 12);
  refused(program, /^a dynamic library \(file type 6\) wanted, 2 found$/);
});

test("damaged parts are named with what was wanted and where", () => {
  const short = makeLibrary();
  short.writeUInt32LE(4, 32 + 4);
  refused(short, /^load command 0: at least 8 bytes wanted, 4 found$/);
  const long = makeLibrary();
  long.writeUInt32LE(0x7fffffff, 32 + 4);
  refused(long, /^load command 0: 2147483647 bytes wanted at byte 32, the file ends at \d+$/);
  const many = makeLibrary();
  many.writeUInt32LE(0xffffffff, 16);
  refused(many, /^load command \d+: /);
  const sections = makeLibrary();
  sections.writeUInt32LE(0xffffffff, 32 + 64);
  refused(sections, /^a segment: /);
  refused(makeLibrary({ more: () => [command(0xc, u32(24))] }), /^a library's name: a text with/);
  refused(makeLibrary({ more: () => [command(0xc, u32(500))] }), /^a library's name: a text with/);
  const tree = (...bytes) => makeLibrary({ parts: { tree: Buffer.from(bytes) } });
  refused(tree(0, 1, 0x61, 0, 0), /^exported symbols: the node at byte 0 is reached twice$/);
  refused(tree(0, 1, 0x61, 0, 9), /^exported symbols: 1 bytes wanted at byte 9/);
  refused(tree(0, 1, 0x61, 0x62), /^exported symbols: a text with a zero byte behind it wanted/);
  refused(tree(...Array(12).fill(0xff)), /^exported symbols: the number that goes on at byte 8 is/);
  const rebase = Buffer.from([0x22, 0x80]);
  refused(makeLibrary({ parts: { rebase } }), /^rebasing: 1 bytes wanted at byte 2/);
  const bind = Buffer.from([0x79, 0x00]);
  refused(makeLibrary({ parts: { bind } }), /^fixups: segment 9 named, the file has 2$/);
});

test("no damage ends in anything but an answer or a MachOError", () => {
  const whole = makeLibrary();
  const attempt = (bytes) => {
    try {
      readMachO(bytes);
      return true;
    } catch (error) {
      assert.ok(error instanceof MachOError, error.stack);
      return false;
    }
  };
  for (let size = 0; size < whole.length; ++size) attempt(whole.subarray(0, size));
  let read = 0;
  for (let at = 0; at < whole.length; ++at)
    for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
      const damaged = Buffer.from(whole);
      damaged[at] = value;
      if (attempt(damaged)) ++read;
    }
  assert.ok(read > 0 && read < whole.length * 5, `${read} read`);
});

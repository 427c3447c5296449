// Reads what the checks of the Apple libraries ask for out of a 64-bit Mach-O dynamic library.

/**
 * The bytes are not a library that `readMachO` reads; the message says what was wanted and found.
 */
export class MachOError extends Error {
  name = "MachOError";
}

// Numbers of the format, by their names in it.
const MH_MAGIC_64 = 0xfeedfacf;
const FAT_MAGIC = 0xcafebabe;
const FAT_MAGIC_64 = 0xcafebabf;
const MH_DYLIB = 6;
const LC = {
  SYMTAB: 0x2,
  DYSYMTAB: 0xb,
  LOAD_DYLIB: 0xc,
  ID_DYLIB: 0xd,
  SEGMENT_64: 0x19,
  CODE_SIGNATURE: 0x1d,
  DYLD_INFO: 0x22,
  BUILD_VERSION: 0x32,
  LOAD_WEAK_DYLIB: 0x80000018,
  REEXPORT_DYLIB: 0x8000001f,
  DYLD_INFO_ONLY: 0x80000022,
  DYLD_EXPORTS_TRIE: 0x80000033,
  DYLD_CHAINED_FIXUPS: 0x80000034,
};
const VM_PROT_WRITE = 2;
const VM_PROT_EXECUTE = 4;
const S_ATTR_RELOCATIONS = 0x300; // S_ATTR_EXT_RELOC and S_ATTR_LOC_RELOC
const S_ATTR_INSTRUCTIONS = 0x80000400; // S_ATTR_PURE_INSTRUCTIONS and S_ATTR_SOME_INSTRUCTIONS
const N_STAB = 0xe0;
const N_PEXT = 0x10;
const N_TYPE = 0x0e;
const N_EXT = 0x01;

const processors = { 0x0100000c: "arm64", 0x01000007: "x86_64" };
const platforms = {
  1: "macOS",
  2: "iOS",
  3: "tvOS",
  4: "watchOS",
  6: "Mac Catalyst",
  7: "iOS simulator",
  11: "visionOS",
  12: "visionOS simulator",
};

const hexadecimal = (number) => `0x${number.toString(16)}`;

// Bounded reads of little-endian numbers; `what` names the part for the message.
class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  need(at, size, what) {
    if (at + size > this.bytes.length)
      throw new MachOError(
        `${what}: ${size} bytes wanted at byte ${at}, the file ends at ${this.bytes.length}`,
      );
    return at;
  }
  u8(at, what) {
    return this.bytes[this.need(at, 1, what)];
  }
  u16(at, what) {
    return this.view.getUint16(this.need(at, 2, what), true);
  }
  u32(at, what) {
    return this.view.getUint32(this.need(at, 4, what), true);
  }
  u64(at, what) {
    const number = this.view.getBigUint64(this.need(at, 8, what), true);
    if (number > BigInt(Number.MAX_SAFE_INTEGER))
      throw new MachOError(`${what}: ${hexadecimal(number)} at byte ${at} is beyond any file`);
    return Number(number);
  }
  // Text up to a zero byte, all of it before `end`.
  text(at, end, what) {
    const zero = at < end ? this.bytes.subarray(at, end).indexOf(0) : -1;
    if (zero < 0)
      throw new MachOError(`${what}: a text with a zero byte behind it wanted at byte ${at}`);
    return Buffer.from(this.bytes.subarray(at, at + zero)).toString("utf8");
  }
  part(at, size, what) {
    this.need(at, size, what);
    return new Reader(this.bytes.subarray(at, at + size));
  }
  // A number of seven bits a byte, the lowest first: [number, where it ends].
  uleb(at, what) {
    let number = 0;
    for (let shift = 0; shift < 53; shift += 7) {
      const byte = this.u8(at++, what);
      number += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return [number, at];
    }
    throw new MachOError(`${what}: the number that goes on at byte ${at} is beyond any file`);
  }
}

const version = (packed) => {
  const parts = [packed >>> 16, (packed >>> 8) & 255, packed & 255];
  return (parts[2] === 0 ? parts.slice(0, 2) : parts).join(".");
};

// What dyld offers to other files, out of its tree of names: a node says where the name that ends
// at it is, if one does, and has edges to longer names.
function exportedNames(trie) {
  const what = "exported symbols";
  const names = [];
  const seen = new Set();
  const open = trie.bytes.length > 0 ? [{ at: 0, name: "" }] : [];
  while (open.length > 0) {
    const { at: node, name } = open.pop();
    if (seen.has(node)) throw new MachOError(`${what}: the node at byte ${node} is reached twice`);
    seen.add(node);
    let [infoBytes, at] = trie.uleb(node, what);
    if (infoBytes > 0) names.push(name);
    at += infoBytes;
    const edges = trie.u8(at++, what);
    for (let edge = 0; edge < edges; ++edge) {
      const label = trie.text(at, trie.bytes.length, what);
      at += Buffer.byteLength(label) + 1;
      const [child, end] = trie.uleb(at, what);
      at = end;
      open.push({ at: child, name: name + label });
    }
  }
  return names;
}

// Of opcodes for rebasing and binding: the operands behind an opcode, and the one that says in
// which segment dyld writes from there on.
const rebaseOpcodes = { segment: 0x20, ulebs: { 0x20: 1, 0x30: 1, 0x60: 1, 0x70: 1, 0x80: 2 } };
const bindOpcodes = {
  segment: 0x70,
  ulebs: { 0x20: 1, 0x60: 1, 0x70: 1, 0x80: 1, 0xa0: 1, 0xc0: 2 },
  text: 0x40,
};

// The numbers of the segments that a list of opcodes has dyld write in.
function writtenSegments(opcodes, { segment, ulebs, text }, what) {
  const written = new Set();
  for (let at = 0; at < opcodes.bytes.length;) {
    const byte = opcodes.u8(at++, what);
    const opcode = byte & 0xf0;
    if (opcode === segment) written.add(byte & 0x0f);
    for (let i = 0; i < (ulebs[opcode] ?? 0); ++i) [, at] = opcodes.uleb(at, what);
    if (opcode === text) while (opcodes.u8(at++, what) !== 0);
  }
  return written;
}

// Likewise of chained fixups: a table says for each segment where its chains start, 0 for none.
function chainedSegments(fixups) {
  const what = "chained fixups";
  const starts = fixups.u32(4, what);
  const written = new Set();
  const count = fixups.u32(starts, what);
  for (let segment = 0; segment < count; ++segment)
    if (fixups.u32(starts + 4 + segment * 4, what) !== 0) written.add(segment);
  return written;
}

/**
 * The facts of a dynamic library, as { cpu, platform, oldest, sdk, installName, needed, exports,
 * visible, imports, textRelocations, signed, code }:
 * - `platform`, `oldest` (the oldest system) and `sdk`: null where the file does not say;
 * - `needed`: install names of the libraries that dyld loads with it, in their order;
 * - `exports`: names that dyld finds in it, `visible`: external names of its symbol table,
 *   `imports`: names that others have to define; sorted, with the underscore that C's names begin
 *   with;
 * - `textRelocations`: what dyld would have to write where it must not, in words; empty as it
 *   should be;
 * - `code`: the bytes of its sections of instructions.
 * Throws a MachOError where the bytes are no such library.
 */
export function readMachO(bytes) {
  const file = new Reader(bytes);
  const magic = file.u32(0, "header");
  if ([FAT_MAGIC, FAT_MAGIC_64].includes(file.view.getUint32(0)))
    throw new MachOError("one library wanted, several in one file found: take one by `lipo -thin`");
  if (magic !== MH_MAGIC_64)
    throw new MachOError(
      `a 64-bit Mach-O file wanted, which begins with ${hexadecimal(MH_MAGIC_64)}; found ` +
        hexadecimal(magic),
    );
  const cpuType = file.u32(4, "header");
  const fileType = file.u32(12, "header");
  if (fileType !== MH_DYLIB)
    throw new MachOError(`a dynamic library (file type ${MH_DYLIB}) wanted, ${fileType} found`);

  const commands = loadCommands(file);
  const find = (...types) => commands.filter(({ type }) => types.includes(type));
  const one = (...types) => find(...types)[0]?.data;
  const segments = find(LC.SEGMENT_64).map(({ data }) => segment(data));
  const facts = {
    cpu: processors[cpuType] ?? `processor ${hexadecimal(cpuType)}`,
    ...{ platform: null, oldest: null, sdk: null, installName: null },
    needed: find(LC.LOAD_DYLIB, LC.LOAD_WEAK_DYLIB, LC.REEXPORT_DYLIB).map(libraryName),
    signed: find(LC.CODE_SIGNATURE).length > 0,
    code: segments.flatMap(({ sections }) =>
      sections
        .filter(({ flags }) => (flags & S_ATTR_INSTRUCTIONS) !== 0)
        .map(({ name, offset, size }) => file.part(offset, size, `section ${name}`).bytes),
    ),
    ...symbols(file, one(LC.SYMTAB)),
    ...dyldFacts(file, one, segments),
  };
  const build = one(LC.BUILD_VERSION);
  if (build) {
    const platform = build.u32(8, "LC_BUILD_VERSION");
    facts.platform = platforms[platform] ?? `platform ${platform}`;
    facts.oldest = version(build.u32(12, "LC_BUILD_VERSION"));
    facts.sdk = version(build.u32(16, "LC_BUILD_VERSION"));
  }
  const [id] = find(LC.ID_DYLIB);
  if (id) facts.installName = libraryName(id);
  return facts;
}

// [{ type, data }]; `data` begins with the command's own head.
function loadCommands(file) {
  const count = file.u32(16, "header");
  const commands = [];
  let at = 32;
  for (let i = 0; i < count; ++i) {
    const what = `load command ${i}`;
    const size = file.u32(at + 4, what);
    if (size < 8) throw new MachOError(`${what}: at least 8 bytes wanted, ${size} found`);
    commands.push({ type: file.u32(at, what), data: file.part(at, size, what) });
    at += size;
  }
  return commands;
}

function libraryName({ data }) {
  const what = "a library's name";
  return data.text(data.u32(8, what), data.bytes.length, what);
}

function segment(data) {
  const what = "a segment";
  const name = (at) => Buffer.from(data.part(at, 16, what).bytes).toString("latin1");
  const trimmed = (at) => name(at).replace(/\0.*$/s, "");
  const sections = [];
  for (let i = 0; i < data.u32(64, what); ++i) {
    const at = 72 + i * 80;
    sections.push({
      name: `${trimmed(at + 16)},${trimmed(at)}`,
      size: data.u64(at + 40, what),
      offset: data.u32(at + 48, what),
      relocations: data.u32(at + 60, what),
      flags: data.u32(at + 64, what),
    });
  }
  return {
    name: trimmed(8),
    protection: data.u32(60, what),
    sections,
  };
}

function symbols(file, table) {
  const [visible, imports] = [[], []];
  if (table) {
    const what = "the symbol table";
    const [offset, count, textOffset, textBytes] = [8, 12, 16, 20].map((at) => table.u32(at, what));
    const entries = file.part(offset, count * 16, what);
    const texts = file.part(textOffset, textBytes, `${what}'s texts`);
    for (let at = 0; at < count * 16; at += 16) {
      const type = entries.u8(at + 4, what);
      if ((type & N_STAB) !== 0 || (type & N_EXT) === 0 || (type & N_PEXT) !== 0) continue;
      const name = texts.text(entries.u32(at, what), textBytes, `${what}'s texts`);
      ((type & N_TYPE) === 0 ? imports : visible).push(name);
    }
  }
  return { visible: visible.sort(), imports: imports.sort() };
}

// Exports, and where dyld would write.
function dyldFacts(file, one, segments) {
  const info = one(LC.DYLD_INFO, LC.DYLD_INFO_ONLY);
  const fixups = one(LC.DYLD_CHAINED_FIXUPS);
  const trie = one(LC.DYLD_EXPORTS_TRIE);
  const partOf = (command, at, what) =>
    file.part(command.u32(at, what), command.u32(at + 4, what), what);
  const written = new Set();
  const add = (numbers) => numbers.forEach((number) => written.add(number));
  if (info) {
    add(writtenSegments(partOf(info, 8, "rebasing"), rebaseOpcodes, "rebasing"));
    for (const [at, what] of Object.entries({
      16: "binding",
      24: "weak binding",
      32: "lazy binding",
    }))
      add(writtenSegments(partOf(info, Number(at), what), bindOpcodes, what));
  }
  if (fixups) add(chainedSegments(partOf(fixups, 8, "chained fixups")));

  const textRelocations = [];
  for (const number of [...written].sort()) {
    const { name, protection } = segments[number] ?? {};
    if (name === undefined)
      throw new MachOError(`fixups: segment ${number} named, the file has ${segments.length}`);
    if ((protection & VM_PROT_WRITE) === 0)
      textRelocations.push(`dyld writes in segment ${name}, which may not be written`);
  }
  for (const { name, protection, sections } of segments) {
    if ((protection & VM_PROT_WRITE) !== 0 && (protection & VM_PROT_EXECUTE) !== 0)
      textRelocations.push(`segment ${name} may be written and executed`);
    for (const section of sections)
      if (section.relocations > 0 || (section.flags & S_ATTR_RELOCATIONS) !== 0)
        textRelocations.push(`section ${section.name} has relocations of its own`);
  }
  const dynamic = one(LC.DYSYMTAB);
  for (const [at, what] of Object.entries({ 68: "external", 76: "local" })) {
    const count = dynamic ? dynamic.u32(Number(at), "LC_DYSYMTAB") : 0;
    if (count > 0) textRelocations.push(`${count} ${what} relocations for dyld`);
  }

  const exported = [
    ...(info ? exportedNames(partOf(info, 40, "exported symbols")) : []),
    ...(trie ? exportedNames(partOf(trie, 8, "exported symbols")) : []),
  ];
  return { textRelocations, exports: exported.sort() };
}

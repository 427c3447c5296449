// Reads what the checks of the Android libraries ask for out of a 64-bit little-endian ELF file.

// Numbers of the ELF format, by their names in it.
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const SHT_DYNSYM = 11;
const DT = { NULL: 0, NEEDED: 1, SONAME: 14, TEXTREL: 22, FLAGS: 30 };
const DF_TEXTREL = 4;
const SHN_UNDEF = 0;
const STB_LOCAL = 0;
const SHF_EXECINSTR = 4;

const machines = { 62: "x86_64", 183: "arm64-v8a" };

/**
 * The facts of a shared library: { abi, soname, needed, imports, exports, loadAlignments,
 * hasTextRelocations, code }; `code` are the bytes of its executable sections. Throws an Error that
 * says what was wanted and found where the bytes are no such file.
 */
export function readElf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u16 = (at) => view.getUint16(at, true);
  const u32 = (at) => view.getUint32(at, true);
  const u64 = (at) => Number(view.getBigUint64(at, true));
  if (bytes.length < 64 || u32(0) !== 0x464c457f || bytes[4] !== 2 || bytes[5] !== 1)
    throw new Error("a 64-bit little-endian ELF file is wanted; its first bytes are others");
  const text = (at) => {
    let end = at;
    while (bytes[end] !== 0) ++end;
    return Buffer.from(bytes.subarray(at, end)).toString("latin1");
  };

  const table = (at, entryBytes, count, read) =>
    Array.from({ length: count }, (_, i) => read(at + i * entryBytes));
  const segments = table(u64(32), u16(54), u16(56), (at) => ({
    type: u32(at),
    offset: u64(at + 8),
    address: u64(at + 16),
    fileBytes: u64(at + 32),
    alignment: u64(at + 48),
  }));
  const sections = table(u64(40), u16(58), u16(60), (at) => ({
    type: u32(at + 4),
    flags: u64(at + 8),
    offset: u64(at + 24),
    bytes: u64(at + 32),
    link: u32(at + 40),
    entryBytes: u64(at + 56),
  }));

  const symbols = sections
    .filter(({ type }) => type === SHT_DYNSYM)
    .flatMap(({ offset, bytes: size, entryBytes, link }) =>
      table(offset, entryBytes, size / entryBytes, (at) => ({
        name: text(sections[link].offset + u32(at)),
        binding: bytes[at + 4] >> 4,
        section: u16(at + 6),
      })),
    )
    .filter(({ name, binding }) => name !== "" && binding !== STB_LOCAL);
  const names = (wanted) =>
    symbols
      .filter(wanted)
      .map(({ name }) => name)
      .sort();

  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  const entries = dynamic
    ? table(dynamic.offset, 16, dynamic.fileBytes / 16, (at) => [u64(at), u64(at + 8)])
    : [];
  const values = (tag) => entries.filter(([found]) => found === tag).map(([, value]) => value);
  const dynamicNames = sections.find(({ type }) => type === SHT_DYNSYM)?.link;
  const string = (offset) => text(sections[dynamicNames].offset + offset);

  return {
    abi: machines[u16(18)] ?? `machine ${u16(18)}`,
    soname: values(DT.SONAME).map(string)[0] ?? null,
    needed: values(DT.NEEDED).map(string).sort(),
    imports: names(({ section }) => section === SHN_UNDEF),
    exports: names(({ section }) => section !== SHN_UNDEF),
    loadAlignments: segments
      .filter(({ type }) => type === PT_LOAD)
      .map(({ alignment, offset, address }) =>
        // The linker of Android wants both: the number, and addresses that fit it.
        (address - offset) % alignment === 0 ? alignment : 0,
      ),
    hasTextRelocations:
      values(DT.TEXTREL).length > 0 || values(DT.FLAGS).some((flags) => (flags & DF_TEXTREL) !== 0),
    code: sections
      .filter(({ flags }) => (flags & SHF_EXECINSTR) !== 0)
      .map(({ offset, bytes: size }) => bytes.subarray(offset, offset + size)),
  };
}

// Vector forms of arm64's instructions: the bits that name them, and those that they leave open
// (registers) as zeros of the mask.
const arm64Instructions = {
  sdot: { bits: 0x4e809400, mask: 0xffe0fc00 },
  smmla: { bits: 0x4e80a400, mask: 0xffe0fc00 },
};

/** How often an instruction (a key of arm64Instructions) stands in arm64 code. */
export function countInstructions(code, name) {
  const { bits, mask } = arm64Instructions[name];
  let count = 0;
  for (const part of code) {
    const view = new DataView(part.buffer, part.byteOffset, part.byteLength);
    for (let at = 0; at + 4 <= part.length; at += 4)
      if ((view.getUint32(at, true) & mask) >>> 0 === bits) ++count;
  }
  return count;
}

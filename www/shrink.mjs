// Makes a wasm module of Rust small: takes out what its panics would say, which nobody in a browser can read (21 KiB of
// what a visitor loads), has wasm-opt shorten the rest, and puts the functions into an order that compresses well, each
// behind the one that it is most like (42 KiB): the linker leaves them in no order that brotli could use, and wasm-opt
// sorts them by how often they are called. `node www/shrink.mjs FILE…` rewrites files.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

// Numbers of sections, kinds of imports and the bit of limits that have a maximum:
// https://webassembly.github.io/spec/core/binary/modules.html
const [CUSTOM, IMPORT, EXPORT, CODE, DATA] = [0, 2, 7, 10, 11];
const [FUNCTION, TABLE, MEMORY, GLOBAL] = [0, 1, 2, 3];
const HAS_MAXIMUM = 1;
/** The flags of a segment of data that has an address, and the instruction `i32.const` that gives it. */
const [ACTIVE, CONSTANT] = [0, 0x41];
const HEADER = 8;
/** The part of a name section that names functions. */
const FUNCTION_NAMES = 1;
/** The instructions `unreachable` and `end`, with which the body of a function ends that does not return. */
const [UNREACHABLE, END] = [0x00, 0x0b];
/** How many bytes in a row two functions share where they are alike. Trials with 3 to 8 were up to 17 KiB worse. */
const RUN = 4;
/** Bytes that stand in more than this share of the functions say nothing of a likeness, and take long to count. */
const COMMON = 0.5;
/** How much a long function has to share more than a short one to be as alike: its length to this power. By trial, too. */
const LENGTH_COUNTS = 0.7;
/** The numbers of a `core::panic::Location`: where the file's name lies, its length, line and column; bytes of each. */
const [LOCATION, WORD] = [4, 4];

/** Functions of Rust's libraries with which a program panics or ends for want of memory. The crate's name may have a hash;
 * a module that wasm-bindgen has not been over has all names as the compiler writes them (`_ZN`, `_R`). */
const PANICS =
  /^(?!.*drop_in_place)(<?(core|alloc|std|__rustc|hashbrown)(\[\w+\])?::|_(ZN|R)\w*\d(core|alloc|std|__rustc|hashbrown)\d).*(panic|fail|oom|overflow|handle_(alloc_)?error|begin_unwind)/;

/** Reads a module from its first section on. */
class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = HEADER;
  }

  byte() {
    return this.bytes[this.at++];
  }

  /** A whole number in LEB128. */
  number() {
    let [value, shift, byte] = [0, 0, 0];
    do {
      byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      shift += 7;
    } while (byte & 0x80);
    return value;
  }

  /** A whole number of 32 bits with a sign in LEB128. */
  signed() {
    const start = this.at;
    const value = this.number();
    const bits = 7 * (this.at - start);
    return bits < 32 && value >= 2 ** (bits - 1) ? value - 2 ** bits : value | 0;
  }

  /** Bytes with their length before them. */
  block() {
    const length = this.number();
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  limits() {
    const flags = this.byte();
    this.number();
    if (flags & HAS_MAXIMUM) this.number();
  }

  /** A segment of data: the address at which it starts, its bytes. */
  segment() {
    const flags = this.number();
    if (flags !== ACTIVE || this.byte() !== CONSTANT) throw new Error("A segment of data without an address.");
    const start = this.signed();
    this.byte();
    return { start, data: this.block() };
  }

  /** What stands behind an import's names: its kind, which is returned, and its type. */
  kind() {
    const kind = this.byte();
    if (kind === FUNCTION) this.number();
    else if (kind === GLOBAL) this.at += 2;
    else if (kind === MEMORY) this.limits();
    else if (kind === TABLE) {
      this.byte();
      this.limits();
    } else throw new Error(`An import of the unknown kind ${kind}.`);
    return kind;
  }
}

/** A whole number in LEB128. */
function leb(value) {
  const bytes = [];
  do {
    bytes.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    value = Math.floor(value / 0x80);
  } while (value > 0);
  return Buffer.from(bytes);
}

const block = (...parts) => {
  const bytes = Buffer.concat(parts);
  return Buffer.concat([leb(bytes.length), bytes]);
};

/** Calls `read` with the number, the start and the end of each section, and a reader of what is in it. */
function eachSection(bytes, read) {
  const reader = new Reader(bytes);
  while (reader.at < bytes.length) {
    const start = reader.at;
    const id = reader.byte();
    const length = reader.number();
    const end = reader.at + length;
    read(id, start, end, reader);
    reader.at = end;
  }
}

/** The module with what `change` gives for a section's contents; a section for which it gives nothing stays. */
function changed(bytes, change) {
  const kept = [bytes.subarray(0, HEADER)];
  eachSection(bytes, (id, start, end, reader) => {
    const contents = change(id, reader);
    kept.push(...(contents ? [Buffer.from([id]), block(...contents)] : [bytes.subarray(start, end)]));
  });
  return Buffer.concat(kept);
}

/** The module with other names of what it imports and exports: `names` has them by the old ones. */
function renamed(bytes, names) {
  const named = (old) => block(Buffer.from(names[old.toString()] ?? old));
  return changed(bytes, (id, reader) => {
    if (id !== IMPORT && id !== EXPORT) return undefined;
    const count = reader.number();
    const entries = Array.from({ length: count }, () => {
      const module = id === IMPORT ? block(reader.block()) : Buffer.alloc(0);
      const name = named(reader.block());
      const start = reader.at;
      if (id === IMPORT) reader.kind();
      else {
        reader.byte();
        reader.number();
      }
      return Buffer.concat([module, name, bytes.subarray(start, reader.at)]);
    });
    return [leb(count), ...entries];
  });
}

/** A module's functions: how many are imported, the bodies of the others, and the names of all that have one. */
function functions(bytes) {
  let [imported, bodies, names] = [0, [], new Map()];
  eachSection(bytes, (id, _, end, reader) => {
    if (id === IMPORT) {
      for (let left = reader.number(); left > 0; left--) {
        reader.block();
        reader.block();
        imported += reader.kind() === FUNCTION ? 1 : 0;
      }
    } else if (id === CODE) {
      bodies = Array.from({ length: reader.number() }, () => reader.block());
    } else if (id === CUSTOM && reader.block().toString() === "name") {
      while (reader.at < end) {
        const part = reader.byte();
        const length = reader.number();
        const next = reader.at + length;
        if (part === FUNCTION_NAMES) {
          for (let left = reader.number(); left > 0; left--) names.set(reader.number(), reader.block().toString());
        }
        reader.at = next;
      }
    }
  });
  return { imported, bodies, names };
}

/** Zeroes the places in the source that panics would name, with the names of the files. */
function forgetPlaces(segments) {
  const find = (address, length) => {
    const segment = segments.find(({ start, data }) => start <= address && address + length <= start + data.length);
    return segment?.data.subarray(address - segment.start, address - segment.start + length);
  };
  const files = [];
  for (const { start, data } of segments) {
    const words = new DataView(data.buffer, data.byteOffset, data.length);
    for (let at = -start & (WORD - 1); at + LOCATION * WORD <= data.length; at += WORD) {
      const [address, length, line, column] = Array.from({ length: LOCATION }, (_, i) => words.getUint32(at + i * WORD, true));
      // The compiler ends these names, and no other text, with a zero.
      const file = line > 0 && column > 0 && find(address, length + 1);
      if (file && file.toString("latin1").endsWith(".rs\0")) {
        files.push(file);
        data.fill(0, at, at + LOCATION * WORD);
      }
    }
  }
  // Several places are in one file.
  files.forEach((file) => file.fill(0));
}

/** The module whose panics say nothing: Rust writes what they say to a standard error that no browser has. */
function silenced(bytes) {
  const { imported, bodies, names } = functions(bytes);
  let silent = 0;
  const mute = (body, index) => {
    const returns = body.at(-2) !== UNREACHABLE || body.at(-1) !== END;
    if (returns || !PANICS.test(names.get(imported + index))) return body;
    silent += 1;
    return Buffer.from([0, UNREACHABLE, END]);
  };
  const result = changed(bytes, (id, reader) => {
    if (id === CODE) return [leb(bodies.length), ...bodies.map((body, index) => block(mute(body, index)))];
    if (id === DATA) forgetPlaces(Array.from({ length: reader.number() }, () => reader.segment()));
    return undefined;
  });
  if (silent === 0) throw new Error("No function that panics was found: have their names changed, or are there none?");
  return result;
}

/** An order of functions in which each follows the one that it is most like, as far as that one's turn comes first. */
function alike(bodies) {
  const runs = bodies.map((body) => {
    const starts = Math.max(body.length - RUN + 1, 0);
    return [...new Set(Array.from({ length: starts }, (_, at) => body.readUIntLE(at, RUN)))];
  });
  const holders = new Map();
  runs.forEach((found, index) => found.forEach((run) => (holders.get(run) ?? holders.set(run, []).get(run)).push(index)));
  const limit = Math.max(bodies.length * COMMON, 2);
  const weights = runs.map((found) => (found.length + 1) ** LENGTH_COUNTS);
  // Where nothing is like the last one, it goes on with those whose bodies begin alike.
  const rest = [...bodies.keys()].sort((a, b) => Buffer.compare(bodies[a], bodies[b]));
  const [order, placed, shared] = [[], new Uint8Array(bodies.length), new Uint32Array(bodies.length)];
  const next = (last) => {
    const touched = [];
    for (const run of runs[last]) {
      const found = holders.get(run);
      if (found.length > limit) continue;
      for (const other of found) {
        if (placed[other]) continue;
        if (shared[other] === 0) touched.push(other);
        shared[other] += 1;
      }
    }
    let [best, most] = [undefined, 0];
    for (const other of touched) {
      const likeness = shared[other] / weights[other];
      if (likeness > most) [best, most] = [other, likeness];
      shared[other] = 0;
    }
    return best;
  };
  for (const first of rest) {
    for (let index = placed[first] ? undefined : first; index !== undefined; index = next(index)) {
      placed[index] = 1;
      order.push(index);
    }
  }
  return order;
}

/** The module with a name section in which each function is called by its place in the new order. */
function numbered(bytes) {
  const { imported, bodies } = functions(bytes);
  const order = alike(bodies);
  const names = [];
  const digits = String(bodies.length).length;
  for (const [place, index] of order.entries()) names[index] = String(place).padStart(digits, "0");
  const map = names.map((name, index) => Buffer.concat([leb(index + imported), block(Buffer.from(name))]));
  const part = Buffer.concat([Buffer.from([FUNCTION_NAMES]), block(leb(map.length), ...map)]);
  return Buffer.concat([bytes, Buffer.from([CUSTOM]), block(block(Buffer.from("name")), part)]);
}

/** What only tools read: which of them made the module, and what it needs. */
const FOR_TOOLS = ["--strip-producers", "--strip-target-features"];

/** Rewrites a module's file. `names` are new names of what it imports and exports, by the old ones. */
export function shrink(path, names = {}) {
  const wasmOpt = createRequire(import.meta.url).resolve("binaryen/bin/wasm-opt");
  const optimise = (...flags) => execFileSync(process.execPath, [wasmOpt, path, ...flags, "-o", path], { stdio: "inherit" });
  writeFileSync(path, silenced(renamed(readFileSync(path), names)));
  // Rust keeps the end of the stack, and nothing else, in the lowest memory: wasm-opt may rely on it (13 KiB less).
  // A function that is called once is copied there by LLVM where that is of use; copying the others costs 5 KiB.
  const shorten = (...flags) => optimise(...flags, "-Oz", "--low-memory-unused", "--one-caller-inline-max-function-size=0");
  // The second time finds what the first one has uncovered (1 KiB), and by what values can be at all (0.4 KiB); a third
  // finds nothing.
  shorten();
  shorten("--gufa");
  writeFileSync(path, numbered(readFileSync(path)));
  // The levels are those of -Oz: with them wasm-opt writes as tersely as it did before.
  optimise("--optimize-level=2", "--shrink-level=2", "--reorder-functions-by-name", "--strip-debug", ...FOR_TOOLS);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.argv.slice(2).forEach((path) => shrink(path));

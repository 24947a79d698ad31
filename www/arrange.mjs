// Puts the functions of a wasm module into an order that compresses well: those whose bodies begin alike side by side,
// 18 KiB of what a visitor loads. The linker leaves them in no order that brotli could use, and wasm-opt sorts them by
// how often they are called. `node www/arrange.mjs FILE…` rewrites files.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

// Numbers of sections, kinds of imports and the bit of limits that have a maximum:
// https://webassembly.github.io/spec/core/binary/modules.html
const [CUSTOM, IMPORT, CODE] = [0, 2, 10];
const [FUNCTION, TABLE, MEMORY, GLOBAL] = [0, 1, 2, 3];
const HAS_MAXIMUM = 1;
const HEADER = 8;
/** The part of a name section that names functions. */
const FUNCTION_NAMES = 1;

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

  /** An import: its kind. */
  import() {
    this.block();
    this.block();
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

/** The module with a name section in which each function is called by its place in the new order. */
function numbered(bytes) {
  const reader = new Reader(bytes);
  const kept = [bytes.subarray(0, HEADER)];
  let [imported, bodies] = [0, []];
  while (reader.at < bytes.length) {
    const start = reader.at;
    const id = reader.byte();
    const length = reader.number();
    const end = reader.at + length;
    if (id === IMPORT) {
      for (let left = reader.number(); left > 0; left--) imported += reader.import() === FUNCTION ? 1 : 0;
    } else if (id === CODE) {
      bodies = Array.from({ length: reader.number() }, () => reader.block());
    }
    const isNames = id === CUSTOM && reader.block().toString() === "name";
    if (!isNames) kept.push(bytes.subarray(start, end));
    reader.at = end;
  }
  const order = [...bodies.keys()].sort((a, b) => Buffer.compare(bodies[a], bodies[b]));
  const names = [];
  const digits = String(bodies.length).length;
  for (const [place, index] of order.entries()) names[index] = String(place).padStart(digits, "0");
  const map = names.map((name, index) => Buffer.concat([leb(index + imported), block(Buffer.from(name))]));
  const part = Buffer.concat([Buffer.from([FUNCTION_NAMES]), block(leb(map.length), ...map)]);
  return Buffer.concat([...kept, Buffer.from([CUSTOM]), block(block(Buffer.from("name")), part)]);
}

/** Rewrites a module's file. */
export function arrange(path) {
  writeFileSync(path, numbered(readFileSync(path)));
  const wasmOpt = createRequire(import.meta.url).resolve("binaryen/bin/wasm-opt");
  // The levels are those of -Oz: with them wasm-opt writes as tersely as it did before.
  const levels = ["--optimize-level=2", "--shrink-level=2"];
  const passes = ["--reorder-functions-by-name", "--strip-debug"];
  execFileSync(process.execPath, [wasmOpt, path, ...levels, ...passes, "-o", path], { stdio: "inherit" });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.argv.slice(2).forEach(arrange);

// Makes a release build smaller: takes spaces, comments and long names out of the scripts and style sheets, which are
// wasm-bindgen's glue and the page's own (4 KiB of what a visitor loads), and shrinks the module. Trunk runs it on the
// finished page before it becomes `dist`.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { shrink } from "./shrink.mjs";

const { TRUNK_PROFILE, TRUNK_STAGING_DIR } = process.env;

if (TRUNK_PROFILE === "release") {
  const { transform } = await import("esbuild");
  const loaders = { ".js": "js", ".css": "css" };
  for (const name of readdirSync(TRUNK_STAGING_DIR, { recursive: true })) {
    const path = join(TRUNK_STAGING_DIR, name);
    const loader = loaders[extname(name)];
    if (extname(name) === ".wasm") shrink(path);
    // What `bundle.mjs` wrote is small already.
    if (loader && !name.startsWith("vendor")) {
      const { code } = await transform(readFileSync(path, "utf8"), { loader, minify: true, target: "esnext" });
      writeFileSync(path, code);
    }
  }
}

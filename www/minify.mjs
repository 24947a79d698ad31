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
  const names = {};
  const files = readdirSync(TRUNK_STAGING_DIR, { recursive: true }).map((name) => ({ name, path: join(TRUNK_STAGING_DIR, name) }));
  const modules = files.filter(({ name }) => extname(name) === ".wasm");
  for (const { name, path } of files) {
    const loader = loaders[extname(name)];
    // What `bundle.mjs` wrote is small already.
    if (!loader || name.startsWith("vendor")) continue;
    const isGlue = modules.some((module) => module.name === name.replace(/\.js$/, "_bg.wasm"));
    // The names by which the glue and its module know each other, each with a hash, are 4 KiB.
    const mangled = isGlue ? { mangleProps: /^__wb/, mangleCache: names } : {};
    const options = { loader, minify: true, target: "esnext", ...mangled };
    const { code, mangleCache } = await transform(readFileSync(path, "utf8"), options);
    Object.assign(names, mangleCache);
    writeFileSync(path, code);
  }
  modules.forEach(({ path }) => shrink(path, names));
}

// Bundles what the page takes from npm into www/vendor: `terminal.js` and `terminal.css` (xterm.js, loaded at
// the start) and `editor.js` (CodeMirror, loaded when the editor opens). Trunk runs it before each build.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const www = dirname(fileURLToPath(import.meta.url));

let esbuild;
try {
  esbuild = await import("esbuild");
} catch {
  console.error("The page's npm packages are missing. Run `cargo xtask setup` (or `npm ci`) first.");
  process.exit(1);
}

const { outputFiles } = await esbuild.build({
  absWorkingDir: www,
  entryPoints: {
    terminal: "bundle/terminal.js",
    "terminal-style": "../node_modules/@xterm/xterm/css/xterm.css",
    editor: "bundle/editor.js",
  },
  outdir: "vendor",
  bundle: true,
  format: "esm",
  minify: true,
  // xterm.js and its add-ons call private members by names like `_bufferService`: 60 KB of them.
  mangleProps: /^_[a-zA-Z]/,
  target: "es2022",
  legalComments: "eof",
  write: false,
});

// A file that did not change keeps its time, so that nobody who watches it builds again.
mkdirSync(join(www, "vendor"), { recursive: true });
for (const { path, contents } of outputFiles) {
  const target = path.replace("terminal-style.css", "terminal.css");
  if (!existsSync(target) || !readFileSync(target).equals(contents)) {
    writeFileSync(target, contents);
  }
}

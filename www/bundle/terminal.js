// What the page takes from xterm.js: loaded at the start. Becomes www/vendor/terminal.js.
export { Terminal } from "@xterm/xterm";
export { FitAddon } from "@xterm/addon-fit";

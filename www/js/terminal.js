// The terminal's glue: xterm.js draws and reads keys, the line editor in Rust decides. Bytes go in
// through `onData`, escape sequences come back through `write`.
import { Terminal, FitAddon } from "../vendor/terminal.js";

let term;
let fit;

/** The colours come from the page's style sheet, so that one table holds them. */
function theme() {
  const style = getComputedStyle(document.documentElement);
  const pick = (name) => style.getPropertyValue(name).trim();
  const colours = {};
  for (const name of [
    "background", "foreground", "cursor", "cursorAccent", "selectionBackground", "scrollbarSliderBackground",
    "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white",
    "brightBlack", "brightRed", "brightGreen", "brightYellow", "brightBlue", "brightMagenta", "brightCyan", "brightWhite",
  ]) {
    const value = pick(`--term-${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`);
    if (value) colours[name] = value;
  }
  return colours;
}

/**
 * How many cells characters take, by the line editor's own table, so that both always agree: an add-on of xterm.js
 * would bring another (3 KiB). `width` says it of a code point, and is asked once for each.
 */
function widths(width) {
  const known = new Map();
  const wcwidth = (code) => {
    if (code < 0x7f) return code < 0x20 ? 0 : 1;
    if (code < 0xa0) return 0;
    if (!known.has(code)) known.set(code, width(code));
    return known.get(code);
  };
  // What xterm.js keeps of a character: bit 0 says that it joins the one before, the next two are the cells of both.
  const charProperties = (code, preceding) => {
    const own = wcwidth(code);
    const before = (preceding >> 1) & 3;
    return own === 0 && before > 0 ? (before << 1) | 1 : own << 1;
  };
  return { version: "kubetab", wcwidth, charProperties };
}

window.kubetabTerminal = {
  /**
   * Opens the terminal in `element`. `onData` gets what is typed or pasted, `onResize` columns and rows, `width` says
   * how many cells a code point takes.
   */
  open(element, onData, onResize, width) {
    term = new Terminal({
      allowProposedApi: true,
      convertEol: true,
      cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      cursorStyle: "bar",
      cursorWidth: 2,
      fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono").trim(),
      fontSize: innerWidth < 600 ? 12 : innerWidth > 2800 ? 18 : innerWidth > 2100 ? 15 : 13,
      lineHeight: 1.2,
      scrollback: 5000,
      // Every line is also text that screen readers speak.
      screenReaderMode: true,
      theme: theme(),
    });
    fit = new FitAddon();
    term.loadAddon(fit);
    const provider = widths(width);
    term.unicode.register(provider);
    term.unicode.activeVersion = provider.version;
    term.open(element);
    term.onData(onData);
    term.onResize(({ cols, rows }) => onResize(cols, rows));
    // Ctrl-C copies when something is selected, as people expect of a page; else it interrupts.
    term.attachCustomKeyEventHandler((event) => {
      const key = event.key.toLowerCase();
      if (event.type === "keydown" && event.ctrlKey && !event.altKey && key === "c" && term.hasSelection()) {
        navigator.clipboard?.writeText(term.getSelection()).catch(() => {});
        term.clearSelection();
        event.preventDefault();
        return false;
      }
      // Pasting is left to the browser, which raises the paste event that xterm.js reads.
      if (event.type === "keydown" && event.ctrlKey && key === "v") return false;
      // Tab completes here, so another key must lead out for those who have no mouse.
      if (event.type === "keydown" && event.shiftKey && event.key === "Escape") {
        document.querySelector(".topbar button")?.focus();
        return false;
      }
      return true;
    });
    new ResizeObserver(() => this.fit()).observe(element);
    this.fit();
    return term.cols;
  },
  /** Bytes of UTF-8. They are copied: they lie in the module's memory, which may move. */
  write(bytes) {
    term?.write(bytes.slice());
  },
  fit() {
    // A hidden pane has no size, and fitting to it would leave two columns.
    if (term?.element?.offsetParent && term.element.parentElement.clientWidth > 40) fit.fit();
  },
  focus() {
    term?.focus();
  },
  columns() {
    return term?.cols ?? 80;
  },
  rows() {
    return term?.rows ?? 24;
  },
  /** What screen readers call the terminal. */
  name(label) {
    term?.textarea?.setAttribute("aria-label", label);
  },
  retheme() {
    if (term) term.options.theme = theme();
  },
  /** The screen's text with its scrollback: for tests and for copying all. */
  text() {
    if (!term) return "";
    const buffer = term.buffer.active;
    const lines = [];
    for (let i = 0; i < buffer.length; i += 1) {
      const line = buffer.getLine(i);
      const text = line?.translateToString(true) ?? "";
      if (line?.isWrapped && lines.length > 0) lines[lines.length - 1] += text;
      else lines.push(text);
    }
    return lines.join("\n").trimEnd();
  },
};

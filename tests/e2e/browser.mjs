// What the tests of the page share: a fresh Chromium, the page, and hands that type as a person does.
import { chromium } from "playwright-core";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where the page is served. `cargo xtask test` serves dist/ and names it; by hand, run `cargo xtask serve`. */
export const url = process.env.KUBETAB_URL ?? "http://127.0.0.1:8080/";

const screenshots = join(dirname(fileURLToPath(import.meta.url)), "screenshots");

/** Starts a browser with an empty profile. */
export async function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-dev-shm-usage",
      "--disable-gpu",
      "--no-first-run",
      "--no-default-browser-check",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** The page, opened in a context of its own: nothing is stored from test to test. */
export class Kubetab {
  /** @param {import("playwright-core").Browser} browser */
  static async open(browser, options = {}) {
    const { path = "", ready = true, ...context } = options;
    const self = new Kubetab();
    self.context = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      locale: "en-US",
      permissions: ["clipboard-read", "clipboard-write"],
      ...context,
    });
    self.page = await self.context.newPage();
    self.page.setDefaultTimeout(30_000);
    /** What the console calls an error, uncaught exceptions, and requests that failed. */
    self.errors = [];
    self.page.on("console", (message) => {
      if (message.type() === "error") self.errors.push(message.text());
    });
    self.page.on("pageerror", (error) => self.errors.push(String(error)));
    self.page.on("requestfailed", (request) => self.errors.push(`failed: ${request.url()}`));
    /** Hosts that the page talked to. There must be none but its own. */
    self.hosts = new Set();
    self.page.on("request", (request) => {
      const { protocol, host } = new URL(request.url());
      if (protocol.startsWith("http")) self.hosts.add(host);
    });
    await self.page.goto(new URL(path, url).href);
    if (ready) await self.prompt();
    return self;
  }

  close() {
    return this.context.close();
  }

  /** The lines that the terminal shows. */
  async screen() {
    const rows = await this.page.locator(".xterm-rows > div").allTextContents();
    return rows.map((row) => row.replaceAll("\u00a0", " ").trimEnd()).join("\n").trimEnd();
  }

  /** Waits until the terminal's last line is an empty prompt. */
  async prompt(timeout = 30_000) {
    await this.until(async () => /[#$]$/.test(await this.screen()), "a prompt", timeout);
  }

  /** Types a line into the terminal, key by key, and presses Enter. */
  async type(line, { enter = true } = {}) {
    await this.focusTerminal();
    await this.page.keyboard.type(line, { delay: 2 });
    if (enter) await this.page.keyboard.press("Enter");
  }

  /** Types a line and waits for the next prompt. */
  async run(line, timeout = 120_000) {
    await this.type(line);
    // The prompt of the line itself must be gone first: what was typed stands behind it.
    await this.page.waitForTimeout(50);
    await this.prompt(timeout);
  }

  async focusTerminal() {
    await this.page.locator(".xterm-helper-textarea").focus();
  }

  /** Puts a text into the element that has the focus, as Ctrl-V does. */
  async paste(text) {
    await this.page.evaluate((text) => navigator.clipboard.writeText(text), text);
    await this.page.keyboard.press("Control+V");
  }

  /** What the picture shows of a kind: names, phases and nodes, sorted by name. Fading ghosts don't count. */
  async shown(kind, prefix = "") {
    const all = await this.page.locator(`[data-kind="${kind}"]:not([data-gone])`).evaluateAll((elements) =>
      elements.map(({ dataset }) => ({ name: dataset.name, phase: dataset.phase, node: dataset.node })),
    );
    return all.filter(({ name }) => name?.startsWith(prefix)).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Waits until `check` gives something true, and gives that. */
  async until(check, what, timeout = 30_000) {
    const end = Date.now() + timeout;
    for (;;) {
      const result = await check();
      if (result) return result;
      if (Date.now() > end) {
        const screen = await this.screen().catch(() => "(no terminal)");
        throw new Error(`Waited ${timeout} ms for ${what}. Errors: ${this.errors.join("; ")}\nThe terminal shows:\n${screen}`);
      }
      await this.page.waitForTimeout(50);
    }
  }

  async screenshot(name) {
    mkdirSync(screenshots, { recursive: true });
    await this.page.screenshot({ path: join(screenshots, `${name}.png`) });
  }
}

// Figures of the built page, in Chromium: `cargo xtask bench`. Numbers are medians unless they say otherwise.
import { readFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Kubetab, startBrowser, url } from "./browser.mjs";

const dist = join(dirname(fileURLToPath(import.meta.url)), "../../dist");
const KIB = 1024;
/** Loads of the page that the time to the first prompt is measured over. */
const LOADS = 7;
/** Commands that a latency is measured over. */
const COMMANDS = 25;

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const rows = [];
const row = (what, value) => {
  rows.push([what, value]);
  console.log(`${what.padEnd(66)} ${value}`);
};

const brotli = (bytes) =>
  brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length, [constants.BROTLI_PARAM_LGWIN]: 24 },
  }).length;

const browser = await startBrowser();

// Bytes: what the page asks for until its first prompt and a moment after.
{
  const tab = await Kubetab.open(browser, { ready: false });
  const paths = new Set(["index.html"]);
  tab.page.on("request", (request) => {
    const { protocol, pathname } = new URL(request.url());
    if (protocol.startsWith("http")) paths.add(pathname.slice(1) || "index.html");
  });
  await tab.page.reload();
  await tab.prompt();
  await tab.page.waitForTimeout(1000);
  let total = 0;
  for (const path of [...paths].sort()) {
    try {
      const bytes = readFileSync(join(dist, decodeURIComponent(path)));
      const size = brotli(bytes);
      total += size;
      row(`  ${path}`, `${(size / KIB).toFixed(1)} KiB brotli (${(bytes.length / KIB).toFixed(0)} KiB)`);
    } catch {
      row(`  ${path}`, "not in dist/");
    }
  }
  row("bytes loaded before the editor opens", `${(total / KIB).toFixed(0)} KiB brotli`);
  await tab.close();
}

// Time from navigation to the first prompt, by the page's own clock, each time in an empty profile.
{
  const times = [];
  for (let i = 0; i < LOADS; i++) {
    const tab = await Kubetab.open(browser, { ready: false, path: "about:blank" });
    await tab.page.addInitScript(() => {
      const look = () => {
        const rows = document.querySelector(".xterm-rows");
        const text = rows?.innerText.replaceAll("\u00a0", " ").trimEnd() ?? "";
        if (/[#$]$/.test(text)) window.firstPrompt = performance.now();
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    await tab.page.goto(url);
    await tab.page.waitForFunction(() => window.firstPrompt !== undefined);
    times.push(await tab.page.evaluate(() => window.firstPrompt));
    await tab.close();
  }
  row("navigation to first prompt", `${median(times).toFixed(0)} ms (of ${LOADS} loads, best ${Math.min(...times).toFixed(0)})`);
}

// Latency of a listing, and how fast time passes.
{
  const tab = await Kubetab.open(browser);
  // The page paces a command so that one can follow it. Here the world is paused and run by hand, for as much
  // virtual time as a command takes, so that only computing is measured.
  const measure = (line) =>
    tab.page.evaluate(
      async ([line, count]) => {
        const times = [];
        let code = 0;
        for (let i = 0; i < count; i++) {
          const start = performance.now();
          const done = window.kubetab.exec(line);
          window.kubetab.advance(1000);
          ({ code } = await done);
          times.push(performance.now() - start);
        }
        return { times, code };
      },
      [line, COMMANDS],
    );
  const latency = async (what, line) => {
    const { times, code } = await measure(line);
    row(what, code === 0 ? `${median(times).toFixed(1)} ms (worst ${Math.max(...times).toFixed(1)})` : `exit code ${code}`);
  };
  /** Virtual seconds that pass in a real one, while `advance` drives the world. */
  const speed = (virtualMs) =>
    tab.page.evaluate(async (virtualMs) => {
      const start = performance.now();
      await window.kubetab.advance(virtualMs);
      return virtualMs / (performance.now() - start);
    }, virtualMs);

  await tab.page.evaluate(() => window.kubetab.pause());
  await latency("`kubectl get pods -A`, the cluster at its start", "kubectl get pods -A");
  row("virtual seconds a real second, idle", (await speed(3600_000)).toFixed(0));

  // Beyond what two workers take, pods stay Pending; they are listed all the same.
  for (const pods of [100, 1000, 10_000]) {
    const made = await tab.page.evaluate(async (pods) => {
      const { kubetab } = window;
      const exec = (line) => {
        const done = kubetab.exec(line);
        kubetab.advance(1000);
        return done;
      };
      await exec("kubectl create deployment many --image=nginx --replicas=0");
      const start = performance.now();
      await exec(`kubectl scale deployment many --replicas=${pods}`);
      kubetab.advance(59_000);
      const took = performance.now() - start;
      const counted = await exec("kubectl get pods -A --no-headers | wc -l");
      return { took, count: Number(counted.stdout) };
    }, pods);
    row(`the minute in which a deployment grows to ${pods} pods, real time`, `${made.took.toFixed(0)} ms`);
    await latency(`\`kubectl get pods -A\` at ${made.count} pods`, "kubectl get pods -A");
    row(`virtual seconds a real second at ${made.count} pods`, (await speed(600_000)).toFixed(0));
  }

  // Load: a request each 10 ms for a minute.
  const load = await tab.page.evaluate(async () => {
    const { kubetab } = window;
    const exec = (line, ms) => {
      const done = kubetab.exec(line);
      kubetab.advance(ms);
      return done;
    };
    await exec("kubectl scale deployment many --replicas=3", 60_000);
    await exec("kubectl expose deployment many --port=80", 1000);
    const ip = (await exec("kubectl get service many -o jsonpath='{.spec.clusterIP}'", 1000)).stdout;
    const start = performance.now();
    const result = await exec(`for i in $(seq 6000); do curl -s ${ip} > /dev/null; sleep 0.01; done`, 120_000);
    return { took: performance.now() - start, code: result.code };
  });
  row("virtual seconds a real second under load (6,000 requests)", (120_000 / load.took).toFixed(0));
  await tab.close();
}

await browser.close();

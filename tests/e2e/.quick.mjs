import { Kubetab, startBrowser } from "./browser.mjs";
const browser = await startBrowser();
const tab = await Kubetab.open(browser);
await tab.page.evaluate(() => window.kubetab.pause());
const speed = (ms) => tab.page.evaluate(async (ms) => { const s = performance.now(); await window.kubetab.advance(ms); return ms / (performance.now() - s); }, ms);
const idle = []; for (let i = 0; i < 3; i++) idle.push((await speed(3600_000)).toFixed(0));
const r = await tab.page.evaluate(async () => {
  const { kubetab } = window;
  const exec = (line) => { const d = kubetab.exec(line); kubetab.advance(1000); return d; };
  await exec("kubectl create deployment many --image=nginx --replicas=0");
  const s = performance.now();
  await exec("kubectl scale deployment many --replicas=10000");
  kubetab.advance(59000);
  const grow = performance.now() - s;
  const times = [];
  for (let i = 0; i < 31; i++) { const s = performance.now(); await exec("kubectl get pods -A"); times.push(performance.now() - s); }
  const bare = [];
  for (let i = 0; i < 15; i++) { const s = performance.now(); await exec("true"); bare.push(performance.now() - s); }
  const med = (t) => t.toSorted((a, b) => a - b)[t.length >> 1].toFixed(1);
  return `grow ${grow.toFixed(0)} get ${med(times)} min ${Math.min(...times).toFixed(1)} true ${med(bare)}`;
});
console.log("idle", idle.join(" "), r);
await browser.close();

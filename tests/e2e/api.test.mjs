// window.kubetab, the JS API of the page.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Kubetab, startBrowser } from "./browser.mjs";

let browser;
let tab;

before(async () => {
  browser = await startBrowser();
  tab = await Kubetab.open(browser);
});

after(async () => {
  await tab?.close();
  await browser?.close();
});

test("exec gives output, errors and the exit code apart", async () => {
  const [good, bad] = await tab.page.evaluate(async () => [
    await window.kubetab.exec("echo one; echo two >&2"),
    await window.kubetab.exec("kubectl get pod nosuch"),
  ]);
  assert.deepEqual(good, { stdout: "one\n", stderr: "two\n", code: 0 });
  assert.deepEqual(bad, { stdout: "", stderr: 'Error from server (NotFound): pods "nosuch" not found\n', code: 1 });
});

test("apply applies, objects lists, on tells", async () => {
  const { result, names, heard } = await tab.page.evaluate(async () => {
    const { kubetab } = window;
    let heard = 0;
    kubetab.on("trace", () => heard++);
    const result = await kubetab.apply("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: from-js\ndata: {a: b}\n");
    const objects = await kubetab.objects("ConfigMap");
    return { result, names: objects.map((object) => object.metadata.name), heard };
  });
  assert.equal(result.code, 0, result.stderr);
  assert.equal(result.stdout, "configmap/from-js created\n");
  assert.ok(names.includes("from-js"), names.join(", "));
  assert.ok(heard > 0, "events were heard");
});

test("time is paused, advanced and resumed", async () => {
  const ages = await tab.page.evaluate(async () => {
    const { kubetab } = window;
    const seconds = async () => Number((await kubetab.exec("date +%s")).stdout);
    kubetab.pause();
    const first = await seconds();
    await kubetab.advance(3_600_000);
    const second = await seconds();
    kubetab.resume();
    return [first, second];
  });
  assert.ok(ages[1] - ages[0] >= 3600 && ages[1] - ages[0] < 3660, `${ages}`);
});

test("the console stays free of errors", () => {
  assert.deepEqual(tab.errors, []);
});

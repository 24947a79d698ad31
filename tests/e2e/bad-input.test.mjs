// Bad input: a clear error, the cluster untouched, the page alive.
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

const exec = (line) => tab.page.evaluate((line) => window.kubetab.exec(line), line);
const apply = (yaml) => tab.page.evaluate((yaml) => window.kubetab.apply(yaml), yaml);
/** What a person could see of the cluster; it must not change. */
const state = async () => (await exec("kubectl get all,configmaps -A --no-headers -o name")).stdout;

/** Whatever `apply` gave back, or threw. */
const applied = async (yaml) => {
  try {
    return await apply(yaml);
  } catch (error) {
    return { code: 1, stdout: "", stderr: String(error) };
  }
};

test("wrong commands and flags are answered as kubectl and the shell answer them", async () => {
  const cases = [
    ["kubectl frobnicate", /error: unknown command "frobnicate" for "kubectl"/],
    ["kubectl get pods --nope", /error: unknown flag: --nope/],
    ["kubectl get unicorns", /error: the server doesn't have a resource type "unicorns"/],
    ["kubectl get pod nosuch", /Error from server \(NotFound\): pods "nosuch" not found/],
    ["nosuch", /nosuch: command not found/],
    ["kubectl create deployment Web_1 --image=nginx", /Web_1/],
    ["echo 'unclosed", null],
  ];
  const before = await state();
  for (const [line, expected] of cases) {
    if (expected) {
      await tab.run(line);
      assert.match((await tab.screen()).replaceAll("\n", ""), expected, line);
    } else {
      await tab.type(line);
      await tab.page.keyboard.press("Control+C");
      await tab.prompt();
    }
  }
  assert.equal(await state(), before);
});

test("broken manifests change nothing and say where they are broken", async () => {
  const pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - name: a\n    image: nginx\n";
  const bomb = ["a: &a [x,x,x,x,x,x,x,x,x]"];
  for (let i = 0; i < 12; i++) {
    const [from, to] = [String.fromCharCode(97 + i), String.fromCharCode(98 + i)];
    bomb.push(`${to}: &${to} [${Array(9).fill(`*${from}`).join(",")}]`);
  }
  const cases = {
    tabs: "apiVersion: v1\nkind: Pod\nmetadata:\n\tname: a\n",
    indentation: "apiVersion: v1\nkind: Pod\nmetadata:\n    name: a\n  labels: {}\n",
    "unknown field": pod.replace("    image:", "    imagge:"),
    "wrong type": pod.replace("  containers:", "  terminationGracePeriodSeconds: soon\n  containers:"),
    "bad name": pod.replace("name: a", "name: A_B"),
    "deep nesting": `a: ${"[".repeat(20000)}${"]".repeat(20000)}`,
    "alias bomb": bomb.join("\n"),
    "ten megabytes": `a: "${"x".repeat(10 * 1024 * 1024)}"`,
    "no YAML at all": "\u0000\u0001<html>",
  };
  const before = await state();
  for (const [what, yaml] of Object.entries(cases)) {
    const started = Date.now();
    const { code, stderr } = await applied(yaml);
    assert.notEqual(code, 0, what);
    assert.ok(stderr.trim().length > 0, `${what}: says why`);
    assert.ok(stderr.length < 4000, `${what}: does not repeat the input`);
    assert.ok(Date.now() - started < 5000, `${what}: took ${Date.now() - started} ms`);
  }
  assert.equal(await state(), before);
  await tab.run("echo alive");
  assert.match(await tab.screen(), /^alive$/m);
});

test("of duplicate keys the last one counts, as kubectl reads them", async () => {
  const { code, stdout } = await applied(
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: first\n  name: second\n",
  );
  assert.deepEqual([code, stdout], [0, "configmap/second created\n"]);
});

test("the editor shows an error at its line", async () => {
  await tab.page.getByRole("button", { name: "Open the YAML editor" }).click();
  await tab.page.locator(".cm-content").click();
  await tab.page.keyboard.press("Control+A");
  await tab.paste("apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: a\n");
  await tab.page.getByRole("button", { name: /^Apply/ }).click();
  await tab.page.getByText(/line 4/i).first().waitFor();
  await tab.screenshot("bad-yaml");
  const close = tab.page.getByRole("button", { name: "Close the YAML editor" });
  if (await close.isVisible()) await close.click();
});

test("HTML in names and annotations is text", async () => {
  const image = "<img src=x onerror=window.hacked=1>";
  await exec(`kubectl annotate node k8s-node-01 note='${image}'`);
  await exec(`kubectl create configmap html --from-literal=page='${image}'`);
  await tab.run("kubectl get node k8s-node-01 -o yaml | grep onerror");
  assert.match(await tab.screen(), /onerror/);
  await tab.page.locator('[data-kind="Node"][data-name$="k8s-node-01"]').first().click();
  await tab.page.waitForTimeout(300);
  await tab.screenshot("html-is-text");
  assert.equal(await tab.page.evaluate(() => window.hacked), undefined);
  assert.equal(await tab.page.locator("img[src=x]").count(), 0);
});

test("an unknown image is said on the pod, and the rest goes on", async () => {
  await tab.run("kubectl create deployment bad --image=no.such/thing:1");
  await tab.until(
    async () => /ErrImagePull|ImagePullBackOff/.test((await exec("kubectl get pods")).stdout),
    "the failed pull",
  );
  await tab.run("kubectl delete deployment bad");
  assert.match(await tab.screen(), /deployment\.apps "bad" deleted/);
});

test("the console stays free of errors", () => {
  assert.deepEqual(tab.errors, []);
});

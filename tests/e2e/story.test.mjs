// The main story, driven as a person would: typing, pasting, clicking, and looking at what is shown.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Kubetab, startBrowser } from "./browser.mjs";

const WORKERS = ["k8s-node-01", "k8s-node-02"];

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

const running = async (prefix, count) => {
  const pods = await tab.shown("Pod", prefix);
  return pods.length === count && pods.every((pod) => pod.phase === "Running" && pod.node) && pods;
};

test("the page opens with a prompt and three nodes", async () => {
  const nodes = await tab.until(async () => {
    const nodes = await tab.shown("Node");
    return nodes.length === 3 && nodes;
  }, "three nodes");
  assert.deepEqual(
    nodes.map(({ name }) => name.split("/").pop()),
    ["k8s-master", ...WORKERS],
  );
  await tab.run("kubectl get nodes");
  const screen = await tab.screen();
  assert.equal(screen.match(/k8s-\S+ +Ready /g)?.length, 3, screen);
  await tab.screenshot("1-opened");
});

test("a deployment's three pods appear, get worker nodes and run", async () => {
  await tab.run("kubectl create deployment web --image=nginx --replicas=3");
  assert.match(await tab.screen(), /deployment\.apps\/web created/);
  const pods = await tab.until(() => running("default/web-", 3), "three running pods");
  for (const { name, node } of pods) {
    assert.ok(WORKERS.includes(node), `${name} is on ${node}`);
  }
  assert.equal(new Set(pods.map(({ node }) => node)).size, 2, "the pods are spread over both workers");
  await tab.screenshot("2-three-pods");
});

test("a deleted pod is replaced by one with another name", async () => {
  const old = await tab.shown("Pod", "default/web-");
  const victim = old[0].name;
  await tab.run(`kubectl delete pod ${victim.split("/")[1]}`);
  assert.match(await tab.screen(), new RegExp(`pod "${victim.split("/")[1]}" deleted`));
  const pods = await tab.until(
    async () => {
      const pods = await running("default/web-", 3);
      return pods && !pods.some(({ name }) => name === victim) && pods;
    },
    "the replacement",
  );
  const fresh = pods.filter(({ name }) => !old.some((pod) => pod.name === name));
  assert.equal(fresh.length, 1, "one pod is new, two are the old ones");
  await tab.screenshot("3-replaced");
});

test("pasted YAML is applied", async () => {
  await tab.page.getByRole("button", { name: "Open the YAML editor" }).click();
  const editor = tab.page.locator(".cm-content");
  await editor.click();
  await tab.page.keyboard.press("Control+A");
  await tab.paste(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: pasted
spec:
  replicas: 2
  selector:
    matchLabels:
      app: pasted
  template:
    metadata:
      labels:
        app: pasted
    spec:
      containers:
      - name: httpd
        image: httpd
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: pasted
data:
  greeting: hello
`);
  await tab.page.getByRole("button", { name: /^Apply/ }).click();
  await tab.until(() => running("default/pasted-", 2), "the pasted deployment's pods");
  await tab.screenshot("4-pasted");
  await tab.run("kubectl get configmap pasted -o jsonpath='{.data.greeting}'; echo");
  assert.match(await tab.screen(), /^hello$/m);
  const close = tab.page.getByRole("button", { name: "Close the YAML editor" });
  if (await close.isVisible()) await close.click();
});

test("thirty requests go round-robin to three endpoints", async () => {
  await tab.run("kubectl expose deployment web --port=80");
  assert.match(await tab.screen(), /service\/web exposed/);
  const service = tab.page.locator('[data-kind="Service"][data-name="default/web"]');
  await service.waitFor();
  const chosen = async () => {
    const texts = await service
      .locator("[data-hits]")
      .evaluateAll((elements) => elements.map((element) => Number(element.dataset.hits)));
    return texts;
  };
  await tab.until(async () => (await chosen()).length === 3, "three endpoints of the service");
  await tab.run("IP=$(kubectl get service web -o jsonpath='{.spec.clusterIP}')");
  await tab.run("for i in $(seq 30); do curl -s $IP > /dev/null; done");
  await tab.until(async () => (await chosen()).reduce((sum, count) => sum + count, 0) >= 30, "thirty counted requests");
  assert.deepEqual(await chosen(), [10, 10, 10]);
  await tab.screenshot("5-round-robin");
});

test("the console stays free of errors, and nobody else is talked to", () => {
  assert.deepEqual(tab.errors, []);
  assert.equal(tab.hosts.size, 1, [...tab.hosts].join(", "));
});

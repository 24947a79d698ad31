// kubectl's larger verbs in the page's terminal, as a student meets them: descriptions that load when they are
// first asked for, programs with a terminal of their own, forwarded ports, custom resources, kustomizations.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Kubetab, startBrowser } from "./browser.mjs";

let browser;
let tab;

before(async () => {
  browser = await startBrowser();
  tab = await Kubetab.open(browser);
  await tab.run("clear");
});

after(async () => {
  await tab?.close();
  await browser?.close();
});

/** Runs a line on a cleared screen and gives what the screen shows then. */
const shows = async (line) => {
  await tab.run(`clear; ${line}`);
  return tab.screen();
};

/** The same without line breaks: the terminal wraps long sentences. */
const says = async (line) => (await shows(line)).replaceAll("\n", "");

test("help and explain load their texts when they are first asked for", async () => {
  const loaded = [];
  tab.page.on("response", (response) => loaded.push(new URL(response.url()).pathname));
  assert.match(await shows("kubectl --help | grep scale"), /scale +Set a new size/);
  assert.equal(loaded.length, 0, `the list of commands needs none: ${loaded}`);
  assert.match(await shows("kubectl scale --help | grep -A1 -- --replicas="), /How many there are to be\./);
  assert.match(await shows("kubectl scale --help | grep -A1 Three"), /kubectl scale --replicas=3 deployment\/web/);
  const text = await shows("kubectl explain pod.spec.restartPolicy | head -8");
  assert.match(text, /KIND: +Pod/);
  assert.match(text, /FIELD: restartPolicy <string>/);
  assert.match(await shows("kubectl explain pod.spec.restartPolicy | grep policy"), /Restart policy for all containers within the pod/);
  assert.equal(loaded.length, 1, `one file was loaded: ${loaded}`);
  await shows("kubectl explain deployment.spec.strategy | head -3");
  assert.equal(loaded.length, 1, "it is loaded once");
});

test("jq's module is loaded when jq is first used", async () => {
  const loaded = [];
  tab.page.on("response", (response) => loaded.push(new URL(response.url()).pathname));
  assert.match(await shows("which jq; jq --version"), /\/usr\/bin\/jq\njq-1\.7\.1/);
  assert.equal(loaded.length, 0, `neither needs it: ${loaded}`);
  const names = await shows("kubectl get nodes -o json | jq -r '.items[].metadata.name | ascii_upcase'");
  assert.match(names, /K8S-MASTER\nK8S-NODE/);
  assert.match(await shows("kubectl get nodes -o json | jq '.items | length'"), /^3$/m);
  assert.equal(loaded.length, 1, `one file was loaded: ${loaded}`);
  // A terminal gets colours, and a program that calls itself without end is ended.
  assert.match(await says("jq -n 'def f: 1 + f; f' 2>&1 | cut -c1-60"), /the program was ended/);
  assert.match(await says(`jq -n '${"[".repeat(3000)}' 2>&1 | tail -c 80`), /nested more deeply than the simulation takes/);
  assert.match(await shows("jq -n '1 + 1'"), /^2$/m);
});

test("manifests of the documentation are applied from their address", async () => {
  const says = await shows("kubectl apply -f https://k8s.io/examples/pods/simple-pod.yaml");
  assert.match(says, /pod\/nginx created/);
  assert.match(await shows("kubectl apply -f https://k8s.io/examples/no.yaml 2>&1"), /status code=404/);
  await shows("kubectl delete pod nginx --now");
});

test("edit opens the editor, waits for it, and changes what was saved", async () => {
  await tab.run("clear; kubectl create configmap conf --from-literal=color=blue");
  await tab.type("kubectl edit configmap conf");
  const editor = tab.page.locator(".cm-content");
  await editor.waitFor();
  await tab.until(async () => /color: blue/.test(await editor.innerText()), "the object in the editor");
  assert.match(await tab.page.locator(".editor .report").innerText(), /A command waits/);
  assert.equal(await tab.page.locator(".editor .apply").count(), 0, "there is nothing to apply");
  await tab.page.getByText("blue").click();
  await tab.page.keyboard.press("End");
  for (let i = 0; i < "blue".length; i++) await tab.page.keyboard.press("Backspace");
  await tab.page.keyboard.type("red");
  await tab.page.getByRole("button", { name: "Save" }).click();
  await tab.until(async () => /configmap\/conf edited/.test(await tab.screen()), "what edit says");
  assert.match(await shows("kubectl get configmap conf -o jsonpath={.data}"), /"color":"red"/);

  await tab.type("clear; kubectl edit configmap conf");
  await editor.waitFor();
  await tab.page.getByRole("button", { name: "Close the YAML editor" }).click();
  await tab.until(async () => /Edit cancelled, no changes made\./.test(await tab.screen()), "that nothing was changed");
});

test("a program with a terminal of its own: run -it", async () => {
  await tab.type("clear; kubectl run box -it --rm --image=busybox -- sh");
  // The shell's first prompt came before anybody was attached, as it says.
  await tab.until(async () => /try pressing enter/.test(await tab.screen()), "the container's terminal");
  await tab.page.keyboard.press("Enter");
  await tab.until(async () => /\/ #$/.test(await tab.screen()), "the container's prompt");
  await tab.type("hostname; echo $((6*7))");
  await tab.until(async () => /box\n42\n\/ #$/.test(await tab.screen()), "what was computed in the container");
  await tab.type("exit");
  await tab.until(async () => /pod "box" deleted/.test(await tab.screen()), "the end of the pod");
  await tab.prompt();
});

test("a forwarded port reaches a pod", async () => {
  await tab.run("kubectl run web --image=nginx --port=80 && kubectl wait --for=condition=Ready pod/web");
  await tab.type("clear; kubectl port-forward pod/web 8080:80 &");
  await tab.until(async () => /Forwarding from 127\.0\.0\.1:8080 -> 80/.test(await tab.screen()), "the forwarded port");
  await tab.type("curl -s localhost:8080 | grep title");
  await tab.until(async () => /<title>Welcome to nginx!<\/title>/.test(await tab.screen()), "nginx's page");
  assert.match(await tab.screen(), /Handling connection for 8080/);
  await tab.run("kill %1");
});

test("Ctrl-C ends a watch", async () => {
  await tab.type("clear; kubectl get pods -w");
  await tab.until(async () => /web +1\/1 +Running/.test(await tab.screen()), "the pod");
  await tab.page.keyboard.press("Control+C");
  await tab.prompt();
});

test("a custom resource is defined, made and printed in its own columns", async () => {
  await tab.run(`clear; cat > crd.yaml <<'END'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.shop.example.com}
spec:
  group: shop.example.com
  scope: Namespaced
  names: {plural: boats, singular: boat, kind: Boat, shortNames: [bo]}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns:
    - {name: Sails, type: integer, jsonPath: .spec.sails}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [sails]
            properties: {sails: {type: integer, minimum: 1}}
END
kubectl apply -f crd.yaml && kubectl wait --for=condition=Established crd/boats.shop.example.com`);
  const boat = (sails) =>
    `printf 'apiVersion: shop.example.com/v1\\nkind: Boat\\nmetadata: {name: sloop}\\nspec: {sails: ${sails}}\\n' | kubectl apply -f -`;
  assert.match(await says(boat(0)), /spec\.sails: Invalid value: 0: spec\.sails in body should be greater than or equal to 1/);
  assert.match(await shows(boat(2)), /boat\.shop\.example\.com\/sloop created/);
  assert.match(await shows("kubectl get bo"), /NAME +SAILS\nsloop +2/);
});

test("kustomize's module is loaded when a kustomization is first built", async () => {
  const loaded = [];
  tab.page.on("response", (response) => loaded.push(new URL(response.url()).pathname));
  assert.match(await shows("kubectl kustomize --output 2>&1"), /flag needs an argument: --output/);
  assert.equal(loaded.length, 0, `that needs none: ${loaded}`);
  await shows("mkdir -p site/base; kubectl create configmap site --from-literal=color=blue --dry-run=client -o yaml > site/base/site.yaml");
  await shows("printf 'resources: [site.yaml]\\n' > site/base/kustomization.yaml");
  await shows("printf 'namePrefix: dev-\\nresources: [base]\\nconfigMapGenerator: [{name: more, literals: [a=b]}]\\n' > site/kustomization.yaml");
  assert.match(await shows("kubectl kustomize site"), /---\napiVersion: v1\ndata:\n {2}color: blue\nkind: ConfigMap\nmetadata:\n {2}name: dev-site\n/);
  assert.deepEqual(loaded.map((path) => path.split("/").at(-1)), ["kustomize.wasm"]);
  assert.match(await shows("kubectl apply -k site"), /configmap\/dev-more-\w{10} created\nconfigmap\/dev-site created/);
  assert.match(await shows("kubectl kustomize none 2>&1"), /error: must build at directory: not a valid directory: evalsymlink failure/);
  await shows("kubectl delete -k site; rm -r site");
  assert.equal(loaded.length, 1, `one file was loaded, once: ${loaded}`);
});

test("server-side apply tells who owns a field", async () => {
  await tab.run("clear; kubectl create deployment api --image=nginx --dry-run=client -o yaml > api.yaml");
  await tab.run("kubectl apply --server-side -f api.yaml");
  const text = await says("sed 's/image: nginx/image: httpd/' api.yaml | kubectl apply --server-side --field-manager=ci -f -");
  assert.match(text, /Apply failed with \d+ conflicts?: conflicts? with "kubectl"/);
});

test("what a user may not do is refused", async () => {
  assert.match(
    await says("kubectl get pods --as anna"),
    /pods is forbidden: User "anna" cannot list resource "pods" in API group "" in the namespace "default"/,
  );
});

test("nothing went wrong in the console, and no other host was asked", () => {
  assert.deepEqual(tab.errors, []);
  assert.deepEqual([...tab.hosts], [new URL(tab.page.url()).host]);
});

// @kubernetes/client-node against `kubetab serve`: CRUD, patches, watch, informer, logs, exec, port-forward.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { after, before, test } from "node:test";
import * as k8s from "@kubernetes/client-node";

const folder = mkdtempSync(join(tmpdir(), "kubetab-client-node-"));
let server, config, core, apps;

before(async () => {
    const kubeconfig = join(folder, "kubeconfig");
    const flags = ["serve", "--port", "0", "--speed", "20", "--kubeconfig", kubeconfig];
    server = spawn(process.env.KUBETAB ?? "target/debug/kubetab", flags, { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve, reject) => {
        server.stdout.once("data", resolve);
        server.once("exit", () => reject(new Error("kubetab has ended")));
    });
    config = new k8s.KubeConfig();
    config.loadFromFile(kubeconfig);
    core = config.makeApiClient(k8s.CoreV1Api);
    apps = config.makeApiClient(k8s.AppsV1Api);
});

after(() => {
    server.kill();
    rmSync(folder, { recursive: true });
});

const namespace = "default";

async function until(what, check) {
    for (let i = 0; i < 200; i++) {
        if (await check()) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.fail(`never: ${what}`);
}

function sink() {
    const chunks = [];
    const stream = new Writable({
        write(chunk, _, done) {
            chunks.push(chunk);
            done();
        },
    });
    stream.text = () => Buffer.concat(chunks).toString();
    return stream;
}

test("objects are created, read, replaced, patched and deleted", async () => {
    const body = { metadata: { name: "conf" }, data: { a: "1" } };
    const made = await core.createNamespacedConfigMap({ namespace, body });
    assert.equal(made.data.a, "1");
    made.data.a = "2";
    const replaced = await core.replaceNamespacedConfigMap({ name: "conf", namespace, body: made });
    assert.equal(replaced.data.a, "2");
    await assert.rejects(core.replaceNamespacedConfigMap({ name: "conf", namespace, body: { ...made, data: {} } }), { code: 409 });
    const patched = await core.patchNamespacedConfigMap(
        { name: "conf", namespace, body: [{ op: "add", path: "/data/b", value: "3" }] },
        k8s.setHeaderOptions("Content-Type", k8s.PatchStrategy.JsonPatch),
    );
    assert.deepEqual(patched.data, { a: "2", b: "3" });
    const listed = await core.listNamespacedConfigMap({ namespace, fieldSelector: "metadata.name=conf" });
    assert.equal(listed.items.length, 1);
    await core.deleteNamespacedConfigMap({ name: "conf", namespace });
    await assert.rejects(core.readNamespacedConfigMap({ name: "conf", namespace }), { code: 404 });
});

test("an informer and a watch see what happens", async () => {
    const seen = [];
    const informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/secrets`, () => core.listNamespacedSecret({ namespace }));
    for (const verb of ["add", "update", "delete"]) {
        informer.on(verb, (object) => seen.push(`${verb} ${object.metadata.name}`));
    }
    await informer.start();
    const events = [];
    const watch = new k8s.Watch(config);
    const request = await watch.watch(`/api/v1/namespaces/${namespace}/secrets`, {}, (type, object) => events.push(`${type} ${object.metadata.name}`), () => {});
    await core.createNamespacedSecret({ namespace, body: { metadata: { name: "s" }, stringData: { k: "v" } } });
    await until("the informer adds", () => seen.includes("add s"));
    await core.deleteNamespacedSecret({ name: "s", namespace });
    await until("the informer deletes", () => seen.includes("delete s"));
    await until("the watch tells", () => events.includes("ADDED s") && events.includes("DELETED s"));
    request.abort();
    await informer.stop();
});

test("a deployment's pod runs, logs, executes and forwards", async () => {
    const labels = { app: "web" };
    await apps.createNamespacedDeployment({
        namespace,
        body: {
            metadata: { name: "web" },
            spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers: [{ name: "web", image: "nginx" }] } } },
        },
    });
    let pod;
    await until("the pod is ready", async () => {
        const pods = await core.listNamespacedPod({ namespace, labelSelector: "app=web" });
        pod = pods.items.find((p) => p.status.conditions?.some((c) => c.type === "Ready" && c.status === "True"))?.metadata.name;
        return pod;
    });
    assert.match(await core.readNamespacedPodLog({ name: pod, namespace }), /nginx/);
    const [out, err] = [sink(), sink()];
    const status = await new Promise((resolve, reject) => {
        new k8s.Exec(config)
            .exec(namespace, pod, "web", ["sh", "-c", "echo out; echo err >&2; exit 3"], out, err, null, false, resolve)
            .catch(reject);
    });
    assert.deepEqual([out.text(), err.text()], ["out\n", "err\n"]);
    assert.equal(status.reason, "NonZeroExitCode");
    assert.equal(status.details.causes[0].message, "3");
    const [input, output] = [new PassThrough(), sink()];
    await new k8s.PortForward(config).portForward(namespace, pod, [80], output, null, input);
    input.write("GET / HTTP/1.1\r\nHost: web\r\n\r\n");
    await until("the pod answers", () => output.text().includes("Welcome to nginx"));
    input.end();
});

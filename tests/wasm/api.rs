//! The JS API as a program in the browser meets it.

use js_sys::{Array, Function, JSON, Reflect};
use kubetab::wasm::Kubetab;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

fn cluster() -> Kubetab {
    Kubetab::new(JSON::parse(r#"{"seed": 7}"#).unwrap()).unwrap()
}

fn text(value: &JsValue, key: &str) -> String {
    Reflect::get(value, &key.into())
        .unwrap()
        .as_string()
        .unwrap_or_default()
}

async fn exec(kubetab: &Kubetab, line: &str) -> (String, String, f64) {
    let result = JsFuture::from(kubetab.exec(line.to_owned())).await.unwrap();
    let code = Reflect::get(&result, &"code".into()).unwrap().as_f64().unwrap();
    (text(&result, "stdout"), text(&result, "stderr"), code)
}

#[wasm_bindgen_test]
async fn exec_gives_outputs_and_code() {
    let kubetab = cluster();
    let (stdout, stderr, code) = exec(&kubetab, "kubectl get nodes --no-headers | wc -l; echo no >&2; exit 3").await;
    assert_eq!((stdout.trim(), stderr.trim(), code), ("3", "no", 3.0));
    let (_, stderr, code) = exec(&kubetab, "kubectl get podz").await;
    assert_eq!(stderr, "error: the server doesn't have a resource type \"podz\"\n");
    assert_eq!(code, 1.0);
}

#[wasm_bindgen_test]
async fn a_deployment_runs_and_its_objects_are_seen() {
    let kubetab = cluster();
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: <b>v</b>\n";
    let applied = JsFuture::from(kubetab.apply(manifest.to_owned())).await.unwrap();
    assert_eq!(text(&applied, "stdout"), "configmap/a created\n");
    exec(&kubetab, "kubectl create deployment web --image=nginx --replicas=3").await;
    kubetab.advance(10_000.0);
    let pods: Array = kubetab.objects("pods".into()).unwrap();
    let mut running = 0;
    for pod in pods.iter() {
        let name = text(&Reflect::get(&pod, &"metadata".into()).unwrap(), "name");
        let phase = text(&Reflect::get(&pod, &"status".into()).unwrap(), "phase");
        running += u32::from(name.starts_with("web-") && phase == "Running");
    }
    assert_eq!(running, 3);
    assert!(kubetab.objects("nonsense".into()).is_err());
}

#[wasm_bindgen_test]
async fn listeners_hear_the_trace_until_they_stop() {
    let kubetab = cluster();
    let heard = Array::new();
    let hear = Function::new_with_args("heard, record", "heard.push(Object.keys(record.event)[0])")
        .bind1(&JsValue::NULL, &heard);
    let stop = kubetab.on("write".into(), hear.unchecked_into());
    exec(&kubetab, "kubectl create namespace a").await;
    assert!(heard.length() > 0);
    assert!(heard.iter().all(|name| name == "Write"));
    stop.call0(&JsValue::NULL).unwrap();
    let before = heard.length();
    exec(&kubetab, "kubectl create namespace b").await;
    assert_eq!(heard.length(), before);
}

#[wasm_bindgen_test]
async fn a_paused_world_stands_still() {
    let kubetab = cluster();
    kubetab.pause();
    let now = kubetab.now();
    let promise = kubetab.exec("sleep 5; echo done".into());
    assert_eq!(kubetab.now(), now);
    kubetab.advance(6_000.0);
    let result = JsFuture::from(promise).await.unwrap();
    assert_eq!(text(&result, "stdout"), "done\n");
    assert_eq!(kubetab.now(), now + 6_000.0);
}

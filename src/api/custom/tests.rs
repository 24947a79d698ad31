//! Definitions and custom resources through the API server.

use expect_test::expect;
use proptest::prelude::*;
use proptest::strategy::Strategy;

use crate::api::{ApiServer, Body, Method, Request, Response};
use crate::sim::{Sim, Time};
use crate::value::Value;
use crate::{list, obj};

use super::rules::Rules;
use super::{embedded, openapi, structural};
use crate::api::status::FieldErrors;

/// A server with a definition of `things.a.io` with this schema, established.
struct Server(ApiServer);

fn yaml(text: &str) -> Value {
    crate::value::yaml::decode(text).unwrap()
}

fn definition(schema: Value) -> Value {
    obj! {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": obj! { "name": "things.a.io" },
        "spec": obj! {
            "group": "a.io",
            "scope": "Namespaced",
            "names": obj! { "plural": "things", "kind": "Thing" },
            "versions": list![obj! {
                "name": "v1", "served": true, "storage": true, "schema": obj! { "openAPIV3Schema": schema },
            }],
        },
    }
}

fn message(response: &Response) -> String {
    let value = response.value();
    value.str_at(&["message"]).to_owned()
}

impl Server {
    fn bare() -> Server {
        let api = ApiServer::new(&Sim::new(1, Time::from_secs(1_800_000_000)));
        api.restore(obj! { "apiVersion": "v1", "kind": "Namespace", "metadata": obj! { "name": "default" } })
            .unwrap();
        Server(api)
    }

    fn new(schema: &str) -> Server {
        let server = Server::bare();
        let made = server.define(definition(yaml(schema)));
        assert_eq!(made.code, 201, "{}", message(&made));
        server.establish();
        server
    }

    fn define(&self, definition: Value) -> Response {
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        self.0
            .serve(Request::new(Method::Post, path).body(Body::Value(definition)))
    }

    /// What the naming controller does.
    fn establish(&self) {
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.a.io";
        let mut value = self.0.serve(Request::get(path)).value();
        let names = value.at(&["spec", "names"]).clone();
        value.set(&["status", "acceptedNames"], names);
        value.set(
            &["status", "conditions"],
            list![obj! { "type": "Established", "status": "True" }],
        );
        let done = self
            .0
            .serve(Request::new(Method::Put, format!("{path}/status")).body(Body::Value(value)));
        assert_eq!(done.code, 200, "{}", message(&done));
    }

    fn thing(spec: &str) -> Value {
        let mut value = obj! { "apiVersion": "a.io/v1", "kind": "Thing", "metadata": obj! { "name": "one" } };
        value.set(&["spec"], yaml(spec));
        value
    }

    fn create(&self, thing: Value) -> Response {
        let path = "/apis/a.io/v1/namespaces/default/things";
        self.0.serve(Request::new(Method::Post, path).body(Body::Value(thing)))
    }

    /// The spec that is stored, or why none is.
    fn spec(&self, spec: &str) -> String {
        let made = self.create(Server::thing(spec));
        if made.code != 201 {
            return message(&made);
        }
        let path = "/apis/a.io/v1/namespaces/default/things/one";
        let stored = self.0.serve(Request::get(path)).value();
        self.0.serve(Request::new(Method::Delete, path));
        stored.get("spec").to_json()
    }

    /// What an update to this spec says of a thing that has the first.
    fn update(&self, old: &str, new: &str) -> String {
        let made = self.create(Server::thing(old));
        assert_eq!(made.code, 201, "{}", message(&made));
        let path = "/apis/a.io/v1/namespaces/default/things/one";
        let mut thing = Server::thing(new);
        let version = made.value().at(&["metadata", "resourceVersion"]).clone();
        thing.set(&["metadata", "resourceVersion"], version);
        let done = self.0.serve(Request::new(Method::Put, path).body(Body::Value(thing)));
        self.0.serve(Request::new(Method::Delete, path));
        if done.code == 200 {
            done.value().get("spec").to_json()
        } else {
            message(&done)
        }
    }
}

fn in_spec(spec: &str) -> String {
    let indented: String = spec.lines().map(|l| format!("        {l}\n")).collect();
    format!("type: object\nproperties:\n  spec:\n    type: object\n    properties:\n{indented}")
}

#[test]
fn values_are_checked_in_the_words_of_the_server() {
    let server = Server::new(&in_spec(
        "num: {type: integer, minimum: 1, maximum: 5, multipleOf: 2}\n\
         neg: {type: integer, multipleOf: -1}\n\
         half: {type: number, multipleOf: -0.5}\n\
         f: {type: number, minimum: 0.5, exclusiveMinimum: true}\n\
         s: {type: string, minLength: 2, maxLength: 4, pattern: '^[a-z]*$'}\n\
         when: {type: string, format: date-time}\n\
         small: {type: integer, format: int32}\n\
         whole: {type: integer}\n\
         odd: {type: integer, maximum: 1.5}\n\
         e: {type: string, enum: [a, b]}\n\
         p: {x-kubernetes-int-or-string: true}\n\
         l: {type: array, maxItems: 2, items: {type: integer}}\n\
         set: {type: array, x-kubernetes-list-type: set, items: {type: string}}\n\
         m: {type: object, maxProperties: 1, minProperties: 1, additionalProperties: {type: boolean}}\n\
         null1: {type: string, nullable: true}\n\
         one: {type: object, properties: {a: {type: string}, b: {type: string}}, oneOf: [{required: [a]}, {required: [b]}]}\n\
         any: {type: object, properties: {a: {type: string}, b: {type: string}}, anyOf: [{required: [a]}, {required: [b]}]}\n\
         not: {type: object, properties: {a: {type: string}}, not: {required: [a]}}",
    ));
    let rows = [
        "{num: 3}",
        "{num: 6}",
        "{num: 0}",
        "{num: '4'}",
        "{num: 4.0}",
        "{neg: -9223372036854775808}",
        "{half: 1.5}",
        "{f: 0.5}",
        "{s: a}",
        "{s: abcde}",
        "{s: AB}",
        "{when: tomorrow}",
        "{when: '2026-01-02T03:04:05Z'}",
        "{when: 1}",
        "{small: 2147483647}",
        "{small: 3000000000}",
        "{small: true}",
        "{small: 1.5}",
        "{small: x}",
        "{whole: 99999999999999999999}",
        "{odd: 1}",
        "{e: c}",
        "{p: true}",
        "{p: 80}",
        "{l: [1, 2, 3]}",
        "{l: [1, x]}",
        "{set: [a, b, a]}",
        "{m: {}}",
        "{m: {a: true, b: false}}",
        "{m: {a: 1}}",
        "{null1: null}",
        "{s: null}",
        "{one: {}}",
        "{one: {a: x, b: z}}",
        "{any: {}}",
        "{not: {a: x}}",
        "{unknown: 1}",
    ];
    let all: String = rows.iter().map(|r| format!("{r} → {}\n", server.spec(r))).collect();
    expect![[r#"
        {num: 3} → Thing.a.io "one" is invalid: spec.num: Invalid value: 3: spec.num in body should be a multiple of 2
        {num: 6} → Thing.a.io "one" is invalid: spec.num: Invalid value: 6: spec.num in body should be less than or equal to 5
        {num: 0} → Thing.a.io "one" is invalid: spec.num: Invalid value: 0: spec.num in body should be greater than or equal to 1
        {num: '4'} → Thing.a.io "one" is invalid: spec.num: Invalid value: "string": spec.num in body must be of type integer: "string"
        {num: 4.0} → {"num":4}
        {neg: -9223372036854775808} → Thing.a.io "one" is invalid: spec.neg: Invalid value: -1: factor MultipleOf declared for spec.neg must be positive: -1
        {half: 1.5} → Thing.a.io "one" is invalid: spec.half: Invalid value: -0.5: factor MultipleOf declared for spec.half must be positive: -0.5
        {f: 0.5} → Thing.a.io "one" is invalid: spec.f: Invalid value: 0.5: spec.f in body should be greater than 0.5
        {s: a} → Thing.a.io "one" is invalid: spec.s: Invalid value: "a": spec.s in body should be at least 2 chars long
        {s: abcde} → Thing.a.io "one" is invalid: spec.s: Too long: may not be more than 4 bytes
        {s: AB} → Thing.a.io "one" is invalid: spec.s: Invalid value: "AB": spec.s in body should match '^[a-z]*$'
        {when: tomorrow} → Thing.a.io "one" is invalid: spec.when: Invalid value: "tomorrow": spec.when in body must be of type date-time: "tomorrow"
        {when: '2026-01-02T03:04:05Z'} → {"when":"2026-01-02T03:04:05Z"}
        {when: 1} → Thing.a.io "one" is invalid: spec.when: Invalid value: "int64": spec.when in body must be of type date-time: "int64"
        {small: 2147483647} → {"small":2147483647}
        {small: 3000000000} → Thing.a.io "one" is invalid: <nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.small
        {small: true} → Thing.a.io "one" is invalid: spec.small: Invalid value: "": spec.small in body must be of type int32: ""
        {small: 1.5} → Thing.a.io "one" is invalid: [spec.small: Invalid value: "float64": spec.small in body must be of type int32: "float64", <nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.small]
        {small: x} → Thing.a.io "one" is invalid: spec.small: Invalid value: "string": spec.small in body must be of type integer: "string"
        {whole: 99999999999999999999} → Thing.a.io "one" is invalid: [spec.whole: Invalid value: "number": spec.whole in body must be of type integer: "number", <nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.whole]
        {odd: 1} → Thing.a.io "one" is invalid: <nil>: Invalid value: "": Maximum boundary value must be of type integer (default format) in spec.odd
        {e: c} → Thing.a.io "one" is invalid: spec.e: Unsupported value: "c": supported values: "a", "b"
        {p: true} → Thing.a.io "one" is invalid: spec.p: Invalid value: "boolean": spec.p in body must be of type integer,string: "boolean"
        {p: 80} → {"p":80}
        {l: [1, 2, 3]} → Thing.a.io "one" is invalid: spec.l: Too many: 3: must have at most 2 items
        {l: [1, x]} → Thing.a.io "one" is invalid: spec.l[1]: Invalid value: "string": spec.l[1] in body must be of type integer: "string"
        {set: [a, b, a]} → Thing.a.io "one" is invalid: spec.set[2]: Duplicate value: "a"
        {m: {}} → Thing.a.io "one" is invalid: spec.m: Invalid value: 0: spec.m in body should have at least 1 properties
        {m: {a: true, b: false}} → Thing.a.io "one" is invalid: spec.m: Too many: 2: must have at most 1 items
        {m: {a: 1}} → Thing.a.io "one" is invalid: spec.m.a: Invalid value: "integer": spec.m.a in body must be of type boolean: "integer"
        {null1: null} → {"null1":null}
        {s: null} → {}
        {one: {}} → Thing.a.io "one" is invalid: [<nil>: Invalid value: "": "spec.one" must validate one and only one schema (oneOf). Found none valid, spec.one.a: Required value]
        {one: {a: x, b: z}} → Thing.a.io "one" is invalid: <nil>: Invalid value: "": "spec.one" must validate one and only one schema (oneOf). Found 2 valid alternatives
        {any: {}} → Thing.a.io "one" is invalid: [<nil>: Invalid value: "": "spec.any" must validate at least one schema (anyOf), spec.any.a: Required value]
        {not: {a: x}} → Thing.a.io "one" is invalid: <nil>: Invalid value: "": "spec.not" must not validate the schema (not)
        {unknown: 1} → {}
    "#]]
    .assert_eq(&all);
}

#[test]
fn rules_in_cel() {
    let server = Server::new(&in_spec(
        "min: {type: integer}\n\
         max: {type: integer}\n\
         name: {type: string, x-kubernetes-validations: [{rule: 'self == oldSelf', message: stays}, {rule: 'self.size() > 2', messageExpression: \"'too short: ' + self\"}]}\n\
         tags: {type: array, items: {type: string, x-kubernetes-validations: [{rule: 'self != \"bad\"', reason: FieldValueForbidden}]}}\n\
         range: {type: object, properties: {a: {type: integer}, b: {type: integer}}, x-kubernetes-validations: [{rule: 'self.a < self.b', fieldPath: '.a', reason: FieldValueRequired}]}\n\
         once: {type: object, properties: {v: {type: string}}, x-kubernetes-validations: [{rule: 'oldSelf.hasValue() || self.v == \"new\"', optionalOldSelf: true, message: begins as new}]}",
    ));
    let rows = [
        ("{name: abc}", "{name: abd}"),
        ("{name: abc}", "{name: abc, max: 1}"),
        ("{tags: [ok]}", "{tags: [ok, bad]}"),
        ("{range: {a: 1, b: 2}}", "{range: {a: 3, b: 2}}"),
        ("{range: {a: 1, b: 2}}", "{range: {b: 2}}"),
    ];
    let mut all: String = rows
        .iter()
        .map(|(a, b)| format!("{a} → {b}: {}\n", server.update(a, b)))
        .collect();
    for new in ["{name: ab}", "{once: {v: old}}", "{once: {v: new}}"] {
        all.push_str(&format!("{new}: {}\n", server.spec(new)));
    }
    expect![[r#"
        {name: abc} → {name: abd}: Thing.a.io "one" is invalid: spec.name: Invalid value: "abd": stays
        {name: abc} → {name: abc, max: 1}: {"max":1,"name":"abc"}
        {tags: [ok]} → {tags: [ok, bad]}: Thing.a.io "one" is invalid: spec.tags[1]: Forbidden: failed rule: self != "bad"
        {range: {a: 1, b: 2}} → {range: {a: 3, b: 2}}: Thing.a.io "one" is invalid: spec.range.a: Required value: failed rule: self.a < self.b
        {range: {a: 1, b: 2}} → {range: {b: 2}}: Thing.a.io "one" is invalid: spec.range: Invalid value: no such key: a evaluating rule: self.a < self.b
        {name: ab}: Thing.a.io "one" is invalid: spec.name: Invalid value: "ab": too short: ab
        {once: {v: old}}: Thing.a.io "one" is invalid: spec.once: Invalid value: begins as new
        {once: {v: new}}: {"once":{"v":"new"}}
    "#]]
    .assert_eq(&all);
}

#[test]
fn definitions_are_checked() {
    let mut all = String::new();
    let mut try_one = |what: &str, change: &dyn Fn(&mut Value)| {
        let mut value = definition(yaml(&in_spec("a: {type: string}")));
        change(&mut value);
        let made = Server::bare().define(value);
        let said = if made.code == 201 {
            "created".into()
        } else {
            message(&made)
        };
        let said = said.replace(
            "CustomResourceDefinition.apiextensions.k8s.io \"things.a.io\" is invalid: ",
            "",
        );
        all.push_str(&format!("{what}: {said}\n"));
    };
    let version = |v: &mut Value, field: &str, to: Value| {
        if let Some(first) = v.at_mut(&["spec", "versions"]).list_mut().first_mut() {
            first.set(&[field], to);
        }
    };
    let schema = |v: &mut Value, text: &str| {
        let schema = yaml(&in_spec(text));
        version(v, "schema", obj! { "openAPIV3Schema": schema });
    };
    try_one("group", &|v| v.set(&["spec", "group"], "aio"));
    try_one("scope", &|v| v.set(&["spec", "scope"], "World"));
    try_one("kind", &|v| v.set(&["spec", "names", "kind"], "a thing"));
    try_one("version", &|v| version(v, "name", "V1".into()));
    try_one("column", &|v| {
        version(
            v,
            "additionalPrinterColumns",
            list![obj! { "name": "A", "type": "text", "jsonPath": "spec.a" }],
        );
    });
    try_one("scale", &|v| {
        version(
            v,
            "subresources",
            obj! { "scale": obj! { "specReplicasPath": ".a", "statusReplicasPath": ".status.n" } },
        );
    });
    try_one("selectable", &|v| {
        version(
            v,
            "selectableFields",
            list![obj! { "jsonPath": ".spec.none" }, obj! { "jsonPath": ".spec.a" }],
        );
    });
    try_one("items", &|v| schema(v, "l: {type: array}"));
    try_one("map keys", &|v| {
        schema(
            v,
            "l: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [k], items: {type: object, properties: {k: {type: string}}}}",
        );
    });
    try_one("default", &|v| schema(v, "num: {type: integer, default: x}"));
    try_one("nested type", &|v| {
        schema(v, "num: {type: string, anyOf: [{type: string}]}")
    });
    try_one("pattern", &|v| {
        schema(
            v,
            "num: {type: string, maximum: 3, x-kubernetes-preserve-unknown-fields: false}",
        )
    });
    try_one("rule", &|v| {
        schema(
            v,
            "num: {type: integer, x-kubernetes-validations: [{rule: 'self.x > 1'}, {rule: 'self + 1'}, {rule: 'self >'}]}",
        );
    });
    try_one("old self", &|v| {
        schema(
            v,
            "l: {type: array, items: {type: string, x-kubernetes-validations: [{rule: 'self == oldSelf'}]}}",
        );
    });
    try_one("fine", &|_| {});
    expect![[r#"
        group: [metadata.name: Invalid value: "things.a.io": must be spec.names.plural+"."+spec.group, spec.group: Invalid value: "aio": should be a domain with at least one dot]
        scope: spec.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"
        kind: [spec.names.singular: Invalid value: "a thing": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?'), spec.names.kind: Invalid value: "a thing": may have mixed case, but should otherwise match: a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?'), spec.names.listKind: Invalid value: "a thingList": may have mixed case, but should otherwise match: a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')]
        version: spec.versions[0].name: Invalid value: "V1": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')
        column: [spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string, spec.additionalPrinterColumns[0].JSONPath: Invalid value: "spec.a": must be a simple json path starting with .]
        scale: spec.subresources.scale.specReplicasPath: Invalid value: ".a": should be a json path under .spec
        selectable: spec.selectableFields[0].jsonPath: Invalid value: ".spec.none": is an invalid path: does not refer to a valid field
        items: spec.validation.openAPIV3Schema.properties[spec].properties[l].items: Required value: must be specified
        map keys: spec.validation.openAPIV3Schema.properties[spec].properties[l].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property
        default: spec.validation.openAPIV3Schema.properties[spec].properties[num].default: Invalid value: "string": spec.validation.openAPIV3Schema.properties[spec].properties[num].default in body must be of type integer: "string"
        nested type: spec.validation.openAPIV3Schema.properties[spec].properties[num].anyOf[0].type: Forbidden: must be empty to be structural
        pattern: spec.validation.openAPIV3Schema.properties[spec].properties[num].x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined
        rule: [spec.validation.openAPIV3Schema.properties[spec].properties[num].x-kubernetes-validations[0].rule: Invalid value: {"Rule":"self.x \u003e 1","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}: compilation failed: ERROR: <input>:1:5: type 'int' does not support field selection
         | self.x > 1
         | ....^, spec.validation.openAPIV3Schema.properties[spec].properties[num].x-kubernetes-validations[1].rule: Invalid value: {"Rule":"self + 1","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}: cel expression must evaluate to a bool, spec.validation.openAPIV3Schema.properties[spec].properties[num].x-kubernetes-validations[2].rule: Invalid value: {"Rule":"self \u003e","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}: compilation failed: ERROR: <input>:1:7: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}
         | self >
         | ......^]
        old self: [spec.validation.openAPIV3Schema.properties[spec].properties[l].items.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared), spec.validation.openAPIV3Schema.properties[spec].properties[l].items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within spec.validation.openAPIV3Schema.properties[spec].properties[l], spec.validation.openAPIV3Schema.properties[spec].properties[l].items.x-kubernetes-validations[0].rule: Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema, spec.validation.openAPIV3Schema: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of more than 100x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)]
        fine: created
    "#]].assert_eq(&all);
}

#[test]
fn versions_status_and_generation() {
    let server = Server::bare();
    let mut value = definition(yaml(&in_spec("a: {type: string, default: x}")));
    let mut second = value.at(&["spec", "versions"]).items()[0].clone();
    second.set(&["name"], "v2");
    second.set(&["storage"], false);
    second.set(&["subresources"], obj! { "status": obj! {} });
    second.set(
        &["schema", "openAPIV3Schema"],
        yaml("type: object\nproperties: {spec: {type: object, properties: {b: {type: integer, default: 2}}}, status: {type: object, properties: {s: {type: string}}}}"),
    );
    value.at_mut(&["spec", "versions"]).list_mut().push(second);
    assert_eq!(server.define(value).code, 201);
    server.establish();
    server.create(Server::thing("{a: old}"));
    let path = "/apis/a.io/v2/namespaces/default/things/one";
    let get = || server.0.serve(Request::get(path)).value();
    assert_eq!(get().get("spec").to_json(), r#"{"b":2}"#);
    assert_eq!(get().get("apiVersion").str(), "a.io/v2");
    let patch = |path: &str, patch: Value| {
        let mut request = Request::new(Method::Patch, path).body(Body::Value(patch));
        request.content_type = "application/merge-patch+json".into();
        server.0.serve(request).value()
    };
    let done = patch(path, obj! { "status": obj! { "s": "x" }, "spec": obj! { "b": 3 } });
    assert_eq!(done.get("status"), &Value::Null);
    assert_eq!(done.at(&["metadata", "generation"]), &Value::Int(2));
    let done = patch(
        &format!("{path}/status"),
        obj! { "status": obj! { "s": "x" }, "spec": obj! { "b": 9 }, "metadata": obj! { "labels": obj! { "l": "v" } } },
    );
    assert_eq!(done.at(&["status", "s"]).str(), "x");
    assert_eq!(done.at(&["spec", "b"]), &Value::Int(3));
    assert_eq!(done.at(&["metadata", "generation"]), &Value::Int(2));
    assert_eq!(done.at(&["metadata", "labels"]), &Value::Null);
}

/// A structural schema, of any shape.
fn any_schema() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(obj! { "type": "string" }),
        Just(obj! { "type": "string", "default": "x", "maxLength": 3 }),
        Just(obj! { "type": "integer", "default": 1, "minimum": 0 }),
        Just(obj! { "type": "boolean", "nullable": true }),
        Just(obj! { "type": "number" }),
        Just(obj! { "x-kubernetes-int-or-string": true }),
        Just(obj! { "x-kubernetes-preserve-unknown-fields": true }),
        Just(
            obj! { "type": "object", "x-kubernetes-preserve-unknown-fields": true, "x-kubernetes-embedded-resource": true }
        ),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        let fields = prop::collection::vec(("[a-d]", inner.clone()), 0..4);
        prop_oneof![
            (fields, any::<bool>(), any::<bool>()).prop_map(|(fields, open, default)| {
                let mut schema = obj! { "type": "object" };
                for (k, v) in fields {
                    schema.set(&["properties", &k], v);
                }
                if open {
                    schema.set(&["x-kubernetes-preserve-unknown-fields"], true);
                }
                if default {
                    schema.set(&["default"], obj! {});
                }
                schema
            }),
            inner
                .clone()
                .prop_map(|v| obj! { "type": "object", "additionalProperties": v }),
            (inner, prop_oneof![Just("set"), Just("atomic"), Just("map")]).prop_map(|(v, kind)| obj! {
                "type": "array", "items": v, "x-kubernetes-list-type": kind, "x-kubernetes-list-map-keys": list!["a"],
            }),
        ]
    })
}

fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_map(|f| Value::Float(if f.is_finite() { f } else { 0.5 })),
        "[a-zé]{0,4}".prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::list),
            prop::collection::vec(("[a-e]|metadata|kind", inner), 0..4).prop_map(|entries| {
                let mut map = Value::map();
                for (k, v) in entries {
                    map.set(&[&k], v);
                }
                map
            }),
        ]
    })
}

proptest! {
    #[test]
    fn pruning_and_defaulting_are_idempotent_and_validation_never_panics(
        schema in any_schema(), value in any_value(), old in any_value()
    ) {
        let mut schema = schema;
        schema.set(&["type"], "object");
        let mut once = value;
        structural::prune(&mut once, &schema, &mut Vec::new());
        let mut twice = once.clone();
        let mut unknown = Vec::new();
        structural::prune(&mut twice, &schema, &mut unknown);
        prop_assert_eq!(&twice, &once);
        prop_assert!(unknown.is_empty());
        structural::default(&mut once, &schema);
        let mut twice = once.clone();
        structural::default(&mut twice, &schema);
        prop_assert_eq!(&twice, &once);
        for old in [None, Some(&old), Some(&once)] {
            let mut errors = FieldErrors::default();
            openapi::validate(&once, &schema, "", old, &mut errors);
            openapi::validate_lists(&once, &schema, "", old, &mut errors);
            embedded(&once, &schema, "", true, &mut errors);
            if let Some(rules) = Rules::new(&schema, true) {
                rules.validate(&once, &schema, "", old, &mut errors);
            }
            prop_assert!(old != Some(&once) || errors.0.iter().all(|e| e.field.contains("apiVersion") || e.field.contains("kind") || e.field.contains("metadata")));
        }
        structural::type_of(&schema, "a.io.v1.A");
        let _ = Server::bare().define(definition(schema));
    }

    #[test]
    fn any_definition_is_stored_or_refused(value in any_value(), field in 0usize..6) {
        let mut definition = definition(yaml("{type: object}"));
        let path: &[&str] = [
            &["spec"][..], &["spec", "versions"], &["spec", "names"], &["spec", "conversion"], &["metadata"], &["status"],
        ][field];
        definition.set(path, value.clone());
        let code = Server::bare().define(definition).code;
        prop_assert!(matches!(code, 201 | 400 | 422), "{}", code);
        let mut with_schema = super::tests::definition(value);
        with_schema.set(&["metadata", "name"], "things.a.io");
        let code = Server::bare().define(with_schema).code;
        prop_assert!(matches!(code, 201 | 400 | 422), "{}", code);
    }
}

/// What rules cost at most is estimated when a definition is made.
#[test]
fn expensive_rules_are_refused() {
    let rule = |text: &str| format!("x-kubernetes-validations: [{{rule: \"{text}\"}}]");
    let all = rule("self.all(a, self.all(b, a != b || a == b))");
    let strings = |limits: &str| format!("list: {{type: array, items: {{type: string}}, {limits} {all}}}");
    let matches = rule("self.matches('^[a-z]+$')");
    let inner = format!("{{type: string, maxLength: 50, {matches}}}");
    let four: Vec<String> = ["a", "b", "c", "d", "e"]
        .iter()
        .map(|n| {
            format!(
                "{n}: {{type: array, maxItems: 7000, items: {{type: string, maxLength: 1000, {}}}}}",
                rule("self.find('^[a-z]+$') != ''")
            )
        })
        .collect();
    let rows = [
        strings(""),
        strings("maxItems: 500,"),
        strings("maxItems: 50,"),
        // A rule runs as often as its schema can be in an object.
        format!("list: {{type: array, items: {inner}}}"),
        format!("list: {{type: array, maxItems: 100, items: {inner}}}"),
        format!("map: {{type: object, additionalProperties: {inner}}}"),
        format!("map: {{type: object, maxProperties: 100000, additionalProperties: {inner}}}"),
        format!(
            "a: {{type: string, {}}}",
            "x-kubernetes-validations: [{rule: 'self.size() < 9', messageExpression: \"self.split('').map(c, self + c).join(self)\"}]"
        ),
        four.join("\n"),
    ];
    let mut out = String::new();
    for properties in rows {
        let made = Server::bare().define(definition(yaml(&in_spec(&properties))));
        let said = match made.code {
            201 => "made".to_owned(),
            _ => message(&made).replace(
                "CustomResourceDefinition.apiextensions.k8s.io \"things.a.io\" is invalid: ",
                "",
            ),
        };
        let said = said.replace("spec.versions[0].schema.openAPIV3Schema.properties[spec]", "…").replace(
            " (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)",
            " (…)",
        );
        out.push_str(&format!("{properties}\n=> {said}\n"));
    }
    expect![[r#"
        list: {type: array, items: {type: string},  x-kubernetes-validations: [{rule: "self.all(a, self.all(b, a != b || a == b))"}]}
        => [spec.validation.openAPIV3Schema.properties[spec].properties[list].x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x (…), spec.validation.openAPIV3Schema.properties[spec].properties[list].x-kubernetes-validations[0].rule: Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema, spec.validation.openAPIV3Schema: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of more than 100x (…)]
        list: {type: array, items: {type: string}, maxItems: 500, x-kubernetes-validations: [{rule: "self.all(a, self.all(b, a != b || a == b))"}]}
        => [spec.validation.openAPIV3Schema.properties[spec].properties[list].x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x (…), spec.validation.openAPIV3Schema.properties[spec].properties[list].x-kubernetes-validations[0].rule: Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema, spec.validation.openAPIV3Schema: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of more than 100x (…)]
        list: {type: array, items: {type: string}, maxItems: 50, x-kubernetes-validations: [{rule: "self.all(a, self.all(b, a != b || a == b))"}]}
        => [spec.validation.openAPIV3Schema.properties[spec].properties[list].x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x (…), spec.validation.openAPIV3Schema.properties[spec].properties[list].x-kubernetes-validations[0].rule: Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema, spec.validation.openAPIV3Schema: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of 15.7x (…)]
        list: {type: array, items: {type: string, maxLength: 50, x-kubernetes-validations: [{rule: "self.matches('^[a-z]+$')"}]}}
        => spec.validation.openAPIV3Schema.properties[spec].properties[list].items.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of 4.5x (…)
        list: {type: array, maxItems: 100, items: {type: string, maxLength: 50, x-kubernetes-validations: [{rule: "self.matches('^[a-z]+$')"}]}}
        => made
        map: {type: object, additionalProperties: {type: string, maxLength: 50, x-kubernetes-validations: [{rule: "self.matches('^[a-z]+$')"}]}}
        => spec.validation.openAPIV3Schema.properties[spec].properties[map].additionalProperties.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of 4.5x (…)
        map: {type: object, maxProperties: 100000, additionalProperties: {type: string, maxLength: 50, x-kubernetes-validations: [{rule: "self.matches('^[a-z]+$')"}]}}
        => made
        a: {type: string, x-kubernetes-validations: [{rule: 'self.size() < 9', messageExpression: "self.split('').map(c, self + c).join(self)"}]}
        => [spec.validation.openAPIV3Schema.properties[spec].properties[a].x-kubernetes-validations[0].messageExpression: Forbidden: estimated messageExpression cost exceeds budget by factor of more than 100x (…), spec.validation.openAPIV3Schema.properties[spec].properties[a].x-kubernetes-validations[0].messageExpression: Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema, spec.validation.openAPIV3Schema: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of more than 100x (…)]
        a: {type: array, maxItems: 7000, items: {type: string, maxLength: 1000, x-kubernetes-validations: [{rule: "self.find('^[a-z]+$') != ''"}]}}
        b: {type: array, maxItems: 7000, items: {type: string, maxLength: 1000, x-kubernetes-validations: [{rule: "self.find('^[a-z]+$') != ''"}]}}
        c: {type: array, maxItems: 7000, items: {type: string, maxLength: 1000, x-kubernetes-validations: [{rule: "self.find('^[a-z]+$') != ''"}]}}
        d: {type: array, maxItems: 7000, items: {type: string, maxLength: 1000, x-kubernetes-validations: [{rule: "self.find('^[a-z]+$') != ''"}]}}
        e: {type: array, maxItems: 7000, items: {type: string, maxLength: 1000, x-kubernetes-validations: [{rule: "self.find('^[a-z]+$') != ''"}]}}
        => made
    "#]].assert_eq(&out);
}

fn apply(server: &Server, manager: &str, spec: &str) -> Response {
    let path = "/apis/a.io/v1/namespaces/default/things/one";
    let mut request = Request::new(Method::Patch, path)
        .with("fieldManager", manager)
        .body(Body::Value(Server::thing(spec)));
    request.content_type = "application/apply-patch+yaml".into();
    server.0.serve(request)
}

/// What each manager owns of a thing's spec.
fn owned(response: &Response) -> String {
    let value = response.value();
    let entries = value.at(&["metadata", "managedFields"]).items();
    let shown = entries.iter().map(|e| {
        format!(
            "{}: {}",
            e.get("manager").str(),
            e.at(&["fieldsV1", "f:spec"]).to_json()
        )
    });
    let all: Vec<String> = shown.collect();
    format!("{}\n  {}", value.get("spec").to_json(), all.join("\n  "))
}

/// Lists in lists are merged by their own types: maps by keys, sets by values, the others as a whole.
#[test]
fn lists_in_lists_are_applied_by_their_types() {
    let server = Server::new(&in_spec(
        "groups: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [name], items: {type: object, required: \
         [name], properties: {name: {type: string}, tags: {type: array, x-kubernetes-list-type: set, items: {type: string}}, \
         args: {type: array, items: {type: string}}, ports: {type: array, x-kubernetes-list-type: map, \
         x-kubernetes-list-map-keys: [port, protocol], items: {type: object, required: [port], properties: {port: {type: \
         integer}, protocol: {type: string, default: TCP}, note: {type: string}}}}}}}",
    ));
    let mut out = String::new();
    for (manager, spec) in [
        (
            "a",
            "{groups: [{name: x, tags: [one, two], args: [p], ports: [{port: 1, note: a}]}]}",
        ),
        (
            "b",
            "{groups: [{name: x, tags: [two, three], ports: [{port: 2}, {port: 1, protocol: UDP}]}, {name: z}]}",
        ),
        (
            "b",
            "{groups: [{name: x, tags: [three], args: [q], ports: [{port: 1, note: b}]}]}",
        ),
        ("b", "{groups: [{name: x, tags: [three]}]}"),
        ("a", "{groups: [{name: x, tags: [one]}]}"),
        ("a", "{groups: [{tags: [one]}]}"),
    ] {
        let answer = apply(&server, manager, spec);
        let said = match answer.code {
            200 | 201 => owned(&answer),
            _ => message(&answer),
        };
        out.push_str(&format!("{manager} {spec}\n=> {said}\n"));
    }
    expect![[r#"
        a {groups: [{name: x, tags: [one, two], args: [p], ports: [{port: 1, note: a}]}]}
        => {"groups":[{"args":["p"],"name":"x","ports":[{"note":"a","port":1,"protocol":"TCP"}],"tags":["one","two"]}]}
          a: {"f:groups":{"k:{\"name\":\"x\"}":{".":{},"f:args":{},"f:name":{},"f:ports":{"k:{\"port\":1,\"protocol\":\"TCP\"}":{".":{},"f:note":{},"f:port":{}}},"f:tags":{"v:\"one\"":{},"v:\"two\"":{}}}}}
        b {groups: [{name: x, tags: [two, three], ports: [{port: 2}, {port: 1, protocol: UDP}]}, {name: z}]}
        => {"groups":[{"args":["p"],"name":"x","ports":[{"note":"a","port":1,"protocol":"TCP"},{"port":2,"protocol":"TCP"},{"port":1,"protocol":"UDP"}],"tags":["one","two","three"]},{"name":"z"}]}
          a: {"f:groups":{"k:{\"name\":\"x\"}":{".":{},"f:args":{},"f:name":{},"f:ports":{"k:{\"port\":1,\"protocol\":\"TCP\"}":{".":{},"f:note":{},"f:port":{}}},"f:tags":{"v:\"one\"":{},"v:\"two\"":{}}}}}
          b: {"f:groups":{"k:{\"name\":\"x\"}":{".":{},"f:name":{},"f:ports":{"k:{\"port\":1,\"protocol\":\"UDP\"}":{".":{},"f:port":{},"f:protocol":{}},"k:{\"port\":2,\"protocol\":\"TCP\"}":{".":{},"f:port":{}}},"f:tags":{"v:\"three\"":{},"v:\"two\"":{}}},"k:{\"name\":\"z\"}":{".":{},"f:name":{}}}}
        b {groups: [{name: x, tags: [three], args: [q], ports: [{port: 1, note: b}]}]}
        => Apply failed with 2 conflicts: conflicts with "a":
        - .spec.groups[name="x"].args
        - .spec.groups[name="x"].ports[port=1,protocol="TCP"].note
        b {groups: [{name: x, tags: [three]}]}
        => {"groups":[{"args":["p"],"name":"x","ports":[{"note":"a","port":1,"protocol":"TCP"}],"tags":["one","two","three"]}]}
          a: {"f:groups":{"k:{\"name\":\"x\"}":{".":{},"f:args":{},"f:name":{},"f:ports":{"k:{\"port\":1,\"protocol\":\"TCP\"}":{".":{},"f:note":{},"f:port":{}}},"f:tags":{"v:\"one\"":{},"v:\"two\"":{}}}}}
          b: {"f:groups":{"k:{\"name\":\"x\"}":{".":{},"f:name":{},"f:tags":{"v:\"three\"":{}}}}}
        a {groups: [{name: x, tags: [one]}]}
        => {"groups":[{"name":"x","tags":["one","three"]}]}
          a: {"f:groups":{"k:{\"name\":\"x\"}":{".":{},"f:name":{},"f:tags":{"v:\"one\"":{}}}}}
          b: {"f:groups":{"k:{\"name\":\"x\"}":{".":{},"f:name":{},"f:tags":{"v:\"three\"":{}}}}}
        a {groups: [{tags: [one]}]}
        => failed to create typed patch object (/one; a.io/v1, Kind=Thing): .spec.groups: element 0: associative list with keys has an element that omits all key fields ["name"] (and doesn't have default values for any key fields)
    "#]].assert_eq(&out);
}

/// What was granular and is atomic now belongs as a whole to who owned parts of it; what became granular stays as it is.
#[test]
fn definitions_change_how_lists_and_maps_are_merged() {
    let schema = |list: &str, map: &str| {
        in_spec(&format!(
            "l: {{type: array, x-kubernetes-list-type: {list}, items: {{type: string}}}}\nm: {{type: object, \
             x-kubernetes-map-type: {map}, additionalProperties: {{type: string}}}}"
        ))
    };
    let change = |server: &Server, list: &str, map: &str| {
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.a.io";
        let mut value = server.0.serve(Request::get(path)).value();
        let versions = definition(yaml(&schema(list, map))).at(&["spec", "versions"]).clone();
        value.set(&["spec", "versions"], versions);
        let done = server.0.serve(Request::new(Method::Put, path).body(Body::Value(value)));
        assert_eq!(done.code, 200, "{}", message(&done));
    };
    let mut out = String::new();
    for [from, to] in [["set granular", "atomic atomic"], ["atomic atomic", "set granular"]] {
        let (list, map) = from.split_once(' ').unwrap();
        let server = Server::new(&schema(list, map));
        out.push_str(&format!(
            "{from}: {}\n",
            owned(&apply(&server, "a", "{l: [x], m: {k: v}}"))
        ));
        let (list, map) = to.split_once(' ').unwrap();
        change(&server, list, map);
        for (manager, spec) in [("b", "{m: {j: w}}"), ("a", "{l: [z], m: {k: v}}")] {
            let answer = apply(&server, manager, spec);
            let said = if answer.code == 200 {
                owned(&answer)
            } else {
                message(&answer)
            };
            out.push_str(&format!("{to}, {manager} {spec}: {said}\n"));
        }
    }
    expect![[r#"
        set granular: {"l":["x"],"m":{"k":"v"}}
          a: {"f:l":{"v:\"x\"":{}},"f:m":{"f:k":{}}}
        atomic atomic, b {m: {j: w}}: Apply failed with 1 conflict: conflict with "a": .spec.m
        atomic atomic, a {l: [z], m: {k: v}}: {"l":["z"],"m":{"k":"v"}}
          a: {"f:l":{},"f:m":{}}
        atomic atomic: {"l":["x"],"m":{"k":"v"}}
          a: {"f:l":{},"f:m":{}}
        set granular, b {m: {j: w}}: {"l":["x"],"m":{"j":"w","k":"v"}}
          a: {"f:l":{},"f:m":{}}
          b: {"f:m":{"f:j":{}}}
        set granular, a {l: [z], m: {k: v}}: {"l":["x","z"],"m":{"j":"w","k":"v"}}
          a: {"f:l":{"v:\"z\"":{}},"f:m":{"f:k":{}}}
          b: {"f:m":{"f:j":{}}}
    "#]]
    .assert_eq(&out);
}

/// Each item of such a list compared with each other would take minutes.
#[test]
fn long_lists_are_told_apart_by_sorting() {
    const ITEMS: i64 = 40_000;
    let set = yaml("{type: array, x-kubernetes-list-type: set, items: {type: integer}}");
    let map = yaml(
        "{type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [a], items: {type: object, properties: {a: {type: integer}, b: {type: integer, maximum: 3}}}}",
    );
    let numbers = |more: &[i64]| Value::list((0..ITEMS).chain(more.iter().copied()).map(Value::from).collect());
    let items = |b: i64| {
        Value::list(
            (0..ITEMS)
                .map(|a| obj! { "a": a, "b": b + i64::from(a == 7) })
                .collect(),
        )
    };
    let mut errors = FieldErrors::default();
    openapi::validate_lists(&numbers(&[5, 5, 9]), &set, "set", None, &mut errors);
    let (old, new) = (items(4), items(4));
    openapi::validate(&new, &map, "map", Some(&list![old.items()[0].clone()]), &mut errors);
    assert_eq!(
        errors.0.len(),
        2 + ITEMS as usize - 1,
        "what did not change is not complained of"
    );
    let mut errors = FieldErrors::default();
    openapi::validate(
        &items(5),
        &map,
        "map",
        Some(&Value::list(old.items()[..8].to_vec())),
        &mut errors,
    );
    let changed = &errors.0[..9];
    assert!(
        changed[0].to_string().starts_with("map[0].b: Invalid value: 5"),
        "{}",
        changed[0]
    );
    openapi::validate_lists(&items(1), &map, "map", Some(&old), &mut errors);
    assert_eq!(errors.0.len(), ITEMS as usize);
}
